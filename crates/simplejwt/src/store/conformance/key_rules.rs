//! Rules for the keys of a ring.

use std::sync::Arc;

use super::{NOW, after, good};
use crate::clock::Timestamp;
use crate::keys::ring::StoredKey;
use crate::store::keys::KeyStore;
use crate::suite::{Task, together};

fn key(number: i64, kid: &str) -> StoredKey {
    StoredKey {
        number,
        kid: kid.to_owned(),
        algorithm: "ES256".to_owned(),
        key: format!("the key {kid}, of whatever form: '\"\\ ü\n"),
        created_at: NOW,
        activates_at: after(60),
        verifies_until: None,
    }
}

async fn ends(store: &impl KeyStore) -> Vec<(i64, Option<Timestamp>)> {
    good(store.keys().await).iter().map(|key| (key.number, key.verifies_until)).collect()
}

pub(super) async fn keys_are_kept_as_they_are(store: &impl KeyStore) {
    assert!(good(store.keys().await).is_empty(), "a new store has no keys");
    // By their numbers, in whatever order they came.
    let second = StoredKey { verifies_until: Some(after(90)), ..key(2, "b") };
    assert!(good(store.add_key(&second, after(70)).await));
    assert!(good(store.add_key(&key(1, "a"), after(70)).await));
    assert_eq!(good(store.keys().await), [key(1, "a"), second], "exactly as they were given");
}

pub(super) async fn a_number_and_a_name_are_given_once(store: &impl KeyStore) {
    assert!(good(store.add_key(&key(1, "a"), after(70)).await));
    assert!(!good(store.add_key(&key(1, "b"), after(71)).await), "the number is taken");
    assert!(!good(store.add_key(&key(2, "a"), after(72)).await), "the key id is taken");
    assert_eq!(good(store.keys().await), [key(1, "a")], "nothing was changed");
    // Key ids are compared exactly.
    assert!(good(store.add_key(&key(2, "A"), after(73)).await), "another key id");
    assert!(good(store.add_key(&key(3, "a "), after(74)).await), "another key id");
}

pub(super) async fn a_successor_ends_those_before_it(store: &impl KeyStore) {
    assert!(good(store.add_key(&key(1, "a"), after(70)).await));
    assert!(good(store.add_key(&key(2, "b"), after(80)).await));
    assert_eq!(ends(store).await, [(1, Some(after(80))), (2, None)]);
    assert!(good(store.add_key(&key(3, "c"), after(90)).await));
    assert_eq!(ends(store).await, [(1, Some(after(80))), (2, Some(after(90))), (3, None)]);
}

pub(super) async fn an_end_only_comes_nearer(store: &impl KeyStore) {
    assert!(good(store.add_key(&key(1, "a"), after(70)).await));
    assert!(good(store.add_key(&key(2, "b"), after(80)).await));
    assert!(good(store.retire_key("a", after(90)).await));
    assert_eq!(ends(store).await, [(1, Some(after(80))), (2, None)]);
    for _ in 0..2 {
        assert!(good(store.retire_key("a", after(10)).await), "also if nothing changes");
        assert_eq!(ends(store).await, [(1, Some(after(10))), (2, None)]);
    }
    assert!(good(store.retire_key("b", NOW).await));
    assert_eq!(ends(store).await, [(1, Some(after(10))), (2, Some(NOW))]);
    assert!(!good(store.retire_key("c", NOW).await), "there is no such key");
}

pub(super) async fn what_has_ended_is_deleted_but_the_newest(store: &impl KeyStore) {
    for (number, kid) in [(1, "a"), (2, "b"), (3, "c")] {
        assert!(good(store.add_key(&key(number, kid), after(70 + number)).await));
    }
    assert_eq!(good(store.delete_keys(after(71)).await), 0);
    assert_eq!(good(store.delete_keys(after(72)).await), 1, "the first one ended then");
    assert!(good(store.retire_key("c", after(5)).await));
    assert_eq!(good(store.delete_keys(after(1000)).await), 1, "the newest one stays");
    assert_eq!(ends(store).await, [(3, Some(after(5)))]);
    assert!(!good(store.add_key(&key(3, "d"), after(90)).await), "its number stays taken");
}

/// Of many processes that make the next key at the same time, one succeeds, and only its end is
/// set.
pub(super) async fn one_successor_wins<S: KeyStore>(store: Arc<S>, spawn: &impl Fn(Task)) {
    assert!(good(store.add_key(&key(1, "a"), after(70)).await));
    for number in 2..10 {
        let attempt = |n: i64| {
            let store = Arc::clone(&store);
            let key = key(number, &format!("{number}-{n}"));
            async move { good(store.add_key(&key, after(number * 100 + n)).await).then_some(n) }
        };
        let winners = together(spawn, (0..8).map(attempt)).await;
        let winners: Vec<i64> = winners.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "one of all that make key {number}");
        let found = good(store.keys().await);
        assert_eq!(
            found.len(),
            usize::try_from(number).unwrap_or(0),
            "no key is lost, and none is there twice"
        );
        let before = found.iter().find(|key| key.number == number - 1);
        let end = before.and_then(|key| key.verifies_until);
        assert_eq!(end, winners.first().map(|n| after(number * 100 + n)), "the winner's end");
    }
}
