//! Three simplejwt servers on one cluster.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::root;

/// The servers, which are killed when this is dropped.
pub(super) struct Site {
    children: Vec<Child>,
    pub(super) addresses: Vec<SocketAddr>,
}

/// Creates the tables and a user.
///
/// # Errors
/// One of these fails.
pub(super) fn prepare(url: &str, folder: &Path) -> Result<()> {
    for words in ["migrate", "user add alice --password-stdin --no-validate"] {
        let mut command = server(url, &[], folder)?;
        command.args(words.split(' ')).stdin(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A program that reads nothing has closed its input.
            let _ = std::io::Write::write_all(&mut input, b"wonderland\n");
        }
        if !child.wait()?.success() {
            bail!("`simplejwt {words}` failed");
        }
    }
    Ok(())
}

fn server(url: &str, more: &[(&str, &str)], folder: &Path) -> Result<Command> {
    fs::create_dir_all(folder)?;
    let mut command = Command::new(root().join("target/debug/simplejwt"));
    command.current_dir(folder).env_clear();
    command.envs([
        ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
        ("SIMPLEJWT_BIND", "127.0.0.1:0"),
        ("SIMPLEJWT_DEMO", "true"),
        ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
        ("SIMPLEJWT_ROTATION_GRACE", "10s"),
        ("SIMPLEJWT_SESSION_CLAIM", "true"),
        // Later than this, the outcome can't be known.
        ("SIMPLEJWT_FEED_MAX_AGE", "1s"),
        ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS":true,"BLACKLIST_AFTER_ROTATION":true}"#),
        ("DATABASE_URL", url),
    ]);
    command.envs(more.iter().copied());
    Ok(command)
}

impl Site {
    /// Starts a server for each URL, the second with `strict`, the others with `feed`.
    ///
    /// # Errors
    /// One doesn't start.
    pub(super) fn start(urls: &[String], more: &[(&str, &str)], folder: &Path) -> Result<Self> {
        let mut site = Self { children: Vec::new(), addresses: Vec::new() };
        for url in urls {
            site.add(url, more, folder)?;
        }
        Ok(site)
    }

    /// Starts another server.
    ///
    /// # Errors
    /// It doesn't start.
    pub(super) fn add(&mut self, url: &str, more: &[(&str, &str)], folder: &Path) -> Result<()> {
        let number = self.children.len();
        let mut command = server(url, more, folder)?;
        command.env("SIMPLEJWT_REVOCATION", if number == 1 { "strict" } else { "feed" });
        let mut child = command.arg("serve").stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        self.children.push(child);
        let log = fs::File::create(folder.join(format!("server-{number}.log")))?;
        let address = loop {
            let line = lines.next().context("a server ended at its start")??;
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.parse()?;
            }
        };
        self.addresses.push(address);
        // Its output must be read, or the server would block.
        std::thread::spawn(move || {
            let mut log = log;
            for line in lines.map_while(Result::ok) {
                let _ = std::io::Write::write_all(&mut log, format!("{line}\n").as_bytes());
            }
        });
        Ok(())
    }

    /// Sends a signal to one of them.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn signal(&self, number: usize, signal: Signal) -> Result<()> {
        let child = self.children.get(number).context("no such server")?;
        let pid = Pid::from_raw(child.id().try_into()?).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
