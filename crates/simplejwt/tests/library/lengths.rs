//! The length of files: what has over 400 lines is more than one idea, unless its head says why not.

use std::fs;
use std::path::{Path, PathBuf};

/// The number of lines that a file may have.
const LIMIT: usize = 400;
/// The beginning of the sentence in a longer file's head (`//!`) that says why it is one file.
const REASON: &str = "//! Longer than others: ";

/// `true` if the text is longer than a file may be, and its head gives no reason.
fn is_too_long(text: &str) -> bool {
    let head = || text.lines().take_while(|line| line.starts_with("//!"));
    text.lines().count() > LIMIT && !head().any(|line| line.starts_with(REASON))
}

/// The Rust files below a folder, but for what Cargo has made.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the source is readable") {
        let path = entry.expect("the source is readable").path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn files_are_short_or_say_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let every: Vec<_> =
        ["crates", "xtask"].iter().flat_map(|folder| files(&root.join(folder))).collect();
    assert!(every.len() > 500, "only {} files were found", every.len());
    let text = |path: &PathBuf| fs::read_to_string(path).expect("the source is UTF-8");
    let long: Vec<_> = every.iter().filter(|path| is_too_long(&text(path))).collect();
    assert!(
        long.is_empty(),
        "over {LIMIT} lines: split them by what they are about, or give the reason in the head \
         after {REASON:?}: {long:#?}"
    );
}

#[test]
fn long_files_are_found() {
    let line = "let x = 1;\n";
    assert!(!is_too_long(&line.repeat(LIMIT)));
    assert!(is_too_long(&line.repeat(LIMIT + 1)));
    assert!(is_too_long(&format!("//! A table.\n{}", line.repeat(LIMIT))));
    let reason = format!("{REASON}a table of one idea.\n");
    assert!(!is_too_long(&format!("//! A table.\n//!\n{reason}{}", line.repeat(LIMIT))));
    assert!(is_too_long(&format!("{}{reason}", line.repeat(LIMIT))), "not in its head");
}
