//! `introspect/`: what a token is worth (RFC 7662).

use serde_json::{Value, json};
use simplejwt::service::Auth;
use simplejwt::settings::{Audience, TokenClass};
use simplejwt::store::memory::MemoryStore;
use simplejwt::store::session::{EndReason, SessionSelector};
use simplejwt::{Access, Refresh, Settings, Sliding, TokenType};

use super::web::{Unreachable, ask, ask_with, options_for};
use crate::world::{World, alice, claims, credentials, seconds, worlds, worlds_of_tokens};

const PATH: &str = "/api/token/introspect/";

async fn introspect(auth: &Auth, token: &str) -> Value {
    let answer = ask(auth, PATH, token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn assert_inactive(auth: &Auth, token: &str, why: &str) {
    let answer = ask(auth, PATH, token).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"active":false}"#), "{why}");
}

async fn is_active(auth: &Auth, token: &str) -> bool {
    introspect(auth, token).await["active"].as_bool().unwrap()
}

fn named(settings: &mut Settings) {
    settings.sessions.session_claim = true;
}

#[tokio::test]
async fn what_is_said_of_a_good_token() {
    let change = |settings: &mut Settings| {
        named(settings);
        settings.issuer = Some("https://example.org".into());
        settings.audience = Some(Audience::Many(vec!["a".into(), "b".into()]));
    };
    for world in worlds(change).await {
        let pair = world.log_in().await;
        for (token, kind) in [(&pair.access, "access"), (&pair.refresh, "refresh")] {
            let own = claims(token);
            let mut expected = json!({
                "active": true, "sub": "1", "username": "alice", "exp": own["exp"],
                "iat": own["iat"], "aud": ["a", "b"], "iss": "https://example.org",
                "jti": own["jti"], "sid": own["sid"], "simplejwt_token_type": kind,
            });
            if kind == "access" {
                expected["token_type"] = "Bearer".into();
            }
            assert_eq!(introspect(&world.auth, token).await, expected, "{kind}");
        }
        let more = world.auth.tokens().issue_with::<Access>("1", |claims| {
            claims.set("scope", ["read", "write"]).unwrap();
            claims.set("client_id", "web").unwrap();
            claims.set("nbf", 1).unwrap();
            claims.set("secret_of_ours", "hidden").unwrap();
            claims.set("active", false).unwrap();
        });
        let more = world.auth.tokens().encode(&more).unwrap();
        // One of ours that names no session.
        let said = introspect(&world.auth, &more).await;
        assert_eq!((&said["scope"], &said["client_id"]), (&json!("read write"), &json!("web")));
        assert_eq!((&said["nbf"], &said["active"]), (&json!(1), &json!(true)));
        assert_eq!(said.get("secret_of_ours"), None);
    }
}

#[tokio::test]
async fn what_is_not_good_is_inactive_and_nothing_more() {
    enum Invite {}
    impl TokenType for Invite {
        const NAME: &'static str = "invite";
        fn lifetime(_: &Settings) -> std::time::Duration {
            seconds(100)
        }
    }
    for world in worlds(named).await {
        let pair = world.log_in().await;
        let tokens = world.auth.tokens();
        let invite = tokens.encode(&tokens.issue::<Invite>("1")).unwrap();
        let unknown_user = tokens.encode(&tokens.issue::<Access>("77")).unwrap();
        let mut forged = pair.access.clone();
        forged.push('A');
        for (token, why) in [
            ("x", "no token"),
            (forged.as_str(), "signature"),
            (&invite, "an application's own kind"),
            (&unknown_user, "a user who isn't there"),
        ] {
            assert_inactive(&world.auth, token, why).await;
        }
        let next = world.next(&pair.refresh).await;
        assert_inactive(&world.auth, &pair.refresh, "rotated away").await;
        assert!(is_active(&world.auth, &next.refresh).await);
        assert!(is_active(&world.auth, &pair.access).await);
        world.change("alice", |user| user.is_active = false).await;
        for token in [&next.refresh, &next.access] {
            assert_inactive(&world.auth, token, "inactive user").await;
        }
        world.change("alice", |user| user.is_active = true).await;
        assert!(is_active(&world.auth, &next.refresh).await);
        world.advance(seconds(301));
        assert_inactive(&world.auth, &next.access, "expired").await;
        assert!(is_active(&world.auth, &next.refresh).await);
        world.advance(seconds(86_400));
        assert_inactive(&world.auth, &next.refresh, "expired").await;
    }
}

#[tokio::test]
async fn an_ended_session_shows_at_once_also_where_requests_go_by_the_token_alone() {
    for world in worlds(named).await {
        let (pair, other) = (world.log_in().await, world.log_in().await);
        world.auth.blacklist(&pair.refresh).await.unwrap();
        for token in [&pair.access, &pair.refresh] {
            assert_inactive(&world.auth, token, "logged out").await;
        }
        assert!(is_active(&world.auth, &other.access).await, "{}", world.name());
        // One that was issued elsewhere, in that session, and hasn't been seen here.
        let session = claims(&pair.refresh)["sid"].clone();
        let unseen = world.auth.tokens().issue_with::<Refresh>("1", |claims| {
            claims.set("sid", &session).unwrap();
        });
        let unseen = world.auth.tokens().encode(&unseen).unwrap();
        assert_inactive(&world.auth, &unseen, "names an ended session").await;
        let which = SessionSelector::All { user_id: alice(), except: None };
        world.auth.end_sessions(which, EndReason::Staff).await.unwrap();
        assert_inactive(&world.auth, &other.access, "all ended").await;
        assert_inactive(&world.auth, &other.refresh, "all ended").await;
    }
}

/// Its session would be ended by the next refresh.
#[tokio::test]
async fn a_session_that_idled_or_lasted_too_long_is_over() {
    let (idle, lifetime) = (Some(seconds(1_000)), Some(seconds(1_500)));
    for world in worlds(|settings| {
        settings.sessions.idle_lifetime = idle;
        settings.sessions.lifetime = lifetime;
    })
    .await
    {
        let first = world.log_in().await;
        world.advance(seconds(999));
        assert!(is_active(&world.auth, &first.refresh).await);
        let second = world.next(&first.refresh).await;
        world.advance(seconds(500));
        assert!(is_active(&world.auth, &second.refresh).await);
        world.advance(seconds(1));
        assert_inactive(&world.auth, &second.refresh, "lasted too long").await;
        let idle = world.log_in().await;
        world.advance(seconds(1_000));
        assert_inactive(&world.auth, &idle.refresh, "idle").await;
    }
}

#[tokio::test]
async fn the_password_counts_where_tokens_carry_its_fingerprint() {
    for world in worlds(|settings| settings.check_revoke_token = true).await {
        let pair = world.log_in().await;
        assert!(is_active(&world.auth, &pair.access).await);
        world.set_password("alice", "another").await;
        for token in [&pair.access, &pair.refresh] {
            assert_inactive(&world.auth, token, "password changed").await;
        }
    }
}

#[tokio::test]
async fn sliding_tokens_and_tokens_without_a_kind() {
    let sliding = |settings: &mut Settings| settings.auth_token_classes = vec![TokenClass::Sliding];
    for world in worlds(sliding).await {
        let token = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        let said = introspect(&world.auth, &token).await;
        assert_eq!((&said["token_type"], &said["active"]), (&json!("Bearer"), &json!(true)));
        assert_eq!(said["simplejwt_token_type"], "sliding");
        let access = world.auth.tokens().issue::<Access>("1");
        let access = world.auth.tokens().encode(&access).unwrap();
        let said = introspect(&world.auth, &access).await;
        assert_eq!(said.get("token_type"), None, "no route takes it");
    }
    for world in worlds(|settings| settings.token_type_claim = None).await {
        let pair = world.log_in().await;
        let said = introspect(&world.auth, &pair.refresh).await;
        assert_eq!((&said["token_type"], &said["active"]), (&json!("Bearer"), &json!(true)));
        assert_eq!(said.get("simplejwt_token_type"), None);
        world.auth.blacklist(&pair.refresh).await.unwrap();
        assert_inactive(&world.auth, &pair.refresh, "blacklisted").await;
    }
}

/// A claim of the same name that somebody else writes.
#[tokio::test]
async fn a_sid_that_is_not_ours_names_no_session() {
    for world in worlds_of_tokens(|_| ()).await {
        let tokens = world.auth.tokens();
        let access = tokens.issue_with::<Access>("1", |c| c.set("sid", "theirs").unwrap());
        assert!(is_active(&world.auth, &tokens.encode(&access).unwrap()).await);
        let refresh = tokens.issue_with::<Refresh>("1", |c| c.set("sid", "theirs").unwrap());
        assert!(is_active(&world.auth, &tokens.encode(&refresh).unwrap()).await);
    }
}

#[tokio::test]
async fn without_users_and_store_the_token_is_all_there_is() {
    for world in worlds_of_tokens(|_| ()).await {
        let pair = world.log_in().await;
        let plain = without_blacklist(&world);
        let said = introspect(&plain, &pair.access).await;
        assert_eq!((&said["active"], said.get("username")), (&json!(true), None));
        assert!(is_active(&plain, &pair.refresh).await);
        let slides = world.auth.tokens().issue::<Sliding>("1");
        assert!(is_active(&plain, &world.auth.tokens().encode(&slides).unwrap()).await);
    }
}

fn without_blacklist(world: &World) -> Auth {
    let settings = Settings {
        token_blacklist: false,
        rotate_refresh_tokens: false,
        blacklist_after_rotation: false,
        ..world.settings.clone()
    };
    let keys = settings.key_set().unwrap();
    Auth::new(simplejwt::Tokens::with(settings, keys, world.clock.clone()).unwrap())
}

#[tokio::test]
async fn a_store_that_fails_is_no_answer_about_the_token() {
    for world in worlds(|_| ()).await {
        let lost = world.auth.clone().with_users(Unreachable);
        let answer = ask(&lost, PATH, &world.log_in().await.access).await;
        assert_eq!(
            (answer.status, answer.json()),
            (503, json!({"error": "temporarily_unavailable"}))
        );
        assert!(answer.header("retry-after").is_some());
        assert_eq!(answer.header("www-authenticate"), None);
        let pair = world.log_in().await;
        let tokens = world.auth.tokens().clone();
        let missing = Auth::new(tokens.clone());
        let answer = ask(&missing, PATH, &pair.refresh).await;
        assert_eq!((answer.status, answer.json()), (501, json!({"error": "server_error"})));
        let other = Auth::new(tokens).with_sessions(MemoryStore::default());
        assert!(is_active(&other, &pair.refresh).await, "it has never heard of it");
    }
}

/// Most clients look at `active` alone before they let somebody in.
#[tokio::test]
async fn only_some_clients_are_told_of_refresh_tokens() {
    let plain = options_for(|client| client);
    for world in worlds(named).await {
        let pair = world.log_in().await;
        let answer = ask_with(&world.auth, &plain, PATH, &pair.refresh).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"active":false}"#));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = ask_with(&world.auth, &plain, PATH, &pair.access).await;
        assert_eq!(answer.json()["active"], true);
        assert!(is_active(&world.auth, &pair.refresh).await, "for a client with refresh_tokens");
        // It can still revoke it.
        assert_eq!(
            ask_with(&world.auth, &plain, "/api/token/revoke/", &pair.refresh).await.status,
            200
        );
        assert_inactive(&world.auth, &pair.refresh, "revoked").await;
        let sliding = world.auth.tokens().issue::<Sliding>("1");
        let sliding = world.auth.tokens().encode(&sliding).unwrap();
        assert_eq!(ask_with(&world.auth, &plain, PATH, &sliding).await.json()["active"], true);
    }
    // Where protected routes take refresh tokens, a client still has to be named for them.
    for world in worlds(|s| s.auth_token_classes = vec![TokenClass::Refresh]).await {
        let pair = world.log_in().await;
        let answer = ask_with(&world.auth, &plain, PATH, &pair.refresh).await;
        assert_eq!(answer.json(), json!({"active": false}));
    }
}

