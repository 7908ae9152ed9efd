//! What was revoked stays so for as long as any check could let it through: past purges of ours
//! and of Django's, with any leeway, and whatever the lifetimes are changed to.

mod random;

use simplejwt::event::Act;
use simplejwt::service::{Caller, Scope};
use simplejwt::settings::{RevocationMode, TokenClass};
use simplejwt::store::OutstandingToken;
use simplejwt::{Error, Settings, TokenError};

use crate::world::{
    DAY, NOW, Pair, World, alice, credentials, jti, seconds, worlds, worlds_of_tokens,
};

fn with_leeway(settings: &mut Settings) {
    settings.refresh_token_lifetime = seconds(3);
    settings.leeway = seconds(600);
}

/// Also of a token that was rotated into its session, and of one that is in none.
#[tokio::test]
async fn within_leeway_what_was_logged_out_stays_so() {
    for sessions in [true, false] {
        for world in worlds(|settings| {
            with_leeway(settings);
            settings.sessions.enabled = sessions;
        })
        .await
        {
            let spent = world.log_in().await.refresh;
            let last = world.next(&spent).await.refresh;
            world.auth.blacklist(&last).await.unwrap();
            for past in [4, 300, 298, 86_400] {
                world.advance(seconds(past));
                world.purge().await;
                for token in [&spent, &last] {
                    let refused = world.auth.refresh(token).await;
                    assert!(refused.is_err(), "{}: {refused:?}", world.name());
                    assert!(world.auth.verify(token).await.is_err(), "{}", world.name());
                }
                if past < 298 {
                    world.assert_blacklisted(&last, "within the leeway").await;
                }
            }
        }
    }
}

fn sliding(settings: &mut Settings) {
    settings.sliding_token_lifetime = seconds(4);
    settings.sliding_token_refresh_lifetime = seconds(3600);
    settings.auth_token_classes = vec![TokenClass::Sliding];
}

#[tokio::test]
async fn a_sliding_token_that_slid_stays_revoked() {
    for sessions in [true, false] {
        for world in worlds(|settings| {
            sliding(settings);
            settings.sessions.enabled = sessions;
        })
        .await
        {
            let first = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
            world.advance(seconds(2));
            let slid = world.auth.refresh_sliding(&first).await.unwrap().token;
            let _ = world.auth.revoke(&slid).await.unwrap();
            for _ in 0..3 {
                world.advance(seconds(1));
                world.purge().await;
                assert!(world.auth.authenticate(&slid).await.is_err(), "{}", world.name());
                assert!(world.auth.refresh_sliding(&first).await.is_err(), "{}", world.name());
                let refused = world.auth.refresh_sliding(&slid).await.unwrap_err();
                let blacklisted = matches!(refused, Error::Token(TokenError::Blacklisted));
                assert!(blacklisted, "{}: {refused:?}", world.name());
            }
        }
    }
}

/// The first `exp`, which the column keeps, is more than a day ago.
#[tokio::test]
async fn a_sliding_token_that_slid_for_days_stays_revoked() {
    for sessions in [true, false] {
        for world in worlds(|settings| {
            sliding(settings);
            settings.sliding_token_lifetime = seconds(20 * 3600);
            settings.sliding_token_refresh_lifetime = 5 * DAY;
            settings.sessions.enabled = sessions;
        })
        .await
        {
            let mut token = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
            for _ in 0..3 {
                // No purge in between: the row that is blacklisted is the first.
                world.advance(seconds(19 * 3600));
                token = world.auth.refresh_sliding(&token).await.unwrap().token;
            }
            let _ = world.auth.revoke(&token).await.unwrap();
            for _ in 0..3 {
                world.purge().await;
                let refused = world.auth.refresh_sliding(&token).await.unwrap_err();
                let blacklisted = matches!(refused, Error::Token(TokenError::Blacklisted));
                assert!(blacklisted, "{}: {refused:?}", world.name());
                assert!(world.auth.authenticate(&token).await.is_err(), "{}", world.name());
                world.advance(seconds(6 * 3600));
            }
        }
    }
}

/// The row says that it has expired, the token doesn't.
#[tokio::test]
async fn all_of_a_users_tokens_are_those_that_slid_too() {
    for world in worlds_of_tokens(sliding).await {
        let foreign = world.node(|settings| settings.sessions.enabled = false);
        let first = foreign.obtain_sliding(&credentials("alice")).await.unwrap().token;
        world.advance(seconds(3));
        let slid = foreign.refresh_sliding(&first).await.unwrap().token;
        world.advance(seconds(2));
        let caller = Caller { user_id: alice(), session: None, is_spent: false };
        world.auth.log_out(&caller, Scope::All).await.unwrap();
        if let Some(user) = registered_user(&world) {
            assert_eq!(user, "1");
        }
        assert!(world.auth.authenticate(&slid).await.is_err(), "{}", world.name());
        assert!(world.auth.refresh_sliding(&slid).await.is_err(), "{}", world.name());
    }
}

