//! Registered and blacklisted tokens in an SQLite file: [`TokenStore`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Row, params};

use super::{SqliteDatabase, flush, schema};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::sql::check::{Lines, Uses, trials};
use crate::sql::schema::{SchemaError, by_user_id};
use crate::sql::table::{Key, UserTable};
use crate::store::{Blacklisting, FlushExpired, Flushed, OutstandingToken, Rotation, TokenStore};
use crate::users::UserId;

use super::datetime::text;
use super::statements::{BLACKLIST, IS_BLACKLISTED, IS_REGISTERED, NEWEST, Sql};

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Integer(number) => number.to_sql(),
            // No column here can hold it.
            Self::Unsigned(_) => rusqlite::types::Null.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}

/// Runs statements that change nothing.
pub(super) fn run_all(connection: &Connection, statements: &[String]) -> rusqlite::Result<()> {
    for sql in statements {
        let mut statement = connection.prepare_cached(sql)?;
        match statement.readonly() {
            true => drop(statement.exists(())?),
            false => drop(statement.execute(())?),
        }
    }
    Ok(())
}

impl Sql {
    /// Registers a token, unless it is registered.
    pub(super) fn record(
        &self,
        connection: &Connection,
        token: &OutstandingToken,
    ) -> rusqlite::Result<()> {
        if connection.prepare_cached(IS_REGISTERED)?.exists([&token.jti])? {
            return Ok(());
        }
        self.record_new(connection, token)
    }

    /// Does the same for a token that has just been made. Another would use up an id.
    pub(super) fn record_new(
        &self,
        connection: &Connection,
        token: &OutstandingToken,
    ) -> rusqlite::Result<()> {
        let user = token.user_id.as_ref().and_then(|id| self.user_id.parse(id));
        connection.prepare_cached(&self.record)?.execute(params![
            token.token,
            text(token.created_at),
            text(token.expires_at),
            user,
            token.jti,
        ])?;
        Ok(())
    }

    /// Blacklists a token; returns `true` if it wasn't blacklisted before, by the unique key.
    pub(super) fn blacklist(
        &self,
        connection: &Connection,
        token: &OutstandingToken,
        at: Timestamp,
    ) -> rusqlite::Result<bool> {
        self.record(connection, token)?;
        let added = connection.prepare_cached(BLACKLIST)?.execute(params![text(at), token.jti])?;
        Ok(added == 1)
    }
}

