//! The statements over a users' table, and reading its rows.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value, params};

use crate::mysql::database::Failure;
use crate::sql::check::Uses;
use crate::sql::column::{ColumnType, UserColumns};
use crate::sql::fields::{Field, FieldType};
use crate::sql::rights::{Dialect, Rights};
use crate::sql::table::{Key, UserTable, backticked};
use crate::users::User;
use crate::users::login::Found;

/// The statements, with the table's names in them.
pub(super) struct Sql {
    pub(super) table: UserTable,
    pub(super) key: ColumnType,
    pub(super) user_id: ColumnType,
    pub(super) login: ColumnType,
    pub(super) fields: Vec<Field>,
    pub(super) rights: Rights,
    pub(super) by_login: String,
    pub(super) by_user_id: String,
    /// The same for several users, with `{}` for a list.
    pub(super) by_user_ids: String,
    pub(super) first_page: String,
    pub(super) next_page: String,
    pub(super) replace_hash: String,
    pub(super) last_login: Option<String>,
    pub(super) set_password: String,
    pub(super) set_active: Option<String>,
}

/// The number of columns before the further ones.
const FIXED: usize = 7;

impl Sql {
    pub(super) fn new(table: UserTable, columns: UserColumns) -> Self {
        let UserColumns { key: key_type, user_id, login: login_type, fields, .. } = columns;
        let name = backticked(&table.table);
        let key = backticked(&table.primary_key);
        let id = backticked(table.user_id_column());
        let login = backticked(&table.login);
        let password = backticked(&table.password);
        // For booleans, numbers and bits alike.
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
            // The collation may consider another text equal.
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
        // A user without an id can't have tokens: they would be those of every user without one.
        let has_id = match table.user_id_column() == table.primary_key {
            true => String::new(),
            false => format!(" AND {id} IS NOT NULL"),
        };
        Self {
            // Two rows reveal a value that isn't unique.
            by_login: format!("{select} WHERE {login} = :value{has_id}{inherits} LIMIT 2"),
            by_user_id: format!("{select} WHERE {id} = :value{inherits} LIMIT 2"),
            by_user_ids: format!("{select} WHERE {id} IN ({{}}){inherits}"),
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

    pub(super) fn found(&self, row: &Row) -> Result<Found<Key>, Failure> {
        let at = |at: usize| row.as_ref(at).ok_or(Failure::Shape);
        let key = match at(0)? {
            Value::Int(number) => Key::Integer(*number),
            Value::UInt(number) => {
                i64::try_from(*number).map_or(Key::Unsigned(*number), Key::Integer)
            }
            other => Key::Text(value_text(other)?),
        };
        let user = User {
            id: self.user_id.id_of(value_text(at(1)?)?),
            username: self.login.canonical(value_text(at(2)?)?),
            is_active: is_true(at(3)?),
            is_staff: is_true(at(4)?),
            is_superuser: is_true(at(5)?),
            password: value_text(at(6)?)?,
            rehashed_from: None,
            fields: self.further(row)?,
        };
        Ok(Found { key, user })
    }

    pub(super) fn further(
        &self,
        row: &Row,
    ) -> Result<BTreeMap<String, serde_json::Value>, Failure> {
        let json = |(at, field): (usize, &Field)| {
            let value = match row.as_ref(FIXED + at).ok_or(Failure::Shape)? {
                Value::NULL => serde_json::Value::Null,
                value => field.kind.json(text_of(value, field.kind)?),
            };
            Ok((field.name.clone(), value))
        };
        self.fields.iter().enumerate().map(json).collect()
    }

    /// Returns the rows with a unique value: one at most, or more if it is no longer unique.
    pub(super) async fn all(
        &self,
        conn: &mut Conn,
        sql: &str,
        value: &Key,
    ) -> Result<Vec<Found<Key>>, Failure> {
        let rows: Vec<Row> = conn.exec(sql, params! { "value" => Value::from(value) }).await?;
        rows.iter().map(|row| self.found(row)).collect()
    }
}

/// Returns a value as text; null is empty.
pub(super) fn value_text(value: &Value) -> Result<String, Failure> {
    Ok(match value {
        Value::NULL => String::new(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return Err(Failure::Shape),
    })
}

/// Returns a further column's value as text in the form that [`FieldType::json`] takes.
fn text_of(value: &Value, kind: FieldType) -> Result<String, Failure> {
    Ok(match value {
        Value::Float(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Date(year, month, day, ..) if kind == FieldType::Date => {
            format!("{year:04}-{month:02}-{day:02}")
        }
        Value::Date(year, month, day, hour, minute, second, micros) => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
        }
        // A time of day; MySQL's type ranges from -838 to 838 hours.
        Value::Time(is_negative, days, hour, minute, second, micros) => {
            let sign = if *is_negative { "-" } else { "" };
            let hours = u64::from(*days) * 24 + u64::from(*hour);
            format!("{sign}{hours:02}:{minute:02}:{second:02}.{micros:06}")
        }
        Value::Bytes(_) if kind == FieldType::Boolean => u8::from(is_true(value)).to_string(),
        other => value_text(other)?,
    })
}

pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Int(number) => *number != 0,
        Value::UInt(number) => *number != 0,
        // A constant of the statement, or a `bit(1)`.
        Value::Bytes(bytes) => !matches!(bytes.as_slice(), b"" | b"0" | [0]),
        _ => false,
    }
}

/// Returns all statements that requests run over the table.
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
        by_user_ids,
        first_page: _,
        next_page: _,
        replace_hash,
        last_login,
        set_password: _,
        set_active: _,
    } = Sql::new(table.clone(), columns);
    let mut statements = vec![by_login, by_user_id, by_user_ids.replace("{}", "?")];
    statements.extend(uses.rehash.then_some(replace_hash));
    statements.extend(last_login.filter(|_| uses.last_login));
    statements
}
