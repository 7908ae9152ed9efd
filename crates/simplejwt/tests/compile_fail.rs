//! What must not compile: each file in `compile_fail/`, whose lines end in `//~` and the codes of
//! the errors that the compiler has to report there.
//!
//! Codes rather than whole messages, whose words change from one version of the compiler to the
//! next; and the library that this test is linked with rather than one built for the purpose.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use simplejwt::{Access, Claims, Token};

/// Lines and codes. How often the same is said of a line differs between compilers.
type Errors = BTreeSet<(u64, String)>;

#[test]
fn what_must_not_compile_does_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.iter().any(|file| file.ends_with("right.rs")));
    for file in &files {
        let expected = expected(&fs::read_to_string(file).unwrap());
        let is_right = file.ends_with("right.rs");
        assert_eq!(expected.is_empty(), is_right, "{}: no line says what is wrong", file.display());
        assert_eq!(errors(file), expected, "{}: (line, code)", file.display());
    }
}

fn expected(source: &str) -> Errors {
    let marked = source.lines().zip(1..).filter_map(|(line, number)| {
        line.split_once("//~").map(|(_, codes)| (number, codes.split_whitespace()))
    });
    marked.flat_map(|(number, codes)| codes.map(move |code| (number, code.to_owned()))).collect()
}

/// What the compiler says.
fn errors(file: &Path) -> Errors {
    let libraries = libraries();
    let output_folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"])
        .args(["--error-format", "json", "--cap-lints", "allow", "--out-dir"])
        .arg(output_folder.path())
        .arg(joined("dependency=", &libraries))
        .args(["--extern", &simplejwt(&libraries)])
        .arg(file)
        .output()
        .unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    let errors: Errors = messages
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{messages}")))
        .filter(|message| message["level"] == "error" && message["spans"] != Value::Array(vec![]))
        .map(|message| {
            let spans = message["spans"].as_array().unwrap();
            let span = spans.iter().find(|span| span["is_primary"] == true).unwrap();
            let code = message["code"]["code"].as_str();
            (span["line_start"].as_u64().unwrap(), code.unwrap_or("no code").to_owned())
        })
        .collect();
    assert_eq!(output.status.success(), errors.is_empty(), "{messages}");
    errors
}

/// Where cargo has put the libraries that this test is linked with.
fn libraries() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.parent().unwrap().to_path_buf()
}

fn joined(prefix: &str, path: &Path) -> OsString {
    let mut argument = OsString::from("-L");
    argument.push(prefix);
    argument.push(path);
    argument
}

/// `simplejwt=path`: of several that cargo keeps, the one made last. One with other features serves
/// as well, and none is older than the source.
fn simplejwt(folder: &Path) -> String {
    let is_it = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with("libsimplejwt-") && file.ends_with(".rlib")
    };
    let found: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(is_it)
        .map(|path| (fs::metadata(&path).unwrap().modified().unwrap(), path))
        .collect();
    let (_, path) = found.last().unwrap_or_else(|| panic!("no library in {}", folder.display()));
    format!("simplejwt={}", path.display())
}

/// Does not compile if one of the types can be read out of JSON: then there are two ways to take
/// the `_`.
#[test]
fn tokens_and_claims_are_not_read_by_serde() {
    trait Ambiguous<A> {
        fn check() {}
    }
    struct IfRead;
    impl<T> Ambiguous<()> for T {}
    impl<T: serde::de::DeserializeOwned> Ambiguous<IfRead> for T {}

    <Token<Access> as Ambiguous<_>>::check();
    <Claims as Ambiguous<_>>::check();
}
