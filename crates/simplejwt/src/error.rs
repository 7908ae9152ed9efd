//! Errors of the library, sorted by whose fault they are.
//!
//! [`TokenError`] is the caller's: the token was refused. [`Error`] covers every way a flow can
//! fail. How each one looks on the wire is decided in one place, `web.rs`.

mod throttled;

use std::error::Error as StdError;

pub use throttled::{ThrottleScope, Throttled};

/// The reason a token was refused. `Display` is the sentence that upstream sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a JWT, a signature that doesn't verify, another algorithm, a claim of the wrong type,
    /// a wrong `aud` or `iss`, or `nbf` or `iat` in the future.
    #[error("Token is invalid")]
    Invalid,
    /// `exp` has passed (RFC 7519 section 4.1.4).
    #[error("Token is expired")]
    Expired,
    /// A required claim is missing: `exp`, or a sliding token's refresh expiry.
    #[error("Token has no '{0}' claim")]
    MissingClaim(String),
    /// The claim that `JTI_CLAIM` names is missing.
    #[error("Token has no id")]
    MissingId,
    /// The claim that `TOKEN_TYPE_CLAIM` names is missing.
    #[error("Token has no type")]
    MissingType,
    /// The token is of a different kind from the one required.
    #[error("Token has wrong type")]
    WrongType,
    /// The time in the named claim has passed: a sliding token past its refresh expiry.
    #[error("Token '{0}' claim has expired")]
    ClaimExpired(String),
    /// The token's id is on the blacklist.
    #[error("Token is blacklisted")]
    Blacklisted,
}

/// The reason one of `AUTH_TOKEN_CLASSES` refused a token: one entry of `messages` in a protected
/// route's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMessage {
    /// The name of upstream's class: `AccessToken`.
    pub token_class: &'static str,
    /// The kind of token, as in its type claim: `access`.
    pub token_type: &'static str,
    /// The reason it was refused.
    pub error: TokenError,
}

