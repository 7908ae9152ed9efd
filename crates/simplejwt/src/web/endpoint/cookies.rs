//! Cookies at the endpoints: finding a request's token, and delivering an answer's tokens.

use http::header::{HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use super::RouterOptions;
use super::call::{Answer, Call, Refusal, invalid};
use super::spec::{Cookies, Field, TokenCookie};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::service::{Auth, Issued};
use crate::settings::{Settings, Transport};
use crate::token::TokenType;
use crate::web::authorization::raw_token;
use crate::web::cookies::{removal, removal_of_former, set_access, set_refresh};
use crate::web::kept;
use crate::web::object::{Json, object};
use crate::web::transport::cookies;
use crate::web::validate::{self, CharField};

/// The token that a request is about, and the place where it was found.
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

    fn is_cookie(&self) -> bool {
        matches!(self, Self::Cookie(_))
    }

    /// Finds the token of this kind in the field, or in the cookie that replaces it.
    ///
    /// # Errors
    /// [`Error::NotAuthenticated`] if the cookie is missing; the reasons why the field is refused.
    pub(super) async fn of<T: TokenType>(call: &Call<'_>, field: &Field) -> Result<Self, Refusal> {
        let (settings, headers) = (call.auth.settings(), &call.parts.headers);
        if let Some(cookie) = field.cookie
            && settings.transport.has_cookies()
            && matches!(call.optional(field), Ok(None))
        {
            let access = cookies(headers, settings.access_cookie());
            let chosen = match cookie {
                TokenCookie::Access => call.auth.choose::<T>(&access, &[]).await?,
                TokenCookie::Refresh => {
                    let RefreshCookies { all, by_host } =
                        RefreshCookies::of(call.auth, call.options, call.parts);
                    call.auth.choose::<T>(&all, &[access, by_host].concat()).await?
                }
            };
            if let Some(token) = chosen {
                return Ok(Self::Cookie(token));
            }
            // A program that sends neither gets upstream's answer.
            if settings.transport == Transport::Cookie || is_from_browser(headers) {
                return Err(Error::NotAuthenticated.into());
            }
        }
        let name = field.name(call.options);
        let [token] =
            validate::fields(&call.data, [(name, CharField::Trimmed)]).map_err(invalid)?;
        Ok(Self::Body(token))
    }

    /// Refuses this token. A cookie whose token is permanently invalid is removed.
    pub(super) async fn refused(&self, call: &Call<'_>, error: Error) -> Refusal {
        if self.is_cookie() && crate::web::status(&error) == StatusCode::UNAUTHORIZED {
            let cookies = remove_dead(call.auth, call.options, call.parts).await;
            return Refusal::RemovingCookies(error, cookies);
        }
        Refusal::Flow(error)
    }
}

/// The refresh tokens in a request's cookies.
#[derive(Default)]
pub(super) struct RefreshCookies {
    /// All of them, those under the current name first.
    pub(super) all: Vec<String>,
    /// Those under a name that no other host can set.
    by_host: Vec<String>,
}

