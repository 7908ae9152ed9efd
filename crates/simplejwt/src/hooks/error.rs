//! Errors of an application's own code.

use std::error::Error as StdError;
use std::fmt;

use crate::error::{Error, StoreError, TokenError};

/// The error of a hook or permission. `?` converts any error into it.
///
/// - An [`Error`] is kept and refuses the request as it does anywhere else: `return
///   Err(Error::PermissionDenied.into())`.
/// - A [`StoreError`] is a 503, so that an unreachable database is never mistaken for a bad token.
///   A [`TokenError`] is a 401.
/// - Anything else is an [`Error::Hook`]: a 500 without details for the client, and a log line with
///   the cause.
///
/// ```
/// use simplejwt::{Error, HookError};
///
/// fn parse(text: &str) -> Result<u32, HookError> {
///     if text.is_empty() {
///         return Err(Error::NoActiveAccount.into());
///     }
///     Ok(text.parse()?)
/// }
///
/// assert!(matches!(Error::from(parse("").unwrap_err()), Error::NoActiveAccount));
/// assert!(matches!(Error::from(parse("x").unwrap_err()), Error::Hook(_)));
/// ```
// Doesn't implement `Error` itself, which would rule out the general conversion by `?`.
pub struct HookError(Error);

impl HookError {
    /// Creates an error from text, or from a value that isn't an error but can be boxed as one
    /// (`anyhow::Error`).
    ///
    /// ```
    /// use simplejwt::HookError;
    ///
    /// let error = HookError::new("the list of teams is empty");
    /// assert_eq!(error.to_string(), "hook failed: the list of teams is empty");
    /// ```
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(of(cause.into()))
    }
}

/// The library's own errors are kept as they are.
fn of(cause: Box<dyn StdError + Send + Sync>) -> Error {
    cause
        .downcast()
        .map(|error| *error)
        .or_else(|cause| cause.downcast::<StoreError>().map(|error| Error::from(*error)))
        .or_else(|cause| cause.downcast::<TokenError>().map(|error| Error::from(*error)))
        .unwrap_or_else(Error::Hook)
}

impl<E: StdError + Send + Sync + 'static> From<E> for HookError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl From<HookError> for Error {
    fn from(error: HookError) -> Self {
        error.0
    }
}

impl fmt::Debug for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_as(work: impl FnOnce() -> Result<(), HookError>) -> Error {
        work().unwrap_err().into()
    }

    #[test]
    fn every_error_converts_and_what_the_flows_know_stays_known() {
        let busy = || StoreError::unavailable("teams", "gone");
        assert!(matches!(ends_as(|| Err(Error::PermissionDenied)?), Error::PermissionDenied));
        assert!(matches!(ends_as(|| Err(busy())?), Error::Store(_)));
        assert!(matches!(ends_as(|| Err(HookError::new(busy()))), Error::Store(_)));
        assert!(matches!(ends_as(|| Err(TokenError::Expired)?), Error::Token(TokenError::Expired)));
        let mut claims = crate::Claims::default();
        let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
        let set = ends_as(|| Ok(claims.set("pairs", unwritable)?));
        assert!(set.is_internal() && matches!(set, Error::Hook(_)), "{set}");
        let own = ends_as(|| Ok(std::fs::read_to_string("/no/such/file").map(drop)?));
        assert!(StdError::source(&own).unwrap().is::<std::io::Error>());
    }
}