/// A client that keeps an answer until `exp` asks again after that time.
#[tokio::test]
async fn an_answer_lasts_no_longer_than_the_client_may_keep_it() {
    let brief = options_for(|client| client.with_introspection_max_age(seconds(60)));
    for world in worlds(named).await {
        let access = world.log_in().await.access;
        let told = async || ask_with(&world.auth, &brief, PATH, &access).await.json();
        let now = || simplejwt::Clock::now(&*world.clock).as_secs();
        let own = claims(&access)["exp"].as_i64().unwrap();
        assert_eq!(told().await["exp"], now() + 60);
        world.advance(seconds(235));
        assert_eq!(told().await["exp"], now() + 60);
        world.advance(seconds(5));
        assert_eq!(told().await["exp"], own);
        world.advance(seconds(30));
        let said = told().await;
        assert_eq!((&said["exp"], &said["iat"]), (&json!(own), &claims(&access)["iat"]));
        let fraction = world.auth.tokens().issue_with::<Access>("1", |claims| {
            let exp: serde_json::Value =
                serde_json::from_str(&format!("{}.5", now() + 30)).unwrap();
            claims.set("exp", exp).unwrap();
        });
        let fraction = world.auth.tokens().encode(&fraction).unwrap();
        let said = ask_with(&world.auth, &brief, PATH, &fraction).await.json();
        assert_eq!(said["exp"].as_f64(), Some(now() as f64 + 30.5), "unchanged");
    }
}
