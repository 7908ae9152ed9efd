//! Files with realms.

use super::super::list;
use super::*;
use crate::config::{Environment, example, load, schema};

const KEY: &str = "a-secret-key-that-is-long-enough-for-hs256";
const OTHER: &str = "another-secret-key-of-more-than-32-bytes-x";

/// A top with a key and an issuer, and the realms `acme` (by prefix) and `beta` (by host).
const BASE: &str = r#"
[simple_jwt]
issuer = "https://auth.example"
signing_key = "a-secret-key-that-is-long-enough-for-hs256"
access_token_lifetime = "7m"
[database]
path = "top.sqlite3"
max_connections = 3
"#;
const ACME: &str = r#"
[realms.acme]
prefix = "/acme"
[realms.acme.simple_jwt]
issuer = "https://auth.example/acme"
signing_key_file = "key"
[realms.acme.database]
path = "acme.sqlite3"
"#;
const BETA: &str = r#"
[realms.beta]
host = "AUTH.beta.example."
[realms.beta.simple_jwt]
issuer = "https://auth.beta.example"
signing_key = "another-secret-key-of-more-than-32-bytes-x"
access_token_lifetime = "9m"
token_blacklist = true
[realms.beta.database]
path = "beta.sqlite3"
"#;

fn file_with(text: &str, environment: &Environment) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("simplejwt.toml");
    std::fs::write(directory.path().join("key"), format!("{KEY}-in-a-file\n")).unwrap();
    std::fs::write(&path, text).unwrap();
    load(Some(&path), environment).map_err(|error| error.to_string())
}

fn loaded(parts: &[&str]) -> Result<Loaded, String> {
    file_with(&parts.concat(), &Environment::default())
}

fn realm<'l>(loaded: &'l Loaded, name: &str) -> &'l Loaded {
    let found =
        loaded.realms.iter().find(|one| one.config.realm.name().is_some_and(|n| **n == *name));
    found.unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn what_a_realm_does_not_set_is_as_at_the_top() {
    let loaded = loaded(&[BASE, ACME, BETA]).unwrap();
    assert_eq!(loaded.config.realm, Realm::Top);
    assert_eq!(loaded.served().count(), 3);
    let (acme, beta) = (realm(&loaded, "acme"), realm(&loaded, "beta"));
    let minutes = |loaded: &Loaded| loaded.config.settings.access_token_lifetime.as_secs() / 60;
    assert_eq!([minutes(&loaded), minutes(acme), minutes(beta)], [7, 7, 9]);
    for one in [acme, beta] {
        assert_eq!(one.config.database.max_connections, 3);
        assert_ne!(one.config.database.url, loaded.config.database.url);
        assert_ne!(one.config.settings.signing_key, loaded.config.settings.signing_key);
    }
    assert!(beta.config.settings.token_blacklist && !acme.config.settings.token_blacklist);
    assert_eq!(acme.config.realm.root_path(), "/acme");
    let Realm::Named { place, .. } = &beta.config.realm else { panic!() };
    assert_eq!(*place, Place::Host("auth.beta.example".into()));
    let told = loaded.clone().into_realm("gamma").unwrap_err();
    assert_eq!(told, "the realms are acme, beta");
    assert!(loaded.into_realm("beta").is_ok());
}

#[test]
fn a_file_without_realms_is_as_before() {
    for text in [BASE.to_owned(), format!("{BASE}[realms]\n")] {
        let loaded = loaded(&[&text]).unwrap();
        assert_eq!(loaded.config.realm, Realm::Only);
        assert!(loaded.realms.is_empty() && loaded.own.is_none());
        assert_eq!(loaded.config.realm.mark(), None);
        assert!(!example::effective(&loaded).contains("realms"));
    }
    // Without an issuer, too, and without a key.
    assert!(loaded(&["[server]\ndemo = true\n"]).is_ok());
}

