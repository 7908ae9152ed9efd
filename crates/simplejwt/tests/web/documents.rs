//! The public documents: the keys, and the issuer's metadata.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use simplejwt::jwk::JwkSet;
use simplejwt::keys::ring::{KeyRing, Schedule, StoredKey};
use simplejwt::keys::{KeySource, Published, RemoteKeys};
use simplejwt::settings::KeyId;
use simplejwt::web::axum::{RouterOptions, router_with};
use simplejwt::web::endpoint::{OAuthClient, OAuthClients};
use simplejwt::{Access, Algorithm, Auth, KeySet, ManualClock, Settings, Timestamp, Tokens};
use simplejwt::{SigningKey, VerifyingKey};
use tower::ServiceExt as _;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECRET: &[u8] = b"a secret that only these tests know, long enough";
const JWKS: &str = "/.well-known/jwks.json";
const METADATA: &str = "/.well-known/oauth-authorization-server";

fn tokens(settings: Settings, keys: KeySet) -> (Tokens, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Tokens::with(settings, keys, clock.clone()).unwrap(), clock)
}

fn app_with(tokens: &Tokens, options: &RouterOptions) -> Router {
    router_with(Auth::new(tokens.clone()), options)
}

fn app(keys: KeySet) -> Router {
    app_with(&tokens(Settings::default(), keys).0, &RouterOptions::default())
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 100_000).await.unwrap();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(app: &Router, path: &str) -> (StatusCode, HeaderMap, String) {
    send(app, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn read(app: &Router, path: &str) -> Value {
    let (status, _, body) = get(app, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn secret() -> SigningKey {
    SigningKey::from_secret(Algorithm::Hs256, SECRET).unwrap()
}

fn generated(algorithm: Algorithm) -> SigningKey {
    let text = SigningKey::generate(algorithm).unwrap();
    SigningKey::parse(algorithm, text.as_bytes(), false).unwrap()
}

fn key_ids(jwks: &Value) -> Vec<&str> {
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().filter_map(|key| key["kid"].as_str()).collect()
}

#[tokio::test]
async fn keys_are_public_ones_with_use_and_algorithm() {
    let public = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa, Algorithm::Es256K];
    let signing = generated(Algorithm::Ps256).with_thumbprint_kid();
    let mut keys = KeySet::new(signing);
    for algorithm in public {
        keys =
            keys.also_verify(generated(algorithm).verifying_key().with_thumbprint_kid()).unwrap();
    }
    let named = generated(Algorithm::EdDsa).verifying_key().fully_specified();
    keys = keys.also_verify(named.with_thumbprint_kid()).unwrap();
    let jwks = read(&app(keys), JWKS).await;
    let found = jwks["keys"].as_array().unwrap();
    let algorithms: Vec<_> = found.iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert_eq!(algorithms, ["PS256", "ES256", "RS256", "EdDSA", "ES256K", "Ed25519"]);
    for key in found {
        assert_eq!(key["use"], "sig");
        let members: BTreeSet<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: &[&str] = match key["kty"].as_str().unwrap() {
            "RSA" => &["alg", "e", "kid", "kty", "n", "use"],
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            _ => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(members, expected.iter().copied().collect(), "nothing private");
        let thumbprint = serde_json::from_value::<simplejwt::jwk::Jwk>(key.clone()).unwrap();
        assert_eq!(key["kid"], thumbprint.thumbprint());
    }
}

/// Neither as a member nor by its thumbprint, which whoever guesses the secret can compare.
#[tokio::test]
async fn secrets_are_never_published() {
    let old = SigningKey::from_secret(Algorithm::Hs512, &[7; 64]).unwrap().with_thumbprint_kid();
    let thumbprints = [secret().verifying_key(), old.verifying_key()];
    let thumbprints = thumbprints.each_ref().map(VerifyingKey::thumbprint);
    let public = generated(Algorithm::Es256).with_kid("public");
    let alone = KeySet::new(secret());
    let several = KeySet::new(secret().with_kid("a")).also_verify(old.verifying_key()).unwrap();
    let signs = several.clone().also_verify(public.verifying_key()).unwrap();
    let verifies = KeySet::new(public).also_verify(old.verifying_key()).unwrap();
    for (keys, expected) in [
        (KeySet::none(), vec![]),
        (alone, vec![]),
        (several, vec![]),
        (signs, vec!["public"]),
        (verifies, vec!["public"]),
    ] {
        let app = app(keys);
        let (_, _, body) = get(&app, JWKS).await;
        let jwks: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(key_ids(&jwks), expected);
        assert_eq!(jwks["keys"].as_array().unwrap().len(), expected.len());
        assert!(!body.contains("\"k\"") && !body.contains("oct"), "{body}");
        assert!(thumbprints.iter().all(|thumbprint| !body.contains(thumbprint)), "{body}");
    }
    assert_eq!(get(&app(KeySet::new(secret())), JWKS).await.2, r#"{"keys":[]}"#);
}

struct Foreign(JwkSet);

#[simplejwt::async_trait]
impl KeySource for Foreign {
    async fn fetch(&self) -> Result<Published, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Published::from(self.0.clone()))
    }
}

/// Those behind `JWK_URL` are published by their own issuer.
#[tokio::test]
async fn with_fetched_keys_only_the_own_one_is_published() {
    let foreign = KeySet::new(generated(Algorithm::Es256).with_kid("foreign"));
    let remote = || RemoteKeys::new(Algorithm::Es256, Foreign(foreign.jwks()));
    let own = generated(Algorithm::Es256).with_kid("own");
    for (signing, expected) in [(Some(own), vec!["own"]), (Some(secret()), vec![]), (None, vec![])]
    {
        let remote = remote();
        assert_eq!(remote.fetch(NOW).await.unwrap().usable, 1);
        let jwks = read(&app(KeySet::with_remote(signing, remote)), JWKS).await;
        assert_eq!(key_ids(&jwks), expected);
    }
}

#[tokio::test]
async fn a_ring_publishes_the_next_key_before_it_signs_and_no_key_that_is_gone() {
    let hour = Duration::from_secs(3600);
    let schedule =
        Schedule { publication_delay: hour, rotate_every: Some(24 * hour), keep: 2 * hour };
    let base = KeySet::new(secret());
    let make = |stored: &mut Vec<StoredKey>, now| {
        let ring = KeyRing::open(stored, None, now).unwrap();
        let plan = schedule.due(&ring, false, now).unwrap();
        let verifies_until = Some(plan.others_until);
        stored
            .iter_mut()
            .for_each(|key| key.verifies_until = key.verifies_until.or(verifies_until));
        stored.push(plan.generate(Algorithm::Es256, None).unwrap());
    };
    let mut stored = Vec::new();
    make(&mut stored, NOW);
    make(&mut stored, NOW + 23 * hour);
    let (tokens, _) = tokens(Settings::default(), KeySet::none());
    let app = app_with(&tokens, &RouterOptions::default());
    let (first, second) = (stored[0].kid.as_str(), stored[1].kid.as_str());
    for (hours, signs, expected) in [
        (23, first, vec![first, second]),
        (24, second, vec![first, second]),
        (27, second, vec![second]),
    ] {
        let now = NOW + hours * hour;
        let ring = KeyRing::open(&stored, None, now).unwrap();
        tokens.replace_keys(ring.key_set(&base, now).unwrap());
        assert_eq!(tokens.keys().signing().unwrap().kid(), Some(signs));
        assert_eq!(key_ids(&read(&app, JWKS).await), expected, "after {hours} hours");
    }
}

#[tokio::test]
async fn headers_say_what_it_is_and_for_how_long() {
    let settings = Settings { issuer: Some("https://a.example".into()), ..Settings::default() };
    let (tokens, _) = tokens(settings, KeySet::new(generated(Algorithm::Es256)));
    let jwks_max_age = Duration::from_millis(90_500);
    let options = RouterOptions { jwks_max_age, ..RouterOptions::default() };
    let app = app_with(&tokens, &options);
    for (path, media_type) in [(JWKS, "application/jwk-set+json"), (METADATA, "application/json")] {
        let (_, fresh, body) = get(&app, path).await;
        for (name, expected) in [
            ("content-type", media_type),
            ("cache-control", "public, max-age=90"),
            ("access-control-allow-origin", "*"),
            ("allow", "GET, HEAD"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(fresh[name], expected, "{path} {name}");
        }
        assert_eq!(fresh["content-length"].to_str().unwrap(), body.len().to_string());
        assert!(!fresh.contains_key("vary") && !fresh.contains_key("set-cookie"), "{path}");
        let head = Request::head(path).body(Body::empty()).unwrap();
        assert_eq!(send(&app, head).await, (StatusCode::OK, fresh.clone(), String::new()));

        let known = Request::get(path).header("if-none-match", &fresh["etag"]);
        let (status, headers, body) = send(&app, known.body(Body::empty()).unwrap()).await;
        assert_eq!((status.as_u16(), body.as_str()), (304, ""), "{path}");
        assert!(!headers.contains_key("content-type"), "{path}");
        for name in ["etag", "cache-control", "access-control-allow-origin"] {
            assert_eq!(headers[name], fresh[name], "{path} {name}");
        }
    }
    let before = get(&app, JWKS).await.1["etag"].clone();
    assert_eq!(get(&app, JWKS).await.1["etag"], before);
    tokens.replace_keys(KeySet::new(generated(Algorithm::Es256)));
    assert_ne!(get(&app, JWKS).await.1["etag"], before);
}

/// Nobody has to log in to read them, and whatever else is sent changes nothing.
#[tokio::test]
async fn what_else_a_request_has_is_ignored() {
    let allowed_origins = vec!["https://app.example".into()];
    let settings = Settings { allowed_origins, ..Settings::default() };
    let (tokens, _) = tokens(settings, KeySet::new(generated(Algorithm::Es256)));
    let app = app_with(&tokens, &RouterOptions::default());
    let (_, _, expected) = get(&app, JWKS).await;
    for (name, value) in [
        ("authorization", "Bearer x"),
        ("cookie", "__Host-access=x; __Host-access=y"),
        ("accept", "image/png"),
        ("origin", "https://evil.example"),
        ("origin", "https://app.example"),
        ("content-type", "text/plain"),
    ] {
        let request = Request::get(format!("{JWKS}?format=xml")).header(name, value);
        let (status, headers, body) = send(&app, request.body("body".into()).unwrap()).await;
        assert_eq!((status.as_u16(), &body), (200, &expected), "{name}");
        assert_eq!(headers["access-control-allow-origin"], "*", "{name}");
        assert!(!headers.contains_key("access-control-allow-credentials"), "{name}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let request = Request::builder().method(method).uri(JWKS).body(Body::empty()).unwrap();
        let (status, headers, body) = send(&app, request).await;
        assert_eq!((status.as_u16(), &headers["allow"]), (405, &"GET, HEAD".parse().unwrap()));
        assert_eq!(body, format!(r#"{{"detail":"Method \"{method}\" not allowed."}}"#));
    }
    for path in ["/.well-known/jwks.json/", "/.well-known/", "/.well-known/jwks", METADATA] {
        assert_eq!(get(&app, path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn keys_that_may_be_incomplete_are_withheld() {
    let (tokens, clock) = tokens(Settings::default(), KeySet::new(generated(Algorithm::Es256)));
    let app = app_with(&tokens, &RouterOptions::default());
    let clone = tokens.clone();
    clone.publish_keys_until(NOW + Duration::from_secs(400));
    for (passed, max_age) in
        [(0.0, "300"), (100.0, "300"), (250.0, "150"), (399.0, "1"), (399.9, "1")]
    {
        clock.set(NOW + Duration::from_secs_f64(passed));
        let (_, headers, _) = get(&app, JWKS).await;
        assert_eq!(headers["cache-control"], format!("public, max-age={max_age}"), "{passed}");
    }
    clock.set(NOW + Duration::from_secs(400));
    let (status, headers, body) = get(&app, JWKS).await;
    let text = r#"{"detail":"The service is temporarily unavailable.","code":"unavailable"}"#;
    assert_eq!((status.as_u16(), body.as_str()), (503, text));
    assert_eq!(
        (&headers["retry-after"], &headers["cache-control"]),
        (&"1".parse().unwrap(), &"no-store".parse().unwrap(),)
    );
    // Only the publication depends on it.
    let token = tokens.encode(&tokens.issue::<Access>("1")).unwrap();
    assert!(tokens.decode::<Access>(&token).is_ok());
    clone.publish_keys_until(NOW + Duration::from_secs(401));
    assert_eq!(get(&app, JWKS).await.0, 200);
}

fn named(issuer: &str, options: &RouterOptions) -> Router {
    let settings = Settings { issuer: Some(issuer.into()), ..Settings::default() };
    app_with(&tokens(settings, KeySet::new(secret())).0, options)
}

#[tokio::test]
async fn metadata_have_what_holds_and_nothing_else() {
    let app = named("https://a.example:8443/tenant1/", &RouterOptions::default());
    assert_eq!(get(&app, METADATA).await.0, 404);
    let path = format!("{METADATA}/tenant1");
    let expected = json!({
        "issuer": "https://a.example:8443/tenant1/",
        "jwks_uri": "https://a.example:8443/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": [],
    });
    assert_eq!(read(&app, &path).await, expected);

    let client = OAuthClient::new("a", &"s".repeat(OAuthClient::SHORTEST_SECRET)).unwrap();
    let clients = OAuthClients::new([client]).unwrap();
    let options = RouterOptions { clients, prefix: "auth".into(), ..RouterOptions::default() };
    let app = named("http://127.0.0.1:8000", &options);
    let methods = ["client_secret_basic", "client_secret_post"];
    let expected = json!({
        "issuer": "http://127.0.0.1:8000",
        "jwks_uri": "http://127.0.0.1:8000/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": [],
        "introspection_endpoint": "http://127.0.0.1:8000/auth/introspect/",
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": "http://127.0.0.1:8000/auth/revoke/",
        "revocation_endpoint_auth_methods_supported": methods,
    });
    let metadata = read(&app, METADATA).await;
    assert_eq!(metadata, expected);
    // Each URL is answered.
    for (name, status) in [("jwks_uri", 200), ("introspection_endpoint", 405)] {
        let url = metadata[name].as_str().unwrap();
        assert_eq!(get(&app, url).await.0, status, "{name}");
    }
}

/// A nested router has its documents below its own path, and says so.
#[tokio::test]
async fn urls_are_those_of_the_whole_path() {
    let nested = Router::new().nest("/v1", named("https://a.example", &RouterOptions::default()));
    let metadata = read(&nested, &format!("/v1{METADATA}")).await;
    assert_eq!(metadata["jwks_uri"], "https://a.example/v1/.well-known/jwks.json");
    assert_eq!(get(&nested, metadata["jwks_uri"].as_str().unwrap()).await.0, 200);
}

#[tokio::test]
async fn without_them_the_paths_are_the_applications() {
    let options = RouterOptions { well_known: false, ..RouterOptions::default() };
    let app = named("https://a.example", &options);
    for path in [JWKS, METADATA] {
        assert_eq!(get(&app, path).await.0, 404, "{path}");
    }
}

/// A `kid` of the settings is the one in the set and in tokens.
#[tokio::test]
async fn the_key_id_of_tokens_is_that_of_the_set() {
    let text = SigningKey::generate(Algorithm::Es256).unwrap();
    let public = SigningKey::parse(Algorithm::Es256, text.as_bytes(), false).unwrap();
    let settings = |kid| Settings {
        algorithm: Algorithm::Es256,
        signing_key: Some(text.as_str().into()),
        kid,
        ..Settings::default()
    };
    let thumbprint = public.verifying_key().thumbprint().to_owned();
    for (kid, expected) in [
        (KeyId::Thumbprint, vec![thumbprint.as_str()]),
        (KeyId::Named("2026".into()), vec!["2026"]),
        (KeyId::None, vec![]),
    ] {
        let mut settings = settings(kid);
        settings.verifying_key = Some(json!(public.verifying_key().to_jwk()).to_string());
        let keys = settings.key_set().unwrap();
        let kid = keys.signing().unwrap().kid().map(str::to_owned);
        assert_eq!(kid.as_deref(), expected.first().copied());
        let jwks = read(&app(keys), JWKS).await;
        assert_eq!(key_ids(&jwks), expected);
    }
}
