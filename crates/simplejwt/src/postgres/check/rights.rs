//! The rights of the role on a table and on its sequences.

use std::collections::BTreeMap;

use super::{Check, is_for_tokens};
use crate::postgres::tokens::PgResult;
use crate::sql::check::{Access, Lines, Problem, Right};
use crate::sql::table::relation;

/// Selects those of these rights that the role lacks, on a column or the whole table.
const DENIED: &str = "\
    SELECT r.n FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS r (privilege, name, n) \
    LEFT JOIN pg_attribute AS a ON a.attrelid = to_regclass($1) AND a.attname = r.name \
    AND NOT a.attisdropped \
    WHERE CASE WHEN r.name IS NULL THEN NOT has_table_privilege(to_regclass($1), r.privilege) \
    WHEN a.attnum IS NULL THEN false \
    ELSE NOT has_column_privilege(to_regclass($1), a.attnum, r.privilege) END ORDER BY r.n";
/// Selects the sequences that the table's defaults use and the role may not use. Identity columns
/// need no right.
const SEQUENCES: &str = "\
    SELECT s.oid::regclass::text FROM pg_attrdef AS d JOIN pg_depend AS p \
    ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid \
    AND p.refclassid = 'pg_class'::regclass \
    JOIN pg_class AS s ON s.oid = p.refobjid WHERE d.adrelid = to_regclass($1) \
    AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') \
    ELSE false END";

impl Check<'_> {
    /// Reports rights on a table that the role lacks.
    pub(super) async fn rights_on(&mut self, name: &str, wanted: &[Right]) -> PgResult<()> {
        let (mut words, mut columns, mut of) = (Vec::new(), Vec::new(), Vec::new());
        for (at, right) in wanted.iter().enumerate() {
            let names: Vec<Option<&str>> = match right.access {
                Access::Delete => vec![None],
                _ => right.columns.iter().map(|name| Some(name.as_str())).collect(),
            };
            for column in names {
                words.push(right.access.word());
                columns.push(column);
                of.push(at);
            }
        }
        let quoted = relation(name);
        let rows = self.client.query(DENIED, &[&quoted, &words, &columns]).await?;
        let mut denied: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for row in &rows {
            let at = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or_default();
            if let (Some(right), Some(column)) = (of.get(at), columns.get(at)) {
                denied.entry(*right).or_default().extend(column.map(str::to_owned));
            }
        }
        let grantee = &self.role.grantee;
        for (at, mut missing) in denied {
            let Some(right) = wanted.get(at) else { continue };
            // Our own tables, and Django's for tokens, have no column worth withholding.
            let is_all = missing.len() == right.columns.len();
            if is_all && is_for_tokens(name) && right.access != Access::Update {
                missing.clear();
            }
            self.problems.push(right.denied(name, &missing, &quoted, grantee, &Lines::Postgres));
        }
        if wanted.iter().any(|right| right.access == Access::Insert) {
            for row in self.client.query(SEQUENCES, &[&quoted]).await? {
                let sequence: String = row.try_get(0)?;
                let what =
                    format!("{} may not draw numbers from the sequence {sequence}", grantee.who);
                let line = format!("GRANT USAGE ON SEQUENCE {sequence} TO {};", grantee.name);
                self.problems.push(Problem::error(name, what, line));
            }
        }
        Ok(())
    }
}
