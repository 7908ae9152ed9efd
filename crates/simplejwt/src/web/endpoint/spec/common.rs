//! Outcomes that an operation's protocol adds to its own.

use http::StatusCode;

use super::Outcome;

const UNAVAILABLE: Outcome = Outcome::refusal(
    StatusCode::SERVICE_UNAVAILABLE,
    "unavailable",
    "the database, the revocation feed or the keys at JWK_URL are unavailable",
);
const BUSY: Outcome = Outcome::refusal(
    StatusCode::SERVICE_UNAVAILABLE,
    "busy",
    "too many logins or writes are waiting",
);
const REPEATED_HEADER: Outcome = Outcome::refusal(
    StatusCode::BAD_REQUEST,
    "repeated_header",
    "a header field that may occur only once was sent more than once",
);
const CROSS_ORIGIN: Outcome = Outcome::refusal(
    StatusCode::FORBIDDEN,
    "csrf_failed",
    "tokens are kept in cookies, and the request came from a page of another origin",
);

/// Outcomes of operations that need an access token.
pub(super) const ACCESS_TOKEN: &[Outcome] = &[
    Outcome::refusal(
        StatusCode::UNAUTHORIZED,
        "not_authenticated",
        "no token was sent, or one with another scheme",
    ),
    Outcome::refusal(
        StatusCode::UNAUTHORIZED,
        "bad_authorization_header",
        "the header doesn't have two parts",
    ),
    TOKEN_NOT_VALID,
];

/// A hook failed, or a token is too long for a cookie.
pub(in crate::web::endpoint) const FAULT: Outcome = Outcome::refusal(
    StatusCode::INTERNAL_SERVER_ERROR,
    "error",
    "a hook failed, or a token can't be signed or is too long for a cookie",
);

/// The token is invalid.
pub(in crate::web::endpoint) const TOKEN_NOT_VALID: Outcome = Outcome::refusal(
    StatusCode::UNAUTHORIZED,
    "token_not_valid",
    "the token is invalid or blacklisted, or doesn't identify a user",
);

/// Valid cookies of two users.
pub(in crate::web::endpoint) const AMBIGUOUS_COOKIES: Outcome = Outcome::refusal(
    StatusCode::UNAUTHORIZED,
    "ambiguous_cookies",
    "the request carries valid cookies of two users",
);

/// No cookie to replace the field.
pub(in crate::web::endpoint) const NO_COOKIE: Outcome = Outcome::refusal(
    StatusCode::UNAUTHORIZED,
    "not_authenticated",
    "the token is neither in the body nor in a cookie",
);

/// The user's row doesn't exist.
pub(in crate::web::endpoint) const USER_NOT_FOUND: Outcome =
    Outcome::refusal(StatusCode::UNAUTHORIZED, "user_not_found", "the token's user doesn't exist");

/// The user is inactive.
pub(in crate::web::endpoint) const USER_INACTIVE: Outcome =
    Outcome::refusal(StatusCode::UNAUTHORIZED, "user_inactive", "the token's user is inactive");

/// The user's password has changed since the token was issued.
pub(in crate::web::endpoint) const PASSWORD_CHANGED: Outcome = Outcome::refusal(
    StatusCode::UNAUTHORIZED,
    "password_changed",
    "the user's password has changed since the token was issued",
);

/// The user doesn't exist, or may not have tokens.
pub(in crate::web::endpoint) const NO_ACTIVE_ACCOUNT: Outcome = Outcome::refusal(
    StatusCode::UNAUTHORIZED,
    "no_active_account",
    "the user doesn't exist or is inactive, or the password is wrong",
);

/// Too many failures before.
pub(in crate::web::endpoint) const THROTTLED: Outcome = Outcome::refusal(
    StatusCode::TOO_MANY_REQUESTS,
    "throttled",
    "too many failures of this kind before, of the account or from the address; with `Retry-After`",
);

