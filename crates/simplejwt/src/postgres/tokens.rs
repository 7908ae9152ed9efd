//! Registered and blacklisted tokens in PostgreSQL: [`TokenStore`].

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp as Moment;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::rows::Replacing;
use super::{PostgresDatabase, feed, flush, rows, run, schema, sessions};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::logging::with_causes;
use crate::sql::flushed_to::FlushedTo;
use crate::sql::late::Late;
use crate::sql::lookup::nothing_of;
use crate::sql::references::References;
use crate::sql::schema::{SchemaError, by_user_id};
use crate::sql::table::{Key, UserTable};
use crate::store::flush::{FlushExpired, Flushed};
use crate::store::rows::SessionRow;
use crate::store::session::SessionHead;
use crate::store::{Blacklisting, OutstandingToken, Rotation, TokenStore};
use crate::users::UserId;

use super::encoding::{Encoding, Text};
use super::lookup::Lookup;
use super::rotations::{Rotating, Rotations};
use super::statements::{BLACKLIST, IS_BLACKLISTED, IS_REGISTERED, NEWEST, Sql, ping};
use crate::sql::batch::Batches;

pub(crate) type PgResult<T> = Result<T, tokio_postgres::Error>;

/// Returns a time as Django stores it. Outside the years 1 to 9999, it becomes the nearest.
pub(crate) fn moment(at: Timestamp) -> Moment {
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_207_200_000_000;
    Moment::from_microsecond(at.as_micros().clamp(FIRST, LAST)).unwrap_or(Moment::MAX)
}

/// Returns a key as a parameter that is cast to its type.
pub(crate) fn parameter(key: Key) -> String {
    match key {
        Key::Integer(number) => number.to_string(),
        Key::Unsigned(number) => number.to_string(),
        Key::Text(text) => text,
    }
}

