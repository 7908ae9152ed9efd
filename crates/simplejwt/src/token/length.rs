//! Long tokens: this library accepts at most 16 KiB, and cookies and proxies accept less.

use std::sync::atomic::Ordering;

use super::{Token, TokenType, Tokens};
use crate::claims::Claims;
use crate::error::Error;
use crate::keys::MAX_TOKEN_BYTES;
use crate::users::UserId;

/// The length from which tokens are logged: 8 KiB, half of the maximum.
const LONG: usize = MAX_TOKEN_BYTES / 2;
/// The minimum time between two such log lines, in seconds.
const WARNING_INTERVAL: i64 = 60 * 60;

impl Tokens {
    pub(super) fn too_long<T>(&self, token: &Token<T>, bytes: usize) -> Error {
        let (claim, claim_bytes) = largest(&token.claims);
        let user = self.user_id(token).map(|id| id.as_str().to_owned()).unwrap_or_default();
        Error::TokenTooLong {
            user,
            bytes,
            most: MAX_TOKEN_BYTES,
            claim: claim.to_owned(),
            claim_bytes,
        }
    }

    /// Logs that a token is long, at most once an hour.
    pub(super) fn warn_if_long<T: TokenType>(&self, token: &Token<T>, bytes: usize) {
        if bytes < LONG {
            return;
        }
        let now = self.now().as_secs();
        let told = &self.inner.length_warned_at;
        let last = told.load(Ordering::Relaxed);
        let is_due = last == i64::MIN || now >= last.saturating_add(WARNING_INTERVAL);
        if !is_due
            || told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let (claim, claim_bytes) = largest(&token.claims);
        let user_id = self.user_id(token);
        let user_id = user_id.as_ref().map(UserId::as_str);
        tracing::warn!(
            event = "token_long",
            user_id,
            token_type = T::NAME,
            bytes,
            limit = MAX_TOKEN_BYTES,
            claim,
            claim_bytes,
            "a token is long: one over the limit isn't issued, and cookies and proxies have lower limits"
        );
    }
}

/// Returns the claim with the longest value, and the length of that value.
fn largest(claims: &Claims) -> (&str, usize) {
    let length = |(name, value): (_, &str)| (name, value.len());
    claims.iter().map(length).max_by_key(|(_, bytes)| *bytes).unwrap_or_default()
}
