//! A server with three realms: two by prefix, one by host, and nothing at the top.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::support::process::{Response, Server, run, run_with_input, stderr, stdout};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("");
        for name in ["acme", "beta", "gamma"] {
            let key = format!("{name}.key");
            let key = place.path(&key);
            place.good(&["key", "generate", "--out", key.to_str().unwrap()], "");
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("simplejwt.toml")
    }

    /// Writes the configuration, with `more` at its end.
    fn write(&self, more: &str) {
        let realm = |name: &str, place: &str, issuer: &str| {
            format!(
                "[realms.{name}]\n{place}\n[realms.{name}.simple_jwt]\nissuer = \"{issuer}\"\n\
                 signing_key_file = \"{name}.key\"\n[realms.{name}.database]\n\
                 path = \"{name}.sqlite3\"\n"
            )
        };
        let text = [
            "[server]\nbind = \"127.0.0.1:0\"\ndemo = true\n[log]\nrequests = true\n\
             [password]\npbkdf2_iterations = 1\n[cookies]\ntransport = \"both\"\n\
             [simple_jwt]\ntoken_blacklist = true\n"
                .to_owned(),
            realm("acme", "prefix = \"/acme\"", "https://auth.example/acme"),
            realm("beta", "prefix = \"/be/ta/\"", "https://auth.example/be/ta"),
            realm("gamma", "host = \"auth.gamma.example\"", "https://auth.gamma.example"),
            more.to_owned(),
        ];
        fs::write(self.file(), text.concat()).unwrap();
    }

    fn run(&self, args: &[&str], input: &str) -> (i32, String) {
        let file = self.file();
        let output = run_with_input(args, &environment(&file), input);
        (output.status.code().unwrap(), stdout(&output) + &stderr(&output))
    }

    fn good(&self, args: &[&str], input: &str) -> String {
        let (code, said) = self.run(args, input);
        assert_eq!(code, 0, "{args:?}: {said}");
        said
    }

    fn migrated(&self) {
        let said = self.good(&["migrate"], "");
        for name in ["acme", "beta", "gamma"] {
            assert!(said.contains(&format!("realm {name}: created")), "{said}");
            let add = ["user", "add", "alice", "--password-stdin", "--realm", name];
            self.good(&add, &format!("wonderland of {name}\n"));
        }
    }

    fn serve(&self) -> Server {
        let file = self.file();
        Server::start(&["serve"], &environment(&file), self.0.path())
    }
}

fn environment(file: &Path) -> [(&str, &str); 1] {
    [("SIMPLEJWT_CONFIG", file.to_str().unwrap())]
}

const SOME: &str = "auth.example";

/// The host and the path of each realm.
const PLACES: [(&str, &str, &str); 3] =
    [("acme", SOME, "/acme"), ("beta", SOME, "/be/ta"), ("gamma", "auth.gamma.example", "")];

fn ask(server: &Server, host: &str, asked: &str, headers: &str, body: &str) -> Response {
    let mut stream = server.connect();
    let length = body.len();
    let head = format!(
        "{asked} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n{body}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    Response::read(stream)
}

fn post(server: &Server, host: &str, path: &str, body: &serde_json::Value) -> Response {
    let headers = "Content-Type: application/json\r\n";
    ask(server, host, &format!("POST {path}"), headers, &body.to_string())
}

fn get(server: &Server, host: &str, path: &str) -> Response {
    ask(server, host, &format!("GET {path}"), "", "")
}

fn log_in(server: &Server, realm: &str) -> String {
    let (_, host, root) = PLACES.into_iter().find(|(name, ..)| *name == realm).unwrap();
    let body = json!({ "username": "alice", "password": format!("wonderland of {realm}") });
    let headers = "Content-Type: application/json\r\n";
    let asked = format!("POST {root}/api/token/");
    let answer = ask(server, host, &asked, headers, &body.to_string());
    assert_eq!(answer.status, 200, "{realm}: {answer:?}");
    answer.text("access")
}

#[test]
fn three_realms_in_one_process() {
    let place = Place::new();
    place.migrated();
    let server = place.serve();
    for (realm, ..) in PLACES {
        let token = log_in(&server, realm);
        for (other, host, root) in PLACES {
            let bearer = format!("Authorization: Bearer {token}\r\n");
            let answer = ask(&server, host, &format!("GET {root}/api/protected/"), &bearer, "");
            let expected = if other == realm { 200 } else { 401 };
            assert_eq!(answer.status, expected, "{realm} at {other}: {answer:?}");
            let verify = format!("{root}/api/token/verify/");
            let answer = post(&server, host, &verify, &json!({ "token": token }));
            assert_eq!(answer.status, expected, "{realm} at {other}: {answer:?}");
        }
    }
    documents(&server);
    hosts(&server);
    // Logged for the realm that a request was for.
    let log = server.log().join("\n");
    let line = |part: &str| {
        let found = log.lines().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("{part}: {log}")).to_owned()
    };
    assert!(line("path=/be/ta/api/token/ ").contains(" realm=beta "), "{log}");
    assert!(line("path=/acme/api/token/ ").contains(" realm=acme "), "{log}");
    assert!(!line("path=/nowhere").contains("realm="), "{log}");
}

