//! What the tables have to look like, whatever the database.

use std::error::Error as StdError;

use crate::error::StoreError;
use crate::sql::table::{NameError, UserTable};

pub(crate) const OUTSTANDING: &str = "token_blacklist_outstandingtoken";
pub(crate) const BLACKLISTED: &str = "token_blacklist_blacklistedtoken";

/// The index that the purge uses.
pub(crate) const EXPIRES_AT_INDEX: &str = "simplejwt_outstandingtoken_expires_at";
/// Our own tables, with the columns that are used.
pub(crate) const SESSION_TABLES: &[(&str, &[&str])] = &[
    (
        "simplejwt_session",
        &[
            "id",
            "user_id",
            "created_at",
            "expires_at",
            "ended_at",
            "end_reason",
            "password",
            "address",
            "user_agent",
        ],
    ),
    (
        "simplejwt_session_token",
        &[
            "jti",
            "session_id",
            "parent_jti",
            "access_jti",
            "created_at",
            "used_at",
            "expires_at",
            "address",
        ],
    ),
    ("simplejwt_revocation", &["sequence", "kind", "subject", "revoked_at", "expires_at"]),
    ("simplejwt_sequence", &["name", "value"]),
    ("simplejwt_lease", &["name", "holder", "expires_at"]),
    ("simplejwt_user", &["user_id"]),
];

/// The statements of the migration of our own tables that make these, with their indexes and rows. Each
/// has a line of its own, and the table's name is the first that is quoted, or stands behind ON.
pub(crate) fn only_of(sql: &str, tables: &[&str]) -> String {
    let is_theirs = |line: &&str| {
        let of = match line.split_once(" ON ") {
            Some((_, of)) if line.starts_with("CREATE INDEX") => of,
            _ => line,
        };
        !line.starts_with("--") && of.split('"').nth(1).is_some_and(|name| tables.contains(&name))
    };
    sql.lines().filter(is_theirs).flat_map(|line| [line, "\n"]).collect()
}

/// Something that the database's account may not do, and has to for a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingRight {
    /// Who may not do what.
    pub what: String,
    /// The statement that lets it, for somebody who may give rights; or who has to do what instead.
    pub remedy: String,
}

/// Why the tables of a database can't be used as they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A table isn't there.
    #[error("{}", missing_table(.table, .near))]
    MissingTable {
        /// The table.
        table: String,
        /// Tables there are.
        near: Vec<String>,
    },
    /// A column isn't there.
    #[error("the table \"{table}\" has no column \"{column}\"; it has {}", list(.found))]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The columns there are.
        found: Vec<String>,
    },
    /// Two rows could have the same value, so that nothing could decide a race.
    #[error("the column \"{column}\" of the table \"{table}\" isn't unique, as Django makes it")]
    NotUnique {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Two users could have the same value in the column that a user is found by.
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
        /// What the column is for.
        role: &'static str,
    },
    /// Two users have the same value in the column that a user is found by.
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
        /// What the column is for.
        role: &'static str,
    },
    /// The column that a user is found by holds what can't be told from a text.
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
    /// The primary key isn't what it is said to be.
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
    /// A column that is to say yes or no holds something else.
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
    /// There is a column that is never null, has no default, and isn't ours to fill.
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
    /// The tokens belong to the users of another table.
    #[error(
        "\"user_id\" of \"{OUTSTANDING}\" refers to the table \"{refers_to}\", but the users are \
         to be in \"{users}\": name {refers_to} as the users' table"
    )]
    OtherUsers {
        /// What the column refers to.
        refers_to: String,
        /// The table that the settings name.
        users: String,
    },
    /// The users' columns are in two tables.
    #[error(
        "the users' columns are in several tables: \"{child}\" inherits from \"{parent}\" (Django's \
         multi-table inheritance). One model may inherit from another, which has all the columns that \
         are named for logging in; more isn't served: have them in one table (`abstract = True` in \
         the parent's Meta)"
    )]
    InheritedUsers {
        /// The table of the model that inherits.
        child: String,
        /// The one that it inherits from.
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
    /// A table isn't there that Django makes for a user model with groups and permissions.
    #[error(
        "the database has no table \"{table}\", which Django makes for a user model with groups \
         and permissions (PermissionsMixin)"
    )]
    MissingRights {
        /// The table.
        table: String,
    },
    /// A column that was asked for holds a secret.
    #[error("the column \"{column}\" holds a secret by its name: it isn't read")]
    SecretColumn {
        /// The column.
        column: String,
    },
    /// A column that was asked for is of a type that doesn't become JSON.
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
    /// A name in the settings that no table or column can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Django made the tables of its own, so that there is nothing to tell it of.
    #[error(
        "the table \"{table}\" was made by Django, or by hand: there is nothing to take over. Run \
         `manage.py migrate` for Django's tables and `migrate` for ours, in any order"
    )]
    DjangosOwn {
        /// The table of users.
        table: String,
    },
    /// What is missing may not be made by this account. Nothing was changed.
    #[error("{}", may_not(.missing))]
    MayNot {
        /// All that it may not do.
        missing: Vec<MissingRight>,
    },
    /// What is missing couldn't be made.
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

