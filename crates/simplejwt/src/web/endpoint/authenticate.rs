//! What a gateway asks before it lets a request through: nginx's `auth_request`, forward-auth of
//! Traefik and Caddy, Envoy's `ext_authz`.
//!
//! Only the request's credentials count, and of a cookie's the method and where the page is from.
//! Path, query, `Accept` and body are those of the request behind the gateway, or the gateway's
//! own, and say nothing here: the head alone is answered, and no body is waited for.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::{Authentication, EndpointOptions, no_content};
use crate::claims::Claims;
use crate::error::Error;
use crate::service::Auth;
use crate::settings::SettingsError;
use crate::users::UserId;
use crate::web::transport::{AccessTokens, access_tokens};
use crate::web::{csrf, error_response, log_internal, request};

/// Who the user is: the value of the user claim.
const USER: HeaderName = HeaderName::from_static("x-auth-user");

/// The method of the request behind the gateway: Traefik and Caddy send the first by themselves.
static METHOD: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];

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
    headers: Arc<[(HeaderName, String)]>,
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

/// 204 with who it is, or what is in the way: 401, or 503 where that can't be told.
pub(super) async fn respond(
    auth: &Auth,
    options: &EndpointOptions,
    parts: &Parts,
) -> Response<Vec<u8>> {
    match identity(auth, &options.gateway, parts).await {
        Ok(headers) => {
            let mut response = no_content();
            response.headers_mut().extend(headers);
            response
        }
        Err(error) => {
            let mut response = error_response(&error, auth.settings());
            // 501 where there are no users to ask: a fault on this side, and no gateway's affair.
            if response.status() == StatusCode::NOT_IMPLEMENTED {
                log_internal(&error);
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            response
        }
    }
}

async fn identity(
    auth: &Auth,
    options: &GatewayOptions,
    parts: &Parts,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let asked = asked(parts);
    let (method, uri, headers) = (&asked.method, &asked.uri, &asked.headers);
    let sent = access_tokens(method, uri, headers, auth.settings())?;
    if matches!(sent, AccessTokens::Cookies(_)) {
        csrf::check_loaded(method, uri, headers, auth.settings())?;
    }
    let token = request::verify(auth, &sent).await?;
    let user = match options.authentication {
        Authentication::User => auth.user_of(&token).await?.id,
        Authentication::Stateless => auth.stateless_user_of(&token)?,
    };
    let mut headers = vec![(USER, user_value(&user)?)];
    for (name, claim) in options.headers.iter() {
        headers.push((name.clone(), value(token.claims(), claim)));
    }
    Ok(headers)
}

/// The request that the gateway asks about. Its method says whether a cookie can be believed of a
/// page of another origin; of several, the one that changes something does.
fn asked(parts: &Parts) -> Cow<'_, Parts> {
    let named = METHOD.iter().flat_map(|name| parts.headers.get_all(name));
    // What can't be told is taken for unsafe.
    let named = named.map(|name| Method::from_bytes(name.as_bytes()).unwrap_or(Method::POST));
    match named.into_iter().find(|method| !method.is_safe()) {
        Some(method) => {
            let mut asked = parts.clone();
            asked.method = method;
            Cow::Owned(asked)
        }
        None => Cow::Borrowed(parts),
    }
}

/// An id that would be an empty header is nobody to what stands behind the gateway.
fn user_value(user: &UserId) -> Result<HeaderValue, Error> {
    if user.as_str().is_empty() {
        return Err(Error::NoUserClaim);
    }
    Ok(header_value(encoded(user.as_str(), false)))
}

/// A claim as a header's value: a text encoded, a number or switch as in JSON, of a list the
/// items with commas between them. Empty for anything else, and where there is no such claim.
fn value(claims: &Claims, name: &str) -> HeaderValue {
    use serde_json::Value;

    let scalar = |value: &Value, in_list| match value {
        Value::String(text) => Some(encoded(text, in_list)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(on) => Some(on.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let text = match claims.get::<Value>(name) {
        Ok(Some(Value::Array(items))) => {
            let items: Option<Vec<_>> = items.iter().map(|item| scalar(item, true)).collect();
            items.map(|items| items.join(","))
        }
        Ok(Some(value)) => scalar(&value, false),
        Ok(None) | Err(_) => None,
    };
    header_value(text.unwrap_or_default())
}

/// Percent-encoded (RFC 3986 section 2.1), as UTF-8: all but visible ASCII and the spaces within;
/// in a list commas, too. Whoever decodes it has the text back.
fn encoded(text: &str, in_list: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        let plain = match byte {
            b'%' => false,
            b',' => !in_list,
            b' ' => at > 0 && at < last,
            b'!'..=b'~' => true,
            _ => false,
        };
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn header_value(text: String) -> HeaderValue {
    // What has been encoded can stand in a header.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::web::form::unquote_path;

    fn shown(json: &str) -> String {
        let mut claims = Claims::default();
        claims.set_raw("claim", json);
        value(&claims, "claim").to_str().unwrap().to_owned()
    }

    #[test]
    fn claims_as_headers() {
        for (json, expected) in [
            (r#""alice@example.org""#, "alice@example.org"),
            (r#""Doe, Jane""#, "Doe, Jane"),
            (r#""a\r\nX-Auth-User: root""#, "a%0D%0AX-Auth-User: root"),
            (r#"" padded ""#, "%20padded%20"),
            (r#"" ""#, "%20"),
            (r#""Zoë 🦀""#, "Zo%C3%AB %F0%9F%A6%80"),
            (r#""100%""#, "100%25"),
            (r#""a\u0000b\u007f""#, "a%00b%7F"),
            ("17", "17"),
            ("-1.5", "-1.5"),
            ("true", "true"),
            ("null", ""),
            (r#"["staff","a, b",7]"#, "staff,a%2C b,7"),
            ("[]", ""),
            (r#"{"a":1}"#, ""),
            (r#"["a",["b"]]"#, ""),
        ] {
            assert_eq!(shown(json), expected, "{json}");
        }
        assert_eq!(value(&Claims::default(), "claim"), "");
    }

    #[test]
    fn headers_that_would_do_harm_are_refused() {
        for name in ["", "X Auth", "X_Auth_Email", "Connection", "X-AUTH-USER", "X\r\nY", "Zoë"] {
            assert!(GatewayOptions::default().with_header(name, "c").is_err(), "{name:?}");
        }
        let options = GatewayOptions::default().with_header("X-Auth-Email", "email").unwrap();
        assert_eq!(options.headers().collect::<Vec<_>>(), [("x-auth-email", "email")]);
        assert!(options.with_header("x-auth-email", "other").is_err());
    }

    proptest! {
        #[test]
        fn any_text_can_stand_in_a_header_and_comes_back(text: String, in_list: bool) {
            let encoded = encoded(&text, in_list);
            prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(!in_list || !encoded.contains(','));
            prop_assert_eq!(encoded.trim(), encoded.as_str());
            let value = header_value(encoded.clone());
            prop_assert_eq!(value.as_bytes(), encoded.as_bytes());
            prop_assert_eq!(unquote_path(encoded.as_bytes()), text);
        }
    }
}
