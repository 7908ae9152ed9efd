//! Counters of failures in an SQLite file.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::SqliteDatabase;
use crate::clock::Timestamp;
use crate::error::StoreError;

use crate::store::throttle::{Charge, CounterId, ThrottleStore, micros};

const ARRIVAL: &str = "SELECT arrival FROM simplejwt_throttle WHERE id = ?1";
const CHARGE: &str = "\
    INSERT INTO simplejwt_throttle (id, arrival) VALUES (?1, ?2 + ?3) \
    ON CONFLICT (id) DO UPDATE SET arrival = max(arrival, ?2) + ?3";
const CLEAR: &str = "DELETE FROM simplejwt_throttle WHERE id = ?1";
const FLUSH: &str = "\
    DELETE FROM simplejwt_throttle WHERE id IN \
    (SELECT id FROM simplejwt_throttle WHERE arrival <= ?1 LIMIT ?2)";

/// All statements, each with `true` if only the purge runs it.
pub(super) const STATEMENTS: [(&str, bool); 4] =
    [(ARRIVAL, false), (CHARGE, false), (CLEAR, false), (FLUSH, true)];

#[async_trait]
impl ThrottleStore for SqliteDatabase {
    async fn arrivals(&self, ids: &[CounterId]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        self.read("arrivals", |connection| {
            let mut statement = connection.prepare_cached(ARRIVAL)?;
            let mut arrivals = Vec::with_capacity(ids.len());
            for id in ids {
                let mut rows = statement.query([id.to_hex()])?;
                let row = rows.next()?;
                let arrival = row.map(|row| row.get(0)).transpose()?;
                arrivals.push(arrival.map(Timestamp::from_micros));
            }
            Ok(arrivals)
        })
    }

    async fn charge(&self, charges: &[Charge], at: Timestamp) -> Result<(), StoreError> {
        if charges.is_empty() {
            return Ok(());
        }
        let charges = charges.to_vec();
        let charge = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(CHARGE)?;
            for Charge { id, cost } in &charges {
                statement.execute(params![id.to_hex(), at.as_micros(), micros(*cost)])?;
            }
            Ok(())
        };
        self.write("charge", charge).await
    }

    async fn clear(&self, id: CounterId) -> Result<(), StoreError> {
        let clear = move |connection: &Connection| {
            connection.prepare_cached(CLEAR)?.execute([id.to_hex()])?;
            Ok(())
        };
        self.write("clear", clear).await
    }

    async fn flush_counters(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let flush = move |connection: &Connection| {
            let values = params![before.as_micros(), batch];
            Ok(connection.prepare_cached(FLUSH)?.execute(values)? as u64)
        };
        self.write("flush_counters", flush).await
    }
}
