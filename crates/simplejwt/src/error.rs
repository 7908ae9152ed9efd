//! What can go wrong, by whose fault it is.
//!
//! [`TokenError`] is the caller's: a token that isn't good. [`Error`] is everything a flow can
//! answer with. How each looks on the wire is decided in one place, `web.rs`.

use std::error::Error as StdError;

/// Why a token was refused. `Display` is the sentence that upstream sends.
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
    /// A claim that has to be there isn't: `exp`, or the sliding token's refresh expiry.
    #[error("Token has no '{0}' claim")]
    MissingClaim(String),
    /// The claim that `JTI_CLAIM` names is missing.
    #[error("Token has no id")]
    MissingId,
    /// The claim that `TOKEN_TYPE_CLAIM` names is missing.
    #[error("Token has no type")]
    MissingType,
    /// The token is of another kind than the one asked for.
    #[error("Token has wrong type")]
    WrongType,
    /// The time in the named claim has passed: a sliding token past its refresh expiry.
    #[error("Token '{0}' claim has expired")]
    ClaimExpired(String),
    /// The token's id is on the blacklist.
    #[error("Token is blacklisted")]
    Blacklisted,
}

/// Why one of `AUTH_TOKEN_CLASSES` refused a token: one entry of the `messages` that a
/// protected route answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMessage {
    /// The name of upstream's class: `AccessToken`.
    pub token_class: &'static str,
    /// The kind of token, as in the claim: `access`.
    pub token_type: &'static str,
    /// Why it was refused.
    pub error: TokenError,
}

/// Every way in which a flow of [`Auth`](crate::Auth) can end other than well.
///
/// `Display` is for logs and never holds a secret. Clients get [`Error::code`] and a fixed
/// sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A token endpoint was given a token that isn't good.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// `verify` was given a good token whose id is blacklisted: upstream answers this one as a
    /// validation error (400).
    #[error("verified token is blacklisted")]
    VerifiedBlacklisted,
    /// Login refused, whatever the reason.
    #[error("no active account found with the given credentials")]
    NoActiveAccount,
    /// Refresh refused: the token's user is inactive or gone.
    #[error("no active account found for the given token")]
    NoActiveAccountForToken,
    /// A protected route was called without credentials.
    #[error("no credentials were sent")]
    NotAuthenticated,
    /// The authorization header hasn't the form `Bearer <token>`.
    #[error("malformed authorization header")]
    BadAuthorizationHeader,
    /// A header field that may stand once only stands twice (RFC 9110 section 5.3): its name.
    #[error("the header field {0} is there more than once")]
    RepeatedHeader(String),
    /// A protected route was given a token that none of `AUTH_TOKEN_CLASSES` takes.
    #[error("token not valid for any token type: {}", messages(.0))]
    TokenNotValid(Vec<TokenMessage>),
    /// The access token came by cookie and has expired. Browsers send a cookie by themselves: what
    /// can do without credentials does so.
    #[error("the access token of the cookie has expired")]
    CookieExpired(Vec<TokenMessage>),
    /// The request has good cookies of two users, one of which another host may have set.
    #[error("the request has the cookies of two users")]
    AmbiguousCookies,
    /// The token has no claim that names its user.
    #[error("token has no user claim")]
    NoUserClaim,
    /// The token's user doesn't exist.
    #[error("user not found")]
    UserNotFound,
    /// The token's user is inactive.
    #[error("user is inactive")]
    UserInactive,
    /// The user's password is another than when the token was issued (`CHECK_REVOKE_TOKEN`).
    #[error("the user's password has been changed")]
    PasswordChanged,
    /// A blacklist was asked for and `token_blacklist` is off.
    #[error("the token blacklist is not enabled")]
    BlacklistDisabled,
    /// Sessions were asked for and there are none.
    #[error("sessions are not enabled")]
    SessionsDisabled,
    /// The user has as many sessions as may be (`max_per_user`).
    #[error("too many sessions")]
    TooManySessions,
    /// The token doesn't say which session it belongs to.
    #[error("the token names no session")]
    SessionUnknown,
    /// There is no such session, or it is somebody else's.
    #[error("no such session")]
    NoSuchSession,
    /// There is no such user, nor any session of a user who was deleted.
    #[error("no such user")]
    NoSuchUser,
    /// What was asked for is for staff.
    #[error("permission denied")]
    PermissionDenied,
    /// An unsafe request that counts by its cookies came from a page of another origin.
    #[error("request from another origin")]
    CrossOrigin,
    /// The feed of revocations is lost, so that a revoked token can't be told from a good one.
    #[error("the feed of revocations is lost")]
    FeedLost,
    /// The keys behind `JWK_URL` were never there, or the token names one that couldn't be looked
    /// for, so that a good token can't be told from a bad one.
    #[error("the keys that verify tokens can't be had")]
    KeysUnavailable,
    /// A login was asked for and there is no user store.
    #[error("no user store is configured")]
    NoUserStore,
    /// There is no signing key: this instance only verifies.
    #[error("no signing key is configured")]
    CannotSign,
    /// The signing operation itself failed.
    #[error("signing failed")]
    Signing(#[source] Box<dyn StdError + Send + Sync>),
    /// A token is too long for a cookie: browsers drop one of more than 4096 bytes without a word
    /// (RFC 6265 section 6.1). It has too many claims, or too long ones.
    #[error("a token doesn't fit into a cookie: it has more than {0} bytes")]
    CookieTooLong(usize),
    /// A token would be longer than any that this library takes
    /// ([`MAX_TOKEN_BYTES`](crate::jws::MAX_TOKEN_BYTES)): it has too many claims, or too long
    /// ones. None is issued, and no session is opened for it.
    #[error(
        "no token for the user {user:?}: it would have {bytes} bytes, and one of more than {most} is \
         taken nowhere; the largest claim is {claim:?} with {claim_bytes} bytes"
    )]
    TokenTooLong {
        /// The value of its user claim; empty where it has none.
        user: String,
        /// How long it would be.
        bytes: usize,
        /// How long it may be.
        most: usize,
        /// The name of its largest claim.
        claim: String,
        /// How long the JSON of that claim's value is.
        claim_bytes: usize,
    },
    /// The database couldn't do what was asked; nothing was changed.
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
    /// A stable code: upstream's where upstream has one.
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
            Self::TooManySessions => "too_many_sessions",
            Self::SessionUnknown => "session_unknown",
            Self::NoSuchSession => "not_found",
            Self::NoSuchUser => "user_not_found",
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

    /// Whether the fault is on this side: answered with a 5xx, and worth a log line with its
    /// sources.
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

