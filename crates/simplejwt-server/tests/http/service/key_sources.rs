//! Several sources of keys behind `JWK_URL`: files, issuers' metadata, and servers that are down.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Site;
use super::keys::{bearer, jwk, key, nobody, ok, token, web, with_keys_behind};
use crate::support::process::{PATIENCE, run, stderr, stdout};

fn write(path: &Path, keys: &[serde_json::Value]) {
    let new = path.with_extension("new");
    std::fs::write(&new, json!({ "keys": keys }).to_string()).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn keys_of_files_metadata_and_servers_verify_together() {
    let (in_file, later, behind, gone) = (key("file"), key("later"), key("web"), key("gone"));
    let set = json!({"keys": [jwk(&behind)]});
    let address = std::sync::Arc::new(std::sync::OnceLock::new());
    let own = std::sync::Arc::clone(&address);
    let (listening, _) = web(move |first| {
        if first.contains("/jwks.json") {
            return ok(&set);
        }
        let own: &std::net::SocketAddr = own.get().unwrap();
        ok(
            json!({"issuer": format!("http://{own}"), "jwks_uri": format!("http://{own}/jwks.json")}),
        )
    });
    address.set(listening).unwrap();
    let site = Site::new();
    let path = site.directory.path().join("jwks.json");
    write(&path, &[jwk(&in_file)]);
    let down = format!("http://user:s3cret@{}/jwks.json", nobody());
    let urls = json!([
        format!("file://{}", path.display()),
        format!("http://{listening}/.well-known/openid-configuration"),
        down,
    ])
    .to_string();
    let environment = with_keys_behind(&urls);
    let server = site.serve(&environment);
    let lines = server.before.lines().filter(|line| line.contains("event=keys_not_fetched"));
    assert_eq!(lines.count(), 1, "{}", server.before);
    assert!(!server.before.contains("s3cret"), "{}", server.before);
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(bearer(&server, &token(&in_file)).status, 200);
    assert_eq!(bearer(&server, &token(&behind)).status, 200);
    assert_eq!(
        bearer(&server, &token(&gone)).status,
        503,
        "it may be a key of the one that is down"
    );

    let checked = run(&["config", "check"], &site.environment(&environment));
    assert_eq!(checked.status.code(), Some(1));
    let said = stderr(&checked);
    assert!(said.contains("JWK_URL: 127.0.0.1:") && said.contains("refused"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");

    // The file is replaced while the server runs, which looks every ten seconds.
    write(&path, &[jwk(&later)]);
    #[allow(clippy::disallowed_methods, reason = "the process has the real clock")]
    let begun = Instant::now();
    while bearer(&server, &token(&later)).status != 200 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_ne!(bearer(&server, &token(&in_file)).status, 200, "it was taken away");
}

/// As `simplejwt key public` prints it, without key ids.
#[test]
fn another_simplejwt_verifies_with_what_key_public_prints() {
    let (issuer, reader) = (Site::new(), Site::new());
    let private = simplejwt::SigningKey::generate(simplejwt::Algorithm::Es256).unwrap();
    let signing = simplejwt::SigningKey::from_pem(simplejwt::Algorithm::Es256, private.as_bytes());
    let signing = signing.unwrap();
    let keys = [("SIMPLEJWT_ALGORITHM", "ES256"), ("SIMPLEJWT_SIGNING_KEY", private.as_str())];
    let printed = run(&["key", "public"], &issuer.environment(&keys));
    assert!(printed.status.success(), "{}", stderr(&printed));
    let path = reader.directory.path().join("jwks.json");
    std::fs::write(&path, stdout(&printed)).unwrap();
    let url = format!("file://{}", path.display());
    let environment = with_keys_behind(&url);
    let checked = run(&["config", "check"], &reader.environment(&environment));
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert!(stdout(&checked).contains("JWK_URL: 1 key to verify with"), "{}", stdout(&checked));
    let server = reader.serve(&environment);
    assert_eq!(bearer(&server, &token(&signing)).status, 200);
    assert_eq!(bearer(&server, &token(&signing.with_kid("a"))).status, 401);
}

/// DIFFERENCE: upstream fetches by http.
#[test]
fn http_is_for_this_machine_unless_it_is_allowed() {
    let site = Site::new();
    let check = |url: &str, more: &[(&str, &str)]| {
        let mut environment = with_keys_behind(url);
        environment.extend(more);
        run(&["config", "check"], &site.environment(&environment))
    };
    for url in [
        "http://keys.invalid/jwks.json",
        "http://192.0.2.1/.well-known/openid-configuration",
        r#"["https://keys.invalid/jwks.json", "HTTP://keys.invalid/jwks.json"]"#,
    ] {
        let refused = check(url, &[]);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains("jwk_url_allow_http = true"), "{said}");
    }
    // Then it is only that nobody answers.
    let everywhere = format!("http://0.0.0.0:{}/jwks.json", nobody().port());
    assert_eq!(check(&everywhere, &[]).status.code(), Some(3));
    let allowed = check(&everywhere, &[("SIMPLEJWT_JWK_URL_ALLOW_HTTP", "true")]);
    assert_eq!(allowed.status.code(), Some(1), "{}", stderr(&allowed));
    let here = check(&format!("http://localhost:{}/jwks.json", nobody().port()), &[]);
    assert_eq!(here.status.code(), Some(1), "{}", stderr(&here));

    for (url, told) in [
        ("/etc/jwks.json", "file:///"),
        ("file:jwks.json", "file:///"),
        ("ftp://keys.invalid/jwks.json", "https://"),
        ("https://", "https://"),
    ] {
        let said = stderr(&check(url, &[]));
        assert!(said.contains("JWK_URL") && said.contains(told), "{url}: {said}");
    }
    let closed = format!("https://{}/jwks.json", nobody());
    let said = stderr(&check(&closed, &[("SIMPLEJWT_JWK_URL_CA", "nowhere.pem")]));
    assert!(said.contains("jwk_url_ca") && said.contains("nowhere.pem"), "{said}");
    for (time, fine) in
        [("59s", false), ("0", false), ("none", false), ("60s", true), ("unlimited", true)]
    {
        let said = stderr(&check(&closed, &[("SIMPLEJWT_JWK_URL_MAX_STALE", time)]));
        assert_eq!(!said.contains("jwk_url_max_stale"), fine, "{time}: {said}");
    }
}
