//! Groups and permissions in Django's tables: where to find them, and the statements over them.
//!
//! Django names the two tables between users and groups or permissions after the users' table, and
//! a column of each after the user model, whose name isn't in the database: it is the one column
//! that is neither `id` nor the other side's.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::table::UserTable;
use crate::sql::schema::{Column, SchemaError};

/// A question about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Groups,
    Permissions,
}

impl Right {
    /// Returns the name of the operation.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Permissions => "permissions",
        }
    }
}

/// Returns the groups from rows of a name.
pub(crate) fn groups(rows: Vec<Vec<String>>) -> Vec<String> {
    rows.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns the permissions from rows of an app's label and a code name.
pub(crate) fn permissions(rows: Vec<Vec<String>>) -> BTreeSet<String> {
    rows.into_iter().map(|row| row.join(".")).collect()
}

/// The SQL that differs between the databases.
pub(crate) struct Dialect {
    /// Quotes an identifier.
    pub(crate) quote: fn(&str) -> String,
    /// The condition that a row of the users' table is the wanted one.
    pub(crate) is_the_user: String,
    /// The condition that the row's user is active.
    pub(crate) is_active: String,
    /// The condition that the row's user is a superuser.
    pub(crate) is_superuser: String,
}

/// The statements, which are created once the tables have been seen.
pub(crate) struct Rights {
    dialect: Dialect,
    users: String,
    primary_key: String,
    groups: OnceLock<String>,
    permissions: OnceLock<String>,
}

const CONTENT_TYPES: &str = "django_content_type";

impl Rights {
    pub(crate) fn new(table: &UserTable, dialect: Dialect) -> Self {
        Self {
            users: table.table.clone(),
            primary_key: (dialect.quote)(&table.primary_key),
            dialect,
            groups: OnceLock::new(),
            permissions: OnceLock::new(),
        }
    }

    /// Returns the tables that [`learn`](Self::learn) needs, in this order.
    pub(crate) fn tables(&self, right: Right) -> Vec<String> {
        let members = format!("{}_groups", self.users);
        match right {
            Right::Groups => vec![members, "auth_group".to_owned()],
            Right::Permissions => vec![
                members,
                format!("{}_user_permissions", self.users),
                "auth_group_permissions".to_owned(),
                "auth_permission".to_owned(),
                CONTENT_TYPES.to_owned(),
            ],
        }
    }

    /// Returns the statement, if the tables have been seen.
    pub(crate) fn known(&self, right: Right) -> Option<&str> {
        self.made(right).get().map(String::as_str)
    }

    /// Returns the statement, given the tables' columns; `None` if nobody has any permission,
    /// because there are no content types yet: Django creates that table, and permissions need it.
    pub(crate) fn learn(
        &self,
        right: Right,
        found: &[Vec<Column>],
    ) -> Result<Option<&str>, SchemaError> {
        let tables = self.tables(right);
        let mut own = Vec::new();
        for (table, columns) in tables.iter().zip(found) {
            if columns.is_empty() && table == CONTENT_TYPES {
                return Ok(None);
            }
            if columns.is_empty() {
                return Err(SchemaError::MissingRights { table: table.clone() });
            }
            own.extend(self.model_column(table, columns).transpose()?);
        }
        let statement = match (right, own.as_slice()) {
            (Right::Groups, [member]) => self.groups_of(member),
            (Right::Permissions, [member, holder]) => self.permissions_of(member, holder),
            _ => return Err(SchemaError::MissingRights { table: tables.join(", ") }),
        };
        Ok(Some(self.made(right).get_or_init(|| statement)))
    }

    fn made(&self, right: Right) -> &OnceLock<String> {
        match right {
            Right::Groups => &self.groups,
            Right::Permissions => &self.permissions,
        }
    }

    /// Returns the column that refers to the user; `None` if the table has none.
    fn model_column(&self, table: &str, columns: &[Column]) -> Option<Result<String, SchemaError>> {
        let other = match table.strip_prefix(self.users.as_str())? {
            "_groups" => "group_id",
            "_user_permissions" => "permission_id",
            _ => return None,
        };
        let mut own = columns
            .iter()
            .map(|column| &column.name)
            .filter(|name| *name != "id" && *name != other);
        Some(match (own.next(), own.next()) {
            (Some(column), None) => Ok((self.dialect.quote)(column)),
            _ => Err(SchemaError::MissingColumn {
                table: table.to_owned(),
                column: "<user model>_id".to_owned(),
                found: columns.iter().map(|column| column.name.clone()).collect(),
            }),
        })
    }

    fn groups_of(&self, member: &str) -> String {
        let (quote, condition) = (self.dialect.quote, &self.dialect.is_the_user);
        let (users, members) = (quote(&self.users), quote(&format!("{}_groups", self.users)));
        let key = &self.primary_key;
        format!(
            "SELECT g.name FROM auth_group AS g JOIN {members} AS m ON m.group_id = g.id \
             WHERE m.{member} IN (SELECT {key} FROM {users} WHERE {condition})"
        )
    }

    fn permissions_of(&self, member: &str, holder: &str) -> String {
        let quote = self.dialect.quote;
        let Dialect { is_the_user, is_active, is_superuser, .. } = &self.dialect;
        let users = quote(&self.users);
        let members = quote(&format!("{}_groups", self.users));
        let holders = quote(&format!("{}_user_permissions", self.users));
        let active =
            format!("SELECT {} FROM {users} WHERE {is_the_user} AND {is_active}", self.primary_key);
        format!(
            "SELECT c.app_label, p.codename FROM auth_permission AS p \
             JOIN {CONTENT_TYPES} AS c ON c.id = p.content_type_id \
             JOIN (SELECT h.permission_id AS granted_id FROM {holders} AS h \
             WHERE h.{holder} IN ({active}) \
             UNION SELECT gp.permission_id FROM auth_group_permissions AS gp \
             JOIN {members} AS m ON m.group_id = gp.group_id WHERE m.{member} IN ({active}) \
             UNION SELECT every.id FROM auth_permission AS every \
             WHERE EXISTS ({active} AND {is_superuser})) AS granted \
             ON granted.granted_id = p.id"
        )
    }
}