/// What sort of failure a [`StoreError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Can't be reached, locked, read-only, full: may work again by itself. HTTP 503.
    Unavailable,
    /// Too much is waiting already (the hashing pool's or the writer's queue). HTTP 503.
    Busy,
    /// Answered with something that can't be understood: a table or column of another shape.
    Incompatible,
    /// A text that was sent is too long for its column, or has a character that the database's
    /// character set lacks. Nothing that is stored can be equal to it.
    Unstorable,
}

/// A store couldn't do what it was asked to. Nothing was changed.
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
    /// `operation` names the verb, as in `"rotate"`.
    pub fn new(
        operation: &'static str,
        kind: StoreErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { operation, kind, source: Some(source.into()) }
    }

    /// The store can't be reached or can't write.
    pub fn unavailable(
        operation: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(operation, StoreErrorKind::Unavailable, source)
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The verb that failed.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether it failed because of this text, which no column of the database could hold.
    ///
    /// Every character set has ASCII, so that a text of ASCII alone can only be too long.
    #[cfg(feature = "sql")]
    pub(crate) fn is_of(&self, text: &str) -> bool {
        self.kind == StoreErrorKind::Unstorable
            && (!text.is_ascii() || text.contains('\0') || text.len() > MAX_STORED)
    }
}

/// The longest id, in characters, that the tables have room for (`varchar(255)`).
pub(crate) const MAX_STORED: usize = 255;

/// Whether a text can be an id in the tables: it isn't empty, has at most 255 characters and no
/// NUL, which PostgreSQL's texts can't hold.
pub(crate) fn can_be_id(text: &str) -> bool {
    let fits = text.len() <= MAX_STORED || text.chars().nth(MAX_STORED).is_none();
    !text.is_empty() && fits && !text.contains('\0')
}

/// What a database can't store of a token is the token's fault: nothing that was issued here or by
/// a Django on the same database can have it.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unstorable => Self::Token(TokenError::Invalid),
            _ => Self::Store(error),
        }
    }
}
