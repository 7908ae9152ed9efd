//! Users in MySQL or MariaDB: Django's `auth_user` or the table of a custom user model.

mod delete;
mod manage;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value, params};

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::mysql::database::{Failure, attempt, begin, commit};
use crate::mysql::datetime::datetime;
use crate::mysql::tokens::changed;
use crate::mysql::{MysqlDatabase, schema, sessions};
use crate::sql::check::Uses;
use crate::sql::column::{ColumnType, UserColumns};
use crate::sql::fields::{Field, Kind};
use crate::sql::lookup::{nothing_of, only};
use crate::sql::manage::UserOptions;
use crate::sql::rights::{self, Dialect, Right, Rights};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::{Key, UserTable, backticked};
use crate::users::login::{Found, LoginRows, PasswordSample, Passwords};
use crate::users::password::{HashingPool, PasswordSurvey};
use crate::users::{Credentials, User, UserId, UserStore, password_fingerprint};

/// The users in a [`MysqlDatabase`].
///
/// The login name is compared as the column's collation has it, as Django does: with MySQL's
/// usual ones `ALICE` logs in as `alice`. The tokens are those of the one user there is.
#[derive(Clone)]
pub struct MysqlUsers {
    database: MysqlDatabase,
    passwords: Passwords,
    options: UserOptions,
    /// Whether the database has sessions, which may be tied to passwords.
    has_sessions: bool,
    sql: Arc<Sql>,
}

impl fmt::Debug for MysqlUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlUsers")
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
    user_id: ColumnType,
    login: ColumnType,
    fields: Vec<Field>,
    rights: Rights,
    by_login: String,
    by_user_id: String,
    first_page: String,
    next_page: String,
    replace_hash: String,
    last_login: Option<String>,
    set_password: String,
    set_active: Option<String>,
}

/// How many columns stand before the further ones.
const FIXED: usize = 7;

impl Sql {
    fn new(table: UserTable, columns: UserColumns) -> Self {
        let UserColumns { key: key_type, user_id, login: login_type, fields, .. } = columns;
        let name = backticked(&table.table);
        let key = backticked(&table.primary_key);
        let id = backticked(table.user_id_column());
        let login = backticked(&table.login);
        let password = backticked(&table.password);
        // Of booleans, numbers and bits alike.
        let flag = |column: &Option<String>, without: &str| match column {
            Some(column) => format!("coalesce({} <> 0, 0)", backticked(column)),
            None => without.to_owned(),
        };
        let further: String = fields
            .iter()
            .map(|field| format!(", {}", table.expression(&field.name, backticked, backticked)))
            .collect();
        let inherits = table.and_inherits(&name, backticked, backticked);
        let select = format!(
            "SELECT {key}, {id}, {login}, {}, {}, {}, {password}{further} FROM {name}",
            flag(&table.is_active, "1"),
            flag(&table.is_staff, "0"),
            flag(&table.is_superuser, "0"),
        );
        let exactly = match user_id {
            // The collation may take another text for the same.
            ColumnType::Text => format!(
                " AND HEX(CONVERT({id} USING utf8mb4)) = HEX(CONVERT(:value USING utf8mb4))"
            ),
            ColumnType::Integer { .. } | ColumnType::Uuid => String::new(),
        };
        let dialect = Dialect {
            quote: backticked,
            is_the_user: format!("{id} = :value{exactly}"),
            is_active: flag(&table.is_active, "1"),
            is_superuser: flag(&table.is_superuser, "0"),
        };
        let update = |column: &str| format!("UPDATE {name} SET {} = :value", backticked(column));
        // Whoever has no id can't have tokens: they would be those of all who have none.
        let has_id = match table.user_id_column() == table.primary_key {
            true => String::new(),
            false => format!(" AND {id} IS NOT NULL"),
        };
        Self {
            // Two show what isn't unique.
            by_login: format!("{select} WHERE {login} = :value{has_id}{inherits} LIMIT 2"),
            by_user_id: format!("{select} WHERE {id} = :value{inherits} LIMIT 2"),
            first_page: format!("{select} WHERE 1 = 1{inherits} ORDER BY {login} LIMIT :limit"),
            next_page: format!(
                "{select} WHERE {login} > :after{inherits} ORDER BY {login} LIMIT :limit"
            ),
            replace_hash: format!(
                "{} WHERE {key} = :key AND {password} = :old",
                update(&table.password)
            ),
            last_login: table
                .last_login
                .as_deref()
                .map(|column| format!("{} WHERE {id} = :key", update(column))),
            set_password: format!("{} WHERE {login} = :key{inherits}", update(&table.password)),
            set_active: table
                .is_active
                .as_deref()
                .map(|column| format!("{} WHERE {login} = :key{inherits}", update(column))),
            key: key_type,
            user_id,
            login: login_type,
            fields,
            rights: Rights::new(&table, dialect),
            table,
        }
    }