/// Repeats such a statement; returns how many tokens it blacklisted.
pub(super) async fn until_none(
    client: &impl GenericClient,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> PgResult<u64> {
    let statement = client.prepare_cached(sql).await?;
    let mut blacklisted = 0;
    loop {
        let row = client.query_one(&statement, values).await?;
        let (found, added): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        blacklisted += u64::try_from(added).unwrap_or_default();
        if found == 0 {
            return Ok(blacklisted);
        }
    }
}

impl Sql {
    pub(super) fn user(&self, token: &OutstandingToken) -> Option<String> {
        let id = token.user_id.as_ref()?;
        self.user_id.kind.parse(id).map(parameter)
    }

    pub(super) async fn record(
        &self,
        client: &impl GenericClient,
        token: &OutstandingToken,
    ) -> PgResult<()> {
        let statement = client.prepare_cached(&self.record).await?;
        let (created_at, expires_at) = (moment(token.created_at), moment(token.expires_at));
        let user = self.user(token);
        client
            .execute(&statement, &[&token.token, &created_at, &expires_at, &user, &token.jti])
            .await?;
        Ok(())
    }

    /// Blacklists a token; returns `true` if it wasn't blacklisted before, by the unique key.
    pub(super) async fn blacklist(
        &self,
        client: &mut Object,
        token: &OutstandingToken,
        at: Timestamp,
    ) -> PgResult<bool> {
        let statement = client.prepare_cached(BLACKLIST).await?;
        if client.execute(&statement, &[&moment(at), &token.jti]).await? > 0 {
            return Ok(true);
        }
        let transaction = client.transaction().await?;
        self.record(&transaction, token).await?;
        let added = transaction.execute(&statement, &[&moment(at), &token.jti]).await?;
        transaction.commit().await?;
        Ok(added > 0)
    }

    pub(super) async fn rotate(
        &self,
        client: &mut Object,
        rotating: &Rotating,
    ) -> PgResult<Rotation> {
        if self.rotations.rotate(&*client, rotating).await?.is_some() {
            return Ok(Rotation::Rotated);
        }
        // Not registered, or blacklisted already.
        let transaction = client.transaction().await?;
        self.record(&transaction, rotating.spent()).await?;
        let rotated = self.rotations.rotate(&transaction, rotating).await?;
        transaction.commit().await?;
        if rotated.is_some() {
            return Ok(Rotation::Rotated);
        }
        // The previous attempt may have succeeded, and only its answer been lost.
        let statement = client.prepare_cached(IS_REGISTERED).await?;
        let ours = client.query_opt(&statement, &[&rotating.next().jti]).await?.is_some();
        Ok(if ours { Rotation::Rotated } else { Rotation::Replayed })
    }
}

/// The tokens in a [`PostgresDatabase`].
///
/// The user of a token is stored as the primary key of a row in the [`UserTable`], or as null if
/// there is no such user.
#[derive(Clone)]
pub struct PostgresStore {
    pub(super) database: PostgresDatabase,
    pub(super) sql: Arc<Sql>,
    pub(super) rotations: Batches<Rotations>,
    pub(super) rotations_in_sessions: Batches<Rotations>,
    /// Of tokens that were never seen before.
    pub(super) rotations_opening_sessions: Batches<Rotations>,
    pub(super) blacklisted: Batches<Lookup<()>>,
    pub(super) spent: Batches<Lookup<()>>,
    pub(super) heads: Batches<Lookup<SessionHead>>,
    pub(super) session_rows: Batches<Lookup<SessionRow>>,
    pub(super) replacing: Batches<Replacing>,
    pub(super) users: Arc<str>,
    /// The catalogue at the beginning of the purge.
    pub(super) references: Arc<Mutex<Arc<References>>>,
    /// The place that the purge of sessions' tokens has reached.
    pub(super) flushed_to: Arc<FlushedTo>,
    pub(super) listener: Arc<feed::Listener>,
    pub(super) encoding: Encoding,
    pub(super) late: Late,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("database", &self.database).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the tokens of a database that has the tables.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing or isn't as Django creates it.
    pub async fn open(database: &PostgresDatabase, users: &UserTable) -> Result<Self, SchemaError> {
        let client = database.attempts("open").client().await?;
        let users = &schema::resolved(&client, users).await?;
        let check = async {
            let checked = schema::check_users(&client, users).await?;
            schema::check_unique(&client, users, &[by_user_id(users)]).await?;
            schema::check_tokens(&client, users, &checked.columns).await?;
            Ok((checked.user_id, Encoding::of(&client).await?))
        };
        let (user_id, encoding) = match check.await {
            Ok(checked) => checked,
            Err(error) => return Err(schema::with_tables(&client, error).await),
        };
        let sql = Arc::new(Sql::new(users, user_id));
        let late = Late::new(database.max_connections());
        let rotations = || Rotations::new(database.clone(), Arc::clone(&sql), late.clone());
        Ok(Self {
            database: database.clone(),
            rotations: Batches::new(rotations(), database.patience()),
            rotations_in_sessions: Batches::new(rotations(), database.patience()),
            rotations_opening_sessions: Batches::new(rotations(), database.patience()),
            blacklisted: Batches::new(
                Lookup::new(database, "is_blacklisted", IS_BLACKLISTED, |_| Ok(())),
                database.patience(),
            ),
            spent: Batches::new(sessions::spent(database), database.patience()),
            heads: Batches::new(sessions::heads(database), database.patience()),
            session_rows: Batches::new(rows::lookup(database), database.patience()),
            replacing: Batches::new(Replacing::new(database, encoding), database.patience()),
            users: users.table.as_str().into(),
            references: Arc::default(),
            flushed_to: Arc::default(),
            sql: Arc::clone(&sql),
            listener: Arc::default(),
            encoding,
            late,
        })
    }

    /// Checks that the tables of the sessions exist, which
    /// [`migrate::apply`](super::migrate::apply) creates.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing.
    pub async fn check_sessions(&self) -> Result<(), SchemaError> {
        let client = self.database.attempts("open").client().await?;
        match schema::check_sessions(&client).await {
            Ok(()) => Ok(()),
            Err(error) => Err(schema::with_tables(&client, error).await),
        }
    }

    /// Checks that the table of sessions as one row each exists, which
    /// [`BySession`](crate::store::rows::BySession) needs, and
    /// [`migrate::apply`](super::migrate::apply) creates.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing.
    pub async fn check_session_rows(&self) -> Result<(), SchemaError> {
        let client = self.database.attempts("open").client().await?;
        match schema::check_session_rows(&client).await {
            Ok(()) => Ok(()),
            Err(error) => Err(schema::with_tables(&client, error).await),
        }
    }

    /// Returns `true` if the database has the tables of Django's `token_blacklist` and they are in
    /// use: Django's migrations created them, or a token is registered.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn blacklist_in_use(database: &PostgresDatabase) -> Result<bool, StoreError> {
        run!(database, "open", |client| flush::blacklist_in_use(&client))
    }

    /// Returns the database that holds the tokens.
    pub fn database(&self) -> &PostgresDatabase {
        &self.database
    }
}

