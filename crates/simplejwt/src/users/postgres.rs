//! Users in PostgreSQL: Django's `auth_user` or the table of a custom user model.

mod manage;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::Row;

use super::login::{self, Found, LoginRows};
use super::manage::UserOptions;
use super::password::HashingPool;
use super::table::{UserTable, quoted};
use super::{Credentials, User, UserId, UserStore, password_fingerprint};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::postgres::schema::{self, KeyType};
use crate::store::postgres::{PostgresDatabase, can_be_stored, moment, parameter, run};
use crate::store::schema::SchemaError;

/// The users in a [`PostgresDatabase`].
///
/// The login name is compared exactly, as Django does; it isn't trimmed, folded or normalized.
#[derive(Clone)]
pub struct PostgresUsers {
    database: PostgresDatabase,
    pool: HashingPool,
    options: UserOptions,
    sql: Arc<Sql>,
}

impl fmt::Debug for PostgresUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresUsers")
            .field("database", &self.database)
            .field("table", &self.sql.table.table)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The statements, with the names of the table in them.
struct Sql {
    table: UserTable,
    user_id: KeyType,
    by_login: String,
    by_user_id: String,
    page: String,
    replace_hash: String,
    last_login: Option<String>,
    set_password: String,
    set_active: Option<String>,
}

impl Sql {
    fn new(table: UserTable, user_id: KeyType, key_type: &KeyType, has_sessions: bool) -> Self {
        let name = quoted(&table.table);
        let key = quoted(&table.primary_key);
        let id = quoted(table.user_id_column());
        let login = quoted(&table.login);
        let password = quoted(&table.password);
        let flag = |column: &Option<String>, without: &str| match column {
            // A boolean, or a number of another framework's.
            Some(column) => {
                format!("coalesce({}::text IN ('true', '1'), false)", quoted(column))
            }
            None => without.to_owned(),
        };
        let select = format!(
            "SELECT {key}::text, {id}::text, {login}::text, {}, {}, {}, {password}::text FROM {name}",
            flag(&table.is_active, "true"),
            flag(&table.is_staff, "false"),
            flag(&table.is_superuser, "false"),
        );
        let update = |column: &str| format!("UPDATE {name} SET {} = $1", quoted(column));
        let replace_hash = format!(
            "{} WHERE {key} = CAST($2::text AS {}) AND {password} = $3",
            update(&table.password),
            key_type.cast
        );
        Self {
            by_login: format!("{select} WHERE {login} = $1"),
            by_user_id: format!("{select} WHERE {id} = CAST($1::text AS {})", user_id.cast),
            page: format!(
                "{select} WHERE $1::text IS NULL OR {login} > $1 ORDER BY {login} LIMIT $2"
            ),
            // Sessions that are tied to the password stay tied to it: both, or neither.
            replace_hash: match has_sessions {
                true => format!(
                    "WITH replaced AS ({replace_hash} RETURNING 1), \
                     tied AS (UPDATE simplejwt_session SET password = $6 \
                     WHERE user_id = $4 AND password = $5 AND EXISTS (SELECT 1 FROM replaced)) \
                     SELECT count(*) FROM replaced"
                ),
                false => format!(
                    "WITH replaced AS ({replace_hash} RETURNING 1) \
                     SELECT count(*) FROM replaced \
                     WHERE $4::text IS NOT NULL AND $5::text IS NOT NULL AND $6::text IS NOT NULL"
                ),
            },
            last_login: table.last_login.as_deref().map(|column| {
                format!("{} WHERE {id} = CAST($2::text AS {})", update(column), user_id.cast)
            }),
            set_password: format!("{} WHERE {login} = $2", update(&table.password)),
            set_active: table
                .is_active
                .as_deref()
                .map(|column| format!("{} WHERE {login} = $2", update(column))),
            user_id,
            table,
        }
    }

    fn found(&self, row: &Row) -> Result<Found<String>, tokio_postgres::Error> {
        let text = |at: usize| Ok(row.try_get::<_, Option<String>>(at)?.unwrap_or_default());
        let user = User {
            id: self.user_id.kind.id_of(text(1)?),
            username: text(2)?,
            is_active: row.try_get(3)?,
            is_staff: row.try_get(4)?,
            is_superuser: row.try_get(5)?,
            password: text(6)?,
            rehashed_from: None,
        };
        Ok(Found { key: text(0)?, user })
    }
}

impl PostgresUsers {
    /// The users of a table. Passwords are compared by the threads of `pool`.
    ///
    /// # Errors
    /// [`SchemaError`] where the table or a column is missing; names it and says what there is.
    pub async fn open(
        database: &PostgresDatabase,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Self, SchemaError> {
        let client = database.attempts("open").client().await?;
        let has_sessions = schema::check_sessions(&client).await.is_ok();
        match schema::check_users(&client, &table).await {
            Ok((user_id, key)) => {
                let sql = Arc::new(Sql::new(table, user_id, &key, has_sessions));
                Ok(Self { database: database.clone(), pool, options, sql })
            }
            Err(error) => Err(schema::with_tables(&client, error).await),
        }
    }

    /// The table that the users are in.
    pub fn table(&self) -> &UserTable {
        &self.sql.table
    }
}

#[async_trait]
impl LoginRows for PostgresUsers {
    type Key = String;

    async fn by_login(&self, name: &str) -> Result<Option<Found<String>>, StoreError> {
        if !can_be_stored(name) {
            return Ok(None);
        }
        run!(self.database, "authenticate", |client| async {
            let statement = client.prepare_cached(&self.sql.by_login).await?;
            let row = client.query_opt(&statement, &[&name]).await?;
            row.map(|row| self.sql.found(&row)).transpose()
        })
    }

    async fn replace_hash(&self, found: &Found<String>, new: &str) -> Result<bool, StoreError> {
        let (old, id) = (&found.user.password, found.user.id.as_str());
        let prints = (password_fingerprint(old), password_fingerprint(new));
        let replaced: i64 = run!(self.database, "authenticate", |client| async {
            let statement = client.prepare_cached(&self.sql.replace_hash).await?;
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
                [&new, &found.key, old, &id, &prints.0, &prints.1];
            client.query_one(&statement, &values).await?.try_get(0)
        })?;
        Ok(replaced > 0)
    }
}

#[async_trait]
impl UserStore for PostgresUsers {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        let allow_inactive = self.options.allow_inactive_login;
        login::authenticate(self, &self.pool, allow_inactive, credentials).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let Some(key) = self.sql.user_id.kind.parse(id).map(parameter) else { return Ok(None) };
        if !can_be_stored(&key) {
            return Ok(None);
        }
        run!(self.database, "find", |client| async {
            let statement = client.prepare_cached(&self.sql.by_user_id).await?;
            let row = client.query_opt(&statement, &[&key]).await?;
            row.map(|row| Ok(self.sql.found(&row)?.user)).transpose()
        })
    }

    async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let Some(sql) = &self.sql.last_login else { return Ok(()) };
        let key = self.sql.user_id.kind.parse(id).map(parameter);
        let Some(key) = key.filter(|key| can_be_stored(key)) else { return Ok(()) };
        let at = moment(at);
        run!(self.database, "update_last_login", |client| async {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, &[&at, &key]).await.map(drop)
        })
    }
}