/// Every way a flow of [`Auth`](crate::Auth) can fail.
///
/// `Display` is for logs and never holds a secret. Clients get [`Error::code`] and a fixed
/// sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A token endpoint was given an invalid token.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// `verify` was given a valid token whose id is blacklisted. Upstream answers this as a
    /// validation error (400).
    #[error("verified token is blacklisted")]
    VerifiedBlacklisted,
    /// The login was refused, for whatever reason.
    #[error("no active account found with the given credentials")]
    NoActiveAccount,
    /// The refresh was refused: the token's user is inactive or doesn't exist.
    #[error("no active account found for the given token")]
    NoActiveAccountForToken,
    /// A protected route was called without credentials.
    #[error("no credentials were sent")]
    NotAuthenticated,
    /// The authorization header isn't of the form `Bearer <token>`.
    #[error("malformed authorization header")]
    BadAuthorizationHeader,
    /// A header field that may occur only once was sent twice (RFC 9110 section 5.3). Holds its
    /// name.
    #[error("the header field {0} was sent more than once")]
    RepeatedHeader(String),
    /// A protected route was given a token that none of `AUTH_TOKEN_CLASSES` accepts.
    #[error("token not valid for any token type: {}", messages(.0))]
    TokenNotValid(Vec<TokenMessage>),
    /// The access token in the cookie has expired. Since browsers send cookies by themselves,
    /// endpoints that work without credentials ignore it.
    #[error("the access token in the cookie has expired")]
    CookieExpired(Vec<TokenMessage>),
    /// The request carries valid cookies of two different users. Another host may have set one of
    /// them.
    #[error("the request carries cookies of two different users")]
    AmbiguousCookies,
    /// The token has no claim that identifies its user.
    #[error("token has no user claim")]
    NoUserClaim,
    /// The token's user doesn't exist.
    #[error("user not found")]
    UserNotFound,
    /// The token's user is inactive.
    #[error("user is inactive")]
    UserInactive,
    /// The user's password has changed since the token was issued (`CHECK_REVOKE_TOKEN`).
    #[error("the user's password has been changed")]
    PasswordChanged,
    /// The call needs a blacklist, but `token_blacklist` is off.
    #[error("the token blacklist is not enabled")]
    BlacklistDisabled,
    /// The call needs sessions, but they are disabled.
    #[error("sessions are not enabled")]
    SessionsDisabled,
    /// There were too many failures before: of this account, or from this address.
    #[error("throttled by {}: try again in {} seconds", .0.scope(), .0.retry_after())]
    Throttled(Throttled),
    /// The user already has the maximum number of sessions (`max_per_user`).
    #[error("too many sessions")]
    TooManySessions,
    /// The token doesn't identify its session.
    #[error("the token doesn't identify its session")]
    SessionUnknown,
    /// The session doesn't exist or belongs to another user.
    #[error("no such session")]
    NoSuchSession,
    /// The user doesn't exist, and there are no sessions left over from a deleted user of that id.
    #[error("no such user")]
    NoSuchUser,
    /// The login is older than a route allows
    /// ([`MaxAge`](crate::web::permission::MaxAge)), or the token doesn't tell when it was (RFC 9470
    /// section 3).
    #[error("the login is older than {max_age} seconds, or its time isn't known")]
    InsufficientUserAuthentication {
        /// The allowed age of the login, in seconds.
        max_age: u64,
    },
    /// The operation is reserved for staff.
    #[error("permission denied")]
    PermissionDenied,
    /// An unsafe request authenticated by cookies came from a page of another origin.
    #[error("request from another origin")]
    CrossOrigin,
    /// The revocation feed is out of date, so a revoked token can't be told from a valid one.
    #[error("the revocation feed is out of date")]
    FeedLost,
    /// The keys at `JWK_URL` were never fetched, or the token names one that couldn't be looked up,
    /// so a valid token can't be told from an invalid one.
    #[error("the keys that verify tokens are unavailable")]
    KeysUnavailable,
    /// A login was attempted, but there is no user store.
    #[error("no user store is configured")]
    NoUserStore,
    /// There is no signing key: this instance can only verify tokens.
    #[error("no signing key is configured")]
    CannotSign,
    /// The signing operation failed.
    #[error("signing failed")]
    Signing(#[source] Box<dyn StdError + Send + Sync>),
    /// A token is too long for a cookie: browsers silently drop cookies of more than 4096 bytes
    /// (RFC 6265 section 6.1). It has too many claims, or claims that are too long.
    #[error("a token is too long for a cookie: it is longer than {0} bytes")]
    CookieTooLong(usize),
    /// The token would be longer than this library accepts
    /// ([`MAX_TOKEN_BYTES`](crate::jws::MAX_TOKEN_BYTES)): it has too many claims, or claims that
    /// are too long. It isn't issued, and no session is opened for it.
    #[error(
        "no token for the user {user:?}: it would have {bytes} bytes, and one of more than {most} is \
         taken nowhere; the largest claim is {claim:?} with {claim_bytes} bytes"
    )]
    TokenTooLong {
        /// The value of its user claim; empty if it has none.
        user: String,
        /// Its length, in bytes.
        bytes: usize,
        /// The maximum length, in bytes.
        most: usize,
        /// The name of its largest claim.
        claim: String,
        /// The length of that claim's value as JSON, in bytes.
        claim_bytes: usize,
    },
    /// The database couldn't do what was asked of it; nothing was changed.
    #[error(transparent)]
    Store(StoreError),
    /// A hook failed.
    #[error("hook failed: {0}")]
    Hook(#[source] Box<dyn StdError + Send + Sync>),
}

fn messages(messages: &[TokenMessage]) -> String {
    let each: Vec<_> = messages.iter().map(|m| format!("{}: {}", m.token_class, m.error)).collect();
    each.join("; ")
}

