//! Users in PostgreSQL: Django's `auth_user` or the table of a custom user model.

mod delete;
mod manage;
mod sample;
mod sql;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::Row;

pub(crate) use self::sql::statements;
use self::sql::{Sql, Tied};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::postgres::encoding::Text;
use crate::postgres::lookup::Lookup;
use crate::postgres::schema;
use crate::postgres::tokens::{moment, parameter};
use crate::postgres::{PostgresDatabase, run};
use crate::sql::batch::Batches;
use crate::sql::column::ColumnType;
use crate::sql::lookup::{nothing_of, only};
use crate::sql::manage::UserOptions;
use crate::sql::rights::{self, Right};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::UserTable;
use crate::users::login::{Found, LoginRows, PasswordSample, Passwords};
use crate::users::password::{HashingPool, PasswordSurvey};
use crate::users::{Credentials, User, UserId, UserStore, password_fingerprint};

/// The users in a [`PostgresDatabase`].
///
/// The login name is compared as in Django, by the rules of the column's type and collation. It
/// isn't trimmed, folded or normalized.
#[derive(Clone)]
pub struct PostgresUsers {
    database: PostgresDatabase,
    passwords: Passwords,
    options: UserOptions,
    sql: Arc<Sql>,
    by_user_id: Batches<Lookup<User>>,
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

impl PostgresUsers {
    /// Opens the users of a table. Passwords are verified by the threads of `pool`.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing, has an unusable type, or isn't
    /// unique although users are found by it, and says what was found.
    pub async fn open(
        database: &PostgresDatabase,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Self, SchemaError> {
        let client = database.attempts("open").client().await?;
        let table = schema::resolved(&client, &table).await?;
        let tied = Tied {
            tokens: schema::check_sessions(&client).await.is_ok(),
            rows: options.session_rows && schema::check_session_rows(&client).await.is_ok(),
        };
        let checked = async {
            let checked = schema::check_users(&client, &table).await?;
            schema::check_unique(&client, &table, &found_by(&table)).await?;
            Ok(checked)
        };
        match checked.await {
            Ok(checked) => {
                let sql = Arc::new(Sql::new(table, checked, tied)?);
                let reading = Arc::clone(&sql);
                let by_user_id = Lookup::new(database, "find", &sql.by_user_id, move |row| {
                    Ok(reading.found(row)?.user)
                });
                let by_user_id = Batches::new(by_user_id, database.patience());
                Ok(Self {
                    database: database.clone(),
                    passwords: Passwords::new(pool),
                    options,
                    sql,
                    by_user_id,
                })
            }
            Err(error) => Err(schema::with_tables(&client, error).await),
        }
    }

    /// Returns the table that the users are in.
    pub fn table(&self) -> &UserTable {
        &self.sql.table
    }

    async fn learn(&self, right: Right) -> Result<Option<&str>, StoreError> {
        let operation = right.operation();
        let tables = self.sql.rights.tables(right);
        let found = run!(self.database, operation, |client| async {
            let mut found = Vec::new();
            for name in &tables {
                found.push(schema::table(&client, name, name).await?.columns);
            }
            Ok(found)
        })?;
        self.sql
            .rights
            .learn(right, &found)
            .map_err(|error| StoreError::new(operation, StoreErrorKind::Incompatible, error))
    }

    /// Returns the rows that a statement over the tables of groups and permissions finds.
    async fn rights(&self, right: Right, user: &UserId) -> Result<Vec<Vec<String>>, StoreError> {
        let known = match self.sql.rights.known(right) {
            Some(statement) => Some(statement),
            None => self.learn(right).await?,
        };
        let key = self.sql.user_id.kind.parse(user).map(parameter);
        let (Some(sql), Some(key)) = (known, key) else { return Ok(Vec::new()) };
        // A block of its own, which `?` leaves instead of this function.
        let found = async {
            run!(self.database, right.operation(), |client| async {
                let statement = client.prepare_cached(sql).await?;
                let rows = client.query(&statement, &[&key]).await?;
                let text = |row: &Row, at| row.try_get(at).map(|text: Text| text.0);
                rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect()
            })
        };
        nothing_of(&key, found.await)
    }
}

#[async_trait]
impl LoginRows for PostgresUsers {
    type Key = String;

    async fn by_login(&self, name: &str) -> Result<Option<Found<String>>, StoreError> {
        let Some(key) = self.sql.login.kind.parse_login(name).map(parameter) else {
            return Ok(None);
        };
        // A block of its own, which `?` leaves instead of this function.
        let found = async {
            run!(self.database, "authenticate", |client| async {
                let statement = client.prepare_cached(&self.sql.by_login).await?;
                let rows = client.query(&statement, &[&key]).await?;
                rows.iter().map(|row| self.sql.found(row)).collect::<Result<Vec<_>, _>>()
            })
        };
        only("authenticate", nothing_of(&key, found.await)?)
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

    async fn password_sample(&self) -> Result<PasswordSample, StoreError> {
        run!(self.database, "sample", |client| sample::take(&client, &self.sql.table))
    }
}

#[async_trait]
impl UserStore for PostgresUsers {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        let allow_inactive = self.options.allow_inactive_login;
        self.passwords.authenticate(self, allow_inactive, credentials).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let Some(key) = self.sql.user_id.kind.parse(id).map(parameter) else { return Ok(None) };
        // The type or the collation may consider another text equal; the claim has to be the id
        // itself.
        let exact = |user: &User| self.sql.user_id.kind != ColumnType::Text || user.id == *id;
        Ok(self.by_user_id.find(key).await?.filter(exact))
    }

    async fn survey_passwords(&self) -> Result<PasswordSurvey, StoreError> {
        self.passwords.survey(self).await
    }

    async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let Some(sql) = &self.sql.last_login else { return Ok(()) };
        let Some(key) = self.sql.user_id.kind.parse(id).map(parameter) else { return Ok(()) };
        let at = moment(at);
        let updated = async {
            run!(self.database, "update_last_login", |client| async {
                let statement = client.prepare_cached(sql).await?;
                client.execute(&statement, &[&at, &key]).await.map(drop)
            })
        };
        nothing_of(&key, updated.await)
    }

    async fn groups(&self, user: &UserId) -> Result<Vec<String>, StoreError> {
        Ok(rights::groups(self.rights(Right::Groups, user).await?))
    }

    async fn permissions(&self, user: &UserId) -> Result<BTreeSet<String>, StoreError> {
        Ok(rights::permissions(self.rights(Right::Permissions, user).await?))
    }
}
