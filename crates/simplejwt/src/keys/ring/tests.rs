use std::time::Duration;

use super::*;
use crate::keys::JwsError;

const DELAY: Duration = Duration::from_secs(60);
const MONTH: Duration = Duration::from_secs(30 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);

fn schedule(rotate_every: Option<Duration>) -> Schedule {
    Schedule { publication_delay: DELAY, rotate_every, keep: DAY }
}

fn start() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

/// Adds the planned key, as a store does.
fn add(stored: &mut Vec<StoredKey>, plan: &Plan, algorithm: Algorithm) {
    for key in stored.iter_mut().filter(|key| key.verifies_until.is_none()) {
        key.verifies_until = Some(plan.others_until);
    }
    stored.push(plan.generate(algorithm, None).unwrap());
}

fn open(stored: &[StoredKey], now: Timestamp) -> KeyRing {
    KeyRing::open(stored, None, now).unwrap()
}

fn states(stored: &[StoredKey], now: Timestamp) -> Vec<(i64, KeyState)> {
    open(stored, now).states(now).map(|(key, state)| (key.number, state)).collect()
}

#[test]
fn a_key_is_published_then_signs_then_verifies_and_is_gone() {
    let schedule = schedule(Some(MONTH));
    let mut stored = Vec::new();
    let first = schedule.due(&KeyRing::default(), false, start()).unwrap();
    assert_eq!(first.activates_at, start());
    add(&mut stored, &first, Algorithm::Es256);
    assert_eq!(schedule.due(&open(&stored, start()), false, start()), None);

    let early = start() + MONTH - DELAY - Duration::from_secs(1);
    assert_eq!(schedule.due(&open(&stored, early), false, early), None);
    let due = start() + MONTH - DELAY;
    let second = schedule.due(&open(&stored, due), false, due).unwrap();
    assert_eq!((second.number, second.activates_at), (2, start() + MONTH));
    add(&mut stored, &second, Algorithm::EdDsa);
    assert_eq!(schedule.due(&open(&stored, due), false, due), None);

    assert_eq!(states(&stored, due), [(1, KeyState::Active), (2, KeyState::Next)]);
    let before = start() + MONTH - Duration::from_micros(1);
    assert_eq!(states(&stored, before), [(1, KeyState::Active), (2, KeyState::Next)]);
    let then = start() + MONTH;
    assert_eq!(states(&stored, then), [(1, KeyState::Retiring), (2, KeyState::Active)]);
    let end = then + DELAY + DAY;
    assert_eq!(states(&stored, end - Duration::from_micros(1)).len(), 2);
    assert_eq!(states(&stored, end), [(2, KeyState::Active)]);
    assert_eq!(open(&stored, due).next_change(due), Some(then));
    assert_eq!(open(&stored, then).next_change(then), Some(end));
    assert_eq!(open(&stored, end).next_change(end), None);
}

#[test]
fn what_was_missed_is_made_up_for_with_the_whole_delay() {
    let schedule = schedule(Some(MONTH));
    let mut stored = Vec::new();
    add(&mut stored, &schedule.due(&KeyRing::default(), false, start()).unwrap(), Algorithm::Hs256);
    let late = start() + MONTH + DAY;
    let plan = schedule.due(&open(&stored, late), false, late).unwrap();
    assert_eq!(plan.activates_at, late + DELAY);
}

#[test]
fn a_base_key_signs_until_the_first_of_the_ring_does() {
    let base = SigningKey::from_secret(Algorithm::Hs256, &[7; 40]).unwrap();
    let base = KeySet::new(base.with_thumbprint_kid());
    assert_eq!(schedule(None).due(&KeyRing::default(), true, start()), None);
    let plan = schedule(Some(MONTH)).due(&KeyRing::default(), true, start()).unwrap();
    assert_eq!(plan.activates_at, start() + DELAY);
    let mut stored = Vec::new();
    add(&mut stored, &plan, Algorithm::Es256);

    let before = open(&stored, start()).key_set(&base, start()).unwrap();
    assert_eq!(before.algorithm(), Algorithm::Hs256);
    assert_eq!(before.verifying().len(), 2);
    let old = before.sign_compact(b"{}").unwrap();
    let then = start() + DELAY;
    let after = open(&stored, then).key_set(&base, then).unwrap();
    assert_eq!(after.algorithm(), Algorithm::Es256);
    assert!(after.verify_compact(&old).is_ok(), "the base key verifies as long as it is there");
    let new = after.sign_compact(b"{}").unwrap();
    assert!(before.verify_compact(&new).is_ok(), "a key verifies before it signs");
}

