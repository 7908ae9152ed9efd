//! Requests of gateways and OAuth clients, on a real socket and with a configuration file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::fs;
use std::time::Duration;

use crate::support::process::{Response, Server, run, run_with_input, stderr, stdout};
use crate::support::site::pause;
use simplejwt::{Clock as _, SystemClock};
use tempfile::TempDir;

const SECRET: &str = "a-client-secret-that-is-long-enough";
const CONFIGURATION: &str = r#"
[server]
bind = "127.0.0.1:0"

[database]
path = "db.sqlite3"

[simple_jwt]
signing_key = "a-secret-key-that-is-long-enough-for-hs256"
token_blacklist = true

[sessions]
session_claim = true
revocation = "feed"

[password]
pbkdf2_iterations = 1000
"#;
const CLIENTS: &str = r#"
[gateway]
headers = { "X-Auth-Session" = "sid", "X-Auth-Email" = "email" }

[[oauth.clients]]
id = "billing"
secret_file = "billing-secret"
refresh_tokens = true

[[oauth.clients]]
id = "guard"
secret_file = "billing-secret"
introspection_max_age = "10s"
"#;
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

struct Site {
    directory: TempDir,
    file: String,
}

impl Site {
    fn new(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("simplejwt.toml");
        fs::write(&path, format!("{CONFIGURATION}{more}")).unwrap();
        fs::write(directory.path().join("billing-secret"), format!("{SECRET}\n")).unwrap();
        let site = Self { file: path.to_str().unwrap().to_owned(), directory };
        for (args, input) in [
            (&["migrate"][..], ""),
            (&["user", "add", "alice", "--password-stdin", "--no-validate"], "wonderland"),
        ] {
            let args: Vec<_> = args.iter().copied().chain(["--config", &site.file]).collect();
            let output = run_with_input(&args, &[], input);
            assert!(output.status.success(), "{}", stderr(&output));
        }
        site
    }

    fn serve(&self) -> Server {
        Server::start(&["serve", "--config", &self.file], &[], self.directory.path())
    }
}

