//! Users in PostgreSQL: Django's `auth_user` or the table of a custom user model.

mod delete;
mod manage;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::Row;

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::postgres::batch::Batches;
use crate::postgres::encoding::Text;
use crate::postgres::lookup::{self, Lookup};
use crate::postgres::schema::{self, Checked, KeyType};
use crate::postgres::tokens::{moment, parameter};
use crate::postgres::{PostgresDatabase, run};
use crate::sql::check::Uses;
use crate::sql::column::{ColumnType, Flag};
use crate::sql::fields::{Field, Kind};
use crate::sql::lookup::{nothing_of, only};
use crate::sql::manage::UserOptions;
use crate::sql::rights::{self, Dialect, Right, Rights};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::{UserTable, quoted, relation};
use crate::users::login::{Found, LoginRows, PasswordSample, Passwords};
use crate::users::password::{HashingPool, PasswordSurvey};
use crate::users::{Credentials, User, UserId, UserStore, password_fingerprint};

/// The users in a [`PostgresDatabase`].
///
/// The login name is compared as Django compares it: by the rules of the column's type and
/// collation. A text isn't trimmed, folded or normalized.
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

/// The statements, with the names of the table in them.
struct Sql {
    table: UserTable,
    key: ColumnType,
    user_id: KeyType,
    login: KeyType,
    fields: Vec<Field>,
    rights: Rights,
    by_login: String,
    by_user_id: String,
    page: String,
    replace_hash: String,
    last_login: Option<String>,
    set_password: String,
    set_active: Option<String>,
}

/// How many columns stand before the further ones.
const FIXED: usize = 7;

/// A further column as text of the form that [`Kind::json`] takes.
fn further(table: &UserTable, field: &Field) -> String {
    let column = table.expression(&field.name, quoted, relation);
    // Years before the first are counted backwards, and told from the others by the era alone.
    let dated = |moment: &str, pattern: &str| {
        format!(
            "to_char({moment}, '{pattern}' || CASE WHEN {moment} < '0001-01-01' THEN ' BC' ELSE '' END)"
        )
    };
    match field.kind {
        Kind::Moment => {
            dated(&format!("({column} AT TIME ZONE 'UTC')"), "YYYY-MM-DD HH24:MI:SS.US")
        }
        Kind::Local => dated(&column, "YYYY-MM-DD HH24:MI:SS.US"),
        Kind::Date => dated(&column, "YYYY-MM-DD"),
        Kind::Time => format!("to_char({column}, 'HH24:MI:SS.US')"),
        Kind::Text if field.declared == "inet" => format!("host({column})"),
        _ => format!("{column}::text"),
    }
}

