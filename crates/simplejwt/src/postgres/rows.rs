//! Sessions as one row each in PostgreSQL.
//!
//! A row is read, and then written if its generation is still the same: concurrent ones by one
//! statement each. An update that has to wait for another of its row finds the newer generation.

mod moves;
mod replacing;
mod sql;

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object, Transaction};
use jiff::Timestamp as Moment;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::encoding::Encoding;
use super::lookup::Lookup;
use super::statements::LOCK_USER;
use super::tokens::PgResult;
use super::{PostgresDatabase, PostgresStore, feed, run};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::sql::lookup::nothing_of;
use crate::store::rows::{Change, Changed, Known, RowEnd, SessionRow, SessionRows, SpentTokens};
use crate::store::session::{Client, Revocation, SessionLimit};
use crate::users::UserId;

pub(super) use replacing::Replacing;
use replacing::replace;
use sql::{END, END_OF_USER, FLUSH, INSERT, KNOWN, LIVE, LIVE_BUT_ONE, READ, REHASH};
pub(super) use sql::{ping_rows, statements};

/// Reads a row of all columns.
fn session_row(row: &Row) -> PgResult<SessionRow> {
    let time = |at| row.try_get(at).map(Timestamp::from_micros);
    let maybe = |at| {
        Ok::<_, tokio_postgres::Error>(
            row.try_get::<_, Option<i64>>(at)?.map(Timestamp::from_micros),
        )
    };
    Ok(SessionRow {
        id: row.try_get(0)?,
        user_id: row.try_get::<_, String>(1)?.into(),
        created_at: time(2)?,
        generation: row.try_get(3)?,
        jti: row.try_get(4)?,
        issued_at: time(5)?,
        used_at: time(6)?,
        expires_at: time(7)?,
        access_jti: row.try_get(8)?,
        spent: SpentTokens::parse(row.try_get(9)?),
        password: row.try_get(10)?,
        client: Client { address: row.try_get(11)?, user_agent: row.try_get(12)? },
        ended_at: maybe(13)?,
        end_reason: row.try_get(14)?,
        blacklisted_at: maybe(15)?,
        kept_until: time(16)?,
    })
}

