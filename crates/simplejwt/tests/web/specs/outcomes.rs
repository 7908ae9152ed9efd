//! Every outcome that an endpoint declares happens, and none that it doesn't.

use std::collections::BTreeSet;

use serde_json::json;
use simplejwt::error::StoreErrorKind;
use simplejwt::settings::{AtLimit, TokenClass};
use simplejwt::store::memory::MemoryStore;
use simplejwt::web::endpoint::{
    Credentials, Endpoint, GatewayOptions, Outcome, Protocol, ReadError, Verb,
};
use simplejwt::web::permission::MaxAge;
use simplejwt::{Auth, Claims, HookError, Hooks, User};

use super::world::{Ask, PASSWORD, Seen, World};
use super::{assert_body, operations};

/// What hooks put into every token: so much that it gets too long, or nothing at all.
struct Filling(Option<usize>);

impl Filling {
    fn fill(&self, claims: &mut Claims) -> Result<(), HookError> {
        match self.0 {
            Some(bytes) => Ok(claims.set("filling", "x".repeat(bytes))?),
            None => Err(std::io::Error::other("the team list is gone").into()),
        }
    }
}

#[simplejwt::async_trait]
impl Hooks for Filling {
    async fn extra_claims(
        &self,
        _: TokenClass,
        _: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.fill(claims)
    }

    async fn refreshed_claims(
        &self,
        _: TokenClass,
        _: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.fill(claims)
    }
}

async fn logins() -> Vec<Seen> {
    let mut seen = Vec::new();
    for endpoint in [Endpoint::TokenObtainPair, Endpoint::TokenObtainSliding] {
        let with = |password: &str| {
            Ask::of(endpoint).json(&json!({"username": "alice", "password": password}))
        };
        let world = World::new(|settings| {
            settings.sessions.max_per_user = Some(1);
            settings.sessions.at_limit = AtLimit::Refuse;
        });
        seen.push(world.ask(endpoint, with(PASSWORD)).await);
        seen.push(world.ask(endpoint, with("looking-glass")).await);
        seen.push(world.ask(endpoint, with(PASSWORD)).await);
        for filling in [Some(20_000), None] {
            let auth = world.auth.clone().with_hooks(Filling(filling));
            seen.push(world.ask_of(&auth, endpoint, with(PASSWORD)).await);
        }
        for auth in [world.without_users(), world.without_signing()] {
            seen.push(world.ask_of(&auth, endpoint, with(PASSWORD)).await);
        }
        world.people.fail(StoreErrorKind::Busy);
        seen.push(world.ask(endpoint, with(PASSWORD)).await);
    }
    seen
}

async fn renewals() -> Vec<Seen> {
    let mut seen = Vec::new();
    for endpoint in [Endpoint::TokenRefresh, Endpoint::TokenRefreshSliding] {
        let is_sliding = endpoint == Endpoint::TokenRefreshSliding;
        let field = if is_sliding { "token" } else { "refresh" };
        let with = |token: &str| Ask::of(endpoint).json(&json!({field: token}));
        let world = World::new(|settings| settings.check_revoke_token = true);
        let token = async |name: &str| match is_sliding {
            true => world.log_in_sliding(name).await,
            false => world.log_in(name).await.0,
        };
        seen.push(world.ask(endpoint, with(&token("alice").await)).await);
        seen.push(world.ask(endpoint, with("x")).await);
        for filling in [Some(20_000), None] {
            let auth = world.auth.clone().with_hooks(Filling(filling));
            seen.push(world.ask_of(&auth, endpoint, with(&token("alice").await)).await);
        }
        for auth in [world.without_users(), world.without_signing()] {
            seen.push(world.ask_of(&auth, endpoint, with(&token("alice").await)).await);
        }
        let (alice, bob) = (token("alice").await, token("bob").await);
        world.people.change("1", |user| user.password = "another hash".into());
        seen.push(world.ask(endpoint, with(&alice)).await);
        world.people.change("2", |user| user.is_active = false);
        seen.push(world.ask(endpoint, with(&bob)).await);
    }
    seen
}

