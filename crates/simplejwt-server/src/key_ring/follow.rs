//! The task that puts keys into use.

use std::time::Duration;

use simplejwt::keys::ring::KeyState;
use simplejwt::{Clock as _, SystemClock, Timestamp, Tokens};

use super::{Base, Read, Ring};
use crate::failure::Failure;

/// What of a ring decides which keys are in use.
type States = Vec<(String, KeyState)>;

/// A ring, and the tokens that use its keys.
pub(crate) struct Following {
    ring: Ring,
    tokens: Tokens,
    read: Read,
    states: States,
    /// That of the keys of the settings in use.
    generation: u64,
    /// The last failure that was logged.
    told: Option<String>,
    /// The time until which gone keys are left alone.
    next_cleaning: Timestamp,
}

/// The time between two deletions of keys that are gone.
const CLEANING: Duration = Duration::from_secs(60 * 60);
/// The time for which keys that are gone stay, so that `key list` shows them.
const SHOWN: Duration = Duration::from_secs(24 * 60 * 60);

impl Following {
    /// Puts the ring's keys into use, as they are.
    ///
    /// # Errors
    /// The ring can't be read, or isn't usable.
    pub(crate) async fn begin(ring: Ring, tokens: Tokens) -> Result<Self, Failure> {
        let now = SystemClock.now();
        let read = ring.read(now).await?;
        let generation = ring.base().generation();
        tokens.replace_keys(ring.key_set(&read, now)?);
        tokens.publish_keys_until(now + ring.schedule.stale_after());
        let states = states(&read, now);
        Ok(Self { ring, tokens, read, states, generation, told: None, next_cleaning: now })
    }

    /// Makes the key that is due, if one is: the first one if there is none at all.
    ///
    /// # Errors
    /// The ring can't be read or changed, or isn't usable.
    pub(crate) async fn advance(&mut self) -> Result<(), Failure> {
        let now = SystemClock.now();
        self.read = self.ring.advance(now).await?;
        self.tokens.replace_keys(self.ring.key_set(&self.read, now)?);
        self.states = states(&self.read, now);
        Ok(())
    }

    /// Returns the keys of the settings beside those of the ring.
    pub(crate) fn base(&self) -> &Base {
        self.ring.base()
    }

    /// Follows the ring for as long as it is polled.
    pub(crate) async fn follow(&mut self) {
        loop {
            let now = SystemClock.now();
            let look = self.ring.schedule.look();
            let change = self.read.ring.next_change(now).map(|at| micros_until(now, at));
            tokio::select! {
                () = tokio::time::sleep(change.map_or(look, |change| change.min(look))) => {}
                () = self.ring.base().replaced() => {}
            }
            self.look(SystemClock.now()).await;
        }
    }

    async fn look(&mut self, now: Timestamp) {
        match self.ring.advance(now).await.and_then(|read| {
            // Also if it isn't used yet.
            self.ring.key_set(&read, now).map(|_| read)
        }) {
            Ok(read) => {
                self.read = read;
                self.told = None;
                // Longer, a key that another process made may be missing.
                self.tokens.publish_keys_until(now + self.ring.schedule.stale_after());
            }
            Err(failure) => self.tell(&failure.to_string()),
        }
        let states = states(&self.read, now);
        let generation = self.ring.base().generation();
        if (generation, &states) != (self.generation, &self.states) {
            match self.ring.key_set(&self.read, now) {
                Ok(keys) => self.tokens.replace_keys(keys),
                Err(failure) => return self.tell(&failure.to_string()),
            }
            let named = |state| {
                let of = states.iter().filter(|(_, other)| *other == state);
                of.map(|(kid, _)| kid.as_str()).collect::<Vec<_>>().join(", ")
            };
            tracing::info!(
                event = "keys_changed",
                active = named(KeyState::Active),
                next = named(KeyState::Next),
                retiring = named(KeyState::Retiring),
                "other keys are in use"
            );
            self.states = states;
            self.generation = generation;
        }
        self.clean(now).await;
    }

    async fn clean(&mut self, now: Timestamp) {
        if now < self.next_cleaning {
            return;
        }
        self.next_cleaning = now + CLEANING;
        // What isn't deleted is read again, and not used.
        if let Err(error) = self.ring.store.delete_keys(now - SHOWN).await {
            tracing::warn!(
                event = "keys_not_deleted",
                error = crate::failure::chain(&error),
                "the keys that are gone could not be deleted"
            );
        }
    }

    fn tell(&mut self, failure: &str) {
        if self.told.as_deref() != Some(failure) {
            tracing::error!(
                event = "keys_not_read",
                error = failure,
                "the stored keys can't be used: the server's stay as they were"
            );
            self.told = Some(failure.to_owned());
        }
    }
}

fn states(read: &Read, now: Timestamp) -> States {
    let named = |(key, state): (&simplejwt::keys::ring::RingKey, KeyState)| {
        (key.key.kid().unwrap_or_default().to_owned(), state)
    };
    read.ring.states(now).map(named).collect()
}

fn micros_until(now: Timestamp, at: Timestamp) -> Duration {
    let micros = at.as_micros().saturating_sub(now.as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
