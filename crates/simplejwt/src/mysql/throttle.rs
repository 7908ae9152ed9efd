//! Counters of failures in MySQL or MariaDB.

use std::collections::HashMap;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Row, Value, params};

use super::MysqlDatabase;
use super::database::{attempt, changed, column};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::throttle::{Charge, CounterId, ThrottleStore, micros};

const ARRIVALS: &str = "SELECT id, arrival FROM simplejwt_throttle WHERE id IN ({})";
/// Each statement by itself is a transaction, so none waits for a row with another one locked.
const CHARGE: &str = "\
    INSERT INTO simplejwt_throttle (id, arrival) VALUES (:id, :at + :cost) \
    ON DUPLICATE KEY UPDATE arrival = GREATEST(arrival, :at) + :cost";
const CLEAR: &str = "DELETE FROM simplejwt_throttle WHERE id = :id";
const FLUSH: &str =
    "DELETE FROM simplejwt_throttle WHERE arrival <= :before ORDER BY arrival LIMIT :batch";

/// Returns all statements, each with `true` if only the purge runs it.
pub(super) fn statements() -> [(String, bool); 4] {
    [
        (ARRIVALS.replace("{}", "?"), false),
        (CHARGE.replace(":id", "?").replace(":at", "?").replace(":cost", "?"), false),
        (CLEAR.replace(":id", "?"), false),
        (FLUSH.replace(":before", "?").replace(":batch", "?"), true),
    ]
}

#[async_trait]
impl ThrottleStore for MysqlDatabase {
    async fn arrivals(&self, ids: &[CounterId]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let texts: Vec<String> = ids.iter().map(CounterId::to_hex).collect();
        let sql = ARRIVALS.replace("{}", &vec!["?"; texts.len()].join(", "));
        let found = attempt!(self.attempts("arrivals"), |conn| async {
            let values: Vec<Value> = texts.iter().map(Value::from).collect();
            let rows: Vec<Row> = conn.exec(sql.as_str(), values).await?;
            let row = |row: &Row| Ok((column(row, 0)?, column(row, 1)?));
            rows.iter().map(row).collect::<Result<HashMap<String, i64>, _>>()
        })?;
        let arrival = |id| found.get(id).copied().map(Timestamp::from_micros);
        Ok(texts.iter().map(arrival).collect())
    }

    async fn charge(&self, charges: &[Charge], at: Timestamp) -> Result<(), StoreError> {
        for Charge { id, cost } in charges {
            attempt!(self.attempts("charge"), |conn| async {
                let (at, cost) = (at.as_micros(), micros(*cost));
                changed(conn, CHARGE, params! { "id" => id.to_hex(), at, cost }).await
            })?;
        }
        Ok(())
    }

    async fn clear(&self, id: CounterId) -> Result<(), StoreError> {
        attempt!(self.attempts("clear"), |conn| async {
            changed(conn, CLEAR, params! { "id" => id.to_hex() }).await
        })
        .map(drop)
    }

    async fn flush_counters(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        attempt!(self.attempts("flush_counters"), |conn| {
            changed(conn, FLUSH, params! { "before" => before.as_micros(), "batch" => batch })
        })
    }
}