/// There is no user store.
pub(in crate::web::endpoint) const LOGIN_DISABLED: Outcome =
    Outcome::refusal(StatusCode::NOT_IMPLEMENTED, "login_disabled", "there is no user store");

/// There is no key to sign with.
pub(in crate::web::endpoint) const SIGNING_DISABLED: Outcome = Outcome::refusal(
    StatusCode::NOT_IMPLEMENTED,
    "signing_disabled",
    "there is no key to sign with",
);

/// There is no blacklist.
pub(in crate::web::endpoint) const BLACKLIST_DISABLED: Outcome =
    Outcome::refusal(StatusCode::NOT_IMPLEMENTED, "blacklist_disabled", "there is no blacklist");

/// There are no sessions.
pub(in crate::web::endpoint) const SESSIONS_DISABLED: Outcome =
    Outcome::refusal(StatusCode::NOT_IMPLEMENTED, "sessions_disabled", "sessions aren't enabled");

/// The claims are longer than a token may be.
pub(in crate::web::endpoint) const TOKEN_TOO_LONG: Outcome = Outcome::refusal(
    StatusCode::INTERNAL_SERVER_ERROR,
    "token_too_long",
    "a token would be longer than the maximum",
);

/// The session is neither the user's own, nor is the user staff.
pub(in crate::web::endpoint) const PERMISSION_DENIED: Outcome = Outcome::refusal(
    StatusCode::FORBIDDEN,
    "permission_denied",
    "the request concerns another user, and the caller isn't staff",
);

/// Staff named a user who doesn't exist.
pub(in crate::web::endpoint) const NO_SUCH_USER: Outcome =
    Outcome::refusal(StatusCode::NOT_FOUND, "user_not_found", "there is no such user");

/// Outcomes of Django REST framework's views.
pub(super) const REST: &[Outcome] = &[
    REPEATED_HEADER,
    CROSS_ORIGIN,
    Outcome::refusal(StatusCode::NOT_FOUND, "not_found", "`format` in the query is unknown"),
    Outcome::refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "another method"),
    Outcome::refusal(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "`Accept` doesn't allow JSON"),
    UNAVAILABLE,
    BUSY,
];

/// Outcomes of those that read a body.
pub(super) const REST_BODY: &[Outcome] = &[
    Outcome::refusal(StatusCode::BAD_REQUEST, "parse_error", "the body can't be read"),
    Outcome::refusal(StatusCode::BAD_REQUEST, "invalid", "fields are missing or invalid"),
    Outcome::refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request_too_large",
        "the body is longer than `body_limit`",
    ),
    Outcome::refusal(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "another `Content-Type`",
    ),
];

/// Outcomes of endpoints for gateways.
pub(super) const GATEWAY: &[Outcome] = &[REPEATED_HEADER, CROSS_ORIGIN, UNAVAILABLE, BUSY];

/// Outcomes of endpoints for OAuth's clients (RFC 6749 section 5.2).
pub(super) const OAUTH: &[Outcome] = &[
    Outcome::refusal(
        StatusCode::BAD_REQUEST,
        "invalid_request",
        "no `token`, a parameter twice, more than 1000, credentials twice, a header field twice, \
         another `Content-Type`",
    ),
    Outcome::refusal(
        StatusCode::UNAUTHORIZED,
        "invalid_client",
        "no credentials, or wrong ones; those in the header before the body is read",
    ),
    Outcome::refusal(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "the method isn't `POST`"),
    Outcome::refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        "invalid_request",
        "the body is longer than `body_limit`",
    ),
    Outcome::refusal(
        StatusCode::TOO_MANY_REQUESTS,
        "temporarily_unavailable",
        "wrong credentials, and too many from this address before; with `Retry-After`",
    ),
    Outcome::refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "the database can't be used; with `Retry-After`",
    ),
];

/// Outcomes of public documents.
pub(super) const DOCUMENT: &[Outcome] = &[Outcome::refusal(
    StatusCode::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "another method than GET and HEAD",
)];
