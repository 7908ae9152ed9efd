//! `cargo xtask generate`: files that are generated from the code, so that they can't drift from
//! it.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, command, output, root};
use crate::server;

mod settings;

struct Generated {
    path: &'static str,
    text: String,
}

/// Writes every generated file.
///
/// # Errors
/// The sources don't have the expected form, or a file can't be written.
pub(crate) fn write() -> Result<()> {
    for file in files()? {
        fs::write(root().join(file.path), file.text)
            .with_context(|| format!("can't write {}", file.path))?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

/// Compares every generated file with its expected content.
///
/// # Errors
/// The names of those that differ.
pub(crate) fn check() -> Result<()> {
    announce("generated files are up to date");
    let mut stale = Vec::new();
    for file in files()? {
        if fs::read_to_string(root().join(file.path)).ok().as_ref() != Some(&file.text) {
            stale.push(file.path);
        }
    }
    if !stale.is_empty() {
        bail!("not up to date: {}; run `cargo xtask generate` and commit it", stale.join(", "));
    }
    Ok(())
}

fn files() -> Result<Vec<Generated>> {
    const SETTINGS: &str = "crates/simplejwt/src/settings.rs";
    let source = fs::read_to_string(root().join(SETTINGS))
        .with_context(|| format!("can't read {SETTINGS}"))?;
    Ok(vec![
        Generated { path: "docs/settings.md", text: settings::page(&source)? },
        Generated {
            path: "crates/simplejwt-server/config.example.toml",
            text: output(command(server::binary()?, &["config", "example"]))?,
        },
    ])
}
