//! `WWW-Authenticate` (RFC 9110 section 11.6.1) in the answers of protected routes.

use http::HeaderValue;

use crate::error::Error;
use crate::settings::{Settings, WwwAuthenticate};

/// What a client is told whose login is too long ago: the description of RFC 9470 section 3.
pub(super) const LOG_IN_AGAIN: &str = "More recent authentication is required";

/// Returns the challenge of a 401 (RFC 9110 section 11.6.1) in upstream's wording.
pub fn challenge(settings: &Settings) -> HeaderValue {
    written(settings, "")
}

/// Returns the challenge that answers this error; `None` if credentials aren't what is wrong.
///
/// With [`WwwAuthenticate::Rfc6750`] it names the reason (RFC 6750 section 3.1), as it always does
/// where the login is too long ago, since a client can do something about that only if it is told
/// (RFC 9470 section 3). The status is upstream's: 401 for a malformed header, too.
pub(super) fn for_error(error: &Error, settings: &Settings) -> Option<HeaderValue> {
    if let Error::InsufficientUserAuthentication { max_age } = error {
        let code = error.code();
        let reason = format!(
            ", error=\"{code}\", error_description=\"{LOG_IN_AGAIN}\", max_age=\"{max_age}\""
        );
        return Some(written(settings, &reason));
    }
    let reason = match settings.www_authenticate {
        WwwAuthenticate::Simplejwt => None,
        WwwAuthenticate::Rfc6750 => reason(error),
    };
    match reason {
        Some((code, description)) => {
            let description: String = description.chars().filter(is_describing).collect();
            let reason = format!(", error=\"{code}\", error_description=\"{description}\"");
            Some(written(settings, &reason))
        }
        None => {
            let is_unauthorized = super::status(error) == http::StatusCode::UNAUTHORIZED;
            is_unauthorized.then(|| challenge(settings))
        }
    }
}

/// Returns the `error` and `error_description` for the token that a request was sent with. Tokens
/// in the body of an endpoint aren't credentials, and missing ones have no `error`.
fn reason(error: &Error) -> Option<(&'static str, String)> {
    match error {
        Error::TokenNotValid(messages) | Error::CookieExpired(messages) => {
            let reason = messages.first().map(|message| message.error.to_string());
            Some(("invalid_token", reason.unwrap_or_else(|| "Token is invalid".into())))
        }
        Error::NoUserClaim => Some(("invalid_token", "Token has no user".into())),
        Error::UserNotFound => Some(("invalid_token", "User not found".into())),
        Error::UserInactive => Some(("invalid_token", "User is inactive".into())),
        Error::PasswordChanged => Some(("invalid_token", "Password has been changed".into())),
        Error::BadAuthorizationHeader => {
            Some(("invalid_request", "Authorization header is malformed".into()))
        }
        Error::AmbiguousCookies => {
            Some(("invalid_request", "Cookies of two users were sent".into()))
        }
        Error::PermissionDenied => {
            Some(("insufficient_scope", "The token doesn't permit the request".into()))
        }
        _ => None,
    }
}

/// The characters of an `error_description` (RFC 6750 section 3).
fn is_describing(character: &char) -> bool {
    matches!(character, ' '..='~') && !matches!(character, '"' | '\\')
}

fn written(settings: &Settings, reason: &str) -> HeaderValue {
    let scheme = settings.auth_header_types.first().map_or("Bearer", String::as_str);
    HeaderValue::from_str(&format!("{scheme} realm=\"api\"{reason}"))
        .unwrap_or(HeaderValue::from_static("Bearer realm=\"api\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{TokenError, TokenMessage};

    fn not_valid(error: TokenError) -> Error {
        let message = TokenMessage { token_class: "AccessToken", token_type: "access", error };
        Error::TokenNotValid(vec![message])
    }

    #[test]
    fn the_reason_is_named_where_it_is_wanted() {
        let rfc6750 =
            Settings { www_authenticate: WwwAuthenticate::Rfc6750, ..Settings::default() };
        let plain = "Bearer realm=\"api\"";
        for (error, expected) in [
            (
                not_valid(TokenError::Expired),
                Some("invalid_token\", error_description=\"Token is expired"),
            ),
            (
                not_valid(TokenError::MissingClaim("e\"x\\p\u{e9}".into())),
                Some("invalid_token\", error_description=\"Token has no 'exp' claim"),
            ),
            (Error::UserInactive, Some("invalid_token\", error_description=\"User is inactive")),
            (
                Error::BadAuthorizationHeader,
                Some("invalid_request\", error_description=\"Authorization header is malformed"),
            ),
            (Error::NotAuthenticated, None),
            (Error::NoActiveAccount, None),
            (Error::Token(TokenError::Expired), None),
        ] {
            let named = for_error(&error, &rfc6750).unwrap();
            let expected =
                expected.map_or(plain.to_owned(), |reason| format!("{plain}, error=\"{reason}\""));
            assert_eq!(named, expected.as_str(), "{error:?}");
            assert_eq!(for_error(&error, &Settings::default()).unwrap(), plain, "{error:?}");
        }
    }

    #[test]
    fn what_credentials_cannot_mend_has_no_challenge() {
        let rfc6750 =
            Settings { www_authenticate: WwwAuthenticate::Rfc6750, ..Settings::default() };
        let insufficient = for_error(&Error::PermissionDenied, &rfc6750).unwrap();
        assert!(insufficient.to_str().unwrap().contains("error=\"insufficient_scope\""));
        assert_eq!(for_error(&Error::PermissionDenied, &Settings::default()), None);
        for error in [Error::FeedLost, Error::CrossOrigin, Error::NoSuchSession] {
            assert_eq!(for_error(&error, &rfc6750), None, "{error:?}");
        }
    }

    #[test]
    fn a_login_that_is_too_old_is_always_named() {
        let error = Error::InsufficientUserAuthentication { max_age: 300 };
        let expected = "Bearer realm=\"api\", error=\"insufficient_user_authentication\", \
                        error_description=\"More recent authentication is required\", max_age=\"300\"";
        assert_eq!(for_error(&error, &Settings::default()).unwrap(), expected);
    }
}