#[test]
fn a_top_without_a_key_is_no_realm() {
    let loaded = loaded(&["[simple_jwt]\nleeway = 3\n", ACME, BETA]).unwrap();
    assert_eq!(loaded.served().count(), 2);
    assert!(loaded.realms.iter().all(|one| one.config.settings.leeway.as_secs() == 3));
    let keys = [("SECRET_KEY", KEY), ("SIMPLEJWT_ISSUER", "https://auth.example")];
    let loaded = file_with(&[ACME, BETA].concat(), &Environment::of(keys)).unwrap();
    assert_eq!(loaded.served().count(), 3);
    assert!(loaded.realms.iter().all(|one| one.config.django.secret_key.is_none()));
}

#[test]
fn what_realms_may_not_have() {
    for (text, told) in [
        ("[realms]\nc = 1\n", "c in [realms] is not a table"),
        ("realms = 1\n", "realms is a table"),
        ("[realms.Acme]\nprefix = \"/a\"\n", "can't be the name of a realm"),
        ("[realms.\"a b\"]\nprefix = \"/a\"\n", "can't be the name of a realm"),
        ("[realms.c]\n", "write prefix = \"/c\""),
        ("[realms.c]\nprefix = \"/c\"\nhost = \"c.example\"\n", "both prefix and host"),
        ("[realms.c]\nprefix = \"c\"\n", "prefix doesn't begin with a slash"),
        ("[realms.c]\nprefix = 7\n", "prefix is 7"),
        ("[realms.c]\nprefix = \"/.well-known/c\"\n", "a path of the server's own"),
        ("[realms.c]\nprefix = \"/readyz\"\n", "a path of the server's own"),
        ("[realms.c]\nhost = \"c.example:80\"\n", "host has a port"),
        ("[realms.c]\nhost = \"https://c.example\"\n", "host is a URL"),
        ("[realms.c]\nprefix = \"/c\"\nissuer = \"x\"\n", "it belongs in [realms.c.simple_jwt]"),
        ("[realms.c]\nprefix = \"/c\"\nsigning_key_file = \"x\"\n", "[realms.c.simple_jwt]"),
        ("[realms.c]\nprefix = \"/c\"\nhosts = \"x\"\n", "did you mean host?"),
        ("[realms.c]\nprefix = \"/c\"\n[realms.c.simple_jwt]\nalgoritm = \"x\"\n", "algorithm"),
        ("[realms.c]\nprefix = \"/c\"\n[realms.c.sever]\n", "unknown section [sever]"),
        ("[realms.c]\nprefix = \"/c\"\n[realms.c.log]\nlevel = \"info\"\n", "whole process's"),
        ("[realms.c]\nprefix = \"/c\"\n[realms.c.tls]\nkey = \"x\"\n", "whole process's"),
        ("[realms.c]\nprefix = \"/c\"\n[realms.c.server]\nbind = \":1\"\n", "bind in [server] is"),
        ("[realms.c]\nprefix = \"/c\"\n[realms.c.server]\nnum_proxies = 1\n", "whole process's"),
        ("[realms.c]\nprefix = \"/c\"\n", "realm c has no issuer of its own"),
        ("[realms.c]\nprefix = \"/c\"\n", "realm c has no key of its own"),
        ("[realm.c]\nprefix = \"/c\"\n", "did you mean realms?"),
        (
            "[realms.c]\nprefix = \"/c\"\n[realms.c.simple_jwt]\nblacklist_after_rotation = true\n",
            "realm c: BLACKLIST_AFTER_ROTATION",
        ),
    ] {
        // A key without a table comes before all tables.
        let parts = match text.starts_with('[') {
            true => [BASE, ACME, BETA, text],
            false => [text, BASE, "", ""],
        };
        let problem = loaded(&parts).expect_err(text);
        assert!(problem.contains(told), "{text}: {problem}");
    }
}

