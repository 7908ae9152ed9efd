//! The kinds of tokens.

use std::time::Duration;

use crate::settings::{Settings, TokenClass};

/// A kind of token. An open trait, since applications add kinds of their own.
///
/// ```
/// use simplejwt::{Settings, TokenType};
/// use std::time::Duration;
///
/// /// Opens the registration page for whoever was invited.
/// #[derive(Debug)]
/// enum Invite {}
///
/// impl TokenType for Invite {
///     const NAME: &'static str = "invite";
///     fn lifetime(_: &Settings) -> Duration {
///         Duration::from_secs(3 * 24 * 60 * 60)
///     }
/// }
/// ```
pub trait TokenType: 'static {
    /// The value of the `token_type` claim.
    const NAME: &'static str;
    /// `true` if a token of any type is accepted as this kind, which is so for [`Untyped`] only.
    const ANY_TYPE: bool = false;

    /// Returns the lifetime of a token of this kind.
    fn lifetime(settings: &Settings) -> Duration;
}

/// Authenticates requests to protected routes. Upstream: `AccessToken`.
#[derive(Debug)]
pub enum Access {}
/// Obtains new access tokens. Upstream: `RefreshToken`.
#[derive(Debug)]
pub enum Refresh {}
/// Authenticates requests to protected routes and can itself be renewed. Upstream: `SlidingToken`.
#[derive(Debug)]
pub enum Sliding {}
/// Any kind: proves that the token is valid, but not what it is for. Upstream: `UntypedToken`.
#[derive(Debug)]
pub enum Untyped {}

impl TokenType for Access {
    const NAME: &'static str = TokenClass::Access.token_type();
    fn lifetime(settings: &Settings) -> Duration {
        settings.access_token_lifetime
    }
}

impl TokenType for Refresh {
    const NAME: &'static str = TokenClass::Refresh.token_type();
    fn lifetime(settings: &Settings) -> Duration {
        settings.refresh_token_lifetime
    }
}

impl TokenType for Sliding {
    const NAME: &'static str = TokenClass::Sliding.token_type();
    fn lifetime(settings: &Settings) -> Duration {
        settings.sliding_token_lifetime
    }
}

impl TokenType for Untyped {
    const NAME: &'static str = TokenClass::Untyped.token_type();
    const ANY_TYPE: bool = true;
    fn lifetime(_: &Settings) -> Duration {
        Duration::ZERO
    }
}
