//! Snapshots of the output: the help of every command, and messages about mistakes.
//!
//! After an intended change: `INSTA_UPDATE=always cargo test -p simplejwt-server --test cli
//! snapshots`.

use crate::support::process::{run, run_with_input, stderr, stdout};

const SECRET: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");

/// Returns the commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn helps(words: &[&str], all: &mut String, count: &mut usize) {
    let output = run(&[words, &["--help"]].concat(), &[]);
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    let help = stdout(&output);
    *count += 1;
    all.push_str(&format!("$ simplejwt {}\n{help}\n", [words, &["--help"]].concat().join(" ")));
    for command in commands(&help) {
        helps(&[words, &[command.as_str()]].concat(), all, count);
    }
}

#[test]
fn the_help_of_every_command() {
    let (mut all, mut count) = (String::new(), 0);
    helps(&[], &mut all, &mut count);
    assert!(count > 20, "only {count} commands have been found");
    insta::assert_snapshot!("help", all);
}

#[test]
fn what_is_said_of_mistakes() {
    let place = tempfile::tempdir().unwrap();
    let database = |name: &str| format!("sqlite://{}/{name}", place.path().display());
    let (empty, far) = (database("db.sqlite3"), database("nowhere/db.sqlite3"));
    let (url, far) = (("DATABASE_URL", empty.as_str()), ("DATABASE_URL", far.as_str()));
    let migrated = run(&["migrate"], &[SECRET, url]);
    assert!(migrated.status.success(), "{}", stderr(&migrated));

    let mut all = String::new();
    for (environment, words, input) in [
        (&[][..], &["srve"][..], ""),
        (&[], &["serve"], ""),
        (&[], &["user", "add"], ""),
        (&[("SECRET_KEY", "short"), url], &["config", "check"], ""),
        (&[SECRET, ("DATABASE_URL", "oracle://db/app")], &["config", "check"], ""),
        (&[SECRET, ("DATABASE_URL", "postgres://u:p@h/d?sslmode=on")], &["config", "check"], ""),
        (&[SECRET, ("DATABASE_URL", "mysql://u:p@h")], &["config", "check"], ""),
        (&[SECRET, url, ("SIMPLE_JWT", r#"{"ALGORITM":"HS256"}"#)], &["config", "check"], ""),
        (&[SECRET, url, ("SIMPLE_JWT", r#"{"ALGORITHM":"HS257"}"#)], &["config", "check"], ""),
        (&[SECRET, url, ("SIMPLE_JWT", r#"{"LEEWAY":"soon"}"#)], &["config", "check"], ""),
        (&[SECRET, url, ("SIMPLEJWT_BIND", "localhost")], &["config", "check"], ""),
        (&[SECRET, url], &["--config", "/nowhere.toml", "config", "check"], ""),
        (&[SECRET, far], &["migrate"], ""),
        (&[SECRET, url], &["user", "disable", "nobody"], ""),
        (&[SECRET, url], &["user", "add", "a b", "--password-stdin"], "x\n"),
        (&[SECRET, url], &["user", "add", "alice", "--password-stdin"], ""),
        (&[SECRET, url], &["session", "list", "nobody"], ""),
        (&[SECRET, url], &["token", "inspect"], "a.b.c\n"),
        (&[SECRET, url], &["key", "generate", "--algorithm", "none"], ""),
    ] {
        let output = run_with_input(words, environment, input);
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "{words:?} is no mistake");
        let said = [stdout(&output), stderr(&output)].concat();
        let said = said.replace(&place.path().display().to_string(), "/PLACE");
        let set: Vec<_> = environment
            .iter()
            .filter(|variable| ![SECRET, url].contains(variable))
            .map(|(name, value)| format!("{name}='{value}' "))
            .collect();
        let set = set.concat().replace(&place.path().display().to_string(), "/PLACE");
        all.push_str(&format!("$ {set}simplejwt {}\n{said}exit code {code}\n\n", words.join(" ")));
    }
    insta::assert_snapshot!("mistakes", all);
}