fn c(place: &str, more: &str) -> String {
    format!(
        "[realms.c]\n{place}\n[realms.c.simple_jwt]\nissuer = \"https://auth.example/c\"\n\
         signing_key = \"{OTHER}-of-c\"\n[realms.c.database]\npath = \"c.sqlite3\"\n{more}\n"
    )
}

#[test]
fn what_realms_may_not_have_in_common() {
    let with = |text: &str| loaded(&[BASE, ACME, BETA, text]);
    assert!(with(&c("prefix = \"/c\"", "")).is_ok());
    for (text, told) in [
        (c("prefix = \"/acme\"", ""), "neither may be the other or inside it"),
        (c("prefix = \"/acme/c\"", ""), "neither may be the other or inside it"),
        (c("host = \"auth.BETA.example\"", ""), "have the same host"),
        (c("prefix = \"/api\"", ""), "both have the path /api/token"),
        (c("prefix = \"/api/token/authenticate/c\"", ""), "both have the path /api/token/auth"),
        (
            c("prefix = \"/c\"", "").replace("https://auth.example/c", "https://auth.example/acme"),
            "have the same issuer",
        ),
        (
            // Another issuer, with the same place for its metadata.
            c("prefix = \"/c\"", "").replace("https://auth.example/c", "https://c.example/acme"),
            "the metadata of both issuers",
        ),
        (
            c("prefix = \"/c\"", "[realms.c.server]\ndemo = true\n")
                .replace("path = \"c.sqlite3\"", "path = \"beta.sqlite3\"")
                .replace("signing_key", "token_blacklist = true\nsigning_key"),
            "in the same tables",
        ),
    ] {
        let problem = with(&text).expect_err(&text);
        assert!(problem.contains(told), "{text}: {problem}");
    }
    // `/acmes` isn't inside `/acme`, and without tables a file may be shared.
    assert!(with(&c("prefix = \"/acmes\"", "")).is_ok());
    let shared = c("prefix = \"/c\"", "").replace("c.sqlite3", "beta.sqlite3");
    assert!(with(&shared).is_ok());
    let without = BASE.replace("issuer = \"https://auth.example\"\n", "");
    let problem = loaded(&[&without, ACME]).unwrap_err();
    assert!(problem.contains("have to be known by their issuer"), "{problem}");
    // The same key is allowed, and warned of.
    let same = ACME.replace("signing_key_file = \"key\"", &format!("signing_key = {KEY:?}"));
    let warnings = loaded(&[BASE, &same]).unwrap().warnings;
    assert!(warnings.iter().any(|told| told.contains("the same signing key")), "{warnings:?}");
}

#[test]
fn what_only_the_top_can_use_needs_a_key_there() {
    let problem = loaded(&["[simple_jwt]\nissuer = \"https://auth.example\"\n", ACME]).unwrap_err();
    assert!(problem.contains("simple_jwt.issuer is set outside of [realms] without a key"));
    assert!(loaded(&["[simple_jwt]\naudience = \"all\"\n", ACME]).is_ok());
    // What realms have in common needn't be a whole by itself.
    let common = "[sessions]\nrevocation = \"feed\"\nsession_claim = true\n";
    let whole = ACME.replace("signing_key_file", "token_blacklist = true\nsigning_key_file");
    let loaded = loaded(&[common, &whole]).unwrap();
    assert_eq!(loaded.config.realm, Realm::Common);
    assert!(!loaded.warnings.iter().any(|told| told.contains("no effect")), "{loaded:?}");
}

