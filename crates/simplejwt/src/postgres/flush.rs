//! The purge of Django's tables: tokens that are due are read and judged first, and then deleted by
//! a statement that locks nothing that others hold.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp as Moment;
use tokio_postgres::error::SqlState;

use super::encoding::Text;
use super::tokens::{PgResult, moment};
use super::{PostgresStore, run};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::logging::with_causes;
use crate::sql::candidates::Candidate;
use crate::sql::references::{ForeignKey, OnDelete, References, TableName};
use crate::sql::schema::{BLACKLISTED, OUTSTANDING};
use crate::sql::table::relation;
use crate::store::flush::{FlushExpired, Flushed, Position};

const CANDIDATES: &str = "\
    FROM token_blacklist_outstandingtoken AS o WHERE o.expires_at <= $1 AND o.expires_at >= $2 \
    AND (o.expires_at > $2 OR o.id > $3::bigint) ORDER BY o.expires_at, o.id LIMIT $4";
const PUT_OFF: &str = "\
    UPDATE token_blacklist_outstandingtoken AS o SET expires_at = late.expires_at \
    FROM unnest($1::bigint[], $2::timestamptz[]) AS late (id, expires_at) \
    WHERE o.id = late.id AND o.expires_at < late.expires_at \
    AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'";
/// The commit doesn't wait for the disk: what a crash brings back is deleted by the next purge.
const DELETE: &str = "\
    WITH due AS (SELECT id FROM token_blacklist_outstandingtoken \
    WHERE id = ANY ($1::bigint[]) \
    AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off' \
    ORDER BY id FOR UPDATE SKIP LOCKED), \
    entries AS (DELETE FROM token_blacklist_blacklistedtoken \
    WHERE token_id = ANY (ARRAY(SELECT id FROM due))) \
    DELETE FROM token_blacklist_outstandingtoken WHERE id = ANY (ARRAY(SELECT id FROM due))";
const LOCK: &str = "\
    SELECT id::bigint FROM token_blacklist_outstandingtoken \
    WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED";
/// All foreign keys that lead to tokens, also through other tables: one row for each column.
const FOREIGN_KEYS: &str = "\
    WITH RECURSIVE found AS (SELECT to_regclass($1)::oid AS relid \
    UNION SELECT c.conrelid FROM pg_constraint AS c JOIN found ON c.confrelid = found.relid \
    WHERE c.contype = 'f') \
    SELECT c.oid::bigint, c.conname::text, c.conrelid::regclass::text, \
    CASE c.confrelid WHEN to_regclass($1)::oid THEN $1 WHEN to_regclass($2)::oid THEN $2 \
    ELSE c.confrelid::regclass::text END, \
    CASE c.conrelid WHEN to_regclass($1)::oid THEN $1 WHEN to_regclass($2)::oid THEN $2 \
    WHEN to_regclass($3)::oid THEN $3 ELSE c.conrelid::regclass::text END, \
    CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' \
    WHEN 'd' THEN 'SET DEFAULT' ELSE '' END, \
    quote_ident(a.attname), quote_ident(p.attname), c.confrelid::regclass::text \
    FROM pg_constraint AS c JOIN found ON c.confrelid = found.relid \
    CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (child, parent, n) \
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.child \
    JOIN pg_attribute AS p ON p.attrelid = c.confrelid AND p.attnum = k.parent \
    WHERE c.contype = 'f' AND c.conparentid = 0 ORDER BY c.oid, k.n";

/// The same for a role that may not lock rows, which takes the right to UPDATE.
const DELETE_UNLOCKED: &str = "\
    WITH entries AS (DELETE FROM token_blacklist_blacklistedtoken \
    WHERE token_id = ANY ($1::bigint[]) \
    AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off') \
    DELETE FROM token_blacklist_outstandingtoken WHERE id = ANY ($1::bigint[])";
const MAY_LOCK: &str = "\
    SELECT has_any_column_privilege('token_blacklist_outstandingtoken', 'UPDATE')";

