//! The server's binary, built like the tests, so that nothing is compiled twice.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::{cargo, output};

/// The same build as `cargo test --workspace --all-features`.
const BUILD: &[&str] = &[
    "build",
    "--workspace",
    "--all-features",
    "--lib",
    "--bins",
    "--tests",
    "--examples",
    "--message-format=json-render-diagnostics",
];

/// Builds the server and returns its path.
///
/// # Errors
/// Something doesn't compile.
pub(crate) fn binary() -> Result<PathBuf> {
    let messages = output(cargo(BUILD))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "simplejwt")
        .filter(|message| {
            message["target"]["kind"][0] == "bin" && message["profile"]["test"] == false
        })
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo names no executable `simplejwt`")
}
