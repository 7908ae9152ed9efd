//! The kinds of tokens.

use std::time::Duration;

use crate::settings::{Settings, TokenClass};

/// A kind of token. Open, because applications add kinds of their own.
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
    /// Whether a token of any type is accepted as this kind: only [`Untyped`] is so.
    const ANY_TYPE: bool = false;

    /// How long a token of this kind is good for.
    fn lifetime(settings: &Settings) -> Duration;
}

/// Opens protected routes. Upstream: `AccessToken`.
#[derive(Debug)]
pub enum Access {}
/// Gets new access tokens. Upstream: `RefreshToken`.
#[derive(Debug)]
pub enum Refresh {}
/// Opens protected routes and is renewed itself. Upstream: `SlidingToken`.
#[derive(Debug)]
pub enum Sliding {}
/// Any kind: says that the token is good, not what for. Upstream: `UntypedToken`.
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