    fn found(&self, row: &Row) -> Result<Found<Key>, Failure> {
        let at = |at: usize| row.as_ref(at).ok_or(Failure::Shape);
        let key = match at(0)? {
            Value::Int(number) => Key::Integer(*number),
            Value::UInt(number) => {
                i64::try_from(*number).map_or(Key::Unsigned(*number), Key::Integer)
            }
            other => Key::Text(shown(other)?),
        };
        let user = User {
            id: self.user_id.id_of(shown(at(1)?)?),
            username: self.login.shown(shown(at(2)?)?),
            is_active: is_true(at(3)?),
            is_staff: is_true(at(4)?),
            is_superuser: is_true(at(5)?),
            password: shown(at(6)?)?,
            rehashed_from: None,
            fields: self.further(row)?,
        };
        Ok(Found { key, user })
    }

    fn further(&self, row: &Row) -> Result<BTreeMap<String, serde_json::Value>, Failure> {
        let json = |(at, field): (usize, &Field)| {
            let value = match row.as_ref(FIXED + at).ok_or(Failure::Shape)? {
                Value::NULL => serde_json::Value::Null,
                value => field.kind.json(text_of(value, field.kind)?),
            };
            Ok((field.name.clone(), value))
        };
        self.fields.iter().enumerate().map(json).collect()
    }

    /// The rows with a value that is unique: one, or more where it isn't any longer.
    async fn all(
        &self,
        conn: &mut Conn,
        sql: &str,
        value: &Key,
    ) -> Result<Vec<Found<Key>>, Failure> {
        let rows: Vec<Row> = conn.exec(sql, params! { "value" => Value::from(value) }).await?;
        rows.iter().map(|row| self.found(row)).collect()
    }
}

/// A value as text; null is empty.
fn shown(value: &Value) -> Result<String, Failure> {
    Ok(match value {
        Value::NULL => String::new(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return Err(Failure::Shape),
    })
}

/// A value of a further column as text of the form that [`Kind::json`] takes.
fn text_of(value: &Value, kind: Kind) -> Result<String, Failure> {
    Ok(match value {
        Value::Float(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Date(year, month, day, ..) if kind == Kind::Date => {
            format!("{year:04}-{month:02}-{day:02}")
        }
        Value::Date(year, month, day, hour, minute, second, micros) => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
        }
        // A time of day; MySQL's type goes from -838 to 838 hours.
        Value::Time(is_negative, days, hour, minute, second, micros) => {
            let sign = if *is_negative { "-" } else { "" };
            let hours = u64::from(*days) * 24 + u64::from(*hour);
            format!("{sign}{hours:02}:{minute:02}:{second:02}.{micros:06}")
        }
        Value::Bytes(_) if kind == Kind::Boolean => u8::from(is_true(value)).to_string(),
        other => shown(other)?,
    })
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Int(number) => *number != 0,
        Value::UInt(number) => *number != 0,
        // A constant of the statement, or a `bit(1)`.
        Value::Bytes(bytes) => !matches!(bytes.as_slice(), b"" | b"0" | [0]),
        _ => false,
    }
}

/// Each statement that a request runs over the table.
pub(crate) fn statements(table: &UserTable, columns: UserColumns, uses: &Uses) -> Vec<String> {
    let Sql {
        table: _,
        key: _,
        user_id: _,
        login: _,
        fields: _,
        rights: _,
        by_login,
        by_user_id,
        first_page: _,
        next_page: _,
        replace_hash,
        last_login,
        set_password: _,
        set_active: _,
    } = Sql::new(table.clone(), columns);
    let mut statements = vec![by_login, by_user_id];
    statements.extend(uses.rehash.then_some(replace_hash));
    statements.extend(last_login.filter(|_| uses.last_login));
    statements
}

async fn check(
    conn: &mut Conn,
    table: &UserTable,
) -> Result<(UserTable, UserColumns), SchemaError> {
    let table = schema::resolved(conn, table).await?;
    let columns = schema::check_users(conn, &table).await?;
    schema::check_unique(conn, &table, &found_by(&table)).await?;
    Ok((table, columns))
}