/// What stands for a field where tokens are kept in cookies: none, or those of two users.
async fn cookies() -> Vec<Seen> {
    let mut seen = Vec::new();
    for (endpoint, operation) in operations() {
        let by_field = operation.body_fields().any(|field| field.cookie.is_some());
        if !by_field && operation.credentials != Credentials::AccessToken {
            continue;
        }
        let world = World::with_cookies(|_| ());
        seen.push(world.ask(endpoint, Ask::of(endpoint)).await);
        let ((alice, a), (bob, b)) = (world.log_in("alice").await, world.log_in("bob").await);
        let ask = match endpoint {
            Endpoint::TokenRefresh | Endpoint::TokenBlacklist => {
                let cookie = "__Secure-refresh";
                Ask::of(endpoint).cookies(&[(cookie, &alice), (cookie, &bob)])
            }
            Endpoint::TokenRefreshSliding => {
                let cookie = "__Host-access";
                let (a, b) =
                    (world.log_in_sliding("alice").await, world.log_in_sliding("bob").await);
                Ask::of(endpoint).cookies(&[(cookie, &a), (cookie, &b)])
            }
            _ => {
                let cookie = "__Host-access";
                Ask::of(endpoint).cookies(&[(cookie, &a), (cookie, &b)])
            }
        };
        seen.push(world.ask(endpoint, ask).await);
    }
    seen
}

async fn verifying_and_blacklisting() -> Vec<Seen> {
    let mut seen = Vec::new();
    let world = World::new(|_| ());
    let (refresh, access) = world.log_in("alice").await;
    for token in [access.as_str(), "x"] {
        let ask = Ask::of(Endpoint::TokenVerify).json(&json!({"token": token}));
        seen.push(world.ask(Endpoint::TokenVerify, ask).await);
    }
    let ask = |token: &str| Ask::of(Endpoint::TokenBlacklist).json(&json!({"refresh": token}));
    for token in [refresh.as_str(), "x"] {
        seen.push(world.ask(Endpoint::TokenBlacklist, ask(token)).await);
    }
    let blacklisted = Ask::of(Endpoint::TokenVerify).json(&json!({"token": refresh}));
    let said = world.ask(Endpoint::TokenVerify, blacklisted).await;
    assert_eq!((said.status, said.code.as_deref()), (400, Some("invalid")));
    seen.push(said);
    let without = World::new(|settings| {
        settings.token_blacklist = false;
        settings.blacklist_after_rotation = false;
        settings.sessions.session_claim = false;
    });
    let (refresh, _) = without.log_in("alice").await;
    seen.push(without.ask(Endpoint::TokenBlacklist, ask(&refresh)).await);
    seen
}

/// The access tokens that are refused anywhere.
async fn access_tokens() -> Vec<Seen> {
    let mut seen = Vec::new();
    let world = World::new(|_| ());
    for (endpoint, operation) in operations() {
        let is_asked = matches!(
            operation.credentials,
            Credentials::AccessToken | Credentials::AccessTokenOrField
        );
        if is_asked {
            for header in ["Basic eDp5", "Bearer a b", "Bearer x"] {
                let ask = Ask::of(endpoint).header("authorization", header);
                seen.push(world.ask(endpoint, ask).await);
            }
        }
    }
    seen
}

/// A gateway that wants a login whose time the token doesn't tell.
async fn gateway() -> Vec<Seen> {
    let mut world = World::new(|_| ());
    let max_age = MaxAge::new(std::time::Duration::from_secs(300));
    world.options.gateway = GatewayOptions::default().with_max_age(max_age);
    let (_, access) = world.log_in("alice").await;
    let ask = Ask::of(Endpoint::Authenticate).bearer(&access);
    vec![world.ask(Endpoint::Authenticate, ask).await]
}

/// A request to each endpoint that looks at the row of whoever asks.
fn by_row(endpoint: Endpoint) -> Option<Ask> {
    match endpoint {
        Endpoint::Protected | Endpoint::Authenticate | Endpoint::Session => Some(Ask::of(endpoint)),
        Endpoint::Sessions => Some(Ask::of(endpoint).at("/api/token/sessions/?user=2")),
        Endpoint::Logout => Some(Ask::of(endpoint).json(&json!({"user": "2", "scope": "all"}))),
        _ => None,
    }
}