impl Sql {
    fn new(table: UserTable, checked: Checked, has_sessions: bool) -> Result<Self, SchemaError> {
        let Checked { user_id, key: key_type, login: login_type, columns } = checked;
        let name = relation(&table.table);
        let key = quoted(&table.primary_key);
        let id = quoted(table.user_id_column());
        let login = quoted(&table.login);
        let password = quoted(&table.password);
        let flag = |column: &Option<String>, without: &str| {
            let Some(name) = column else { return Ok(without.to_owned()) };
            let column = quoted(name);
            Ok::<_, SchemaError>(match columns.flag(&table, name)? {
                Flag::Boolean => format!("coalesce({column}, false)"),
                Flag::Number => format!("coalesce({column} <> 0, false)"),
                Flag::Bits => format!("coalesce({column}::text LIKE '%1%', false)"),
            })
        };
        let is_active = flag(&table.is_active, "true")?;
        let is_superuser = flag(&table.is_superuser, "false")?;
        let fields = columns.fields.clone();
        let further: String =
            fields.iter().map(|field| format!(", {}", further(&table, field))).collect();
        let inherits = table.and_inherits(&name, quoted, relation);
        let select = format!(
            "SELECT {key}::text, {id}::text, {login}::text, {}, {}, {}, {password}::text{further} \
             FROM {name}",
            is_active,
            flag(&table.is_staff, "false")?,
            is_superuser,
        );
        let dialect = Dialect {
            quote: relation,
            is_the_user: format!("{id} = CAST($1::text AS {})", user_id.cast),
            is_active,
            is_superuser,
        };
        // Whoever has no id can't have tokens: they would be those of all who have none.
        let has_id = match table.user_id_column() == table.primary_key {
            true => String::new(),
            false => format!(" AND {id} IS NOT NULL"),
        };
        let update = |column: &str| format!("UPDATE {name} SET {} = $1", quoted(column));
        let is_named =
            |parameter: &str| format!("{login} = CAST({parameter}::text AS {})", login_type.cast);
        let replace_hash = format!(
            "{} WHERE {key} = CAST($2::text AS {}) AND {password} = $3",
            update(&table.password),
            key_type.cast
        );
        Ok(Self {
            // Two show what isn't unique.
            by_login: format!("{select} WHERE {}{has_id}{inherits} LIMIT 2", is_named("$1")),
            by_user_id: format!(
                "{select} WHERE {id} = CAST(asked.key AS {}){inherits}",
                user_id.cast
            ),
            page: format!(
                "{select} WHERE ($1::text IS NULL OR {login} > CAST($1::text AS {})){inherits} \
                 ORDER BY {login} LIMIT $2",
                login_type.cast
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
                let moment = "CAST($1 AS timestamp with time zone)";
                let is_local = columns
                    .column(column)
                    .is_some_and(|column| column.kind.ends_with("without time zone"));
                let value = match is_local {
                    true => format!("{moment} AT TIME ZONE 'UTC'"),
                    false => moment.to_owned(),
                };
                format!(
                    "UPDATE {name} SET {} = {value} WHERE {id} = CAST($2::text AS {})",
                    quoted(column),
                    user_id.cast
                )
            }),
            set_password: format!("{} WHERE {}{inherits}", update(&table.password), is_named("$2")),
            set_active: table.is_active.as_deref().map(|name_of_flag| {
                let declared = columns.column(name_of_flag).map_or("boolean", |c| &c.declared);
                format!(
                    "UPDATE {name} SET {} = CAST($1::text AS {declared}) WHERE {}{inherits}",
                    quoted(name_of_flag),
                    is_named("$2")
                )
            }),
            key: key_type.kind,
            user_id,
            login: login_type,
            fields,
            rights: Rights::new(&table, dialect),
            table,
        })
    }

    fn found(&self, row: &Row) -> Result<Found<String>, tokio_postgres::Error> {
        let text = |at: usize| {
            let text: Option<Text> = row.try_get(at)?;
            Ok(text.map(|text| text.0).unwrap_or_default())
        };
        let user = User {
            id: self.user_id.kind.id_of(text(1)?),
            username: self.login.kind.shown(text(2)?),
            is_active: row.try_get(3)?,
            is_staff: row.try_get(4)?,
            is_superuser: row.try_get(5)?,
            password: text(6)?,
            rehashed_from: None,
            fields: self.fields_of(row)?,
        };
        Ok(Found { key: text(0)?, user })
    }

    fn fields_of(
        &self,
        row: &Row,
    ) -> Result<BTreeMap<String, serde_json::Value>, tokio_postgres::Error> {
        let json = |(at, field): (usize, &Field)| {
            let text: Option<Text> = row.try_get(FIXED + at)?;
            let value = text.map_or(serde_json::Value::Null, |text| field.kind.json(text.0));
            Ok((field.name.clone(), value))
        };
        self.fields.iter().enumerate().map(json).collect()
    }
}

/// Each statement that a request runs over the table.
pub(crate) fn statements(
    table: &UserTable,
    checked: Checked,
    uses: &Uses,
) -> Result<Vec<String>, SchemaError> {
    let Sql {
        table: _,
        key: _,
        user_id: _,
        login: _,
        fields: _,
        rights: _,
        by_login,
        by_user_id,
        page: _,
        replace_hash,
        last_login,
        set_password: _,
        set_active: _,
    } = Sql::new(table.clone(), checked, uses.sessions)?;
    let mut statements = vec![by_login, lookup::statement(&by_user_id)];
    statements.extend(uses.rehash.then_some(replace_hash));
    statements.extend(last_login.filter(|_| uses.last_login));
    Ok(statements)
}

impl PostgresUsers {
    /// The users of a table. Passwords are compared by the threads of `pool`.
    ///
    /// # Errors
    /// [`SchemaError`] where the table or a column is missing, isn't of a type that can be used, or
    /// isn't unique although users are found by it; names it and says what there is.
    pub async fn open(
        database: &PostgresDatabase,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Self, SchemaError> {
        let client = database.attempts("open").client().await?;
        let table = schema::resolved(&client, &table).await?;
        let has_sessions = schema::check_sessions(&client).await.is_ok();
        let checked = async {
            let checked = schema::check_users(&client, &table).await?;
            schema::check_unique(&client, &table, &found_by(&table)).await?;
            Ok(checked)
        };
        match checked.await {
            Ok(checked) => {
                let sql = Arc::new(Sql::new(table, checked, has_sessions)?);
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

    /// The table that the users are in.
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

    /// The rows that a statement over the tables of groups and permissions finds.
    async fn rights(&self, right: Right, user: &UserId) -> Result<Vec<Vec<String>>, StoreError> {
        let known = match self.sql.rights.known(right) {
            Some(statement) => Some(statement),
            None => self.learn(right).await?,
        };
        let key = self.sql.user_id.kind.parse(user).map(parameter);
        let (Some(sql), Some(key)) = (known, key) else { return Ok(Vec::new()) };
        // In a block of its own, out of which the error comes instead of out of this function.
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
        // In a block of its own, out of which the error comes instead of out of this function.
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
        // The type or the collation may take another text for the same; the claim has to be the
        // id itself.
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
