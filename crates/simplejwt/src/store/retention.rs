//! The rule for how long a revocation counts, which the purge, sessions, the feed and `strict`
//! share.
//!
//! The latest `exp` that a token can have is stored. It counts until [`LEEWAY`] and a [`MARGIN`]
//! have passed after it, by the settings of the reader: every reader compares it with
//! [`Retention::due`].
//!
//! [`LEEWAY`]: crate::Settings::leeway

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::settings::Settings;

/// The time for which a revocation is kept beyond the last moment at which its token could pass a
/// check: a day. It covers clocks that differ, another `LEEWAY` on another server, and rows that
/// Django without `USE_TZ` has shifted by its time zone, at most 14 hours.
pub const MARGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The rule, with the lifetimes and the leeway of some settings.
///
/// ```
/// use simplejwt::store::retention::{MARGIN, Retention};
/// use simplejwt::{Settings, Timestamp};
/// use std::time::Duration;
///
/// let leeway = Duration::from_secs(60);
/// let retention = Retention::of(&Settings { leeway, ..Settings::default() });
/// let exp = Timestamp::from_secs(1_767_323_045);
/// let forgotten = exp + leeway + MARGIN;
/// assert_eq!(retention.due(forgotten), exp);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    leeway: Duration,
    access: Duration,
    refresh: Duration,
    sliding: Duration,
    sliding_refresh: Duration,
    refresh_exp_claim: String,
}

/// The times in a token's payload, in seconds since 1970 (RFC 7519 section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// `exp`.
    pub exp: Option<i64>,
    /// `iat`.
    pub iat: Option<i64>,
    /// A sliding token's refresh expiry.
    pub refresh_exp: Option<i64>,
}

impl Retention {
    /// Creates the rule for tokens that are checked with these settings.
    pub fn of(settings: &Settings) -> Self {
        Self {
            leeway: settings.leeway,
            access: settings.access_token_lifetime,
            refresh: settings.refresh_token_lifetime,
            sliding: settings.sliding_token_lifetime,
            sliding_refresh: settings.sliding_token_refresh_lifetime,
            refresh_exp_claim: settings.sliding_token_refresh_exp_claim.clone(),
        }
    }

    /// Returns what is due at `at`: everything whose latest `exp` is this time or earlier no longer
    /// counts.
    pub fn due(&self, at: Timestamp) -> Timestamp {
        at - self.leeway - MARGIN
    }

    /// The same for the rows of sessions. These keep the latest `exp` of a sliding token by the
    /// settings with which it was issued, but its lifetime may be longer by now. And an access
    /// token issued at the very end of a refresh token outlives it by its whole lifetime: it can be
    /// revoked with its session, and counts as revoked without one.
    pub fn sessions_due(&self, at: Timestamp) -> Timestamp {
        self.due(at) - self.leeway - self.sliding.max(self.access)
    }

    /// Returns the latest `exp` that a token with these times can have: `expires_at`, if they are
    /// unknown. A sliding token can be renewed until its refresh expiry and `LEEWAY` have passed;
    /// its lifetime is the setting's or its own (`exp - iat`), whichever is longer, since settings
    /// change.
    pub fn last_exp(&self, times: Times, expires_at: Timestamp) -> Timestamp {
        let exp = times.exp.map_or(expires_at, Timestamp::from_secs).max(expires_at);
        let Some(refresh_exp) = times.refresh_exp else { return exp };
        let shown = times.exp.zip(times.iat).map(|(exp, iat)| exp.saturating_sub(iat));
        let shown = Duration::from_secs(shown.unwrap_or(0).max(0).unsigned_abs());
        exp.max(Timestamp::from_secs(refresh_exp) + self.leeway + self.sliding.max(shown))
    }

    /// The same for a stored token, with or without its signature, and the column beside it; by the
    /// column alone if the token can't be read.
    pub fn last_exp_of(&self, encoded: &str, expires_at: Timestamp) -> Timestamp {
        match self.times_of(encoded) {
            Some(times) => self.last_exp(times, expires_at),
            None => expires_at,
        }
    }

    /// Returns the times of a token, whoever signed it; `None` if they can't be read.
    pub fn times_of(&self, encoded: &str) -> Option<Times> {
        /// The claim's default name: the setting may have been different when it was issued.
        const REFRESH_EXP: &str = "refresh_exp";
        let claims = payload(encoded)?;
        let claims = claims.as_object()?;
        let seconds = |name: &str| claims.get(name).and_then(seconds);
        Some(Times {
            exp: seconds("exp"),
            iat: seconds("iat"),
            refresh_exp: seconds(&self.refresh_exp_claim).max(seconds(REFRESH_EXP)),
        })
    }

