//! Sessions as one row each in MySQL or MariaDB.
//!
//! A row is read, and then written if its generation is still the same. An update that has to wait
//! for another of its row finds the newer generation, since it reads what is committed.

mod moves;
mod sql;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Row, Value, params};

use super::MysqlStore;
use super::database::{Failure, attempt, begin, changed, column, commit};
use super::feed;
use super::lookup::{Found, Lookup, Wanted};
use super::sessions::open::lock_user;
use super::{MysqlDatabase, tokens};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::sql::check::Uses;
use crate::sql::lookup::nothing_of;
use crate::store::rows::{Change, Changed, Known, RowEnd, SessionRow, SessionRows, SpentTokens};
use crate::store::session::{Client, Revocation, SessionLimit};
use crate::users::UserId;

use sql::{
    FLUSH, INSERT, LIVE, LIVE_BUT_ONE, READ, REHASH, REPLACE, UNENDED_BUT_ONE, set_ended, unended,
};
pub(super) use sql::{Moves, known, statements};

/// Reads a row of all columns.
fn session_row(row: &Row) -> Result<SessionRow, Failure> {
    let time = |at| column(row, at).map(Timestamp::from_micros);
    let maybe = |at| Ok::<_, Failure>(column::<Option<i64>>(row, at)?.map(Timestamp::from_micros));
    Ok(SessionRow {
        id: column(row, 0)?,
        user_id: column::<String>(row, 1)?.into(),
        created_at: time(2)?,
        generation: column(row, 3)?,
        jti: column(row, 4)?,
        issued_at: time(5)?,
        used_at: time(6)?,
        expires_at: time(7)?,
        access_jti: column(row, 8)?,
        spent: SpentTokens::parse(&column::<String>(row, 9)?),
        password: column(row, 10)?,
        client: Client { address: column(row, 11)?, user_agent: column(row, 12)? },
        ended_at: maybe(13)?,
        end_reason: column(row, 14)?,
        blacklisted_at: maybe(15)?,
        kept_until: time(16)?,
    })
}

