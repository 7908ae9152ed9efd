//! Each statement of a store is one that `check` has prepared: those that aren't on its list would
//! be found wanting by the first request.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that ask what there is, or make it, and those that ask a server how it stands.
const OTHERS: [&str; 7] =
    ["schema", "migrate", "check", "takeover", "pooler", "servers", "may_migrate"];
/// What asks the catalogue, or is a part of statements that are made when they are run.
const PARTS: [&str; 11] = [
    "AFTER",
    "BYTES",
    "FOREIGN_KEYS",
    "KEYS",
    "THERE",
    "MICROS",
    "GIVEN",
    "REGISTER",
    "NOT_BLACKLISTED",
    "NOT_TWICE",
    "SELECT",
];
/// Where statements are put on the list, or made for it.
const LISTS: [&str; 12] = [
    "const STATEMENTS",
    "fn statements(",
    "fn every(",
    "fn ping(",
    "fn show_one(",
    "fn show_live(",
    "fn live_but_one(",
    "fn live_by_age(",
    "fn candidates_with(",
    "fn newest_sql(",
    "fn unended(",
    "fn set_ended(",
];

fn files(of: &Path) -> Vec<PathBuf> {
    let mut found = vec![of.with_extension("rs")];
    let mut folders = vec![of.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

/// The item that begins here, to its end.
fn item(text: &str) -> &str {
    let end =
        text.find("\n}\n").unwrap_or(text.len()).min(text.find(";\n\n").unwrap_or(text.len()));
    &text[..end]
}

#[test]
fn each_statement_is_on_the_list() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for database in ["sqlite", "postgres", "mysql"] {
        let (mut constants, mut listed) = (Vec::new(), String::new());
        for file in files(&store.join(database)) {
            let text = fs::read_to_string(&file).unwrap();
            for list in LISTS {
                text.match_indices(list).for_each(|(at, _)| listed.push_str(item(&text[at..])));
            }
            // A module, and those in its folder.
            let below = file.strip_prefix(&store).unwrap().with_extension("");
            if below.iter().any(|part| OTHERS.iter().any(|other| part == *other)) {
                continue;
            }
            for (at, _) in text.match_indices("const ") {
                let definition = &text[at + "const ".len()..];
                let definition = &definition[..definition.find(";\n").unwrap_or(definition.len())];
                let Some((name, value)) = definition.split_once(':') else { continue };
                let is_sql = value.contains("&str")
                    && ["SELECT ", "INSERT ", "UPDATE ", "DELETE "]
                        .iter()
                        .any(|word| value.contains(word));
                if is_sql && !PARTS.contains(&name) && name != "STATEMENTS" {
                    constants.push((file.clone(), name.to_owned()));
                }
            }
        }
        assert!(constants.len() > 20, "{database}: {constants:?}");
        let words: Vec<&str> =
            listed.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        constants.retain(|(_, name)| !words.contains(&name.as_str()));
        assert!(constants.is_empty(), "on no list that `check` has prepared: {constants:?}");
    }
}