async fn rows() -> Vec<Seen> {
    let mut seen = Vec::new();
    for (endpoint, _) in operations().filter(|(endpoint, _)| by_row(*endpoint).is_some()) {
        let world = World::new(|settings| settings.check_revoke_token = true);
        let (_, access) = world.log_in("alice").await;
        let ask = || by_row(endpoint).unwrap().bearer(&access);
        // No staff.
        seen.push(world.ask(endpoint, ask()).await);
        seen.push(world.ask_of(&world.without_users(), endpoint, ask()).await);
        let without_sessions = Auth::new(world.auth.tokens().clone())
            .with_users(std::sync::Arc::clone(&world.people))
            .with_store(MemoryStore::default());
        world.people.change("1", |user| user.is_staff = true);
        seen.push(world.ask(endpoint, ask()).await);
        seen.push(world.ask_of(&without_sessions, endpoint, ask()).await);
        world.people.delete("2");
        seen.push(world.ask(endpoint, ask()).await);
        world.people.change("1", |user| user.password = "another hash".into());
        seen.push(world.ask(endpoint, ask()).await);
        world.people.change("1", |user| user.is_active = false);
        seen.push(world.ask(endpoint, ask()).await);
        world.people.delete("1");
        seen.push(world.ask(endpoint, ask()).await);
        world.people.fail(StoreErrorKind::Unavailable);
        seen.push(world.ask(endpoint, ask()).await);
        world.people.fail(StoreErrorKind::Busy);
        seen.push(world.ask(endpoint, ask()).await);
    }
    seen
}

async fn sessions() -> Vec<Seen> {
    let world = World::new(|_| ());
    let (refresh, access) = world.log_in("alice").await;
    let list = world.ask(Endpoint::Sessions, Ask::of(Endpoint::Sessions).bearer(&access)).await;
    let id = list.body.as_ref().unwrap()[0]["id"].as_str().unwrap().to_owned();
    let ask = |endpoint| Ask::of(endpoint).bearer(&access);
    let mut seen = vec![
        list,
        world.ask(Endpoint::ProtectedStateless, ask(Endpoint::ProtectedStateless)).await,
    ];
    let end = ask(Endpoint::Session).at(&format!("/api/token/sessions/{id}/"));
    seen.push(world.ask(Endpoint::Session, end).await);
    let (_, access) = world.log_in("alice").await;
    let log_out = |access: &str| Ask::of(Endpoint::Logout).bearer(access);
    seen.push(world.ask(Endpoint::Logout, log_out(&access)).await);
    let unnamed = World::new(|settings| settings.sessions.session_claim = false);
    let (_, access) = unnamed.log_in("alice").await;
    seen.push(unnamed.ask(Endpoint::Logout, log_out(&access)).await);
    let again = Ask::of(Endpoint::Logout).json(&json!({"refresh": refresh}));
    seen.push(world.ask(Endpoint::Logout, again).await);
    seen
}

async fn oauth() -> Vec<Seen> {
    let mut seen = Vec::new();
    for endpoint in [Endpoint::Introspect, Endpoint::Revoke] {
        let world = World::new(|_| ());
        let (refresh, access) = world.log_in("alice").await;
        for token in [refresh.as_str(), &access, "x"] {
            let ask = Ask::of(endpoint).by_client(&[("token", token)]);
            seen.push(world.ask(endpoint, ask).await);
        }
        seen.push(world.ask(endpoint, Ask::of(endpoint).by_client(&[])).await);
        seen.push(world.ask(endpoint, Ask::of(endpoint).form(&[("token", "x")])).await);
        seen.push(world.ask(endpoint, Ask::new(endpoint, "GET")).await);
        seen.push(world.ask(endpoint, Ask::of(endpoint).unread(ReadError::TooLarge)).await);
        let (refresh, _) = world.log_in("alice").await;
        world.people.fail(StoreErrorKind::Unavailable);
        let ask = Ask::of(endpoint).by_client(&[("token", &refresh)]);
        seen.push(world.ask(endpoint, ask).await);
    }
    seen
}

async fn documents() -> Vec<Seen> {
    let mut seen = Vec::new();
    for endpoint in [Endpoint::Jwks, Endpoint::ServerMetadata] {
        let world = World::new(|_| ());
        let fresh = world.ask(endpoint, Ask::of(endpoint)).await;
        let etag = fresh.head["etag"].to_str().unwrap().to_owned();
        seen.push(fresh);
        let known = Ask::of(endpoint).header("if-none-match", &etag);
        seen.push(world.ask(endpoint, known).await);
        seen.push(world.ask(endpoint, Ask::new(endpoint, "POST")).await);
        let (_, access) = world.log_in("alice").await;
        seen.push(world.ask(endpoint, Ask::new(endpoint, "OPTIONS").bearer(&access)).await);
        let tokens = world.auth.tokens();
        tokens.publish_keys_until(tokens.now());
        seen.push(world.ask(endpoint, Ask::of(endpoint)).await);
        let unnamed = World::new(|settings| settings.issuer = None);
        seen.push(unnamed.ask(endpoint, Ask::of(endpoint)).await);
    }
    seen
}

