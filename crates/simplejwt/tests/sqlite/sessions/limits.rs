//! How long sessions last, and how many there may be.

use std::time::Duration;

use simplejwt::settings::AtLimit;
use simplejwt::{Error, TokenError};

use crate::world::{DAY, NOW, alice, claims, credentials, seconds, worlds};

#[tokio::test]
async fn no_token_outlives_its_session() {
    let lifetime = DAY * 2;
    for world in worlds(|settings| settings.sessions.lifetime = Some(lifetime)).await {
        let end = (NOW + lifetime).as_secs();
        let mut token = world.log_in().await.refresh;
        assert_eq!(claims(&token)["exp"], (NOW + DAY).as_secs(), "not yet near the end");
        for _ in 0..3 {
            world.advance(DAY / 2);
            let pair = world.next(&token).await;
            let then = claims(&pair.refresh)["iat"].as_i64().unwrap();
            let exp = claims(&pair.refresh)["exp"].as_i64().unwrap();
            assert_eq!(exp, end.min(then + 86_400), "{}", world.name());
            token = pair.refresh;
        }
        world.advance(DAY / 2 - seconds(60));
        let pair = world.next(&token).await;
        assert_eq!(claims(&pair.access)["exp"], end, "shorter than its five minutes");
        assert_eq!(claims(&pair.refresh)["exp"], end);
        world.advance(seconds(60));
        let over = world.auth.refresh(&pair.refresh).await;
        assert!(matches!(over, Err(Error::Token(TokenError::Expired))), "{over:?}");
    }
}

#[tokio::test]
async fn a_replay_is_capped_as_the_answer_was() {
    for world in worlds(|settings| {
        settings.sessions.lifetime = Some(DAY);
        settings.sessions.rotation_grace = seconds(10);
    })
    .await
    {
        let first = world.log_in().await.refresh;
        world.advance(DAY - seconds(20));
        let second = world.next(&first).await;
        world.advance(seconds(5));
        assert_eq!(world.next(&first).await, second);
    }
}

/// The lifetime was shortened after the tokens were issued.
#[tokio::test]
async fn a_session_that_has_lasted_too_long_is_ended() {
    for world in worlds(|_| ()).await {
        let token = world.log_in().await.refresh;
        world.advance(seconds(3600));
        let strict = world.node(|settings| settings.sessions.lifetime = Some(seconds(3600)));
        let over = strict.refresh(&token).await;
        assert!(matches!(over, Err(Error::Token(TokenError::Expired))), "{over:?}");
        world.assert_blacklisted(&token, "ended for every node").await;
        assert_eq!(world.live().await, 0);
    }
}

#[tokio::test]
async fn an_idle_session_is_ended() {
    let idle = seconds(3600);
    for world in worlds(|settings| settings.sessions.idle_lifetime = Some(idle)).await {
        let mut token = world.log_in().await.refresh;
        for _ in 0..5 {
            world.advance(idle - Duration::from_micros(1));
            token = world.next(&token).await.refresh;
        }
        world.advance(idle);
        let over = world.auth.refresh(&token).await;
        assert!(matches!(over, Err(Error::Token(TokenError::Expired))), "{over:?}");
        world.assert_blacklisted(&token, "ended").await;
    }
}

/// The access token's news of the session count, where the refresh token stays.
#[tokio::test]
async fn a_session_without_rotation_is_idle_since_its_last_refresh() {
    let idle = seconds(3600);
    for world in worlds(|settings| {
        settings.rotate_refresh_tokens = false;
        settings.sessions.idle_lifetime = Some(idle);
    })
    .await
    {
        let token = world.log_in().await.refresh;
        for _ in 0..5 {
            world.advance(idle - seconds(1));
            assert_eq!(world.auth.refresh(&token).await.unwrap().refresh, None);
        }
        world.advance(idle);
        assert!(world.auth.refresh(&token).await.is_err(), "{}", world.name());
    }
}

#[tokio::test]
async fn the_oldest_session_makes_room() {
    for world in worlds(|settings| settings.sessions.max_per_user = Some(2)).await {
        let oldest = world.log_in().await.refresh;
        world.advance(seconds(1));
        let second = world.log_in().await.refresh;
        world.advance(seconds(1));
        // Refreshed last, and still the one that was opened first.
        let oldest = world.next(&oldest).await.refresh;
        let third = world.log_in().await.refresh;
        world.assert_blacklisted(&oldest, "it made room").await;
        world.auth.obtain_pair(&credentials("bob")).await.unwrap();
        world.next(&second).await;
        world.next(&third).await;
        assert_eq!(world.live().await, 2);
    }
}

#[tokio::test]
async fn one_session_too_many_is_refused() {
    for world in worlds(|settings| {
        settings.sessions.max_per_user = Some(2);
        settings.sessions.at_limit = AtLimit::Refuse;
    })
    .await
    {
        let first = world.log_in().await.refresh;
        let second = world.log_in().await.refresh;
        for _ in 0..2 {
            let refused = world.auth.obtain_pair(&credentials("alice")).await;
            assert!(matches!(refused, Err(Error::TooManySessions)), "{refused:?}");
        }
        world.next(&first).await;
        world.auth.blacklist(&second).await.unwrap();
        world.log_in().await;
        assert_eq!(world.auth.sessions_of(&alice()).await.unwrap().len(), 2);
        // What has expired takes no place.
        world.advance(DAY + seconds(1));
        world.log_in().await;
        assert_eq!(world.live().await, 1);
    }
}
