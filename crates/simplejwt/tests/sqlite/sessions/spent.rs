//! What a spent refresh token comes to: within the tolerance, within the grace, and later; at the
//! refresh and at the logout.

use std::time::Duration;

use simplejwt::service::{Revoking, Scope};
use simplejwt::store::session::Client;
use simplejwt::{Error, TokenError};

use crate::world::{Pair, World, alice, claims, jti, seconds, worlds, worlds_of_tokens};

const GRACE: Duration = Duration::from_secs(10);
const TOLERANCE: Duration = Duration::from_secs(10);
const MICROSECOND: Duration = Duration::from_micros(1);

/// Upstream refuses the losers and lets the winner go on; so does this by default.
#[tokio::test]
async fn those_that_refresh_at_once_lose_nothing_but_their_call() {
    for world in worlds(|_| ()).await {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await.refresh;
        for micros in [0, 1, 300_000, 5_000_000] {
            world.advance(Duration::from_micros(micros));
            world.assert_blacklisted(&first, "as upstream").await;
        }
        let third = world.next(&second).await.refresh;
        world.assert_blacklisted(&second, "as upstream").await;
        assert_eq!(world.live().await, 1, "{}", world.name());
        world.advance(TOLERANCE - MICROSECOND);
        world.assert_blacklisted(&second, "the last moment").await;
        let fourth = world.next(&third).await.refresh;
        world.advance(MICROSECOND);
        world.assert_blacklisted(&second, "theft").await;
        assert_eq!(world.live().await, 0, "{}", world.name());
        world.assert_blacklisted(&fourth, "its family").await;
        assert_eq!(world.end_reason().as_deref().unwrap_or("reuse"), "reuse");
    }
}

#[tokio::test]
async fn without_a_tolerance_the_first_is_theft() {
    for world in worlds(|settings| settings.sessions.reuse_tolerance = Duration::ZERO).await {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await.refresh;
        world.assert_blacklisted(&first, "theft").await;
        world.assert_blacklisted(&second, "its family").await;
    }
}

/// What Django spent: its rotation leaves no successor here.
#[tokio::test]
async fn what_django_spent_is_tolerated_as_long() {
    for world in worlds_of_tokens(|_| ()).await {
        let django = world.node(|settings| settings.sessions.enabled = false);
        let first = world.log_in().await.refresh;
        let theirs = django.refresh(&first).await.unwrap().refresh.unwrap().token;
        world.advance(TOLERANCE - MICROSECOND);
        world.assert_blacklisted(&first, "the last moment").await;
        let session = world.store.session(&jti(&first)).await.unwrap().unwrap();
        assert_eq!(session.ended_at, None, "{}", world.name());
        world.next(&theirs).await;
        world.advance(MICROSECOND);
        world.assert_blacklisted(&first, "theft").await;
        let session = world.store.session(&jti(&first)).await.unwrap().unwrap();
        assert!(session.ended_at.is_some(), "{}", world.name());
    }
}

