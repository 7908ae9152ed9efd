//! Sessions as one row each in an SQLite file.
//!
//! A change is one job of the writing thread, which reads the row and writes it: nobody comes in
//! between. It touches the page of the row and no index.

mod moves;
mod sql;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use super::SqliteStore;
use super::{datetime, feed};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::sql::check::{Lines, Uses, trials};
use crate::store::rows::{Change, Changed, Known, RowEnd, SessionRow, SessionRows, SpentTokens};
use crate::store::session::{Client, SessionLimit};
use crate::users::UserId;

pub(super) use sql::STATEMENTS;
use sql::{
    END, FLUSH, INSERT, KEEP, KNOWN, LIVE, LIVE_BUT_ONE, READ, REHASH, REPLACE, UNENDED_BUT_ONE,
};

/// Reads a row of all columns.
fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let time = |at| row.get(at).map(Timestamp::from_micros);
    let maybe =
        |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_micros));
    Ok(SessionRow {
        id: row.get(0)?,
        user_id: row.get::<_, String>(1)?.into(),
        created_at: time(2)?,
        generation: row.get(3)?,
        jti: row.get(4)?,
        issued_at: time(5)?,
        used_at: time(6)?,
        expires_at: time(7)?,
        access_jti: row.get(8)?,
        spent: SpentTokens::parse(row.get_ref(9)?.as_str()?),
        password: row.get(10)?,
        client: Client { address: row.get(11)?, user_agent: row.get(12)? },
        ended_at: maybe(13)?,
        end_reason: row.get(14)?,
        blacklisted_at: maybe(15)?,
        kept_until: time(16)?,
    })
}

fn read(connection: &Connection, id: &str) -> rusqlite::Result<Option<SessionRow>> {
    connection.prepare_cached(READ)?.query_row([id], session_row).optional()
}

fn rows(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<SessionRow>> {
    connection.prepare_cached(sql)?.query_map(values, session_row)?.collect()
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

/// Adds a row unless there is one with its id. Returns `true` if it was added.
fn insert(connection: &Connection, row: &SessionRow) -> rusqlite::Result<bool> {
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        row.id,
        row.user_id.as_str(),
        row.created_at.as_micros(),
        row.generation,
        row.jti,
        row.issued_at.as_micros(),
        row.used_at.as_micros(),
        row.expires_at.as_micros(),
        row.access_jti,
        row.spent.to_text(),
        row.password,
        row.client.address,
        row.client.user_agent,
        micros(row.ended_at),
        row.end_reason,
        micros(row.blacklisted_at),
        row.kept_until.as_micros(),
    ])?;
    Ok(inserted == 1)
}

/// Replaces a row, if it has the generation before. Returns `true` if it had.
fn replace(
    connection: &Connection,
    row: &SessionRow,
    before: &SessionRow,
) -> rusqlite::Result<bool> {
    let replaced = connection.prepare_cached(REPLACE)?.execute(params![
        row.id,
        row.generation,
        row.jti,
        row.issued_at.as_micros(),
        row.used_at.as_micros(),
        row.expires_at.as_micros(),
        row.access_jti,
        row.spent.to_text(),
        row.password,
        row.client.address,
        micros(row.ended_at),
        row.end_reason,
        micros(row.blacklisted_at),
    ])?;
    if replaced == 1 && row.kept_until != before.kept_until {
        // SQLite writes an index if its column is named, whatever the value.
        let values = params![row.id, row.kept_until.as_micros()];
        connection.prepare_cached(KEEP)?.execute(values)?;
    }
    Ok(replaced == 1)
}

fn known(connection: &Connection, jti: &str) -> rusqlite::Result<Known> {
    connection.prepare_cached(KNOWN)?.query_row([jti], |row| {
        // In Django's format.
        let blacklisted_at: Option<String> = row.get(2)?;
        let is_blacklisted: bool = row.get(1)?;
        let time = blacklisted_at.as_deref().and_then(datetime::moment);
        Ok(Known {
            is_registered: row.get(0)?,
            blacklisted: is_blacklisted.then_some(time),
            session: row.get(3)?,
        })
    })
}

/// Stores a change; returns `false` if it isn't one of the row that was read.
fn carry_out(
    connection: &Connection,
    change: Change,
    before: Option<&SessionRow>,
) -> rusqlite::Result<bool> {
    let revocation = match (change, before) {
        (Change::None, _) => return Ok(true),
        (Change::Insert { row, unless_listed, revocation }, None) => {
            if let Some(jti) = unless_listed
                && known(connection, &jti)?.blacklisted.is_some()
            {
                return Ok(false);
            }
            if !insert(connection, &row)? {
                return Ok(false);
            }
            revocation
        }
        (Change::Replace { row, revocation }, Some(before)) => {
            if !replace(connection, &row, before)? {
                return Ok(false);
            }
            revocation
        }
        (Change::Insert { .. }, Some(_)) | (Change::Replace { .. }, None) => return Ok(false),
    };
    if let Some(revocation) = revocation {
        feed::insert(connection, &revocation)?;
    }
    Ok(true)
}

