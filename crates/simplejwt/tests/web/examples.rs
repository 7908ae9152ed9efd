//! The examples, run as their headers say: each is a program of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use simplejwt::{Access, Algorithm, Settings, SigningKey, Tokens};

/// The key that the examples have in common.
const KEY: &str = "the key of an example, which everybody knows";
const ANY_PORT: &str = "127.0.0.1:0";

fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples").join(name);
    assert!(path.exists(), "{name} isn't built: cargo build --examples --all-features");
    Command::new(path)
}

/// What an example prints that ends by itself; whether it ended well.
fn run(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// An example that listens; killed at the end.
struct Server {
    process: Child,
    address: String,
    /// What it printed before it listened.
    printed: Vec<String>,
    _output: BufReader<ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn token(&self, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap().to_owned()
    }
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut process = command.arg(ANY_PORT).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut printed: Vec<String> = Vec::new();
        let address = loop {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            match line.trim().strip_prefix("listening on http://") {
                Some(address) => break address.to_owned(),
                None if line.is_empty() => break String::new(),
                None => printed.push(line.trim().to_owned()),
            }
        };
        let server = Self { process, address, printed, _output: output };
        assert_ne!(server.address, "", "it ended: {:?}", server.printed);
        server
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let host = &self.address;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// A form, as curl's `-d` sends it.
    fn post(&self, path: &str, form: &str) -> Answer {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.send("POST", path, headers, form)
    }

    fn get(&self, path: &str, token: &str) -> Answer {
        self.send("GET", path, &format!("Authorization: Bearer {token}\r\n"), "")
    }
}

#[test]
fn quickstart() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = example("quickstart");
    command.env("DATABASE", directory.path().join("db.sqlite3"));
    let server = Server::start(command);
    let password = server.printed[0].strip_prefix("alice's password: ").unwrap();
    let pair = server.post("/api/token/", &format!("username=alice&password={password}"));
    assert_eq!(pair.status, 200, "{}", pair.body);
    let hello = server.get("/api/hello/", &pair.token("access"));
    assert_eq!(hello.body, "Hello, alice!");
    assert_eq!(server.get("/api/hello/", "no token").status, 401);
    let refresh = format!("refresh={}", pair.token("refresh"));
    let next = server.post("/api/token/refresh/", &refresh);
    let refresh = format!("refresh={}", next.token("refresh"));
    assert_eq!(server.post("/api/token/logout/", &refresh).body, r#"{"ended":1}"#);
    assert_eq!(server.post("/api/token/refresh/", &refresh).status, 401);
}

#[test]
fn verify_only() {
    let settings = Settings { signing_key: Some(KEY.into()), ..Settings::default() };
    let tokens = Tokens::new(settings).unwrap();
    let token = tokens.encode(&tokens.issue::<Access>("7")).unwrap();
    let check = |token: &str| {
        let mut command = example("verify_only");
        command.env("SIGNING_KEY", KEY).arg(token);
        run(command)
    };
    let (good, claims) = check(&token);
    assert!(good && claims.contains(r#""user_id":"7""#), "{claims}");
    assert_eq!(check("no token"), (false, "Token is invalid\n".into()));
}

#[test]
fn resource_server() {
    let private = SigningKey::generate(Algorithm::Es256).unwrap();
    let key = SigningKey::from_pem(Algorithm::Es256, private.as_bytes()).unwrap();
    let public = key.verifying_key().to_pem().unwrap();
    let settings = Settings {
        algorithm: Algorithm::Es256,
        signing_key: Some(private.as_str().into()),
        verifying_key: Some(public.clone()),
        ..Settings::default()
    };
    let tokens = Tokens::new(settings).unwrap();
    let token = |roles: &[&str]| {
        let token = tokens.issue_with::<Access>("7", |claims| {
            claims.set("roles", roles).unwrap();
        });
        tokens.encode(&token).unwrap()
    };
    let mut command = example("resource_server");
    command.env("VERIFYING_KEY", public);
    let server = Server::start(command);
    assert_eq!(server.get("/reports", &token(&[])).body, r#"{"reports":[],"user":"7"}"#);
    assert_eq!(server.get("/reports", "no token").status, 401);
    assert_eq!(server.get("/drafts", &token(&["author"])).status, 403);
    assert_eq!(server.get("/drafts", &token(&["editor"])).body, "drafts");
}

#[test]
fn custom_claims() {
    let (good, printed) = run(example("custom_claims"));
    assert!(good);
    assert!(printed.contains("her department is research"), "{printed}");
    assert!(printed.contains("mallory was refused"), "{printed}");
}

#[test]
fn custom_store() {
    assert_eq!(run(example("custom_store")), (true, "the store keeps the contract\n".into()));
}

#[test]
fn custom_user_store() {
    let server = Server::start(example("custom_user_store"));
    let pair = server.post("/api/token/", "email=Alice@example.com&password=wonderland");
    assert_eq!(server.get("/me", &pair.token("access")).body, "alice@example.com");
    for wrong in ["email=alice@example.com&password=no", "email=bob@example.com&password=no"] {
        assert_eq!(server.post("/api/token/", wrong).status, 401);
    }
}

#[test]
fn gateway() {
    let server = Server::start(example("gateway"));
    let pair = server.post("/api/token/", "username=alice&password=wonderland");
    let answer = server.get("/api/token/authenticate/", &pair.token("access"));
    assert_eq!(answer.status, 204);
    assert!(answer.head.contains("x-auth-user: 1\r\n"), "{}", answer.head);
    assert!(answer.head.contains("x-auth-department: research\r\n"), "{}", answer.head);
    assert_eq!(server.get("/api/token/authenticate/", "no token").status, 401);
}

#[test]
fn realms() {
    let server = Server::start(example("realms"));
    let log_in = |realm: &str| {
        let path = format!("/{realm}/api/token/");
        server.post(&path, "username=alice&password=wonderland").token("access")
    };
    for (own, other) in [("staff", "customers"), ("customers", "staff")] {
        let token = log_in(own);
        assert_eq!(server.get(&format!("/{own}/me"), &token).body, "alice");
        assert_eq!(server.get(&format!("/{other}/me"), &token).status, 401);
    }
    assert_eq!(server.post("/api/token/", "username=alice&password=wonderland").status, 404);
}

#[test]
fn cookies() {
    let server = Server::start(example("cookies"));
    assert!(server.get("/", "").body.contains("<h1>Tokens in cookies</h1>"));
    let login = server.post("/api/token/", "username=alice&password=wonderland");
    assert_eq!((login.status, login.body.as_str()), (200, "{}"));
    assert_eq!(login.head.matches("set-cookie: __").count(), 2, "{}", login.head);
}
