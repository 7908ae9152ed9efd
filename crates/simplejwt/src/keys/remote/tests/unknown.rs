//! Tokens with unknown key ids, however many there are.

use super::super::turns::MOST_WAITING;
use super::super::*;
use super::{PER_UNKNOWN_KEY, Shelf, auth, clock, ed25519, jwk, refused, token_of};
use crate::error::Error as FlowError;

#[tokio::test]
async fn a_flood_of_unknown_key_ids_makes_one_fetch_a_minute() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&ed25519("a"))]);
    let auth = auth(Algorithm::EdDsa, shelf.clone(), &clock);
    auth.refresh_keys().await;
    assert_eq!(shelf.asked(), 1);
    for minute in 0..4 {
        for second in 0..60 {
            for junk in 0..3 {
                let token = token_of(&ed25519(&format!("{minute} {second} {junk}")), &clock);
                assert!(refused(auth.authenticate(&token).await));
            }
            clock.advance(PER_UNKNOWN_KEY / 60);
        }
        assert_eq!(shelf.asked(), 2 + minute);
    }
}

#[tokio::test]
async fn a_new_key_is_found_at_once_if_none_was_looked_for() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&ed25519("a"))]);
    let auth = auth(Algorithm::EdDsa, shelf.clone(), &clock);
    auth.refresh_keys().await;
    // However recently the keys were fetched.
    shelf.put(&[jwk(&ed25519("a")), jwk(&ed25519("b"))]);
    auth.authenticate(&token_of(&ed25519("b"), &clock)).await.unwrap();
    shelf.put(&[jwk(&ed25519("c"))]);
    clock.advance(PER_UNKNOWN_KEY - Duration::from_secs(1));
    let token = token_of(&ed25519("c"), &clock);
    assert!(refused(auth.authenticate(&token).await), "looked for within the last minute");
    clock.advance(Duration::from_secs(1));
    auth.authenticate(&token).await.unwrap();
}

#[tokio::test]
async fn a_source_whose_keys_change_often_is_asked_as_often() {
    let seconds = Duration::from_secs;
    for (says, expected) in [
        (None, PER_UNKNOWN_KEY),
        (Some(Duration::ZERO), PER_UNKNOWN_KEY),
        (Some(Duration::from_millis(1)), seconds(1)),
        (Some(seconds(5)), seconds(5)),
        (Some(PER_UNKNOWN_KEY * 2), PER_UNKNOWN_KEY),
    ] {
        let (clock, shelf) = (clock(), Shelf::default());
        shelf.put(&[jwk(&ed25519("a"))]);
        shelf.say_fresh_for(says);
        let auth = auth(Algorithm::EdDsa, shelf.clone(), &clock);
        auth.refresh_keys().await;
        let unknown = async |name: &str| {
            assert!(refused(auth.authenticate(&token_of(&ed25519(name), &clock)).await));
        };
        unknown("b").await;
        assert_eq!(shelf.asked(), 2);
        clock.advance(expected - Duration::from_micros(1));
        unknown("c").await;
        assert_eq!(shelf.asked(), 2, "{says:?}");
        clock.advance(Duration::from_micros(1));
        unknown("d").await;
        assert_eq!(shelf.asked(), 3, "{says:?}");
    }
}

/// Answers the first fetch, and no other.
#[derive(Clone, Debug, Default)]
struct Once(Shelf);

#[async_trait]
impl KeySource for Once {
    async fn fetch(&self) -> Result<Published, Box<dyn Error + Send + Sync>> {
        let published = self.0.fetch().await;
        if self.0.asked() > 1 {
            std::future::pending::<()>().await;
        }
        published
    }
}

#[tokio::test]
async fn requests_dont_pile_up_behind_a_source_that_is_slow() {
    let (clock, once) = (clock(), Once::default());
    once.0.put(&[jwk(&ed25519("a"))]);
    let auth = auth(Algorithm::EdDsa, once.clone(), &clock);
    auth.refresh_keys().await;
    let ask = |kid: &str| {
        let (auth, token) = (auth.clone(), token_of(&ed25519(kid), &clock));
        tokio::spawn(async move { auth.authenticate(&token).await.map(drop) })
    };
    let settle = async || {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    };
    let first = ask("unknown");
    settle().await;
    let waiting: Vec<_> = (0..MOST_WAITING).map(|_| ask("unknown")).collect();
    settle().await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    // One too many isn't told that its token is bad, and known keys are as good as ever.
    let more = ask("unknown").await.unwrap();
    assert!(matches!(more, Err(FlowError::KeysUnavailable)));
    ask("a").await.unwrap().unwrap();
    // Who goes away leaves its place to another.
    for task in &waiting[..2] {
        task.abort();
    }
    settle().await;
    let late = ask("unknown");
    settle().await;
    assert!(!late.is_finished());
    assert_eq!(once.0.asked(), 2);
    first.abort();
    assert!(matches!(late.await.unwrap(), Err(FlowError::KeysUnavailable)));
}
