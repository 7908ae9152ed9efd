//! `revoke/`: a token is good no longer (RFC 7009).

use simplejwt::settings::{RevocationMode, SessionSettings, TokenClass};
use simplejwt::{Access, Auth, Error, Settings, TokenType};

use super::web::{FORM, SECRET, ask, basic, options, send};
use crate::world::{Pair, credentials, seconds, worlds, worlds_of_tokens};

const PATH: &str = "/api/token/revoke/";

async fn revoke(auth: &Auth, token: &str) {
    let answer = ask(auth, PATH, token).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn assert_unsupported(auth: &Auth, token: &str) {
    let answer = ask(auth, PATH, token).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(answer.json()["error"], "unsupported_token_type");
}

async fn is_good(auth: &Auth, access: &str) -> bool {
    match auth.authenticate(access).await {
        Ok(_) => true,
        Err(Error::TokenNotValid(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

fn with(revocation: RevocationMode) -> impl Fn(&mut Settings) {
    move |settings| {
        settings.sessions.session_claim = true;
        settings.sessions.revocation = revocation;
    }
}

#[tokio::test]
async fn a_refresh_token_takes_its_session_with_it() {
    for world in worlds(with(RevocationMode::Strict)).await {
        let (pair, other) = (world.log_in().await, world.log_in().await);
        revoke(&world.auth, &pair.refresh).await;
        world.assert_blacklisted(&pair.refresh, "revoked").await;
        assert!(!is_good(&world.auth, &pair.access).await, "{}", world.name());
        assert!(is_good(&world.auth, &other.access).await);
        assert_eq!(world.live().await, 1);
        revoke(&world.auth, &pair.refresh).await;
        world.next(&other.refresh).await;
    }
}

/// Who holds a spent token has missed its successor, or is a thief: either way it is over.
#[tokio::test]
async fn a_token_that_was_rotated_away_ends_the_session_too() {
    for world in worlds(|_| ()).await {
        let first = world.log_in().await;
        let second = world.next(&first.refresh).await;
        revoke(&world.auth, &first.refresh).await;
        world.assert_blacklisted(&second.refresh, "of the revoked session").await;
        assert_eq!(world.live().await, 0, "{}", world.name());
    }
}

#[tokio::test]
async fn an_access_token_is_revoked_alone_where_requests_look() {
    for revocation in [RevocationMode::Strict, RevocationMode::Feed] {
        for world in worlds(with(revocation)).await {
            let pair = world.log_in().await;
            let next = world.next(&pair.refresh).await;
            revoke(&world.auth, &next.access).await;
            world.auth.poll_revocations().await.unwrap();
            assert!(!is_good(&world.auth, &next.access).await, "{}", world.name());
            assert!(world.auth.introspect(&next.access).await.unwrap().is_none());
            assert!(is_good(&world.auth, &pair.access).await, "another of the session");
            world.next(&next.refresh).await;
            revoke(&world.auth, &next.access).await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_revoked_is_unsupported() {
    enum Invite {}
    impl TokenType for Invite {
        const NAME: &'static str = "invite";
        fn lifetime(_: &Settings) -> std::time::Duration {
            seconds(100)
        }
    }
    for world in worlds_of_tokens(|_| ()).await {
        let pair = world.log_in().await;
        assert_unsupported(&world.auth, &pair.access).await;
        assert!(is_good(&world.auth, &pair.access).await);
        let invite = world.auth.tokens().issue::<Invite>("1");
        assert_unsupported(&world.auth, &world.auth.tokens().encode(&invite).unwrap()).await;
        let without = world.node(|settings| {
            settings.token_blacklist = false;
            settings.blacklist_after_rotation = false;
        });
        assert_unsupported(&without, &pair.refresh).await;
        world.next(&pair.refresh).await;
    }
}

#[tokio::test]
async fn what_is_not_good_anyway_needs_nothing() {
    for world in worlds(|_| ()).await {
        let pair = world.log_in().await;
        let (forged, cut) = (format!("{}A", pair.refresh), pair.refresh.replace('.', ""));
        for token in ["x", "%00", &forged, &cut] {
            revoke(&world.auth, token).await;
        }
        assert_eq!(world.live().await, 1, "a forged token revokes nothing");
        let next = world.next(&pair.refresh).await;
        world.advance(seconds(301));
        revoke(&world.auth, &pair.access).await;
        world.advance(seconds(86_400));
        revoke(&world.auth, &next.refresh).await;
    }
}

#[tokio::test]
async fn a_hint_is_a_hint() {
    for world in worlds(|_| ()).await {
        let basic = basic(&format!("billing:{SECRET}"));
        let headers = [FORM, ("authorization", basic.as_str())];
        for hint in ["access_token", "refresh_token", "anything", ""] {
            let refresh = world.log_in().await.refresh;
            let body = format!("token_type_hint={hint}&token={refresh}");
            let answer = send(&world.auth, &options(), ("POST", PATH), &headers, &body).await;
            assert_eq!(answer.status, 200, "{hint}: {}", answer.body);
            world.assert_blacklisted(&refresh, hint).await;
        }
    }
}

#[tokio::test]
async fn without_sessions_the_blacklist_is_what_there_is() {
    for world in worlds(|_| ()).await {
        let without = world.node(|settings| {
            settings.sessions = SessionSettings { enabled: false, ..SessionSettings::default() };
        });
        let pair = Pair::from(without.obtain_pair(&credentials("alice")).await.unwrap());
        let next = without.refresh(&pair.refresh).await.unwrap().refresh.unwrap().token;
        revoke(&without, &pair.refresh).await;
        assert!(without.introspect(&next).await.unwrap().is_some(), "nothing ties them together");
        revoke(&without, &next).await;
        assert!(without.refresh(&next).await.is_err());
        assert_unsupported(&without, &pair.access).await;
    }
}

#[tokio::test]
async fn sliding_tokens_and_tokens_without_a_kind() {
    let sliding = |settings: &mut Settings| settings.auth_token_classes = vec![TokenClass::Sliding];
    for world in worlds(sliding).await {
        let token = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        assert!(is_good(&world.auth, &token).await);
        revoke(&world.auth, &token).await;
        assert!(!is_good(&world.auth, &token).await, "{}", world.name());
        assert!(world.auth.refresh_sliding(&token).await.is_err());
    }
    let change = |settings: &mut Settings| {
        with(RevocationMode::Strict)(settings);
        settings.token_type_claim = None;
    };
    for world in worlds(change).await {
        let pair = world.log_in().await;
        let alone = world.auth.tokens().issue::<Access>("1");
        let alone = world.auth.tokens().encode(&alone).unwrap();
        for token in [&pair.refresh, &alone] {
            assert!(is_good(&world.auth, token).await);
            revoke(&world.auth, token).await;
            assert!(!is_good(&world.auth, token).await, "{}", world.name());
            assert!(world.auth.refresh(token).await.is_err(), "{}", world.name());
        }
    }
}
