//! The purge of Django's tables: a reader finds and judges the tokens that are due, and a job of
//! the writing thread deletes them.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::datetime::text;
use crate::clock::Timestamp;
use crate::sql::candidates::{Candidate, Verdict};
use crate::sql::references::{ForeignKey, OnDelete, References, TableName};
use crate::sql::schema::{BLACKLISTED, OUTSTANDING};
use crate::sql::table::quoted;
use crate::store::flush::{FlushExpired, Flushed, Position};

const CANDIDATES: &str = "\
    FROM token_blacklist_outstandingtoken AS o WHERE o.expires_at <= ?1 AND o.expires_at >= ?2 \
    AND (o.expires_at > ?2 OR o.id > ?3) ORDER BY o.expires_at, o.id LIMIT ?4";
const PUT_OFF: &str = "\
    UPDATE token_blacklist_outstandingtoken SET expires_at = ?2 WHERE id = ?1 AND expires_at < ?2";
/// The ids are passed as a list in JSON, so that the statement is the same for any number of them.
const GIVEN: &str = "SELECT value FROM json_each(?1)";
const ENTRIES: &str = "\
    DELETE FROM token_blacklist_blacklistedtoken WHERE token_id IN (\
    SELECT value FROM json_each(?1))";

/// The foreign keys of all tables, one row for each column.
const FOREIGN_KEYS: &str = "\
    SELECT m.name, f.id, f.\"table\", f.\"from\", coalesce(f.\"to\", (SELECT p.name \
    FROM pragma_table_info(f.\"table\") AS p WHERE p.pk = f.seq + 1)), f.on_delete \
    FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' \
    ORDER BY m.name, f.id, f.seq";

/// All statements.
pub(super) fn statements() -> Vec<String> {
    vec![
        format!("SELECT o.id, o.token, o.expires_at, NULL {CANDIDATES}"),
        PUT_OFF.to_owned(),
        ENTRIES.to_owned(),
        format!("DELETE FROM {OUTSTANDING} WHERE id IN ({GIVEN})"),
    ]
}

/// The tables that refer to tokens, and the version that the file's schema had then.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    pub(super) references: References,
    version: i64,
}

/// Reads the catalogue. Rows of `users` are never deleted.
pub(super) fn catalogue(connection: &Connection, users: &str) -> rusqlite::Result<Catalogue> {
    let version = version(connection)?;
    Ok(Catalogue { references: references(connection, users)?, version })
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA schema_version", (), |row| row.get(0))
}

fn references(connection: &Connection, users: &str) -> rusqlite::Result<References> {
    let table = |name: String| TableName { sql: quoted(&name), name };
    let mut keys: Vec<ForeignKey> = Vec::new();
    let mut last = None;
    let mut statement = connection.prepare(FOREIGN_KEYS)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (name, id): (String, i64) = (row.get(0)?, row.get(1)?);
        let parent: String = row.get(2)?;
        let column: String = row.get(3)?;
        // A key that leads nowhere prevents no deletion.
        let Some(other) = row.get::<_, Option<String>>(4)? else { continue };
        let pair = (quoted(&column), quoted(&other));
        if last != Some((name.clone(), id)) {
            last = Some((name.clone(), id));
            keys.push(ForeignKey {
                name: column,
                table: table(name),
                parent: table(parent),
                columns: Vec::new(),
                on_delete: OnDelete::parse(&row.get::<_, String>(5)?),
            });
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(pair);
        }
    }
    Ok(References::new(&keys, &[users]))
}

/// Returns candidates, and the position where the next step continues.
pub(super) fn candidates(
    connection: &Connection,
    flush: &FlushExpired,
    references: &References,
) -> rusqlite::Result<(Vec<Candidate>, Option<Position>)> {
    let sql = format!(
        "SELECT o.id, o.token, o.expires_at, {} {CANDIDATES}",
        references.kept_by(flush.cascade)
    );
    let (after, id) = flush.after.as_ref().and_then(parse).unwrap_or((String::new(), i64::MIN));
    let mut last = None;
    let mut read = |row: &Row<'_>| {
        let (id, column): (i64, String) = (row.get(0)?, row.get(2)?);
        let candidate = Candidate {
            id,
            token: row.get(1)?,
            expires_at: moment(&column),
            kept_by: row.get::<_, Option<u16>>(3)?.map(usize::from),
        };
        last = Some(Position(format!("{id} {column}")));
        Ok(candidate)
    };
    let due = text(flush.retention.due(flush.at));
    let found = connection
        .prepare_cached(&sql)?
        .query_map(params![due, after, id, flush.batch], &mut read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let full = found.len() >= flush.batch as usize;
    Ok((found, last.filter(|_| full)))
}

