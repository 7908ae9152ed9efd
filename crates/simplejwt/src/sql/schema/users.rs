//! The users' table: the columns that users are found by, and the refusals of a table that they can't be
//! found in.

use super::{Column, SchemaError, Table};
use crate::sql::table::UserTable;

/// A column that users are found by, and its role.
pub(crate) type FoundBy<'a> = (&'a str, &'static str);

/// The columns that users are found by: when they log in, and by their tokens.
pub(crate) fn found_by(users: &UserTable) -> [FoundBy<'_>; 2] {
    [by_user_id(users), (&users.login, "the login name")]
}

/// The column that the users of tokens are found by.
pub(crate) fn by_user_id(users: &UserTable) -> FoundBy<'_> {
    (users.user_id_column(), "USER_ID_FIELD")
}

/// The refusal of a column that users are found by.
pub(crate) fn ambiguous(users: &UserTable, (column, role): FoundBy<'_>) -> SchemaError {
    SchemaError::AmbiguousUsers { table: users.table.clone(), column: column.to_owned(), role }
}

/// The refusal of a view whose rows have the same value in a column that users are found by.
pub(crate) fn doubled(users: &UserTable, (column, role): FoundBy<'_>) -> SchemaError {
    SchemaError::DoubledUsers { table: users.table.clone(), column: column.to_owned(), role }
}

/// The error; or, where a column is missing from a table that inherits, the refusal of its inheritance.
pub(crate) fn or_inherited(error: SchemaError, table: &Table) -> SchemaError {
    match (error, table.parent()) {
        (SchemaError::MissingColumn { table: child, .. }, Some(parent)) => {
            SchemaError::InheritedUsers { child, parent: parent.to_owned() }
        }
        (error, _) => error,
    }
}

/// `true` if a table with these columns has those that nobody can log in without.
pub(crate) fn has_logins(users: &UserTable, columns: &[Column]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    has(&users.login) && has(&users.password)
}

/// The refusal of a users' table that registered tokens can't refer to.
pub(crate) fn unreferable(users: &UserTable) -> SchemaError {
    SchemaError::Unreferable { table: users.table.clone(), column: users.primary_key.clone() }
}
