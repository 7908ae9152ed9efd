//! Names that people have: users' names and passwords; also completions and manual pages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::fs;
use std::process::Command;

use crate::support::process::{run, run_with_input, stderr, stdout};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
    url: String,
}

impl Place {
    fn migrated() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/db.sqlite3", directory.path().display());
        let place = Self { directory, url };
        place.succeed(&["migrate"], "");
        place
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        vec![
            ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
            ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
            ("DATABASE_URL", &self.url),
            ("SIMPLEJWT_TOKEN_BLACKLIST", "on"),
        ]
    }

    fn succeed(&self, args: &[&str], input: &str) -> String {
        let output = run_with_input(args, &self.environment(), input);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    fn fail(&self, args: &[&str], input: &str) -> (i32, String) {
        let output = run_with_input(args, &self.environment(), input);
        (output.status.code().unwrap(), stderr(&output))
    }

    fn sql(&self, sql: &str) {
        let path = self.directory.path().join("db.sqlite3");
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }
}

#[test]
fn names_are_stored_as_django_does_and_those_that_deceive_are_refused() {
    let place = Place::migrated();
    let told = place.succeed(&["user", "add", "ﬁn", "--generate-password"], "");
    assert!(told.contains("added fin (as Django stores that name)"), "{told}");
    assert!(place.succeed(&["user", "list"], "").contains("\tfin\t"));
    let (code, told) = place.fail(&["user", "add", "fin", "--generate-password"], "");
    assert!(code == 1 && told.contains("already"), "{told}");
    for name in [" lead", "new\nline", "esc\u{1b}[31m", "rtl\u{202e}x"] {
        let (code, told) = place.fail(&["user", "add", name, "--generate-password"], "");
        assert!(code == 1 && told.contains("write it without"), "{name:?}: {told}");
        let is_hidden = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!told.contains(is_hidden) && told.lines().count() == 1, "{told:?}");
    }
    assert_eq!(place.succeed(&["user", "list"], "").lines().count(), 2);
}

#[test]
fn weak_passwords_are_refused_with_every_reason_unless_that_is_wanted() {
    let place = Place::migrated();
    let add: &[&str] =
        &["user", "add", "alice", "--password-stdin", "--email", "liddell@x.example"];
    for (password, told) in [
        ("wonderland\n", &["too common"][..]),
        ("1234567", &["fewer than 8", "too common", "digits only"]),
        ("Alice!", &["similar to the username", "fewer than 8"]),
        ("liddell1", &["similar to the email"]),
        ("8675309867", &["digits only"]),
        ("x", &["fewer than 8"]),
    ] {
        let (code, said) = place.fail(add, password);
        let all = told.iter().all(|part| said.contains(part)) && said.contains("--no-validate");
        assert!(
            code == 1 && all && said.matches("it ").count() >= told.len(),
            "{password}: {said}"
        );
        assert!(!said.contains(password.trim()) || password == "x", "{said}");
    }
    place.succeed(add, "down the rabbit hole");
    let set: &[&str] = &["user", "set-password", "alice", "--password-stdin"];
    place.sql("UPDATE auth_user SET last_name = 'Pleasance'");
    for password in ["liddell1", "pleasance!"] {
        let (code, said) = place.fail(set, password);
        assert!(code == 1 && said.contains("too similar to the"), "what is stored counts: {said}");
    }
    let (code, said) = place.fail(&["user", "set-password", "nobody", "--password-stdin"], "x");
    assert!(code == 1 && said.contains("no user \"nobody\""), "{said}");
    place.succeed(&[set, &["--no-validate"]].concat(), "x");
    place.succeed(set, "through the looking glass");
}

#[test]
fn a_user_is_deleted_unless_something_refers_to_it() {
    let place = Place::migrated();
    place.succeed(&["user", "add", "alice", "--generate-password"], "");
    place.succeed(&["user", "add", "bob", "--generate-password"], "");
    place.sql(
        "CREATE TABLE blog_post (id integer PRIMARY KEY, author_id integer NOT NULL \
         REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED); \
         INSERT INTO blog_post SELECT 1, id FROM auth_user WHERE username = 'alice'",
    );
    let (code, said) = place.fail(&["user", "delete", "alice", "--yes"], "");
    assert!(code == 1 && said.contains("blog_post.author_id: 1 row)"), "{said}");
    assert!(place.succeed(&["user", "list"], "").contains("\talice\tactive"), "as it was");
    let (code, said) = place.fail(&["user", "delete", "bob"], "");
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let told = place.succeed(&["user", "delete", "bob", "--yes"], "");
    assert_eq!(told, "deleted bob; ended 0 sessions\n");
    place.sql("DELETE FROM blog_post");
    place.succeed(&["user", "delete", "alice", "--yes"], "");
    assert_eq!(place.succeed(&["user", "list"], "").lines().count(), 1);
    let (code, said) = place.fail(&["user", "delete", "alice", "--yes"], "");
    assert!(code == 1 && said.contains("no user \"alice\""), "{said}");
}

/// Runs a program that must be installed.
fn checked(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", stderr(&output));
    stdout(&output) + &stderr(&output)
}

#[test]
fn shells_are_told_of_every_command() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&run(&["completions", shell], &[]));
        for word in ["set-password", "flush-expired", "no-validate", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        fs::write(directory.path().join(shell), script).unwrap();
    }
    let bash = directory.path().join("bash");
    let bash = bash.to_str().unwrap();
    checked("bash", &["-n", bash]);
    // The completions that a user would see after a tab.
    let asked = format!(
        "source {bash}; COMP_WORDS=(simplejwt user de); COMP_CWORD=2; _simplejwt simplejwt de user; \
         echo \"${{COMPREPLY[@]}}\""
    );
    assert_eq!(checked("bash", &["-c", &asked]).trim(), "delete");
    let output = run(&["completions", "tcsh"], &[]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("man1");
    let told = stdout(&run(&["man", dir.to_str().unwrap()], &[]));
    assert!(told.contains("simplejwt.1"), "{told}");
    for (page, words) in [
        ("simplejwt.1", &["Exit codes", "quickstart", "DATABASE_URL"][..]),
        ("simplejwt-user-add.1", &["no\\-validate", "password\\-stdin", "Examples"]),
        ("simplejwt-user-delete.1", &["sessions"]),
        ("simplejwt-token-flush-expired.1", &["batch"]),
        ("simplejwt-config-check.1", &["config"]),
    ] {
        let text = fs::read_to_string(dir.join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(text.starts_with(".ie") && text.contains(".TH"), "{page}: {text}");
        for word in words {
            assert!(text.contains(word), "{page}: {word} in {text}");
        }
    }
    let file = directory.path().join("a file");
    fs::write(&file, "").unwrap();
    let output = run(&["man", file.join("x").to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}