impl RefreshCookies {
    pub(super) fn of(auth: &Auth, options: &RouterOptions, parts: &Parts) -> Self {
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

/// Returns the flows for a login: if there is a throttle, with the tokens by which a device is known,
/// from its cookies and its authorization header.
pub(super) fn from_device(call: &Call<'_>) -> Auth {
    let (auth, headers) = (call.auth, &call.parts.headers);
    if !auth.has_throttle() {
        return auth.clone();
    }
    let settings = auth.settings();
    let mut tokens = RefreshCookies::of(auth, call.options, call.parts).all;
    if settings.transport.has_cookies() {
        tokens.extend(cookies(headers, settings.access_cookie()));
    }
    // Upstream doesn't look at this header, so a wrong one is no error here.
    tokens.extend(raw_token(headers, settings).ok().flatten());
    auth.from_device(tokens)
}

/// `true` if a request came with one of the cookies, so that a logout applies to them.
pub(super) fn has_any(auth: &Auth, options: &RouterOptions, parts: &Parts) -> bool {
    let settings = auth.settings();
    settings.transport == Transport::Cookie
        || settings.transport.has_cookies()
            && !(cookies(&parts.headers, settings.access_cookie()).is_empty()
                && RefreshCookies::of(auth, options, parts).all.is_empty())
}

/// Tokens to be delivered to a client, each with its member of the body and its cookie.
pub(super) struct Delivery<'a> {
    pub(super) tokens: &'a [(&'static str, TokenCookie, &'a Issued)],
    /// The time until which the client can continue without logging in.
    pub(super) until: Timestamp,
    /// The token that the client presented, if this isn't a login.
    pub(super) presented: Option<&'a Presented>,
}

impl Delivery<'_> {
    /// Answers 200 with the tokens in a body, in cookies that scripts can't read, or both.
    ///
    /// The access token's cookie lives as long as the client can refresh: if a browser dropped it
    /// when its token expires, an expired token couldn't be told from a missing one.
    ///
    /// # Errors
    /// [`Error::CookieTooLong`] if a token is too long for a cookie.
    pub(super) fn answer(&self, call: &Call<'_>) -> Answer {
        let (settings, headers) = (call.auth.settings(), &call.parts.headers);
        let sets = call.operation.map_or(Cookies::Untouched, |operation| operation.cookies);
        let is_login = sets == Cookies::Login;
        let as_cookies = match settings.transport {
            Transport::Header => false,
            Transport::Cookie => true,
            Transport::Both => is_login || self.presented.is_some_and(Presented::is_cookie),
        };
        if !as_cookies {
            return Ok(call.json(&self.body()));
        }
        if is_login {
            kept::warn_if_dropped(headers, call.auth.tokens());
        }
        let in_body =
            settings.transport == Transport::Both && is_login && !is_from_browser(headers);
        let body = if in_body { self.body() } else { object([]) };
        let mut response = call.json(&body);
        for cookie in self.cookies(call)? {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    fn body(&self) -> Json {
        let member = |(name, _, issued): &(&'static str, TokenCookie, &Issued)| {
            ((*name).into(), issued.token.clone().into())
        };
        Json::Object(self.tokens.iter().map(member).collect())
    }

    fn cookies(&self, call: &Call<'_>) -> Result<Vec<HeaderValue>, Error> {
        let (auth, settings) = (call.auth, call.auth.settings());
        let now = auth.tokens().now().as_secs();
        let remaining = |until: Timestamp| until.as_secs().saturating_sub(now).max(0);
        let useful = self.tokens.iter().map(|(_, _, issued)| issued.useful_until());
        let longest = remaining(useful.fold(self.until, Timestamp::max));
        let mut cookies = Vec::new();
        for (_, cookie, issued) in self.tokens {
            cookies.push(match cookie {
                TokenCookie::Refresh => {
                    let path = path(call.parts, call.options);
                    let max_age = remaining(issued.useful_until());
                    set_refresh(settings, &path, &issued.token, max_age)?
                }
                TokenCookie::Access => set_access(settings, &issued.token, longest)?,
            });
        }
        cookies.extend(former(auth, call.options, call.parts));
        Ok(cookies)
    }
}

/// Answers 200 with an empty object; if the token was in a cookie, both cookies are removed.
pub(super) fn removing_cookies(call: &Call<'_>, presented: &Presented) -> Response<Vec<u8>> {
    let mut response = call.json(&object([]));
    if presented.is_cookie() {
        add(remove(call.auth, call.options, call.parts), &mut response);
    }
    response
}

/// Adds headers to an answer.
pub(super) fn add(headers: Vec<(HeaderName, HeaderValue)>, response: &mut Response<Vec<u8>>) {
    for (name, value) in headers {
        response.headers_mut().append(name, value);
    }
}

/// `true` if a browser sent the request for a page: other clients send none of these headers.
fn is_from_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// Removes both cookies.
pub(super) fn remove(
    auth: &Auth,
    options: &RouterOptions,
    parts: &Parts,
) -> Vec<(HeaderName, HeaderValue)> {
    let headers = removal(auth.settings(), &path(parts, options));
    let headers = headers.into_iter().chain(former(auth, options, parts));
    headers.map(|header| (SET_COOKIE, header)).collect()
}

/// Removes both cookies if they are permanently invalid and can't have been replaced: another tab
/// may have received newer ones since the request was sent.
pub(super) async fn remove_dead(
    auth: &Auth,
    options: &RouterOptions,
    parts: &Parts,
) -> Vec<(HeaderName, HeaderValue)> {
    let sent = RefreshCookies::of(auth, options, parts).all;
    match auth.are_over(&sent).await {
        Ok(true) => remove(auth, options, parts),
        // If that can't be determined now, the next request will.
        Ok(false) | Err(_) => Vec::new(),
    }
}

/// Removes a cookie that was set under the name of another configuration.
fn former(auth: &Auth, options: &RouterOptions, parts: &Parts) -> Option<HeaderValue> {
    let settings = auth.settings();
    let name = settings.former_refresh_cookie_at(&refresh_path(settings, parts, options))?;
    let is_there = !cookies(&parts.headers, name).is_empty();
    is_there.then(|| removal_of_former(settings, &path(parts, options))).flatten()
}

/// Returns the path of the refresh token's cookie.
fn refresh_path(settings: &Settings, parts: &Parts, options: &RouterOptions) -> String {
    settings.cookies.refresh_path.clone().unwrap_or_else(|| path(parts, options))
}

/// Returns the token endpoints' prefix as the client sees it, or `/` for an endpoint outside it.
fn path(parts: &Parts, options: &RouterOptions) -> String {
    let (path, prefix) = (parts.uri.path(), options.normal_prefix());
    let end = path.find(&prefix).map(|at| at + prefix.len());
    end.and_then(|end| path.get(..end))
        .filter(|path| crate::settings::is_cookie_path(path))
        .unwrap_or("/")
        .to_owned()
}
