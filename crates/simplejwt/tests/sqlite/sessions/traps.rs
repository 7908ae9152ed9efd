//! What others' rotation fell into, to the microsecond.

use std::time::Duration;

use crate::world::{jti, seconds, worlds};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn t1_reuse_does_not_open_a_window_for_the_live_token() {
    for world in worlds(|settings| settings.sessions.rotation_grace = GRACE).await {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await.refresh;
        world.advance(GRACE);
        world.assert_blacklisted(&first, "reuse").await;
        for micros in [0, 1_000, 1_000_000, 4_000_000, 4_998_999, 1, 1, 5_000_000] {
            world.advance(Duration::from_micros(micros));
            world.assert_blacklisted(&second, "the live token").await;
            world.assert_blacklisted(&first, "the spent token").await;
        }
        assert_eq!(world.live().await, 0);
    }
}

/// Two tabs: one that goes on, and one that is behind.
#[tokio::test]
async fn t2_any_ancestor_within_the_grace_gets_the_newest_pair() {
    for world in worlds(|settings| settings.sessions.rotation_grace = GRACE).await {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await;
        world.advance(Duration::from_millis(300));
        let third = world.next(&second.refresh).await;
        assert_eq!(world.next(&first).await, third, "{}", world.name());
        world.advance(Duration::from_millis(300));
        let fourth = world.next(&third.refresh).await;
        for spent in [&first, &second.refresh, &third.refresh, &first] {
            assert_eq!(world.next(spent).await, fourth, "{}", world.name());
        }
        // By when the one presented was spent, not by when the newest was made.
        world.advance(GRACE - Duration::from_millis(600) - Duration::from_micros(1));
        assert_eq!(world.next(&first).await, fourth, "the last moment");
        world.advance(Duration::from_micros(1));
        world.assert_blacklisted(&first, "the grace is over").await;
        world.assert_blacklisted(&fourth.refresh, "its family").await;
    }
}

#[tokio::test]
async fn t3_the_grace_is_not_extended_by_use() {
    for world in worlds(|settings| settings.sessions.rotation_grace = GRACE).await {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await;
        world.advance(GRACE / 2);
        assert_eq!(world.next(&first).await, second);
        world.advance(GRACE / 2 - Duration::from_micros(1));
        assert_eq!(world.next(&first).await, second, "the last moment");
        world.advance(Duration::from_micros(1));
        world.assert_blacklisted(&first, "the grace is over").await;
        for _ in 0..20 {
            world.advance(GRACE / 2);
            world.assert_blacklisted(&first, "and stays so").await;
        }
    }
}

#[tokio::test]
async fn t4_replays_within_the_grace_make_no_siblings() {
    for world in worlds(|settings| settings.sessions.rotation_grace = GRACE).await {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await;
        for _ in 0..50 {
            world.advance(Duration::from_millis(100));
            assert_eq!(world.next(&first).await, second);
        }
        assert_eq!(world.live().await, 1);
        let third = world.next(&second.refresh).await;
        assert_eq!(world.next(&first).await, third);
        assert_eq!(world.live().await, 1);
    }
}

#[tokio::test]
async fn t5_a_replay_knows_whether_it_is_from_elsewhere() {
    use simplejwt::store::session::Client;

    for world in worlds(|settings| settings.sessions.rotation_grace = GRACE).await {
        let from = |address| world.auth.from_client(Client::new(Some(address), Some("browser")));
        let first = world.log_in().await.refresh;
        world.advance(seconds(1));
        let thief = from("203.0.113.66").refresh(&first).await.unwrap();
        let victim = from("198.51.100.1").refresh(&first).await.unwrap();
        assert_eq!(thief, victim, "told apart in the log, not by the answer");
        let list = world.auth.sessions_of(&"1".into()).await.unwrap();
        assert_eq!(list[0].client.address.as_deref(), Some("203.0.113.66"));
    }
}

#[tokio::test]
async fn t6_after_a_logout_nothing_is_answered_again() {
    use simplejwt::service::Scope;

    for world in worlds(|settings| settings.sessions.rotation_grace = GRACE).await {
        for scope in [Some(Scope::This), Some(Scope::All), None] {
            let first = world.log_in().await.refresh;
            let second = world.next(&first).await;
            assert_eq!(world.next(&first).await, second);
            match scope {
                Some(scope) => {
                    let caller = world.auth.caller_of_refresh(&second.refresh).await.unwrap();
                    assert_eq!(world.auth.log_out(&caller, scope).await.unwrap(), 1);
                }
                None => world.auth.blacklist(&second.refresh).await.unwrap(),
            }
            world.assert_blacklisted(&first, "in the grace").await;
            world.assert_blacklisted(&second.refresh, "live until then").await;
        }
    }
}

/// A node whose clock is behind must not see a window where there is none.
#[tokio::test]
async fn t7_without_grace_a_clock_that_is_behind_opens_no_window() {
    for world in worlds(|settings| settings.sessions.reuse_tolerance = Duration::ZERO).await {
        let first = world.log_in().await.refresh;
        world.advance(seconds(5));
        let second = world.next(&first).await.refresh;
        world.clock.set(crate::world::NOW + seconds(1));
        world.assert_blacklisted(&first, "reuse").await;
        world.advance(seconds(60));
        world.assert_blacklisted(&second, "the end of the family").await;
    }
}

#[tokio::test]
async fn t8_the_refusal_has_ended_the_session_for_every_node() {
    for world in worlds(|settings| settings.sessions.reuse_tolerance = Duration::ZERO).await {
        let first = world.log_in().await.refresh;
        let second = world.next(&first).await.refresh;
        world.assert_blacklisted(&first, "reuse").await;
        let session = world.store.session(&jti(&first)).await.unwrap().unwrap();
        assert_eq!(session.ended_at, Some(crate::world::NOW));
        let other = world.node(|settings| settings.sessions.rotation_grace = GRACE);
        assert!(other.refresh(&second).await.is_err());
        assert!(world.store.is_spent(&jti(&second), Some(&session.id)).await.unwrap());
    }
}
