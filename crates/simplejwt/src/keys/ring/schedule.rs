//! When keys are made, sign, and are gone.

use std::time::Duration;

use super::{KeyRing, RingError, RingKey, StoredKey};
use crate::clock::Timestamp;
use crate::keys::seal::KeyEncryptionKey;
use crate::keys::{Algorithm, SigningKey};

/// The longest time between two looks at the stored ring.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// The shortest one.
const SHORTEST_LOOK: Duration = Duration::from_millis(250);

/// The times by which the keys of a ring follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The time for which a key is published before it signs. Everybody who verifies has to read
    /// the published keys at least as often.
    pub publication_delay: Duration,
    /// The time for which a key signs; `None` if keys are only replaced by hand.
    pub rotate_every: Option<Duration>,
    /// The time for which a key verifies after its successor has begun to sign: the longest
    /// lifetime of a token, with the leeway.
    pub keep: Duration,
}

/// A key that is to be made, and what becomes of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its number. Only one key can have it, so of several processes with the same plan, one
    /// carries it out.
    pub number: i64,
    /// The present time.
    pub created_at: Timestamp,
    /// The time from which it signs.
    pub activates_at: Timestamp,
    /// The time from which the tokens of the keys before it are refused.
    pub others_until: Timestamp,
}

impl Schedule {
    /// Returns the key that is due at `now`, if one is: the first of all, unless other keys sign
    /// (`has_base`), or the successor of the newest one. If that has an end although nothing
    /// succeeds it, since its successor was retired before it signed, another one is due at once.
    pub fn due(&self, ring: &KeyRing, has_base: bool, now: Timestamp) -> Option<Plan> {
        let Some(newest) = ring.keys().last() else {
            return match (has_base, self.rotate_every) {
                (false, _) => Some(self.plan(0, now, now)),
                (true, None) => None,
                (true, Some(_)) => Some(self.plan(0, now, now + self.publication_delay)),
            };
        };
        if let Some(until) = newest.verifies_until {
            let activates_at = (now + self.publication_delay).min(until);
            return Some(self.plan(newest.number, now, activates_at));
        }
        let activates_at = newest.activates_at + self.rotate_every?;
        if activates_at > now + self.publication_delay {
            return None;
        }
        Some(self.plan(newest.number, now, activates_at.max(now + self.publication_delay)))
    }

    /// Returns the successor of the newest key, to be made at `now`; `None` if that one doesn't
    /// sign yet. With `at_once` it signs as soon as every process has read it, although whoever
    /// reads the published keys less often may refuse its tokens until then; it is `None` only if
    /// the newest key signs as early.
    pub fn rotation(
        &self,
        ring: &KeyRing,
        has_base: bool,
        at_once: bool,
        now: Timestamp,
    ) -> Option<Plan> {
        let newest = ring.keys().last();
        let delay = match (newest, has_base) {
            (None, false) => Duration::ZERO,
            _ if at_once => self.look() * 2,
            _ => self.publication_delay,
        };
        let is_pending = |newest: &RingKey| {
            newest.activates_at > now && !(at_once && newest.activates_at > now + delay)
        };
        if newest.is_some_and(is_pending) {
            return None;
        }
        Some(self.plan(newest.map_or(0, |newest| newest.number), now, now + delay))
    }

    fn plan(&self, newest: i64, now: Timestamp, activates_at: Timestamp) -> Plan {
        Plan {
            number: newest.saturating_add(1),
            created_at: now,
            activates_at,
            // A process that learns late of its successor still signs with a key.
            others_until: activates_at + self.publication_delay + self.keep,
        }
    }

    /// Returns how often a process has to read the stored ring: four times in the publication delay,
    /// at least every ten seconds.
    pub fn look(&self) -> Duration {
        (self.publication_delay / 4).clamp(SHORTEST_LOOK, LONGEST_LOOK)
    }

    /// Returns the age at which what a process has read of the ring is too old to be published or
    /// signed with: half the publication delay.
    pub fn stale_after(&self) -> Duration {
        (self.publication_delay / 2).max(self.look() * 2)
    }

    /// Returns the time for which readers may keep the published keys: a quarter of the publication
    /// delay, so that they know each key before it signs.
    pub fn max_age(&self) -> Duration {
        self.publication_delay / 4
    }
}

impl Plan {
    /// Makes the key, encrypted if there is something to encrypt it with.
    ///
    /// # Errors
    /// [`RingError`] if the cryptographic library fails.
    pub fn generate(
        &self,
        algorithm: Algorithm,
        encryption: Option<&KeyEncryptionKey>,
    ) -> Result<StoredKey, RingError> {
        let text = SigningKey::generate(algorithm)?;
        StoredKey::new(self, algorithm, &text, encryption)
    }
}
