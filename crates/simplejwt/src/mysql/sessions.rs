//! Sessions in MySQL or MariaDB.
//!
//! A rotation locks no session. Whoever ends one first sets `ended_at` and then blacklists its
//! tokens, looking again until none is left: a rotation in progress conflicts with that, is waited
//! for, and has left a successor; a later one meets the conflict itself. Tokens that join a session
//! in any other way lock the session's row.

mod end;
pub(super) mod open;
mod refresh;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::database::{Failure, attempt, begin, column, commit};
use super::database::{changed, exists};
use super::lookup::{Found, Lookup, Wanted};
use super::statements::{
    DUE_TOKENS, FLUSH_SESSIONS, FLUSH_TOKENS, HEADS_OF, LEASE, REHASH, show_live, show_one,
};
use super::{MysqlDatabase, MysqlStore, late};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::Recorded;
use crate::settings::Rows;
use crate::sql::check::Uses;
use crate::store::session::{
    Client, EndSessions, OpenOutcome, OpenSession, PINGED, RefreshOutcome, Session, SessionHead,
    SessionRefresh, SessionStore,
};
use crate::users::UserId;

fn session_from_row(row: &Row) -> Result<Session, Failure> {
    let time = |at| column(row, at).map(Timestamp::from_micros);
    Ok(Session {
        id: column(row, 0)?,
        user_id: column::<String>(row, 1)?.into(),
        created_at: time(2)?,
        ended_at: column::<Option<i64>>(row, 3)?.map(Timestamp::from_micros),
        refreshed_at: time(5)?,
        expires_at: time(6)?,
        client: Client { address: column(row, 7)?, user_agent: column(row, 4)? },
    })
}

fn head(row: &Row) -> Result<SessionHead, Failure> {
    Ok(SessionHead {
        id: column(row, 0)?,
        user_id: column::<String>(row, 1)?.into(),
        created_at: Timestamp::from_micros(column(row, 2)?),
        ended_at: column::<Option<i64>>(row, 3)?.map(Timestamp::from_micros),
        spent_at: column::<Option<i64>>(row, 4)?.map(Timestamp::from_micros),
    })
}

/// Returns the lookup of the sessions that tokens are in.
pub(super) fn heads(database: &MysqlDatabase) -> Lookup<SessionHead> {
    Lookup::new(database, "session_of", HEADS_OF, "?", |row| Ok((column(row, 5)?, head(row)?)))
}

#[async_trait]
impl SessionStore for MysqlStore {
    fn rows(&self) -> Rows {
        Rows::Tokens
    }

    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
        attempt!(self.database.attempts("open"), |conn| self.sql.open(conn, open))
    }

    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        late::refresh(self, refresh).await
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let attempts = self.database.attempts("session");
        attempt!(attempts, |conn| async {
            let row: Option<Row> = conn.exec_first(show_one(), params! { "id" => id }).await?;
            row.as_ref().map(session_from_row).transpose()
        })
    }

    async fn session_of(
        &self,
        jti: &str,
        _: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError> {
        match self.heads.run(Wanted::text(jti)).await? {
            Found::One(head) => Ok(Some(head)),
            Found::Nothing => Ok(None),
            Found::Unknown => attempt!(self.database.attempts("session_of"), |conn| async {
                let sql = HEADS_OF.replace("{}", "?");
                let row: Option<Row> = conn.exec_first(sql, (jti,)).await?;
                row.as_ref().map(head).transpose()
            }),
        }
    }

    async fn is_spent(&self, jti: &str, _: Option<&str>) -> Result<bool, StoreError> {
        let attempts = self.database.attempts("is_spent");
        attempt!(attempts, |conn| exists(conn, &self.sql.is_spent, params! { "jti" => jti }))
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        attempt!(self.database.attempts("sessions"), |conn| async {
            let values = params! { "user" => user_id.as_str(), "at" => at.as_micros() };
            let rows: Vec<Row> = conn.exec(show_live(&self.sql.is_live), values).await?;
            rows.iter().map(session_from_row).collect()
        })
    }

    async fn end_sessions(&self, ending: &EndSessions) -> Result<Recorded<u64>, StoreError> {
        let mut before = 0;
        loop {
            let attempts = self.database.attempts("end_sessions");
            match attempt!(attempts, |conn| end::batch(&self.sql, conn, ending, before)) {
                // There can be no such user.
                Err(error) if end::is_of_nobody(ending, &error) => {
                    return Ok(ending.recorded(before));
                }
                Err(error) => return Err(error),
                Ok(end::Batch::Last(ended)) => return Ok(ended),
                Ok(end::Batch::Full(ended)) => before += ended,
            }
        }
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let attempts = self.database.attempts("password_rehashed");
        attempt!(attempts, |conn| rehashed(conn, user_id, old, new))
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let before = before.as_micros();
        let from = self.flushed_to.after(before);
        let flushed = attempt!(self.database.attempts("flush_sessions"), |conn| async {
            let due = params! { "from" => from, "before" => before, "batch" => batch };
            let last: Option<Option<i64>> = conn.exec_first(DUE_TOKENS, due).await?;
            begin(conn).await?;
            let mut flushed = 0;
            if let Some(last) = last.flatten() {
                let tokens = params! { "from" => from, "last" => last, "batch" => batch };
                flushed = changed(conn, FLUSH_TOKENS, tokens).await?;
                self.flushed_to.reached(before, last);
            }
            let values = params! { "before" => before, "batch" => batch };
            if flushed < u64::from(batch) {
                for statement in FLUSH_SESSIONS {
                    flushed += changed(conn, statement, values.clone()).await?;
                }
            }
            commit(conn).await?;
            Ok(flushed)
        })?;
        if flushed == 0 {
            self.flushed_to.forget();
        }
        Ok(flushed)
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        let sessions = Uses { sessions: true, ..Uses::default() };
        let at = at.as_micros();
        attempt!(self.database.attempts("ping"), |conn| async {
            begin(conn).await?;
            super::tokens::try_all(conn, &sessions).await?;
            let holder = at.to_string();
            let values = params! { "name" => PINGED, "holder" => holder, "at" => at, "until" => 0 };
            changed(conn, LEASE, values).await?;
            commit(conn).await
        })
    }
}

/// Ties sessions to another fingerprint of the same password.
pub(crate) async fn rehashed(
    conn: &mut Conn,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> Result<(), Failure> {
    let values = params! { "user" => user_id.as_str(), "old" => old, "new" => new };
    changed(conn, REHASH, values).await.map(drop)
}