/// Returns the lookup of rows.
pub(super) fn lookup(database: &MysqlDatabase) -> Lookup<SessionRow> {
    Lookup::new(database, "row", READ, "?", |row| Ok((column(row, 0)?, session_row(row)?)))
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

/// Returns the values of all columns by name.
fn values(row: &SessionRow) -> Vec<(String, Value)> {
    let pairs: [(&str, Value); 17] = [
        ("id", Value::from(&row.id)),
        ("user", row.user_id.as_str().into()),
        ("created_at", row.created_at.as_micros().into()),
        ("generation", row.generation.into()),
        ("jti", Value::from(&row.jti)),
        ("issued_at", row.issued_at.as_micros().into()),
        ("used_at", row.used_at.as_micros().into()),
        ("expires_at", row.expires_at.as_micros().into()),
        ("access_jti", Value::from(&row.access_jti)),
        ("spent", row.spent.to_text().into()),
        ("password", Value::from(&row.password)),
        ("address", Value::from(&row.client.address)),
        ("user_agent", Value::from(&row.client.user_agent)),
        ("ended_at", micros(row.ended_at).into()),
        ("end_reason", Value::from(&row.end_reason)),
        ("blacklisted_at", micros(row.blacklisted_at).into()),
        ("kept_until", row.kept_until.as_micros().into()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl MysqlStore {
    /// Adds a row unless there is one with its id, or this token is blacklisted. Returns `true` if
    /// it was added.
    async fn insert_row(
        &self,
        conn: &mut Conn,
        row: &SessionRow,
        unless_listed: Option<&str>,
    ) -> Result<bool, Failure> {
        if let Some(jti) = unless_listed
            && look_up(conn, &self.sql.known, jti).await?.blacklisted.is_some()
        {
            return Ok(false);
        }
        Ok(changed(conn, INSERT, Params::from(values(row))).await? == 1)
    }

    /// Stores a change with its revocation. Returns `false` if another change came first.
    async fn carry_out(&self, conn: &mut Conn, change: &Change) -> Result<bool, Failure> {
        let (is_first, revocation) = match change {
            Change::None => return Ok(true),
            Change::Replace { row, revocation: None } => return replace(conn, row).await,
            Change::Insert { row, unless_listed, revocation } => {
                begin(conn).await?;
                (self.insert_row(conn, row, unless_listed.as_deref()).await?, revocation)
            }
            Change::Replace { row, revocation } => {
                begin(conn).await?;
                (replace(conn, row).await?, revocation)
            }
        };
        if is_first {
            feed::insert(conn, revocation.as_slice()).await?;
        }
        commit(conn).await?;
        Ok(is_first)
    }
}

async fn replace(conn: &mut Conn, row: &SessionRow) -> Result<bool, Failure> {
    Ok(changed(conn, REPLACE, Params::from(values(row))).await? == 1)
}

async fn look_up(conn: &mut Conn, sql: &str, jti: &str) -> Result<Known, Failure> {
    let row: Option<Row> = conn.exec_first(sql, params! { "jti" => jti }).await?;
    let row = row.ok_or(Failure::Shape)?;
    let time = column::<Option<i64>>(&row, 2)?.map(Timestamp::from_micros);
    Ok(Known {
        is_registered: column(&row, 0)?,
        blacklisted: column::<bool>(&row, 1)?.then_some(time),
        session: column(&row, 3)?,
    })
}

/// Ends those of the sessions that haven't ended. Returns the revocations, which the caller inserts
/// last of all.
async fn end(conn: &mut Conn, ids: &[String], end: &RowEnd) -> Result<Vec<Revocation>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; ids.len()].join(", ");
    let with = |first: Vec<Value>| {
        Params::Positional(first.into_iter().chain(ids.iter().map(Value::from)).collect())
    };
    let rows: Vec<Row> = conn.exec(unended(&marks), with(Vec::new())).await?;
    let ended = rows.iter().map(|row| column(row, 0)).collect::<Result<Vec<String>, _>>()?;
    let values = vec![
        end.at.as_micros().into(),
        end.reason.as_str().into(),
        end.kept_until().as_micros().into(),
    ];
    changed(conn, &set_ended(&marks), with(values)).await?;
    Ok(ended.iter().map(|id| end.revocation(id)).collect())
}

async fn ids(
    conn: &mut Conn,
    sql: &str,
    values: impl Into<Params> + Send,
) -> Result<Vec<String>, Failure> {
    let rows: Vec<Row> = conn.exec(sql, values).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Ties sessions to another fingerprint of the same password.
pub(super) async fn rehashed(
    conn: &mut Conn,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> Result<(), Failure> {
    let values = params! { "user" => user_id.as_str(), "old" => old, "new" => new };
    changed(conn, REHASH, values).await.map(drop)
}

#[async_trait]
impl SessionRows for MysqlStore {
    async fn row(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        match self.session_rows.run(Wanted::text(id)).await? {
            Found::One(row) => Ok(Some(row)),
            Found::Nothing => Ok(None),
            Found::Unknown => {
                let found = async {
                    attempt!(self.database.attempts("row"), |conn| async {
                        let sql = READ.replace("{}", "?");
                        let row: Option<Row> = conn.exec_first(sql, (id,)).await?;
                        row.as_ref().map(session_row).transpose()
                    })
                };
                nothing_of(id, found.await)
            }
        }
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
        if change == Change::None {
            return Ok(Changed::Done(outcome));
        }
        let attempts = self.database.attempts(operation);
        Ok(match attempt!(attempts, |conn| self.carry_out(conn, &change))? {
            true => Changed::Done(outcome),
            false => Changed::Lost(outcome),
        })
    }

    async fn open_row(
        &self,
        row: &SessionRow,
        limit: SessionLimit,
        ending: &RowEnd,
    ) -> Result<Option<u64>, StoreError> {
        attempt!(self.database.attempts("open"), |conn| async {
            begin(conn).await?;
            lock_user(conn, &row.user_id).await?;
            let values = params! {
                "user" => row.user_id.as_str(),
                "at" => ending.at.as_micros(),
                "but" => &row.id,
            };
            let mut live = ids(conn, LIVE_BUT_ONE, values).await?;
            let Some(surplus) = limit.surplus(live.len()) else {
                commit(conn).await?;
                return Ok(None);
            };
            live.truncate(surplus);
            let evicted = end(conn, &live, ending).await?;
            self.insert_row(conn, row, None).await?;
            feed::insert(conn, &evicted).await?;
            commit(conn).await?;
            Ok(Some(evicted.len() as u64))
        })
    }

    async fn live_rows(
        &self,
        user_id: &UserId,
        at: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError> {
        attempt!(self.database.attempts("sessions"), |conn| async {
            let values = params! { "user" => user_id.as_str(), "at" => at.as_micros() };
            let rows: Vec<Row> = conn.exec(LIVE, values).await?;
            rows.iter().map(session_row).collect()
        })
    }

    async fn end_rows(
        &self,
        user_id: &UserId,
        except: Option<&str>,
        ending: &RowEnd,
        limit: u32,
    ) -> Result<u64, StoreError> {
        attempt!(self.database.attempts("end_sessions"), |conn| async {
            let values =
                params! { "user" => user_id.as_str(), "except" => except, "limit" => limit };
            begin(conn).await?;
            let ids = ids(conn, UNENDED_BUT_ONE, values).await?;
            let revocations = end(conn, &ids, ending).await?;
            feed::insert(conn, &revocations).await?;
            commit(conn).await?;
            Ok(revocations.len() as u64)
        })
    }

    async fn rehash_rows(&self, user_id: &UserId, old: &str, new: &str) -> Result<(), StoreError> {
        let attempts = self.database.attempts("password_rehashed");
        attempt!(attempts, |conn| rehashed(conn, user_id, old, new))
    }

    async fn flush_rows(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        attempt!(self.database.attempts("flush_sessions"), |conn| async {
            let values = params! { "before" => before.as_micros(), "batch" => batch };
            changed(conn, FLUSH, values).await
        })
    }

    async fn known(&self, jti: &str) -> Result<Known, StoreError> {
        let known = async {
            attempt!(self.database.attempts("known"), |conn| {
                look_up(conn, &self.sql.known, jti)
            })
        };
        nothing_of(jti, known.await)
    }

    async fn ping_rows(&self) -> Result<(), StoreError> {
        let rows = Uses { session_rows: true, ..Uses::default() };
        attempt!(self.database.attempts("ping"), |conn| tokens::try_all(conn, &rows))
    }
}
