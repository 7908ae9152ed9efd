//! Keys in a file of one server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::{good, header, is_good, kid, list, log_in, refused, states, until};
use crate::support::databases::DatabaseKind;
use crate::support::process::Server;
use crate::support::site::{Site, wait};

const DELAY: Duration = Duration::from_secs(2);

/// Returns a site whose keys are in a file, with a token of the time before.
fn site(settings: &[(&str, &str)]) -> (Site, PathBuf, String) {
    let mut site = Site::new(DatabaseKind::Sqlite, 1, 60, settings);
    let single = log_in(&site, 0);
    assert_eq!(kid(&single), None, "as upstream");
    assert!(site.servers.remove(0).stop().success());
    let file = site.directory().join("keys.json");
    for (name, value) in [
        ("SIMPLEJWT_KEYS_STORE", "file"),
        ("SIMPLEJWT_KEYS_FILE", file.to_str().unwrap()),
        ("SIMPLEJWT_KEYS_PUBLICATION_DELAY", "2s"),
        ("SIMPLEJWT_KID", "true"),
    ] {
        site.set(name, value);
    }
    (site, file, single)
}

fn start(site: &mut Site) {
    let server = site.start();
    site.servers.push(server);
}

#[test]
fn a_running_server_takes_each_key_and_refuses_it_once_it_is_retired() {
    let (mut site, file, single) = site(&[]);
    for args in [&["serve"][..], &["key", "list"], &["config", "check"]] {
        let told = refused(&site.try_command(args, ""));
        assert!(told.contains("simplejwt key rotate") && told.contains("keys.json"), "{told}");
    }
    let files = || fs::read_dir(site.directory()).unwrap().count();
    let before = files();
    let planned = good(&site.try_command(&["key", "rotate", "--dry-run"], ""));
    assert!(planned.contains("a new key for HS256 is published"), "{planned}");
    assert_eq!(files(), before, "nothing was written");
    let made = good(&site.try_command(&["key", "rotate"], ""));
    assert_eq!(made.lines().count(), 3, "{made}");
    assert!(made.contains("signing key in the settings can be removed"), "{made}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let told = refused(&site.try_command(&["key", "rotate"], ""));
    assert!(told.contains("the next key is already there"), "{told}");

    start(&mut site);
    // The key in the settings signs until the first of the ring does.
    let [base, first] = &list(&site)[..] else { panic!("{:?}", list(&site)) };
    let named = log_in(&site, 0);
    let of_base = kid(&named).unwrap();
    assert!([&base.kid, &first.kid].contains(&&of_base));
    until("the first key signs", || kid(&log_in(&site, 0)).as_ref() == Some(&first.kid));
    site.servers[0].expect_stderr("event=keys_changed");
    assert_eq!(states(&site), ["retiring", "active"]);
    let token = log_in(&site, 0);
    for token in [&single, &named, &token] {
        assert!(is_good(&site, 0, token));
    }

    let planned = good(&site.try_command(&["key", "rotate", "--dry-run"], ""));
    assert!(planned.contains(&format!("tokens of {} are refused", first.kid)), "{planned}");
    good(&site.try_command(&["key", "rotate", "--algorithm", "ES256"], ""));
    let told = refused(&site.try_command(&["key", "retire", "--kid", &first.kid], ""));
    assert!(told.contains("key rotate --at-once"), "{told}");
    assert_eq!(states(&site), ["retiring", "active", "next"]);
    let second = list(&site).remove(2);
    assert_eq!(second.algorithm, "ES256");
    until("the second key signs", || kid(&log_in(&site, 0)).as_ref() == Some(&second.kid));
    assert_eq!(states(&site), ["retiring", "retiring", "active"]);
    let newest = log_in(&site, 0);
    assert_eq!(header(&newest)["alg"], "ES256");
    for token in [&single, &named, &token, &newest] {
        assert!(is_good(&site, 0, token));
    }

    let told = refused(&site.try_command(&["key", "retire", "--kid", "nobody"], ""));
    assert!(told.contains("no key \"nobody\""), "{told}");
    good(&site.try_command(&["key", "retire", "--kid", &first.kid], ""));
    wait(DELAY / 2);
    assert!(!is_good(&site, 0, &token), "read four times in the delay");
    for token in [&single, &named, &newest] {
        assert!(is_good(&site, 0, token));
    }
    assert_eq!(states(&site), ["retiring", "gone", "active"]);

    // The key in the settings is gone once it isn't there any more.
    assert!(site.servers.remove(0).stop().success());
    let mut environment = site.environment();
    environment.retain(|(name, _)| *name != "SECRET_KEY");
    let server = Server::start(&["serve"], &environment, site.directory());
    site.servers.push(server);
    assert!(is_good(&site, 0, &newest));
    for token in [&single, &named, &token] {
        assert!(!is_good(&site, 0, token));
    }
}

#[test]
fn a_broken_file_keeps_the_keys_and_is_told_once() {
    let (mut site, file, single) = site(&[]);
    good(&site.try_command(&["key", "rotate"], ""));
    start(&mut site);
    let first = list(&site).remove(1).kid;
    until("the first key signs", || kid(&log_in(&site, 0)).as_ref() == Some(&first));
    let text = fs::read_to_string(&file).unwrap();
    for _ in 0..2 {
        site.servers[0].log();
        fs::write(&file, text.replace("\"keys\"", "\"kyes\"")).unwrap();
        let line = site.servers[0].expect_stderr("event=keys_not_read");
        assert!(line.contains("keys.json"), "{line}");
        wait(DELAY);
        assert_eq!(site.servers[0].told("keys_not_read"), 0, "once");
        let token = log_in(&site, 0);
        assert_eq!(kid(&token), Some(first.clone()));
        assert!(is_good(&site, 0, &token) && is_good(&site, 0, &single));
        let told = refused(&site.try_command(&["serve"], ""));
        assert!(told.contains("isn't a file of keys"), "{told}");
        let told = refused(&site.try_command(&["key", "rotate"], ""));
        assert!(told.contains("isn't a file of keys"), "{told}");
        fs::write(&file, &text).unwrap();
        wait(DELAY);
    }
    good(&site.try_command(&["key", "rotate"], ""));
    until("the second key signs", || kid(&log_in(&site, 0)) != Some(first.clone()));
}

#[test]
fn a_theft_is_over_in_the_time_of_a_look() {
    let (mut site, _, _) = site(&[("SIMPLEJWT_KEYS_PUBLICATION_DELAY", "2s")]);
    good(&site.try_command(&["key", "rotate"], ""));
    start(&mut site);
    until("the first key signs", || states(&site) == ["retiring", "active"]);
    assert!(site.servers.remove(0).stop().success());
    // Long enough that only --at-once makes a key sign here.
    site.set("SIMPLEJWT_KEYS_PUBLICATION_DELAY", "40s");
    start(&mut site);
    good(&site.try_command(&["key", "rotate"], ""));
    let told = refused(&site.try_command(&["key", "rotate"], ""));
    assert!(told.contains("--at-once"), "{told}");
    // Also if the next key is there already, which may be stolen as well.
    good(&site.try_command(&["key", "rotate", "--at-once"], ""));
    let keys = list(&site);
    assert_eq!(states(&site), ["retiring", "active", "next", "next"]);
    good(&site.try_command(&["key", "retire", "--kid", &keys[2].kid], ""));
    let stolen = log_in(&site, 0);
    assert_eq!(kid(&stolen).as_ref(), Some(&keys[1].kid));
    until("the third key signs", || kid(&log_in(&site, 0)).as_ref() == Some(&keys[3].kid));
    good(&site.try_command(&["key", "retire", "--kid", &keys[1].kid], ""));
    until("the stolen one is refused", || !is_good(&site, 0, &stolen));
    assert_eq!(states(&site), ["retiring", "gone", "gone", "active"]);
    assert!(is_good(&site, 0, &log_in(&site, 0)));
}

#[test]
fn a_key_whose_successor_was_retired_has_another_one() {
    let (mut site, _, _) = site(&[]);
    good(&site.try_command(&["key", "rotate"], ""));
    start(&mut site);
    until("the first key signs", || states(&site) == ["retiring", "active"]);
    good(&site.try_command(&["key", "rotate"], ""));
    let next = list(&site).remove(2).kid;
    good(&site.try_command(&["key", "retire", "--kid", &next], ""));
    until("another key signs", || states(&site) == ["retiring", "retiring", "gone", "active"]);
}

#[test]
fn keys_of_other_programs_are_taken() {
    let (mut site, _, _) = site(&[("SIMPLEJWT_FULLY_SPECIFIED_ALGORITHMS", "true")]);
    let path = |name: &str| site.directory().join(name).display().to_string();
    let import = |name: &str, algorithm: &str| {
        let args = ["key", "import", "--at-once", "--algorithm", algorithm, "--file", &path(name)];
        site.try_command(&args, "")
    };
    // RFC 8037 appendix A.1.
    let ed = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
                 "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    fs::write(path("ed.jwk"), ed).unwrap();
    fs::write(path("bad.jwk"), ed.replace("\"d\":\"n", "\"d\":\"m")).unwrap();
    for args in [
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ec.pem"][..],
        &["req", "-x509", "-key", "ec.pem", "-subj", "/CN=a", "-out", "ec.crt"],
        &[
            "pkcs12", "-export", "-inkey", "ec.pem", "-in", "ec.crt", "-passout", "pass:a", "-out",
            "ec.p12",
        ],
    ] {
        let mut openssl = std::process::Command::new("openssl");
        let done = openssl.args(args).current_dir(site.directory()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    let told = refused(&import("ec.p12", "ES256"));
    assert!(told.contains("ec.p12") && told.contains("--passphrase-file"), "{told}");
    let told = refused(&import("bad.jwk", "EdDSA"));
    assert!(told.contains("does not belong to") && !told.contains("WGxne"), "{told}");
    assert!(refused(&import("ed.jwk", "ES256")).contains("ES256 needs"));
    good(&import("ed.jwk", "EdDSA"));
    start(&mut site);
    let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    until("it signs", || kid(&log_in(&site, 0)).as_deref() == Some(thumbprint));
    let token = log_in(&site, 0);
    assert_eq!(header(&token)["alg"], "Ed25519", "as the settings have it");
    assert!(is_good(&site, 0, &token));
}

#[test]
fn a_key_in_pkcs12_is_taken_with_its_passphrase() {
    let (site, _, _) = site(&[]);
    let path = |name: &str| site.directory().join(name).display().to_string();
    let openssl = |args: &[&str]| {
        let mut openssl = std::process::Command::new("openssl");
        let done = openssl.args(args).current_dir(site.directory()).output().unwrap();
        assert!(done.status.success(), "{args:?}: {done:?}");
    };
    openssl(&["genpkey", "-algorithm", "RSA", "-out", "rsa.pem"]);
    openssl(&["req", "-x509", "-key", "rsa.pem", "-subj", "/CN=a", "-out", "rsa.crt"]);
    let export = ["pkcs12", "-export", "-in", "rsa.crt", "-passout", "pass:correct horse"];
    let with_key = [&export[..], &["-inkey", "rsa.pem"]].concat();
    openssl(&[&with_key[..], &["-out", "new.p12"]].concat());
    let older = ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "SHA1"];
    openssl(&[&with_key[..], &older, &["-out", "older.pfx"]].concat());
    openssl(&[&export[..], &["-nokeys", "-out", "certificate.p12"]].concat());
    fs::write(path("right"), "correct horse\n").unwrap();
    fs::write(path("wrong"), "wrong horse\n").unwrap();
    let new = fs::read(path("new.p12")).unwrap();
    fs::write(path("cut.p12"), &new[..new.len() / 2]).unwrap();
    let import = |name: &str, passphrase: &str| {
        let (file, passphrase) = (path(name), path(passphrase));
        let args = ["key", "import", "--algorithm", "RS256", "--at-once", "--file", &file];
        site.try_command(&[&args[..], &["--passphrase-file", &passphrase]].concat(), "")
    };
    for (name, passphrase, expected) in [
        ("new.p12", "wrong", "the passphrase doesn't decrypt"),
        ("older.pfx", "wrong", "the passphrase doesn't decrypt"),
        ("certificate.p12", "right", "has no private key"),
        ("cut.p12", "right", "can't be read"),
    ] {
        let told = refused(&import(name, passphrase));
        assert!(told.contains(name) && told.contains(expected), "{name}: {told}");
    }
    good(&import("new.p12", "right"));
    let kid = list(&site).pop().unwrap().kid;
    let told = refused(&import("older.pfx", "right"));
    assert!(told.contains(&format!("already has this key: {kid}")), "{told}");
    let args = ["key", "import", "--algorithm", "RS256", "--at-once", "--file", &path("rsa.pem")];
    let told = refused(&site.try_command(&args, ""));
    assert!(told.contains(&format!("already has this key: {kid}")), "{told}");
}
