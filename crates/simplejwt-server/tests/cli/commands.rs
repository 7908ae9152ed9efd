//! The command line: help, messages, exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::fs;

use crate::support::process::{run, run_with_input, simplejwt, stderr, stdout};
use tempfile::TempDir;

const SECRET: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
/// Far too little work for anything but tests.
const QUICK: (&str, &str) = ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000");

struct Place {
    directory: TempDir,
    url: String,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/db.sqlite3", directory.path().display());
        Self { directory, url }
    }

    fn migrated() -> Self {
        let place = Self::new();
        place.succeed(&["migrate"], "");
        place
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        vec![SECRET, QUICK, ("DATABASE_URL", &self.url), ("SIMPLEJWT_TOKEN_BLACKLIST", "on")]
    }

    fn succeed(&self, args: &[&str], input: &str) -> String {
        let output = run_with_input(args, &self.environment(), input);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// The exit code and the message.
    fn fail(&self, args: &[&str], input: &str) -> (i32, String) {
        let output = run_with_input(args, &self.environment(), input);
        (output.status.code().unwrap(), stderr(&output))
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    for args in [
        &[][..],
        &["quickstart"],
        &["serve"],
        &["migrate"],
        &["user", "add"],
        &["user", "set-password"],
        &["user", "enable"],
        &["user", "disable"],
        &["user", "list"],
        &["token", "inspect"],
        &["token", "blacklist"],
        &["token", "flush-expired"],
        &["key", "generate"],
        &["key", "public"],
        &["config", "check"],
        &["config", "print"],
        &["config", "example"],
    ] {
        let help = run(&[args, &["--help"]].concat(), &[]);
        assert!(help.status.success(), "{args:?}");
        let text = stdout(&help);
        assert!(text.contains("Example") && text.contains("simplejwt"), "{args:?}: {text}");
    }
    let text = stdout(&run(&["--help"], &[]));
    for part in ["Exit codes:", "quickstart", "0  done", "4  the database"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(stdout(&run(&["--version"], &[])).starts_with("simplejwt 0."));
}

#[test]
fn a_wrong_command_line_is_2() {
    for args in [
        &[][..],
        &["sevre"],
        &["user"],
        &["user", "add"],
        &["user", "add", "a", "--password", "secret"],
        &["user", "add", "a", "--password-stdin", "--generate-password"],
        &["key", "generate", "--algorithm", "none"],
        &["token", "inspect", "eyJhbGciOiJIUzI1NiJ9.e30.x"],
        &["token", "flush-expired", "--batch", "0"],
        &["quickstart", "--config", "x.toml"],
    ] {
        let output = run(args, &[SECRET]);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    }
    // A token that was given as an argument isn't repeated.
    let output = run(&["token", "inspect", "eyJhbGciOiJIUzI1NiJ9.e30.x"], &[SECRET]);
    assert!(!stderr(&output).contains("eyJ") && stderr(&output).contains("standard input"));
}

#[test]
fn a_wrong_configuration_is_3() {
    for (args, environment, told) in [
        (&["config", "check"][..], &[][..], "SIGNING_KEY is missing"),
        (&["config", "check"], &[("SECRET_KEY", "short")], "needs at least 32"),
        (&["config", "check"], &[SECRET], "DATABASE_URL"),
        (&["config", "print", "--config", "nowhere.toml"], &[], "no such file"),
        (&["serve"], &[("SIMPLE_JWT", "{}")], "SIGNING_KEY is missing"),
        (&["serve"], &[("SIMPLE_JWT", r#"{"ALGORITM": 1}"#)], "did you mean ALGORITHM?"),
        (&["serve"], &[("SIMPLEJWT_DEMO", "perhaps")], "SIMPLEJWT_DEMO"),
        (&["migrate"], &[SECRET], "DATABASE_URL"),
    ] {
        let output = run(args, environment);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
        assert!(said.lines().all(|line| line.starts_with("error: ")), "{said}");
    }
    let both = stderr(&run(&["config", "check"], &[]));
    assert_eq!(both.lines().count(), 2, "the key and the database at once: {both}");
    for (url, told) in [
        ("postgres://u@h/d?conn_max_aeg=60", "the parameter conn_max_aeg"),
        ("mysql://u@h/d?read_default_file=x", "the parameter read_default_file"),
        ("postgres://u@h/d?sslrootcert=nowhere.pem", "nowhere.pem"),
        ("redshift://u@h/d", "Amazon Redshift"),
        ("sqlite:////srv/d?immutable=1", "the parameter immutable"),
        ("postgres://u@h/d?sslmode=verify", "unknown sslmode"),
    ] {
        for args in [&["config", "check"][..], &["migrate"], &["user", "list"]] {
            let output = run(args, &[SECRET, ("DATABASE_URL", url)]);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{url} {args:?}: {said}");
            assert!(said.contains(told), "{url}: {said}");
        }
    }
}

/// DIFFERENCE: Django takes what follows three slashes for relative.
#[test]
fn a_file_that_django_would_take_for_another_is_3_and_none_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let name = format!("simplejwt-cli-{}.sqlite3", std::process::id());
    let url = format!("sqlite:///{name}");
    let (root, here) = (std::path::Path::new("/").join(&name), directory.path().join(&name));
    for there in [false, true] {
        if there {
            fs::write(&here, "").unwrap();
        }
        for args in [
            &["config", "check"][..],
            &["migrate"],
            &["migrate", "--check"],
            &["user", "add", "alice", "--generate-password"],
            &["user", "list"],
            &["token", "flush-expired"],
            &["session", "list", "alice"],
            &["serve"],
        ] {
            let environment = [SECRET, ("DATABASE_URL", url.as_str())];
            let output = simplejwt(args, &environment).current_dir(&directory).output().unwrap();
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
            let both = [root.display().to_string(), here.display().to_string()];
            assert!(both.iter().all(|path| said.contains(path)), "{args:?}: {said}");
            assert!(!root.exists(), "{args:?}");
        }
    }
    assert_eq!(fs::read(&here).unwrap(), b"");
    let absolute = format!("sqlite:///{}", here.display());
    let output = run(&["migrate"], &[SECRET, ("DATABASE_URL", &absolute)]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_database_s_url_may_be_in_a_file() {
    let place = Place::new();
    let path = place.directory.path().join("database-url");
    fs::write(&path, format!("{}\n", place.url)).unwrap();
    let file = path.to_str().unwrap();
    let output = run(&["migrate"], &[SECRET, ("DATABASE_URL_FILE", file)]);
    assert!(output.status.success(), "{}", stderr(&output));
    let both =
        run(&["migrate"], &[SECRET, ("DATABASE_URL_FILE", file), ("DATABASE_URL", &place.url)]);
    assert_eq!(both.status.code(), Some(3), "{}", stderr(&both));
}

#[test]
fn migrate_makes_what_is_missing_once() {
    let place = Place::new();
    assert_eq!(place.fail(&["migrate", "--check"], "").0, 4, "there is no file yet");
    let made = place.succeed(&["migrate"], "");
    for table in ["auth_user", "token_blacklist_outstandingtoken"] {
        assert!(made.contains(table), "{made}");
    }
    assert_eq!(place.succeed(&["migrate"], ""), "nothing to do\n");
    assert_eq!(place.succeed(&["migrate", "--check"], ""), "nothing to do\n");

    fs::write(place.directory.path().join("db.sqlite3"), "").unwrap();
    for left_over in ["db.sqlite3-wal", "db.sqlite3-shm"] {
        let _ = fs::remove_file(place.directory.path().join(left_over));
    }
    let (code, said) = place.fail(&["migrate", "--check"], "");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("auth_user") && said.contains("simplejwt migrate"), "{said}");
}

#[test]
fn users_are_added_changed_and_listed() {
    let place = Place::migrated();
    place.succeed(&["user", "add", "alice", "--password-stdin", "--no-validate"], "wonderland\n");
    let generated =
        place.succeed(&["user", "add", "bob", "--superuser", "--staff", "--generate-password"], "");
    let password = generated.split_whitespace().last().unwrap();
    assert!(password.len() >= 20, "{generated}");
    let list = place.succeed(&["user", "list"], "");
    assert_eq!(list.lines().count(), 3, "{list}");
    let row =
        |list: &str, name: &str| list.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(row(&list, "bob").contains("superuser") && !row(&list, "alice").contains("superuser"));
    assert!(!list.contains("pbkdf2"), "{list}");

    place.succeed(&["user", "disable", "alice"], "");
    assert!(row(&place.succeed(&["user", "list"], ""), "alice").contains("inactive"));
    place.succeed(&["user", "enable", "alice"], "");
    assert!(!row(&place.succeed(&["user", "list"], ""), "alice").contains("inactive"));
    place.succeed(&["user", "set-password", "alice", "--password-stdin"], "looking-glass");

    for (args, input, code, told) in [
        (&["user", "add", "alice", "--password-stdin", "--no-validate"][..], "x", 1, "alice"),
        (&["user", "add", "carol", "--password-stdin"], "", 1, "empty"),
        (&["user", "add", "carol", "--password-stdin"], "a\0b", 1, "null character"),
        (&["user", "add", "carol"], "", 2, "--password-stdin"),
        (&["user", "add", "", "--generate-password"], "", 1, "name"),
        (&["user", "set-password", "nobody", "--generate-password"], "", 1, "no user \"nobody\""),
        (&["user", "disable", "nobody"], "", 1, "no user \"nobody\""),
    ] {
        let (found, said) = place.fail(args, input);
        assert_eq!(found, code, "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
    }
    assert_eq!(place.succeed(&["user", "list"], "").lines().count(), 3);
}

#[test]
fn tokens_are_inspected_and_blacklisted() {
    let place = Place::migrated();
    let tokens = simplejwt::Tokens::new(simplejwt::Settings {
        signing_key: Some(SECRET.1.into()),
        ..simplejwt::Settings::default()
    })
    .unwrap();
    let refresh = tokens.encode(&tokens.issue::<simplejwt::Refresh>("1")).unwrap();
    let access = tokens.encode(&tokens.issue::<simplejwt::Access>("1")).unwrap();

    let shown = place.succeed(&["token", "inspect"], &refresh);
    for part in ["\"alg\": \"HS256\"", "\"token_type\": \"refresh\"", "the token is valid"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(place.succeed(&["token", "inspect", "-"], &format!("{access}\n")).contains("is good"));
    let first = place.succeed(&["token", "blacklist"], &refresh);
    let second = place.succeed(&["token", "blacklist"], &refresh);
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("blacklisted\n", "the token was already blacklisted\n")
    );

    let output = run_with_input(&["token", "inspect"], &place.environment(), &refresh);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("Token is blacklisted"));
    let output = run_with_input(&["token", "inspect"], &place.environment(), "a.b.c");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("Token is invalid"));

    for (input, code, told) in [
        (access.as_str(), 1, "only refresh and sliding"),
        ("a.b.c", 1, "Token is invalid"),
        ("", 2, "no token"),
    ] {
        let (found, said) = place.fail(&["token", "blacklist"], input);
        assert_eq!(found, code, "{said}");
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(place.succeed(&["token", "flush-expired"], ""), "deleted 0 expired tokens\n");
}

#[test]
fn keys_are_made_private_and_never_overwritten() {
    let place = Place::new();
    let path = place.directory.path().join("key.pem");
    let path = path.to_str().unwrap();
    let made = run(&["key", "generate", "--algorithm", "ES256", "--out", path], &[]);
    assert!(made.status.success(), "{}", stderr(&made));
    let key = fs::read_to_string(path).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = run(&["key", "generate", "--out", path], &[]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(fs::read_to_string(path).unwrap(), key);

    let environment = [("SIMPLEJWT_ALGORITHM", "ES256"), ("SIMPLEJWT_SIGNING_KEY_FILE", path)];
    let jwks = stdout(&run(&["key", "public"], &environment));
    let jwks: serde_json::Value = serde_json::from_str(&jwks).unwrap();
    assert_eq!(jwks["keys"][0]["kty"], "EC");
    assert_eq!(jwks["keys"][0].get("d"), None);
    let pem = stdout(&run(&["key", "public", "--format", "pem"], &environment));
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");

    let secret = stdout(&run(&["key", "generate"], &[]));
    assert!(secret.trim().len() >= 64);
    assert_ne!(secret, stdout(&run(&["key", "generate"], &[])));
    let none = run(&["key", "public"], &[SECRET]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("no public key") && stdout(&none).is_empty());
}

#[test]
fn the_configuration_is_checked_printed_and_exemplified() {
    let place = Place::migrated();
    let fine = place.succeed(&["config", "check"], "");
    assert!(fine.contains("fine") && !fine.contains("warning"), "{fine}");
    // Hardly meant, and no reason not to start.
    let jwt = "{\"ROTATE_REFRESH_TOKENS\": true, \"BLACKLIST_AFTER_ROTATION\": true, \
               \"ACCESS_TOKEN_LIFETIME\": 30}";
    let mut environment = place.environment();
    environment.extend([("SIMPLE_JWT", jwt), ("SIMPLEJWT_ROTATION_GRACE", "60")]);
    let warned = run(&["config", "check"], &environment);
    assert!(warned.status.success(), "{}", stderr(&warned));
    let warning = stderr(&warned);
    assert!(warning.starts_with("warning: rotation_grace (60 s) outlasts"), "{warning}");
    assert!(stdout(&warned).contains("fine"));
    let printed = place.succeed(&["config", "print"], "");
    assert!(printed.contains("secret_key = \"(secret)\" # environment variable SECRET_KEY"));
    assert!(!printed.contains(SECRET.1), "{printed}");
    let example = stdout(&run(&["config", "example"], &[]));
    assert!(example.contains("# Environment: SIMPLEJWT_ACCESS_TOKEN_LIFETIME"));
    let path = place.directory.path().join("example.toml");
    fs::write(&path, example).unwrap();
    place.succeed(&["config", "check", "--config", path.to_str().unwrap()], "");
    let by_variable = run(
        &["config", "print"],
        &[("SIMPLEJWT_CONFIG", path.to_str().unwrap()), ("SIMPLEJWT_LEEWAY", "7")],
    );
    assert!(
        stdout(&by_variable).contains("leeway = \"7\" # environment variable SIMPLEJWT_LEEWAY")
    );
}

#[test]
fn a_directory_that_can_not_be_written_is_told() {
    let place = Place::new();
    let file = place.directory.path().join("a-file");
    fs::write(&file, "").unwrap();
    let inside = file.join("data");
    let output = run(&["quickstart", "--no-serve", "--dir", inside.to_str().unwrap()], &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("can't make the directory") && said.lines().count() == 1, "{said}");
}

/// Columns that users are found by: refused by the check that comes before a roll-out, and at the
/// start.
#[test]
fn whoever_could_be_taken_for_another_keeps_it_from_starting() {
    let place = Place::migrated();
    let database = rusqlite::Connection::open(place.directory.path().join("db.sqlite3")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE staff (id char(32) PRIMARY KEY, number integer UNIQUE, team integer, \
             password text, is_active smallint)",
        )
        .unwrap();
    drop(database);
    let custom = [
        ("SIMPLEJWT_USERS_TABLE", "staff"),
        ("SIMPLEJWT_USERS_USERNAME_FIELD", "number"),
        ("SIMPLEJWT_USERS_IS_STAFF", ""),
        ("SIMPLEJWT_USERS_IS_SUPERUSER", ""),
        ("SIMPLEJWT_USERS_LAST_LOGIN", ""),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "off"),
    ];
    let with = |more: &[(&'static str, &'static str)], args: &[&str]| {
        let mut environment = place.environment();
        environment.extend_from_slice(more);
        let output = run(args, &environment);
        (output.status.code(), format!("{}{}", stdout(&output), stderr(&output)))
    };
    let and = |more: &[(&'static str, &'static str)]| [&custom[..], more].concat();
    for (environment, told) in [
        (vec![("SIMPLEJWT_USERS_USERNAME_FIELD", "email")], "\"email\" of the table \"auth_user\""),
        (vec![("SIMPLEJWT_USER_ID_FIELD", "email")], "\"email\" of the table \"auth_user\""),
        (and(&[("SIMPLEJWT_USERS_USERNAME_FIELD", "team")]), "\"team\" of the table \"staff\""),
        (
            and(&[("SIMPLEJWT_USERS_KEY_TYPE", "integer")]),
            "write in [users] key_type = \"uuid\", or nothing",
        ),
        (vec![("SIMPLEJWT_USERS_KEY_TYPE", "text")], "write in [users] key_type = \"integer\""),
        (and(&[("SIMPLEJWT_USERS_IS_ACTIVE", "password")]), "\"password\" of the table \"staff\""),
        (and(&[("SIMPLEJWT_TOKEN_BLACKLIST", "on")]), "refers to the table \"auth_user\""),
    ] {
        for args in [&["config", "check"] as &[_], &["serve"]] {
            let (code, said) = with(&environment, args);
            assert_eq!(code, Some(4), "{args:?} {environment:?}: {said}");
            assert!(said.contains(told), "{args:?} {environment:?}: {said}");
        }
    }
    let (code, said) = with(&custom, &["config", "check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("fine"), "{said}");
}

/// Where Django blacklists tokens, a server that doesn't look at them has to have been told so.
#[test]
fn a_blacklist_that_nobody_mentions_is_refused() {
    let place = Place::migrated();
    let check = |blacklist: Option<&str>| {
        let mut environment = vec![SECRET, QUICK, ("DATABASE_URL", place.url.as_str())];
        environment.extend(blacklist.map(|value| ("SIMPLEJWT_TOKEN_BLACKLIST", value)));
        let output = run(&["config", "check"], &environment);
        (output.status.code().unwrap(), stderr(&output))
    };
    // Made by `migrate`, and nothing in it.
    assert_eq!(check(None), (0, String::new()));
    let file = place.directory.path().join("db.sqlite3");
    let raw = rusqlite::Connection::open(file).unwrap();
    let django = "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text); \
                  INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial')";
    raw.execute_batch(django).unwrap();
    assert_eq!(check(None), (0, String::new()), "Django has no blacklist");
    let django = "INSERT INTO django_migrations (app, name) \
                  VALUES ('token_blacklist', '0001_initial')";
    let token = "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, jti) \
                 VALUES ('a.b.c', '2026-01-01 00:00:00', '2026-01-02 00:00:00', 'a')";
    for sql in [django, token] {
        raw.execute(sql, ()).unwrap();
        let (code, refused) = check(None);
        assert_eq!(code, 3, "{refused}");
        for line in ["token_blacklist = true", "SIMPLEJWT_TOKEN_BLACKLIST=true"] {
            assert!(refused.contains(line), "{refused}");
        }
        let (code, warned) = check(Some("false"));
        assert_eq!((code, warned.lines().count()), (0, 1), "{warned}");
        assert!(
            warned.contains("tokens that Django has blacklisted are accepted here"),
            "{warned}"
        );
        assert_eq!(check(Some("true")), (0, String::new()));
        let output = run(&["serve"], &[SECRET, QUICK, ("DATABASE_URL", place.url.as_str())]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        raw.execute("DELETE FROM django_migrations", ()).unwrap();
    }
}

/// What another table refers to is told by name, and deleted where that is asked for.
#[test]
fn what_keeps_a_token_is_named() {
    let place = Place::migrated();
    let raw = rusqlite::Connection::open(place.directory.path().join("db.sqlite3")).unwrap();
    raw.execute_batch(
        "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, jti) \
         VALUES ('a', '2020-01-01 00:00:00', '2020-01-02 00:00:00', 'a'), \
         ('b', '2020-01-01 00:00:00', '2020-01-02 00:00:00', 'b'); \
         CREATE TABLE people_device (id integer PRIMARY KEY, token_id bigint NOT NULL \
         REFERENCES token_blacklist_outstandingtoken (id) DEFERRABLE INITIALLY DEFERRED); \
         INSERT INTO people_device (token_id) SELECT id FROM token_blacklist_outstandingtoken \
         WHERE jti = 'a'",
    )
    .unwrap();
    let output = run(&["token", "flush-expired"], &place.environment());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "deleted 1 expired tokens\n");
    let warning = stderr(&output);
    for part in ["1 expired token stays", "people_device", "token_id", "flushexpiredtokens"] {
        assert!(warning.contains(part), "{warning}");
    }
    let mut environment = place.environment();
    environment.push(("SIMPLEJWT_PURGE_CASCADE", "true"));
    let output = run(&["token", "flush-expired"], &environment);
    assert_eq!(stdout(&output), "deleted 1 expired tokens\n");
    assert_eq!(stderr(&output), "");
}
