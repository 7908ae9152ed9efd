//! The binary as a child process, and a minimal HTTP client.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The time after which a test fails that would otherwise hang; nothing takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Returns a command for the binary with only this environment.
pub(crate) fn simplejwt(args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simplejwt"));
    command.args(args).env_clear().envs(environment.iter().copied());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(args: &[&str], environment: &[(&str, &str)]) -> Output {
    simplejwt(args, environment).output().unwrap()
}

/// Runs the binary to its end with this standard input.
pub(crate) fn run_with_input(args: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut child = simplejwt(args, environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A child that ends without reading closes the pipe, which is not a failure here.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server that listens, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Standard error up to the line with the address.
    pub(crate) before: String,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Server {
    /// Starts a server and waits for the line with its address.
    pub(crate) fn start(args: &[&str], environment: &[(&str, &str)], directory: &Path) -> Self {
        // No proxy is in front that would have to turn elsewhere.
        let mut command = simplejwt(args, &[("SIMPLEJWT_DRAIN_DELAY", "0")]);
        let mut child = command
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let mut before = String::new();
        let address = loop {
            let line = stderr
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("it says where it listens, or why not:\n{before}"));
            // In JSON format, it is a line of the log.
            if let Some((_, url)) = line.split_once("listening on ") {
                let url = url.split('"').next().unwrap_or(url);
                let address = url.split_once("://").map(|(_, address)| address);
                // A Unix socket has no address.
                let none = SocketAddr::from(([0; 4], 0));
                break address.map_or(none, |address| address.parse().unwrap());
            }
            before.push_str(&line);
            before.push('\n');
        };
        Self { child, address, before, stdout, stderr }
    }

    /// Waits for a line of standard error that contains `part`.
    pub(crate) fn expect_stderr(&self, part: &str) -> String {
        expect(&self.stderr, part)
    }

    /// Returns the number of lines of standard error, so far and not waited for, that contain
    /// `part`. Lines logged before an answer was sent arrive soon after it.
    pub(crate) fn told(&self, part: &str) -> usize {
        let mut told = 0;
        while let Ok(line) = self.stderr.recv_timeout(Duration::from_millis(200)) {
            told += usize::from(line.contains(part));
        }
        told
    }

    /// Returns the lines of standard error so far that weren't waited for.
    pub(crate) fn log(&self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.stderr.recv_timeout(Duration::from_millis(200)) {
            lines.push(line);
        }
        lines
    }

    /// Returns standard output so far, up to a line with `part`.
    pub(crate) fn stdout_up_to(&self, part: &str) -> String {
        let mut text = String::new();
        loop {
            let line = self.stdout.recv_timeout(PATIENCE).expect(part);
            text.push_str(&line);
            text.push('\n');
            if line.contains(part) {
                return text;
            }
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status =
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Returns the current memory in bytes, once it no longer changes.
    pub(crate) fn settled_memory(&self) -> usize {
        let file = format!("/proc/{}/status", self.child.id());
        let now = || {
            let status = std::fs::read_to_string(&file).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
        };
        let (mut last, mut times) = (now(), 0);
        while times < 5 {
            let (_sender, receiver) = channel::<()>();
            let _ = receiver.recv_timeout(Duration::from_millis(100));
            let next = now();
            times = if next == last { times + 1 } else { 0 };
            last = next;
        }
        last
    }

    /// Limits the size of files that the server writes, as on a full disk.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let (pid, size) = (self.child.id().to_string(), format!("--fsize={bytes}:unlimited"));
        let status = Command::new("prlimit").args(["--pid", &pid, &size]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends SIGTERM, and returns the exit status.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends one request on its own connection.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut stream = self.connect();
        stream.write_all(head(method, path, headers, body.len()).as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        Response::read(stream)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, json: &str) -> Response {
        self.request("POST", path, &[("Content-Type", "application/json")], json)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    if length > 0 {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// Reads to the end of the connection.
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP response");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Returns a string of the JSON body.
    pub(crate) fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{name} in {self:?}")).to_owned()
    }
}

fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn expect(lines: &Receiver<String>, part: &str) -> String {
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line with {part:?}"));
        if line.contains(part) {
            return line;
        }
    }
}
