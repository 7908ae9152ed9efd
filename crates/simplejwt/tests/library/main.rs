//! What needs neither a database nor a framework: tokens, keys and flows in memory, and what the source
//! itself has to be like. With no feature too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod architecture;
mod compile_fail;
mod flows;
mod lengths;
mod marks;
#[cfg(feature = "passwords")]
mod passwords;
mod statements;
mod upstream;
mod vectors;
#[cfg(feature = "passwords")]
mod weak_passwords;
#[path = "../support/world.rs"]
mod world;
