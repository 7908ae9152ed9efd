use super::login::{Login, Refused};
use super::*;
use crate::suite::{Task, together};
use std::sync::atomic::{AtomicI64, Ordering};

const START: i64 = 1_767_323_045;

/// A throttle with a clock.
struct World {
    throttle: Throttle,
    now: AtomicI64,
}

impl World {
    fn new(login: &str, account: &str, address: &str) -> Self {
        let rate = |text: &str| text.parse().unwrap();
        let limits = Limits {
            login: rate(login),
            login_account: rate(account),
            login_address: rate(address),
            ..Limits::default()
        };
        Self { throttle: Throttle::new(limits), now: AtomicI64::new(START) }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.now.load(Ordering::SeqCst))
    }

    fn wait(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Fails a login; what it is throttled by, and for how long.
    async fn fail(&self, name: &str, address: &str) -> Option<(ThrottleScope, u64)> {
        self.end(name, address, None, false).await
    }

    async fn succeed(&self, name: &str, address: &str) -> Option<(ThrottleScope, u64)> {
        self.end(name, address, None, true).await
    }

    async fn end(
        &self,
        name: &str,
        address: &str,
        device: Option<&str>,
        succeeds: bool,
    ) -> Option<(ThrottleScope, u64)> {
        let login = Login { name, address: address.parse().ok(), device };
        match self.throttle.begin(&login, || self.now()).await {
            Ok(attempt) if succeeds => attempt.succeeded().await.unwrap(),
            Ok(attempt) => attempt.failed(self.now()).await.unwrap(),
            Err(Refused::Throttled(throttled, _)) => {
                return Some((throttled.scope(), throttled.retry_after()));
            }
            Err(Refused::Store(error)) => panic!("{error}"),
        }
        None
    }
}

fn spawn(task: Task) {
    tokio::spawn(task);
}

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

#[tokio::test]
async fn the_right_password_is_refused_too_but_from_that_address_only() {
    let world = World::new("3/min", "100/hour", "100/hour");
    for _ in 0..3 {
        assert_eq!(world.fail("alice", A).await, None);
    }
    assert_eq!(world.succeed("alice", A).await, Some((ThrottleScope::Login, 20)));
    // Other spellings of the name are the same account.
    assert_eq!(world.succeed(" ALÍCE", A).await, Some((ThrottleScope::Login, 20)));
    assert_eq!(world.succeed("alice", B).await, None);
    assert_eq!(world.succeed("bob", A).await, None);
    world.wait(19);
    assert_eq!(world.succeed("alice", A).await, Some((ThrottleScope::Login, 1)));
    world.wait(1);
    assert_eq!(world.fail("alice", A).await, None, "it decays");
    assert!(world.fail("alice", A).await.is_some());
    world.wait(20);
    assert_eq!(world.succeed("alice", A).await, None);
    for _ in 0..3 {
        assert_eq!(world.fail("alice", A).await, None, "a success clears the pair");
    }
}

#[tokio::test]
async fn nobody_locks_anybody_else_out() {
    let world = World::new("3/min", "10/hour", "1000/hour");
    for attacker in 0..10 {
        assert_eq!(world.fail("alice", &format!("198.51.100.{attacker}")).await, None);
    }
    // An address that has failed waits until that is forgotten.
    let throttled = world.succeed("alice", "198.51.100.9").await;
    assert_eq!(throttled, Some((ThrottleScope::LoginAccount, 20)));
    // Another one has a single attempt.
    assert_eq!(world.succeed("alice", A).await, None);
    assert_eq!(world.succeed("alice", A).await, None);
    assert_eq!(world.fail("alice", A).await, None);
    assert_eq!(world.succeed("alice", A).await, Some((ThrottleScope::Login, 20)));
    world.wait(20);
    assert_eq!(world.succeed("alice", A).await, Some((ThrottleScope::LoginAccount, 40)));
    assert_eq!(world.succeed("bob", A).await, None, "other accounts aren't concerned");
    // A success clears what the pair has failed, not the account.
    world.wait(40);
    assert_eq!(world.succeed("alice", A).await, None);
    assert_eq!(world.fail("alice", B).await, None);
    assert!(world.fail("alice", B).await.is_some());
}

#[tokio::test]
async fn a_known_device_has_failures_of_its_own() {
    let world = World::new("3/min", "5/hour", "20/hour");
    for _ in 0..3 {
        assert_eq!(world.fail("alice", A).await, None);
    }
    for attacker in 0..5 {
        world.fail("alice", &format!("198.51.100.{attacker}")).await;
    }
    let device = async |succeeds| world.end("alice", A, Some("session"), succeeds).await;
    assert!(world.succeed("alice", A).await.is_some());
    assert_eq!(device(true).await, None);
    for _ in 0..3 {
        assert_eq!(device(false).await, None);
    }
    assert_eq!(device(true).await, Some((ThrottleScope::Login, 20)), "its token may be stolen");
    // It doesn't go through the address's.
    for name in 0..20 {
        world.fail(&format!("name {name}"), A).await;
    }
    let other = world.end("alice", A, Some("another"), true).await;
    assert!(matches!(other, Some((ThrottleScope::LoginAddress, _))), "{other:?}");
}