#[tokio::test]
async fn a_pair_answered_again_never_holds_an_expired_access_token() {
    for leeway in [0, 100] {
        for world in worlds(|settings| {
            settings.access_token_lifetime = seconds(5);
            settings.sessions.rotation_grace = seconds(60);
            settings.leeway = seconds(leeway);
        })
        .await
        {
            let first = world.log_in().await.refresh;
            let second = world.next(&first).await;
            world.advance(seconds(5) - MICROSECOND);
            assert_eq!(world.next(&first).await, second, "it hasn't expired");
            world.advance(MICROSECOND);
            let again = world.next(&first).await;
            assert_eq!(again.refresh, second.refresh, "the pair is the same");
            assert_ne!(jti(&again.access), jti(&second.access));
            let now = world.auth.tokens().now().as_secs();
            let (old, new) = (claims(&second.access), claims(&again.access));
            assert_eq!((new["iat"].as_i64(), new["exp"].as_i64()), (Some(now), Some(now + 5)));
            let names = |claims: &serde_json::Value| {
                claims.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(names(&old), names(&new));
            assert_eq!(new["user_id"], old["user_id"]);
            world.auth.authenticate(&again.access).await.unwrap();
            // Of an ancestor, too.
            let third = world.next(&second.refresh).await;
            world.advance(seconds(7));
            let again = world.next(&first).await;
            assert_eq!(again.refresh, third.refresh);
            world.auth.authenticate(&again.access).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_fresh_access_token_ends_with_its_session() {
    for world in worlds(|settings| {
        settings.access_token_lifetime = seconds(5);
        settings.sessions.lifetime = Some(seconds(20));
        settings.sessions.rotation_grace = seconds(60);
    })
    .await
    {
        let first = world.log_in().await.refresh;
        let opened = world.auth.tokens().now().as_secs();
        world.next(&first).await;
        world.advance(seconds(18));
        let again = world.next(&first).await;
        assert_eq!(claims(&again.access)["exp"].as_i64(), Some(opened + 20));
        world.advance(seconds(2));
        let refused = world.auth.refresh(&first).await;
        assert!(matches!(refused, Err(Error::Token(TokenError::Expired))), "{refused:?}");
        assert_eq!(world.live().await, 0, "{}", world.name());
    }
}

/// Django changed the password, or `CHECK_REVOKE_TOKEN` has it in the token.
#[tokio::test]
async fn a_changed_password_comes_before_a_repeated_pair() {
    for in_token in [false, true] {
        for world in worlds(|settings| {
            settings.sessions.rotation_grace = GRACE;
            settings.check_revoke_token = in_token;
        })
        .await
        {
            let first = world.log_in().await.refresh;
            let second = world.next(&first).await.refresh;
            let third = world.next(&second).await.refresh;
            world.set_password("alice", "another").await;
            let refused = world.auth.refresh(&first).await;
            match &refused {
                Err(Error::PasswordChanged) if !in_token => {}
                Err(Error::Token(TokenError::Blacklisted)) if in_token => {}
                _ => panic!("{}: {refused:?}", world.name()),
            }
            assert_eq!(world.end_reason().as_deref().unwrap_or("password"), "password");
            for token in [&first, &second, &third] {
                assert!(world.auth.refresh(token).await.is_err());
            }
            assert_eq!(world.live().await, 0, "{}", world.name());
        }
    }
}

#[tokio::test]
async fn an_inactive_user_gets_no_repeated_pair_and_keeps_no_session() {
    for world in worlds(|settings| settings.sessions.rotation_grace = GRACE).await {
        let other = world.log_in().await.refresh;
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await.refresh;
        world.change("alice", |user| user.is_active = false).await;
        world.assert_blacklisted(&first, "as upstream").await;
        assert_eq!(world.live().await, 0, "{}", world.name());
        world.change("alice", |user| user.is_active = true).await;
        for token in [first, second, other] {
            world.assert_blacklisted(&token, "ended").await;
        }
    }
}

/// Ways to log out by a refresh token.
const WAYS: [&str; 4] = ["log out", "blacklist", "revoke", "as the caller"];

async fn log_out(world: &World, way: &str, token: &str) -> Result<(), Error> {
    let auth = &world.auth;
    match way {
        "log out" => auth.log_out_with(token).await.map(|ended| assert_eq!(ended, 1)),
        "blacklist" => auth.blacklist(token).await,
        "revoke" => match auth.revoke(token).await? {
            Revoking::Revoked => Ok(()),
            Revoking::NotGood => Err(TokenError::Blacklisted.into()),
            Revoking::Unsupported => panic!("there is a blacklist"),
        },
        _ => {
            let caller = auth.caller_of_refresh(token).await?;
            auth.log_out(&caller, Scope::This).await.map(|ended| assert_eq!(ended, 1))
        }
    }
}

#[tokio::test]
async fn a_logout_by_a_spent_token_ends_its_session() {
    for (grace, later) in [(GRACE, 0), (GRACE, 9), (Duration::ZERO, 0), (Duration::ZERO, 3600)] {
        for world in worlds(|settings| settings.sessions.rotation_grace = grace).await {
            for way in WAYS {
                let other = world.log_in().await.refresh;
                let first = world.log_in().await.refresh;
                let second = world.next(&first).await.refresh;
                let third = world.next(&second).await.refresh;
                world.advance(seconds(later));
                log_out(&world, way, &first).await.unwrap();
                let name = world.name();
                for token in [&first, &second, &third] {
                    world.assert_blacklisted(token, way).await;
                    let refused = log_out(&world, way, token).await;
                    assert!(
                        matches!(refused, Err(Error::Token(TokenError::Blacklisted))),
                        "{name}, {way}: {refused:?}"
                    );
                }
                assert_eq!(world.live().await, 1, "{name}, {way}: the other one goes on");
                world.auth.log_out_with(&other).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_spent_token_is_worth_no_more_than_its_session() {
    for (grace, may) in [(GRACE, true), (Duration::ZERO, false)] {
        for world in worlds(|settings| settings.sessions.rotation_grace = grace).await {
            for scope in [Scope::Others, Scope::All] {
                let other = world.log_in().await.refresh;
                let first = world.log_in().await.refresh;
                world.next(&first).await;
                let caller = world.auth.caller_of_refresh(&first).await.unwrap();
                let outcome = world.auth.log_out(&caller, scope).await;
                if may {
                    assert!(outcome.unwrap() > 0);
                    world.assert_blacklisted(&other, "ended").await;
                } else {
                    assert!(matches!(outcome, Err(Error::Token(TokenError::Blacklisted))));
                    world.next(&other).await;
                }
                let which = simplejwt::store::session::SessionSelector::All {
                    user_id: alice(),
                    except: None,
                };
                let reason = simplejwt::store::session::EndReason::Staff;
                world.auth.end_sessions(which, reason).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_logout_that_ends_nothing_never_says_success() {
    for world in worlds(|settings| settings.sessions.session_claim = true).await {
        let pair = world.log_in().await;
        let access = world.auth.authenticate(&pair.access).await.unwrap();
        let caller = world.auth.caller(&access).unwrap();
        assert_eq!(world.auth.log_out(&caller, Scope::This).await.unwrap(), 1);
        // At the same moment it would be the same logout, whose answer got lost.
        assert_eq!(world.auth.log_out(&caller, Scope::This).await.unwrap(), 1);
        world.advance(seconds(1));
        let again = world.auth.log_out(&caller, Scope::This).await;
        assert!(matches!(again, Err(Error::Token(TokenError::Blacklisted))), "{again:?}");
        let mut nowhere = caller.clone();
        nowhere.session = Some("nowhere".into());
        let unknown = world.auth.log_out(&nowhere, Scope::This).await;
        assert!(matches!(unknown, Err(Error::SessionUnknown)), "{unknown:?}");
    }
}

/// An administrator deletes rows in Django's admin.
#[tokio::test]
async fn a_live_token_whose_row_was_deleted_is_refreshed() {
    for world in worlds_of_tokens(|settings| settings.sessions.rotation_grace = GRACE).await {
        let first = world.log_in().await.refresh;
        let everything = world.auth.tokens().now() + seconds(1_000_000);
        let delete_all = async || {
            assert!(world.forget_until(everything).await > 0);
        };
        delete_all().await;
        let second = world.next(&first).await;
        delete_all().await;
        assert_eq!(world.next(&first).await, second, "spent, and within the grace");
        let third = world.next(&second.refresh).await;
        delete_all().await;
        world.advance(GRACE);
        world.assert_blacklisted(&first, "spent, whatever the tables say").await;
        world.assert_blacklisted(&third.refresh, "its family").await;
    }
}

/// Within the leeway, after Django's `flushexpiredtokens`.
#[tokio::test]
async fn what_a_flush_may_have_forgotten_is_refused() {
    for world in worlds_of_tokens(|settings| {
        settings.refresh_token_lifetime = seconds(100);
        settings.leeway = seconds(600);
    })
    .await
    {
        let django = world.node(|settings| settings.sessions.enabled = false);
        let unseen =
            django.obtain_pair(&crate::world::credentials("alice")).await.unwrap().refresh.token;
        let kept = world.log_in().await.refresh;
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await.refresh;
        // Django blacklists it, and both rows are flushed with their expiry.
        django.blacklist(&second).await.unwrap();
        world.advance(seconds(101));
        let kept = world.next(&kept).await.refresh;
        assert!(world.forget_until(world.auth.tokens().now()).await >= 3);
        for token in [&second, &unseen] {
            let refused = world.auth.refresh(token).await;
            assert!(matches!(refused, Err(Error::Token(TokenError::Expired))), "{refused:?}");
        }
        world.next(&kept).await;
    }
}

#[tokio::test]
async fn the_pair_is_the_same_where_the_claims_are() {
    for world in worlds_of_tokens(|settings| {
        settings.sessions.session_claim = true;
        settings.sessions.lifetime = Some(crate::world::DAY);
        settings.sessions.rotation_grace = GRACE;
    })
    .await
    {
        let before = world.node(|settings| settings.sessions.session_claim = false);
        let first =
            before.obtain_pair(&crate::world::credentials("alice")).await.unwrap().refresh.token;
        let mut line = vec![first];
        let mut newest = None;
        for _ in 0..5 {
            world.advance(seconds(1));
            let pair = world.next(line.last().unwrap()).await;
            line.push(pair.refresh.clone());
            newest = Some(pair);
        }
        line.pop();
        for token in line {
            let from = world.auth.from_client(Client::new(Some("192.0.2.9"), None));
            let again = Pair::from(from.refresh(&token).await.unwrap());
            assert_eq!(Some(again), newest);
        }
    }
}

/// What Django has blacklisted can't be blacklisted once more, as there; its session ends.
#[tokio::test]
async fn what_django_blacklisted_is_blacklisted_already() {
    for world in worlds_of_tokens(|_| ()).await {
        let django = world.node(|settings| settings.sessions.enabled = false);
        let token = world.log_in().await.refresh;
        let unseen =
            django.obtain_pair(&crate::world::credentials("alice")).await.unwrap().refresh.token;
        for token in [&token, &unseen] {
            django.blacklist(token).await.unwrap();
            world.assert_blacklisted(token, "as Django says").await;
            let again = world.auth.blacklist(token).await;
            assert!(matches!(again, Err(Error::Token(TokenError::Blacklisted))), "{again:?}");
        }
        assert_eq!(world.live().await, 0);
    }
}
