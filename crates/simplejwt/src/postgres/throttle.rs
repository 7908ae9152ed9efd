//! Counters of failures in PostgreSQL.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{PostgresDatabase, run};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::throttle::{Charge, CounterId, ThrottleStore, micros};

const ARRIVALS: &str = "SELECT id, arrival FROM simplejwt_throttle WHERE id = ANY($1::varchar[])";
/// In the order of the ids, so that no two wait for each other.
const CHARGE: &str = "\
    INSERT INTO simplejwt_throttle AS t (id, arrival) \
    SELECT c.id, $3::bigint + c.cost FROM unnest($1::varchar[], $2::bigint[]) AS c (id, cost) \
    ORDER BY c.id \
    ON CONFLICT (id) DO UPDATE \
    SET arrival = greatest(t.arrival, $3::bigint) + (excluded.arrival - $3::bigint)";
const CLEAR: &str = "DELETE FROM simplejwt_throttle WHERE id = $1";
/// Rows that somebody is charging are left for the next time.
const FLUSH: &str = "\
    DELETE FROM simplejwt_throttle WHERE id IN \
    (SELECT id FROM simplejwt_throttle WHERE arrival <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// All statements, each with `true` if only the purge runs it.
pub(super) const STATEMENTS: [(&str, bool); 4] =
    [(ARRIVALS, false), (CHARGE, false), (CLEAR, false), (FLUSH, true)];

#[async_trait]
impl ThrottleStore for PostgresDatabase {
    async fn arrivals(&self, ids: &[CounterId]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let texts: Vec<String> = ids.iter().map(CounterId::to_hex).collect();
        let found = run!(self, "arrivals", |client| async {
            let statement = client.prepare_cached(ARRIVALS).await?;
            let rows = client.query(&statement, &[&texts]).await?;
            let row = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
            rows.iter().map(row).collect::<super::tokens::PgResult<HashMap<String, i64>>>()
        })?;
        let arrival = |id| found.get(id).copied().map(Timestamp::from_micros);
        Ok(texts.iter().map(arrival).collect())
    }

    async fn charge(&self, charges: &[Charge], at: Timestamp) -> Result<(), StoreError> {
        if charges.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = charges.iter().map(|charge| charge.id.to_hex()).collect();
        let costs: Vec<i64> = charges.iter().map(|charge| micros(charge.cost)).collect();
        run!(self, "charge", |client| async {
            let statement = client.prepare_cached(CHARGE).await?;
            client.execute(&statement, &[&ids, &costs, &at.as_micros()]).await.map(drop)
        })
    }

    async fn clear(&self, id: CounterId) -> Result<(), StoreError> {
        run!(self, "clear", |client| async {
            let statement = client.prepare_cached(CLEAR).await?;
            client.execute(&statement, &[&id.to_hex()]).await.map(drop)
        })
    }

    async fn flush_counters(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        run!(self, "flush_counters", |client| async {
            let statement = client.prepare_cached(FLUSH).await?;
            client.execute(&statement, &[&before.as_micros(), &i64::from(batch)]).await
        })
    }
}
