//! A table as the database describes it, and its comparison with Django's.

use super::{BLACKLISTED, OUTSTANDING, SchemaError, has_logins};
use crate::sql::table::UserTable;

/// A column, as the database describes it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type with which it was declared.
    pub(crate) declared: String,
    /// The type that it holds, which differs from the declared one for a domain.
    pub(crate) kind: String,
    pub(crate) not_null: bool,
    /// `true` if the database fills it itself.
    pub(crate) has_default: bool,
}

impl Column {
    /// Returns `true` if each INSERT has to give it a value.
    pub(crate) fn must_be_filled(&self) -> bool {
        self.not_null && !self.has_default
    }
}

/// A table, as the database describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    /// Columns whose values are unique by themselves.
    pub(crate) unique: Vec<String>,
    /// The columns that refer to other tables, each with its table.
    pub(crate) refers: Vec<(String, String)>,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Refuses the table if it lacks one of these columns. A table without columns doesn't exist.
    pub(crate) fn require<'a>(
        &self,
        name: &str,
        wanted: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), SchemaError> {
        if self.columns.is_empty() {
            return Err(SchemaError::MissingTable { table: name.to_owned(), near: Vec::new() });
        }
        match wanted.into_iter().find(|wanted| self.column(wanted).is_none()) {
            None => Ok(()),
            Some(column) => Err(SchemaError::MissingColumn {
                table: name.to_owned(),
                column: column.to_owned(),
                found: self.columns.iter().map(|column| column.name.clone()).collect(),
            }),
        }
    }

    /// Returns the table that this one inherits from by Django's multi-table inheritance.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.pointer().map(|(_, table)| table)
    }

    /// Returns the column that points to the table that this one inherits from, and that table.
    pub(crate) fn pointer(&self) -> Option<(&str, &str)> {
        let is_parent =
            |(column, _): &&(String, String)| column.ends_with("_ptr_id") && self.is_unique(column);
        let found = self.refers.iter().find(is_parent);
        found.map(|(column, table)| (column.as_str(), table.as_str()))
    }

    /// Returns `true` if it has the columns that every login needs.
    pub(crate) fn has_logins(&self, users: &UserTable) -> bool {
        has_logins(users, &self.columns)
    }

    fn is_unique(&self, column: &str) -> bool {
        self.unique.iter().any(|unique| unique == column)
    }

    /// Refuses the table if it lacks one of these columns, has others that an INSERT would have to
    /// fill, or allows two rows with the same value of `unique`.
    fn check_djangos(&self, name: &str, wanted: &[&str], unique: &str) -> Result<(), SchemaError> {
        self.require(name, wanted.iter().copied())?;
        let foreign =
            |column: &&Column| column.must_be_filled() && !wanted.contains(&column.name.as_str());
        if let Some(column) = self.columns.iter().find(foreign) {
            let column = column.name.clone();
            return Err(SchemaError::ForeignColumn { table: name.to_owned(), column });
        }
        if !self.unique.iter().any(|column| column == unique) {
            let column = unique.to_owned();
            return Err(SchemaError::NotUnique { table: name.to_owned(), column });
        }
        Ok(())
    }

    /// Refuses the table if it isn't Django's table of registered tokens, for these users.
    pub(crate) fn check_outstanding(&self, users: &str) -> Result<(), SchemaError> {
        let wanted = ["token", "created_at", "expires_at", "user_id", "jti", "id"];
        self.check_djangos(OUTSTANDING, &wanted, "jti")?;
        match self.other_users(users) {
            None => Ok(()),
            Some(refers_to) => Err(SchemaError::OtherUsers {
                refers_to: refers_to.to_owned(),
                users: users.to_owned(),
            }),
        }
    }

    /// Returns the table that registered tokens refer to, if that isn't the users'.
    pub(crate) fn other_users(&self, users: &str) -> Option<&str> {
        let other = |(column, table): &&(String, String)| {
            column == "user_id" && !table.eq_ignore_ascii_case(users)
        };
        self.refers.iter().find(other).map(|(_, table)| table.as_str())
    }

    /// Refuses the table if it isn't Django's blacklist.
    pub(crate) fn check_blacklisted(&self) -> Result<(), SchemaError> {
        self.check_djangos(BLACKLISTED, &["blacklisted_at", "token_id", "id"], "token_id")
    }
}