fn documents(server: &Server) {
    for (host, path, issuer, jwks) in [
        (
            SOME,
            "/.well-known/oauth-authorization-server/acme",
            "https://auth.example/acme",
            "https://auth.example/acme/.well-known/jwks.json",
        ),
        (
            SOME,
            "/be/ta/.well-known/oauth-authorization-server",
            "https://auth.example/be/ta",
            "https://auth.example/be/ta/.well-known/jwks.json",
        ),
        (
            "auth.gamma.example",
            "/.well-known/oauth-authorization-server",
            "https://auth.gamma.example",
            "https://auth.gamma.example/.well-known/jwks.json",
        ),
    ] {
        let metadata = get(server, host, path).json();
        assert_eq!((&metadata["issuer"], &metadata["jwks_uri"]), (&json!(issuer), &json!(jwks)));
        let (_, path) = jwks.split_once(".example").unwrap();
        assert_eq!(get(server, host, path).status, 200, "{jwks}");
    }
    // Those of one aren't at another's host.
    let path = "/.well-known/oauth-authorization-server/acme";
    assert_eq!(get(server, "auth.gamma.example", path).status, 404);
}

fn hosts(server: &Server) {
    let login = "/api/token/";
    let body = json!({ "username": "alice", "password": "wonderland of gamma" });
    for host in ["auth.gamma.example:8443", "AUTH.Gamma.Example", "auth.gamma.example.:80"] {
        assert_eq!(post(server, host, login, &body).status, 200, "{host}");
    }
    // The target counts.
    let asked = format!("POST http://auth.gamma.example{login}");
    let json = "Content-Type: application/json\r\n";
    assert_eq!(ask(server, "elsewhere.example", &asked, json, &body.to_string()).status, 200);
    for host in ["auth.gamma.example.example", "gamma.example", "127.0.0.1", "x.auth.gamma.example"]
    {
        let answer = post(server, host, login, &body);
        assert_eq!(answer.status, 421, "{host}: {answer:?}");
        assert_eq!(answer.json()["code"], "unknown_host");
    }
    // Realms by prefix aren't on another's host, and their paths begin with theirs.
    for (host, path, status) in [
        ("auth.gamma.example", "/acme/api/token/", 404),
        (SOME, "/acme/nowhere", 404),
        (SOME, "/acmes/api/token/", 421),
        (SOME, "/nowhere", 421),
        (SOME, "/ACME/api/token/", 421),
        (SOME, "/%61cme/api/token/verify/", 405),
        ("anything.example:1", "/acme/api/token/verify/", 405),
        (SOME, "/acme/api/token/verify", 301),
        (SOME, "/acme/healthz", 404),
        (SOME, "/healthz", 200),
        ("auth.gamma.example", "/healthz", 200),
        (SOME, "/readyz", 200),
        (SOME, "/readyz?realm=acme", 200),
        (SOME, "/readyz?realm=delta", 404),
    ] {
        assert_eq!(get(server, host, path).status, status, "{host} {path}");
    }
}

#[test]
fn cookies_of_realms_on_one_host_are_different_ones() {
    let place = Place::new();
    place.migrated();
    let server = place.serve();
    let mut names = Vec::new();
    for (realm, host, root) in PLACES {
        let body = json!({ "username": "alice", "password": format!("wonderland of {realm}") });
        let answer = post(&server, host, &format!("{root}/api/token/"), &body);
        let cookies = answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        let cookies: Vec<_> = cookies.map(str::to_owned).collect();
        assert_eq!(cookies.len(), 2, "{answer:?}");
        assert!(cookies[0].contains(&format!("path={root}/api/token/")), "{cookies:?}");
        names
            .extend(cookies.iter().filter_map(|cookie| Some(cookie.split_once('=')?.0.to_owned())));
    }
    assert_eq!(
        names,
        [
            "__secure-refresh-acme",
            "__host-access-acme",
            "__secure-refresh-beta",
            "__host-access-beta",
            "__secure-refresh",
            "__host-access",
        ]
    );
}

