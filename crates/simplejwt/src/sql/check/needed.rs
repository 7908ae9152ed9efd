//! The tables in use: what their columns hold, what is unique, and what has an index.

use crate::sql::schema::{BLACKLISTED, EXPIRES_AT_INDEX, OUTSTANDING};

use super::Uses;

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A number that the database generates.
    Id,
    /// The id of another row.
    Number,
    /// A user's key, which has the type that the users' table gives it.
    User,
    /// Text with this maximum number of characters.
    Text(usize),
    /// A token, of up to 16 KiB.
    Token,
    /// A time, as Django stores it.
    Moment,
    /// Microseconds since 1970, or a counter.
    Micros,
}

/// A column of a table in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) holds: Holds,
    /// `true` if null may be written.
    pub(crate) null: bool,
}

/// A table in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) unique: &'static [&'static str],
    /// Columns by which rows are found, with the names of the indexes that `migrate` creates.
    pub(crate) indexes: &'static [(&'static str, &'static str)],
    /// `true` if Django's migrations create it, too.
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

const ROWS: Needed = Needed {
    name: "simplejwt_refresh_session",
    columns: &[
        column("id", Holds::Text(255)),
        column("user_id", Holds::Text(255)),
        column("created_at", Holds::Micros),
        column("generation", Holds::Micros),
        column("jti", Holds::Text(255)),
        column("issued_at", Holds::Micros),
        column("used_at", Holds::Micros),
        column("expires_at", Holds::Micros),
        nullable("access_jti", Holds::Text(255)),
        column("spent", Holds::Token),
        nullable("password", Holds::Text(32)),
        nullable("address", Holds::Text(45)),
        nullable("user_agent", Holds::Text(255)),
        nullable("ended_at", Holds::Micros),
        nullable("end_reason", Holds::Text(16)),
        nullable("blacklisted_at", Holds::Micros),
        column("kept_until", Holds::Micros),
    ],
    unique: &["id"],
    indexes: &[
        ("user_id", "simplejwt_refresh_session_user_id"),
        ("kept_until", "simplejwt_refresh_session_kept_until"),
    ],
    is_djangos: false,
};

const KEYS: Needed = Needed {
    name: "simplejwt_signing_key",
    columns: &[
        column("number", Holds::Micros),
        column("kid", Holds::Text(255)),
        column("algorithm", Holds::Text(16)),
        column("material", Holds::Token),
        column("created_at", Holds::Micros),
        column("activates_at", Holds::Micros),
        nullable("verifies_until", Holds::Micros),
    ],
    unique: &["number", "kid"],
    indexes: &[],
    is_djangos: false,
};

const COUNTERS: Needed = Needed {
    name: "simplejwt_throttle",
    columns: &[column("id", Holds::Text(32)), column("arrival", Holds::Micros)],
    unique: &["id"],
    indexes: &[("arrival", "simplejwt_throttle_arrival")],
    is_djangos: false,
};

/// Returns the tables in use, except for the users'.
pub(crate) fn needed(uses: &Uses) -> impl Iterator<Item = &'static Needed> {
    let tokens = uses.tokens.then_some(TOKENS.iter()).into_iter().flatten();
    let sessions = uses.sessions.then_some(SESSIONS.iter()).into_iter().flatten();
    let rows = uses.session_rows.then_some(&ROWS);
    let keys = uses.signing_keys.then_some(&KEYS);
    tokens.chain(sessions).chain(rows).chain(keys).chain(uses.throttle.then_some(&COUNTERS))
}
