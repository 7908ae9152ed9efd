//! What is in the tokens, and what is kept of them.

use simplejwt::keys::{Algorithm, SigningKey};
use simplejwt::settings::TokenAtRest;
use simplejwt::{Error, TokenError};

use crate::world::{
    DAY, NOW, claims, credentials, jti, payload, seconds, worlds, worlds_of_tokens,
};

/// The payload as upstream writes it: names, order and nothing else.
fn upstream(kind: &str, lifetime: u64, at: i64, jti: &str) -> String {
    let exp = at + i64::try_from(lifetime).unwrap();
    format!(r#"{{"token_type":"{kind}","exp":{exp},"iat":{at},"jti":"{jti}","user_id":"1"}}"#)
}

#[tokio::test]
async fn without_the_session_claim_tokens_are_upstreams_byte_by_byte() {
    for world in worlds_of_tokens(|settings| settings.sessions.rotation_grace = seconds(10)).await {
        let mut pair = world.log_in().await;
        for _ in 0..3 {
            let now = world.auth.tokens().now().as_secs();
            let parts = |token: &str| (payload(token), jti(token));
            let (refresh, id) = parts(&pair.refresh);
            assert_eq!(refresh, upstream("refresh", DAY.as_secs(), now, &id));
            let (access, id) = parts(&pair.access);
            let expected = upstream("access", 300, now, &id);
            assert_eq!(
                claims(&pair.access),
                serde_json::from_str::<serde_json::Value>(&expected).unwrap()
            );
            assert_eq!(access.len(), expected.len());
            world.advance(seconds(30));
            pair = world.next(&pair.refresh).await;
        }
    }
}

#[tokio::test]
async fn with_the_session_claim_both_tokens_name_the_session_for_good() {
    for world in worlds(|settings| settings.sessions.session_claim = true).await {
        let mut pair = world.log_in().await;
        let session = jti(&pair.refresh);
        for _ in 0..3 {
            for token in [&pair.access, &pair.refresh] {
                assert_eq!(claims(token)["sid"], session.as_str(), "{}", world.name());
            }
            assert!(world.store.session(&session).await.unwrap().is_some());
            pair = world.next(&pair.refresh).await;
        }
    }
}

/// The setting was turned on while the session was open.
#[tokio::test]
async fn a_session_from_before_the_claim_gets_it_at_its_next_refresh() {
    for world in worlds_of_tokens(|settings| {
        settings.sessions.session_claim = true;
        settings.sessions.rotation_grace = seconds(10);
    })
    .await
    {
        let before = world.node(|settings| settings.sessions.session_claim = false);
        let first = before.obtain_pair(&credentials("alice")).await.unwrap().refresh.token;
        let second = before.refresh(&first).await.unwrap().refresh.unwrap().token;
        assert!(!payload(&second).contains("sid"));
        let pair = world.next(&second).await;
        for token in [&pair.access, &pair.refresh] {
            assert_eq!(claims(token)["sid"], jti(&first).as_str(), "{}", world.name());
        }
        assert_eq!(world.next(&second).await, pair, "a replay, too");
        assert_eq!(world.live().await, 1);
    }
}

#[tokio::test]
async fn redacted_tokens_are_worthless_and_replays_work_without_them() {
    for world in worlds(|settings| {
        settings.sessions.token_at_rest = TokenAtRest::Redacted;
        settings.sessions.rotation_grace = seconds(10);
    })
    .await
    {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await;
        world.advance(seconds(5));
        assert_eq!(world.next(&first).await, second, "{}", world.name());
        let third = world.next(&second.refresh).await;
        let stolen = third.refresh.rsplit_once('.').unwrap().0;
        for stored in [format!("{stolen}."), stolen.to_owned()] {
            let refused = world.auth.refresh(&stored).await;
            assert!(matches!(refused, Err(Error::Token(TokenError::Invalid))), "{refused:?}");
        }
        world.next(&third.refresh).await;
    }
}

/// What is stored has no signature in it.
#[tokio::test]
async fn redacted_rows_hold_no_signature() {
    use simplejwt::store::memory::MemoryStore;
    use std::sync::Arc;

    let [world, _] = worlds_of_tokens(|settings| {
        settings.sessions.token_at_rest = TokenAtRest::Redacted;
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let auth = world.auth.clone().with_shared_sessions(store.clone());
    let first = auth.obtain_pair(&credentials("alice")).await.unwrap().refresh.token;
    let second = auth.refresh(&first).await.unwrap().refresh.unwrap().token;
    for token in [first, second] {
        let (row, _) = store.get(&jti(&token)).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(row.token, format!("{signed}."));
        assert!(!row.token.contains(signature));
    }
}

#[tokio::test]
async fn a_replay_signed_anew_says_the_same() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    for world in worlds(|settings| {
        settings.algorithm = Algorithm::Es256;
        settings.signing_key = Some(key.as_str().into());
        let signing = SigningKey::parse(Algorithm::Es256, key.as_bytes(), false).unwrap();
        settings.verifying_key = signing.verifying_key().to_pem();
        settings.sessions.rotation_grace = seconds(10);
    })
    .await
    {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await;
        world.advance(seconds(7));
        let again = world.next(&first).await;
        assert_ne!(again, second, "ECDSA signs the same otherwise each time");
        for (one, other) in [(&again.access, &second.access), (&again.refresh, &second.refresh)] {
            assert_eq!(payload(one), payload(other));
        }
        // Either is the successor.
        let third = world.next(&again.refresh).await;
        assert_eq!(payload(&world.next(&second.refresh).await.refresh), payload(&third.refresh));
        assert_eq!(world.live().await, 1);
    }
}

#[tokio::test]
async fn a_sliding_token_is_a_session_that_slides() {
    for world in worlds(|settings| settings.sessions.lifetime = Some(seconds(600))).await {
        let token = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        assert_eq!(world.live().await, 1, "{}", world.name());
        world.advance(seconds(200));
        let slid = world.auth.refresh_sliding(&token).await.unwrap().token;
        assert_eq!(jti(&slid), jti(&token));
        assert_eq!(claims(&slid)["exp"], (NOW + seconds(500)).as_secs());
        world.advance(seconds(200));
        let slid = world.auth.refresh_sliding(&slid).await.unwrap().token;
        assert_eq!(claims(&slid)["exp"], (NOW + seconds(600)).as_secs(), "with its session");
        assert_eq!(world.live().await, 1, "{}", world.name());
    }
}

#[tokio::test]
async fn a_sliding_token_ends_with_its_session() {
    use simplejwt::settings::TokenClass;
    use simplejwt::store::session::{EndReason, SessionSelector};

    for world in worlds(|settings| settings.auth_token_classes = vec![TokenClass::Sliding]).await {
        let token = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        world.advance(seconds(60));
        let slid = world.auth.refresh_sliding(&token).await.unwrap().token;
        world.auth.authenticate(&slid).await.unwrap();
        let which = SessionSelector::One { id: jti(&token), user_id: None };
        assert_eq!(world.auth.end_sessions(which, EndReason::Staff).await.unwrap(), 1);
        for token in [&token, &slid] {
            let refused = world.auth.refresh_sliding(token).await;
            assert!(matches!(refused, Err(Error::Token(TokenError::Blacklisted))), "{refused:?}");
            assert!(world.auth.authenticate(token).await.is_err(), "{}", world.name());
        }
    }
}
