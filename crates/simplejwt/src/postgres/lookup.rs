//! Rows found by a key, with one statement for all concurrent lookups.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::PostgresDatabase;
use super::tokens::PgResult;
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::batch::{Batches, Work};

type Read<T> = Box<dyn Fn(&Row) -> PgResult<T> + Send + Sync>;

/// The limit keeps the planner from joining whole tables, and reveals a key that isn't unique.
pub(crate) fn statement(select: &str) -> String {
    format!(
        "SELECT found.*, asked.n FROM unnest($1::text[]) WITH ORDINALITY AS asked (key, n) \
         CROSS JOIN LATERAL ({select} LIMIT 2) AS found ORDER BY asked.n"
    )
}

/// A statement that finds at most one row for a key.
pub(crate) struct Lookup<T> {
    database: PostgresDatabase,
    operation: &'static str,
    sql: String,
    read: Read<T>,
}

impl<T> Lookup<T> {
    /// `select` finds the row for `asked.key`, a text.
    pub(crate) fn new(
        database: &PostgresDatabase,
        operation: &'static str,
        select: &str,
        read: impl Fn(&Row) -> PgResult<T> + Send + Sync + 'static,
    ) -> Self {
        let sql = statement(select);
        Self { database: database.clone(), operation, sql, read: Box::new(read) }
    }

    fn answers(&self, keys: &[String], rows: &[Row]) -> PgResult<Vec<Found<T>>> {
        let mut answers: Vec<Found<T>> = keys.iter().map(|_| Found::Nothing).collect();
        for row in rows {
            let n: i64 = row.try_get(row.len() - 1)?;
            let place = usize::try_from(n - 1).ok().and_then(|n| answers.get_mut(n));
            if let Some(place) = place {
                *place = match place {
                    Found::Nothing => Found::One((self.read)(row)?),
                    _ => Found::Unknown,
                };
            }
        }
        Ok(answers)
    }
}

impl<T: Send + 'static> Batches<Lookup<T>> {
    /// Returns the row of a key.
    ///
    /// # Errors
    /// The database's, and `Incompatible` if there is more than one row.
    pub(crate) async fn find(&self, key: String) -> Result<Option<T>, StoreError> {
        let found = match self.run(key.clone()).await {
            Ok(Found::Unknown) => {
                // Another key may have been at fault.
                let answers = self.work().run(std::slice::from_ref(&key)).await;
                answers.map(|answers| answers.into_iter().next().unwrap_or(Found::Unknown))
            }
            found => found,
        };
        let found = match found {
            Err(error) if error.is_of(&key) => Found::Nothing,
            found => found?,
        };
        match found {
            Found::One(value) => Ok(Some(value)),
            Found::Nothing => Ok(None),
            Found::Unknown => Err(StoreError::new(
                self.work().operation(),
                StoreErrorKind::Incompatible,
                "there is more than one row with this key",
            )),
        }
    }
}

/// The result for a key.
pub(crate) enum Found<T> {
    One(T),
    Nothing,
    /// Unknown from this batch: the key has to be looked up by itself.
    Unknown,
}

#[async_trait]
impl<T: Send + 'static> Work for Lookup<T> {
    type Item = String;
    type Answer = Found<T>;

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn key(_: &String) -> Option<&str> {
        None
    }

    async fn run(&self, keys: &[String]) -> Result<Vec<Found<T>>, StoreError> {
        let mut attempts = self.database.attempts(self.operation);
        loop {
            let client = attempts.client().await?;
            let work = async {
                let statement = client.prepare_cached(&self.sql).await?;
                self.answers(keys, &client.query(&statement, &[&keys]).await?)
            };
            let outcome = attempts.limited(work).await;
            match attempts.settle(client, outcome) {
                Ok(None) => {}
                Ok(Some(answers)) => return Ok(answers),
                Err(error)
                    if keys.len() > 1
                        && matches!(
                            error.kind(),
                            StoreErrorKind::Incompatible | StoreErrorKind::Unstorable
                        ) =>
                {
                    return Ok(keys.iter().map(|_| Found::Unknown).collect());
                }
                Err(error) => return Err(error),
            }
        }
    }
}
