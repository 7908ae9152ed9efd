//! The purge of Django's tables: tokens that are due are read and judged first, and then deleted by
//! their ids.

use std::sync::{Arc, PoisonError};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::MysqlStore;
use super::database::{Failure, attempt, begin, column, commit};
use super::database::{changed, exists};
use super::datetime::datetime;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::logging::with_causes;
use crate::sql::candidates::{Candidate, Verdict};
use crate::sql::references::{ForeignKey, OnDelete, References, TableName};
use crate::sql::schema::{BLACKLISTED, OUTSTANDING};
use crate::sql::table::backticked;
use crate::store::OutstandingToken;
use crate::store::flush::{FlushExpired, Flushed, Position};

/// A datetime in microseconds since 1970.
const MICROS: &str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', o.{})";
const CANDIDATES: &str = "\
    FROM token_blacklist_outstandingtoken AS o WHERE o.expires_at <= :due \
    AND o.expires_at >= :after AND (o.expires_at > :after OR o.id > :id) \
    ORDER BY o.expires_at, o.id LIMIT :batch";
const PUT_OFF: &str = "\
    UPDATE token_blacklist_outstandingtoken SET expires_at = :until \
    WHERE id = :id AND expires_at < :until";
/// All foreign keys of the database, and those of others that lead into it: one row for each
/// column. Only those are shown that the user may know about.
const FOREIGN_KEYS: &str = "\
    SELECT k.CONSTRAINT_NAME, k.TABLE_SCHEMA, k.TABLE_NAME, k.TABLE_SCHEMA = DATABASE(), \
    k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, \
    k.REFERENCED_TABLE_SCHEMA = DATABASE(), k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE \
    FROM information_schema.KEY_COLUMN_USAGE AS k \
    JOIN information_schema.REFERENTIAL_CONSTRAINTS AS r \
    ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
    AND r.TABLE_NAME = k.TABLE_NAME WHERE k.REFERENCED_TABLE_NAME IS NOT NULL \
    AND (k.TABLE_SCHEMA = DATABASE() OR k.REFERENCED_TABLE_SCHEMA = DATABASE()) \
    ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION";

/// All statements.
pub(super) fn statements() -> Vec<String> {
    vec![
        candidates_with("NULL"),
        PUT_OFF.to_owned(),
        newest_sql(),
        format!("DELETE FROM {BLACKLISTED} WHERE token_id IN (0)"),
        format!("DELETE FROM {OUTSTANDING} WHERE id IN (0)"),
    ]
}

fn candidates_with(kept_by: &str) -> String {
    let expires_at = MICROS.replace("{}", "expires_at");
    format!("SELECT o.id, o.token, {expires_at}, {kept_by} {CANDIDATES}")
}

fn newest_sql() -> String {
    format!(
        "SELECT o.jti, o.token, {}, {} FROM {OUTSTANDING} AS o ORDER BY o.id DESC LIMIT :limit",
        MICROS.replace("{}", "created_at"),
        MICROS.replace("{}", "expires_at")
    )
}

/// Returns the tables that refer to tokens. Rows of `users` are never deleted.
pub(super) async fn references(conn: &mut Conn, users: &str) -> Result<References, Failure> {
    let rows: Vec<Row> = conn.query(FOREIGN_KEYS).await?;
    let table = |row: &Row, at: usize| -> Result<TableName, Failure> {
        let (schema, name): (String, String) = (column(row, at)?, column(row, at + 1)?);
        let sql = format!("{}.{}", backticked(&schema), backticked(&name));
        let is_ours: bool = column(row, at + 2)?;
        Ok(TableName { name: if is_ours { name } else { format!("{schema}.{name}") }, sql })
    };
    let mut keys: Vec<ForeignKey> = Vec::new();
    for row in &rows {
        let (name, child) = (column::<String>(row, 0)?, table(row, 1)?);
        let pair = (backticked(&column::<String>(row, 7)?), backticked(&column::<String>(row, 8)?));
        match keys.last_mut().filter(|key| key.name == name && key.table == child) {
            Some(key) => key.columns.push(pair),
            None => keys.push(ForeignKey {
                name,
                table: child,
                parent: table(row, 4)?,
                columns: vec![pair],
                on_delete: OnDelete::parse(&column::<String>(row, 9)?),
            }),
        }
    }
    Ok(References::new(&keys, &[users]))
}