fn registered_user(world: &World) -> Option<String> {
    let sql = "SELECT CAST(user_id AS text) FROM token_blacklist_outstandingtoken LIMIT 1";
    world.raw().map(|raw| raw.query_one(sql, [], |row| row.get(0)).unwrap())
}

/// Upstream's `TokenVerifySerializer` asks for any token's id.
#[tokio::test]
async fn verify_knows_access_tokens_on_the_blacklist() {
    for world in worlds_of_tokens(|_| ()).await {
        let access = world.log_in().await.access;
        world.auth.verify(&access).await.unwrap();
        let row = OutstandingToken {
            jti: jti(&access),
            token: access.clone(),
            user_id: Some(alice()),
            created_at: NOW,
            expires_at: NOW + seconds(300),
        };
        let _ = world.store.blacklist(&row, &Act::at(NOW)).await.unwrap();
        let refused = world.auth.verify(&access).await;
        assert!(matches!(refused, Err(Error::VerifiedBlacklisted)), "{}", world.name());
        assert!(world.auth.introspect(&access).await.unwrap().is_none(), "{}", world.name());
        let plain = world.node(|settings| settings.blacklist_after_rotation = false);
        plain.verify(&access).await.unwrap();
    }
}

/// Django rotated the token, and its successor is in no session here: it names one that ended.
#[tokio::test]
async fn verify_knows_tokens_that_name_an_ended_session() {
    for world in worlds_of_tokens(|settings| settings.sessions.session_claim = true).await {
        let first = world.log_in().await.refresh;
        let django = world.node(|settings| {
            settings.sessions.enabled = false;
            settings.sessions.session_claim = false;
        });
        let successor = django.refresh(&first).await.unwrap().refresh.unwrap().token;
        world.auth.verify(&successor).await.unwrap();
        world.auth.log_out_with(&first).await.unwrap();
        let refused = world.auth.verify(&successor).await;
        assert!(matches!(refused, Err(Error::VerifiedBlacklisted)), "{}", world.name());
        world.assert_blacklisted(&successor, "of the ended session").await;
    }
}

/// Without rotation the last access token outlives the refresh token that it came of.
#[tokio::test]
async fn an_access_token_keeps_its_session() {
    for checking in [RevocationMode::Feed, RevocationMode::Strict] {
        for world in worlds(|settings| {
            settings.rotate_refresh_tokens = false;
            settings.blacklist_after_rotation = false;
            settings.refresh_token_lifetime = 7 * DAY;
            settings.access_token_lifetime = 5 * DAY;
            settings.sessions.session_claim = true;
            settings.sessions.revocation = checking;
        })
        .await
        {
            let refresh = world.log_in().await.refresh;
            world.advance(7 * DAY - seconds(60));
            let access = world.auth.refresh(&refresh).await.unwrap().access.token;
            for _ in 0..4 {
                world.advance(DAY);
                world.purge().await;
                world.auth.poll_revocations().await.unwrap();
                world.auth.authenticate(&access).await.unwrap();
                assert!(world.auth.introspect(&access).await.unwrap().is_some());
            }
            let caller = Caller { user_id: alice(), session: None, is_spent: false };
            assert_eq!(world.auth.log_out(&caller, Scope::All).await.unwrap(), 1);
            world.auth.poll_revocations().await.unwrap();
            assert!(world.auth.authenticate(&access).await.is_err(), "{}", world.name());
        }
    }
}

/// Its lifetime was a week when it was issued; who revoked it knows of five minutes.
#[tokio::test]
async fn a_feed_that_has_forgotten_asks_the_database() {
    for world in worlds(|settings| {
        settings.sessions.session_claim = true;
        settings.sessions.revocation = RevocationMode::Feed;
    })
    .await
    {
        let long = world.node(|settings| settings.access_token_lifetime = 7 * DAY);
        let pair = Pair::from(long.obtain_pair(&credentials("alice")).await.unwrap());
        world.auth.blacklist(&pair.refresh).await.unwrap();
        for _ in 0..6 {
            world.advance(DAY);
            world.purge().await;
            world.auth.poll_revocations().await.unwrap();
            assert!(world.auth.authenticate(&pair.access).await.is_err(), "{}", world.name());
        }
    }
}
