//! Access tokens that are refused before they expire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use simplejwt::service::Scope;
use simplejwt::settings::{FeedLost, RevocationMode};
use simplejwt::store::memory::MemoryStore;
use simplejwt::store::session::{EndReason, SessionSelector};
use simplejwt::{Auth, Clock, Error, ManualClock, Settings, Timestamp, Tokens};

use crate::world::{Pair, World, alice, credentials, seconds, worlds};

fn with(revocation: RevocationMode) -> impl Fn(&mut Settings) {
    move |settings| {
        settings.sessions.session_claim = true;
        settings.sessions.revocation = revocation;
    }
}

async fn is_good(auth: &Auth, pair: &Pair) -> bool {
    match auth.authenticate(&pair.access).await {
        Ok(_) => true,
        Err(Error::TokenNotValid(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn log_out(world: &World, pair: &Pair, scope: Scope) {
    let caller = world.auth.caller_of_refresh(&pair.refresh).await.unwrap();
    world.auth.log_out(&caller, scope).await.unwrap();
}

#[tokio::test]
async fn stateless_means_until_they_expire() {
    for world in worlds(with(RevocationMode::Stateless)).await {
        let pair = world.log_in().await;
        log_out(&world, &pair, Scope::This).await;
        assert!(is_good(&world.auth, &pair).await);
        assert!(world.auth.is_feed_current(), "there is none to be lost");
        world.advance(seconds(300));
        assert!(!is_good(&world.auth, &pair).await);
    }
}

#[tokio::test]
async fn strict_means_at_once_and_looks_at_the_user_too() {
    for world in worlds(with(RevocationMode::Strict)).await {
        let (pair, other) = (world.log_in().await, world.log_in().await);
        assert!(is_good(&world.auth, &pair).await, "{}", world.name());
        log_out(&world, &pair, Scope::This).await;
        assert!(!is_good(&world.auth, &pair).await, "{}", world.name());
        assert!(world.auth.verify(&pair.access).await.is_err());
        assert!(is_good(&world.auth, &other).await, "{}", world.name());
        world.change("alice", |user| user.is_active = false).await;
        assert!(!is_good(&world.auth, &other).await, "{}", world.name());
        world.change("alice", |user| user.is_active = true).await;
        assert!(is_good(&world.auth, &other).await);
        world.users.remove("alice");
        assert!(!is_good(&world.auth, &other).await);
    }
}

#[tokio::test]
async fn a_node_refuses_what_it_has_heard_is_revoked() {
    for world in worlds(with(RevocationMode::Feed)).await {
        // One that began before, and one that begins after.
        let before = world.node(|_| ());
        before.poll_revocations().await.unwrap();
        world.auth.poll_revocations().await.unwrap();
        let (pair, other) = (world.log_in().await, world.log_in().await);
        let next = world.next(&pair.refresh).await;
        assert!(is_good(&before, &pair).await);
        log_out(&world, &next, Scope::This).await;
        assert!(is_good(&before, &pair).await, "it hasn't heard of it");
        let after = world.node(|_| ());
        for auth in [&before, &after, &world.auth] {
            auth.poll_revocations().await.unwrap();
            for pair in [&pair, &next] {
                assert!(!is_good(auth, pair).await, "{}", world.name());
            }
            assert!(is_good(auth, &other).await, "{}", world.name());
            assert_eq!(auth.revocations_known(), 1);
        }
    }
}

#[tokio::test]
async fn whatever_ends_a_session_ends_its_access_tokens() {
    for world in worlds(with(RevocationMode::Feed)).await {
        world.auth.poll_revocations().await.unwrap();
        for way in ["reuse", "blacklist", "staff", "password", "inactive", "all"] {
            let pair = world.log_in().await;
            assert!(is_good(&world.auth, &pair).await, "{way}");
            match way {
                "reuse" => {
                    world.next(&pair.refresh).await;
                    world.advance(seconds(10));
                    world.assert_blacklisted(&pair.refresh, way).await;
                }
                "blacklist" => world.auth.blacklist(&pair.refresh).await.unwrap(),
                "staff" => {
                    let which = SessionSelector::All { user_id: alice(), except: None };
                    world.auth.end_sessions(which, EndReason::Staff).await.unwrap();
                }
                "password" => {
                    world.set_password("alice", crate::world::PASSWORD).await;
                    assert!(world.auth.refresh(&pair.refresh).await.is_err());
                }
                "inactive" => {
                    world.change("alice", |user| user.is_active = false).await;
                    assert!(world.auth.refresh(&pair.refresh).await.is_err());
                    world.change("alice", |user| user.is_active = true).await;
                }
                _ => log_out(&world, &pair, Scope::All).await,
            }
            world.auth.poll_revocations().await.unwrap();
            assert!(!is_good(&world.auth, &pair).await, "{}: {way}", world.name());
        }
    }
}

/// Another node hands out tokens without a session's name: only the user's can be ended.
#[tokio::test]
async fn the_end_of_all_ends_access_tokens_that_name_no_session() {
    for world in worlds(with(RevocationMode::Feed)).await {
        let without = world.node(|settings| {
            settings.sessions = simplejwt::settings::SessionSettings::default();
        });
        let old = Pair::from(without.obtain_pair(&credentials("alice")).await.unwrap());
        let bobs = Pair::from(without.obtain_pair(&credentials("bob")).await.unwrap());
        world.auth.poll_revocations().await.unwrap();
        assert!(is_good(&world.auth, &old).await);
        let which = SessionSelector::All { user_id: alice(), except: None };
        world.auth.end_sessions(which, EndReason::Staff).await.unwrap();
        world.auth.poll_revocations().await.unwrap();
        assert!(!is_good(&world.auth, &old).await, "{}", world.name());
        assert!(is_good(&world.auth, &bobs).await);
        world.advance(seconds(1));
        let new = Pair::from(without.obtain_pair(&credentials("alice")).await.unwrap());
        assert!(is_good(&world.auth, &new).await, "issued after it");
    }
}

#[tokio::test]
async fn while_the_feed_is_lost_requests_are_refused_or_not() {
    for world in worlds(with(RevocationMode::Feed)).await {
        let pair = world.log_in().await;
        let accepting = world.node(|settings| settings.sessions.feed_lost = FeedLost::Accept);
        let never = world.auth.authenticate(&pair.access).await;
        assert!(matches!(never, Err(Error::FeedLost)), "it has heard nothing yet: {never:?}");
        for auth in [&world.auth, &accepting] {
            auth.poll_revocations().await.unwrap();
            assert!(auth.is_feed_current() && is_good(auth, &pair).await);
        }
        world.advance(seconds(2));
        assert!(is_good(&world.auth, &pair).await, "two seconds may pass");
        world.advance(seconds(1));
        assert!(!world.auth.is_feed_current() && !accepting.is_feed_current());
        let lost = world.auth.authenticate(&pair.access).await;
        assert!(matches!(lost, Err(Error::FeedLost)), "{lost:?}");
        assert!(is_good(&accepting, &pair).await);
        log_out(&world, &pair, Scope::This).await;
        for auth in [&world.auth, &accepting] {
            auth.poll_revocations().await.unwrap();
            assert!(auth.is_feed_current() && !is_good(auth, &pair).await, "{}", world.name());
        }
    }
}

#[tokio::test]
async fn more_than_fits_is_asked_of_the_database() {
    for world in worlds(|settings| {
        with(RevocationMode::Feed)(settings);
        settings.sessions.feed_max_entries = 3;
    })
    .await
    {
        let mut ended = Vec::new();
        for _ in 0..5 {
            let pair = world.log_in().await;
            log_out(&world, &pair, Scope::This).await;
            ended.push(pair);
        }
        let live = world.log_in().await;
        world.auth.poll_revocations().await.unwrap();
        assert_eq!(world.auth.revocations_known(), 0);
        for pair in &ended {
            assert!(!is_good(&world.auth, pair).await, "{}", world.name());
        }
        assert!(is_good(&world.auth, &live).await, "{}", world.name());
    }
}

#[tokio::test]
async fn a_revocation_is_forgotten_once_the_tokens_have_expired() {
    for world in worlds(with(RevocationMode::Feed)).await {
        let pair = world.log_in().await;
        log_out(&world, &pair, Scope::This).await;
        world.auth.poll_revocations().await.unwrap();
        assert_eq!(world.auth.revocations_known(), 1);
        // And a day.
        world.advance(seconds(299 + 86_400));
        world.auth.poll_revocations().await.unwrap();
        assert_eq!(world.auth.revocations_known(), 1);
        world.advance(seconds(31));
        world.auth.poll_revocations().await.unwrap();
        assert_eq!(world.auth.revocations_known(), 0);
        assert!(!is_good(&world.auth, &pair).await, "by its exp");
    }
}

/// Panics once when it is told to, as a driver might at something that it can't read.
#[derive(Debug)]
struct Faulty {
    clock: ManualClock,
    fails: AtomicBool,
}

impl Clock for Faulty {
    fn now(&self) -> Timestamp {
        assert!(!self.fails.swap(false, Ordering::SeqCst), "on purpose");
        self.clock.now()
    }
}

#[tokio::test]
async fn a_panic_interrupts_the_feed_and_doesnt_end_it() {
    let mut settings = Settings {
        signing_key: Some("a secret of at least thirty-two bytes".into()),
        token_blacklist: true,
        ..Settings::default()
    };
    with(RevocationMode::Feed)(&mut settings);
    let keys = settings.key_set().unwrap();
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let clock = Arc::new(Faulty { clock, fails: AtomicBool::new(false) });
    let tokens = Tokens::with(settings, keys, clock.clone()).unwrap();
    let auth = Auth::new(tokens).with_sessions(MemoryStore::default());
    let pauses = AtomicUsize::new(0);
    // What it does next after a pause is to look.
    let sleep = |_| {
        let pause = pauses.fetch_add(1, Ordering::SeqCst);
        clock.fails.store(pause == 0, Ordering::SeqCst);
        async move {
            if pause == 2 {
                std::future::pending::<()>().await;
            }
        }
    };
    let three = async {
        while pauses.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = auth.follow_revocations(sleep) => panic!("it came to an end"),
        () = three => {}
    }
    assert!(!clock.fails.load(Ordering::SeqCst), "it has panicked");
    assert!(auth.is_feed_current());
}
