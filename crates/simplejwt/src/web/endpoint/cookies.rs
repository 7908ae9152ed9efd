//! The endpoints with cookies: where a request's token is, and where an answer's go.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use http::request::Parts;

use super::{Endpoint, EndpointOptions, Refusal, invalid};
use crate::error::Error;
use crate::service::Auth;
use crate::settings::{Settings, Transport};
use crate::token::{Refresh, Sliding, Untyped};
use crate::web::body::Data;
use crate::web::cookies::{removal, removal_of_former, set_access, set_refresh};
use crate::web::kept;
use crate::web::object::Json;
use crate::web::transport::cookies;
use crate::web::validate::{self, Kind};

/// The token that a request is about, and where it was.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Presented {
    /// In the body.
    Body(String),
    /// In a cookie.
    Cookie(String),
}

impl Presented {
    pub(super) fn token(&self) -> &str {
        match self {
            Self::Body(token) | Self::Cookie(token) => token,
        }
    }

    /// The token in the field that the endpoint has for it, or in the cookie that stands for it;
    /// `None` for an endpoint that takes none.
    ///
    /// # Errors
    /// [`Error::NotAuthenticated`] where the cookie is missing; why a field is refused.
    pub(super) async fn of(
        auth: &Auth,
        endpoint: Endpoint,
        options: &EndpointOptions,
        parts: &Parts,
        data: &Data,
    ) -> Result<Option<Self>, Refusal> {
        let field = match endpoint {
            Endpoint::TokenRefresh | Endpoint::TokenBlacklist => "refresh",
            Endpoint::TokenVerify | Endpoint::TokenRefreshSliding => "token",
            _ => return Ok(None),
        };
        let settings = auth.settings();
        let is_absent = matches!(validate::optional(data, field, Kind::Trimmed), Ok(None));
        if is_absent && settings.transport.has_cookies() {
            let access = cookies(&parts.headers, settings.access_cookie());
            let chosen = match endpoint {
                Endpoint::TokenVerify => auth.choose::<Untyped>(&access, &[]).await?,
                Endpoint::TokenRefreshSliding => auth.choose::<Sliding>(&access, &[]).await?,
                _ => {
                    let RefreshCookies { all, by_host } = RefreshCookies::of(auth, options, parts);
                    auth.choose::<Refresh>(&all, &[access, by_host].concat()).await?
                }
            };
            if let Some(token) = chosen {
                return Ok(Some(Self::Cookie(token)));
            }
            // A program that sends neither is told what upstream tells it.
            if settings.transport == Transport::Cookie || is_from_browser(&parts.headers) {
                return Err(Error::NotAuthenticated.into());
            }
        }
        let [token] = validate::fields(data, [(field, Kind::Trimmed)]).map_err(invalid)?;
        Ok(Some(Self::Body(token)))
    }
}

/// The refresh tokens that a request has in cookies.
#[derive(Default)]
pub(super) struct RefreshCookies {
    /// All of them, those under the name that is in use first.
    pub(super) all: Vec<String>,
    /// Those under a name that no other host can set.
    by_host: Vec<String>,
}

impl RefreshCookies {
    pub(super) fn of(auth: &Auth, options: &EndpointOptions, parts: &Parts) -> Self {
        let settings = auth.settings();
        if !settings.transport.has_cookies() {
            return Self::default();
        }
        let mut found = Self::default();
        let path = refresh_path(settings, parts, options);
        let former = settings.former_refresh_cookie_at(&path);
        for name in [Some(settings.refresh_cookie_at(&path)), former].into_iter().flatten() {
            let sent = cookies(&parts.headers, name);
            if crate::settings::has_prefix(name, "__Host-") {
                found.by_host.extend(sent.iter().cloned());
            }
            found.all.extend(sent);
        }
        found
    }
}

/// Whether a request came with one of the cookies, so that logging out means those.
pub(super) fn has_any(auth: &Auth, options: &EndpointOptions, parts: &Parts) -> bool {
    let settings = auth.settings();
    settings.transport == Transport::Cookie
        || settings.transport.has_cookies()
            && !(cookies(&parts.headers, settings.access_cookie()).is_empty()
                && RefreshCookies::of(auth, options, parts).all.is_empty())
}

