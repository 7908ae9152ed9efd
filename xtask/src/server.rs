//! The server's binary, built as the tests are built, so that nothing is compiled twice.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::{cargo, output};

/// What `cargo test --workspace --all-features` compiles.
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

/// Builds it and finds it.
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