/// Returns candidates, and the position where the next step continues.
pub(super) async fn candidates(
    conn: &mut Conn,
    flush: &FlushExpired,
    references: &References,
) -> Result<(Vec<Candidate>, Option<Position>), Failure> {
    let sql = candidates_with(&references.kept_by(flush.cascade));
    let first = (i64::MIN, i64::MIN);
    let (after, id) = flush.after.as_ref().and_then(parse).unwrap_or(first);
    let values = params! {
        "due" => datetime(flush.retention.due(flush.at)),
        "after" => datetime(Timestamp::from_micros(after)),
        "id" => id,
        "batch" => flush.batch,
    };
    let rows: Vec<Row> = conn.exec(sql, values).await?;
    let mut last = None;
    let mut candidates = Vec::with_capacity(rows.len());
    for row in &rows {
        let (id, expires_at): (i64, i64) = (column(row, 0)?, column(row, 2)?);
        last = Some(Position(format!("{expires_at} {id}")));
        candidates.push(Candidate {
            id,
            token: column(row, 1)?,
            expires_at: Some(Timestamp::from_micros(expires_at)),
            kept_by: column::<Option<i64>>(row, 3)?.and_then(|at| usize::try_from(at).ok()),
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
pub(super) async fn put_off(conn: &mut Conn, verdict: &Verdict) -> Result<(), Failure> {
    begin(conn).await?;
    for (id, until) in &verdict.put_off {
        changed(conn, PUT_OFF, params! { "id" => id, "until" => datetime(*until) }).await?;
    }
    commit(conn).await
}

/// The foreign key that prevented a deletion.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) constraint: String,
    pub(super) table: String,
}

/// Deletes tokens, and returns how many.
pub(super) async fn delete(
    conn: &mut Conn,
    ids: &[i64],
    references: &References,
    cascade: bool,
) -> Result<Result<u64, Violation>, Failure> {
    let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    begin(conn).await?;
    let mut statements = if cascade { references.joined_deletes(&ids) } else { Vec::new() };
    statements.push(format!("DELETE FROM {BLACKLISTED} WHERE token_id IN ({ids})"));
    statements.push(format!("DELETE FROM {OUTSTANDING} WHERE id IN ({ids})"));
    let mut deleted = 0;
    for statement in statements {
        match conn.query_drop(statement).await {
            Ok(()) => deleted = conn.affected_rows(),
            Err(error) => {
                let Some(violation) = violation(&error) else { return Err(error.into()) };
                super::database::rollback(conn).await?;
                return Ok(Err(violation));
            }
        }
    }
    commit(conn).await?;
    Ok(Ok(deleted))
}

/// Parses `… fails (`database`.`table`, CONSTRAINT `name` FOREIGN KEY …)`.
fn violation(error: &mysql_async::Error) -> Option<Violation> {
    let mysql_async::Error::Server(error) = error else { return None };
    if !matches!(error.code, 1217 | 1451) {
        return None;
    }
    let mut names = error.message.split('`').skip(1).step_by(2);
    // A user who may not know about the table isn't told its name.
    let table = names.nth(1).unwrap_or("?").to_owned();
    let constraint = names.next().unwrap_or("?").to_owned();
    Some(Violation { constraint, table })
}

pub(super) async fn newest(conn: &mut Conn, limit: u32) -> Result<Vec<OutstandingToken>, Failure> {
    let rows: Vec<Row> = conn.exec(newest_sql(), params! { "limit" => limit }).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        // A row whose times can't be read is left out.
        let times = column::<Option<i64>>(row, 2)?.zip(column::<Option<i64>>(row, 3)?);
        let Some((created_at, expires_at)) = times else { continue };
        found.push(OutstandingToken {
            jti: column(row, 0)?,
            token: column(row, 1)?,
            user_id: None,
            created_at: Timestamp::from_micros(created_at),
            expires_at: Timestamp::from_micros(expires_at),
        });
    }
    Ok(found)
}

/// Returns `true` if Django created the tables of the blacklist, or they have rows.
pub(super) async fn blacklist_in_use(conn: &mut Conn) -> Result<bool, Failure> {
    const THERE: &str = "SELECT 1 FROM information_schema.TABLES \
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table";
    for table in [OUTSTANDING, BLACKLISTED] {
        if !exists(conn, THERE, params! { "table" => table }).await? {
            return Ok(false);
        }
    }
    let django = "SELECT 1 FROM django_migrations WHERE app = 'token_blacklist' LIMIT 1";
    if exists(conn, THERE, params! { "table" => "django_migrations" }).await?
        && exists(conn, django, ()).await?
    {
        return Ok(true);
    }
    exists(conn, &format!("SELECT 1 FROM {OUTSTANDING} LIMIT 1"), ()).await
}

impl MysqlStore {
    /// Returns the foreign keys that lead to tokens. `anew` reads them again, as when a purge
    /// begins.
    pub(super) async fn references(&self, anew: bool) -> Result<Arc<References>, StoreError> {
        if anew {
            let attempts = self.database.attempts("flush_expired");
            let found = attempt!(attempts, |conn| self::references(conn, &self.users));
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
        let attempts = || self.database.attempts("flush_expired");
        let all = attempt!(attempts(), |conn| self::delete(conn, ids, references, cascade))?;
        match all {
            Ok(deleted) => flushed.deleted += deleted,
            Err(found) if ids.len() == 1 => flushed.keep(&found.constraint, &found.table),
            Err(_) => {
                for id in ids {
                    let id = std::slice::from_ref(id);
                    let one = attempt!(attempts(), |conn| {
                        self::delete(conn, id, references, cascade)
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