fn log_in(server: &Server) -> (String, String) {
    let response = server.post("/api/token/", r#"{"username":"alice","password":"wonderland"}"#);
    assert_eq!(response.status, 200, "{response:?}");
    (response.text("access"), response.text("refresh"))
}

fn ask(server: &Server, endpoint: &str, token: &str, secret: &str) -> Response {
    let body = format!("token={token}&client_id=billing&client_secret={secret}");
    server.request("POST", &format!("/api/token/{endpoint}"), &[FORM], &body)
}

#[test]
fn a_gateway_is_told_who_it_is() {
    let site = Site::new(CLIENTS);
    let server = site.serve();
    let (access, refresh) = log_in(&server);
    let bearer = format!("Bearer {access}");
    for (method, path, body) in [
        ("GET", "/api/token/authenticate/", ""),
        ("HEAD", "/api/token/authenticate", ""),
        ("POST", "/api/token/authenticate/orders/?a=1", "{"),
        ("OPTIONS", "/api/token/authenticate//", ""),
    ] {
        let answer = server.request(method, path, &[("Authorization", &bearer)], body);
        assert_eq!(answer.status, 204, "{method} {path}: {answer:?}");
        assert_eq!(answer.body, "");
        for line in ["x-auth-user: 1", "x-auth-email: "] {
            assert!(answer.head.lines().any(|other| other == line), "{line}: {answer:?}");
        }
        assert!(answer.head.contains("x-auth-session: "), "{answer:?}");
        let refused = server.request(method, path, &[("Authorization", "Bearer x")], body);
        assert_eq!(refused.status, 401, "{method} {path}");
        assert!(refused.head.contains("www-authenticate: bearer realm="), "{refused:?}");
    }
    let logged_out =
        server.post("/api/token/logout/", &format!(r#"{{"refresh":"{refresh}"}}"#)).status;
    assert_eq!(logged_out, 200);
    let until = SystemClock.now() + Duration::from_secs(5);
    let headers = [("Authorization", bearer.as_str())];
    while server.request("GET", "/api/token/authenticate/", &headers, "").status == 204 {
        assert!(SystemClock.now() < until, "it still gets through");
        pause();
    }
    assert!(server.stop().success());
}

#[test]
fn a_gateway_that_wants_a_recent_login() {
    let claim = "[claims]\nauth_time = { auth_time = true }\n[gateway]\nmax_age = \"2s\"\n";
    let site = Site::new(claim);
    let server = site.serve();
    let (access, refresh) = log_in(&server);
    let ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        server.request("GET", "/api/token/authenticate/", &[("Authorization", &bearer)], "")
    };
    assert_eq!(ask(&access).status, 204);
    let until = SystemClock.now() + Duration::from_secs(10);
    let refused = loop {
        let answer = ask(&access);
        if answer.status != 204 {
            break answer;
        }
        assert!(SystemClock.now() < until, "it still gets through");
        pause();
    };
    assert_eq!(refused.status, 401);
    assert_eq!(refused.text("code"), "insufficient_user_authentication");
    let challenge = "error=\"insufficient_user_authentication\"";
    assert!(refused.head.contains(challenge) && refused.head.contains("max_age=\"2\""));
    let body = format!(r#"{{"refresh":"{refresh}"}}"#);
    let refreshed = server.post("/api/token/refresh/", &body).text("access");
    assert_eq!(ask(&refreshed).status, 401, "a refresh is no login");
    assert_eq!(ask(&log_in(&server).0).status, 204);
    assert!(server.stop().success());

    let site = Site::new("");
    fs::write(&site.file, format!("{CONFIGURATION}[gateway]\nmax_age = \"15m\"\n")).unwrap();
    let output = run(&["config", "check", "--config", &site.file], &[]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("write auth_time = { auth_time = true } in [claims]"));
}

#[test]
fn reasons_in_the_challenge() {
    let site = Site::new("");
    fs::write(
        &site.file,
        CONFIGURATION.replace("[simple_jwt]\n", "[simple_jwt]\nwww_authenticate = \"rfc6750\"\n"),
    )
    .unwrap();
    let server = site.serve();
    let said = |headers: &[(&str, &str)]| {
        let answer = server.request("GET", "/api/token/authenticate/", headers, "");
        let line = answer.head.lines().find(|line| line.starts_with("www-authenticate: "));
        (answer.status, line.map(str::to_owned))
    };
    for (header, expected) in [
        (None, "www-authenticate: bearer realm=\"api\""),
        (
            Some("Bearer x"),
            "www-authenticate: bearer realm=\"api\", error=\"invalid_token\", \
             error_description=\"token is invalid\"",
        ),
        (
            Some("Bearer x y"),
            "www-authenticate: bearer realm=\"api\", error=\"invalid_request\", \
             error_description=\"authorization header is malformed\"",
        ),
    ] {
        let headers: Vec<_> = header.map(|header| ("Authorization", header)).into_iter().collect();
        assert_eq!(said(&headers), (401, Some(expected.to_owned())), "{header:?}");
    }
    assert!(server.stop().success());
}

#[test]
fn tokens_are_introspected_and_revoked() {
    let site = Site::new(CLIENTS);
    let server = site.serve();
    let (access, refresh) = log_in(&server);
    let active = |token: &str| {
        let answer = ask(&server, "introspect/", token, SECRET);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["active"].as_bool().unwrap()
    };
    assert!(active(&access) && active(&refresh));
    assert_eq!(ask(&server, "introspect", &access, SECRET).status, 200, "without a slash");
    for endpoint in ["introspect/", "revoke/"] {
        let refused = ask(&server, endpoint, &refresh, "another");
        assert_eq!((refused.status, refused.text("error")), (401, "invalid_client".into()));
    }
    assert!(active(&refresh));
    assert_eq!(ask(&server, "revoke/", &access, SECRET).status, 200);
    assert!(!active(&access) && active(&refresh));
    let answer = ask(&server, "revoke", &refresh, SECRET);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(!active(&refresh));
    assert!(server.stop().success());
}

#[test]
fn a_client_that_is_not_listed_for_refresh_tokens() {
    let site = Site::new(CLIENTS);
    let server = site.serve();
    let (access, refresh) = log_in(&server);
    let ask = |endpoint: &str, token: &str| {
        let body = format!("token={token}&client_id=guard&client_secret={SECRET}");
        server.request("POST", &format!("/api/token/{endpoint}"), &[FORM], &body)
    };
    assert_eq!(ask("introspect/", &refresh).body, r#"{"active":false}"#);
    let before = SystemClock.now().as_secs();
    let answer = ask("introspect/", &access);
    assert!(answer.head.contains("cache-control: no-store"), "{answer:?}");
    let exp = answer.json()["exp"].as_i64().unwrap();
    assert!((before + 10..=SystemClock.now().as_secs() + 10).contains(&exp), "{answer:?}");
    assert_eq!(ask("revoke/", &refresh).status, 200);
    assert_eq!(ask("introspect/", &access).body, r#"{"active":false}"#);
    assert!(server.stop().success());
}

#[test]
fn without_clients_these_endpoints_are_not_there() {
    let site = Site::new("");
    let server = site.serve();
    for endpoint in ["introspect/", "revoke/", "introspect", "revoke"] {
        let answer = ask(&server, endpoint, "x", SECRET);
        assert_eq!((answer.status, answer.body.as_str()), (404, r#"{"detail":"Not found."}"#));
    }
    assert!(server.stop().success());
}

#[test]
fn the_secret_is_neither_printed_nor_too_short() {
    let site = Site::new(CLIENTS);
    let printed = run(&["config", "print", "--config", &site.file], &[]);
    let text = stdout(&printed);
    assert!(printed.status.success() && text.contains(r#"clients = "(secret)""#), "{text}");
    assert!(text.contains(r#"X-Auth-Email = "email""#), "{text}");
    assert!(!text.contains(SECRET) && !text.contains("billing-secret"), "{text}");
    fs::write(site.directory.path().join("billing-secret"), "too-short\n").unwrap();
    let refused = run(&["serve", "--config", &site.file], &[]);
    let told = stderr(&refused);
    assert!(!refused.status.success() && told.contains("shorter than 32"), "{told}");
    assert!(!told.contains("too-short"), "{told}");
}
