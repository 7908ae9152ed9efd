//! Registered and blacklisted tokens in MySQL or MariaDB: [`TokenStore`].

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Row, Value, params};

use super::lookup::{self, Found, Lookup, Wanted};
use super::{MysqlDatabase, database, flush, rows, schema, sessions, statements};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::logging::with_causes;
use crate::sql::batch::Batches;
use crate::sql::check::{Lines, Uses, trials};
use crate::sql::flushed_to::FlushedTo;
use crate::sql::late::Late;
use crate::sql::lookup::nothing_of;
use crate::sql::references::References;
use crate::sql::schema::{OUTSTANDING, SchemaError, by_user_id};
use crate::sql::table::{Key, UserTable};
use crate::store::flush::{FlushExpired, Flushed};
use crate::store::rows::SessionRow;
use crate::store::session::SessionHead;
use crate::store::{Blacklisting, OutstandingToken, Rotation, TokenStore};
use crate::users::UserId;

use super::database::{Failure, attempt, begin, changed, commit, exists};
use super::datetime::datetime;
use super::rotations::{Rotating, Rotations};
use super::statements::Sql;

/// The tokens in a [`MysqlDatabase`].
///
/// The user of a token is stored as the primary key of a row in the [`UserTable`], or as null if
/// there is no such user: users that are kept elsewhere leave no trace here, and
/// [`blacklist_all`](TokenStore::blacklist_all) finds none of their tokens.
///
/// A table that Django created can't hold two tokens whose ids differ only in case or in trailing
/// spaces, which its unique key considers equal: the second is refused with an error. Ids created
/// by upstream or by this library never do.
#[derive(Clone)]
pub struct MysqlStore {
    pub(super) database: MysqlDatabase,
    pub(super) sql: Arc<Sql>,
    pub(super) users: Arc<str>,
    /// The catalogue at the beginning of the purge.
    pub(super) references: Arc<Mutex<Arc<References>>>,
    /// The place that the purge of sessions' tokens has reached.
    pub(super) flushed_to: Arc<FlushedTo>,
    pub(super) late: Late,
    pub(super) rotations: Batches<Rotations>,
    pub(super) rotations_in_sessions: Batches<Rotations>,
    pub(super) blacklisted: Batches<Lookup<()>>,
    pub(super) heads: Batches<Lookup<SessionHead>>,
    pub(super) session_rows: Batches<Lookup<SessionRow>>,
}

impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStore").field("database", &self.database).finish_non_exhaustive()
    }
}

impl MysqlStore {
    /// Opens the tokens of a database that has the tables.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing or isn't as Django creates it.
    pub async fn open(database: &MysqlDatabase, users: &UserTable) -> Result<Self, SchemaError> {
        let sql =
            attempt!(database.attempts("open"), |conn| async { Ok(prepare(conn, users).await) })??;
        let sql = Arc::new(sql);
        let late = Late::new(database.max_connections());
        let rotations = || Rotations::new(database.clone(), Arc::clone(&sql), late.clone());
        Ok(Self {
            database: database.clone(),
            rotations: Batches::new(rotations(), database.patience()),
            rotations_in_sessions: Batches::new(rotations(), database.patience()),
            blacklisted: Batches::new(lookup::blacklisted(database, &sql), database.patience()),
            heads: Batches::new(sessions::heads(database), database.patience()),
            session_rows: Batches::new(rows::lookup(database), database.patience()),
            users: users.table.as_str().into(),
            references: Arc::default(),
            flushed_to: Arc::default(),
            sql,
            late,
        })
    }

    /// Checks that the tables of the sessions exist, which
    /// [`migrate::apply`](super::migrate::apply) creates.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing.
    pub async fn check_sessions(&self) -> Result<(), SchemaError> {
        attempt!(self.database.attempts("open"), |conn| async {
            Ok(schema::check_sessions(conn).await)
        })?
    }

    /// Checks that the table of sessions as one row each exists, which
    /// [`BySession`](crate::store::rows::BySession) needs, and
    /// [`migrate::apply`](super::migrate::apply) creates.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing.
    pub async fn check_session_rows(&self) -> Result<(), SchemaError> {
        attempt!(self.database.attempts("open"), |conn| async {
            Ok(schema::check_session_rows(conn).await)
        })?
    }

    /// Returns `true` if the database has the tables of Django's `token_blacklist` and they are in
    /// use: Django's migrations created them, or a token is registered.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn blacklist_in_use(database: &MysqlDatabase) -> Result<bool, StoreError> {
        attempt!(database.attempts("open"), |conn| flush::blacklist_in_use(conn))
    }

    /// Returns the database that holds the tokens.
    pub fn database(&self) -> &MysqlDatabase {
        &self.database
    }
}