#[async_trait]
impl TokenStore for PostgresStore {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        run!(self.database, "record", |client| async {
            self.sql.record(&client, token).await?;
            Ok(act.recorded(()))
        })
    }

    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        let rotating = Rotating::new(&self.sql, spent, next, cause.at);
        if self.rotations.run(rotating.clone()).await?.is_some() {
            return Ok(Rotation::Rotated.recorded(spent, cause));
        }
        run!(self.database, "rotate", |client| async {
            let rotation = self.sql.rotate(&mut client, &rotating).await?;
            Ok(rotation.recorded(spent, cause))
        })
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        run!(self.database, "blacklist", |client| async {
            let added = self.sql.blacklist(&mut client, token, act.cause.at).await?;
            Ok(Blacklisting::first_if(added).recorded(act))
        })
    }

    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError> {
        let Some(user) = self.sql.user_id.kind.parse(user_id).map(parameter) else {
            return Ok(0);
        };
        let now = moment(at);
        let values: [&(dyn ToSql + Sync); 2] = [&now, &user];
        let blacklisted = async {
            run!(self.database, "blacklist_all", |client| async {
                let transaction = client.transaction().await?;
                let blacklisted =
                    until_none(&transaction, &self.sql.blacklist_all, &values).await?;
                transaction.commit().await?;
                Ok(blacklisted)
            })
        };
        nothing_of(&user, blacklisted.await)
    }

    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.blacklisted.find(jti.to_owned()).await?.is_some())
    }

    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
        let mut references = self.references(flush.after.is_none()).await?;
        let found = async {
            run!(self.database, "flush_expired", |client| {
                flush::candidates(&client, flush, &references)
            })
        };
        let found: Result<_, StoreError> = found.await;
        let (candidates, next) = match found {
            Ok(found) => found,
            // Tables that this role may not read, or that have changed since.
            Err(error) if *references != References::default() => {
                tracing::debug!(
                    event = "foreign_keys_unreadable",
                    error = with_causes(&error),
                    "referring tables can't be read: each row is tried"
                );
                self.know(References::default());
                references = Arc::default();
                run!(self.database, "flush_expired", |client| {
                    flush::candidates(&client, flush, &references)
                })?
            }
            Err(error) => return Err(error),
        };
        let mut flushed = Flushed { next, ..Flushed::default() };
        let verdict = flush.judge(&candidates, references.keeping(flush.cascade), &mut flushed);
        if !verdict.put_off.is_empty() {
            run!(self.database, "flush_expired", |client| {
                flush::put_off(&client, &verdict.put_off)
            })?;
        }
        if !verdict.delete.is_empty() {
            self.delete(&verdict.delete, &references, flush.cascade, &mut flushed).await?;
        }
        Ok(flushed)
    }

    fn waiting(&self) -> usize {
        self.database.waiting()
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OutstandingToken>, StoreError> {
        run!(self.database, "newest", |client| async {
            let statement = client.prepare_cached(NEWEST).await?;
            let rows = client.query(&statement, &[&i64::from(limit)]).await?;
            let time = |row: &Row, at| {
                let moment: Moment = row.try_get(at)?;
                Ok::<_, tokio_postgres::Error>(Timestamp::from_micros(moment.as_microsecond()))
            };
            rows.iter()
                .map(|row| {
                    let (Text(jti), Text(token)) = (row.try_get(0)?, row.try_get(1)?);
                    Ok(OutstandingToken {
                        jti,
                        token,
                        user_id: None,
                        created_at: time(row, 2)?,
                        expires_at: time(row, 3)?,
                    })
                })
                .collect()
        })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let sql = ping();
        run!(self.database, "ping", |client| async {
            let statement = client.prepare_cached(&sql).await?;
            client.execute(&statement, &[]).await.map(drop)
        })
    }
}
