//! Moving sessions to a row each, and back.

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::sql::{COUNT_ROWS, FORGET_MOVED, PUT_TOKEN, REMOVE_SESSION, ROWS_AFTER, SESSIONS_AFTER};
use super::{ids, replace, session_row};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::mysql::MysqlStore;
use crate::mysql::database::{Failure, attempt, begin, changed, column, commit};
use crate::mysql::statements::INSERT_SESSION;
use crate::mysql::tokens::until_none;
use crate::store::rows::{
    Leaf, MOVED, MoveSessions, Moved, RowSessions, SessionRow, TokenSessions,
};
use crate::store::session::Client;

fn leaf(row: &Row) -> Result<Leaf, Failure> {
    let time = |at| column(row, at).map(Timestamp::from_micros);
    let blacklisted_at = column::<Option<i64>>(row, 14)?.map(Timestamp::from_micros);
    Ok(Leaf {
        session_id: column(row, 0)?,
        user_id: column::<String>(row, 1)?.into(),
        opened_at: time(2)?,
        password: column(row, 3)?,
        client: Client { address: column(row, 4)?, user_agent: column(row, 5)? },
        kept_until: time(6)?,
        jti: column(row, 7)?,
        parent_jti: column(row, 8)?,
        access_jti: column(row, 9)?,
        created_at: time(10)?,
        used_at: time(11)?,
        expires_at: time(12)?,
        blacklisted: column::<bool>(row, 13)?.then_some(blacklisted_at),
    })
}

impl MysqlStore {
    async fn to_rows(
        &self,
        conn: &mut Conn,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, Failure> {
        begin(conn).await?;
        let values = params! { "after" => after, "batch" => batch };
        let ids = ids(conn, SESSIONS_AFTER, values).await?;
        let mut moved = Moved { next: ids.last().cloned(), ..Moved::default() };
        if let Some(last) = ids.last() {
            let values = params! { "after" => after, "last" => last };
            let leaves: Vec<Row> = conn.exec(&self.sql.moves.leaves, values).await?;
            let leaves = leaves.iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
            let (rows, with_several) = Leaf::rows(&leaves, at);
            for row in &rows {
                let id = params! { "id" => &row.id };
                let left = params! { "id" => &row.id, "moved" => MOVED };
                changed(conn, FORGET_MOVED, left).await?;
                self.insert_row(conn, row, None).await?;
                changed(conn, REMOVE_SESSION, id).await?;
            }
            (moved.sessions, moved.with_several) = (rows.len() as u64, with_several);
        }
        commit(conn).await?;
        Ok(moved)
    }

    async fn to_tokens(
        &self,
        conn: &mut Conn,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, Failure> {
        begin(conn).await?;
        let values = params! { "after" => after, "batch" => batch };
        let rows: Vec<Row> = conn.exec(ROWS_AFTER, values).await?;
        let rows = rows.iter().map(session_row).collect::<Result<Vec<SessionRow>, _>>()?;
        for row in &rows {
            let values = params! {
                "id" => &row.id,
                "user" => row.user_id.as_str(),
                "at" => row.created_at.as_micros(),
                "expires_at" => row.kept_until.as_micros(),
                "password" => &row.password,
                "address" => &row.client.address,
                "user_agent" => &row.client.user_agent,
            };
            changed(conn, INSERT_SESSION, values).await?;
            for token in row.tokens() {
                match token.blacklisted_at {
                    Some(at) => drop(self.sql.blacklist(conn, &token.token, at).await?),
                    None => self.sql.register(conn, &token.token).await?,
                }
                let values = params! {
                    "jti" => &token.token.jti,
                    "session" => &row.id,
                    "parent" => &token.parent_jti,
                    "access" => &token.access_jti,
                    "created_at" => token.token.created_at.as_micros(),
                    "used_at" => token.used_at.as_micros(),
                    "expires_at" => token.token.expires_at.as_micros(),
                    "address" => &row.client.address,
                };
                changed(conn, PUT_TOKEN, values).await?;
            }
            // The one that was current at the move before has a row without a successor.
            let others = params! { "session" => &row.id, "jti" => &row.jti };
            until_none(conn, &self.sql.moves.others, others, at).await?;
            replace(conn, &row.moved(at)).await?;
        }
        commit(conn).await?;
        let next = rows.last().map(|row| row.id.clone());
        Ok(Moved { sessions: rows.len() as u64, with_several: 0, next })
    }
}

#[async_trait]
impl MoveSessions for MysqlStore {
    async fn token_sessions(&self, at: Timestamp) -> Result<TokenSessions, StoreError> {
        attempt!(self.database.attempts("token_sessions"), |conn| async {
            let sql = &self.sql.moves.count_tokens;
            let row: Option<Row> = conn.exec_first(sql, params! { "at" => at.as_micros() }).await?;
            let row = row.ok_or(Failure::Shape)?;
            Ok(TokenSessions { live: column(&row, 0)?, with_several: column(&row, 1)? })
        })
    }

    async fn row_sessions(&self, at: Timestamp) -> Result<RowSessions, StoreError> {
        attempt!(self.database.attempts("row_sessions"), |conn| async {
            let values = params! { "at" => at.as_micros(), "moved" => MOVED };
            let row: Option<Row> = conn.exec_first(COUNT_ROWS, values).await?;
            let row = row.ok_or(Failure::Shape)?;
            Ok(RowSessions { live: column(&row, 0)?, moved: column(&row, 1)? })
        })
    }

    async fn move_to_rows(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError> {
        let attempts = self.database.attempts("move_to_rows");
        attempt!(attempts, |conn| self.to_rows(conn, after, at, batch))
    }

    async fn move_to_tokens(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError> {
        let attempts = self.database.attempts("move_to_tokens");
        attempt!(attempts, |conn| self.to_tokens(conn, after, at, batch))
    }
}