/// Ends a session that hasn't ended.
fn end(connection: &Connection, id: &str, end: &RowEnd) -> rusqlite::Result<bool> {
    let ended = connection.prepare_cached(END)?.execute(params![
        id,
        end.at.as_micros(),
        end.reason.as_str(),
        end.kept_until().as_micros(),
    ])?;
    if ended == 1 {
        feed::insert(connection, &end.revocation(id))?;
    }
    Ok(ended == 1)
}

fn end_each(connection: &Connection, ids: &[String], ending: &RowEnd) -> rusqlite::Result<u64> {
    let mut ended = 0;
    for id in ids {
        ended += u64::from(end(connection, id, ending)?);
    }
    Ok(ended)
}

fn ids(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(sql)?.query_map(values, |row| row.get(0))?.collect()
}

/// Ties sessions to another fingerprint of the same password.
pub(super) fn rehashed(
    connection: &Connection,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> rusqlite::Result<()> {
    connection.prepare_cached(REHASH)?.execute(params![user_id.as_str(), old, new])?;
    Ok(())
}

#[async_trait]
impl SessionRows for SqliteStore {
    async fn row(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        self.database.read("row", |connection| read(connection, id))
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
        let id = id.to_owned();
        let change = move |connection: &Connection| {
            let before = read(connection, &id)?;
            let (change, outcome) = work(before.as_ref());
            Ok(match carry_out(connection, change, before.as_ref())? {
                true => Changed::Done(outcome),
                false => Changed::Lost(outcome),
            })
        };
        self.database.write(operation, change).await
    }

    async fn open_row(
        &self,
        row: &SessionRow,
        limit: SessionLimit,
        end: &RowEnd,
    ) -> Result<Option<u64>, StoreError> {
        let (row, end) = (row.clone(), *end);
        let open = move |connection: &Connection| {
            let values: [&dyn ToSql; 3] = [&row.user_id.as_str(), &end.at.as_micros(), &row.id];
            let mut live = ids(connection, LIVE_BUT_ONE, &values)?;
            let Some(surplus) = limit.surplus(live.len()) else { return Ok(None) };
            live.truncate(surplus);
            let evicted = end_each(connection, &live, &end)?;
            insert(connection, &row)?;
            Ok(Some(evicted))
        };
        self.database.write("open", open).await
    }

    async fn live_rows(
        &self,
        user_id: &UserId,
        at: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError> {
        self.database.read("sessions", |connection| {
            rows(connection, LIVE, &[&user_id.as_str(), &at.as_micros()])
        })
    }

    async fn end_rows(
        &self,
        user_id: &UserId,
        except: Option<&str>,
        end: &RowEnd,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let (user_id, except, end) = (user_id.clone(), except.map(str::to_owned), *end);
        let end = move |connection: &Connection| {
            let values: [&dyn ToSql; 3] = [&user_id.as_str(), &except, &limit];
            let ids = ids(connection, UNENDED_BUT_ONE, &values)?;
            end_each(connection, &ids, &end)
        };
        self.database.write("end_sessions", end).await
    }

    async fn rehash_rows(&self, user_id: &UserId, old: &str, new: &str) -> Result<(), StoreError> {
        let (user_id, old, new) = (user_id.clone(), old.to_owned(), new.to_owned());
        let rehash = move |connection: &Connection| rehashed(connection, &user_id, &old, &new);
        self.database.write("password_rehashed", rehash).await
    }

    async fn flush_rows(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let flush = move |connection: &Connection| {
            connection.prepare_cached(FLUSH)?.execute(params![before.as_micros(), batch])
        };
        Ok(self.database.write("flush_sessions", flush).await? as u64)
    }

    async fn known(&self, jti: &str) -> Result<Known, StoreError> {
        self.database.read("known", |connection| known(connection, jti))
    }

    async fn ping_rows(&self) -> Result<(), StoreError> {
        let rows = Uses { session_rows: true, ..Uses::default() };
        let trials = trials(&rows, &Lines::Sqlite);
        let ping = move |connection: &Connection| super::tokens::run_all(connection, &trials);
        self.database.write("ping", ping).await
    }
}
