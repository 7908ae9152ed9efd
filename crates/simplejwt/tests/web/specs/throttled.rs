//! Requests that are throttled, and those that aren't.

use serde_json::json;
use simplejwt::Auth;
use simplejwt::error::StoreErrorKind;
use simplejwt::settings::Transport;
use simplejwt::throttle::{Limits, Throttle};
use simplejwt::web::endpoint::Endpoint;

use super::world::{Ask, PASSWORD, Seen, World};

const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "192.0.2.2";

fn throttled(world: &World) -> Auth {
    let rate = |text: &str| text.parse().unwrap();
    let limits = Limits {
        login: rate("3/min"),
        login_account: rate("100/hour"),
        login_address: rate("8/hour"),
        refresh: rate("2/min"),
        verify: rate("2/min"),
        introspect: rate("2/min"),
    };
    world.auth.clone().with_throttle(Throttle::new(limits))
}

fn login(endpoint: Endpoint, name: &str, password: &str) -> Ask {
    Ask::of(endpoint).json(&json!({"username": name, "password": password}))
}

/// A request with something that isn't genuine.
fn failing(endpoint: Endpoint) -> Ask {
    let ask = Ask::of(endpoint);
    match endpoint {
        Endpoint::TokenObtainPair | Endpoint::TokenObtainSliding => {
            login(endpoint, "alice", "looking-glass")
        }
        Endpoint::TokenRefresh => ask.json(&json!({"refresh": "x"})),
        Endpoint::TokenRefreshSliding | Endpoint::TokenVerify => ask.json(&json!({"token": "x"})),
        _ => ask.form(&[("token", "x"), ("client_id", "billing"), ("client_secret", "x")]),
    }
}

const ENDPOINTS: [Endpoint; 7] = [
    Endpoint::TokenObtainPair,
    Endpoint::TokenObtainSliding,
    Endpoint::TokenRefresh,
    Endpoint::TokenRefreshSliding,
    Endpoint::TokenVerify,
    Endpoint::Introspect,
    Endpoint::Revoke,
];

/// The answer of each endpoint to too many failures.
pub(super) async fn outcomes() -> Vec<Seen> {
    let mut seen = Vec::new();
    for endpoint in ENDPOINTS {
        let world = World::new(|_| ());
        let auth = throttled(&world);
        for attempt in 0..4 {
            let answer = world.ask_of(&auth, endpoint, failing(endpoint).from(HERE)).await;
            assert!(attempt > 1 || answer.status == 401, "{answer:?}");
            seen.push(answer);
        }
        let last = seen.last().unwrap();
        assert_eq!(last.status, 429, "{endpoint:?}");
        // Nobody else is concerned.
        let other = world.ask_of(&auth, endpoint, failing(endpoint).from(ELSEWHERE)).await;
        assert_eq!(other.status, 401, "{endpoint:?}");
    }
    seen
}

