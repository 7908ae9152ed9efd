//! Deleting a user: which rows of other tables go with it, and which prevent it.

use super::manage::Reference;
use super::table::UserTable;
use crate::sql::references::OnDelete;
use crate::sql::schema::OUTSTANDING;

/// A single-column foreign key that refers to the users. All names but `name`s are as in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserKey {
    /// The table's name without a schema, and in SQL.
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) column_name: String,
    pub(crate) column: String,
    /// The column of the users' table that it refers to.
    pub(crate) refers_to: String,
    pub(crate) on_delete: OnDelete,
}

/// The treatment of rows that refer to a deleted user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treatment {
    /// They stay without the user: registered tokens, as with upstream's `on_delete=SET_NULL`.
    Forget,
    /// They are deleted: the user's groups and permissions.
    Remove,
    /// The database handles them.
    Database,
    /// They prevent the deletion: only the application knows what they are.
    Keep,
}

/// The statements of a deletion. `{users}` and the condition that a row is the user's are in SQL;
/// each statement's only parameter is the condition's.
pub(crate) struct Deletion {
    /// Counts of the rows that prevent the deletion, each with its key.
    pub(crate) counts: Vec<(UserKey, String)>,
    /// Changes, to be made in this order.
    pub(crate) changes: Vec<String>,
    /// Deletes the user's own row.
    pub(crate) delete: String,
}

impl Deletion {
    pub(crate) fn new(users: &UserTable, keys: &[UserKey], table: &str, is_the_user: &str) -> Self {
        let (mut counts, mut changes) = (Vec::new(), Vec::new());
        for key in keys {
            let UserKey { table: other, column, refers_to, .. } = key;
            let theirs =
                format!("{column} IN (SELECT {refers_to} FROM {table} WHERE {is_the_user})");
            match treatment(users, key) {
                Treatment::Forget => {
                    changes.push(format!("UPDATE {other} SET {column} = NULL WHERE {theirs}"));
                }
                Treatment::Remove => changes.push(format!("DELETE FROM {other} WHERE {theirs}")),
                Treatment::Database => {}
                Treatment::Keep => {
                    let count = format!("SELECT COUNT(*) FROM {other} WHERE {theirs}");
                    counts.push((key.clone(), count));
                }
            }
        }
        let delete = format!("DELETE FROM {table} WHERE {is_the_user}");
        Self { counts, changes, delete }
    }
}

impl UserKey {
    /// Returns what to report about this number of rows; `None` for zero.
    pub(crate) fn reference(&self, rows: i64) -> Option<Reference> {
        let rows = u64::try_from(rows).ok().filter(|rows| *rows > 0)?;
        Some(Reference { table: self.name.clone(), column: self.column_name.clone(), rows })
    }
}

fn treatment(users: &UserTable, key: &UserKey) -> Treatment {
    // The name without its schema.
    let users = users.table.rsplit("\".\"").next().unwrap_or_default();
    let is = |name: &str| key.name.eq_ignore_ascii_case(name);
    if is(OUTSTANDING) && key.column_name.eq_ignore_ascii_case("user_id") {
        Treatment::Forget
    } else if is(&format!("{users}_groups")) || is(&format!("{users}_user_permissions")) {
        Treatment::Remove
    } else if key.on_delete == OnDelete::Refuse {
        Treatment::Keep
    } else {
        Treatment::Database
    }
}
