//! A refusal because of too many failures before.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limit that a request is throttled by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ThrottleScope {
    /// Failed logins to an account from an address.
    Login,
    /// Failed logins to an account.
    LoginAccount,
    /// Failed logins from an address.
    LoginAddress,
    /// Refreshes with invalid tokens.
    Refresh,
    /// Verifications of invalid tokens.
    Verify,
    /// Failed authentications of OAuth clients.
    Introspect,
}

impl ThrottleScope {
    /// Returns its name: that of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::LoginAccount => "login_account",
            Self::LoginAddress => "login_address",
            Self::Refresh => "refresh",
            Self::Verify => "verify",
            Self::Introspect => "introspect",
        }
    }
}

impl fmt::Display for ThrottleScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The limit that a request has reached, and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    scope: ThrottleScope,
    limit: u32,
    period: Duration,
    wait: Duration,
}

impl Throttled {
    pub(crate) fn new(scope: ThrottleScope, limit: u32, period: Duration, wait: Duration) -> Self {
        Self { scope, limit, period, wait }
    }

    /// Returns the scope of the limit.
    pub fn scope(&self) -> ThrottleScope {
        self.scope
    }

    /// Returns the number of failures that are tolerated in a [`period`](Self::period).
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns the period of the limit.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Returns the seconds to wait, rounded up; 1 or more.
    pub fn retry_after(&self) -> u64 {
        let more = u64::from(self.wait.subsec_nanos() > 0);
        self.wait.as_secs().saturating_add(more).max(1)
    }
}
