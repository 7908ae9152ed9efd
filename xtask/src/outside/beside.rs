//! The library in one program with other users of SQLite. `links = "sqlite3"` allows only one
//! libsqlite3-sys, so Cargo has to find a rusqlite that suits all of them.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::{Folder, PACKAGE, library, profiles, target};
use crate::process::{announce, cargo, root, run as run_command};

/// Versions of sqlx, with the rusqlite that Cargo chooses beside each.
const SQLX: [(&str, &str); 2] = [("0.8.6", "0.32."), ("0.9.0", "0.39.")];

/// The oldest rusqlite that the library declares.
const OLDEST: &str = "0.32.1";

/// Checks Cargo's choice beside sqlx, with its SQLite and with another of its databases, and that
/// the library compiles with the oldest rusqlite.
///
/// # Errors
/// Cargo finds no compatible versions, or chooses others.
pub(super) fn choose(folder: &Folder) -> Result<()> {
    for (sqlx, rusqlite) in SQLX {
        for database in ["sqlite", "postgres"] {
            announce(&format!("beside sqlx {sqlx} with {database}: rusqlite {rusqlite}x"));
            write(folder, sqlx, database)?;
            folder.resolve()?;
            let chosen = chosen(&fs::read_to_string(folder.0.join("Cargo.lock"))?);
            let [version] = chosen.as_slice() else {
                bail!("beside sqlx {sqlx} there is not one rusqlite but {chosen:?}");
            };
            if !version.starts_with(rusqlite) {
                bail!("beside sqlx {sqlx} Cargo chooses rusqlite {version}: say so in README.md");
            }
        }
    }
    announce(&format!("the feature sqlite with rusqlite {OLDEST}"));
    let source = fs::read_to_string(root().join("xtask/outside/sqlite.rs"))?;
    let manifest = manifest(&format!("rusqlite = \"={OLDEST}\"\n"))?;
    folder.write(&manifest, "src/lib.rs", &source)?;
    folder.resolve()?;
    folder.check().with_context(|| format!("with rusqlite {OLDEST}"))
}

/// Builds and runs a program that uses both on one file.
///
/// # Errors
/// It doesn't compile or run.
pub(super) fn run(folder: &Folder) -> Result<()> {
    for (sqlx, _) in SQLX {
        write(folder, sqlx, "sqlite")?;
        let file = folder.0.join(format!("{sqlx}.sqlite3"));
        let mut program = cargo(&["run", "--quiet", "--"]);
        program.arg(&file).current_dir(&folder.0).env("CARGO_TARGET_DIR", target());
        announce(&format!("one program with sqlx {sqlx}, on one file"));
        run_command(program)?;
    }
    Ok(())
}

fn write(folder: &Folder, sqlx: &str, database: &str) -> Result<()> {
    let source = fs::read_to_string(root().join("xtask/outside/beside_sqlx.rs"))?;
    let manifest = manifest(&format!(
        "sqlx = {{ version = \"={sqlx}\", default-features = false, \
         features = [\"{database}\", \"macros\", \"migrate\", \"runtime-tokio\"] }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\n"
    ))?;
    folder.write(&manifest, "src/main.rs", &source)
}

fn manifest(dependencies: &str) -> Result<String> {
    let workspace = fs::read_to_string(root().join("Cargo.toml"))?;
    Ok(format!(
        "{PACKAGE}[dependencies]\n{dependencies}\
         simplejwt = {{ path = {:?}, features = [\"sqlite\"] }}\n\n{}",
        library(),
        profiles(&workspace)
    ))
}

/// Returns the versions of rusqlite in a lock file.
fn chosen(lock: &str) -> Vec<String> {
    let versions = lock.split("name = \"rusqlite\"\nversion = \"").skip(1);
    versions.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_in_the_lock_file_is_seen() {
        let package =
            |name, version| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n");
        let lock = package("rusqlite", "0.32.1") + &package("serde", "1.0.0");
        assert_eq!(chosen(&lock), ["0.32.1"]);
        assert_eq!(chosen(&(lock + &package("rusqlite", "0.41.1"))), ["0.32.1", "0.41.1"]);
    }
}