#[test]
fn cookies_of_realms_on_one_host_have_names_of_their_own() {
    let cookies = "[cookies]\ntransport = \"both\"\n";
    let with = |realms: &[&str]| loaded(&[&[BASE, cookies], realms].concat());
    let loaded = with(&[ACME, BETA]).unwrap();
    let names = |loaded: &Loaded| {
        let settings = &loaded.config.settings;
        [settings.access_cookie().to_owned(), settings.refresh_cookie().to_owned()]
    };
    assert_eq!(names(&loaded), ["__Host-access", "__Secure-refresh"]);
    let acme = ["__Host-access-acme", "__Secure-refresh-acme"];
    assert_eq!(names(realm(&loaded, "acme")), acme);
    assert_eq!(names(realm(&loaded, "beta")), ["__Host-access", "__Secure-refresh"]);
    let taken = c("prefix = \"/c\"", "[realms.c.cookies]\naccess_name = \"__Host-access-acme\"\n");
    let problem = with(&[ACME, &taken]).unwrap_err();
    assert!(problem.contains("write another access_name in [realms.c.cookies]"), "{problem}");
    // One host has them from another by their domain.
    let domain = "[realms.beta.cookies]\ndomain = \"beta.example\"\n";
    let second = c("host = \"c.beta.example\"", "[realms.c.cookies]\ndomain = \"beta.example\"\n");
    let problem = with(&[BETA, domain, &second]).unwrap_err();
    assert!(problem.contains("__Secure-access"), "{problem}");
}

#[test]
fn a_problem_of_the_top_is_told_once() {
    let told = loaded(&[BASE, "[sessions]\nrotation_grace = \"x\"\n", ACME, BETA]).unwrap_err();
    assert_eq!(told.lines().count(), 1, "{told}");
    let told = loaded(&[BASE, "[sessions]\nrevocation = \"feed\"\n", ACME]).unwrap_err();
    assert!(told.lines().count() == 1 && !told.contains("realm acme"), "{told}");
}

#[test]
fn what_has_no_effect_in_a_realm_is_told() {
    let idle = "[realms.acme.sessions]\nenabled = false\n";
    let warnings = loaded(&[BASE, ACME, idle]).unwrap().warnings;
    let told = |part: &str| warnings.iter().filter(|told| told.contains(part)).count();
    assert_eq!(told("realm acme: enabled has no effect"), 1, "{warnings:?}");
    // What comes from the top is told there.
    assert_eq!(told("max_connections has no effect"), 1, "{warnings:?}");
}

#[test]
fn realms_are_printed_as_toml_without_secrets() {
    let loaded = loaded(&[BASE, ACME, BETA]).unwrap();
    let text = example::effective(&loaded);
    assert!(!text.contains("secret-key"), "{text}");
    let parsed: toml::Table = text.parse().unwrap();
    let realms = &parsed["realms"];
    assert_eq!(realms["acme"]["prefix"].as_str(), Some("/acme"));
    assert_eq!(realms["beta"]["host"].as_str(), Some("auth.beta.example"));
    assert_eq!(realms["beta"]["simple_jwt"]["access_token_lifetime"].as_str(), Some("9m"));
    assert!(realms["acme"]["simple_jwt"].get("access_token_lifetime").is_none());
}

#[test]
fn every_setting_of_the_server_is_a_realm_s_or_the_process_s() {
    for path in OF_PROCESS.iter().chain(&OWN).chain(&KEYS) {
        let is_table = list::tables().any(|(table, _)| table == *path);
        assert!(is_table || list::by_path(path).is_some(), "{path}");
    }
    let of_realms: Vec<_> = list::of_table("server")
        .filter(|setting| !is_of_process(*setting))
        .map(|setting| setting.name)
        .collect();
    let known =
        ["prefix", "append_slash", "demo", "well_known", "authentication", "allowed_origins"];
    assert_eq!(of_realms, known, "a new setting: say whose it is");
    for table in ["tls", "log"] {
        assert!(!can_have(table));
    }
    let schema = schema::text();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let realm = &schema["properties"]["realms"]["additionalProperties"]["properties"];
    assert!(realm["tls"].is_null() && realm["server"]["properties"]["bind"].is_null());
    assert!(realm["users"].is_object() && realm["server"]["properties"]["demo"].is_object());
}
