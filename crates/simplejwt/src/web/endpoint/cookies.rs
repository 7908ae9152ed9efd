//! The endpoints with cookies: where a request's token is, and where an answer's go.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use http::request::Parts;

use super::{Endpoint, EndpointOptions};
use crate::error::Error;
use crate::service::Auth;
use crate::settings::{Settings, Transport};
use crate::token::Untyped;
use crate::web::cookies::{removal, set_access, set_refresh};
use crate::web::object::Json;
use crate::web::transport::cookie;

/// Where the token was that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the body, or there was none.
    Body,
    /// In a cookie.
    Cookie,
}

/// The cookie that stands for a field that the body hasn't got.
pub(super) fn standing_for(field: &str, parts: &Parts, settings: &Settings) -> Option<String> {
    if !settings.transport.has_cookies() {
        return None;
    }
    let name =
        if field == "refresh" { settings.refresh_cookie() } else { settings.access_cookie() };
    cookie(&parts.headers, name)
}

/// Whether a request came with one of the cookies, so that logging out means those.
pub(super) fn has_any(parts: &Parts, settings: &Settings) -> bool {
    settings.transport == Transport::Cookie
        || ["refresh", "token"].iter().any(|name| standing_for(name, parts, settings).is_some())
}

/// Takes the tokens out of a body that a script may read, and gives them as cookies.
///
/// # Errors
/// [`Error::CookieTooLong`]
pub(super) fn deliver(
    auth: &Auth,
    endpoint: Endpoint,
    options: &EndpointOptions,
    parts: &Parts,
    source: Source,
    body: &mut Json,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let settings = auth.settings();
    let is_login = matches!(endpoint, Endpoint::TokenObtainPair | Endpoint::TokenObtainSliding);
    let is_refresh = matches!(endpoint, Endpoint::TokenRefresh | Endpoint::TokenRefreshSliding);
    let as_cookies = match settings.transport {
        Transport::Header => false,
        Transport::Cookie => is_login || is_refresh,
        Transport::Both => is_login || is_refresh && source == Source::Cookie,
    };
    if !as_cookies {
        return Ok(Vec::new());
    }
    let in_body =
        settings.transport == Transport::Both && is_login && !is_from_browser(&parts.headers);
    let Json::Object(members) = body else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for (name, value) in members.iter() {
        let Json::Text(token) = value else { continue };
        let max_age = remaining(auth, token);
        headers.push(match name.as_ref() {
            "refresh" => set_refresh(settings, &path(parts, options), token, max_age)?,
            _ => set_access(settings, token, max_age)?,
        });
    }
    if !in_body {
        members.clear();
    }
    Ok(headers.into_iter().map(|header| (SET_COOKIE, header)).collect())
}

/// Whether a browser sent the request for a page: others send none of these headers.
fn is_from_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// Takes both cookies away.
pub(super) fn remove(
    settings: &Settings,
    parts: &Parts,
    options: &EndpointOptions,
) -> Vec<(HeaderName, HeaderValue)> {
    let headers = removal(settings, &path(parts, options));
    headers.into_iter().map(|header| (SET_COOKIE, header)).collect()
}

/// How long a token that has just been issued is good for, in seconds.
fn remaining(auth: &Auth, token: &str) -> i64 {
    let tokens = auth.tokens();
    let expires_at =
        tokens.decode::<Untyped>(token).ok().and_then(|token| tokens.expires_at(&token));
    expires_at.map_or(0, |at| at.as_secs().saturating_sub(tokens.now().as_secs()).max(0))
}

/// The token endpoints' prefix as the client sees it, or `/` for an endpoint outside it.
fn path(parts: &Parts, options: &EndpointOptions) -> String {
    let (path, prefix) = (parts.uri.path(), options.prefix.as_str());
    let end = path.find(prefix).map(|at| at + prefix.len());
    end.and_then(|end| path.get(..end))
        .filter(|path| crate::settings::is_cookie_path(path))
        .unwrap_or("/")
        .to_owned()
}
