//! The tables as they have to be, whatever the database, and what may be wrong with them.

mod error;
mod table;
mod users;

pub use error::{MissingRight, SchemaError};
pub(crate) use table::{Column, Table};
pub(crate) use users::{
    FoundBy, ambiguous, by_user_id, doubled, found_by, has_logins, or_inherited, unreferable,
};

/// Django's table of registered tokens.
pub(crate) const OUTSTANDING: &str = "token_blacklist_outstandingtoken";
/// Django's table of blacklisted tokens.
pub(crate) const BLACKLISTED: &str = "token_blacklist_blacklistedtoken";

/// The index that the purge uses.
pub(crate) const EXPIRES_AT_INDEX: &str = "simplejwt_outstandingtoken_expires_at";
/// Our own tables, with their columns in use.
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

/// The table of sessions as one row each, with its columns in use.
pub(crate) const SESSION_ROWS: (&str, &[&str]) = (
    "simplejwt_refresh_session",
    &[
        "id",
        "user_id",
        "created_at",
        "generation",
        "jti",
        "issued_at",
        "used_at",
        "expires_at",
        "access_jti",
        "spent",
        "password",
        "address",
        "user_agent",
        "ended_at",
        "end_reason",
        "blacklisted_at",
        "kept_until",
    ],
);

/// The table of the keys of a ring, with its columns in use.
pub(crate) const SIGNING_KEYS: (&str, &[&str]) = (
    "simplejwt_signing_key",
    &["number", "kid", "algorithm", "material", "created_at", "activates_at", "verifies_until"],
);

/// The table of counters of failures, with its columns in use.
pub(crate) const COUNTERS: (&str, &[&str]) = ("simplejwt_throttle", &["id", "arrival"]);

/// Returns those statements of our own tables' migration that create these tables, with their
/// indexes and rows. Each is on a line of its own, in which the table's name is the first in quotes
/// or follows ON.
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

/// A step of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The migration: `0002_outstanding_token`.
    pub name: &'static str,
    /// The table that it creates or changes.
    pub table: &'static str,
    /// Its statements, to be run in this order.
    pub sql: String,
}
