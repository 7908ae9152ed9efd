//! Moving sessions to a row each, and back.

use async_trait::async_trait;
use deadpool_postgres::{GenericClient as _, Object};
use jiff::Timestamp as Moment;
use tokio_postgres::Row;

use super::replacing::replace;
use super::sql::{
    COUNT_ROWS, COUNT_TOKENS, FORGET_MOVED, LEAVES, PUT_TOKEN, REMOVE_SESSION, ROWS_AFTER,
    SESSIONS_AFTER, SPEND_OTHERS,
};
use super::{insert, session_row};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::postgres::encoding::Encoding;
use crate::postgres::statements::{BLACKLIST, INSERT_SESSION, Sql};
use crate::postgres::tokens::{PgResult, moment};
use crate::postgres::{PostgresStore, run};
use crate::store::rows::{
    Leaf, MOVED, MoveSessions, Moved, RowSessions, SessionRow, TokenSessions,
};
use crate::store::session::Client;

fn leaf(row: &Row) -> PgResult<Leaf> {
    let time = |at| row.try_get(at).map(Timestamp::from_micros);
    let blacklisted_at = row.try_get::<_, Option<Moment>>(13)?;
    let blacklisted_at = blacklisted_at.map(|at| Timestamp::from_micros(at.as_microsecond()));
    Ok(Leaf {
        session_id: row.try_get(0)?,
        user_id: row.try_get::<_, String>(1)?.into(),
        opened_at: time(2)?,
        password: row.try_get(3)?,
        client: Client { address: row.try_get(4)?, user_agent: row.try_get(5)? },
        kept_until: time(6)?,
        jti: row.try_get(7)?,
        parent_jti: row.try_get(8)?,
        access_jti: row.try_get(9)?,
        created_at: time(10)?,
        used_at: time(11)?,
        expires_at: time(12)?,
        blacklisted: blacklisted_at.map(Some),
    })
}

async fn to_rows(
    client: &mut Object,
    encoding: Encoding,
    after: &str,
    at: Timestamp,
    batch: u32,
) -> PgResult<Moved> {
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(SESSIONS_AFTER).await?;
    let ids: Vec<String> = transaction
        .query(&statement, &[&after, &i64::from(batch)])
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<PgResult<_>>()?;
    let statement = transaction.prepare_cached(LEAVES).await?;
    let leaves = transaction.query(&statement, &[&ids]).await?;
    let leaves = leaves.iter().map(leaf).collect::<PgResult<Vec<_>>>()?;
    let (rows, with_several) = Leaf::rows(&leaves, at);
    let forget = transaction.prepare_cached(FORGET_MOVED).await?;
    let remove = transaction.prepare_cached(REMOVE_SESSION).await?;
    for row in &rows {
        transaction.execute(&forget, &[&row.id, &MOVED]).await?;
        insert(&transaction, encoding, row, None).await?;
        transaction.execute(&remove, &[&row.id]).await?;
    }
    transaction.commit().await?;
    Ok(Moved { sessions: rows.len() as u64, with_several, next: ids.last().cloned() })
}

async fn to_tokens(
    sql: &Sql,
    client: &mut Object,
    encoding: Encoding,
    after: &str,
    at: Timestamp,
    batch: u32,
) -> PgResult<Moved> {
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(ROWS_AFTER).await?;
    let rows = transaction.query(&statement, &[&after, &i64::from(batch)]).await?;
    let rows = rows.iter().map(session_row).collect::<PgResult<Vec<SessionRow>>>()?;
    let session = transaction.prepare_cached(INSERT_SESSION).await?;
    let put = transaction.prepare_cached(PUT_TOKEN).await?;
    let spend = transaction.prepare_cached(SPEND_OTHERS).await?;
    let blacklist = transaction.prepare_cached(BLACKLIST).await?;
    for row in &rows {
        transaction
            .execute(
                &session,
                &[
                    &row.id,
                    &row.user_id.as_str(),
                    &row.created_at.as_micros(),
                    &row.kept_until.as_micros(),
                    &row.password,
                    &row.client.address,
                    &row.client.user_agent,
                ],
            )
            .await?;
        for token in row.tokens() {
            sql.record(&transaction, &token.token).await?;
            if let Some(at) = token.blacklisted_at {
                transaction.execute(&blacklist, &[&moment(at), &token.token.jti]).await?;
            }
            transaction
                .execute(
                    &put,
                    &[
                        &token.token.jti,
                        &row.id,
                        &token.parent_jti,
                        &token.access_jti,
                        &token.token.created_at.as_micros(),
                        &token.used_at.as_micros(),
                        &token.token.expires_at.as_micros(),
                        &row.client.address,
                    ],
                )
                .await?;
        }
        // The one that was current at the move before has a row without a successor.
        transaction.execute(&spend, &[&moment(at), &row.id, &row.jti]).await?;
        replace(&transaction, encoding, &[&row.moved(at)]).await?;
    }
    transaction.commit().await?;
    let next = rows.last().map(|row| row.id.clone());
    Ok(Moved { sessions: rows.len() as u64, with_several: 0, next })
}

fn count(row: &Row, at: usize) -> PgResult<u64> {
    row.try_get::<_, i64>(at).map(|count| u64::try_from(count).unwrap_or_default())
}

#[async_trait]
impl MoveSessions for PostgresStore {
    async fn token_sessions(&self, at: Timestamp) -> Result<TokenSessions, StoreError> {
        run!(self.database, "token_sessions", |client| async {
            let statement = client.prepare_cached(COUNT_TOKENS).await?;
            let row = client.query_one(&statement, &[&at.as_micros()]).await?;
            Ok(TokenSessions { live: count(&row, 0)?, with_several: count(&row, 1)? })
        })
    }

    async fn row_sessions(&self, at: Timestamp) -> Result<RowSessions, StoreError> {
        run!(self.database, "row_sessions", |client| async {
            let statement = client.prepare_cached(COUNT_ROWS).await?;
            let row = client.query_one(&statement, &[&at.as_micros(), &MOVED]).await?;
            Ok(RowSessions { live: count(&row, 0)?, moved: count(&row, 1)? })
        })
    }

    async fn move_to_rows(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError> {
        let encoding = self.encoding;
        run!(self.database, "move_to_rows", |client| {
            to_rows(&mut client, encoding, after, at, batch)
        })
    }

    async fn move_to_tokens(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError> {
        let encoding = self.encoding;
        run!(self.database, "move_to_tokens", |client| {
            to_tokens(&self.sql, &mut client, encoding, after, at, batch)
        })
    }
}
