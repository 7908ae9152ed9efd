//! `[oauth]` and `[gateway]`.

use simplejwt::web::endpoint::{Authentication, OAuthClient, OAuthClients};

use super::*;

const CLIENT: &str = "a-client-s-secret-that-is-long-enough";

#[test]
fn clients_of_oauth_from_every_source() {
    assert!(with([]).unwrap().oauth_clients.is_empty());
    // `printf %s "$CLIENT" | sha256sum`
    let hash = "ea5134b028993a673da4a2b29fbfebe9a56ae0623f9abe818e4b36ece35f0b9c";
    for text in [
        format!("[oauth]\nclients = [{{ id = \"a\", secret = \"{CLIENT}\" }}]\n"),
        format!("[[oauth.clients]]\nid = \"a\"\nsecret = \"{CLIENT}\"\n"),
        format!("[[oauth.clients]]\nid = \"a\"\nsecret_sha256 = \"{hash}\"\n"),
    ] {
        let config = toml(&text).unwrap();
        let client = OAuthClient::new("a", CLIENT).unwrap();
        assert_eq!(config.oauth_clients, OAuthClients::new([client]).unwrap(), "{text}");
        assert!(!format!("{config:?}").contains(CLIENT));
    }
    let in_file = toml("[[oauth.clients]]\nid = \"a\"\nsecret_file = \"key\"\n").unwrap();
    let json = r#"[{"id": "a", "secret": "the-key-in-a-file-which-is-long-enough"}]"#;
    let in_variable = with([("SIMPLEJWT_OAUTH_CLIENTS", json)]).unwrap();
    assert_eq!(in_file.oauth_clients, in_variable.oauth_clients, "without the line break");
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), format!("{json}\n")).unwrap();
    let path = list.path().to_str().unwrap();
    let from_file = with([("SIMPLEJWT_OAUTH_CLIENTS_FILE", path)]).unwrap();
    assert_eq!(from_file.oauth_clients, in_variable.oauth_clients);
}

#[test]
fn clients_of_oauth_that_are_refused() {
    let long = format!("\"secret\": \"{CLIENT}\"");
    for (json, told) in [
        ("[".to_owned(), "in JSON"),
        (format!("{{\"id\": \"a\", {long}}}"), "list of tables"),
        (format!("[\"{CLIENT}\"]"), "list of tables"),
        ("[{\"id\": \"a\"}]".into(), "without one of secret"),
        (format!("[{{{long}}}]"), "list of tables"),
        ("[{\"id\": \"a\", \"secret\": \"short-and-unseen\"}]".into(), "shorter than 32"),
        ("[{\"id\": \"a\", \"secret\": 7}]".into(), "not a string"),
        (format!("[{{\"id\": \"a:b\", {long}}}]"), "without a colon"),
        (format!("[{{\"id\": \"a\", \"secrets\": \"{CLIENT}\"}}]"), "did you mean secret?"),
        (format!("[{{\"id\": \"a\", {long}, \"secret_file\": \"key\"}}]"), "with several"),
        (format!("[{{\"id\": \"a\", {long}}}, {{\"id\": \"a\", {long}}}]"), "twice"),
        ("[{\"id\": \"a\", \"secret_file\": \"/nowhere\"}]".into(), "no such file"),
        ("[{\"id\": \"a\", \"secret_sha256\": \"abc\"}]".into(), "64 hex digits"),
        (format!("[{{\"id\": \"a\", {long}, \"refresh_tokens\": 7}}]"), "has a refresh_tokens"),
        (format!("[{{\"id\": \"a\", {long}, \"refresh_token\": true}}]"), "did you mean"),
        (
            format!("[{{\"id\": \"a\", {long}, \"introspection_max_age\": 0}}]"),
            "introspection_max_age for the client \"a\" that is zero",
        ),
        (
            format!("[{{\"id\": \"a\", {long}, \"introspection_max_age\": \"soon\"}}]"),
            "introspection_max_age for",
        ),
    ] {
        let problem = with([("SIMPLEJWT_OAUTH_CLIENTS", json.as_str())]).expect_err(&json);
        assert!(problem.contains(told), "{json}: {problem}");
        assert!(!problem.contains(CLIENT) && !problem.contains("unseen"), "{problem}");
    }
}

#[cfg(unix)]
#[test]
fn a_client_s_secret_that_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("simplejwt.toml"), directory.path().join("key"));
    std::fs::write(&path, "[[oauth.clients]]\nid = \"a\"\nsecret_file = \"key\"\n").unwrap();
    std::fs::write(&key, CLIENT).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (mode, warnings) in [(0o600, 0), (0o644, 1)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load(Some(&path), &Environment::default()).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{mode:o}: {:?}", loaded.warnings);
    }
    std::fs::write(&path, format!("[[oauth.clients]]\nid = \"a\"\nsecret = \"{CLIENT}\"\n"))
        .unwrap();
    assert_eq!(load(Some(&path), &Environment::default()).unwrap().warnings.len(), 1);
}

#[test]
fn what_a_gateway_is_told() {
    let text = "[gateway]\nheaders = { \"X-Auth-Email\" = \"email\" }\n\
                authentication = \"stateless\"\n";
    let config = toml(text).unwrap();
    assert_eq!(config.gateway.authentication(), Authentication::Stateless);
    assert_eq!(config.gateway.headers().collect::<Vec<_>>(), [("x-auth-email", "email")]);
    // The environment's clients replace those of the file.
    let environment =
        Environment::of([("SIMPLEJWT_GATEWAY_HEADERS", r#"{"X-Auth-Name": "name"}"#)]);
    let loaded = file(text, &environment).unwrap();
    let headers: Vec<_> = loaded.config.gateway.headers().collect();
    assert_eq!(headers, [("x-auth-name", "name")]);
    assert_eq!(loaded.config.gateway.authentication(), Authentication::Stateless);
    for (json, told) in [
        ("X-Auth-Email", "not a JSON object"),
        (r#"["X-Auth-Email"]"#, "not a JSON object"),
        (r#"{"X-Auth-Email": 7}"#, "not the name of a claim"),
        (r#"{"X-Auth-Email": ""}"#, "not the name of a claim"),
        (r#"{"X_Auth_Email": "email"}"#, "letters, digits and hyphens"),
        (r#"{"Set-Cookie": "email"}"#, "its own meaning"),
        (r#"{"X-Auth-User": "email"}"#, "its own meaning"),
        (r#"{"X-A": "email", "x-a": "name"}"#, "twice"),
    ] {
        let problem = with([("SIMPLEJWT_GATEWAY_HEADERS", json)]).expect_err(json);
        assert!(problem.contains(told), "{json}: {problem}");
    }
    let problem = with([("SIMPLEJWT_GATEWAY_AUTHENTICATION", "row")]).unwrap_err();
    assert!(problem.contains("\"user\" or \"stateless\""), "{problem}");
}