#[test]
fn commands_work_on_the_realm_that_is_named() {
    let place = Place::new();
    place.migrated();
    let (code, said) = place.run(&["user", "list"], "");
    assert!(code == 2 && said.contains("name one of acme, beta, gamma with --realm"), "{said}");
    let (code, said) = place.run(&["user", "list", "--realm", "delta"], "");
    assert!(code == 2 && said.contains("the realms are acme, beta, gamma"), "{said}");
    for args in [&["serve"][..], &["key", "generate"], &["config", "schema"], &["quickstart"]] {
        let output = run(&[args, &["--realm", "acme"]].concat(), &[]);
        let said = stderr(&output);
        assert!(output.status.code() == Some(2) && said.contains("has no effect"), "{said}");
    }
    place.good(&["user", "disable", "alice", "--realm", "beta"], "");
    for (realm, state) in [("acme", "active"), ("beta", "inactive"), ("gamma", "active")] {
        let said = place.good(&["user", "list", "--realm", realm], "");
        assert!(said.contains(&format!("\talice\t{state}")), "{realm}: {said}");
    }
    assert_eq!(place.good(&["migrate", "--check"], "").matches("nothing to do").count(), 3);
    assert!(place.good(&["migrate", "--realm", "beta"], "").contains("realm beta: nothing to do"));
    assert!(place.good(&["config", "check"], "").contains("are fine"));
    let printed = place.good(&["config", "print"], "");
    assert!(printed.contains("[realms.beta]\nprefix = \"/be/ta\""), "{printed}");
    let secret = place.good(&["key", "secret", "--format", "raw", "--realm", "gamma"], "");
    assert_eq!(secret.trim(), fs::read_to_string(place.path("gamma.key")).unwrap().trim());
}

#[test]
fn one_realm_that_fails_is_named() {
    let place = Place::new();
    place.migrated();
    fs::remove_file(place.path("beta.sqlite3")).unwrap();
    let (code, said) = place.run(&["serve"], "");
    assert!(code == 4 && said.contains("realm beta: "), "{code}: {said}");
    assert!(!said.contains("realm acme") && !said.contains("realm gamma"), "{said}");
    let (code, said) = place.run(&["config", "check"], "");
    assert!(code == 4 && said.contains("realm beta: "), "{code}: {said}");
    place.write("[realms.delta]\nprefix = \"/acme/delta\"\n");
    let (code, said) = place.run(&["config", "check"], "");
    assert!(code == 3 && said.contains("realm delta has no issuer"), "{code}: {said}");
    assert!(said.contains("neither may be the other or inside it"), "{said}");
}

#[test]
fn readiness_names_the_realm_and_the_others_go_on() {
    let place = Place::new();
    place.write("[database]\nbusy_timeout = \"50ms\"\n");
    place.migrated();
    let server = place.serve();
    let lock = rusqlite::Connection::open(place.path("beta.sqlite3")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let told = "realm beta: the database can't be used\n";
    for path in ["/readyz", "/readyz?realm=beta"] {
        let answer = get(&server, SOME, path);
        assert_eq!((answer.status, &*answer.body), (503, told), "{path}");
    }
    for realm in ["acme", "gamma"] {
        assert_eq!(get(&server, SOME, &format!("/readyz?realm={realm}")).status, 200);
        log_in(&server, realm);
    }
    let line = server.expect_stderr("event=not_ready");
    assert!(line.contains("realm beta: "), "{line}");
    lock.execute_batch("ROLLBACK").unwrap();
    log_in(&server, "beta");
}

/// A key of one that is changed is taken by a server that runs, and the other's stay.
#[cfg(unix)]
#[test]
fn keys_are_read_again_for_each_realm() {
    let place = Place::new();
    place.migrated();
    let server = place.serve();
    let (acme, beta) = (log_in(&server, "acme"), log_in(&server, "beta"));
    let key = place.path("acme.key");
    fs::remove_file(&key).unwrap();
    place.good(&["key", "generate", "--out", key.to_str().unwrap()], "");
    server.signal("-HUP");
    let line = server.expect_stderr("configuration_reread");
    assert!(line.contains("realms.acme.simple_jwt.signing_key"), "{line}");
    assert!(!line.contains("beta"), "{line}");
    let verify =
        |path: &str, token: &str| post(&server, SOME, path, &json!({ "token": token })).status;
    assert_eq!(verify("/acme/api/token/verify/", &acme), 401);
    assert_eq!(verify("/be/ta/api/token/verify/", &beta), 200);
    let acme = log_in(&server, "acme");
    assert_eq!(verify("/acme/api/token/verify/", &acme), 200);
}
