//! The rights needed on tables, and statements that try them.

use crate::sql::schema::{BLACKLISTED, OUTSTANDING};
use crate::sql::table::UserTable;

use super::Problem;
use super::needed::{Column, Holds, Needed, needed};
use super::{Lines, Uses};

/// A way to access a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    Select,
    Insert,
    Update,
    Delete,
}

impl Access {
    /// Returns its keyword in SQL.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// An account that needs rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grantee {
    /// As the subject of a sentence: `the role "app"`.
    pub(crate) who: String,
    /// As GRANT spells it.
    pub(crate) name: String,
}

/// A right that is needed on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) access: Access,
    /// The columns that are read or written. Empty for a deletion.
    pub(crate) columns: Vec<String>,
    /// `true` if requests succeed without it.
    pub(crate) is_optional: bool,
}

impl Right {
    /// Returns the right to read these columns.
    pub(crate) fn to_read(columns: Vec<String>) -> Self {
        Self { access: Access::Select, columns, is_optional: false }
    }

    /// Returns the rights needed on a table other than the users'.
    pub(crate) fn on(table: &Needed, uses: &Uses, is_mysql: bool) -> Vec<Self> {
        let right = |(access, is_optional)| {
            let columns = columns_of(table, access, is_mysql);
            Self { access, columns: columns.into_iter().map(str::to_owned).collect(), is_optional }
        };
        accesses(table.name, uses, is_mysql).into_iter().map(right).collect()
    }

    /// Returns the rights needed on the users' table, without columns of an inheriting table.
    pub(crate) fn on_users(users: &UserTable, uses: &Uses) -> Vec<Self> {
        let own = |column: &str| !users.is_childs(column);
        let mut read: Vec<String> =
            users.every_column().filter(|column| own(column)).map(str::to_owned).collect();
        read.sort_unstable();
        read.dedup();
        // A login succeeds even if its hash isn't rewritten.
        let written = [
            (users.last_login.as_ref(), uses.last_login, false),
            (Some(&users.password), uses.rehash, true),
        ];
        let mut rights = vec![Self::to_read(read)];
        for (column, is_used, is_optional) in written {
            let column = column.filter(|column| is_used && own(column));
            rights.extend(column.map(|column| Self {
                access: Access::Update,
                columns: vec![column.clone()],
                is_optional,
            }));
        }
        rights
    }

    /// Returns a statement that needs the right and accesses no row.
    pub(crate) fn trial(&self, table: &str, lines: &Lines) -> String {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        trial(&lines.table(table), self.access, &columns, lines)
    }

    /// Returns the problem that an account lacks the right, with the statement that grants it: on
    /// these columns, or on the whole table if there are none. `on` is the table's name in SQL.
    pub(crate) fn denied(
        &self,
        table: &str,
        columns: &[String],
        on: &str,
        grantee: &Grantee,
        lines: &Lines,
    ) -> Problem {
        let word = self.access.word();
        let of = match columns {
            [] => word.to_owned(),
            columns => {
                let names: Vec<_> = columns.iter().map(|name| lines.quote(name)).collect();
                format!("{word} ({})", names.join(", "))
            }
        };
        let what = format!("{} may not {of} on \"{table}\"", grantee.who);
        let line = format!("GRANT {of} ON {on} TO {};", grantee.name);
        match (self.is_optional, self.access) {
            (false, _) => Problem::error(table, what, line),
            (true, Access::Delete) => {
                Problem::warning(table, format!("{what}, and what has expired stays"), line)
            }
            (true, _) => {
                Problem::warning(table, format!("{what}, and outdated password hashes stay"), line)
            }
        }
    }
}

/// Returns the accesses to a table, each with `true` if only the purge needs it. MySQL treats a row
/// that is left as it is as updated, and there each login rewrites the user's row.
fn accesses(table: &str, uses: &Uses, is_mysql: bool) -> Vec<(Access, bool)> {
    use Access::{Delete, Insert, Select, Update};
    let (always, purge): (&[Access], &[Access]) = match table {
        OUTSTANDING | BLACKLISTED if is_mysql => (&[Select, Insert, Update], &[Delete]),
        OUTSTANDING | BLACKLISTED => (&[Select, Insert], &[Delete]),
        "simplejwt_session"
        | "simplejwt_session_token"
        | "simplejwt_refresh_session"
        | "simplejwt_signing_key" => (&[Select, Insert, Update], &[Delete]),
        "simplejwt_revocation" => (&[Select, Insert], &[Delete]),
        "simplejwt_throttle" => (&[Select, Insert, Update, Delete], &[]),
        "simplejwt_sequence" => (&[Select, Update], &[]),
        "simplejwt_user" if is_mysql => (&[Select, Insert, Delete], &[]),
        _ => (&[Select, Insert, Update], &[]),
    };
    let purge = purge.iter().filter(|_| uses.purge).map(|right| (*right, true));
    always.iter().map(|right| (*right, false)).chain(purge).collect()
}

/// Returns the columns of a table that are read or written. Empty for a deletion.
fn columns_of(table: &Needed, access: Access, is_mysql: bool) -> Vec<&'static str> {
    let mut updated = match table.name {
        "simplejwt_session" => vec!["expires_at", "ended_at", "end_reason", "password"],
        "simplejwt_session_token" => vec!["used_at", "address"],
        "simplejwt_refresh_session" => vec![
            "generation",
            "jti",
            "issued_at",
            "used_at",
            "expires_at",
            "access_jti",
            "spent",
            "password",
            "address",
            "ended_at",
            "end_reason",
            "blacklisted_at",
            "kept_until",
        ],
        "simplejwt_signing_key" => vec!["verifies_until"],
        "simplejwt_throttle" => vec!["arrival"],
        "simplejwt_sequence" => vec!["value"],
        "simplejwt_lease" => vec!["holder", "expires_at"],
        "simplejwt_user" => vec!["user_id"],
        _ => Vec::new(),
    };
    if is_mysql {
        // An existing row is set to its present value.
        updated.extend(match table.name {
            OUTSTANDING | "simplejwt_session_token" => Some("jti"),
            BLACKLISTED => Some("token_id"),
            "simplejwt_session" | "simplejwt_refresh_session" => Some("id"),
            _ => None,
        });
    }
    let given = |column: &&Column| access == Access::Select || column.holds != Holds::Id;
    match access {
        Access::Update => updated,
        Access::Delete => Vec::new(),
        _ => table.columns.iter().filter(given).map(|column| column.name).collect(),
    }
}

/// Returns a statement that accesses these columns and no row, so that the database checks the
/// right. The table's name is given in SQL.
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

/// Returns trials of everything but the purge, on the tables of tokens or of sessions.
pub(crate) fn trials(uses: &Uses, lines: &Lines) -> Vec<String> {
    let is_mysql = matches!(lines, Lines::Mysql { .. });
    let without_purge = Uses { purge: false, ..*uses };
    let of = |table: &'static Needed| {
        let rights = Right::on(table, &without_purge, is_mysql).into_iter();
        // INSERT reads the columns, too.
        let is_covered =
            |right: &Right| right.access != Access::Select || table.name == "simplejwt_sequence";
        rights.filter(is_covered).map(|right| right.trial(table.name, lines)).collect::<Vec<_>>()
    };
    needed(&without_purge).flat_map(of).collect()
}
