//! The tables that are used, with what their columns hold, what is unique, what has an index, and
//! what is done with them.

use crate::sql::schema::{BLACKLISTED, EXPIRES_AT_INDEX, OUTSTANDING};

use super::{Lines, Uses};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A number that the database gives.
    Id,
    /// The number of another row.
    Number,
    /// A user's key, which has the type that the users' table gives it.
    User,
    /// A text of so many characters.
    Text(usize),
    /// A token, of up to 16 KiB.
    Token,
    /// A moment, as Django stores it.
    Moment,
    /// Microseconds since 1970, or a counter.
    Micros,
}

/// A column of a table that is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) holds: Holds,
    /// Whether null is written into it.
    pub(crate) null: bool,
}

/// A table that is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) unique: &'static [&'static str],
    /// Columns that rows are looked for by, and the names of the indexes that `migrate` makes.
    pub(crate) indexes: &'static [(&'static str, &'static str)],
    /// Whether Django's migrations make it, too.
    pub(crate) is_djangos: bool,
}

const fn column(name: &'static str, holds: Holds) -> Column {
    Column { name, holds, null: false }
}

const fn nullable(name: &'static str, holds: Holds) -> Column {
    Column { name, holds, null: true }
}

const TOKENS: [Needed; 2] = [
    Needed {
        name: OUTSTANDING,
        columns: &[
            column("id", Holds::Id),
            column("token", Holds::Token),
            column("created_at", Holds::Moment),
            column("expires_at", Holds::Moment),
            nullable("user_id", Holds::User),
            column("jti", Holds::Text(255)),
        ],
        unique: &["id", "jti"],
        indexes: &[
            ("user_id", "token_blacklist_outstandingtoken_user_id_83bc629a"),
            ("expires_at", EXPIRES_AT_INDEX),
        ],
        is_djangos: true,
    },
    Needed {
        name: BLACKLISTED,
        columns: &[
            column("id", Holds::Id),
            column("blacklisted_at", Holds::Moment),
            column("token_id", Holds::Number),
        ],
        unique: &["token_id"],
        indexes: &[],
        is_djangos: true,
    },
];

const SESSIONS: [Needed; 6] = [
    Needed {
        name: "simplejwt_session",
        columns: &[
            column("id", Holds::Text(255)),
            column("user_id", Holds::Text(255)),
            column("created_at", Holds::Micros),
            column("expires_at", Holds::Micros),
            nullable("ended_at", Holds::Micros),
            nullable("end_reason", Holds::Text(16)),
            nullable("password", Holds::Text(32)),
            nullable("address", Holds::Text(45)),
            nullable("user_agent", Holds::Text(255)),
        ],
        unique: &["id"],
        indexes: &[
            ("user_id", "simplejwt_session_user_id"),
            ("expires_at", "simplejwt_session_expires_at"),
        ],
        is_djangos: false,
    },
    Needed {
        name: "simplejwt_session_token",
        columns: &[
            column("jti", Holds::Text(255)),
            column("session_id", Holds::Text(255)),
            nullable("parent_jti", Holds::Text(255)),
            nullable("access_jti", Holds::Text(255)),
            column("created_at", Holds::Micros),
            column("used_at", Holds::Micros),
            column("expires_at", Holds::Micros),
            nullable("address", Holds::Text(45)),
        ],
        unique: &["jti", "parent_jti"],
        indexes: &[
            ("session_id", "simplejwt_session_token_session_id"),
            ("expires_at", "simplejwt_session_token_expires_at"),
        ],
        is_djangos: false,
    },
    Needed {
        name: "simplejwt_revocation",
        columns: &[
            column("sequence", Holds::Micros),
            column("kind", Holds::Text(8)),
            column("subject", Holds::Text(255)),
            column("revoked_at", Holds::Micros),
            column("expires_at", Holds::Micros),
        ],
        unique: &["sequence"],
        indexes: &[
            ("expires_at", "simplejwt_revocation_expires_at"),
            ("subject", "simplejwt_revocation_subject"),
        ],
        is_djangos: false,
    },
    Needed {
        name: "simplejwt_sequence",
        columns: &[column("name", Holds::Text(32)), column("value", Holds::Micros)],
        unique: &["name"],
        indexes: &[],
        is_djangos: false,
    },
    Needed {
        name: "simplejwt_lease",
        columns: &[
            column("name", Holds::Text(32)),
            column("holder", Holds::Text(64)),
            column("expires_at", Holds::Micros),
        ],
        unique: &["name"],
        indexes: &[],
        is_djangos: false,
    },
    Needed {
        name: "simplejwt_user",
        columns: &[column("user_id", Holds::Text(255))],
        unique: &["user_id"],
        indexes: &[],
        is_djangos: false,
    },
];