#[test]
fn only_the_keys_of_single_key_days_are_tried_without_a_name() {
    let base = SigningKey::from_secret(Algorithm::Hs256, &[7; 40]).unwrap();
    let unnamed = KeySet::new(base.clone()).sign_compact(b"{}").unwrap();
    let ring_secret = SigningKey::generate(Algorithm::Hs256).unwrap();
    let plan = schedule(None).rotation(&KeyRing::default(), true, false, start()).unwrap();
    let stored = StoredKey::new(&plan, Algorithm::Hs256, &ring_secret, None).unwrap();
    let of_ring = SigningKey::parse(Algorithm::Hs256, ring_secret.as_bytes(), false).unwrap();
    let forged = KeySet::new(of_ring).sign_compact(b"{}").unwrap();
    let later = start() + DELAY;
    let ring = open(&[stored], later);
    let keys = ring.key_set(&KeySet::new(base), later).unwrap();
    assert!(keys.verify_compact(&unnamed).is_ok());
    assert_eq!(keys.verify_compact(&forged), Err(JwsError::Signature));
    let alone = ring.key_set(&KeySet::none(), later).unwrap();
    assert_eq!(alone.verify_compact(&unnamed), Err(JwsError::NoKeyId));
}

#[test]
fn a_rotation_waits_for_the_one_before_it() {
    let schedule = schedule(None);
    let mut stored = Vec::new();
    let plan = schedule.rotation(&KeyRing::default(), false, false, start()).unwrap();
    assert_eq!(plan.activates_at, start(), "nobody knows another key");
    add(&mut stored, &plan, Algorithm::Es256);
    let plan = schedule.rotation(&open(&stored, start()), false, false, start()).unwrap();
    assert_eq!(plan.activates_at, start() + DELAY);
    add(&mut stored, &plan, Algorithm::Es256);
    assert_eq!(schedule.rotation(&open(&stored, start()), false, false, start()), None);
    let then = start() + DELAY;
    let plan = schedule.rotation(&open(&stored, then), false, true, then).unwrap();
    assert_eq!((plan.number, plan.activates_at), (3, then + schedule.look() * 2));
}

#[test]
fn a_rotation_at_once_overtakes_the_next_key() {
    let schedule = schedule(None);
    let mut stored = Vec::new();
    for now in [start(), start()] {
        let plan = schedule.rotation(&open(&stored, now), false, false, now).unwrap();
        add(&mut stored, &plan, Algorithm::Es256);
    }
    let plan = schedule.rotation(&open(&stored, start()), false, true, start()).unwrap();
    assert_eq!((plan.number, plan.activates_at), (3, start() + schedule.look() * 2));
    add(&mut stored, &plan, Algorithm::Es256);
    assert_eq!(schedule.rotation(&open(&stored, start()), false, true, start()), None, "it is");
    let then = plan.activates_at;
    let all = [(1, KeyState::Retiring), (2, KeyState::Retiring), (3, KeyState::Active)];
    assert_eq!(states(&stored, then), all);
    assert_eq!(states(&stored, start() + DELAY), all, "the overtaken one never signs");
}

#[test]
fn a_key_with_an_end_has_a_successor() {
    for rotate_every in [None, Some(MONTH)] {
        let schedule = schedule(rotate_every);
        let mut stored = Vec::new();
        for now in [start(), start()] {
            let plan = schedule.rotation(&open(&stored, now), false, false, now).unwrap();
            add(&mut stored, &plan, Algorithm::Es256);
        }
        assert_eq!(schedule.due(&open(&stored, start()), false, start()), None);
        stored[1].verifies_until = Some(start());
        let until = stored[0].verifies_until.unwrap();
        let plan = schedule.due(&open(&stored, start()), true, start()).unwrap();
        assert_eq!(plan.activates_at, start() + DELAY, "{rotate_every:?}");
        // Late, and not so late that nothing would sign.
        let late = until - Duration::from_secs(1);
        let plan = schedule.due(&open(&stored, late), true, late).unwrap();
        assert_eq!(plan.activates_at, until, "{rotate_every:?}");
    }
}