    /// Returns the latest `exp` of refresh and sliding tokens in a session that ends at this time.
    pub(super) fn last_refresh_exp(&self, at: Timestamp) -> Timestamp {
        let slides = self.sliding_refresh + self.leeway + self.sliding;
        at + self.refresh.max(slides)
    }

    /// The same for its access tokens.
    pub(super) fn last_access_exp(&self, at: Timestamp) -> Timestamp {
        at + self.access
    }

    /// Returns `true` if the revocation of an access token with these times may already be
    /// forgotten while the token still counts: it lives longer than the settings allow, since it
    /// was issued with other settings or by another server.
    pub(crate) fn may_be_forgotten(
        &self,
        issued_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> bool {
        match (issued_at, expires_at) {
            (Some(issued_at), Some(expires_at)) => expires_at > issued_at + self.access + MARGIN,
            _ => true,
        }
    }
}

/// Returns the payload of a token, whoever signed it.
pub(super) fn payload(encoded: &str) -> Option<Value> {
    let payload = encoded.split('.').nth(1)?.trim_end_matches('=');
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Reads a NumericDate in whole seconds, without fractions.
fn seconds(value: &Value) -> Option<i64> {
    if let Some(seconds) = value.as_i64() {
        return Some(seconds);
    }
    // Saturates: a value out of range is past or future all the same.
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    value.as_f64().map(|number| number.trunc() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(payload: &str) -> String {
        format!("e30.{}.", base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload))
    }

    fn secs(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn retention() -> Retention {
        Retention::of(&Settings {
            leeway: Duration::from_secs(10),
            sliding_token_lifetime: Duration::from_secs(300),
            sliding_token_refresh_exp_claim: "renew_until".into(),
            ..Settings::default()
        })
    }

    #[test]
    fn a_tokens_own_times_count() {
        for (payload, column, last) in [
            (r#"{"exp": 5000}"#, 1000, 5000),
            (r#"{"exp": 5000.9}"#, 1000, 5000),
            (r#"{"exp": 5e3}"#, 1000, 5000),
            // Django, west of UTC.
            (r#"{"exp": 5000}"#, 9000, 9000),
            (r#"{"exp": "soon"}"#, 1000, 1000),
            (r#"{"exp": null, "iat": 1}"#, 1000, 1000),
            ("{}", 1000, 1000),
            ("[5000]", 1000, 1000),
            ("no JSON", 1000, 1000),
            // Sliding: the last renewal, with the longer of both lifetimes.
            (r#"{"exp": 500, "iat": 400, "renew_until": 5000}"#, 500, 5310),
            (r#"{"exp": 500, "iat": 400, "refresh_exp": 5000}"#, 500, 5310),
            (r#"{"exp": 5500, "iat": 400, "renew_until": 5000}"#, 500, 10_110),
            (r#"{"exp": 500, "iat": 900, "renew_until": 5000}"#, 500, 5310),
            (r#"{"exp": 500, "renew_until": 5000.5}"#, 500, 5310),
            (r#"{"exp": 9000, "iat": 8999, "renew_until": 100}"#, 500, 9000),
        ] {
            let found = retention().last_exp_of(&encoded(payload), secs(column));
            assert_eq!(found, secs(last), "{payload}");
        }
    }

    #[test]
    fn nothing_that_a_token_says_overflows() {
        let at = secs(1000);
        for payload in [
            r#"{"exp": 9223372036854775807, "iat": -9223372036854775808, "renew_until": 1}"#,
            r#"{"exp": 1e300, "renew_until": 1e300}"#,
            r#"{"exp": -1e300, "iat": 1e300, "renew_until": -1e300}"#,
            r#"{"exp": 99999999999999999999999999}"#,
        ] {
            assert!(retention().last_exp_of(&encoded(payload), at) >= at, "{payload}");
        }
        for text in ["", ".", "..", "a.b.c", "a.*.c", "e30", "\u{1f511}.\u{1f511}"] {
            assert_eq!(retention().last_exp_of(text, at), at, "{text}");
        }
    }

    #[test]
    fn padding_is_no_obstacle() {
        let token = format!("{}==.", encoded(r#"{"exp": 5000}"#).trim_end_matches('.'));
        assert_eq!(retention().last_exp_of(&token, secs(1)), secs(5000));
    }

    #[test]
    fn what_outlives_the_settings_may_be_forgotten() {
        let retention = retention();
        let day = 24 * 60 * 60;
        let may = |issued_at: Option<i64>, expires_at: i64| {
            retention.may_be_forgotten(issued_at.map(secs), Some(secs(expires_at)))
        };
        assert!(!may(Some(0), 300));
        assert!(!may(Some(0), 300 + day));
        assert!(may(Some(0), 301 + day));
        assert!(may(None, 300));
    }
}
