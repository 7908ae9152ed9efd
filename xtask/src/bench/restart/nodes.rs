//! Three nodes on one database, each with a fixed port.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::http::Connection;
use crate::process::wait_for;

/// The login of every connection.
pub(super) const LOGIN: &str = r#"{"username":"restart","password":"a long way down 27"}"#;
const PASSWORD: &str = "a long way down 27\n";
const START_SECONDS: u32 = 60;

/// The nodes, which are killed when this is dropped.
pub(super) struct Nodes {
    program: PathBuf,
    url: String,
    folder: PathBuf,
    running: Vec<(u16, Child)>,
}

impl Nodes {
    /// Creates the tables and the user, if they don't exist, and starts the nodes.
    ///
    /// # Errors
    /// One of these fails.
    pub(super) fn start(program: &Path, url: &str, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let (program, url, folder) = (program.to_owned(), url.to_owned(), folder.to_owned());
        let mut nodes = Self { program, url, folder, running: Vec::new() };
        nodes.command(&["migrate"], "")?;
        let users = nodes.command(&["user", "list"], "")?;
        if !users.contains("restart") {
            nodes.command(&["user", "add", "restart", "--password-stdin"], PASSWORD)?;
        }
        // All ports stay bound until the last is known.
        let ports: Vec<_> = (0..3).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
        let ports: Result<Vec<_>, _> = ports
            .into_iter()
            .map(|port| port?.local_addr().map(|address| address.port()))
            .collect();
        for port in ports? {
            let child = nodes.serve(port)?;
            nodes.running.push((port, child));
            ready(port)?;
        }
        Ok(nodes)
    }

    pub(super) fn ports(&self) -> Vec<u16> {
        self.running.iter().map(|(port, _)| *port).collect()
    }

    /// Sends SIGTERM, waits for the end, and starts the node again until it is ready.
    ///
    /// # Errors
    /// It doesn't end, or doesn't start.
    pub(super) fn restart(&mut self, number: usize) -> Result<()> {
        let (port, child) = self.running.get_mut(number).context("no such node")?;
        let port = *port;
        let pid = Pid::from_raw(child.id().try_into()?).context("no process")?;
        kill_process(pid, Signal::TERM)?;
        if !child.wait()?.success() {
            bail!("a node ended with a failure: see {}", self.folder.display());
        }
        let child = self.serve(port)?;
        if let Some(node) = self.running.get_mut(number) {
            node.1 = child;
        }
        ready(port)
    }

    fn simplejwt(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).env_clear().stdin(Stdio::null());
        command.envs([
            ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
            ("DATABASE_URL", &self.url),
            ("SIMPLEJWT_DEMO", "true"),
            ("SIMPLEJWT_NUM_PROXIES", "1"),
            ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
            ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
            ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS":true,"BLACKLIST_AFTER_ROTATION":true}"#),
        ]);
        command
    }

    fn command(&self, words: &[&str], input: &str) -> Result<String> {
        let mut command = self.simplejwt();
        let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        // A program that reads nothing has closed its input.
        let _ = child.stdin.take().context("no standard input")?.write_all(input.as_bytes());
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("`simplejwt {}` failed", words.join(" "));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn serve(&self, port: u16) -> Result<Child> {
        let log = self.folder.join(format!("node-{port}.log"));
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = self.simplejwt();
        command.env("SIMPLEJWT_BIND", format!("127.0.0.1:{port}"));
        Ok(command.arg("serve").stderr(log).spawn()?)
    }
}

fn ready(port: u16) -> Result<()> {
    let mut connection = Connection::to(&format!("127.0.0.1:{port}"));
    let ready = || Ok(matches!(connection.get("/readyz", "-"), Ok((200, _))).then_some(()));
    wait_for(START_SECONDS, ready)?.with_context(|| format!("the node at {port} isn't ready"))
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
