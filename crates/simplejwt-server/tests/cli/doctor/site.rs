//! A directory with a configuration, which advice is written into.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{simplejwt, stderr, stdout};

/// Upstream's defaults, with a key and a database.
pub(super) const PLAIN: &str = r#"
[database]
path = "db.sqlite3"
[simple_jwt]
signing_key_file = "signing.key"
"#;

/// What is recommended.
pub(super) const STRONG: &str = r#"
[database]
path = "db.sqlite3"
[simple_jwt]
signing_key_file = "signing.key"
kid = true
typ = "by_kind"
access_token_lifetime = "15m"
refresh_token_lifetime = "7d"
rotate_refresh_tokens = true
blacklist_after_rotation = true
token_blacklist = true
[sessions]
session_claim = true
lifetime = "90d"
revocation = "feed"
token_at_rest = "redacted"
"#;

pub(super) struct Site {
    directory: TempDir,
    config: toml::Table,
}

impl Site {
    /// Creates a site with this configuration, a key and a database.
    pub(super) fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site = Self { directory, config: config.parse().unwrap() };
        symlink(env!("CARGO_BIN_EXE_simplejwt"), site.path("simplejwt")).unwrap();
        site.shell("simplejwt key generate --out signing.key");
        site.write();
        site.shell("simplejwt migrate");
        fs::set_permissions(site.path("db.sqlite3"), fs::Permissions::from_mode(0o600)).unwrap();
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Gives settings values: lines of a table, in TOML.
    pub(super) fn change(&mut self, table: &str, lines: &str) {
        let lines: toml::Table = lines.parse().unwrap_or_else(|error| panic!("{lines}: {error}"));
        for (name, value) in lines {
            self.set(table, &name, value);
        }
        self.write();
    }

    pub(super) fn set(&mut self, table: &str, name: &str, value: toml::Value) {
        let table = self.config.entry(table).or_insert_with(|| toml::Table::new().into());
        table.as_table_mut().unwrap().insert(name.to_owned(), value);
        self.write();
    }

    pub(super) fn remove(&mut self, table: &str, name: &str) {
        let lines = self.config.get_mut(table).and_then(toml::Value::as_table_mut);
        let removed = lines.and_then(|lines| lines.remove(name));
        assert!(removed.is_some(), "there is no {name} in [{table}]");
        self.write();
    }

    fn write(&self) {
        fs::write(self.path("simplejwt.toml"), self.config.to_string()).unwrap();
    }

    /// Runs a line in the directory, in which `simplejwt` finds the configuration.
    pub(super) fn shell(&self, line: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-euc", line])
            .current_dir(&self.directory)
            .env_clear()
            .env("PATH", format!("{}:{path}", self.directory.path().display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        stdout(&output)
    }

    pub(super) fn doctor(&self, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = simplejwt(&[&["doctor"], args].concat(), environment);
        command.current_dir(&self.directory).output().unwrap()
    }

    /// Returns the report as JSON.
    pub(super) fn report(&self) -> Value {
        let output = self.doctor(&["--json"], &[]);
        let said = (stdout(&output), stderr(&output));
        assert!(matches!(output.status.code(), Some(0 | 1)), "{said:?}\n{}", self.config);
        serde_json::from_str(&said.0).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Carries out a step of a finding. Sentences are for people, and the test's own.
    pub(super) fn carry_out(&mut self, step: &Value) {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let (table, name) = (text("table"), text("name"));
        match text("kind").as_str() {
            "write" => {
                assert_eq!(step["place"], "file");
                // A directory that the test may not write to.
                let line = text("text")
                    .replace("/var/lib/simplejwt", self.directory.path().to_str().unwrap());
                self.change(&table, &line);
            }
            "remove" => self.remove(&table, &name),
            "run" => {
                self.shell(&text("text"));
            }
            kind => assert_eq!(kind, "act", "{step}"),
        }
    }
}

/// Returns the findings with this code.
pub(super) fn with_code<'a>(report: &'a Value, code: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().unwrap();
    all.iter().filter(|finding| finding["code"] == code).collect()
}

/// Returns the codes of findings with this severity.
pub(super) fn of_severity(report: &Value, severity: &str) -> Vec<String> {
    let all = report["findings"].as_array().unwrap().iter();
    let chosen = all.filter(|finding| finding["severity"] == severity);
    chosen.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Lets others into the directory, so that the rights of its files count.
pub(super) fn open(directory: &Path) {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
}
