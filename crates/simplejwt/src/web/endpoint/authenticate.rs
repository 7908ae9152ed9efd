//! `authenticate/`, which has no upstream view: tells a gateway whether to let a request through.
//! For nginx's `auth_request`, forward-auth of Traefik and Caddy, and Envoy's `ext_authz`.

use std::borrow::Cow;

use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};

use super::call::{Answer, Call, empty};
use super::gateway::USER;
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Body, Cookies, Credentials, Operation, Outcome, PASSWORD_CHANGED,
    Protocol, Spec, USER_INACTIVE, USER_NOT_FOUND, Verb,
};
use super::{Authentication, GatewayOptions};
use crate::claims::Claims;
use crate::error::Error;
use crate::service::Auth;
use crate::users::UserId;
use crate::web::transport::{AccessTokens, access_tokens};
use crate::web::{csrf, request};

pub(super) const SPEC: Spec = Spec {
    path: "authenticate/",
    base: Base::Prefix,
    name: "Authenticate",
    description: "",
    protocol: Protocol::Gateway,
    credentials_first: true,
    operations: &[Operation {
        verb: Verb::Any,
        summary: "Tells a gateway whether to let a request through",
        credentials: Credentials::AccessToken,
        fields: &[],
        cookies: Cookies::Untouched,
        outcomes: &[
            Outcome::success(
                StatusCode::NO_CONTENT,
                "the request may pass; `X-Auth-User` identifies its user",
                Body::Empty,
            ),
            AMBIGUOUS_COOKIES,
            USER_NOT_FOUND,
            USER_INACTIVE,
            PASSWORD_CHANGED,
            Outcome::refusal(
                StatusCode::UNAUTHORIZED,
                "insufficient_user_authentication",
                "the login is older than the gateway allows (RFC 9470)",
            ),
            Outcome::refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "login_disabled",
                "it authenticates by the user's row, but there is no user store",
            ),
        ],
    }],
};

/// Answers with the user's identity in headers.
pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let headers = identity(call.auth, &call.options.gateway, call.parts).await?;
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().extend(headers);
    Ok(response)
}

/// The method of the request behind the gateway. Traefik and Caddy send the first one by default.
static METHOD: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];

async fn identity(
    auth: &Auth,
    options: &GatewayOptions,
    parts: &Parts,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let asked = original_request(parts);
    let (method, uri, headers) = (&asked.method, &asked.uri, &asked.headers);
    let sent = access_tokens(method, uri, headers, auth.settings())?;
    if matches!(sent, AccessTokens::Cookies(_)) {
        csrf::check_loaded(method, uri, headers, auth.settings())?;
    }
    let token = request::verify(auth, &sent).await?;
    if let Some(max_age) = options.max_age() {
        max_age.check(auth, &token)?;
    }
    let user = match options.authentication() {
        Authentication::User => auth.user_of(&token).await?.id,
        Authentication::Stateless => auth.stateless_user_of(&token)?,
    };
    let mut headers = vec![(USER, user_value(&user)?)];
    for (name, claim) in options.headers.iter() {
        headers.push((name.clone(), value(token.claims(), claim)));
    }
    Ok(headers)
}

/// Returns the request that the gateway asks about. Its method decides whether a cookie is trusted
/// in a request from a page of another origin; if there are several, an unsafe one counts.
fn original_request(parts: &Parts) -> Cow<'_, Parts> {
    let named = METHOD.iter().flat_map(|name| parts.headers.get_all(name));
    // An unreadable method counts as unsafe.
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

/// An id that would make an empty header can't identify anyone to services behind the gateway.
fn user_value(user: &UserId) -> Result<HeaderValue, Error> {
    if user.as_str().is_empty() {
        return Err(Error::NoUserClaim);
    }
    Ok(header_value(encoded(user.as_str(), false)))
}

/// Returns a claim as a header value: a text encoded, a number or boolean as in JSON, the items of
/// a list separated by commas. Empty for anything else, and if the claim is missing.
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

/// Percent-encodes (RFC 3986 section 2.1) a text as UTF-8: everything except visible ASCII and
/// spaces within, and in a list also commas. Decoding restores the text.
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
    // Encoded text is always a valid header value.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::web::form::unquote_path;

    fn header_text(json: &str) -> String {
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
            assert_eq!(header_text(json), expected, "{json}");
        }
        assert_eq!(value(&Claims::default(), "claim"), "");
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
