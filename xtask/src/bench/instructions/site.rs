//! The servers whose requests are counted: those that `simplejwt quickstart` sets up, on SQLite.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::callgrind::{Callgrind, Counts};
use super::requests::{Client, Request};
use crate::process::{root, wait_for};

pub(super) const LOGIN: &str = r#"{"username":"counted","password":"a long way down 27"}"#;
const PASSWORD: &str = "a long way down 27\n";
/// The OAuth client's credentials in base64.
pub(super) const CLIENT: &str = "Y291bnRlZDphIHNlY3JldCBvZiBhdCBsZWFzdCB0aGlydHktdHdvIGJ5dGVz";
const CLIENT_SECRET: &str = "a secret of at least thirty-two bytes";
const START_SECONDS: u32 = 300;
/// The requests before those that are counted, in which everything is done that is done once.
const WARM_UP: u32 = 30;

/// A configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// As written by `quickstart`, without the feed of revocations.
    Rotating,
    /// The same without rotation.
    Plain,
}

/// The folder with the configuration, the key and the database, removed when this is dropped.
pub(super) struct Site {
    program: PathBuf,
    folder: PathBuf,
}

/// A server under callgrind, which is killed when this is dropped.
pub(super) struct Running {
    child: Child,
    callgrind: Callgrind,
    client: Client,
}

impl Site {
    /// Sets a server up, with a user.
    ///
    /// # Errors
    /// One of the program's commands fails.
    pub(super) fn new(program: PathBuf) -> Result<Self> {
        let folder = root().join(format!(".cache/instructions-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let site = Self { program: program.canonicalize().context("no such program")?, folder };
        site.command(&["quickstart", "--no-serve"], "")?;
        site.command(&["user", "add", "counted", "--password-stdin"], PASSWORD)?;
        Ok(site)
    }

    /// Starts a server and logs in.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn serve(&self, server: Server) -> Result<Running> {
        let callgrind = Callgrind::new(&self.folder);
        let mut command = self.prepared(callgrind.command(&self.program));
        if server == Server::Plain {
            command.env("SIMPLEJWT_ROTATE_REFRESH_TOKENS", "false");
            command.env("SIMPLEJWT_BLACKLIST_AFTER_ROTATION", "false");
            command.env("SIMPLEJWT_ROTATION_GRACE", "0");
        }
        let log = self.folder.join("log");
        let mut child = command
            .arg("serve")
            .stderr(File::create(&log)?)
            .spawn()
            .context("can't start `valgrind`, which this needs")?;
        let address = || {
            let said = fs::read_to_string(&log)?;
            if let Some(status) = child.try_wait()? {
                bail!("the server ended ({status}):\n{said}");
            }
            let mut whole = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            Ok(whole.find_map(|line| line.strip_prefix("listening on http://")).map(str::to_owned))
        };
        let address = wait_for(START_SECONDS, address)?.context("the server doesn't start")?;
        let client = Client::new(&address)?;
        Ok(Running { child, callgrind, client })
    }

    fn prepared(&self, mut command: Command) -> Command {
        let client = json!([{ "id": "counted", "secret": CLIENT_SECRET }]);
        command.current_dir(&self.folder).stdin(Stdio::null()).envs([
            ("SIMPLEJWT_BIND", "127.0.0.1:0"),
            ("SIMPLEJWT_OAUTH_CLIENTS", &client.to_string()),
            ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1"),
            // The feed would be read five times a second, however long a request takes here.
            ("SIMPLEJWT_REVOCATION", "stateless"),
            // Which thread wakes which is a matter of chance.
            ("TOKIO_WORKER_THREADS", "1"),
        ]);
        command
    }

    fn command(&self, words: &[&str], input: &str) -> Result<()> {
        let mut command = self.prepared(Command::new(&self.program));
        let mut child = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // A program that reads nothing has closed its input.
        let _ = child.stdin.take().context("no standard input")?.write_all(input.as_bytes());
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`simplejwt {}` failed: {said}", words.join(" "));
        }
        Ok(())
    }
}

impl Running {
    /// Sends the requests and returns the instructions of all of them.
    ///
    /// # Errors
    /// One isn't answered as it should be, or they can't be counted.
    pub(super) fn count(&mut self, request: &Request) -> Result<Counts> {
        self.client.prepare(request, WARM_UP + request.count)?;
        (0..WARM_UP).try_for_each(|_| self.client.ask(request))?;
        let pid = self.child.id();
        self.callgrind.counts(pid)?;
        (0..request.count).try_for_each(|_| self.client.ask(request))?;
        self.callgrind.counts(pid)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