/// All statements.
pub(super) fn statements() -> Vec<String> {
    let candidates = format!("SELECT o.id::bigint, o.token, o.expires_at, NULL::int {CANDIDATES}");
    let others = [PUT_OFF, DELETE, DELETE_UNLOCKED, MAY_LOCK, LOCK];
    others.map(str::to_owned).into_iter().chain([candidates]).collect()
}

/// Returns the tables that refer to tokens. Rows of `users` are never deleted.
pub(super) async fn references(client: &impl GenericClient, users: &str) -> PgResult<References> {
    let guarded = relation(users);
    let rows = client.query(FOREIGN_KEYS, &[&OUTSTANDING, &BLACKLISTED, &guarded]).await?;
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    for row in &rows {
        let pair = (row.try_get(6)?, row.try_get(7)?);
        match keys.get_mut(&row.try_get(0)?) {
            Some(key) => key.columns.push(pair),
            None => {
                let key = ForeignKey {
                    name: row.try_get(1)?,
                    table: TableName { name: row.try_get(4)?, sql: row.try_get(2)? },
                    parent: TableName { name: row.try_get(3)?, sql: row.try_get(8)? },
                    columns: vec![pair],
                    on_delete: OnDelete::parse(row.try_get(5)?),
                };
                keys.insert(row.try_get(0)?, key);
            }
        }
    }
    let keys: Vec<_> = keys.into_values().collect();
    Ok(References::new(&keys, &[&guarded]))
}

/// Returns candidates, and the position where the next step continues.
pub(super) async fn candidates(
    client: &impl GenericClient,
    flush: &FlushExpired,
    references: &References,
) -> PgResult<(Vec<Candidate>, Option<Position>)> {
    let sql = format!(
        "SELECT o.id::bigint, o.token, o.expires_at, ({})::int {CANDIDATES}",
        references.kept_by(flush.cascade)
    );
    let first = (i64::MIN, i64::MIN);
    let (after, id) = flush.after.as_ref().and_then(parse).unwrap_or(first);
    let (due, after) =
        (moment(flush.retention.due(flush.at)), moment(Timestamp::from_micros(after)));
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[&due, &after, &id, &i64::from(flush.batch)]).await?;
    let mut last = None;
    let mut candidates = Vec::with_capacity(rows.len());
    for row in &rows {
        let (id, expires_at): (i64, Moment) = (row.try_get(0)?, row.try_get(2)?);
        last = Some(Position(format!("{} {id}", expires_at.as_microsecond())));
        candidates.push(Candidate {
            id,
            token: row.try_get::<_, Text>(1)?.0,
            expires_at: Some(Timestamp::from_micros(expires_at.as_microsecond())),
            kept_by: row.try_get::<_, Option<i32>>(3)?.and_then(|at| usize::try_from(at).ok()),
        });
    }
    let full = rows.len() >= flush.batch as usize;
    Ok((candidates, last.filter(|_| full)))
}

fn parse(position: &Position) -> Option<(i64, i64)> {
    let (expires_at, id) = position.0.split_once(' ')?;
    Some((expires_at.parse().ok()?, id.parse().ok()?))
}

/// Corrects the columns of tokens that aren't due.
pub(super) async fn put_off(
    client: &impl GenericClient,
    tokens: &[(i64, Timestamp)],
) -> PgResult<()> {
    let (ids, times): (Vec<i64>, Vec<Moment>) =
        tokens.iter().map(|(id, until)| (*id, moment(*until))).unzip();
    let statement = client.prepare_cached(PUT_OFF).await?;
    match client.execute(&statement, &[&ids, &times]).await {
        // The only cost is that the next purge meets them again.
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(()),
        done => done.map(drop),
    }
}

/// The foreign key that prevented a deletion.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) constraint: String,
    pub(super) table: String,
}

