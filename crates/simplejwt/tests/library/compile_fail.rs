//! What must not compile: each file in `compile_fail/`, whose lines end in `//~` and the codes of
//! the errors that the compiler has to report there. Behind `//?` stands what it has to say there,
//! where that is the library's own text. Files named `web_…` need the feature `axum`.
//!
//! Codes rather than whole messages, whose words change from one version of the compiler to the
//! next; and the library that this test is linked with rather than one built for the purpose.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use simplejwt::{Access, Claims, Token};

/// Lines and codes. How often the same is said of a line differs between compilers.
type Errors = BTreeSet<(u64, String)>;

#[test]
fn what_must_not_compile_does_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/compile_fail");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.iter().any(|file| file.ends_with("right.rs")));
    let needs_web =
        |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().starts_with("web_");
    files.retain(|file| cfg!(feature = "axum") || !needs_web(file));
    for file in &files {
        let source = fs::read_to_string(file).unwrap();
        let expected = expected(&source);
        let is_right = file.ends_with("right.rs");
        assert_eq!(expected.is_empty(), is_right, "{}: no line says what is wrong", file.display());
        let said = compile(file);
        assert_eq!(errors(&said), expected, "{}: (line, code)", file.display());
        for (line, text) in explanations(&source) {
            let explained = said.iter().any(|message| {
                place(message).is_some_and(|(at, _)| at == line)
                    && message["rendered"].as_str().unwrap_or_default().contains(text)
            });
            assert!(explained, "{}:{line}: {text} is not in {said:#?}", file.display());
        }
    }
}

/// Lines, and what has to be said of them.
fn explanations(source: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = source.lines().zip(1..);
    lines.filter_map(|(line, number)| Some((number, line.split_once("//?")?.1.trim())))
}

fn expected(source: &str) -> Errors {
    let marked = source.lines().zip(1..).filter_map(|(line, number)| {
        let (_, codes) = line.split_once("//~")?;
        Some((number, codes.split("//?").next().unwrap_or_default().split_whitespace()))
    });
    marked.flat_map(|(number, codes)| codes.map(move |code| (number, code.to_owned()))).collect()
}

fn errors(said: &[Value]) -> Errors {
    said.iter().filter_map(place).collect()
}

/// Line and code of an error.
fn place(message: &Value) -> Option<(u64, String)> {
    if message["level"] != "error" {
        return None;
    }
    let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    let code = message["code"]["code"].as_str();
    Some((span["line_start"].as_u64()?, code.unwrap_or("no code").to_owned()))
}

/// What the compiler says.
fn compile(file: &Path) -> Vec<Value> {
    let libraries = libraries();
    let output_folder = tempfile::tempdir().unwrap();
    let output = rustc(&libraries, simplejwt(&libraries), output_folder.path(), file);
    let messages = String::from_utf8(output.stderr).unwrap();
    let said: Vec<Value> = messages
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{messages}")))
        .collect();
    assert_eq!(output.status.success(), errors(&said).is_empty(), "{messages}");
    said
}

fn rustc(libraries: &Path, simplejwt: &str, output_folder: &Path, file: &Path) -> Output {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"])
        .args(["--error-format", "json", "--cap-lints", "allow", "--out-dir"])
        .arg(output_folder)
        .arg(joined("dependency=", libraries))
        .args(["--extern", simplejwt])
        .arg(file)
        .output()
        .unwrap()
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

/// `simplejwt=path`: of several that cargo keeps, the one made last that has what the files name. One
/// with more features serves as well, and none is older than the source.
fn simplejwt(folder: &Path) -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    FOUND.get_or_init(|| {
        let candidates = candidates(folder);
        let fits = |argument: &&String| cfg!(not(feature = "axum")) || has_web(folder, argument);
        let found = candidates.iter().find(fits);
        found.unwrap_or_else(|| panic!("no library in {}", folder.display())).clone()
    })
}

/// Whether a library was made with the feature `axum`.
fn has_web(folder: &Path, argument: &str) -> bool {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("probe.rs");
    fs::write(&file, "pub use simplejwt::web::axum::Permitted;").unwrap();
    rustc(folder, argument, temporary.path(), &file).status.success()
}

/// The libraries as arguments, the one made last first.
fn candidates(folder: &Path) -> Vec<String> {
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
    found.iter().rev().map(|(_, path)| format!("simplejwt={}", path.display())).collect()
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
