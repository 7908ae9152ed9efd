//! Rows that replace others of the generation before: concurrent ones by one statement.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use tokio_postgres::types::ToSql;

use super::micros;
use super::sql::REPLACE;
use crate::error::StoreError;
use crate::postgres::encoding::Encoding;
use crate::postgres::tokens::PgResult;
use crate::postgres::{PostgresDatabase, run};
use crate::sql::batch::Work;
use crate::store::rows::SessionRow;

/// The statement, and the database that it runs on.
pub(in crate::postgres) struct Replacing {
    database: PostgresDatabase,
    encoding: Encoding,
}

impl Replacing {
    pub(in crate::postgres) fn new(database: &PostgresDatabase, encoding: Encoding) -> Self {
        Self { database: database.clone(), encoding }
    }
}

#[async_trait]
impl Work for Replacing {
    type Item = SessionRow;
    /// `true` if the row had the generation before.
    type Answer = bool;

    fn operation(&self) -> &'static str {
        "refresh"
    }

    fn key(row: &SessionRow) -> Option<&str> {
        Some(&row.id)
    }

    async fn run(&self, rows: &[SessionRow]) -> Result<Vec<bool>, StoreError> {
        let mut rows: Vec<(usize, &SessionRow)> = rows.iter().enumerate().collect();
        // Others take them in the same order.
        rows.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        let (places, rows): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let replaced =
            run!(self.database, "refresh", |client| replace(&client, self.encoding, &rows))?;
        let mut answers = vec![false; rows.len()];
        for (place, is_replaced) in places.into_iter().zip(replaced) {
            if let Some(answer) = answers.get_mut(place) {
                *answer = is_replaced;
            }
        }
        Ok(answers)
    }
}

/// Replaces rows; returns `true` for each that had the generation before.
pub(super) async fn replace(
    client: &impl GenericClient,
    encoding: Encoding,
    rows: &[&SessionRow],
) -> PgResult<Vec<bool>> {
    let texts = |text: fn(&SessionRow) -> Option<&str>| -> Vec<Option<&str>> {
        rows.iter().map(|row| text(row)).collect()
    };
    let times = |time: fn(&SessionRow) -> Option<i64>| -> Vec<Option<i64>> {
        rows.iter().map(|row| time(row)).collect()
    };
    let spent: Vec<String> = rows.iter().map(|row| row.spent.to_text()).collect();
    let shown: Vec<_> = rows.iter().map(|row| encoding.fitted(&row.client)).collect();
    let addresses: Vec<Option<&str>> = shown.iter().map(|shown| shown.address.as_deref()).collect();
    let values: [&(dyn ToSql + Sync); 14] = [
        &texts(|row| Some(&row.id)),
        &times(|row| Some(row.generation)),
        &texts(|row| Some(&row.jti)),
        &times(|row| Some(row.issued_at.as_micros())),
        &times(|row| Some(row.used_at.as_micros())),
        &times(|row| Some(row.expires_at.as_micros())),
        &texts(|row| row.access_jti.as_deref()),
        &spent,
        &texts(|row| row.password.as_deref()),
        &addresses,
        &times(|row| micros(row.ended_at)),
        &texts(|row| row.end_reason.as_deref()),
        &times(|row| micros(row.blacklisted_at)),
        &times(|row| Some(row.kept_until.as_micros())),
    ];
    let statement = client.prepare_cached(REPLACE).await?;
    let mut replaced = vec![false; rows.len()];
    for row in client.query(&statement, &values).await? {
        let number: i64 = row.try_get(0)?;
        let place = usize::try_from(number - 1).ok().and_then(|place| replaced.get_mut(place));
        if let Some(place) = place {
            *place = true;
        }
    }
    Ok(replaced)
}
