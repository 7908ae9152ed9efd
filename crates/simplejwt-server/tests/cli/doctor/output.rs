//! The output: exit codes, JSON, and what is never in it.

use serde_json::Value;

use super::site::{PLAIN, STRONG, Site, of_severity, with_code};
use crate::support::databases::{ALL, Database, DatabaseKind};
use crate::support::process::{run, simplejwt, stderr, stdout};

#[test]
fn quickstart_s_configuration_has_no_warning() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("data");
    let made = run(&["quickstart", "--no-serve", "--dir", dir.to_str().unwrap()], &[]);
    assert!(made.status.success(), "{}", stderr(&made));
    let file = dir.join("simplejwt.toml");
    for args in [&["doctor"][..], &["doctor", "--strict"], &["doctor", "--json", "--strict"]] {
        let output = run(&[args, &["--config", file.to_str().unwrap()]].concat(), &[]);
        let said = (stdout(&output), stderr(&output));
        assert_eq!((output.status.code(), said.1.as_str()), (Some(0), ""), "{said:?}");
        let counts = match args.contains(&"--json") {
            true => serde_json::from_str::<Value>(&said.0).unwrap()["counts"]["warning"] == 0,
            false => said.0.contains("\n0 error, 0 warning, 0 unknown, "),
        };
        assert!(counts, "{}", said.0);
    }
}

#[test]
fn exit_codes() {
    let mut site = Site::new(STRONG);
    assert_eq!(site.doctor(&["--strict"], &[]).status.code(), Some(0));
    site.change("database", "path = \"none.sqlite3\"");
    let unseen = site.doctor(&[], &[]);
    let said = stdout(&unseen);
    assert_eq!(unseen.status.code(), Some(0), "{said}");
    assert!(
        said.contains("[database_unreachable]") && said.contains("simplejwt migrate"),
        "{said}"
    );
    assert!(said.contains("access tokens are valid for 15 minutes"), "the rest is told: {said}");
    assert_eq!(site.doctor(&["--strict"], &[]).status.code(), Some(1));
    site.change("server", "bind = \"0.0.0.0:8000\"");
    assert_eq!(site.doctor(&[], &[]).status.code(), Some(1));
    // As the server refuses it.
    for (table, line, told) in [
        ("tls", "certificate = \"no.pem\"\nkey = \"no.key\"", "no.pem"),
        ("simple_jwt", "algorithm = \"HS999\"", "ALGORITHM"),
        ("server", "bnid = \"\"", "bnid"),
    ] {
        let mut site = Site::new(PLAIN);
        site.change(table, line);
        for args in [&[][..], &["--json"]] {
            let output = site.doctor(args, &[]);
            let said = (stdout(&output), stderr(&output));
            assert_eq!(output.status.code(), Some(3), "{said:?}");
            assert!(said.0.is_empty() && said.1.contains(told), "{said:?}");
            assert!(said.1.lines().all(|line| !line.starts_with("warning: ")), "{said:?}");
        }
    }
    let nothing = tempfile::tempdir().unwrap();
    let output = simplejwt(&["doctor"], &[]).current_dir(&nothing).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("DATABASE_URL"), "{}", stderr(&output));
    assert_eq!(site.doctor(&["--jsno"], &[]).status.code(), Some(2));
}

#[test]
fn json_has_a_stable_form() {
    let site = Site::new(PLAIN);
    let report = site.report();
    let names =
        |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(names(&report), "counts file findings fine version");
    assert_eq!(names(&report["counts"]), "error note ok unknown warning");
    assert_eq!(report["fine"], false);
    assert!(report["file"].as_str().unwrap().ends_with("simplejwt.toml"));
    let findings = report["findings"].as_array().unwrap();
    let mut counted = 0;
    for finding in findings {
        assert_eq!(names(finding), "code found remedy severity subject why");
        for name in ["code", "found", "subject"] {
            assert!(!finding[name].as_str().unwrap().is_empty(), "{finding}");
        }
        let code = finding["code"].as_str().unwrap();
        assert!(
            code.bytes().all(|byte| byte.is_ascii_lowercase() || b"_5".contains(&byte)),
            "{code}"
        );
        for step in finding["remedy"].as_array().unwrap() {
            assert_eq!(names(step), "kind name place table text value variable");
            let is_setting = ["write", "remove"].contains(&step["kind"].as_str().unwrap());
            assert_eq!(step["table"].is_string() && step["variable"].is_string(), is_setting);
        }
        counted += 1;
    }
    let counts = report["counts"].as_object().unwrap().values();
    assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), counted);
    let warnings = of_severity(&report, "warning");
    assert_eq!(report["counts"]["warning"], warnings.len());
    assert_eq!(warnings, ["unmarked_refresh_tokens", "no_rotation", "no_blacklist"]);
    // The text names the same.
    let text = stdout(&site.doctor(&[], &[]));
    for code in warnings {
        assert!(text.contains(&format!("[{code}]")), "{code}: {text}");
    }
}

#[test]
fn advice_is_for_the_environment_where_settings_come_from_it() {
    let site = Site::new(PLAIN);
    let database = format!("sqlite://{}", site.path("db.sqlite3").display());
    let secret = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
    let environment = [secret, ("DATABASE_URL", database.as_str()), ("SIMPLEJWT_LEEWAY", "600")];
    let nowhere = tempfile::tempdir().unwrap();
    let output = simplejwt(&["doctor"], &environment).current_dir(&nowhere).output().unwrap();
    let said = stdout(&output);
    for line in [
        "- set in the environment: SIMPLEJWT_LEEWAY=30s",
        "- set in the environment: SIMPLEJWT_TOKEN_BLACKLIST=true",
        "- set in the environment: SIMPLEJWT_SIGNING_KEY_FILE=new-signing.key",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("write in ["), "{said}");
}

