//! A request of a gateway, which asks before it lets another through.
//!
//! Only that request's credentials count, and of a cookie's the method and where the page is from.
//! Path, query, `Accept` and body are those of the request behind the gateway, or the gateway's
//! own, and say nothing here: the head alone is answered, and no body is waited for.

use std::sync::Arc;

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{Response, StatusCode};

use super::call::{Call, Refusal};
use super::{Authentication, Endpoint, RouterOptions};
use crate::service::Auth;
use crate::settings::SettingsError;
use crate::web::{error_response, json_response, log_internal};

/// Who the user is: the value of the user claim.
pub(super) const USER: HeaderName = HeaderName::from_static("x-auth-user");

/// Headers that mean something to HTTP itself, or to whoever sits between.
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

/// What [`Endpoint::Authenticate`](super::Endpoint::Authenticate) looks at, and what it tells the
/// gateway.
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
    pub(super) headers: Arc<[(HeaderName, String)]>,
}

impl GatewayOptions {
    /// By the user's row with each request, which is the default, or by the token alone.
    #[must_use]
    pub fn with_authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// With a claim in a response header beside `X-Auth-User`. The header is in each answer that
    /// lets a request through, empty where the token hasn't the claim, so that a gateway that
    /// copies it replaces what a client sent under that name.
    ///
    /// # Errors
    /// `name` isn't one of letters, digits and hyphens, is there already, or means something to
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
                "the header {name} has a meaning of its own: write a name such as \"X-Auth-Email\""
            )));
        }
        if self.headers.iter().any(|(other, _)| *other == header) {
            return Err(SettingsError::one(format!("the header {name} is there twice")));
        }
        self.headers = self.headers.iter().cloned().chain([(header, claim.to_owned())]).collect();
        Ok(self)
    }

    /// What decides.
    pub fn authentication(&self) -> Authentication {
        self.authentication
    }

    /// The headers beside `X-Auth-User`, in lower case, and the claims that they hold.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, claim)| (name.as_str(), claim.as_str()))
    }
}

/// What the endpoint says, or what is in the way: 401, or 503 where that can't be told.
pub(super) async fn respond(
    auth: &Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
    parts: &Parts,
) -> Response<Vec<u8>> {
    let call = Call::new(auth, endpoint, options, parts);
    match endpoint.answer(&call).await {
        Ok(response) => response,
        Err(Refusal::Flow(error) | Refusal::Parting(error, _)) => {
            let mut response = error_response(&error, auth.settings());
            // 501 where there are no users to ask: a fault on this side, and no gateway's affair.
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