impl Error {
    /// Returns a stable code: upstream's where upstream has one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(_)
            | Self::TokenNotValid(_)
            | Self::CookieExpired(_)
            | Self::NoUserClaim => "token_not_valid",
            Self::AmbiguousCookies => "ambiguous_cookies",
            Self::VerifiedBlacklisted => "invalid",
            Self::NoActiveAccount | Self::NoActiveAccountForToken => "no_active_account",
            Self::NotAuthenticated => "not_authenticated",
            Self::BadAuthorizationHeader => "bad_authorization_header",
            Self::RepeatedHeader(_) => "repeated_header",
            Self::UserNotFound => "user_not_found",
            Self::UserInactive => "user_inactive",
            Self::PasswordChanged => "password_changed",
            Self::BlacklistDisabled => "blacklist_disabled",
            Self::SessionsDisabled => "sessions_disabled",
            Self::Throttled(_) => "throttled",
            Self::TooManySessions => "too_many_sessions",
            Self::SessionUnknown => "session_unknown",
            Self::NoSuchSession => "not_found",
            Self::NoSuchUser => "user_not_found",
            Self::InsufficientUserAuthentication { .. } => "insufficient_user_authentication",
            Self::PermissionDenied => "permission_denied",
            Self::CrossOrigin => "csrf_failed",
            Self::FeedLost | Self::KeysUnavailable => "unavailable",
            Self::NoUserStore => "login_disabled",
            Self::CannotSign => "signing_disabled",
            Self::Signing(_) | Self::Hook(_) | Self::CookieTooLong(_) => "error",
            Self::TokenTooLong { .. } => "token_too_long",
            Self::Store(error) => match error.kind() {
                StoreErrorKind::Busy => "busy",
                _ => "unavailable",
            },
        }
    }

    /// `true` if the fault lies on the server's side: answered with a 5xx and worth a log line with
    /// its sources.
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Store(_)
                | Self::Signing(_)
                | Self::Hook(_)
                | Self::CookieTooLong(_)
                | Self::TokenTooLong { .. }
                | Self::CannotSign
                | Self::FeedLost
                | Self::KeysUnavailable
        )
    }
}

/// The category of a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store is unreachable, locked, read-only or full, and may recover by itself. HTTP 503.
    Unavailable,
    /// Too many requests are waiting (in the hashing pool's or the writer's queue). HTTP 503.
    Busy,
    /// The answer can't be interpreted: a table or column isn't of the expected shape.
    Incompatible,
    /// A text in the request is too long for its column, or has a character that the database's
    /// character set lacks. No stored value can be equal to it.
    Unstorable,
}

/// A store failed to perform an operation. Nothing was changed.
///
/// Names the operation and keeps its cause; holds no token and no password.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed")]
pub struct StoreError {
    operation: &'static str,
    kind: StoreErrorKind,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// Creates an error; `operation` is the name of the verb, as in `"rotate"`.
    pub fn new(
        operation: &'static str,
        kind: StoreErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { operation, kind, source: Some(source.into()) }
    }

    /// Creates an error for a store that can't be reached or can't be written to.
    pub fn unavailable(
        operation: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(operation, StoreErrorKind::Unavailable, source)
    }

    /// Returns the category of this failure.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Returns the name of the operation that failed.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// `true` if it failed because of this text, which no column of the database can hold.
    ///
    /// ASCII is part of every character set, so a text of ASCII alone can only be too long.
    #[cfg(feature = "sql")]
    pub(crate) fn is_of(&self, text: &str) -> bool {
        self.kind == StoreErrorKind::Unstorable
            && (!text.is_ascii() || text.contains('\0') || text.len() > MAX_STORED)
    }
}

/// The length of the longest id that the tables can hold, in characters (`varchar(255)`).
pub(crate) const MAX_STORED: usize = 255;

/// `true` if a text can be an id in the tables: it isn't empty, has at most 255 characters, and no
/// NUL, which PostgreSQL can't store in a text.
pub(crate) fn can_be_id(text: &str) -> bool {
    let fits = text.len() <= MAX_STORED || text.chars().nth(MAX_STORED).is_none();
    !text.is_empty() && fits && !text.contains('\0')
}

/// If the database can't store part of a token, the token is at fault: no token issued here, or by
/// a Django on the same database, contains such a value.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unstorable => Self::Token(TokenError::Invalid),
            _ => Self::Store(error),
        }
    }
}