#[test]
fn what_is_read_is_read_often_enough() {
    for seconds in [1, 2, 4, 30, 60, 3600, 86_400] {
        let delay = Duration::from_secs(seconds);
        let schedule = Schedule { publication_delay: delay, rotate_every: None, keep: DAY };
        assert!(schedule.look() * 4 <= delay, "{seconds}");
        assert!(schedule.look() <= Duration::from_secs(10), "{seconds}");
        assert!(schedule.stale_after() + schedule.max_age() <= delay, "{seconds}");
    }
}

#[test]
fn a_row_stands_for_itself_alone() {
    let encryption = KeyEncryptionKey::parse(KeyEncryptionKey::generate().as_bytes()).unwrap();
    let plan = schedule(None).rotation(&KeyRing::default(), false, false, start()).unwrap();
    let stored = plan.generate(Algorithm::Es256, Some(&encryption)).unwrap();
    assert!(!stored.key.contains("PRIVATE"));
    assert!(!format!("{stored:?}").contains(&stored.key));
    let read = |key: StoredKey, encryption| KeyRing::open(&[key], encryption, start()).map(drop);
    assert_eq!(read(stored.clone(), Some(&encryption)), Ok(()));
    assert_eq!(read(stored.clone(), None), Err(RingError::NoEncryptionKey(stored.kid.clone())));
    let moved = [
        StoredKey { number: 2, ..stored.clone() },
        StoredKey { kid: "other".into(), ..stored.clone() },
        StoredKey { algorithm: "ES384".into(), ..stored.clone() },
    ];
    for moved in moved {
        let kid = moved.kid.clone();
        let refused = Err(RingError::Sealed { kid, source: SealError::CannotOpen });
        assert_eq!(read(moved, Some(&encryption)), refused);
    }
    let plain = plan.generate(Algorithm::Es256, None).unwrap();
    let refused = RingError::Sealed { kid: plain.kid.clone(), source: SealError::NotSealed };
    assert_eq!(read(plain, Some(&encryption)), Err(refused));
}

#[test]
fn a_ring_with_a_bad_key_is_refused_unless_that_key_is_gone() {
    let plan = schedule(None).rotation(&KeyRing::default(), false, false, start()).unwrap();
    let good = plan.generate(Algorithm::Es256, None).unwrap();
    let bad = StoredKey { key: "nonsense".into(), ..good.clone() };
    let named = RingError::Key { kid: good.kid.clone(), source: KeyError::NoPem };
    assert_eq!(KeyRing::open(std::slice::from_ref(&bad), None, start()).map(drop), Err(named));
    let gone = StoredKey { verifies_until: Some(start()), ..bad };
    assert!(KeyRing::open(&[gone], None, start()).unwrap().keys().is_empty());
    let twice = RingError::Twice { number: 1, kid: good.kid.clone() };
    assert_eq!(KeyRing::open(&[good.clone(), good], None, start()).map(drop), Err(twice));
}

#[test]
fn a_secret_of_any_bytes_is_stored_as_a_jwk() {
    let encryption = KeyEncryptionKey::parse(KeyEncryptionKey::generate().as_bytes()).unwrap();
    let plan = schedule(None).rotation(&KeyRing::default(), false, false, start()).unwrap();
    let secret: Vec<u8> = (200..=255).collect();
    let jwk = serde_json::json!({
        "kty": "oct", "kid": "a", "k": base64_simd::URL_SAFE_NO_PAD.encode_to_string(&secret),
    });
    let base = SigningKey::from_secret(Algorithm::Hs256, &secret).unwrap();
    for encryption in [None, Some(&encryption)] {
        let stored = StoredKey::new(&plan, Algorithm::Hs256, &jwk.to_string(), encryption).unwrap();
        assert_eq!(stored.kid, base.verifying_key().thumbprint());
        assert_eq!(stored.text(encryption).unwrap().as_slice(), secret);
        let ring = KeyRing::open(&[stored], encryption, start()).unwrap();
        let token = ring.key_set(&KeySet::none(), start()).unwrap().sign_compact(b"{}").unwrap();
        assert!(KeySet::new(base.clone()).verify_compact(&token).is_ok());
    }
}