/// A column, as the database describes it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type it was declared with.
    pub(crate) declared: String,
    /// The type that it holds: another than the declared one where that is a domain.
    pub(crate) kind: String,
    pub(crate) not_null: bool,
    /// Whether the database fills it by itself.
    pub(crate) has_default: bool,
}

impl Column {
    /// Whether an INSERT has to give it a value.
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
    /// Columns that refer to other tables, and these.
    pub(crate) refers: Vec<(String, String)>,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether it has these columns. A table without columns isn't there.
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

    /// The table that this one inherits from, as Django's multi-table inheritance makes it.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.pointer().map(|(_, table)| table)
    }

    /// The column that points to the table that this one inherits from, and that.
    pub(crate) fn pointer(&self) -> Option<(&str, &str)> {
        let is_parent =
            |(column, _): &&(String, String)| column.ends_with("_ptr_id") && self.is_unique(column);
        let found = self.refers.iter().find(is_parent);
        found.map(|(column, table)| (column.as_str(), table.as_str()))
    }

    /// Whether it has the columns that nobody can log in without.
    pub(crate) fn has_logins(&self, users: &UserTable) -> bool {
        has_logins(users, &self.columns)
    }

    fn is_unique(&self, column: &str) -> bool {
        self.unique.iter().any(|unique| unique == column)
    }

    fn is_djangos(&self, name: &str, wanted: &[&str], unique: &str) -> Result<(), SchemaError> {
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

    /// Whether it is Django's table of registered tokens, for the users of this table.
    pub(crate) fn check_outstanding(&self, users: &str) -> Result<(), SchemaError> {
        let wanted = ["token", "created_at", "expires_at", "user_id", "jti", "id"];
        self.is_djangos(OUTSTANDING, &wanted, "jti")?;
        match self.other_users(users) {
            None => Ok(()),
            Some(refers_to) => Err(SchemaError::OtherUsers {
                refers_to: refers_to.to_owned(),
                users: users.to_owned(),
            }),
        }
    }

    /// The table that registered tokens refer to, where that isn't the users'.
    pub(crate) fn other_users(&self, users: &str) -> Option<&str> {
        let other = |(column, table): &&(String, String)| {
            column == "user_id" && !table.eq_ignore_ascii_case(users)
        };
        self.refers.iter().find(other).map(|(_, table)| table.as_str())
    }

    /// Whether it is Django's blacklist.
    pub(crate) fn check_blacklisted(&self) -> Result<(), SchemaError> {
        self.is_djangos(BLACKLISTED, &["blacklisted_at", "token_id", "id"], "token_id")
    }
}

/// A column that users are found by, and what for.
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

/// The refusal of a users' table that lacks a column, where its parent has it.
pub(crate) fn or_inherited(error: SchemaError, table: &Table) -> SchemaError {
    match (error, table.parent()) {
        (SchemaError::MissingColumn { table: child, .. }, Some(parent)) => {
            SchemaError::InheritedUsers { child, parent: parent.to_owned() }
        }
        (error, _) => error,
    }
}

/// Whether these are the columns of a table that users can log in by.
pub(crate) fn has_logins(users: &UserTable, columns: &[Column]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    has(&users.login) && has(&users.password)
}

/// The refusal of a users' table that registered tokens can't refer to.
pub(crate) fn unreferable(users: &UserTable) -> SchemaError {
    SchemaError::Unreferable { table: users.table.clone(), column: users.primary_key.clone() }
}

/// One thing that a migration does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The migration: `0002_outstanding_token`.
    pub name: &'static str,
    /// The table that it makes or changes.
    pub table: &'static str,
    /// The statements.
    pub sql: String,
}