#[test]
fn every_database_is_looked_at() {
    for kind in ALL {
        let place = tempfile::tempdir().unwrap();
        let database = Database::new(*kind, place.path());
        let environment = [
            ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
            ("DATABASE_URL", database.url.as_str()),
            ("SIMPLEJWT_TOKEN_BLACKLIST", "on"),
        ];
        let report = || -> Value {
            let output = run(&["doctor", "--json"], &environment);
            serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{output:?}"))
        };
        if *kind != DatabaseKind::Sqlite {
            let unready = report();
            let finding = with_code(&unready, "database_not_ready")[0];
            assert_eq!(finding["remedy"][0]["text"], "simplejwt migrate", "{kind:?}");
        }
        let made = run(&["migrate"], &environment);
        assert!(made.status.success(), "{}", stderr(&made));
        let quick =
            [&environment[..], &[("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000")]].concat();
        let added = run(&["user", "add", "alice", "--generate-password"], &quick);
        assert!(added.status.success(), "{}", stderr(&added));
        let report = report();
        assert_eq!(of_severity(&report, "unknown"), Vec::<String>::new(), "{report:#}");
        assert_eq!(of_severity(&report, "error"), Vec::<String>::new(), "{report:#}");
        assert_eq!(with_code(&report, "weak_stored_hashes").len(), 1, "{report:#}");
        let found = report["findings"].as_array().unwrap().iter();
        let versions = found.filter_map(|finding| finding["found"].as_str());
        let names = ["SQLite 3.", "PostgreSQL ", "MariaDB ", "MySQL "];
        let version = |text: &&str| names.iter().any(|name| text.contains(name));
        assert_eq!(versions.filter(version).count(), 1, "{report:#}");
    }
}

#[test]
fn no_secret_is_printed() {
    const SECRETS: [&str; 8] = [
        "the-signing-key-that-nobody-may-see",
        "the-former-key-that-nobody-may-see-either",
        "the-django-key-that-nobody-may-see-at-all",
        "the-client-secret-that-nobody-may-see",
        "the-database-password",
        "the-password-of-the-set-of-keys",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "weakkey",
    ];
    let [signing, former, django, client, database, remote, encryption, weak] = SECRETS;
    let mut site = Site::new(STRONG);
    site.remove("simple_jwt", "signing_key_file");
    site.change("django", &format!("secret_key = \"{django}\""));
    site.change(
        "keys",
        &format!("store = \"file\"\nfile = \"keys.json\"\nencryption_key = \"{encryption}\""),
    );
    let clients =
        format!("clients = [{{ id = \"a\", refresh_tokens = true, secret = \"{client}\" }}]");
    site.change("oauth", &clients);
    site.change("database", "connect_timeout = \"100ms\"");
    site.change("server", "bind = \"0.0.0.0:8000\"");
    let url = format!("postgres://u:{database}@127.0.0.1:9/d?sslmode=prefer");
    let hosts = format!("postgres://u:{database}@192.0.2.1/d");
    let keys = format!("verifying_keys = [\"{former}\"]\nsigning_key = \"{signing}\"");
    site.change("simple_jwt", &keys);
    let other = format!("jwk_url = [\"http://u:{remote}@192.0.2.1/j\"]");
    let verifier = [
        ("SIMPLEJWT_ALGORITHM", "RS256"),
        ("SIMPLEJWT_JWK_URL_ALLOW_HTTP", "on"),
        ("SIMPLEJWT_KEYS_STORE", "settings"),
        ("SIMPLEJWT_KID", "false"),
    ];
    let weakly = [("SIMPLEJWT_SIGNING_KEY", weak), ("SIMPLEJWT_ALLOW_WEAK_KEY", "on")];
    let mut codes = Vec::new();
    for (change, environment) in [
        ("", vec![]),
        ("", weakly.to_vec()),
        ("", vec![("SIMPLEJWT_DATABASE_PATH", "none.sqlite3")]),
        (url.as_str(), vec![]),
        (hosts.as_str(), vec![]),
        (other.as_str(), verifier.to_vec()),
    ] {
        if change.starts_with("postgres") {
            site.set("database", "url", change.into());
            if change == url {
                site.remove("database", "path");
            }
        } else if change.starts_with("jwk_url") {
            site.remove("simple_jwt", "signing_key");
            site.remove("simple_jwt", "verifying_keys");
            site.change("simple_jwt", change);
        }
        for args in [&[][..], &["--json"]] {
            let output = site.doctor(args, &environment);
            let said = [stdout(&output), stderr(&output)].concat();
            for secret in SECRETS {
                assert!(!said.contains(secret), "{secret}: {said}");
            }
            if args.contains(&"--json") && matches!(output.status.code(), Some(0 | 1)) {
                let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
                codes.extend(of_severity(&report, "warning"));
                codes.extend(of_severity(&report, "unknown"));
                assert!(with_code(&report, "clients_see_refresh_tokens").len() == 1);
            }
        }
    }
    // The secrets have been looked at.
    for code in ["weak_hmac_key", "database_unreachable", "database_not_verified", "keys_over_http"]
    {
        assert!(codes.iter().any(|found| found == code), "{code}: {codes:?}");
    }
}
