//! Throttles against brute force: how many failures an account, an address, both together and a
//! known device may have.
//!
//! Only failures count, so that no rate of good requests is too high. Passwords can be guessed,
//! so a login is refused before its password is looked at if there were too many failures
//!
//! - of the account from that address: [`Limits::login`];
//! - of the account from anywhere: [`Limits::login_account`]. An address from which there was no
//!   failure still has one attempt, so that nobody can lock anybody else out;
//! - from that address, of any accounts: [`Limits::login_address`].
//!
//! A refresh token of the account, presented with the login
//! ([`Auth::from_device`](crate::Auth::from_device)), identifies a device that has failures of its
//! own: those of others with the same account don't concern it.
//!
//! Tokens and the secrets of OAuth clients can't be guessed. What is good is never refused there;
//! what isn't, is answered as throttled if there is too much of it from an address.
//!
//! Names that aren't anybody's are counted as all others are. Counters have keyed hashes as ids; an
//! address is an IPv4 address or the first 64 bits of an IPv6 address.

mod in_flight;
pub(crate) mod login;
mod memory;
mod name;
mod rate;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::error::{ThrottleScope, Throttled};
use crate::store::throttle::{Charge, Counted, CounterId, ThrottleStore};
use crate::users::Source;

pub use memory::MemoryThrottle;
pub use rate::{Rate, RateError};

/// The numbers of failures that are tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failed logins to one account from one address, and those from one known device. Default:
    /// 10/hour.
    pub login: Rate,
    /// Failed logins to one account from all addresses. Beyond that, an address from which there
    /// was a failure waits until it is forgotten. Default: 100/hour.
    pub login_account: Rate,
    /// Failed logins from one address, to any accounts. Default: 300/hour.
    pub login_address: Rate,
    /// Refreshes with invalid tokens from one address. Default: 300/hour.
    pub refresh: Rate,
    /// Verifications of invalid tokens from one address. Default: 1000/hour.
    pub verify: Rate,
    /// Failed authentications of OAuth clients from one address. Default: 100/hour.
    pub introspect: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login: Rate::per_hour(10),
            login_account: Rate::per_hour(100),
            login_address: Rate::per_hour(300),
            refresh: Rate::per_hour(300),
            verify: Rate::per_hour(1000),
            introspect: Rate::per_hour(100),
        }
    }
}

/// Throttles requests by the failures before them. Cheap to clone; clones share their counters.
///
/// ```
/// use simplejwt::throttle::{Limits, Throttle};
/// use simplejwt::{Auth, Settings, Tokens};
///
/// let tokens = Tokens::new(Settings {
///     signing_key: Some("a secret of at least thirty-two bytes".into()),
///     ..Settings::default()
/// })?;
/// let limits = Limits { login: "5/min".parse()?, ..Limits::default() };
/// let auth = Auth::new(tokens).with_throttle(Throttle::new(limits));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    limits: Limits,
    key: [u8; 32],
    /// The counters of logins.
    store: Arc<dyn ThrottleStore>,
    /// The other counters, which are this process's own: nothing is written for a token that is no
    /// good.
    local: MemoryThrottle,
    /// The times until which it needn't be reported again that a counter is full.
    told: MemoryThrottle,
    in_flight: in_flight::InFlight,
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Throttle {
    /// Creates a throttle that counts in this process's memory ([`MemoryThrottle`]).
    pub fn new(limits: Limits) -> Self {
        let mut key = [0; 32];
        crate::random::fill(&mut key);
        Self::with(limits, Arc::new(MemoryThrottle::default()), key)
    }

    /// Creates a throttle that counts logins in this store. `secret` is a key that all processes
    /// that share the store have in common, such as that which signs tokens; ids of counters are
    /// made with it.
    pub fn shared(limits: Limits, store: Arc<dyn ThrottleStore>, secret: &[u8]) -> Self {
        Self::with(limits, store, tag(secret, &["simplejwt throttle"]))
    }

    fn with(limits: Limits, store: Arc<dyn ThrottleStore>, key: [u8; 32]) -> Self {
        let (local, told, in_flight) = Default::default();
        Self(Arc::new(Inner { limits, key, store, local, told, in_flight }))
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    fn id(&self, counted: Counted, parts: &[&str]) -> CounterId {
        let kind = match counted {
            Counted::Pair => "pair",
            Counted::Account => "account",
            Counted::Address => "address",
            Counted::Device => "device",
            Counted::Refresh => "refresh",
            Counted::Verify => "verify",
            Counted::Client => "client",
        };
        let tag = tag(&self.0.key, &[&[kind], parts].concat());
        let mut hash = [0; 16];
        hash.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        CounterId { counted, hash }
    }

    /// Counts a failure from this address that isn't a login's.
    ///
    /// # Errors
    /// There were too many before; with the counter.
    pub(crate) fn count(
        &self,
        scope: ThrottleScope,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), (Throttled, CounterId)> {
        let limits = &self.0.limits;
        let (counted, rate) = match scope {
            ThrottleScope::Refresh => (Counted::Refresh, limits.refresh),
            ThrottleScope::Introspect => (Counted::Client, limits.introspect),
            _ => (Counted::Verify, limits.verify),
        };
        // Without an address, it isn't known whose failures these are.
        let Some(address) = address else { return Ok(()) };
        let id = self.id(counted, &[&Source::from(address).to_string()]);
        if let Some(wait) = rate.wait(self.0.local.arrival(id), 0, now) {
            return Err((Throttled::new(scope, rate.limit(), rate.period(), wait), id));
        }
        self.0.local.charge_one(Charge { id, cost: rate.interval() }, now);
        Ok(())
    }

    /// Returns `true` if it should be reported that this counter is full: once until it has room
    /// again, since refused requests cost next to nothing, and their lines in the log would.
    pub(crate) fn is_news(&self, throttled: &Throttled, id: CounterId, now: Timestamp) -> bool {
        let told = &self.0.told;
        let is_known = told.arrival(id).is_some_and(|until| until > now);
        if !is_known {
            let cost = Duration::from_secs(throttled.retry_after());
            told.charge_one(Charge { id, cost }, now);
        }
        !is_known
    }
}

/// Returns `true` if both are names of one account.
pub(crate) fn is_same_account(one: &str, other: &str) -> bool {
    name::folded(one) == name::folded(other)
}

/// Returns HMAC-SHA256 of these parts, each with its length before it.
fn tag(key: &[u8], parts: &[&str]) -> [u8; 32] {
    // A key of any length is accepted.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}