pub(super) async fn prepare(conn: &mut Conn, users: &UserTable) -> Result<Sql, SchemaError> {
    let users = &schema::resolved(conn, users).await?;
    let columns = schema::check_users(conn, users).await?;
    schema::check_unique(conn, users, &[by_user_id(users)]).await?;
    schema::check_tokens(conn, users, &columns).await?;
    let jti = schema::collation(conn, OUTSTANDING, "jti").await?.ok_or(Failure::Shape)?;
    let exact = schema::exact_collation(conn).await?;
    Ok(Sql::new(users, columns.user_id, &jti, &exact))
}

/// Tries the accesses to the tables, with statements that change nothing.
pub(super) async fn try_all(conn: &mut Conn, uses: &Uses) -> Result<(), Failure> {
    // They contain no collation.
    let lines = Lines::Mysql { exact: String::new() };
    for sql in trials(uses, &lines) {
        conn.exec_drop(sql, ()).await?;
    }
    Ok(())
}

impl Sql {
    /// Registers a token; returns `true` if it wasn't registered before.
    pub(super) async fn insert(
        &self,
        conn: &mut Conn,
        token: &OutstandingToken,
    ) -> Result<bool, Failure> {
        let user = token.user_id.as_ref().and_then(|id| self.user_id.parse(id));
        let values = |user: Option<&Key>| {
            params! {
                "token" => &token.token,
                "created_at" => datetime(token.created_at),
                "expires_at" => datetime(token.expires_at),
                "user" => user.map_or(Value::NULL, Value::from),
                "jti" => &token.jti,
            }
        };
        match changed(conn, &self.insert, values(user.as_ref())).await {
            // The user doesn't exist, or no longer.
            Err(failure) if failure.is_of_the_user() => {
                Ok(changed(conn, &self.insert, values(None)).await? > 0)
            }
            inserted => Ok(inserted? > 0),
        }
    }

    /// Registers a token, if it isn't registered.
    pub(super) async fn register(
        &self,
        conn: &mut Conn,
        token: &OutstandingToken,
    ) -> Result<(), Failure> {
        let is_registered = || params! { "jti" => &token.jti };
        if exists(conn, &self.is_registered, is_registered()).await?
            || self.insert(conn, token).await?
            || exists(conn, &self.is_registered, is_registered()).await?
        {
            return Ok(());
        }
        Err(Failure::Collision)
    }

    /// Registers the successor of a token.
    pub(super) async fn succeed(
        &self,
        conn: &mut Conn,
        next: &OutstandingToken,
    ) -> Result<(), Failure> {
        match self.insert(conn, next).await? {
            true => Ok(()),
            false => self.register(conn, next).await,
        }
    }

    /// Blacklists a token; returns `true` if it wasn't blacklisted before, by the unique key.
    pub(super) async fn blacklist(
        &self,
        conn: &mut Conn,
        token: &OutstandingToken,
        at: Timestamp,
    ) -> Result<bool, Failure> {
        self.register(conn, token).await?;
        let values = params! { "jti" => &token.jti };
        let row: Option<Row> = conn.exec_first(&self.unlisted, values).await?;
        let Some(row) = row else { return Ok(false) };
        blacklist_by_id(conn, database::column(&row, 0)?, at).await
    }

    pub(super) async fn rotate(
        &self,
        conn: &mut Conn,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        at: Timestamp,
    ) -> Result<Rotation, Failure> {
        begin(conn).await?;
        let rotated = self.blacklist(conn, spent, at).await?;
        if rotated {
            self.succeed(conn, next).await?;
        }
        commit(conn).await?;
        // An earlier attempt may have succeeded, and only its answer been lost.
        let rotated =
            rotated || exists(conn, &self.is_registered, params! { "jti" => &next.jti }).await?;
        Ok(if rotated { Rotation::Rotated } else { Rotation::Replayed })
    }

    pub(super) async fn blacklist_all(
        &self,
        conn: &mut Conn,
        user: &Key,
        at: Timestamp,
    ) -> Result<u64, Failure> {
        let values = params! { "user" => Value::from(user) };
        begin(conn).await?;
        let blacklisted = until_none(conn, &self.theirs, values, at).await?;
        commit(conn).await?;
        Ok(blacklisted)
    }
}

