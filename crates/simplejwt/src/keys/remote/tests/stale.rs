//! How old keys may be: until they are fetched again, and until they are no longer used.

use super::super::*;
use super::{COOLDOWN, Does, LIFESPAN, Shelf, cant_tell, clock, ed25519, jwk, refused, token_of};
use crate::clock::ManualClock;
use crate::{Auth, Settings, Tokens};

const HOUR: Duration = Duration::from_secs(3600);

fn auth(max_stale: Option<Duration>, shelf: &Shelf, clock: &Arc<ManualClock>) -> Auth {
    let settings = Settings {
        algorithm: Algorithm::EdDsa,
        jwk_url: vec!["https://a.example/jwks.json".into()],
        jwk_url_max_stale: max_stale,
        ..Settings::default()
    };
    let keys = settings.key_set_from(shelf.clone()).unwrap();
    Auth::new(Tokens::with(settings, keys, clock.clone()).unwrap())
}

#[tokio::test]
async fn keys_outlast_an_outage_but_not_a_longer_one() {
    for (max_stale, outlasts) in [(Some(HOUR), false), (None, true)] {
        let (clock, shelf) = (clock(), Shelf::default());
        shelf.put(&[jwk(&ed25519("a"))]);
        let auth = auth(max_stale, &shelf, &clock);
        auth.refresh_keys().await;
        shelf.set(Does::Fail);
        clock.advance(HOUR - Duration::from_secs(1));
        auth.refresh_keys().await;
        auth.authenticate(&token_of(&ed25519("a"), &clock)).await.unwrap();
        clock.advance(Duration::from_secs(1));
        let token = token_of(&ed25519("a"), &clock);
        let answer = auth.authenticate(&token).await;
        if outlasts {
            answer.unwrap();
            continue;
        }
        assert!(cant_tell(answer), "it isn't said to be bad");
        let why = auth.why_keys_are_missing().unwrap();
        assert!(why.contains("too old") && why.contains("unreachable"), "{why}");
        shelf.put(&[jwk(&ed25519("b"))]);
        clock.advance(COOLDOWN);
        auth.refresh_keys().await;
        assert_eq!(auth.why_keys_are_missing(), None);
        assert!(refused(auth.authenticate(&token).await), "that key was taken away meanwhile");
        auth.authenticate(&token_of(&ed25519("b"), &clock)).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_nobody_asked_for_long_fetches_first() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&ed25519("a"))]);
    let auth = auth(Some(HOUR), &shelf, &clock);
    auth.authenticate(&token_of(&ed25519("a"), &clock)).await.unwrap();
    clock.advance(HOUR * 2);
    auth.authenticate(&token_of(&ed25519("a"), &clock)).await.unwrap();
    assert_eq!(shelf.asked(), 2);
}

#[tokio::test]
async fn a_source_says_how_long_its_keys_are_fresh() {
    let minute = Duration::from_secs(60);
    for (fresh_for, max_stale, expected) in [
        (None, None, LIFESPAN),
        (Some(minute), None, minute),
        (Some(HOUR), None, HOUR),
        (Some(Duration::ZERO), None, COOLDOWN),
        // Before they are too old to be used.
        (Some(HOUR), Some(minute * 2), minute),
        (None, Some(minute), minute / 2),
    ] {
        let (clock, shelf) = (clock(), Shelf::default());
        shelf.put(&[jwk(&ed25519("a"))]);
        shelf.say_fresh_for(fresh_for);
        let auth = auth(max_stale, &shelf, &clock);
        auth.refresh_keys().await;
        clock.advance(expected - Duration::from_secs(1));
        auth.refresh_keys().await;
        assert_eq!(shelf.asked(), 1, "{fresh_for:?} {max_stale:?}");
        clock.advance(Duration::from_secs(1));
        auth.refresh_keys().await;
        assert_eq!(shelf.asked(), 2, "{fresh_for:?} {max_stale:?}");
    }
}