/// Deletes tokens, and returns how many. Skips those that others have locked.
pub(super) async fn delete(
    client: &mut Object,
    ids: &[i64],
    references: &References,
    cascade: bool,
) -> PgResult<Result<u64, Violation>> {
    let deleted = if cascade {
        delete_cascading(client, ids, references).await
    } else {
        let ask = client.prepare_cached(MAY_LOCK).await?;
        let may_lock = client.query_one(&ask, &[]).await?.try_get(0)?;
        let sql = if may_lock { DELETE } else { DELETE_UNLOCKED };
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&ids]).await
    };
    match deleted {
        Ok(deleted) => Ok(Ok(deleted)),
        Err(error) => match error.as_db_error() {
            Some(found)
                if [SqlState::FOREIGN_KEY_VIOLATION, SqlState::RESTRICT_VIOLATION]
                    .contains(found.code()) =>
            {
                let word = |word: Option<&str>| word.unwrap_or("?").to_owned();
                let (constraint, table) = (word(found.constraint()), word(found.table()));
                // The error arrives before the transaction's locks are released: another connection
                // would still skip these rows.
                client.batch_execute("").await?;
                Ok(Err(Violation { constraint, table }))
            }
            _ => Err(error),
        },
    }
}

async fn delete_cascading(
    client: &mut Object,
    ids: &[i64],
    references: &References,
) -> PgResult<u64> {
    let transaction = client.transaction().await?;
    let lock = transaction.prepare_cached(LOCK).await?;
    let rows = transaction.query(&lock, &[&ids]).await?;
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<PgResult<Vec<i64>>>()?;
    for sql in references.nested_deletes("SELECT unnest($1::bigint[])") {
        let statement = transaction.prepare_cached(&sql).await?;
        transaction.execute(&statement, &[&ids]).await?;
    }
    let statement = transaction.prepare_cached(DELETE).await?;
    let deleted = transaction.execute(&statement, &[&ids]).await?;
    transaction.commit().await?;
    Ok(deleted)
}

/// Returns `true` if Django created the tables of the blacklist, or they have rows.
pub(super) async fn blacklist_in_use(client: &impl GenericClient) -> PgResult<bool> {
    const THERE: &str = "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL, \
        to_regclass('django_migrations') IS NOT NULL";
    let row = client.query_one(THERE, &[&OUTSTANDING, &BLACKLISTED]).await?;
    let (tables, migrations): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
    if !tables {
        return Ok(false);
    }
    if migrations {
        let sql = "SELECT EXISTS (SELECT 1 FROM django_migrations WHERE app = 'token_blacklist')";
        if client.query_one(sql, &[]).await?.try_get(0)? {
            return Ok(true);
        }
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken)";
    client.query_one(sql, &[]).await?.try_get(0)
}

impl PostgresStore {
    /// Returns the foreign keys that lead to tokens. `anew` reads them again, as when a purge
    /// begins.
    pub(super) async fn references(&self, anew: bool) -> Result<Arc<References>, StoreError> {
        if anew {
            let users = &self.users;
            let found = async {
                run!(self.database, "flush_expired", |client| self::references(&client, users))
            };
            let found: Result<References, StoreError> = found.await;
            self.know(found.unwrap_or_else(|error| {
                tracing::debug!(
                    event = "foreign_keys_unreadable",
                    error = with_causes(&error),
                    "foreign keys can't be read: each row is tried"
                );
                References::default()
            }));
        }
        Ok(Arc::clone(&self.references.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(super) fn know(&self, references: References) {
        *self.references.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(references);
    }

    /// Deletes tokens, one by one if a foreign key prevents the deletion of some.
    pub(super) async fn delete(
        &self,
        ids: &[i64],
        references: &References,
        cascade: bool,
        flushed: &mut Flushed,
    ) -> Result<(), StoreError> {
        let all = run!(self.database, "flush_expired", |client| {
            self::delete(&mut client, ids, references, cascade)
        })?;
        match all {
            Ok(deleted) => flushed.deleted += deleted,
            Err(violation) if ids.len() == 1 => {
                flushed.keep(&violation.constraint, &violation.table);
            }
            Err(_) => {
                for id in ids {
                    let one = run!(self.database, "flush_expired", |client| {
                        self::delete(&mut client, std::slice::from_ref(id), references, cascade)
                    })?;
                    match one {
                        Ok(deleted) => flushed.deleted += deleted,
                        Err(found) => flushed.keep(&found.constraint, &found.table),
                    }
                }
            }
        }
        Ok(())
    }
}