/// Returns the lookup of rows.
pub(super) fn lookup(database: &PostgresDatabase) -> Lookup<SessionRow> {
    Lookup::new(database, "row", READ, session_row)
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

/// Adds a row unless there is one with its id, or this token is blacklisted. Returns `true` if it
/// was added.
async fn insert(
    client: &impl GenericClient,
    encoding: Encoding,
    row: &SessionRow,
    unless_listed: Option<&str>,
) -> PgResult<bool> {
    let shown = encoding.fitted(&row.client);
    let values: [&(dyn ToSql + Sync); 18] = [
        &row.id,
        &row.user_id.as_str(),
        &row.created_at.as_micros(),
        &row.generation,
        &row.jti,
        &row.issued_at.as_micros(),
        &row.used_at.as_micros(),
        &row.expires_at.as_micros(),
        &row.access_jti,
        &row.spent.to_text(),
        &row.password,
        &shown.address,
        &shown.user_agent,
        &micros(row.ended_at),
        &row.end_reason,
        &micros(row.blacklisted_at),
        &row.kept_until.as_micros(),
        &unless_listed,
    ];
    let statement = client.prepare_cached(INSERT).await?;
    Ok(client.execute(&statement, &values).await? == 1)
}

/// Stores a change with its revocation. Returns `false` if another change came first.
async fn carry_out(
    client: &mut Object,
    encoding: Encoding,
    change: &Change,
    revocation: &Revocation,
) -> PgResult<bool> {
    let transaction = client.transaction().await?;
    let is_first = match change {
        Change::None => true,
        Change::Insert { row, unless_listed, .. } => {
            insert(&transaction, encoding, row, unless_listed.as_deref()).await?
        }
        Change::Replace { row, .. } => {
            let replaced = replace(&transaction, encoding, &[row]).await?;
            replaced.first() == Some(&true)
        }
    };
    if is_first {
        feed::insert(&transaction, std::slice::from_ref(revocation)).await?;
    }
    transaction.commit().await?;
    Ok(is_first)
}

/// Ends those of the sessions that haven't ended. Returns the revocations, which the caller inserts
/// at the end of its transaction.
async fn end(
    transaction: &Transaction<'_>,
    ids: &[String],
    end: &RowEnd,
) -> PgResult<Vec<Revocation>> {
    let statement = transaction.prepare_cached(END).await?;
    let values: [&(dyn ToSql + Sync); 4] =
        [&ids, &end.at.as_micros(), &end.reason.as_str(), &end.kept_until().as_micros()];
    revocations(&transaction.query(&statement, &values).await?, end)
}

fn revocations(ended: &[Row], end: &RowEnd) -> PgResult<Vec<Revocation>> {
    ended.iter().map(|row| Ok(end.revocation(row.try_get(0)?))).collect()
}

async fn open(
    client: &mut Object,
    encoding: Encoding,
    row: &SessionRow,
    limit: SessionLimit,
    ending: &RowEnd,
) -> PgResult<Option<u64>> {
    let transaction = client.transaction().await?;
    let user_id = row.user_id.as_str();
    let lock = transaction.prepare_cached(LOCK_USER).await?;
    transaction.execute(&lock, &[&user_id]).await?;
    let statement = transaction.prepare_cached(LIVE_BUT_ONE).await?;
    let mut live: Vec<String> = transaction
        .query(&statement, &[&user_id, &ending.at.as_micros(), &row.id])
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<PgResult<_>>()?;
    let Some(surplus) = limit.surplus(live.len()) else { return Ok(None) };
    live.truncate(surplus);
    let revocations = end(&transaction, &live, ending).await?;
    insert(&transaction, encoding, row, None).await?;
    feed::insert(&transaction, &revocations).await?;
    transaction.commit().await?;
    Ok(Some(revocations.len() as u64))
}

#[async_trait]
impl SessionRows for PostgresStore {
    async fn row(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        self.session_rows.find(id.to_owned()).await
    }

    async fn change<T, W>(
        &self,
        operation: &'static str,
        id: &str,
        work: W,
    ) -> Result<Changed<T>, StoreError>
    where
        T: Send + 'static,
        W: Fn(Option<&SessionRow>) -> (Change, T) + Send + Sync + 'static,
    {
        let before = self.row(id).await?;
        let (change, outcome) = work(before.as_ref());
        let encoding = self.encoding;
        let is_first = match change {
            Change::None => true,
            Change::Replace { row, revocation: None } => self.replacing.run(*row).await?,
            Change::Insert { row, unless_listed, revocation: None } => {
                run!(self.database, operation, |client| {
                    insert(&client, encoding, &row, unless_listed.as_deref())
                })?
            }
            Change::Insert { revocation: Some(ref revocation), .. }
            | Change::Replace { revocation: Some(ref revocation), .. } => {
                run!(self.database, operation, |client| {
                    carry_out(&mut client, encoding, &change, revocation)
                })?
            }
        };
        Ok(if is_first { Changed::Done(outcome) } else { Changed::Lost(outcome) })
    }

    async fn open_row(
        &self,
        row: &SessionRow,
        limit: SessionLimit,
        end: &RowEnd,
    ) -> Result<Option<u64>, StoreError> {
        run!(self.database, "open", |client| open(&mut client, self.encoding, row, limit, end))
    }

    async fn live_rows(
        &self,
        user_id: &UserId,
        at: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let found = async {
            run!(self.database, "sessions", |client| async {
                let statement = client.prepare_cached(LIVE).await?;
                let rows = client.query(&statement, &[&user_id.as_str(), &at.as_micros()]).await?;
                rows.iter().map(session_row).collect()
            })
        };
        nothing_of(user_id.as_str(), found.await)
    }

    async fn end_rows(
        &self,
        user_id: &UserId,
        except: Option<&str>,
        end: &RowEnd,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let ended = async {
            run!(self.database, "end_sessions", |client| async {
                let transaction = client.transaction().await?;
                let statement = transaction.prepare_cached(END_OF_USER).await?;
                let values: [&(dyn ToSql + Sync); 6] = [
                    &user_id.as_str(),
                    &except,
                    &i64::from(limit),
                    &end.at.as_micros(),
                    &end.reason.as_str(),
                    &end.kept_until().as_micros(),
                ];
                let revocations = revocations(&transaction.query(&statement, &values).await?, end)?;
                feed::insert(&transaction, &revocations).await?;
                transaction.commit().await?;
                Ok(revocations.len() as u64)
            })
        };
        nothing_of(user_id.as_str(), ended.await)
    }

    async fn rehash_rows(&self, user_id: &UserId, old: &str, new: &str) -> Result<(), StoreError> {
        run!(self.database, "password_rehashed", |client| async {
            let statement = client.prepare_cached(REHASH).await?;
            client.execute(&statement, &[&user_id.as_str(), &old, &new]).await.map(drop)
        })
    }

    async fn flush_rows(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        run!(self.database, "flush_sessions", |client| async {
            let statement = client.prepare_cached(FLUSH).await?;
            client.execute(&statement, &[&before.as_micros(), &i64::from(batch)]).await
        })
    }

    async fn known(&self, jti: &str) -> Result<Known, StoreError> {
        let known = async {
            run!(self.database, "known", |client| async {
                let statement = client.prepare_cached(KNOWN).await?;
                let row = client.query_one(&statement, &[&jti]).await?;
                let time = row.try_get::<_, Option<Moment>>(1)?;
                let time = time.map(|at| Timestamp::from_micros(at.as_microsecond()));
                Ok(Known {
                    is_registered: row.try_get(0)?,
                    blacklisted: time.map(Some),
                    session: row.try_get(2)?,
                })
            })
        };
        nothing_of(jti, known.await)
    }

    async fn ping_rows(&self) -> Result<(), StoreError> {
        let sql = ping_rows();
        run!(self.database, "ping", |client| async {
            let statement = client.prepare_cached(&sql).await?;
            client.execute(&statement, &[]).await.map(drop)
        })
    }
}