/// The tables beside the users' that are used.
pub(crate) fn needed(uses: &Uses) -> impl Iterator<Item = &'static Needed> {
    let tokens = uses.tokens.then_some(TOKENS.iter()).into_iter().flatten();
    tokens.chain(uses.sessions.then_some(SESSIONS.iter()).into_iter().flatten())
}

/// What is done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    Select,
    Insert,
    Update,
    Delete,
}

impl Access {
    /// SQL's word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// What is done with one of these tables, and whether nothing but the purge does it. MySQL counts a
/// row that is left as it is for updated, and there the user's row is made anew by each login.
pub(crate) fn rights(table: &str, uses: &Uses, is_mysql: bool) -> Vec<(Access, bool)> {
    use Access::{Delete, Insert, Select, Update};
    let (always, purge): (&[Access], &[Access]) = match table {
        OUTSTANDING | BLACKLISTED if is_mysql => (&[Select, Insert, Update], &[Delete]),
        OUTSTANDING | BLACKLISTED => (&[Select, Insert], &[Delete]),
        "simplejwt_session" | "simplejwt_session_token" => (&[Select, Insert, Update], &[Delete]),
        "simplejwt_revocation" => (&[Select, Insert], &[Delete]),
        "simplejwt_sequence" => (&[Select, Update], &[]),
        "simplejwt_user" if is_mysql => (&[Select, Insert, Delete], &[]),
        _ => (&[Select, Insert, Update], &[]),
    };
    let purge = purge.iter().filter(|_| uses.purge).map(|right| (*right, true));
    always.iter().map(|right| (*right, false)).chain(purge).collect()
}

impl Needed {
    /// The columns that are read or written.
    pub(crate) fn columns_of(&self, access: Access, is_mysql: bool) -> Vec<&'static str> {
        let mut updated = match self.name {
            "simplejwt_session" => vec!["expires_at", "ended_at", "end_reason", "password"],
            "simplejwt_session_token" => vec!["used_at", "address"],
            "simplejwt_sequence" => vec!["value"],
            "simplejwt_lease" => vec!["holder", "expires_at"],
            "simplejwt_user" => vec!["user_id"],
            _ => Vec::new(),
        };
        if is_mysql {
            // A row that is there is set to what it is.
            updated.extend(match self.name {
                OUTSTANDING | "simplejwt_session_token" => Some("jti"),
                BLACKLISTED => Some("token_id"),
                "simplejwt_session" => Some("id"),
                _ => None,
            });
        }
        let given = |column: &&Column| access == Access::Select || column.holds != Holds::Id;
        match access {
            Access::Update => updated,
            Access::Delete => Vec::new(),
            _ => self.columns.iter().filter(given).map(|column| column.name).collect(),
        }
    }

    /// A statement that reads or writes as will be done, and no row: the database says whether it
    /// may be.
    pub(crate) fn trial(&self, access: Access, lines: &Lines) -> String {
        let is_mysql = matches!(lines, Lines::Mysql { .. });
        let columns = self.columns_of(access, is_mysql);
        trial(&lines.table(self.name), access, &columns, lines)
    }
}

/// The same for any table, whose name is given as SQL.
pub(crate) fn trial(table: &str, access: Access, columns: &[&str], lines: &Lines) -> String {
    let names: Vec<_> = columns.iter().map(|name| lines.quote(name)).collect();
    let list = names.join(", ");
    match access {
        Access::Select => format!("SELECT {list} FROM {table} WHERE 1 = 0"),
        Access::Insert => {
            format!("INSERT INTO {table} ({list}) SELECT {list} FROM {table} WHERE 1 = 0")
        }
        Access::Update => {
            let same: Vec<_> = names.iter().map(|name| format!("{name} = {name}")).collect();
            format!("UPDATE {table} SET {} WHERE 1 = 0", same.join(", "))
        }
        Access::Delete => format!("DELETE FROM {table} WHERE 1 = 0"),
    }
}

/// The trials of everything but the purge, on the tables of tokens or of sessions.
pub(crate) fn trials(uses: &Uses, lines: &Lines) -> Vec<String> {
    let is_mysql = matches!(lines, Lines::Mysql { .. });
    let without_purge = Uses { purge: false, ..*uses };
    let of = |table: &'static Needed| {
        let rights = rights(table.name, &without_purge, is_mysql).into_iter();
        // INSERT reads the columns, too.
        let is_covered =
            |access: &Access| *access != Access::Select || table.name == "simplejwt_sequence";
        rights
            .map(|(access, _)| access)
            .filter(is_covered)
            .map(|access| table.trial(access, lines))
            .collect::<Vec<_>>()
    };
    needed(&without_purge).flat_map(of).collect()
}
