//! The reasons the tables of a database can't be used or created.

use std::error::Error as StdError;

use super::OUTSTANDING;
use crate::error::StoreError;
use crate::sql::table::NameError;

/// A right that a migration needs, and that the database's account lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingRight {
    /// The account, and what it may not do.
    pub what: String,
    /// The statement that grants it, for somebody who may run it; or another way, in a sentence.
    pub remedy: String,
}

/// The tables of a database can't be used as they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A table is missing.
    #[error("{}", missing_table(.table, .near))]
    MissingTable {
        /// The table.
        table: String,
        /// Existing tables.
        near: Vec<String>,
    },
    /// A column is missing.
    #[error("the table \"{table}\" has no column \"{column}\"; it has {}", list(.found))]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The existing columns.
        found: Vec<String>,
    },
    /// Two rows may have the same value, so that nothing would decide a race.
    #[error("the column \"{column}\" of the table \"{table}\" isn't unique, as Django makes it")]
    NotUnique {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Two users may have the same value in a column that users are found by.
    #[error(
        "the column \"{column}\" of the table \"{table}\" isn't unique, and users are found by it \
         ({role}): one could open the account of another. Make it unique (`unique=True` in Django, \
         `ALTER TABLE … ADD UNIQUE`; an index of several columns, of a part of the rows or of an \
         expression isn't enough), or name another column"
    )]
    AmbiguousUsers {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The column's role: the login name, or `USER_ID_FIELD`.
        role: &'static str,
    },
    /// Two users have the same value in a column that users are found by.
    #[error(
        "several rows of \"{table}\" have the same \"{column}\", and users are found by it \
         ({role}): one could open the account of another. Make the values differ, or name another \
         column"
    )]
    DoubledUsers {
        /// The view or table.
        table: String,
        /// The column.
        column: String,
        /// The column's role: the login name, or `USER_ID_FIELD`.
        role: &'static str,
    },
    /// A column that users are found by has a type with which no text can be compared.
    #[error(
        "users are found by the column \"{column}\" of the table \"{table}\", which has the type \
         \"{declared}\": it has to be an integer, a UUID or a text"
    )]
    UncomparableColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        declared: String,
    },
    /// The primary key has another type than the one configured.
    #[error(
        "the column \"{column}\" of the table \"{table}\" has the type \"{declared}\", which \
         isn't that of a key of type \"{configured}\": write key_type = \"{found}\", or nothing, \
         since it is found out"
    )]
    OtherKeyType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        declared: String,
        /// The type that was configured.
        configured: &'static str,
        /// The type that the column has.
        found: &'static str,
    },
    /// Registered tokens can't refer to the users.
    #[error(
        "\"user_id\" of \"{OUTSTANDING}\" has the type \"{declared}\" and can't refer to \
         \"{primary_key}\" of \"{users}\", which has the type \"{key}\": the tables were made for \
         another user model"
    )]
    OtherKey {
        /// The type of the reference.
        declared: String,
        /// The users' table.
        users: String,
        /// Its primary key.
        primary_key: String,
        /// The type of that.
        key: String,
    },
    /// A boolean column has another type.
    #[error(
        "the column \"{column}\" of the table \"{table}\" has the type \"{declared}\", out of \
         which can't be told what is yes and what is no: a boolean, a number or a bit can be read \
         and written. Name another column, or none"
    )]
    UnreadableFlag {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        declared: String,
    },
    /// One of Django's tables has an additional column that can't be null and has no default.
    #[error(
        "the table \"{table}\" has a column \"{column}\" that Django's token_blacklist has not \
         and that can't be left empty: it belongs to something else"
    )]
    ForeignColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The registered tokens belong to another table's users.
    #[error(
        "\"user_id\" of \"{OUTSTANDING}\" refers to the table \"{refers_to}\", but the users are \
         to be in \"{users}\": name {refers_to} as the users' table"
    )]
    OtherUsers {
        /// The table that the column refers to.
        refers_to: String,
        /// The table that the settings name.
        users: String,
    },
    /// The users' columns are spread over several tables.
    #[error(
        "the users' columns are in several tables: \"{child}\" inherits from \"{parent}\" (Django's \
         multi-table inheritance). One model may inherit from another, which has all the columns that \
         are named for logging in; more isn't served: have them in one table (`abstract = True` in \
         the parent's Meta)"
    )]
    InheritedUsers {
        /// The table of the model that inherits.
        child: String,
        /// The table that it inherits from.
        parent: String,
    },
    /// Registered tokens can't refer to the users' table as it is.
    #[error(
        "no foreign key can lead to \"{column}\" of the table \"{table}\", as registered tokens need \
         it: the column has to be the primary key or unique by itself, not deferrable, and in MySQL \
         the table has to be kept by InnoDB (ALTER TABLE … ADD PRIMARY KEY, ENGINE = InnoDB)"
    )]
    Unreferable {
        /// The users' table.
        table: String,
        /// Its primary key.
        column: String,
    },
    /// A table is missing that Django creates for a user model with groups and permissions.
    #[error(
        "the database has no table \"{table}\", which Django makes for a user model with groups \
         and permissions (PermissionsMixin)"
    )]
    MissingRights {
        /// The table.
        table: String,
    },
    /// A column to be read holds a secret, judging by its name.
    #[error("the column \"{column}\" holds a secret by its name: it isn't read")]
    SecretColumn {
        /// The column.
        column: String,
    },
    /// A column to be read has a type without a form in JSON.
    #[error(
        "the column \"{column}\" of the table \"{table}\" has the type \"{declared}\": only \
         text, numbers, booleans, dates and times, UUIDs and JSON can be read"
    )]
    UnreadableColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        declared: String,
    },
    /// A name in the settings isn't valid for a table or column.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The tables were created by Django itself, so there is nothing to take over.
    #[error(
        "the table \"{table}\" was made by Django, or by hand: there is nothing to take over. Run \
         `manage.py migrate` for Django's tables and `migrate` for ours, in any order"
    )]
    DjangosOwn {
        /// The table of users.
        table: String,
    },
    /// The account isn't allowed to create what is missing. Nothing has been changed.
    #[error("{}", may_not(.missing))]
    MayNot {
        /// Every right that it lacks.
        missing: Vec<MissingRight>,
    },
    /// Creating what is missing failed.
    #[error("the tables that are missing can't be made")]
    Unmade(#[source] Box<dyn StdError + Send + Sync>),
    /// The database didn't answer.
    #[error("can't read the database's tables")]
    Database(#[source] Box<dyn StdError + Send + Sync>),
}

fn may_not(missing: &[MissingRight]) -> String {
    let lines = missing.iter().map(|right| format!("\n{}: {}", right.what, right.remedy));
    format!(
        "the account may not make what is missing, and nothing was changed. Somebody who may give \
         rights has to run:{}",
        lines.collect::<String>()
    )
}

fn missing_table(table: &str, near: &[String]) -> String {
    let there = if near.is_empty() {
        "it has no tables at all".to_owned()
    } else {
        format!("it has {}", list(near))
    };
    let elsewhere = match table.contains('.') && !table.contains("\".\"") {
        true => {
            " (a schema before it is for PostgreSQL; a table of another database is used by a view \
                 in this one)"
        }
        false => "",
    };
    format!(
        "the database has no table \"{table}\" ({there}): run `migrate`, or check the path and \
         the table's name{elsewhere}"
    )
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(" and more");
    }
    text
}

impl From<StoreError> for SchemaError {
    fn from(error: StoreError) -> Self {
        Self::Database(Box::new(error))
    }
}