/// The tokens in an [`SqliteDatabase`].
///
/// The user of a token is stored as the primary key of a row in the [`UserTable`], or as null if
/// there is no such user: users that are kept elsewhere leave no trace here, and
/// [`blacklist_all`](TokenStore::blacklist_all) finds none of their tokens.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) database: SqliteDatabase,
    pub(super) sql: Arc<Sql>,
    pub(super) users: Arc<str>,
    /// The catalogue at the beginning of the purge.
    pub(super) catalogue: Arc<Mutex<Arc<flush::Catalogue>>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("database", &self.database).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the tokens of a database that has the tables.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing or isn't as Django creates it.
    pub fn open(database: &SqliteDatabase, users: &UserTable) -> Result<Self, SchemaError> {
        let check = |connection: &Connection| {
            let users = schema::resolved(connection, users)?;
            let columns = schema::check_users(connection, &users)?;
            schema::check_unique(connection, &users, &[by_user_id(&users)])?;
            schema::check_tokens(connection, &users, &columns)?;
            Ok::<_, SchemaError>((columns.user_id, users))
        };
        let (user_id, users) = database.read("open", |connection| Ok(check(connection)))??;
        let users = &users;
        Ok(Self {
            database: database.clone(),
            sql: Arc::new(Sql::new(users, user_id)),
            users: users.table.as_str().into(),
            catalogue: Arc::default(),
        })
    }

    /// Checks that the tables of the sessions exist, which
    /// [`migrate::apply`](super::migrate::apply) creates.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing.
    pub fn check_sessions(&self) -> Result<(), SchemaError> {
        self.database.read("open", |connection| Ok(schema::check_sessions(connection)))?
    }

    /// Checks that the table of sessions as one row each exists, which
    /// [`BySession`](crate::store::rows::BySession) needs, and
    /// [`migrate::apply`](super::migrate::apply) creates.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing.
    pub fn check_session_rows(&self) -> Result<(), SchemaError> {
        self.database.read("open", |connection| Ok(schema::check_session_rows(connection)))?
    }

    /// Returns `true` if the database has the tables of Django's `token_blacklist` and they are in
    /// use: Django's migrations created them, or a token is registered.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn blacklist_in_use(database: &SqliteDatabase) -> Result<bool, StoreError> {
        database.read("open", flush::blacklist_in_use)
    }

    /// Returns the foreign keys that lead to tokens. `anew` reads them again, as when a purge
    /// begins.
    pub(super) fn catalogue(&self, anew: bool) -> Result<Arc<flush::Catalogue>, StoreError> {
        if anew {
            let found = self
                .database
                .read("flush_expired", |connection| flush::catalogue(connection, &self.users))?;
            *self.catalogue.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
        }
        Ok(Arc::clone(&self.catalogue.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Returns the database that holds the tokens.
    pub fn database(&self) -> &SqliteDatabase {
        &self.database
    }
}

#[async_trait]
impl TokenStore for SqliteStore {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        let (sql, token, act) = (Arc::clone(&self.sql), token.clone(), act.clone());
        let record = move |connection: &Connection| {
            sql.record(connection, &token)?;
            Ok(act.recorded(()))
        };
        self.database.write("record", record).await
    }

    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        let (sql, spent, next) = (Arc::clone(&self.sql), spent.clone(), next.clone());
        let cause = cause.clone();
        let rotate = move |connection: &Connection| {
            if !sql.blacklist(connection, &spent, cause.at)? {
                return Ok(Rotation::Replayed.recorded(&spent, &cause));
            }
            sql.record_new(connection, &next)?;
            Ok(Rotation::Rotated.recorded(&spent, &cause))
        };
        self.database.write("rotate", rotate).await
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        let (sql, token, act) = (Arc::clone(&self.sql), token.clone(), act.clone());
        let blacklist = move |connection: &Connection| {
            let added = sql.blacklist(connection, &token, act.cause.at)?;
            Ok(Blacklisting::first_if(added).recorded(&act))
        };
        self.database.write("blacklist", blacklist).await
    }

    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError> {
        let Some(user) = self.sql.user_id.parse(user_id) else { return Ok(0) };
        let sql = Arc::clone(&self.sql);
        let blacklist_all = move |connection: &Connection| {
            connection.prepare_cached(&sql.blacklist_all)?.execute(params![text(at), user])
        };
        Ok(self.database.write("blacklist_all", blacklist_all).await? as u64)
    }

    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        self.database.read("is_blacklisted", |connection| {
            connection.prepare_cached(IS_BLACKLISTED)?.exists([jti])
        })
    }

    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
        let catalogue = self.catalogue(flush.after.is_none())?;
        let references = &catalogue.references;
        let (candidates, next) = self
            .database
            .read("flush_expired", |connection| flush::candidates(connection, flush, references))?;
        let mut judged = Flushed { next, ..Flushed::default() };
        let verdict = flush.judge(&candidates, references.keeping(flush.cascade), &mut judged);
        if verdict.delete.is_empty() && verdict.put_off.is_empty() {
            return Ok(judged);
        }
        let (flush, users) = (flush.clone(), Arc::clone(&self.users));
        let carry_out = move |connection: &Connection| {
            let mut flushed = judged.clone();
            let result =
                flush::carry_out(connection, &flush, &catalogue, &users, &verdict, &mut flushed);
            result.map(|()| flushed)
        };
        let flushed = self.database.write("flush_expired", carry_out).await;
        self.database.has_flushed();
        flushed
    }

    fn waiting(&self) -> usize {
        self.database.waiting()
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OutstandingToken>, StoreError> {
        let read = |row: &Row<'_>| {
            let time = |at| {
                row.get::<_, Option<String>>(at).map(|text| text.as_deref().and_then(flush::moment))
            };
            // A row whose times can't be read is left out.
            let (Some(created_at), Some(expires_at)) = (time(2)?, time(3)?) else {
                return Ok(None);
            };
            let (jti, token) = (row.get(0)?, row.get(1)?);
            Ok(Some(OutstandingToken { jti, token, user_id: None, created_at, expires_at }))
        };
        self.database.read("newest", |connection| {
            let mut statement = connection.prepare_cached(NEWEST)?;
            let rows = statement.query_map([limit], read)?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// Commits a transaction, as the next rotation will have to, without changing anything.
    async fn ping(&self) -> Result<(), StoreError> {
        let tokens = Uses { tokens: true, ..Uses::default() };
        let trials = trials(&tokens, &Lines::Sqlite);
        self.database.write("ping", move |connection| run_all(connection, &trials)).await?;
        self.database.prove_commit("ping").await
    }
}
