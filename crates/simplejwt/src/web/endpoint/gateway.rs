//! A request by a gateway, which asks before it lets another request through.
//!
//! Only that request's credentials count and, for cookies, its method and the page's origin. Path,
//! query, `Accept` and body may be those of the request behind the gateway or the gateway's own,
//! and are ignored: the answer depends on the head only, without waiting for a body.

use std::sync::Arc;

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{Response, StatusCode};

use super::call::{Call, Refusal};
use super::{Authentication, Endpoint, RouterOptions};
use crate::service::Auth;
use crate::settings::SettingsError;
use crate::web::permission::MaxAge;
use crate::web::{error_response, json_response, log_internal};

/// The user's identity: the value of the user claim.
pub(super) const USER: HeaderName = HeaderName::from_static("x-auth-user");

/// Headers that have a meaning in HTTP itself, or to intermediaries.
const TAKEN: [HeaderName; 26] = [
    USER,
    header::ALLOW,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::HOST,
    header::LOCATION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::REFERRER_POLICY,
    header::RETRY_AFTER,
    header::SERVER,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::WWW_AUTHENTICATE,
    header::X_CONTENT_TYPE_OPTIONS,
    header::X_FRAME_OPTIONS,
];

/// Options of [`Endpoint::Authenticate`](super::Endpoint::Authenticate): the way it authenticates,
/// and the headers it returns to the gateway.
///
/// ```
/// use simplejwt::web::endpoint::GatewayOptions;
///
/// let options = GatewayOptions::default().with_header("X-Auth-Email", "email")?;
/// # Ok::<_, simplejwt::settings::SettingsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayOptions {
    authentication: Authentication,
    max_age: Option<MaxAge>,
    pub(super) headers: Arc<[(HeaderName, String)]>,
}

impl GatewayOptions {
    /// Authenticates by the user's row on each request, which is the default, or by the token
    /// alone.
    #[must_use]
    pub fn with_authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Returns a claim in a response header in addition to `X-Auth-User`. The header is in every
    /// answer that lets a request through, empty if the token doesn't have the claim, so that a
    /// gateway that copies it replaces a header of that name sent by a client.
    ///
    /// # Errors
    /// `name` doesn't consist of letters, digits and hyphens, is already used, or has a meaning in
    /// HTTP itself.
    pub fn with_header(mut self, name: &str, claim: &str) -> Result<Self, SettingsError> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let header = name.parse::<HeaderName>().ok().filter(|_| plain);
        let Some(header) = header else {
            return Err(SettingsError::one(format!(
                "{name:?} is not the name of a header of letters, digits and hyphens (many servers \
                 can't tell an underscore from a hyphen): write a name such as \"X-Auth-Email\""
            )));
        };
        if TAKEN.contains(&header) {
            return Err(SettingsError::one(format!(
                "the header {name} has its own meaning: write a name such as \"X-Auth-Email\""
            )));
        }
        if self.headers.iter().any(|(other, _)| *other == header) {
            return Err(SettingsError::one(format!("the header {name} is given twice")));
        }
        self.headers = self.headers.iter().cloned().chain([(header, claim.to_owned())]).collect();
        Ok(self)
    }

    /// Lets requests through only within this time of the user's login ([`MaxAge`]).
    #[must_use]
    pub fn with_max_age(mut self, max_age: MaxAge) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Returns the time after a login within which requests may pass; `None` if it doesn't matter.
    pub fn max_age(&self) -> Option<MaxAge> {
        self.max_age
    }

    /// Returns the way of authentication.
    pub fn authentication(&self) -> Authentication {
        self.authentication
    }

    /// Returns the headers in addition to `X-Auth-User`, in lower case, with their claims.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, claim)| (name.as_str(), claim.as_str()))
    }
}

/// Answers with the endpoint's answer or a refusal: 401, or 503 if the token can't be checked.
pub(super) async fn respond(
    auth: &Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
    parts: &Parts,
) -> Response<Vec<u8>> {
    let call = Call::new(auth, endpoint, options, parts);
    match endpoint.answer(&call).await {
        Ok(response) => response,
        Err(Refusal::Flow(error) | Refusal::RemovingCookies(error, _)) => {
            let mut response = error_response(&error, auth.settings());
            // 501 if there is no user store: a fault on the server's side that doesn't concern the
            // gateway.
            if response.status() == StatusCode::NOT_IMPLEMENTED {
                log_internal(&error);
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            response
        }
        Err(Refusal::Other(status, body)) => json_response(status, &body, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_would_do_harm_are_refused() {
        for name in ["", "X Auth", "X_Auth_Email", "Connection", "X-AUTH-USER", "X\r\nY", "Zoë"] {
            assert!(GatewayOptions::default().with_header(name, "c").is_err(), "{name:?}");
        }
        let options = GatewayOptions::default().with_header("X-Auth-Email", "email").unwrap();
        assert_eq!(options.headers().collect::<Vec<_>>(), [("x-auth-email", "email")]);
        assert!(options.with_header("x-auth-email", "other").is_err());
    }
}