/// What a protocol refuses before an endpoint is asked.
async fn protocols() -> Vec<Seen> {
    let mut seen = Vec::new();
    let world = World::with_cookies(|_| ());
    for (endpoint, operation) in operations() {
        let protocol = endpoint.spec().protocol;
        if protocol == Protocol::OAuth {
            continue;
        }
        let (_, access) = world.log_in("alice").await;
        let ask = || Ask::of(endpoint).cookies(&[("__Host-access", &access)]);
        let twice = ask().header("host", "a.example").header("host", "b.example");
        seen.push(world.ask(endpoint, twice).await);
        let foreign = ask().header("host", "a.example").header("origin", "https://evil.example");
        seen.push(world.ask(endpoint, foreign).await);
        if protocol == Protocol::Rest {
            let of = |query: &str| ask().at(&format!("/api/token/?{query}"));
            seen.push(world.ask(endpoint, of("format=klingon")).await);
            seen.push(world.ask(endpoint, ask().header("accept", "image/png")).await);
            let another = Ask::new(endpoint, "PUT").cookies(&[("__Host-access", &access)]);
            seen.push(world.ask(endpoint, another).await);
        }
        if operation.reads_body() {
            for error in [ReadError::TooLarge, ReadError::Incomplete] {
                seen.push(world.ask(endpoint, ask().unread(error)).await);
            }
            seen.push(world.ask(endpoint, ask().json(&json!([]))).await);
            seen.push(world.ask(endpoint, ask().raw("text/plain", "x")).await);
            seen.push(world.ask(endpoint, ask().raw("application/json", "{")).await);
        }
    }
    seen
}

fn declared(outcome: &Outcome) -> (u16, Option<String>) {
    (outcome.status.as_u16(), outcome.code.map(str::to_owned))
}

#[tokio::test]
async fn every_outcome_happens_and_is_declared() {
    let mut seen = Vec::new();
    seen.extend(logins().await);
    seen.extend(renewals().await);
    seen.extend(cookies().await);
    seen.extend(verifying_and_blacklisting().await);
    seen.extend(access_tokens().await);
    seen.extend(gateway().await);
    seen.extend(rows().await);
    seen.extend(sessions().await);
    seen.extend(oauth().await);
    seen.extend(documents().await);
    seen.extend(protocols().await);
    seen.extend(super::throttled::outcomes().await);

    let mut wrong = Vec::new();
    let mut happened = BTreeSet::new();
    let mut in_protocol = BTreeSet::new();
    for seen in &seen {
        let spec = seen.endpoint.spec();
        // Another method is refused on behalf of the one that there is.
        let operation = spec.operation(&seen.method).or(spec.operations.first()).unwrap();
        let key = (seen.status, seen.code.clone());
        match spec.outcomes(operation).find(|outcome| declared(outcome) == key) {
            Some(outcome) => assert_body(outcome.body, seen),
            None => wrong.push(format!("{:?} isn't declared: {seen:?}", seen.endpoint)),
        }
        happened.insert((format!("{:?}", seen.endpoint), key.clone()));
        in_protocol.insert((format!("{:?}", spec.protocol), key));
    }
    for (endpoint, operation) in operations() {
        let spec = endpoint.spec();
        for outcome in spec.outcomes(operation) {
            let key = declared(outcome);
            let is_own = operation.outcomes.contains(outcome);
            let is_there = match is_own {
                true => happened.contains(&(format!("{endpoint:?}"), key.clone())),
                // What its protocol adds, somewhere in that protocol.
                false => in_protocol.contains(&(format!("{:?}", spec.protocol), key.clone())),
            };
            if !is_there {
                wrong.push(format!("{endpoint:?} never answered {key:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 150, "only {} requests", seen.len());
}

/// Each outcome once, and each operation has a success.
#[test]
fn outcomes_are_declared_once() {
    for (endpoint, operation) in operations() {
        let keys: Vec<_> = endpoint.spec().outcomes(operation).map(declared).collect();
        let once: BTreeSet<_> = keys.iter().collect();
        assert_eq!(once.len(), keys.len(), "{endpoint:?}: {keys:?}");
        assert!(keys.iter().any(|(status, code)| *status < 300 && code.is_none()), "{endpoint:?}");
        assert!(operation.verb == Verb::Any || !operation.summary.is_empty());
    }
}
