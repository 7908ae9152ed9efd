//! `check`: whatever a database lacks is named, with the line that mends it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod alterations;
mod definition;
mod inherited;
mod migrating;
mod mysql;
mod postgres;
mod requests;
mod rights;
mod sqlite;
mod users;

use simplejwt::Settings;
use simplejwt::settings::Rows;
use simplejwt::sql::check::{Problems, Uses};

/// Everything that a server may do.
fn every_use() -> Uses {
    let mut settings =
        Settings { token_blacklist: true, update_last_login: true, ..Settings::default() };
    settings.sessions.rows = Rows::Sessions;
    let mut uses = Uses::of(&settings);
    uses.signing_keys = true;
    uses.throttle = true;
    assert!(uses.sessions && uses.session_rows && uses.purge && uses.last_login);
    uses
}

/// Each problem as text.
fn texts(problems: &Problems) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
