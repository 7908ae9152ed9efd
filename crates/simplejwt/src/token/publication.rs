//! How long the keys of this process may be published.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::Tokens;
use crate::clock::Timestamp;

/// The time until which the keys may be published.
pub(super) struct Publication {
    /// In microseconds since 1970; `i64::MAX` without a limit.
    until: AtomicI64,
    /// `true` if the log already says that the time is over.
    is_logged: AtomicBool,
}

impl Default for Publication {
    fn default() -> Self {
        Self { until: AtomicI64::new(i64::MAX), is_logged: AtomicBool::new(false) }
    }
}

impl Tokens {
    /// Says that the public keys are complete until a time, here and in every clone. From then on,
    /// [`Endpoint::Jwks`](crate::web::endpoint::Endpoint::Jwks) answers 503 with `Retry-After`,
    /// until a later time is set; before, `max-age` ends with that time. Tokens are issued and
    /// verified as before.
    ///
    /// This is for processes that share stored keys, each of which reads them from time to time: one
    /// that can't may lack a key that another already signs with. Without a call, the keys are
    /// complete for ever.
    ///
    /// ```
    /// use std::time::Duration;
    /// use simplejwt::{Settings, Tokens};
    ///
    /// # let settings = Settings {
    /// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
    /// #     ..Settings::default()
    /// # };
    /// let tokens = Tokens::new(settings)?;
    /// // After each successful read of the stored keys:
    /// tokens.publish_keys_until(tokens.now() + Duration::from_secs(600));
    /// # Ok::<_, simplejwt::settings::SettingsError>(())
    /// ```
    pub fn publish_keys_until(&self, until: Timestamp) {
        let publication = &self.inner.publication;
        publication.until.store(until.as_micros(), Ordering::Relaxed);
        publication.is_logged.store(false, Ordering::Relaxed);
    }

    /// Returns the time until which the keys may be published.
    pub(crate) fn published_until(&self) -> Timestamp {
        Timestamp::from_micros(self.inner.publication.until.load(Ordering::Relaxed))
    }

    /// Returns `true` to the first caller after each [`publish_keys_until`](Self::publish_keys_until).
    pub(crate) fn withholds_keys_for_the_first_time(&self) -> bool {
        !self.inner.publication.is_logged.swap(true, Ordering::Relaxed)
    }
}
