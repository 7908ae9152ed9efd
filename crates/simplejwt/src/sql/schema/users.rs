//! The users' table: the columns that users are found by, and the refusal of tables in which they
//! can't be found.

use super::{Column, SchemaError, Table};
use crate::sql::table::UserTable;

/// A column that users are found by, and its role.
pub(crate) type FoundBy<'a> = (&'a str, &'static str);

/// Returns the columns that users are found by: when they log in, and by their tokens.
pub(crate) fn found_by(users: &UserTable) -> [FoundBy<'_>; 2] {
    [by_user_id(users), (&users.login, "the login name")]
}

/// Returns the column by which the users of tokens are found.
pub(crate) fn by_user_id(users: &UserTable) -> FoundBy<'_> {
    (users.user_id_column(), "USER_ID_FIELD")
}

/// Returns the error for a column that users are found by and that isn't unique.
pub(crate) fn ambiguous(users: &UserTable, (column, role): FoundBy<'_>) -> SchemaError {
    SchemaError::AmbiguousUsers { table: users.table.clone(), column: column.to_owned(), role }
}

/// Returns the error for a view whose rows have the same value in a column that users are found by.
pub(crate) fn doubled(users: &UserTable, (column, role): FoundBy<'_>) -> SchemaError {
    SchemaError::DoubledUsers { table: users.table.clone(), column: column.to_owned(), role }
}

/// Returns the error or, if a column is missing from an inheriting table, the one for its
/// inheritance.
pub(crate) fn or_inherited(error: SchemaError, table: &Table) -> SchemaError {
    match (error, table.parent()) {
        (SchemaError::MissingColumn { table: child, .. }, Some(parent)) => {
            SchemaError::InheritedUsers { child, parent: parent.to_owned() }
        }
        (error, _) => error,
    }
}

/// Returns `true` if a table with these columns has those that every login needs.
pub(crate) fn has_logins(users: &UserTable, columns: &[Column]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    has(&users.login) && has(&users.password)
}

/// Returns the error for a users' table that registered tokens can't refer to.
pub(crate) fn unreferable(users: &UserTable) -> SchemaError {
    SchemaError::Unreferable { table: users.table.clone(), column: users.primary_key.clone() }
}
