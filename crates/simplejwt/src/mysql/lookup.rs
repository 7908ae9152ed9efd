//! Rows found by a key, with one statement for all concurrent lookups.

use std::collections::HashMap;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Params, Row, Value};

use super::MysqlDatabase;
use super::database::{Failure, attempt, column};
use super::statements::Sql;
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::batch::Work;
use crate::sql::table::Key;

type Read<T> = Box<dyn Fn(&Row) -> Result<(String, T), Failure> + Send + Sync>;

/// A statement that finds at most one row for a key.
pub(crate) struct Lookup<T> {
    database: MysqlDatabase,
    operation: &'static str,
    sql: String,
    mark: String,
    read: Read<T>,
}

impl<T: Clone> Lookup<T> {
    /// `sql` finds the rows for a list of keys, whose place is `{}`; each of them is written as
    /// `mark`. `read` returns a row's key and value.
    pub(crate) fn new(
        database: &MysqlDatabase,
        operation: &'static str,
        sql: &str,
        mark: &str,
        read: impl Fn(&Row) -> Result<(String, T), Failure> + Send + Sync + 'static,
    ) -> Self {
        let (sql, mark) = (sql.to_owned(), mark.to_owned());
        Self { database: database.clone(), operation, sql, mark, read: Box::new(read) }
    }

    fn answers(&self, keys: &[Wanted], rows: &[Row]) -> Result<Vec<Found<T>>, Failure> {
        let mut found = HashMap::new();
        for row in rows {
            let (key, value) = (self.read)(row)?;
            let value = match found.contains_key(&key) {
                true => Found::Unknown,
                false => Found::One(value),
            };
            found.insert(key, value);
        }
        // Several may ask for the same.
        let answer = |wanted: &Wanted| found.get(&wanted.key).cloned().unwrap_or(Found::Nothing);
        Ok(keys.iter().map(answer).collect())
    }
}

/// Returns the lookup of blacklisted tokens.
pub(super) fn blacklisted(database: &MysqlDatabase, sql: &Sql) -> Lookup<()> {
    let Sql { are_blacklisted, jti_mark, .. } = sql;
    Lookup::new(database, "is_blacklisted", are_blacklisted, jti_mark, |row| {
        Ok((column(row, 0)?, ()))
    })
}

impl From<&Key> for Value {
    fn from(key: &Key) -> Self {
        match key {
            Key::Integer(number) => Self::from(*number),
            Key::Unsigned(number) => Self::from(*number),
            Key::Text(text) => Self::from(text),
        }
    }
}

/// A key that is looked up.
pub(crate) struct Wanted {
    /// What `read` returns for its row.
    pub(crate) key: String,
    pub(crate) value: Value,
}

impl Wanted {
    pub(crate) fn text(text: &str) -> Self {
        Self { key: text.to_owned(), value: Value::from(text) }
    }
}

/// The result for a key.
#[derive(Clone)]
pub(crate) enum Found<T> {
    One(T),
    Nothing,
    /// Unknown from this batch, perhaps because of another key: the caller looks by itself.
    Unknown,
}

#[async_trait]
impl<T: Clone + Send + 'static> Work for Lookup<T> {
    type Item = Wanted;
    type Answer = Found<T>;

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn key(_: &Wanted) -> Option<&str> {
        None
    }

    async fn run(&self, keys: &[Wanted]) -> Result<Vec<Found<T>>, StoreError> {
        // The last one fills the list up, so that there are few statements to prepare.
        let count = keys.len().next_power_of_two();
        let sql = self.sql.replace("{}", &vec![self.mark.as_str(); count].join(", "));
        let last = keys.last().map_or(Value::NULL, |last| last.value.clone());
        let mut values: Vec<Value> = keys.iter().map(|wanted| wanted.value.clone()).collect();
        values.resize(count, last);
        let outcome = attempt!(self.database.attempts(self.operation), |conn| async {
            let values = Params::Positional(values.clone());
            let rows: Vec<Row> = conn.exec(sql.as_str(), values).await?;
            self.answers(keys, &rows)
        });
        match outcome {
            Err(error)
                if matches!(
                    error.kind(),
                    StoreErrorKind::Incompatible | StoreErrorKind::Unstorable
                ) =>
            {
                Ok(keys.iter().map(|_| Found::Unknown).collect())
            }
            outcome => outcome,
        }
    }
}
