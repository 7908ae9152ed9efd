//! Moving sessions to a row each, and back.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::sql::{
    COUNT_ROWS, COUNT_TOKENS, FORGET_MOVED, LEAVES, PUT_SESSION, PUT_TOKEN, REMOVE_SESSION,
    ROWS_AFTER, SESSIONS_AFTER, SPEND_OTHERS,
};
use super::{insert, replace};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::sqlite::statements::Sql;
use crate::sqlite::{SqliteStore, datetime};
use crate::store::rows::{Leaf, MOVED, MoveSessions, Moved, RowSessions, TokenSessions};
use crate::store::session::Client;

fn leaf(row: &Row<'_>) -> rusqlite::Result<Leaf> {
    let time = |at| row.get(at).map(Timestamp::from_micros);
    let (is_blacklisted, blacklisted_at): (bool, Option<String>) = (row.get(13)?, row.get(14)?);
    Ok(Leaf {
        session_id: row.get(0)?,
        user_id: row.get::<_, String>(1)?.into(),
        opened_at: time(2)?,
        password: row.get(3)?,
        client: Client { address: row.get(4)?, user_agent: row.get(5)? },
        kept_until: time(6)?,
        jti: row.get(7)?,
        parent_jti: row.get(8)?,
        access_jti: row.get(9)?,
        created_at: time(10)?,
        used_at: time(11)?,
        expires_at: time(12)?,
        blacklisted: is_blacklisted.then(|| blacklisted_at.as_deref().and_then(datetime::moment)),
    })
}

fn to_rows(
    connection: &Connection,
    after: &str,
    at: Timestamp,
    batch: u32,
) -> rusqlite::Result<Moved> {
    let ids = super::ids(connection, SESSIONS_AFTER, &[&after, &batch])?;
    let Some(last) = ids.last() else { return Ok(Moved::default()) };
    let leaves = connection
        .prepare_cached(LEAVES)?
        .query_map([after, last], leaf)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let (rows, with_several) = Leaf::rows(&leaves, at);
    for row in &rows {
        connection.prepare_cached(FORGET_MOVED)?.execute([&row.id, MOVED])?;
        insert(connection, row)?;
        connection.prepare_cached(REMOVE_SESSION)?.execute([&row.id])?;
    }
    Ok(Moved { sessions: rows.len() as u64, with_several, next: Some(last.clone()) })
}

fn to_tokens(
    sql: &Sql,
    connection: &Connection,
    after: &str,
    at: Timestamp,
    batch: u32,
) -> rusqlite::Result<Moved> {
    let rows = super::rows(connection, ROWS_AFTER, &[&after, &batch])?;
    for row in &rows {
        connection.prepare_cached(PUT_SESSION)?.execute(params![
            row.id,
            row.user_id.as_str(),
            row.created_at.as_micros(),
            row.kept_until.as_micros(),
            row.password,
            row.client.address,
            row.client.user_agent,
        ])?;
        for token in row.tokens() {
            match token.blacklisted_at {
                Some(at) => drop(sql.blacklist(connection, &token.token, at)?),
                None => sql.record(connection, &token.token)?,
            }
            connection.prepare_cached(PUT_TOKEN)?.execute(params![
                token.token.jti,
                row.id,
                token.parent_jti,
                token.access_jti,
                token.token.created_at.as_micros(),
                token.used_at.as_micros(),
                token.token.expires_at.as_micros(),
                row.client.address,
            ])?;
        }
        // The one that was current at the move before has a row without a successor.
        let others = params![datetime::text(at), row.id, row.jti];
        connection.prepare_cached(SPEND_OTHERS)?.execute(others)?;
        replace(connection, &row.moved(at), row)?;
    }
    let next = rows.last().map(|row| row.id.clone());
    Ok(Moved { sessions: rows.len() as u64, with_several: 0, next })
}

fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|count| u64::try_from(count).unwrap_or_default())
}

#[async_trait]
impl MoveSessions for SqliteStore {
    async fn token_sessions(&self, at: Timestamp) -> Result<TokenSessions, StoreError> {
        self.database.read("token_sessions", |connection| {
            connection.prepare_cached(COUNT_TOKENS)?.query_row([at.as_micros()], |row| {
                Ok(TokenSessions { live: count(row, 0)?, with_several: count(row, 1)? })
            })
        })
    }

    async fn row_sessions(&self, at: Timestamp) -> Result<RowSessions, StoreError> {
        self.database.read("row_sessions", |connection| {
            connection
                .prepare_cached(COUNT_ROWS)?
                .query_row(params![at.as_micros(), MOVED], |row| {
                    Ok(RowSessions { live: count(row, 0)?, moved: count(row, 1)? })
                })
        })
    }

    async fn move_to_rows(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError> {
        let after = after.to_owned();
        let step = move |connection: &Connection| to_rows(connection, &after, at, batch);
        self.database.write("move_to_rows", step).await
    }

    async fn move_to_tokens(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError> {
        let (sql, after) = (std::sync::Arc::clone(&self.sql), after.to_owned());
        let step = move |connection: &Connection| to_tokens(&sql, connection, &after, at, batch);
        self.database.write("move_to_tokens", step).await
    }
}
