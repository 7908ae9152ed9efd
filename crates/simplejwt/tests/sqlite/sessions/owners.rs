//! Whose a session is: a token that names another user's is refused wherever it is presented.

use simplejwt::service::{Revoking, Scope};
use simplejwt::settings::RevocationMode;
use simplejwt::store::session::{EndReason, SessionSelector};
use simplejwt::{Access, Error, Refresh, TokenError, TokenType};

use crate::world::{Pair, World, alice, credentials, jti, seconds, worlds};

/// A token of bob's with alice's session in it, as only a faulty issuer with the key can make.
fn of_bob<T: TokenType>(world: &World, session: &str) -> String {
    let tokens = world.auth.tokens();
    let token = tokens.issue_with::<T>("2", |claims| claims.set("sid", session).unwrap());
    tokens.encode(&token).unwrap()
}

fn is_invalid<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::Token(TokenError::Invalid))), "{outcome:?}");
}

#[tokio::test]
async fn a_session_of_another_user_is_neither_joined_nor_ended_nor_revived() {
    for world in worlds(|settings| {
        settings.sessions.session_claim = true;
        settings.sessions.revocation = RevocationMode::Strict;
        settings.sessions.rotation_grace = seconds(10);
    })
    .await
    {
        let pair = world.log_in().await;
        let session = jti(&pair.refresh);
        let bobs = of_bob::<Refresh>(&world, &session);
        let auth = &world.auth;
        let name = world.name();
        for _ in 0..2 {
            is_invalid(auth.refresh(&bobs).await);
            is_invalid(auth.log_out_with(&bobs).await);
            is_invalid(auth.blacklist(&bobs).await);
            is_invalid(auth.caller_of_refresh(&bobs).await);
            assert_eq!(auth.revoke(&bobs).await.unwrap(), Revoking::NotGood);
            assert!(auth.introspect(&bobs).await.unwrap().is_none(), "{name}");
        }
        let access = of_bob::<Access>(&world, &session);
        assert!(auth.authenticate(&access).await.is_err(), "{name}: bob has no such session");
        assert!(auth.introspect(&access).await.unwrap().is_none(), "{name}");
        let lenient =
            world.node(|settings| settings.sessions.revocation = RevocationMode::Stateless);
        let access = lenient.authenticate(&access).await.unwrap();
        let caller = lenient.caller(&access).unwrap();
        is_invalid(lenient.log_out(&caller, Scope::This).await);
        assert!(world.store.session_of(&jti(&bobs), None).await.unwrap().is_none());
        assert!(!world.store.is_blacklisted(&jti(&bobs)).await.unwrap());
        assert_eq!(world.live().await, 1, "{name}");
        let next = world.next(&pair.refresh).await;
        // Nor does a changed password of bob's or an inactive bob end it.
        world.change("bob", |user| user.is_active = false).await;
        let refused = auth.refresh(&bobs).await;
        assert!(refused.is_err(), "{name}");
        world.change("bob", |user| user.is_active = true).await;
        assert_eq!(world.live().await, 1, "{name}");
        let which = SessionSelector::One { id: session.clone(), user_id: Some(alice()) };
        assert_eq!(auth.end_sessions(which, EndReason::Logout).await.unwrap(), 1);
        is_invalid(auth.refresh(&bobs).await);
        world.assert_blacklisted(&next.refresh, "ended").await;
        let bob = Pair::from(auth.obtain_pair(&credentials("bob")).await.unwrap());
        world.next(&bob.refresh).await;
    }
}

#[tokio::test]
async fn who_was_deleted_is_known_by_their_sessions() {
    for world in worlds(|_| ()).await {
        let pair = world.log_in().await;
        world.users.remove("alice").unwrap();
        assert_eq!(world.auth.known_user(&alice()).await.unwrap(), alice());
        let all = || SessionSelector::All { user_id: alice(), except: None };
        assert_eq!(world.auth.end_sessions(all(), EndReason::Staff).await.unwrap(), 1);
        assert!(world.store.is_blacklisted(&jti(&pair.refresh)).await.unwrap());
        let unknown = world.auth.end_sessions(all(), EndReason::Staff).await;
        assert!(matches!(unknown, Err(Error::NoSuchUser)), "{}: {unknown:?}", world.name());
        let unknown = world.auth.known_user(&alice()).await;
        assert!(matches!(unknown, Err(Error::NoSuchUser)), "{}: {unknown:?}", world.name());
    }
}
