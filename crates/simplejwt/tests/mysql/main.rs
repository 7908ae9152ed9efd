//! MySQL or MariaDB: the suites, users, migrations, and a server that fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod authentication;
mod certificates;
#[path = "../support/columns.rs"]
mod columns;
mod failures;
#[path = "../support/hashes.rs"]
mod hashes;
#[path = "../support/instance.rs"]
mod instance;
#[path = "../support/certificates.rs"]
mod made;
mod migrations;
mod passwords;

#[path = "../support/references.rs"]
mod references;
#[path = "../support/relay.rs"]
mod relay;
#[path = "../support/rights.rs"]
mod rights;
mod servers;
#[path = "../support/spelling.rs"]
mod spelling;
mod stores;
#[path = "../support/traffic.rs"]
mod traffic;
mod users;
mod world;

/// The value of a variable that `cargo xtask services env` prints.
fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} isn't set: `cargo xtask test` sets it"))
}
