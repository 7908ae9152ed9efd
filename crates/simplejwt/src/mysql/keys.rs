//! The keys of a ring in MySQL or MariaDB.

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Error, Row, params};

use super::MysqlDatabase;
use super::database::{Failure, attempt, begin, changed, column, commit, exists, rollback};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::keys::ring::StoredKey;
use crate::store::keys::KeyStore;

const ALL: &str = "\
    SELECT number, kid, algorithm, material, created_at, activates_at, verifies_until \
    FROM simplejwt_signing_key ORDER BY number";
const ADD: &str = "\
    INSERT INTO simplejwt_signing_key \
    (number, kid, algorithm, material, created_at, activates_at, verifies_until) \
    VALUES (:number, :kid, :algorithm, :material, :created_at, :activates_at, :until)";
const END_OTHERS: &str = "\
    UPDATE simplejwt_signing_key SET verifies_until = :until \
    WHERE number < :number AND verifies_until IS NULL";
const RETIRE: &str = "\
    UPDATE simplejwt_signing_key SET verifies_until = LEAST(COALESCE(verifies_until, :at), :at) \
    WHERE kid = :kid";
const IS_THERE: &str = "SELECT 1 FROM simplejwt_signing_key WHERE kid = :kid";
/// The newest one in a table of its own: MySQL doesn't read the table that it deletes from.
const DELETE: &str = "\
    DELETE k FROM simplejwt_signing_key AS k \
    JOIN (SELECT MAX(number) AS newest FROM simplejwt_signing_key) AS n ON k.number < n.newest \
    WHERE k.verifies_until <= :before";

/// All statements, each with `true` if only the purge runs it.
pub(super) const STATEMENTS: [(&str, bool); 6] = [
    (ALL, false),
    (ADD, false),
    (END_OTHERS, false),
    (RETIRE, false),
    (IS_THERE, false),
    (DELETE, true),
];

fn stored_key(row: &Row) -> Result<StoredKey, Failure> {
    Ok(StoredKey {
        number: column(row, 0)?,
        kid: column(row, 1)?,
        algorithm: column(row, 2)?,
        key: column(row, 3)?,
        created_at: Timestamp::from_micros(column(row, 4)?),
        activates_at: Timestamp::from_micros(column(row, 5)?),
        verifies_until: column::<Option<i64>>(row, 6)?.map(Timestamp::from_micros),
    })
}

fn is_duplicate(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == 1062)
}

#[async_trait]
impl KeyStore for MysqlDatabase {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        attempt!(self.attempts("keys"), |conn| async {
            let rows: Vec<Row> = conn.exec(ALL, ()).await?;
            rows.iter().map(stored_key).collect()
        })
    }

    async fn add_key(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, StoreError> {
        attempt!(self.attempts("add_key"), |conn| async {
            let values = params! {
                "number" => key.number,
                "kid" => &key.kid,
                "algorithm" => &key.algorithm,
                "material" => &key.key,
                "created_at" => key.created_at.as_micros(),
                "activates_at" => key.activates_at.as_micros(),
                "until" => key.verifies_until.map(Timestamp::as_micros),
            };
            begin(conn).await?;
            match conn.exec_drop(ADD, values).await {
                Ok(()) => {}
                Err(error) if is_duplicate(&error) => {
                    rollback(conn).await?;
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
            let values = params! { "number" => key.number, "until" => others_until.as_micros() };
            conn.exec_drop(END_OTHERS, values).await?;
            commit(conn).await?;
            Ok(true)
        })
    }

    async fn retire_key(&self, kid: &str, at: Timestamp) -> Result<bool, StoreError> {
        attempt!(self.attempts("retire_key"), |conn| async {
            changed(conn, RETIRE, params! { "kid" => kid, "at" => at.as_micros() }).await?;
            exists(conn, IS_THERE, params! { "kid" => kid }).await
        })
    }

    async fn delete_keys(&self, before: Timestamp) -> Result<u64, StoreError> {
        attempt!(self.attempts("delete_keys"), |conn| {
            changed(conn, DELETE, params! { "before" => before.as_micros() })
        })
    }
}
