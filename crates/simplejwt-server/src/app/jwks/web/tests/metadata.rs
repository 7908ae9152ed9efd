//! Issuers' metadata, which names the URL of the set.

use std::sync::Arc;

use super::server::{answer, redirect, serve};
use super::*;
use crate::config::KeyPlace;

fn behind(url: &str) -> Web {
    match KeyPlace::parse(url).unwrap() {
        KeyPlace::Metadata { url, issuer } => Web::new(client(), url, Some(issuer)),
        other => panic!("{url} {other:?}"),
    }
}

fn metadata(issuer: &str, uri: &str) -> Vec<u8> {
    let json = serde_json::json!({"issuer": issuer, "jwks_uri": uri, "scopes_supported": ["a"]});
    answer("Content-Type: application/json", json.to_string().as_bytes())
}

#[tokio::test]
async fn the_set_is_where_the_metadata_says() {
    let (keys_at, asked) = serve(|_| answer("Cache-Control: max-age=900", SET.as_bytes()));
    for (path, issuer) in [
        ("/.well-known/openid-configuration", ""),
        ("/.well-known/openid-configuration", "/"),
        ("/t/1/.well-known/openid-configuration", "/t/1"),
        ("/t/1/.well-known/openid-configuration", "/t/1/"),
        ("/.well-known/oauth-authorization-server", ""),
        ("/.well-known/oauth-authorization-server/t/1", "/t/1"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let own = Arc::new(Mutex::new(address));
        let named = Arc::clone(&own);
        let (address, _) = serve(move |_| {
            let own = named.lock().unwrap();
            metadata(&format!("http://{own}{issuer}"), &format!("http://{keys_at}/jwks.json"))
        });
        *own.lock().unwrap() = address;
        let fetched = behind(&format!("http://{address}{path}")).fetch().await.unwrap();
        assert_eq!(fetched.set.keys().len(), 1, "{path}");
        assert_eq!(fetched.fresh_for, Some(Duration::from_secs(900)), "that of the set");
        assert!(asked.lock().unwrap().pop().unwrap().starts_with("GET /jwks.json "));
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_or_none_is_refused() {
    let uri = "http://127.0.0.1:9/jwks.json";
    for (content, told) in [
        (metadata("https://another.example", uri), "the issuer \"https://another.example\""),
        (metadata("http://127.0.0.1", uri), "and not of \"http://127.0.0.1:"),
        (metadata("", uri), "the issuer \"\""),
        (
            answer("Content-Type: text/html", b"<html>"),
            "not an issuer's metadata, but \"text/html\"",
        ),
        (answer("X-Nothing: 1", b"{}"), "not an issuer's metadata"),
        (answer("X-Nothing: 1", br#"{"issuer":1,"jwks_uri":2}"#), "not an issuer's metadata"),
        (answer("X-Nothing: 1", SET.as_bytes()), "not an issuer's metadata"),
        (redirect("/.well-known/openid-configuration"), "more than 3 times"),
        (b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec(), "304"),
    ] {
        let (address, _) = serve(move |_| content.clone());
        let source = behind(&format!("http://{address}/.well-known/openid-configuration"));
        let error = keys(&source).await.unwrap_err();
        assert!(error.contains(told), "{told}: {error}");
    }
}

#[tokio::test]
async fn the_set_is_on_the_web() {
    for (uri, told) in [
        ("file:///etc/passwd", "not a URL of the web"),
        ("/jwks.json", "not a URL of the web"),
        ("no URL", "not a URL of the web"),
        ("http://192.0.2.1/jwks.json", "jwk_url_allow_http = true"),
    ] {
        let own = Arc::new(Mutex::new(None));
        let named = Arc::clone(&own);
        let (address, _) = serve(move |_| {
            let address: Option<std::net::SocketAddr> = *named.lock().unwrap();
            metadata(&format!("http://{}", address.unwrap()), uri)
        });
        *own.lock().unwrap() = Some(address);
        let source = behind(&format!("http://{address}/.well-known/openid-configuration"));
        let error = keys(&source).await.unwrap_err();
        assert!(error.contains(told), "{uri}: {error}");
    }
}
