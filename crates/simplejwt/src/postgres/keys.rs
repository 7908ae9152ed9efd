//! The keys of a ring in PostgreSQL.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::tokens::PgResult;
use super::{PostgresDatabase, run};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::keys::ring::StoredKey;
use crate::store::keys::KeyStore;

const ALL: &str = "\
    SELECT number, kid, algorithm, material, created_at, activates_at, verifies_until \
    FROM simplejwt_signing_key ORDER BY number";
/// One statement, which sees the other keys as they were before it.
const ADD: &str = "\
    WITH added AS (INSERT INTO simplejwt_signing_key \
    (number, kid, algorithm, material, created_at, activates_at, verifies_until) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING number), \
    ended AS (UPDATE simplejwt_signing_key AS k SET verifies_until = $8 FROM added \
    WHERE k.number < added.number AND k.verifies_until IS NULL) \
    SELECT count(*) FROM added";
const RETIRE: &str = "\
    UPDATE simplejwt_signing_key SET verifies_until = least(coalesce(verifies_until, $2), $2) \
    WHERE kid = $1";
const DELETE: &str = "\
    DELETE FROM simplejwt_signing_key WHERE verifies_until <= $1 \
    AND number < (SELECT max(number) FROM simplejwt_signing_key)";

/// All statements, each with `true` if only the purge runs it.
pub(super) const STATEMENTS: [(&str, bool); 4] =
    [(ALL, false), (ADD, false), (RETIRE, false), (DELETE, true)];

fn stored_key(row: &Row) -> PgResult<StoredKey> {
    Ok(StoredKey {
        number: row.try_get(0)?,
        kid: row.try_get(1)?,
        algorithm: row.try_get(2)?,
        key: row.try_get(3)?,
        created_at: Timestamp::from_micros(row.try_get(4)?),
        activates_at: Timestamp::from_micros(row.try_get(5)?),
        verifies_until: row.try_get::<_, Option<i64>>(6)?.map(Timestamp::from_micros),
    })
}

#[async_trait]
impl KeyStore for PostgresDatabase {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        run!(self, "keys", |client| async {
            let statement = client.prepare_cached(ALL).await?;
            client.query(&statement, &[]).await?.iter().map(stored_key).collect()
        })
    }

    async fn add_key(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, StoreError> {
        run!(self, "add_key", |client| async {
            let statement = client.prepare_cached(ADD).await?;
            let until = key.verifies_until.map(Timestamp::as_micros);
            let row = client
                .query_one(
                    &statement,
                    &[
                        &key.number,
                        &key.kid,
                        &key.algorithm,
                        &key.key,
                        &key.created_at.as_micros(),
                        &key.activates_at.as_micros(),
                        &until,
                        &others_until.as_micros(),
                    ],
                )
                .await?;
            Ok(row.try_get::<_, i64>(0)? == 1)
        })
    }

    async fn retire_key(&self, kid: &str, at: Timestamp) -> Result<bool, StoreError> {
        run!(self, "retire_key", |client| async {
            let statement = client.prepare_cached(RETIRE).await?;
            Ok(client.execute(&statement, &[&kid, &at.as_micros()]).await? == 1)
        })
    }

    async fn delete_keys(&self, before: Timestamp) -> Result<u64, StoreError> {
        run!(self, "delete_keys", |client| async {
            let statement = client.prepare_cached(DELETE).await?;
            client.execute(&statement, &[&before.as_micros()]).await
        })
    }
}
