//! A server of a test's own, PostgreSQL or MariaDB, to be killed and frozen.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::server;

/// Gone when this is dropped.
pub(crate) struct Instance {
    name: String,
    kind: &'static str,
    variables: HashMap<String, String>,
}

impl Instance {
    pub(crate) fn up(name: &str) -> Self {
        Self::of("postgres", name)
    }

    pub(crate) fn mariadb(name: &str) -> Self {
        Self::of("mariadb", name)
    }

    fn of(kind: &'static str, name: &str) -> Self {
        // Two that start at once may choose the same port.
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made = Self { name: name.to_owned(), kind, variables: HashMap::new() };
        made.services(&["down"]);
        made.services(&["up", kind]);
        made.read_variables();
        made
    }

    /// What `cargo xtask services` does, with this instance.
    pub(crate) fn services(&self, words: &[&str]) -> String {
        let mut command = Command::new(server("SIMPLEJWT_TEST_XTASK"));
        let done = command.args(["services", "--name", &self.name]).args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "{words:?}: {}{}", text(&done.stdout), text(&done.stderr));
        text(&done.stdout)
    }

    pub(crate) fn read_variables(&mut self) {
        let printed = self.services(&["env"]);
        self.variables = printed
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
    }

    pub(crate) fn variable(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_else(|| panic!("{name}: {:?}", self.variables))
    }

    pub(crate) fn url(&self) -> &str {
        self.variable(match self.kind {
            "mariadb" => "SIMPLEJWT_TEST_MYSQL_URL",
            _ => "SIMPLEJWT_TEST_POSTGRES_URL",
        })
    }

    /// Sends a signal to every process of the server.
    pub(crate) fn signal(&self, signal: &str) {
        let (socket, file) = match self.kind {
            "mariadb" => ("SIMPLEJWT_TEST_MYSQL_SOCKET", "pid"),
            _ => ("SIMPLEJWT_TEST_POSTGRES_SOCKET", "data/postmaster.pid"),
        };
        let file = PathBuf::from(self.variable(socket)).parent().unwrap().join(file);
        let file = std::fs::read_to_string(file).unwrap();
        let first = file.lines().next().unwrap().trim().to_owned();
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
        let mut processes = vec![first];
        processes.extend(children.unwrap().split_whitespace().map(str::to_owned));
        // One that has just ended by itself is no failure.
        let _ = Command::new("kill").arg(signal).args(&processes).output().unwrap();
        if signal == "-STOP" {
            // A thread on the other processor may have gone on for a moment, and answered.
            while processes.iter().any(|process| is_running(process)) {
                std::thread::park_timeout(std::time::Duration::from_millis(5));
            }
        }
    }
}

/// Whether a thread of the process is neither stopped nor gone.
fn is_running(process: &str) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return false };
    threads.flatten().any(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        !matches!(state, None | Some('T' | 't' | 'Z' | 'X'))
    })
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Also after a failure, which is the one to be told of.
        if let Ok(xtask) = std::env::var("SIMPLEJWT_TEST_XTASK") {
            let words = ["services", "--name", &self.name, "down"];
            let _ = Command::new(xtask).args(words).output();
        }
    }
}
