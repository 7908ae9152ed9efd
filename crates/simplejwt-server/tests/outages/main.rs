//! Servers and databases that are killed, slow or unavailable: acknowledged changes persist.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod durability;
mod failover;
mod faults;
#[cfg(target_os = "linux")]
mod full_disk;
mod history;
#[path = "../../../simplejwt/tests/support/instance.rs"]
mod instance;
#[path = "../support/mod.rs"]
mod support;
mod waiting;

/// Returns the value of a variable that `cargo xtask services env` prints.
fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} isn't set: run `cargo xtask test`, or `cargo xtask services up` and then \
             `eval \"$(cargo xtask services env)\"`"
        )
    })
}
