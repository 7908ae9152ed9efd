//! Realms that share a database server: nothing of one is seen in another.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::databases::{ALL, Database, DatabaseKind};
use crate::support::process::{Response, Server, run, run_with_input, stderr, stdout};

const ENCRYPTION: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const CLIENT: &str = "the secret of the client of both realms";

/// Two realms with the user alice, 1 in each, on one server.
struct Place {
    directory: TempDir,
    urls: [String; 2],
    _databases: Vec<Database>,
}

impl Place {
    fn new(kind: DatabaseKind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = directory.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        };
        let (urls, databases) = match kind {
            // A schema each.
            DatabaseKind::Postgres => {
                let database = Database::new(kind, directory.path());
                let url = |schema: &str| {
                    database.rows(&format!("CREATE SCHEMA {schema}"));
                    format!("{}?schema={schema}", database.url)
                };
                ([url("a"), url("b")], vec![database])
            }
            // A database each, or a file.
            DatabaseKind::Mysql | DatabaseKind::Sqlite => {
                let databases = ["a", "b"].map(|name| Database::new(kind, &folder(name)));
                (databases.each_ref().map(|database| database.url.clone()), databases.into())
            }
        };
        let place = Self { directory, urls, _databases: databases };
        place.write(&place.urls);
        place
    }

    fn write(&self, urls: &[String; 2]) {
        let realm = |name: &str, url: &str| {
            format!(
                "[realms.{name}]\nprefix = \"/{name}\"\n\
                 [realms.{name}.simple_jwt]\nissuer = \"https://auth.example/{name}\"\n\
                 [realms.{name}.database]\nurl = \"{url}\"\n\
                 [realms.{name}.keys]\nstore = \"database\"\nencryption_key = \"{ENCRYPTION}\"\n\
                 algorithm = \"ES256\"\npublication_delay = \"1s\"\n\
                 [[realms.{name}.oauth.clients]]\nid = \"billing\"\nsecret = \"{CLIENT}\"\n"
            )
        };
        let [a, b] = urls;
        let text = format!(
            "[server]\nbind = \"127.0.0.1:0\"\ndemo = true\n\
             [password]\npbkdf2_iterations = 1\n\
             [cookies]\ntransport = \"both\"\n\
             [simple_jwt]\nkid = true\ntoken_blacklist = true\nrotate_refresh_tokens = true\n\
             blacklist_after_rotation = true\n\
             [sessions]\nsession_claim = true\nrevocation = \"strict\"\nreuse_tolerance = 0\n\
             {}{}",
            realm("a", a),
            realm("b", b)
        );
        fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("simplejwt.toml")
    }

    fn environment(file: &Path) -> [(&str, &str); 1] {
        [("SIMPLEJWT_CONFIG", file.to_str().unwrap())]
    }

    fn good(&self, args: &[&str], input: &str) -> String {
        let output = run_with_input(args, &Self::environment(&self.file()), input);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = run(args, &Self::environment(&self.file()));
        assert!(!output.status.success(), "{args:?}");
        stderr(&output)
    }

    fn filled(&self) {
        let told = self.good(&["migrate"], "");
        assert!(told.contains("realm a: created") && told.contains("realm b: created"), "{told}");
        for (realm, password) in [("a", "wonderland of a"), ("b", "wonderland of b")] {
            let add = ["--realm", realm, "user", "add", "alice", "--password-stdin"];
            self.good(&add, &format!("{password}\n"));
            let list = self.good(&["user", "list", "--realm", realm], "");
            assert!(list.contains("1\talice\t"), "{list}");
        }
    }

    fn serve(&self) -> Server {
        let file = self.file();
        Server::start(&["serve"], &Self::environment(&file), self.directory.path())
    }
}

fn post(server: &Server, path: &str, value: &Value) -> Response {
    server.post(path, &value.to_string())
}

struct Pair {
    access: String,
    refresh: String,
}

