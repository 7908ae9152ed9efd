//! What a table of users may look like, on every database: one list of cases.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test uses its part")]

pub(crate) mod keys;
pub(crate) mod logins;
pub(crate) mod unique;

use std::sync::Arc;

use simplejwt::Timestamp;
use simplejwt::sql::manage::{ManageUsers, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};

const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseKind {
    Sqlite,
    Postgres,
    Mysql,
}

use DatabaseKind::{Mysql, Postgres, Sqlite};

const ALL: &[DatabaseKind] = &[Sqlite, Postgres, Mysql];

/// A database for one test, where tables of users are made and opened.
pub(crate) trait Tables {
    const KIND: DatabaseKind;

    /// Runs statements, with `;` and a line's end between them.
    fn run(&self, sql: &str) -> impl Future<Output = ()> + Send;

    /// Opens a table of users; what is told where it is refused.
    fn open_with(
        &self,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> impl Future<Output = Result<Arc<dyn ManageUsers>, String>> + Send;
}

/// One with many tables in it, of every type there is.
#[allow(async_fn_in_trait, reason = "nobody else implements it")]
pub(crate) trait Place: Tables {
    /// Whether the database has a type of this name: MySQL lacks one that MariaDB has.
    async fn has_type(&self, _: &str) -> bool {
        true
    }

    /// Opens a table of users with the usual options; what is told where it is refused.
    async fn open(
        &self,
        table: UserTable,
        pool: HashingPool,
    ) -> Result<Arc<dyn ManageUsers>, String> {
        self.open_with(table, pool, UserOptions::default()).await
    }

    /// Makes the tables that are missing; what is told where that fails.
    async fn migrate(&self, table: UserTable) -> Result<(), String>;

    /// Opens the registered tokens of a table of users; what is told where that is refused.
    async fn tokens(&self, table: UserTable) -> Result<(), String>;
}

/// Hashes without work, which are counted.
fn hashing() -> (Hashers, HashingPool) {
    let hashers = Hashers::from_setting(["md5"]).unwrap();
    let pool = HashingPool::new(hashers.clone(), PoolOptions { threads: 1, waiting: 64 }).unwrap();
    (hashers, pool)
}

fn people(table: &str, login: &str) -> UserTable {
    UserTable {
        table: table.into(),
        login: login.into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    }
}

pub(super) const UUID: &str = "'6f1c3a529a384d5e8a520123456789ab'";
pub(super) const HYPHENATED: &str = "6f1c3a52-9a38-4d5e-8a52-0123456789ab";
/// What no column here has, whatever its type.
pub(super) const NOBODY: &[&str] = &[
    "",
    " ",
    "4711x",
    "x4711",
    "٤٧١١",
    "4711.0",
    "4.711e3",
    "47e2",
    "0x1267",
    "-4711",
    "4712",
    "47 11",
    "4__711",
    "4711\0",
    "\0",
    "2147483648",
    "32768",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "NaN",
    "true",
    "6f1c3a52-9a38-4d5e-8a52-000000000000",
    "6f1c3a52-9a38-4d5e-8a52-0123456789a",
    "6f1c3a52-9a38-4d5e-8a52-0123456789ag",
    "{}",
    "😀",
    "€",
    "é",
    "\u{fffd}",
    "'",
    "\"; --",
];

/// One test for each of the lists above.
macro_rules! columns_tests {
    ($place:expr) => {
        #[tokio::test]
        async fn what_users_are_found_by_is_unique() {
            crate::support::columns::unique::what_users_are_found_by_is_unique(&$place).await;
        }

        #[tokio::test]
        async fn users_may_be_a_view() {
            crate::support::columns::unique::users_may_be_a_view(&$place).await;
        }

        #[tokio::test]
        async fn nobody_is_taken_for_another() {
            crate::support::columns::unique::nobody_is_taken_for_another(&$place).await;
        }

        #[tokio::test]
        async fn login_names_are_compared_by_the_columns_type() {
            crate::support::columns::logins::login_names_are_compared_by_the_columns_type(&$place)
                .await;
        }

        #[tokio::test]
        async fn names_are_stored_in_the_columns_type() {
            crate::support::columns::logins::names_are_stored_in_the_columns_type(&$place).await;
        }

        #[tokio::test]
        async fn the_keys_type_is_the_columns() {
            crate::support::columns::keys::the_keys_type_is_the_columns(&$place).await;
        }

        #[tokio::test]
        async fn registered_tokens_refer_to_the_key() {
            crate::support::columns::keys::registered_tokens_refer_to_the_key(&$place).await;
        }

        #[tokio::test]
        async fn flags_are_read_and_written_in_their_type() {
            crate::support::columns::keys::flags_are_read_and_written_in_their_type(&$place).await;
        }
    };
}
pub(crate) use columns_tests;