/// Parses a position of the reader's: the column's stored value, and the row's id.
fn parse(position: &Position) -> Option<(String, i64)> {
    let (id, column) = position.0.split_once(' ')?;
    Some((column.to_owned(), id.parse().ok()?))
}

/// Carries out the verdict.
pub(super) fn carry_out(
    connection: &Connection,
    flush: &FlushExpired,
    catalogue: &Catalogue,
    users: &str,
    verdict: &Verdict,
    flushed: &mut Flushed,
) -> rusqlite::Result<()> {
    // An unknown foreign key that is deferred would make the whole commit fail, with the other jobs
    // in it.
    let newer = match version(connection)? == catalogue.version {
        true => None,
        false => Some(references(connection, users)?),
    };
    let references = newer.as_ref().unwrap_or(&catalogue.references);
    let mut put_off = connection.prepare_cached(PUT_OFF)?;
    for (id, until) in &verdict.put_off {
        put_off.execute(params![id, text(*until)])?;
    }
    if verdict.delete.is_empty() {
        return Ok(());
    }
    let mut ids = list(&verdict.delete);
    // A row may have come to refer to one since then.
    let kept = kept_among(connection, references, flush.cascade, &ids)?;
    if !kept.is_empty() {
        for key in kept.values().filter_map(|at| references.keeping(flush.cascade).get(*at)) {
            flushed.keep(&key.constraint, &key.table);
        }
        let free: Vec<_> =
            verdict.delete.iter().filter(|id| !kept.contains_key(id)).copied().collect();
        ids = list(&free);
    }
    if flush.cascade {
        for sql in references.nested_deletes(GIVEN) {
            connection.prepare_cached(&sql)?.execute([&ids])?;
        }
    }
    connection.prepare_cached(ENTRIES)?.execute([&ids])?;
    let sql = format!("DELETE FROM {OUTSTANDING} WHERE id IN ({GIVEN})");
    flushed.deleted += connection.prepare_cached(&sql)?.execute([&ids])? as u64;
    Ok(())
}

/// Returns the tokens that are referred to, each with the foreign key that does.
fn kept_among(
    connection: &Connection,
    references: &References,
    cascade: bool,
    ids: &str,
) -> rusqlite::Result<BTreeMap<i64, usize>> {
    if references.keeping(cascade).is_empty() {
        return Ok(BTreeMap::new());
    }
    let kept_by = references.kept_by(cascade);
    let sql = format!(
        "SELECT o.id, {kept_by} FROM {OUTSTANDING} AS o WHERE o.id IN ({GIVEN}) \
         AND {kept_by} IS NOT NULL"
    );
    let read = |row: &Row<'_>| Ok((row.get(0)?, usize::from(row.get::<_, u16>(1)?)));
    connection.prepare_cached(&sql)?.query_map([ids], read)?.collect()
}

fn list(ids: &[i64]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    format!("[{}]", ids.join(","))
}

/// Parses a datetime as Django writes it, in UTC; returns `None` for any other text.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    let moment = Offset::UTC.to_timestamp(civil).ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

/// Returns `true` if the tables of the blacklist exist, and Django created them or they have rows.
pub(super) fn blacklist_in_use(connection: &Connection) -> rusqlite::Result<bool> {
    let has = |table: &str| {
        connection
            .prepare(
                "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
            )?
            .exists([table])
    };
    if !has(OUTSTANDING)? || !has(BLACKLISTED)? {
        return Ok(false);
    }
    if has("django_migrations")? {
        let sql = "SELECT 1 FROM django_migrations WHERE app = 'token_blacklist' LIMIT 1";
        if connection.prepare(sql)?.query_row((), |_| Ok(())).optional()?.is_some() {
            return Ok(true);
        }
    }
    connection.prepare(&format!("SELECT 1 FROM {OUTSTANDING} LIMIT 1"))?.exists(())
}