#[tokio::test]
async fn a_throttled_login_is_answered_as_django_rest_framework_does() {
    let mut world = World::new(|_| ());
    world.options.error = None;
    let auth = throttled(&world);
    let endpoint = Endpoint::TokenObtainPair;
    for name in ["alice", "nobody"] {
        for _ in 0..3 {
            let seen = world.ask_of(&auth, endpoint, login(endpoint, name, "x").from(HERE)).await;
            assert_eq!(seen.status, 401);
            assert!(!seen.head.contains_key("ratelimit") && !seen.head.contains_key("retry-after"));
        }
        // The right password, too; and nobody looks at it.
        world.people.fail(StoreErrorKind::Unavailable);
        let seen = world.ask_of(&auth, endpoint, login(endpoint, name, PASSWORD).from(HERE)).await;
        world.people.recover();
        assert_eq!((seen.status, seen.code.as_deref()), (429, Some("throttled")));
        let seconds: u64 = seen.head["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=20).contains(&seconds), "{seconds}");
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let detail = format!("Request was throttled. Expected available in {seconds} {unit}.");
        assert_eq!(seen.body, Some(json!({"detail": detail, "code": "throttled"})));
        assert_eq!(seen.head["ratelimit-policy"], "\"login\";q=3;w=60");
        assert_eq!(seen.head["ratelimit"], format!("\"login\";r=0;t={seconds}"));
    }
    let right = login(endpoint, "alice", PASSWORD).from(ELSEWHERE);
    assert_eq!(world.ask_of(&auth, endpoint, right).await.status, 200);
    // Variants of a name give no more attempts, and other names only those of the address.
    let variant = login(endpoint, " ALICE", PASSWORD).from(HERE);
    assert_eq!(world.ask_of(&auth, endpoint, variant).await.status, 429);
    let right = login(endpoint, "bob", PASSWORD).from(HERE);
    assert_eq!(world.ask_of(&auth, endpoint, right).await.status, 200);
    for status in [401, 401, 429] {
        let wrong = login(endpoint, "bob", "x").from(HERE);
        assert_eq!(world.ask_of(&auth, endpoint, wrong).await.status, status);
    }
    let right = login(endpoint, "bob", PASSWORD).from(HERE);
    let seen = world.ask_of(&auth, endpoint, right).await;
    assert_eq!(seen.head["ratelimit-policy"], "\"login_address\";q=8;w=3600");
}

#[tokio::test]
async fn a_known_device_is_not_concerned_by_the_failures_of_others() {
    for transport in [Transport::Header, Transport::Cookie] {
        let world = World::new(|settings| settings.transport = transport);
        let auth = throttled(&world);
        let (alices, _) = world.log_in("alice").await;
        let (bobs, bobs_access) = world.log_in("bob").await;
        let endpoint = Endpoint::TokenObtainPair;
        for _ in 0..3 {
            world.ask_of(&auth, endpoint, login(endpoint, "alice", "x").from(HERE)).await;
        }
        let with = |token: &str| {
            let ask = login(endpoint, "alice", PASSWORD).from(HERE);
            match transport {
                Transport::Cookie => ask.cookies(&[("__Secure-refresh", token)]),
                _ => ask.bearer(token),
            }
        };
        for not_alices in ["x", bobs.as_str(), &bobs_access] {
            let seen = world.ask_of(&auth, endpoint, with(not_alices)).await;
            assert_eq!(seen.status, 429, "{transport:?} {not_alices}");
        }
        assert_eq!(world.ask_of(&auth, endpoint, with(&alices)).await.status, 200);
        // Failures of the device are its own.
        let wrong = |token: &str| {
            let ask = login(endpoint, "alice", "x").from(HERE);
            match transport {
                Transport::Cookie => ask.cookies(&[("__Secure-refresh", token)]),
                _ => ask.bearer(token),
            }
        };
        for status in [401, 401, 401, 429] {
            let seen = world.ask_of(&auth, endpoint, wrong(&alices)).await;
            assert_eq!(seen.status, status, "{transport:?}");
        }
    }
}

#[tokio::test]
async fn what_is_good_or_was_is_never_throttled_but_at_a_login() {
    let world = World::new(|_| ());
    let auth = throttled(&world);
    let (refresh, access) = world.log_in("alice").await;
    let expired = world.expired_access();
    let verify =
        |token: &str| Ask::of(Endpoint::TokenVerify).json(&json!({"token": token})).from(HERE);
    for _ in 0..20 {
        assert_eq!(world.ask_of(&auth, Endpoint::TokenVerify, verify(&access)).await.status, 200);
        assert_eq!(world.ask_of(&auth, Endpoint::TokenVerify, verify(&expired)).await.status, 401);
    }
    for endpoint in [Endpoint::TokenVerify, Endpoint::TokenRefresh, Endpoint::Introspect] {
        for _ in 0..5 {
            world.ask_of(&auth, endpoint, failing(endpoint).from(HERE)).await;
        }
        assert_eq!(world.ask_of(&auth, endpoint, failing(endpoint).from(HERE)).await.status, 429);
    }
    assert_eq!(world.ask_of(&auth, Endpoint::TokenVerify, verify(&access)).await.status, 200);
    assert_eq!(world.ask_of(&auth, Endpoint::TokenVerify, verify(&expired)).await.status, 401);
    let asked = Ask::of(Endpoint::Introspect).by_client(&[("token", &access)]).from(HERE);
    assert_eq!(world.ask_of(&auth, Endpoint::Introspect, asked).await.status, 200);
    let good = Ask::of(Endpoint::TokenRefresh).json(&json!({"refresh": refresh})).from(HERE);
    assert_eq!(world.ask_of(&auth, Endpoint::TokenRefresh, good).await.status, 200);
}