/// Takes the tokens out of a body that a script may read, and gives them as cookies.
///
/// The access token's cookie lives as long as the refresh token's: a browser that dropped it when
/// its token expires would leave nothing to tell an expired token from none.
///
/// # Errors
/// [`Error::CookieTooLong`]
pub(super) fn deliver(
    auth: &Auth,
    endpoint: Endpoint,
    options: &EndpointOptions,
    parts: &Parts,
    presented: Option<&Presented>,
    body: &mut Json,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let settings = auth.settings();
    let is_login = matches!(endpoint, Endpoint::TokenObtainPair | Endpoint::TokenObtainSliding);
    let is_refresh = matches!(endpoint, Endpoint::TokenRefresh | Endpoint::TokenRefreshSliding);
    let by_cookie = matches!(presented, Some(Presented::Cookie(_)));
    let as_cookies = match settings.transport {
        Transport::Header => false,
        Transport::Cookie => is_login || is_refresh,
        Transport::Both => is_login || is_refresh && by_cookie,
    };
    if !as_cookies {
        return Ok(Vec::new());
    }
    if is_login {
        kept::warn_if_dropped(&parts.headers, settings);
    }
    let in_body =
        settings.transport == Transport::Both && is_login && !is_from_browser(&parts.headers);
    let Json::Object(members) = body else { return Ok(Vec::new()) };
    let tokens: Vec<_> = members
        .iter()
        .filter_map(|(name, value)| match value {
            Json::Text(token) => Some((name.as_ref(), &**token)),
            _ => None,
        })
        .collect();
    let all = tokens.iter().map(|(_, token)| *token).chain(presented.map(Presented::token));
    let longest = all.map(|token| remaining(auth, token)).max().unwrap_or(0);
    let mut headers = Vec::new();
    for (name, token) in tokens {
        headers.push(match name {
            "refresh" => {
                let path = path(parts, options);
                set_refresh(settings, &path, token, remaining(auth, token))?
            }
            _ => set_access(settings, token, longest)?,
        });
    }
    headers.extend(former(auth, options, parts));
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
    auth: &Auth,
    options: &EndpointOptions,
    parts: &Parts,
) -> Vec<(HeaderName, HeaderValue)> {
    let headers = removal(auth.settings(), &path(parts, options));
    let headers = headers.into_iter().chain(former(auth, options, parts));
    headers.map(|header| (SET_COOKIE, header)).collect()
}

/// Takes both cookies away if they are dead and no newer ones can be meant: another tab may have
/// got some since the request was sent.
pub(super) async fn remove_dead(
    auth: &Auth,
    options: &EndpointOptions,
    parts: &Parts,
) -> Vec<(HeaderName, HeaderValue)> {
    let sent = RefreshCookies::of(auth, options, parts).all;
    match auth.are_over(&sent).await {
        Ok(true) => remove(auth, options, parts),
        // What can't be told now can be told at the next request.
        Ok(false) | Err(_) => Vec::new(),
    }
}

/// Takes away what came under the name of another configuration.
fn former(auth: &Auth, options: &EndpointOptions, parts: &Parts) -> Option<HeaderValue> {
    let settings = auth.settings();
    let name = settings.former_refresh_cookie_at(&refresh_path(settings, parts, options))?;
    let is_there = !cookies(&parts.headers, name).is_empty();
    is_there.then(|| removal_of_former(settings, &path(parts, options))).flatten()
}

/// How long a token is good for yet, in seconds; a sliding token for as long as it can be renewed.
fn remaining(auth: &Auth, token: &str) -> i64 {
    let tokens = auth.tokens();
    let Ok(token) = tokens.decode::<Untyped>(token) else { return 0 };
    let renewed_until = token.claims().get(&auth.settings().sliding_token_refresh_exp_claim);
    let expires_at = tokens.expires_at(&token).map_or(0, |at| at.as_secs());
    let end = renewed_until.ok().flatten().map_or(expires_at, |until: i64| until.max(expires_at));
    end.saturating_sub(tokens.now().as_secs()).max(0)
}

/// The path of the refresh token's cookie.
fn refresh_path(settings: &Settings, parts: &Parts, options: &EndpointOptions) -> String {
    settings.cookies.refresh_path.clone().unwrap_or_else(|| path(parts, options))
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
