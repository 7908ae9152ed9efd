//! A table as the server describes it, including its engine and its collations.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::Check;
use crate::mysql::database::{Failure, column};
use crate::mysql::schema::{self, described};
use crate::sql::check::{FoundTable, Needed, Problem, Relation, Severity};
use crate::sql::schema::Table;
use crate::sql::table::backticked;

const RELATION: &str = "\
    SELECT TABLE_TYPE, coalesce(ENGINE, '') FROM information_schema.TABLES \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table";
const INDEXES: &str = "\
    SELECT s.COLUMN_NAME, s.INDEX_NAME, s.NON_UNIQUE = 0, s.SEQ_IN_INDEX, s.SUB_PART IS NOT NULL, \
    (SELECT COUNT(*) FROM information_schema.STATISTICS AS o WHERE o.TABLE_SCHEMA = DATABASE() \
    AND o.TABLE_NAME = s.TABLE_NAME AND o.INDEX_NAME = s.INDEX_NAME) \
    FROM information_schema.STATISTICS AS s \
    WHERE s.TABLE_SCHEMA = DATABASE() AND s.TABLE_NAME = :table";
const REFERS: &str = "\
    SELECT COLUMN_NAME, REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table AND REFERENCED_TABLE_NAME IS NOT NULL";

impl Check<'_> {
    /// Reports a table whose engine isn't InnoDB.
    pub(super) fn engine(&mut self, table: &str, engine: &str, severity: Severity) {
        if !engine.eq_ignore_ascii_case("InnoDB") {
            let what = format!("the table \"{table}\" is kept by {engine}, without transactions");
            let line = format!("ALTER TABLE {} ENGINE = InnoDB;", backticked(table));
            self.problems.push(match severity {
                Severity::Error => Problem::error(table, what, line),
                _ => Problem::warning(table, what, line),
            });
        }
    }

    /// Reports columns of our own tables whose texts aren't compared byte by byte.
    pub(super) async fn collations(
        &mut self,
        conn: &mut Conn,
        needed: &Needed,
    ) -> Result<(), Failure> {
        for (found, collation) in described(conn, needed.name).await? {
            let Some(collation) = collation else { continue };
            let Some(column) =
                needed.columns.iter().find(|one| one.name.eq_ignore_ascii_case(&found.name))
            else {
                continue;
            };
            if collation.charset != "utf8mb4" || !collation.name.ends_with("_bin") {
                let what = format!(
                    "the column \"{}\" of the table \"{}\" has the collation {}, which doesn't \
                     compare by bytes",
                    found.name, needed.name, collation.name
                );
                let line = self.lines.retype(needed, column, &found.declared);
                self.problems.push(Problem::error(needed.name, what, line));
            }
        }
        Ok(())
    }
}

/// Returns the server's description of a table, and the table's engine.
pub(super) async fn found(conn: &mut Conn, name: &str) -> Result<(FoundTable, String), Failure> {
    let row: Option<Row> = conn.exec_first(RELATION, params! { "table" => name }).await?;
    let Some(row) = row else { return Ok((FoundTable::default(), String::new())) };
    let (kind, engine): (String, String) = (column(&row, 0)?, column(&row, 1)?);
    let relation = match kind.as_str() {
        "BASE TABLE" => Relation::Table,
        "VIEW" => Relation::Other("a view"),
        _ => Relation::Other("no table of the database's"),
    };
    let columns = schema::columns(conn, name).await?;
    let mut table = Table { columns, ..Table::default() };
    let (mut nearly_unique, mut indexed) = (BTreeMap::new(), Vec::new());
    let rows: Vec<Row> = conn.exec(INDEXES, params! { "table" => name }).await?;
    for row in &rows {
        // An expression has no column.
        let Some(of) = column::<Option<String>>(row, 0)? else { continue };
        let index: String = column(row, 1)?;
        let (is_unique, place): (bool, u64) = (column(row, 2)?, column(row, 3)?);
        let (is_prefix, count): (bool, u64) = (column(row, 4)?, column(row, 5)?);
        if place == 1 {
            indexed.push(of.clone());
        }
        match (is_unique, count, is_prefix) {
            (true, 1, false) => table.unique.push(of),
            (true, 1, true) => {
                nearly_unique.insert(of, format!("{index} is on its first characters"));
            }
            (true, ..) => {
                nearly_unique.insert(of, format!("{index} is on several columns"));
            }
            (false, ..) => {}
        }
    }
    let rows: Vec<Row> = conn.exec(REFERS, params! { "table" => name }).await?;
    for row in &rows {
        table.refers.push((column(row, 0)?, column(row, 1)?));
    }
    Ok((FoundTable { relation, table, nearly_unique, indexed }, engine))
}
