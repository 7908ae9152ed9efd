//! Compares a table with what is needed of it.

use std::collections::BTreeMap;

use crate::sql::schema::{OUTSTANDING, Table};

use super::Problem;
use super::lines::{DJANGOS_MIGRATIONS, Fit, Lines};
use super::needed::{Holds, Needed};

/// The kind of thing that a name refers to in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Relation {
    #[default]
    Missing,
    Table,
    /// A view, or something else that can't be written like a table, with the name of its kind.
    Other(&'static str),
}

/// A table, as found.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoundTable {
    pub(crate) relation: Relation,
    pub(crate) table: Table,
    /// The reason a unique index on a column doesn't count.
    pub(crate) nearly_unique: BTreeMap<String, String>,
    /// Columns with an index that finds rows by them.
    pub(crate) indexed: Vec<String>,
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Returns everything that is wrong with a table other than the users'.
pub(crate) fn judge(needed: &Needed, found: &FoundTable, lines: &Lines) -> Vec<Problem> {
    let name = needed.name;
    match found.relation {
        Relation::Missing => {
            let what = format!("the database has no table \"{name}\"");
            let remedy = "run `migrate`, or check the database's name";
            return vec![Problem::error(name, what, remedy)];
        }
        Relation::Other(kind) => {
            let what = format!("\"{name}\" is {kind}, and has to be a table");
            return vec![Problem::error(name, what, "give it another name and run `migrate`")];
        }
        Relation::Table => {}
    }
    let mut problems = Vec::new();
    for column in needed.columns {
        let there = found.table.columns.iter().find(|there| same(&there.name, column.name));
        let Some(there) = there else {
            let what = format!("the table \"{name}\" has no column \"{}\"", column.name);
            problems.push(Problem::error(name, what, lines.add(needed, column)));
            continue;
        };
        let declared = &there.declared;
        let has = format!("the column \"{}\" of the table \"{name}\"", column.name);
        let is_old = name == OUTSTANDING && column.name == "jti" && is_of_2018(declared);
        match lines.fit(there, column.holds) {
            _ if is_old && lines.fit(there, column.holds) != Fit::Fits => {
                let what = format!(
                    "{has} has the type \"{declared}\", as the first migrations of token_blacklist \
                     made it"
                );
                problems.push(Problem::error(name, what, DJANGOS_MIGRATIONS));
            }
            Fit::Fits => {}
            Fit::TooShort => {
                let what = format!(
                    "{has} has the type \"{declared}\", which is too short for what is written \
                     into it"
                );
                problems.push(Problem::error(name, what, lines.retype(needed, column, declared)));
            }
            Fit::Coarse => {
                let what = format!(
                    "{has} has the type \"{declared}\", which leaves out fractions of seconds"
                );
                problems.push(Problem::warning(name, what, lines.retype(needed, column, declared)));
            }
            Fit::Other => {
                let kind = lines.type_of(column.holds, needed.is_djangos);
                let what = format!("{has} has the type \"{declared}\" in place of {kind}");
                problems.push(Problem::error(name, what, lines.retype(needed, column, declared)));
            }
        }
        if column.null && there.not_null {
            let remedy = lines.nullable(name, there);
            problems.push(match name == OUTSTANDING {
                true => Problem::warning(
                    name,
                    format!("{has} is never null: tokens of users who aren't in the table fail"),
                    remedy,
                ),
                false => Problem::error(name, format!("{has} is never null"), remedy),
            });
        }
        if column.holds == Holds::Id && there.must_be_filled() {
            let what = format!("{has} isn't numbered by the database");
            problems.push(Problem::error(name, what, lines.number(name, column.name)));
        }
    }
    for there in &found.table.columns {
        let is_ours = needed.columns.iter().any(|column| same(&there.name, column.name));
        if !is_ours && there.must_be_filled() {
            let what = format!(
                "the table \"{name}\" has a column \"{}\" that is never null and has no default, \
                 and that nobody here fills",
                there.name
            );
            // Migrations of 2017 created it, and the next ones turn it into `jti`.
            let remedy = match name == OUTSTANDING && there.name == "jti_hex" {
                true => DJANGOS_MIGRATIONS.to_owned(),
                false => lines.nullable(name, there),
            };
            problems.push(Problem::error(name, what, remedy));
        }
    }
    let has = |column: &str| found.table.columns.iter().any(|there| same(&there.name, column));
    let is_in = |columns: &[String], column: &str| columns.iter().any(|one| same(one, column));
    for column in needed.unique.iter().filter(|column| has(column)) {
        if is_in(&found.table.unique, column) {
            continue;
        }
        let why = found.nearly_unique.get(*column).map(|why| format!(" ({why})"));
        let what = format!(
            "the column \"{column}\" of the table \"{name}\" isn't unique{}",
            why.unwrap_or_default()
        );
        problems.push(Problem::error(name, what, lines.unique(name, column)));
    }
    for (column, index) in needed.indexes.iter().filter(|(column, _)| has(column)) {
        if !is_in(&found.indexed, column) {
            let what = format!(
                "the column \"{column}\" of the table \"{name}\" has no index: rows are looked for \
                 by reading all of them"
            );
            problems.push(Problem::warning(name, what, lines.index(name, column, index)));
        }
    }
    problems
}

/// Returns `true` for the types that a `UUIDField` of the first migrations has.
fn is_of_2018(declared: &str) -> bool {
    matches!(declared.to_ascii_lowercase().as_str(), "uuid" | "char(32)")
}
