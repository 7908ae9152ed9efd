//! Tests the direction of dependencies: sections know items, the list knows the sections, and
//! readers know the list.

use std::path::Path;

/// The modules that a section may use.
const BELOW: [&str; 10] = [
    "bind",
    "database_url",
    "form",
    "given",
    "hashers",
    "item",
    "level",
    "suggest",
    "toml_text",
    "value_file",
];
/// Sections, with the other sections that they use.
const SECTIONS: [(&str, &[&str]); 17] = [
    ("claims", &["users"]),
    ("cookies", &["server"]),
    ("database", &[]),
    ("django", &[]),
    ("gateway", &["claims"]),
    ("jwk_url", &[]),
    ("keys", &["signing"]),
    ("log", &[]),
    ("oauth", &[]),
    ("password", &[]),
    ("server", &[]),
    ("sessions", &[]),
    ("signing", &[]),
    ("simple_jwt", &[]),
    ("throttle", &["server"]),
    ("tls", &[]),
    ("users", &[]),
];

/// Returns the siblings that the source names, without its tests.
fn named(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config").join(file);
    let source = std::fs::read_to_string(path).unwrap();
    let source = source.split("#[cfg(test)]").next().unwrap();
    assert!(!source.contains("crate::config"), "{file}: siblings are named by super");
    assert!(file == "list.rs" || !source.contains("super::{"), "{file}: one line a sibling");
    let names = source.split("super::").skip(1).map(|rest| {
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned()
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn no_section_knows_the_list_or_what_reads_it() {
    for (section, beside) in SECTIONS {
        let found = named(&format!("{section}.rs"));
        assert!(found.iter().any(|name| name == "item"), "{section}: {found:?}");
        for name in found {
            let known = BELOW.contains(&name.as_str()) || beside.contains(&name.as_str());
            assert!(known, "{section}.rs names {name}");
        }
    }
    for below in BELOW {
        for name in named(&format!("{below}.rs")) {
            assert!(BELOW.contains(&name.as_str()), "{below}.rs names {name}");
        }
    }
    let list = named("list.rs");
    let above =
        list.iter().filter(|name| ["file", "env", "schema", "example"].contains(&name.as_str()));
    assert_eq!(above.count(), 0, "{list:?}");
}

#[test]
fn every_section_is_on_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/list.rs");
    let list = std::fs::read_to_string(path).unwrap();
    for (section, _) in SECTIONS {
        assert!(list.contains(&format!("place!({section}::SECTION")), "{section}");
    }
    let placed: Vec<_> =
        list.split("place!(").skip(1).filter_map(|rest| rest.split("::").next()).collect();
    let known = placed.iter().all(|name| SECTIONS.iter().any(|(section, _)| section == name));
    assert!(known, "a section that this test doesn't know: {placed:?}");
}
