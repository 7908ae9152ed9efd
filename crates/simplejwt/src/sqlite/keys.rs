//! The keys of a ring in an SQLite file.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::SqliteDatabase;
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
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
const END_OTHERS: &str = "\
    UPDATE simplejwt_signing_key SET verifies_until = ?2 \
    WHERE number < ?1 AND verifies_until IS NULL";
const RETIRE: &str = "\
    UPDATE simplejwt_signing_key SET verifies_until = min(coalesce(verifies_until, ?2), ?2) \
    WHERE kid = ?1";
const DELETE: &str = "\
    DELETE FROM simplejwt_signing_key WHERE verifies_until <= ?1 \
    AND number < (SELECT max(number) FROM simplejwt_signing_key)";

/// All statements, each with `true` if only the purge runs it.
pub(super) const STATEMENTS: [(&str, bool); 5] =
    [(ALL, false), (ADD, false), (END_OTHERS, false), (RETIRE, false), (DELETE, true)];

fn stored_key(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    Ok(StoredKey {
        number: row.get(0)?,
        kid: row.get(1)?,
        algorithm: row.get(2)?,
        key: row.get(3)?,
        created_at: Timestamp::from_micros(row.get(4)?),
        activates_at: Timestamp::from_micros(row.get(5)?),
        verifies_until: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_micros),
    })
}

#[async_trait]
impl KeyStore for SqliteDatabase {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read("keys", |connection| {
            connection.prepare_cached(ALL)?.query_map((), stored_key)?.collect()
        })
    }

    async fn add_key(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, StoreError> {
        let key = key.clone();
        let add = move |connection: &Connection| {
            let added = connection.prepare_cached(ADD)?.execute(params![
                key.number,
                key.kid,
                key.algorithm,
                key.key,
                key.created_at.as_micros(),
                key.activates_at.as_micros(),
                key.verifies_until.map(Timestamp::as_micros),
            ])?;
            if added == 1 {
                let values = params![key.number, others_until.as_micros()];
                connection.prepare_cached(END_OTHERS)?.execute(values)?;
            }
            Ok(added == 1)
        };
        self.write("add_key", add).await
    }

    async fn retire_key(&self, kid: &str, at: Timestamp) -> Result<bool, StoreError> {
        let kid = kid.to_owned();
        let retire = move |connection: &Connection| {
            let values = params![kid, at.as_micros()];
            Ok(connection.prepare_cached(RETIRE)?.execute(values)? == 1)
        };
        self.write("retire_key", retire).await
    }

    async fn delete_keys(&self, before: Timestamp) -> Result<u64, StoreError> {
        let delete = move |connection: &Connection| {
            let deleted = connection.prepare_cached(DELETE)?.execute([before.as_micros()])?;
            Ok(deleted as u64)
        };
        self.write("delete_keys", delete).await
    }
}
