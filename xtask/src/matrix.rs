//! `cargo xtask matrix`: runs the tests that depend on the database on each supported version, and
//! prints one table of the results.
//!
//! It isn't part of CI, because it downloads whole systems into a cache and takes as long as CI.
//! The tests are compiled once. If a version isn't available, its row says so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::announce;

mod cache;
mod django;
mod pgbouncer;
mod rows;
mod suites;
mod table;

use rows::{Row, Server};
use suites::{Outcome, Suite, Suites};

/// Runs the rows whose names begin with one of the words, or all, and prints the table.
///
/// # Errors
/// A test failed, or the command's own requirements are missing.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let chosen: Vec<Row> = rows::all()
        .into_iter()
        .filter(|row| words.is_empty() || words.iter().any(|word| row.name.starts_with(word)))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = rows::all().iter().map(|row| row.name).collect();
        bail!("there is no row with that name; there are {}", names.join(", "));
    }
    let suites = Suites::compile()?;
    let mut done = Vec::new();
    for row in &chosen {
        announce(&format!("row {}", row.name));
        #[expect(clippy::disallowed_methods, reason = "how long a row takes is nobody's clock")]
        let begun = Instant::now();
        let found = one(row, &suites);
        let seconds = begun.elapsed().as_secs();
        if let Err(error) = &found {
            println!("{}: {error:#}", row.name);
        }
        done.push((row, found, seconds));
        // The rows so far are useful even if the rest is interrupted.
        println!("\n{}", table::printed(&done));
    }
    if done.iter().any(|(_, found, _)| table::is_failed(found)) {
        bail!("some rows failed");
    }
    Ok(())
}

/// The result of a row, by column, or the reason why there is none.
pub(crate) struct Done {
    /// The version that the server reports.
    version: String,
    columns: BTreeMap<Suite, Outcome>,
}

/// The reason why a row has no results.
#[derive(Debug)]
struct Missing(anyhow::Error);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not available: {:#}", self.0)
    }
}

impl std::error::Error for Missing {}

fn one(row: &Row, suites: &Suites) -> Result<Done> {
    let folder = |source: &cache::Source| -> Result<PathBuf> {
        source.get().map_err(|error| Missing(error).into())
    };
    match &row.server {
        Server::Postgres(source) => {
            let place = source.as_ref().map(folder).transpose()?;
            suites.on_postgres(row, place.as_deref())
        }
        Server::Mysql(source, options) => {
            let place = source.as_ref().map(folder).transpose()?;
            suites.on_mysql(row, place.as_deref(), options)
        }
        Server::PgBouncer(source) => {
            let place = source.as_ref().map(folder).transpose()?;
            pgbouncer::on(row, suites, place.as_deref())
        }
        Server::Django(source) => django::on(suites, &folder(source)?),
    }
}