fn log_in(server: &Server, realm: &str) -> Pair {
    let path = format!("/{realm}/api/token/");
    let body = json!({ "username": "alice", "password": format!("wonderland of {realm}") });
    let answer = post(server, &path, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    Pair { access: answer.text("access"), refresh: answer.text("refresh") }
}

fn with(server: &Server, realm: &str, access: &str) -> u16 {
    let bearer = format!("Bearer {access}");
    let path = format!("/{realm}/api/protected/");
    server.request("GET", &path, &[("Authorization", &bearer)], "").status
}

fn refresh(server: &Server, realm: &str, token: &str) -> Response {
    post(server, &format!("/{realm}/api/token/refresh/"), &json!({ "refresh": token }))
}

/// The kids of a realm's published keys, sorted.
fn published(server: &Server, realm: &str) -> Vec<String> {
    let keys = server.get(&format!("/{realm}/.well-known/jwks.json")).json();
    let keys = keys["keys"].as_array().unwrap().iter();
    let mut kids: Vec<_> = keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    kids.sort();
    kids
}

#[test]
fn realms_on_one_database_server_never_meet() {
    for &kind in ALL {
        let place = Place::new(kind);
        place.filled();
        let server = place.serve();
        refused_everywhere(&server, kind);
        endings_stay_in_their_realm(&place, &server, kind);
        keys_stay_in_their_realm(&place, &server, kind);
    }
}

/// Each token of one, as header, body and cookie, at each endpoint of the other.
fn refused_everywhere(server: &Server, kind: DatabaseKind) {
    for (own, other) in [("a", "b"), ("b", "a")] {
        // The password of one isn't that of the other, whose user has the same name and id.
        let body = json!({ "username": "alice", "password": format!("wonderland of {own}") });
        assert_eq!(post(server, &format!("/{other}/api/token/"), &body).status, 401);
        let pair = log_in(server, own);
        let sliding = post(server, &format!("/{own}/api/token/sliding/"), &body).text("token");
        for token in [&pair.access, &pair.refresh, &sliding] {
            let bearer = format!("Bearer {token}");
            let cookie = format!("__Host-access-{other}={token}; __Secure-refresh-{other}={token}");
            for header in [("Authorization", &*bearer), ("Cookie", &cookie)] {
                for path in ["token/sessions/", "token/authenticate/", "protected/"] {
                    let path = format!("/{other}/api/{path}");
                    let answer = server.request("GET", &path, &[header], "");
                    assert_eq!(answer.status, 401, "{kind:?} {path} {header:?}: {answer:?}");
                    assert!(answer.body.contains("token_not_valid"), "{path}: {answer:?}");
                }
            }
            for (path, member) in [
                ("verify/", "token"),
                ("refresh/", "refresh"),
                ("blacklist/", "refresh"),
                ("logout/", "refresh"),
                ("sliding/refresh/", "token"),
            ] {
                let path = format!("/{other}/api/token/{path}");
                let json = ("Content-Type", "application/json");
                let by_body = post(server, &path, &json!({ member: token }));
                let by_cookie = server.request("POST", &path, &[json, ("Cookie", &cookie)], "{}");
                for answer in [by_body, by_cookie] {
                    // Nobody verifies a cookie.
                    if path.ends_with("verify/") && answer.status == 400 {
                        continue;
                    }
                    assert_eq!(answer.status, 401, "{kind:?} {path}: {answer:?}");
                    assert!(answer.body.contains("token_not_valid"), "{path}: {answer:?}");
                }
            }
            let form = ("Content-Type", "application/x-www-form-urlencoded");
            let secret = CLIENT.replace(' ', "+");
            let body = format!("client_id=billing&client_secret={secret}&token={token}");
            let path = |name: &str| format!("/{other}/api/token/{name}/");
            let told = server.request("POST", &path("introspect"), &[form], &body);
            assert_eq!(told.json(), json!({ "active": false }), "{kind:?}");
            let revoked = server.request("POST", &path("revoke"), &[form], &body);
            assert_eq!((revoked.status, &*revoked.body), (200, ""), "{kind:?}");
        }
        // None of that has touched them.
        assert_eq!(with(server, own, &pair.access), 200, "{kind:?}");
        assert_eq!(refresh(server, own, &pair.refresh).status, 200, "{kind:?}");
    }
}

fn endings_stay_in_their_realm(place: &Place, server: &Server, kind: DatabaseKind) {
    let still = log_in(server, "b");
    let stays = |what: &str| {
        assert_eq!(with(server, "b", &still.access), 200, "{kind:?}: {what}");
    };
    // Out of all sessions.
    let pair = log_in(server, "a");
    let bearer = format!("Bearer {}", pair.access);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let out = server.request("POST", "/a/api/token/logout/", &headers, r#"{"scope":"all"}"#);
    assert_eq!(out.status, 200, "{out:?}");
    assert_eq!(with(server, "a", &pair.access), 401, "{kind:?}");
    stays("log out everywhere");
    // A spent token.
    let pair = log_in(server, "a");
    assert_eq!(refresh(server, "a", &pair.refresh).status, 200);
    assert_eq!(refresh(server, "a", &pair.refresh).status, 401);
    assert_eq!(with(server, "a", &pair.access), 401, "{kind:?}: reuse ends the session");
    stays("reuse");
    // Another password.
    let pair = log_in(server, "a");
    let change = ["--realm", "a", "user", "set-password", "alice", "--password-stdin"];
    place.good(&change, "looking glass of a\n");
    assert_eq!(refresh(server, "a", &pair.refresh).status, 401, "{kind:?}");
    stays("another password");
    place.good(&change, "wonderland of a\n");
    // Everything of the other, from the command line.
    place.good(&["session", "end-all", "alice", "--realm", "a"], "");
    place.good(&["token", "flush-expired", "--realm", "a"], "");
    stays("the purge");
    let list = |realm: &str| place.good(&["session", "list", "alice", "--realm", realm], "");
    assert_eq!(list("a").lines().count(), 1, "{kind:?}: {}", list("a"));
    assert!(list("b").lines().count() > 1, "{kind:?}");
    assert_eq!(refresh(server, "b", &still.refresh).status, 200, "{kind:?}");
}

fn keys_stay_in_their_realm(place: &Place, server: &Server, kind: DatabaseKind) {
    let (a, b) = (published(server, "a"), published(server, "b"));
    assert!(!a.is_empty() && !b.is_empty() && a.iter().all(|kid| !b.contains(kid)), "{kind:?}");
    place.good(&["key", "rotate", "--at-once", "--realm", "a"], "");
    let begun = std::iter::repeat_with(|| published(server, "a"));
    let is_new = |kids: &Vec<String>| {
        crate::support::site::pause();
        kids.len() > a.len()
    };
    // Whoever follows the keys finds the new one.
    assert!(begun.take(6000).any(|kids| is_new(&kids)), "{kind:?}");
    assert_eq!(published(server, "b"), b, "{kind:?}");
    let kid = |realm: &str| place.good(&["key", "list", "--realm", realm], "").lines().count();
    assert_eq!(kid("a"), kid("b") + 1, "{kind:?}");
}

/// Two ways to write one place: only its tables can tell.
#[test]
fn tables_belong_to_one_realm() {
    for &kind in ALL {
        let place = Place::new(kind);
        place.filled();
        let again = match kind {
            DatabaseKind::Sqlite => {
                let link = place.directory.path().join("link.sqlite3");
                let path = place.urls[0].strip_prefix("sqlite://").unwrap();
                fs::hard_link(path, &link).unwrap();
                format!("sqlite://{}", link.display())
            }
            DatabaseKind::Postgres => format!("{}&application_name=b", place.urls[0]),
            DatabaseKind::Mysql => format!("{}?connect_timeout=9", place.urls[0]),
        };
        place.write(&[place.urls[0].clone(), again.clone()]);
        let told = place.refused(&["serve"]);
        let known =
            ["in the same tables", "realm b: the tables in its database are another realm's"];
        assert!(known.iter().any(|known| told.contains(known)), "{kind:?}: {told}");
        assert!(told.contains("[realms.b.database]"), "{kind:?}: {told}");
        // Where the configuration shows nothing, as with another process.
        place.write(&[place.urls[1].clone(), again]);
        let told = place.refused(&["migrate", "--realm", "b"]);
        assert!(told.contains("another realm's"), "{kind:?}: {told}");
        place.write(&place.urls);
        place.serve();
    }
}