#[tokio::test]
async fn spraying_is_throttled_by_the_address_of_which_a_v6_client_has_many() {
    let world = World::new("3/min", "100/hour", "5/hour");
    for host in 0..5 {
        let address = format!("2001:db8:0:1::{host}");
        assert_eq!(world.fail(&format!("name{host}"), &address).await, None);
    }
    let throttled = world.succeed("alice", "2001:db8:0:1:ffff::1").await;
    assert_eq!(throttled, Some((ThrottleScope::LoginAddress, 720)));
    assert_eq!(world.succeed("alice", "2001:db8:0:2::1").await, None);
    // Nobody's address is known: accounts alone are counted.
    for name in 0..100 {
        assert_eq!(world.fail(&format!("name{name}"), "").await, None);
    }
    // One that is written as an IPv6 address is the IPv4 address.
    for name in 0..5 {
        assert_eq!(world.fail(&format!("n{name}"), A).await, None);
    }
    assert!(world.succeed("alice", &format!("::ffff:{A}")).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_once_are_no_more_than_one_after_another() {
    let world = Arc::new(World::new("4/hour", "100/hour", "300/hour"));
    let guess = |_| {
        let world = Arc::clone(&world);
        async move {
            let login = Login { name: "alice", address: A.parse().ok(), device: None };
            let Ok(attempt) = world.throttle.begin(&login, || world.now()).await else {
                return false;
            };
            tokio::task::yield_now().await;
            attempt.failed(world.now()).await.unwrap();
            true
        }
    };
    let made = together(&spawn, (0..50).map(guess)).await;
    assert_eq!(made.iter().filter(|made| **made).count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_logins_at_once_all_succeed() {
    let world = Arc::new(World::new("4/hour", "10/hour", "20/hour"));
    let log_in = |_| {
        let world = Arc::clone(&world);
        async move {
            let login = Login { name: "alice", address: A.parse().ok(), device: None };
            let attempt = world.throttle.begin(&login, || world.now()).await.unwrap();
            tokio::task::yield_now().await;
            attempt.succeeded().await.unwrap();
        }
    };
    let all = together(&spawn, (0..200).map(log_in));
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
}

#[test]
fn other_failures_are_counted_by_address_and_scope() {
    let limits = Limits {
        refresh: "3/min".parse().unwrap(),
        verify: "2/min".parse().unwrap(),
        ..Limits::default()
    };
    let throttle = Throttle::new(limits);
    let (now, address) = (Timestamp::from_secs(START), A.parse().ok());
    for (scope, limit) in [(ThrottleScope::Refresh, 3), (ThrottleScope::Verify, 2)] {
        for _ in 0..limit {
            assert!(throttle.count(scope, address, now).is_ok());
        }
        let (throttled, id) = throttle.count(scope, address, now).unwrap_err();
        assert!(throttle.is_news(&throttled, id, now), "reported once, until there is room again");
        assert!(!throttle.is_news(&throttled, id, now));
        assert!(throttle.is_news(&throttled, id, now + Duration::from_secs(30)));
        assert_eq!((throttled.scope(), throttled.limit()), (scope, limit));
        assert!(throttle.count(scope, B.parse().ok(), now).is_ok());
        // What is refused isn't counted: the wait doesn't get longer.
        let later = now + Duration::from_secs(30);
        assert!(throttle.count(scope, address, later).is_ok());
    }
    for _ in 0..1000 {
        assert!(throttle.count(ThrottleScope::Refresh, None, now).is_ok());
    }
}

#[test]
fn ids_are_of_what_they_count_and_of_the_secret() {
    let store = || Arc::new(MemoryThrottle::default());
    let one = Throttle::shared(Limits::default(), store(), b"secret");
    let same = Throttle::shared(Limits::default(), store(), b"secret");
    let other = Throttle::shared(Limits::default(), store(), b"another");
    let id = one.id(Counted::Pair, &["alice", A]);
    assert_eq!(id, same.id(Counted::Pair, &["alice", A]));
    for different in [
        other.id(Counted::Pair, &["alice", A]),
        one.id(Counted::Account, &["alice", A]),
        one.id(Counted::Pair, &["alic", &format!("e{A}")]),
        one.id(Counted::Pair, &["alice", B]),
    ] {
        assert_ne!(id.hash, different.hash);
    }
    assert!(!format!("{one:?}").contains("secret"));
}
