//! The users' table: its faults, and registered tokens of another table's users.

use crate::sql::column::{Dialect, UserColumns};
use crate::sql::schema::{Column, OUTSTANDING, SchemaError, Table};
use crate::sql::table::UserTable;

use super::{Lines, Problem};

/// Returns the problem for an error of the users' table or of related tables, with the statement
/// that repairs it, if any.
pub(crate) fn of_users(table: &str, error: &SchemaError, lines: &Lines) -> Problem {
    let remedy = match error {
        SchemaError::AmbiguousUsers { column, .. } => lines.unique(table, column),
        _ => String::new(),
    };
    let mut what = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        what.push_str(": ");
        what.push_str(&cause.to_string());
        source = cause.source();
    }
    Problem::error(table, what, remedy)
}

/// Returns every fault of the users' columns, which may be in two tables. If some are missing from
/// an inheriting table, that is the fault.
pub(crate) fn column_faults(
    users: &UserTable,
    shown: &[Column],
    table: &Table,
    dialect: Dialect,
) -> Vec<SchemaError> {
    let errors = UserColumns::every_error(users, shown, dialect);
    let is_missing = |error: &SchemaError| matches!(error, SchemaError::MissingColumn { .. });
    match table.parent() {
        Some(parent) if errors.iter().any(is_missing) => {
            let (child, parent) = (users.table.clone(), parent.to_owned());
            vec![SchemaError::InheritedUsers { child, parent }]
        }
        _ => errors,
    }
}

/// Returns a problem if registered tokens belong to another table's users, or can't refer to these.
/// `outstanding` is the result of checking their table, `user_id` its column.
pub(crate) fn of_owners(
    users: &UserTable,
    outstanding: Result<(), SchemaError>,
    user_id: Option<&Column>,
    columns: Option<&UserColumns>,
    dialect: Dialect,
    lines: &Lines,
) -> Option<Problem> {
    let error = match outstanding {
        Err(error @ (SchemaError::OtherUsers { .. } | SchemaError::InheritedUsers { .. })) => error,
        Ok(()) => columns?.check_reference(users, user_id, dialect).err()?,
        // Reported for its columns.
        Err(_) => return None,
    };
    Some(of_users(OUTSTANDING, &error, lines))
}
