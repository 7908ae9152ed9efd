//! What the counts depend on beside the source.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::table::Tools;
use crate::process::{command, output};

/// What a compiler leaves in the programs that it makes, before its version.
const MARK: &[u8] = b"rustc version ";

/// Returns the compiler of a program, and what it will run with.
///
/// # Errors
/// The program can't be read or wasn't compiled by rustc, or valgrind is missing.
pub(super) fn of(program: &Path) -> Result<Tools> {
    let bytes = fs::read(program).with_context(|| format!("can't read {}", program.display()))?;
    let rustc = compiler(&bytes).with_context(|| {
        format!("{} doesn't say which rustc has compiled it", program.display())
    })?;
    let valgrind = output(command("valgrind", &["--version"])).context("this needs valgrind")?;
    let libc = output(command("getconf", &["GNU_LIBC_VERSION"]))?;
    Ok(Tools { rustc, libc: libc.trim().to_owned(), valgrind: valgrind.trim().to_owned() })
}

fn compiler(program: &[u8]) -> Option<String> {
    // It stands in a section at the end.
    let at = program.windows(MARK.len()).rposition(|window| window == MARK)?;
    let rest = program.get(at + MARK.len()..)?;
    let length = rest.iter().position(|byte| !(b' '..=b'~').contains(byte))?;
    String::from_utf8(rest.get(..length)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_counts() {
        let program = b"\0rustc version {}\0..\0rustc version 1.95.0 (a 2026-04-14)\0more\0";
        assert_eq!(compiler(program).as_deref(), Some("1.95.0 (a 2026-04-14)"));
        assert_eq!(compiler(b"made by gcc"), None);
        assert_eq!(compiler(b"rustc version "), None);
    }
}