impl MysqlUsers {
    /// The users of a table. Passwords are compared by the threads of `pool`.
    ///
    /// # Errors
    /// [`SchemaError`] where the table or a column is missing, isn't of a type that can be used, or
    /// isn't unique although users are found by it; names it and says what there is.
    pub async fn open(
        database: &MysqlDatabase,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Self, SchemaError> {
        let (checked, has_sessions) = attempt!(database.attempts("open"), |conn| async {
            let has_sessions = schema::check_sessions(conn).await.is_ok();
            Ok((check(conn, &table).await, has_sessions))
        })?;
        let (table, columns) = checked?;
        let sql = Arc::new(Sql::new(table, columns));
        Ok(Self {
            database: database.clone(),
            passwords: Passwords::new(pool),
            options,
            has_sessions,
            sql,
        })
    }

    /// The table that the users are in.
    pub fn table(&self) -> &UserTable {
        &self.sql.table
    }

    async fn learn(&self, right: Right) -> Result<Option<&str>, StoreError> {
        let operation = right.operation();
        let tables = self.sql.rights.tables(right);
        let found = attempt!(self.database.attempts(operation), |conn| async {
            let mut found = Vec::new();
            for name in &tables {
                found.push(schema::columns(conn, name).await?);
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
        let (Some(sql), Some(key)) = (known, self.sql.user_id.parse(user)) else {
            return Ok(Vec::new());
        };
        let found = attempt!(self.database.attempts(right.operation()), |conn| async {
            let rows: Vec<Row> = conn.exec(sql, params! { "value" => Value::from(&key) }).await?;
            let texts = |row: &Row| {
                let text = |at| shown(row.as_ref(at).ok_or(Failure::Shape)?);
                (0..row.len()).map(text).collect()
            };
            rows.iter().map(texts).collect()
        });
        nothing_of(user.as_str(), found)
    }

    /// The one row with a value that is unique.
    async fn one(
        &self,
        operation: &'static str,
        sql: &str,
        key: &Key,
        text: &str,
    ) -> Result<Option<Found<Key>>, StoreError> {
        let found =
            attempt!(self.database.attempts(operation), |conn| self.sql.all(conn, sql, key));
        only(operation, nothing_of(text, found)?)
    }

    async fn replace(
        &self,
        conn: &mut Conn,
        found: &Found<Key>,
        new: &str,
    ) -> Result<bool, Failure> {
        let old = &found.user.password;
        let values = params! { "value" => new, "key" => Value::from(&found.key), "old" => old };
        begin(conn).await?;
        let replaced = changed(conn, &self.sql.replace_hash, values).await? > 0;
        if replaced && self.has_sessions {
            let (old, new) = (password_fingerprint(old), password_fingerprint(new));
            sessions::rehashed(conn, &found.user.id, &old, &new).await?;
        }
        commit(conn).await?;
        Ok(replaced)
    }
}

#[async_trait]
impl LoginRows for MysqlUsers {
    type Key = Key;

    async fn by_login(&self, name: &str) -> Result<Option<Found<Key>>, StoreError> {
        let Some(key) = self.sql.login.parse_login(name) else { return Ok(None) };
        self.one("authenticate", &self.sql.by_login, &key, name).await
    }

    async fn replace_hash(&self, found: &Found<Key>, new: &str) -> Result<bool, StoreError> {
        let attempts = self.database.attempts("authenticate");
        attempt!(attempts, |conn| self.replace(conn, found, new))
    }

    async fn password_sample(&self) -> Result<PasswordSample, StoreError> {
        let table = &self.sql.table;
        attempt!(self.database.attempts("sample"), |conn| sample::take(conn, table))
    }
}

#[async_trait]
impl UserStore for MysqlUsers {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        let allow_inactive = self.options.allow_inactive_login;
        self.passwords.authenticate(self, allow_inactive, credentials).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let sql = &self.sql;
        let Some(key) = sql.user_id.parse(id) else { return Ok(None) };
        let found = self.one("find", &sql.by_user_id, &key, id.as_str()).await?;
        // The collation may take another text for the same; the claim has to be the id itself.
        let exact = |user: &User| sql.user_id != ColumnType::Text || user.id == *id;
        Ok(found.map(|found| found.user).filter(exact))
    }

    async fn survey_passwords(&self) -> Result<PasswordSurvey, StoreError> {
        self.passwords.survey(self).await
    }

    async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let Some(key) = self.sql.user_id.parse(id) else { return Ok(()) };
        let Some(statement) = &self.sql.last_login else { return Ok(()) };
        let updated = attempt!(self.database.attempts("update_last_login"), |conn| async {
            let values = params! { "value" => datetime(at), "key" => Value::from(&key) };
            changed(conn, statement, values).await.map(drop)
        });
        nothing_of(id.as_str(), updated)
    }

    async fn groups(&self, user: &UserId) -> Result<Vec<String>, StoreError> {
        Ok(rights::groups(self.rights(Right::Groups, user).await?))
    }

    async fn permissions(&self, user: &UserId) -> Result<BTreeSet<String>, StoreError> {
        Ok(rights::permissions(self.rights(Right::Permissions, user).await?))
    }
}
