//! `authenticate/`, as gateways ask it.

use simplejwt::settings::RevocationMode;
use simplejwt::web::axum::RouterOptions;
use simplejwt::web::endpoint::{Authentication, GatewayOptions};
use simplejwt::{Access, Auth, Settings};

use super::web::{Answer, Unreachable, send};
use crate::world::{World, seconds, worlds};

const PATH: &str = "/api/token/authenticate/";

fn options(authentication: Authentication) -> RouterOptions {
    let gateway = GatewayOptions::default()
        .with_authentication(authentication)
        .with_header("X-Auth-Email", "email")
        .and_then(|options| options.with_header("X-Auth-Groups", "groups"))
        .unwrap();
    RouterOptions { gateway, ..RouterOptions::default() }
}

async fn ask(auth: &Auth, authentication: Authentication, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    send(auth, &options(authentication), ("GET", PATH), &headers, "").await
}

const BOTH: [Authentication; 2] = [Authentication::User, Authentication::Stateless];

#[tokio::test]
async fn a_good_token_passes_whatever_the_request_is() {
    for world in worlds(|_| ()).await {
        let access = world.log_in().await.access;
        let bearer = format!("Bearer {access}");
        let headers = [
            ("authorization", bearer.as_str()),
            // Those of the request behind the gateway.
            ("accept", "image/png"),
            ("content-type", "text/plain"),
            ("x-auth-user", "2"),
            ("x-auth-email", "root@example.org"),
        ];
        let paths = [
            PATH,
            "/api/token/authenticate",
            "/api/token/authenticate/orders/7",
            "/api/token/authenticate//",
            "/api/token/authenticate/api/token/blacklist/",
            "/api/token/authenticate/?format=xml",
        ];
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
            for path in paths {
                let options = options(Authentication::User);
                let answer = send(&world.auth, &options, (method, path), &headers, "{").await;
                assert_eq!(answer.status, 204, "{method} {path}");
                assert_eq!(answer.body, "");
                assert_eq!(answer.header("x-auth-user"), Some("1"));
                assert_eq!(answer.header("x-auth-email"), Some(""), "not what was sent");
                assert_eq!(answer.header("cache-control"), Some("no-store"));
                assert_eq!(answer.header("content-type"), None);
            }
        }
    }
}

#[tokio::test]
async fn whatever_is_wrong_is_a_401_with_a_challenge_and_no_identity() {
    for world in worlds(|_| ()).await {
        let pair = world.log_in().await;
        let forged = format!("{}x", pair.access);
        let nobody = world.auth.tokens().issue::<Access>("");
        let nobody = world.auth.tokens().encode(&nobody).unwrap();
        for authentication in BOTH {
            for token in ["", "x", &forged, &pair.refresh, &nobody, "a b"] {
                for path in [PATH, "/api/token/authenticate", "/api/token/authenticate/x"] {
                    let bearer = format!("Bearer {token}");
                    let headers = [("authorization", bearer.as_str())];
                    let options = options(authentication);
                    let answer = send(&world.auth, &options, ("GET", path), &headers, "").await;
                    assert_eq!(answer.status, 401, "{path} {token}");
                    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
                    assert_eq!(answer.header("x-auth-user"), None);
                    assert_eq!(answer.header("location"), None);
                }
            }
            let none = send(&world.auth, &options(authentication), ("GET", PATH), &[], "").await;
            assert_eq!(none.status, 401);
        }
        world.advance(seconds(301));
        for authentication in BOTH {
            assert_eq!(ask(&world.auth, authentication, &pair.access).await.status, 401);
        }
    }
}

#[tokio::test]
async fn claims_go_into_headers_and_can_make_none_of_their_own() {
    for world in worlds(|_| ()).await {
        let token = world.auth.tokens().issue_with::<Access>("1", |claims| {
            claims.set("email", "zoë\r\nX-Auth-User: 2").unwrap();
            claims.set("groups", ["staff", "a,b"]).unwrap();
        });
        let token = world.auth.tokens().encode(&token).unwrap();
        let answer = ask(&world.auth, Authentication::Stateless, &token).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("x-auth-email"), Some("zo%C3%AB%0D%0AX-Auth-User: 2"));
        assert_eq!(answer.header("x-auth-groups"), Some("staff,a%2Cb"));
        assert_eq!(answer.headers.get_all("x-auth-user").iter().count(), 1);
        assert_eq!(answer.header("x-auth-user"), Some("1"));
    }
}

#[tokio::test]
async fn the_users_row_counts_unless_the_token_alone_does() {
    for world in worlds(|_| ()).await {
        let access = world.log_in().await.access;
        world.change("alice", |user| user.is_active = false).await;
        assert_eq!(ask(&world.auth, Authentication::User, &access).await.status, 401);
        assert_eq!(ask(&world.auth, Authentication::Stateless, &access).await.status, 204);
        let lost = world.auth.clone().with_users(Unreachable);
        let answer = ask(&lost, Authentication::User, &access).await;
        assert_eq!((answer.status, answer.header("x-auth-user")), (503, None));
        assert_eq!(ask(&lost, Authentication::Stateless, &access).await.status, 204);
        world.users.remove("alice");
        assert_eq!(ask(&world.auth, Authentication::User, &access).await.status, 401);
        let without = Auth::new(world.auth.tokens().clone());
        assert_eq!(ask(&without, Authentication::User, &access).await.status, 500, "a fault");
        assert_eq!(ask(&without, Authentication::Stateless, &access).await.status, 204);
    }
}

async fn logged_out(world: &World, refresh: &str) {
    world.auth.log_out_with(refresh).await.unwrap();
    world.auth.poll_revocations().await.unwrap();
}

#[tokio::test]
async fn an_ended_session_and_a_lost_feed_stop_requests() {
    let feed = |settings: &mut Settings| {
        settings.sessions.session_claim = true;
        settings.sessions.revocation = RevocationMode::Feed;
    };
    for world in worlds(feed).await {
        let (pair, other) = (world.log_in().await, world.log_in().await);
        for authentication in BOTH {
            let unheard = ask(&world.auth, authentication, &pair.access).await;
            assert_eq!(unheard.status, 503);
            assert!(unheard.header("retry-after").is_some());
        }
        world.auth.poll_revocations().await.unwrap();
        assert_eq!(ask(&world.auth, Authentication::Stateless, &pair.access).await.status, 204);
        logged_out(&world, &pair.refresh).await;
        for authentication in BOTH {
            assert_eq!(ask(&world.auth, authentication, &pair.access).await.status, 401);
            assert_eq!(ask(&world.auth, authentication, &other.access).await.status, 204);
        }
    }
}

#[tokio::test]
async fn at_another_prefix_and_alone() {
    for world in worlds(|_| ()).await {
        let bearer = format!("Bearer {}", world.log_in().await.access);
        for (prefix, path) in [("/", "/authenticate"), ("/auth/", "/auth/authenticate/x")] {
            let options = RouterOptions { prefix: prefix.into(), ..RouterOptions::default() };
            let headers = [("authorization", bearer.as_str())];
            let answer = send(&world.auth, &options, ("GET", path), &headers, "").await;
            assert_eq!(answer.status, 204, "{path}");
        }
    }
}
