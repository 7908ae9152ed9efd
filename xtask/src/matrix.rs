//! `cargo xtask matrix`: the tests that a database decides, on each version that is supported, and
//! one table of what came of it.
//!
//! Outside CI: it brings whole systems into a cache, and takes as long as CI does. The tests are
//! compiled once. What can't be had is a row that says so.

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
/// A test failed, or what the command itself needs isn't there.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let chosen: Vec<Row> = rows::all()
        .into_iter()
        .filter(|row| words.is_empty() || words.iter().any(|word| row.name.starts_with(word)))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = rows::all().iter().map(|row| row.name).collect();
        bail!("there is no row of such a name; there are {}", names.join(", "));
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
        // What has come by now is worth having if the rest is interrupted.
        println!("\n{}", table::printed(&done));
    }
    if done.iter().any(|(_, found, _)| table::is_failed(found)) {
        bail!("not everything passed");
    }
    Ok(())
}

/// What came of a row: by column, or why there is nothing.
pub(crate) struct Done {
    /// What the server calls itself.
    version: String,
    columns: BTreeMap<Suite, Outcome>,
}

/// Why a row has nothing to show.
#[derive(Debug)]
struct Missing(anyhow::Error);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not to be had: {:#}", self.0)
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