/// Blacklists the registered token with this id; returns `true` if this call did it.
pub(super) async fn blacklist_by_id(
    conn: &mut Conn,
    id: u64,
    at: Timestamp,
) -> Result<bool, Failure> {
    let values = params! { "at" => datetime(at), "id" => id };
    Ok(changed(conn, statements::BLACKLIST, values).await? > 0)
}

/// Blacklists the tokens that a statement finds, until it finds none; returns how many. With a new
/// snapshot each time: a rotation that was in progress caused a conflict, was waited for, and has
/// left a successor.
pub(super) async fn until_none(
    conn: &mut Conn,
    select: &str,
    values: impl Into<Params> + Clone + Send,
    at: Timestamp,
) -> Result<u64, Failure> {
    const AT_A_TIME: usize = 500;
    let statement = format!("{select} ORDER BY o.id LIMIT {AT_A_TIME}");
    let mut blacklisted = 0;
    loop {
        let rows: Vec<Row> = conn.exec(&statement, values.clone()).await?;
        if rows.is_empty() {
            return Ok(blacklisted);
        }
        let insert = format!(
            "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) VALUES {} {}",
            vec!["(?, ?)"; rows.len()].join(", "),
            statements::NOT_TWICE,
        );
        let mut tokens = Vec::with_capacity(rows.len() * 2);
        for row in &rows {
            tokens.push(datetime(at));
            tokens.push(Value::from(database::column::<i64>(row, 0)?));
        }
        blacklisted += changed(conn, &insert, Params::Positional(tokens)).await?;
    }
}

#[async_trait]
impl TokenStore for MysqlStore {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        attempt!(self.database.attempts("record"), |conn| async {
            self.sql.register(conn, token).await?;
            Ok(act.recorded(()))
        })
    }

    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        let rotating = Rotating::new(spent, next, cause.at);
        if self.rotations.run(rotating).await?.is_some() {
            return Ok(Rotation::Rotated.recorded(spent, cause));
        }
        let attempts = self.database.attempts("rotate");
        attempt!(attempts, |conn| async {
            let rotation = self.sql.rotate(conn, spent, next, cause.at).await?;
            Ok(rotation.recorded(spent, cause))
        })
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        attempt!(self.database.attempts("blacklist"), |conn| async {
            begin(conn).await?;
            let added = self.sql.blacklist(conn, token, act.cause.at).await?;
            let recorded = Blacklisting::first_if(added).recorded(act);
            commit(conn).await?;
            Ok(recorded)
        })
    }

    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError> {
        let Some(user) = self.sql.user_id.parse(user_id) else { return Ok(0) };
        let attempts = self.database.attempts("blacklist_all");
        let blacklisted = attempt!(attempts, |conn| self.sql.blacklist_all(conn, &user, at));
        nothing_of(user_id.as_str(), blacklisted)
    }

    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        match self.blacklisted.run(Wanted::text(jti)).await? {
            Found::One(()) => return Ok(true),
            Found::Nothing => return Ok(false),
            Found::Unknown => {}
        }
        let attempts = self.database.attempts("is_blacklisted");
        attempt!(attempts, |conn| exists(conn, &self.sql.is_blacklisted, params! { "jti" => jti }))
    }

    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
        let mut references = self.references(flush.after.is_none()).await?;
        let attempts = || self.database.attempts("flush_expired");
        let found = attempt!(attempts(), |conn| flush::candidates(conn, flush, &references));
        let (candidates, next) = match found {
            Ok(found) => found,
            // Tables that this user may not read, or that have changed since.
            Err(error) if *references != References::default() => {
                tracing::debug!(
                    event = "foreign_keys_unreadable",
                    error = with_causes(&error),
                    "referring tables can't be read: each row is tried"
                );
                self.know(References::default());
                references = Arc::default();
                attempt!(attempts(), |conn| flush::candidates(conn, flush, &references))?
            }
            Err(error) => return Err(error),
        };
        let mut flushed = Flushed { next, ..Flushed::default() };
        let verdict = flush.judge(&candidates, references.keeping(flush.cascade), &mut flushed);
        if !verdict.put_off.is_empty() {
            attempt!(attempts(), |conn| flush::put_off(conn, &verdict))?;
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
        attempt!(self.database.attempts("newest"), |conn| flush::newest(conn, limit))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let tokens = Uses { tokens: true, ..Uses::default() };
        attempt!(self.database.attempts("ping"), |conn| async {
            begin(conn).await?;
            try_all(conn, &tokens).await?;
            commit(conn).await
        })
    }
}
