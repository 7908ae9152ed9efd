//! Checks that the tests and files named in SECURITY.md exist.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, output, root};

/// Looks up every test and file that SECURITY.md names.
///
/// # Errors
/// The names that don't exist.
pub(crate) fn check() -> Result<()> {
    announce("the tests and files that SECURITY.md names exist");
    let page = fs::read_to_string(root().join("SECURITY.md")).context("can't read SECURITY.md")?;
    let list = output(crate::process::command(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard"],
    ))?;
    let files: Vec<&str> = list.lines().collect();
    let mut source = String::new();
    for file in files.iter().filter(|file| file.ends_with(".rs") || file.ends_with(".py")) {
        // A file that git lists but that has been deleted doesn't exist.
        source.push_str(&fs::read_to_string(root().join(file)).unwrap_or_default());
    }
    let missing: Vec<&str> = names(&page)
        .into_iter()
        .filter(|name| {
            if is_path(name) {
                let path = full_path(name);
                !files
                    .iter()
                    .any(|file| file.starts_with(&path) && Path::new(&root().join(file)).exists())
            } else {
                !source.contains(name)
            }
        })
        .collect();
    if !missing.is_empty() {
        bail!("SECURITY.md names tests or files that don't exist: {}", missing.join(", "));
    }
    Ok(())
}

/// Returns the names in backquotes that are paths or, with three words or more, functions.
fn names(page: &str) -> Vec<&str> {
    let quoted = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|name| is_path(name) || is_function(name)).collect()
}

fn is_path(name: &str) -> bool {
    ["src/", "tests/", "server/", "compat/", "docs/"].iter().any(|start| name.starts_with(start))
}

fn is_function(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(word) && name.matches('_').count() >= 2
}

/// Returns the full path: those on the page are relative to the library, unless they say otherwise.
fn full_path(name: &str) -> String {
    match name.split_once('/') {
        Some(("server", rest)) => format!("crates/simplejwt-server/{rest}"),
        Some(("src" | "tests", _)) => format!("crates/simplejwt/{name}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_functions_are_told_from_other_words() {
        let page = "`docs/no.md` is outside\n| `exp` | `src/a.rs`: `one_two_three`, `debug_shows_no_…` |\n";
        assert_eq!(names(page), ["src/a.rs", "one_two_three"]);
        assert_eq!(full_path("src/a.rs"), "crates/simplejwt/src/a.rs");
        assert_eq!(full_path("server/tests/a.rs"), "crates/simplejwt-server/tests/a.rs");
        assert_eq!(full_path("compat/a.py"), "compat/a.py");
    }
}
