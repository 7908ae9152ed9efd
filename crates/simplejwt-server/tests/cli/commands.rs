//! The command line: help, messages, exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

mod configuration;
mod databases;

use std::fs;

use tempfile::TempDir;

use crate::support::process::{run, run_with_input, stderr, stdout};

const SECRET: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
/// Much too little work for anything but tests.
const QUICK: (&str, &str) = ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000");

struct Place {
    directory: TempDir,
    url: String,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/db.sqlite3", directory.path().display());
        Self { directory, url }
    }

    fn migrated() -> Self {
        let place = Self::new();
        place.succeed(&["migrate"], "");
        place
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        vec![SECRET, QUICK, ("DATABASE_URL", &self.url), ("SIMPLEJWT_TOKEN_BLACKLIST", "on")]
    }

    fn succeed(&self, args: &[&str], input: &str) -> String {
        let output = run_with_input(args, &self.environment(), input);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// Returns the exit code and the message.
    fn fail(&self, args: &[&str], input: &str) -> (i32, String) {
        let output = run_with_input(args, &self.environment(), input);
        (output.status.code().unwrap(), stderr(&output))
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    for args in [
        &[][..],
        &["quickstart"],
        &["serve"],
        &["migrate"],
        &["user", "add"],
        &["user", "set-password"],
        &["user", "enable"],
        &["user", "disable"],
        &["user", "list"],
        &["token", "inspect"],
        &["token", "blacklist"],
        &["token", "flush-expired"],
        &["key", "generate"],
        &["key", "public"],
        &["config", "check"],
        &["config", "print"],
        &["config", "example"],
    ] {
        let help = run(&[args, &["--help"]].concat(), &[]);
        assert!(help.status.success(), "{args:?}");
        let text = stdout(&help);
        assert!(text.contains("Example") && text.contains("simplejwt"), "{args:?}: {text}");
    }
    let text = stdout(&run(&["--help"], &[]));
    for part in ["Exit codes:", "quickstart", "0  done", "4  the database"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(stdout(&run(&["--version"], &[])).starts_with("simplejwt 0."));
}

#[test]
fn a_wrong_command_line_is_2() {
    for args in [
        &[][..],
        &["sevre"],
        &["user"],
        &["user", "add"],
        &["user", "add", "a", "--password", "secret"],
        &["user", "add", "a", "--password-stdin", "--generate-password"],
        &["key", "generate", "--algorithm", "none"],
        &["token", "inspect", "eyJhbGciOiJIUzI1NiJ9.e30.x"],
        &["token", "flush-expired", "--batch", "0"],
        &["quickstart", "--config", "x.toml"],
    ] {
        let output = run(args, &[SECRET]);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    }
    // A token given as an argument isn't repeated.
    let output = run(&["token", "inspect", "eyJhbGciOiJIUzI1NiJ9.e30.x"], &[SECRET]);
    assert!(!stderr(&output).contains("eyJ") && stderr(&output).contains("standard input"));
}

#[test]
fn migrate_makes_what_is_missing_once() {
    let place = Place::new();
    assert_eq!(place.fail(&["migrate", "--check"], "").0, 4, "there is no file yet");
    let made = place.succeed(&["migrate"], "");
    for table in ["auth_user", "token_blacklist_outstandingtoken"] {
        assert!(made.contains(table), "{made}");
    }
    assert_eq!(place.succeed(&["migrate"], ""), "nothing to do\n");
    assert_eq!(place.succeed(&["migrate", "--check"], ""), "nothing to do\n");

    fs::write(place.directory.path().join("db.sqlite3"), "").unwrap();
    for left_over in ["db.sqlite3-wal", "db.sqlite3-shm"] {
        let _ = fs::remove_file(place.directory.path().join(left_over));
    }
    let (code, said) = place.fail(&["migrate", "--check"], "");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("auth_user") && said.contains("simplejwt migrate"), "{said}");
}

#[test]
fn users_are_added_changed_and_listed() {
    let place = Place::migrated();
    place.succeed(&["user", "add", "alice", "--password-stdin", "--no-validate"], "wonderland\n");
    let generated =
        place.succeed(&["user", "add", "bob", "--superuser", "--staff", "--generate-password"], "");
    let password = generated.split_whitespace().last().unwrap();
    assert!(password.len() >= 20, "{generated}");
    let list = place.succeed(&["user", "list"], "");
    assert_eq!(list.lines().count(), 3, "{list}");
    let row =
        |list: &str, name: &str| list.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(row(&list, "bob").contains("superuser") && !row(&list, "alice").contains("superuser"));
    assert!(!list.contains("pbkdf2"), "{list}");

    place.succeed(&["user", "disable", "alice"], "");
    assert!(row(&place.succeed(&["user", "list"], ""), "alice").contains("inactive"));
    place.succeed(&["user", "enable", "alice"], "");
    assert!(!row(&place.succeed(&["user", "list"], ""), "alice").contains("inactive"));
    place.succeed(&["user", "set-password", "alice", "--password-stdin"], "looking-glass");

    for (args, input, code, told) in [
        (&["user", "add", "alice", "--password-stdin", "--no-validate"][..], "x", 1, "alice"),
        (&["user", "add", "carol", "--password-stdin"], "", 1, "empty"),
        (&["user", "add", "carol", "--password-stdin"], "a\0b", 1, "null character"),
        (&["user", "add", "carol"], "", 2, "--password-stdin"),
        (&["user", "add", "", "--generate-password"], "", 1, "name"),
        (&["user", "set-password", "nobody", "--generate-password"], "", 1, "no user \"nobody\""),
        (&["user", "disable", "nobody"], "", 1, "no user \"nobody\""),
    ] {
        let (found, said) = place.fail(args, input);
        assert_eq!(found, code, "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
    }
    assert_eq!(place.succeed(&["user", "list"], "").lines().count(), 3);
}

#[test]
fn tokens_are_inspected_and_blacklisted() {
    let place = Place::migrated();
    let tokens = simplejwt::Tokens::new(simplejwt::Settings {
        signing_key: Some(SECRET.1.into()),
        ..simplejwt::Settings::default()
    })
    .unwrap();
    let refresh = tokens.encode(&tokens.issue::<simplejwt::Refresh>("1")).unwrap();
    let access = tokens.encode(&tokens.issue::<simplejwt::Access>("1")).unwrap();

    let shown = place.succeed(&["token", "inspect"], &refresh);
    for part in ["\"alg\": \"HS256\"", "\"token_type\": \"refresh\"", "the token is valid"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(place.succeed(&["token", "inspect", "-"], &format!("{access}\n")).contains("is valid"));
    let first = place.succeed(&["token", "blacklist"], &refresh);
    let second = place.succeed(&["token", "blacklist"], &refresh);
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("blacklisted\n", "the token was already blacklisted\n")
    );

    let output = run_with_input(&["token", "inspect"], &place.environment(), &refresh);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("Token is blacklisted"));
    let output = run_with_input(&["token", "inspect"], &place.environment(), "a.b.c");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("Token is invalid"));

    for (input, code, told) in [
        (access.as_str(), 1, "only refresh and sliding"),
        ("a.b.c", 1, "Token is invalid"),
        ("", 2, "no token"),
    ] {
        let (found, said) = place.fail(&["token", "blacklist"], input);
        assert_eq!(found, code, "{said}");
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(place.succeed(&["token", "flush-expired"], ""), "deleted 0 expired tokens\n");
}

#[test]
fn keys_are_made_private_and_never_overwritten() {
    let place = Place::new();
    let path = place.directory.path().join("key.pem");
    let path = path.to_str().unwrap();
    let made = run(&["key", "generate", "--algorithm", "ES256", "--out", path], &[]);
    assert!(made.status.success(), "{}", stderr(&made));
    let key = fs::read_to_string(path).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = run(&["key", "generate", "--out", path], &[]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(fs::read_to_string(path).unwrap(), key);

    let environment = [("SIMPLEJWT_ALGORITHM", "ES256"), ("SIMPLEJWT_SIGNING_KEY_FILE", path)];
    let jwks = stdout(&run(&["key", "public"], &environment));
    let jwks: serde_json::Value = serde_json::from_str(&jwks).unwrap();
    assert_eq!(jwks["keys"][0]["kty"], "EC");
    assert_eq!(jwks["keys"][0].get("d"), None);
    let pem = stdout(&run(&["key", "public", "--format", "pem"], &environment));
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");

    let secret = stdout(&run(&["key", "generate"], &[]));
    assert!(secret.trim().len() >= 64);
    assert_ne!(secret, stdout(&run(&["key", "generate"], &[])));
    let none = run(&["key", "public"], &[SECRET]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("no public key") && stdout(&none).is_empty());
}
