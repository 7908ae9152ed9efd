//! The way tokens travel between client and server: in headers and bodies, as upstream, or in
//! cookies.

use super::Settings;

/// The place where a request carries its tokens, and where an answer carries new ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// The access token in the authorization header, new tokens in the body, as upstream.
    #[default]
    Header,
    /// Cookies that scripts can't read, and no token in any body.
    Cookie,
    /// Either. A request with an authorization header is authenticated by that header. A login sets
    /// cookies, and its body holds the tokens as well unless a browser sent it. A refresh answers
    /// the way the refresh token came.
    Both,
}

impl Transport {
    /// `true` if cookies are read and set.
    pub fn has_cookies(self) -> bool {
        self != Self::Header
    }

    /// `true` if the authorization header is read.
    pub fn has_header(self) -> bool {
        self != Self::Cookie
    }
}

/// The `SameSite` attribute of the cookies (RFC 6265bis section 5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Sent only from pages of the same site, and not when a link leads here.
    Strict,
    /// Sent from pages of the same site, and when a link leads here.
    #[default]
    Lax,
    /// Sent from everywhere: for a page on another site that is in
    /// [`allowed_origins`](Settings::allowed_origins). Needs `secure`.
    None,
}

/// The cookies of [`Transport::Cookie`] and [`Transport::Both`]. They are always `HttpOnly`.
///
/// ```
/// use simplejwt::Settings;
/// use simplejwt::settings::{CookieSettings, SameSite, Transport};
///
/// let settings = Settings {
///     transport: Transport::Cookie,
///     cookies: CookieSettings { same_site: SameSite::Strict, ..CookieSettings::default() },
///     ..Settings::default()
/// };
/// assert_eq!(settings.access_cookie(), "__Host-access");
/// assert_eq!(settings.refresh_cookie(), "__Secure-refresh");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSettings {
    /// The name of the cookie that holds the access token or the sliding token. Default: `access`
    /// with the prefix `__Host-` (RFC 6265bis section 4.1.3), or with `__Secure-` if there is a
    /// `domain`; without `secure`, no prefix.
    pub access_name: Option<String>,
    /// The name of the cookie that holds the refresh token. Default: `refresh` with the prefix
    /// `__Host-` if its path is `/` and there is no `domain`, otherwise with `__Secure-`; without
    /// `secure`, no prefix.
    pub refresh_name: Option<String>,
    /// Sends them over HTTPS only. Browsers make an exception for localhost. Default: on.
    pub secure: bool,
    /// The pages they are sent from. Default: those of the same site.
    pub same_site: SameSite,
    /// The domain whose hosts they are sent to. Default: this host only.
    pub domain: Option<String>,
    /// The path that the refresh token's cookie is sent to. Default: the common prefix of the token
    /// endpoints, as the client sees it; `/` for an endpoint outside that prefix.
    pub refresh_path: Option<String>,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self {
            access_name: None,
            refresh_name: None,
            secure: true,
            same_site: SameSite::Lax,
            domain: None,
            refresh_path: None,
        }
    }
}

const HOST_REFRESH: &str = "__Host-refresh";
const SECURE_REFRESH: &str = "__Secure-refresh";

impl Settings {
    /// Returns the name of the access token's cookie.
    pub fn access_cookie(&self) -> &str {
        let cookies = &self.cookies;
        match (&cookies.access_name, cookies.secure, &cookies.domain) {
            (Some(name), _, _) => name,
            (None, true, None) => "__Host-access",
            (None, true, Some(_)) => "__Secure-access",
            (None, false, _) => "access",
        }
    }

    /// Returns the name of the refresh token's cookie as far as the settings determine its path:
    /// without a `refresh_path`, the name for an endpoint below a prefix.
    pub fn refresh_cookie(&self) -> &str {
        self.refresh_cookie_at(self.cookies.refresh_path.as_deref().unwrap_or("/api/token/"))
    }

    /// Returns the name of the refresh token's cookie at this path: with `__Host-` where browsers
    /// allow it (RFC 6265bis section 4.1.3.2), so that no other host can set a cookie of the same
    /// name.
    ///
    /// ```
    /// let settings = simplejwt::Settings::default();
    /// assert_eq!(settings.refresh_cookie_at("/"), "__Host-refresh");
    /// assert_eq!(settings.refresh_cookie_at("/api/token/"), "__Secure-refresh");
    /// ```
    pub fn refresh_cookie_at(&self, path: &str) -> &str {
        let cookies = &self.cookies;
        match (&cookies.refresh_name, cookies.secure, &cookies.domain) {
            (Some(name), _, _) => name,
            (None, true, None) if path == "/" => HOST_REFRESH,
            (None, true, _) => SECURE_REFRESH,
            (None, false, _) => "refresh",
        }
    }

    /// Returns the default name under which a refresh token's cookie may have been set with another
    /// `refresh_path` or `domain`. It is read, after the current one, for as long as browsers keep
    /// it.
    pub fn former_refresh_cookie_at(&self, path: &str) -> Option<&'static str> {
        match self.refresh_cookie_at(path) {
            _ if self.cookies.refresh_name.is_some() => None,
            HOST_REFRESH => Some(SECURE_REFRESH),
            SECURE_REFRESH => Some(HOST_REFRESH),
            _ => None,
        }
    }

    pub(super) fn check_transport(&self, problem: &mut impl FnMut(bool, &str)) {
        let cookies = &self.cookies;
        problem(
            !self.transport.has_cookies() && *cookies != CookieSettings::default(),
            "cookies are configured but not used: set transport = \"cookie\" or \
             \"both\", or remove their settings",
        );
        let names =
            [("access_name", self.access_cookie()), ("refresh_name", self.refresh_cookie())];
        for (setting, name) in names {
            problem(
                !super::validate::is_http_token(name),
                &format!(
                    "{setting} is not a valid cookie name (RFC 6265 section 4.1.1): use letters, digits, - and _"
                ),
            );
            problem(
                has_prefix(name, "__Host-") && (!cookies.secure || cookies.domain.is_some()),
                &format!(
                    "{setting} begins with __Host-, which browsers refuse without secure and with a domain: choose another name, set secure = true and remove the domain"
                ),
            );
            problem(
                has_prefix(name, "__Secure-") && !cookies.secure,
                &format!(
                    "{setting} begins with __Secure-, which browsers refuse without secure: choose another name, or set secure = true"
                ),
            );
        }
        problem(
            has_prefix(self.refresh_cookie(), "__Host-")
                && cookies.refresh_path.as_deref() != Some("/"),
            "refresh_name begins with __Host-, which browsers refuse with a path: use __Secure-, \
             or set refresh_path = \"/\"",
        );
        problem(
            self.access_cookie() == self.refresh_cookie(),
            "access_name and refresh_name are the same: give them different names",
        );
        problem(
            cookies.same_site == SameSite::None && !cookies.secure,
            "same_site is \"none\", which browsers refuse without secure: set secure = true",
        );
        problem(
            cookies.domain.as_deref().is_some_and(|domain| !is_domain(domain)),
            "domain is not the name of a domain: write \"example.com\"",
        );
        problem(
            cookies.refresh_path.as_deref().is_some_and(|path| !is_cookie_path(path)),
            "refresh_path is not a path: write \"/api/token/\"",
        );
    }
}

/// Browsers compare the prefixes case-insensitively.
pub(crate) fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn is_domain(text: &str) -> bool {
    !text.trim_start_matches('.').is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

/// `true` if a path can be an attribute of a cookie.
pub(crate) fn is_cookie_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(settings: Settings) -> usize {
        settings.validate().err().map_or(0, |error| error.problems().len())
    }

    fn with(cookies: CookieSettings) -> Settings {
        Settings { transport: Transport::Cookie, cookies, ..Settings::default() }
    }

    #[test]
    fn the_defaults_are_what_browsers_take() {
        assert_eq!(problems(with(CookieSettings::default())), 0);
        let insecure = with(CookieSettings { secure: false, ..CookieSettings::default() });
        assert_eq!(insecure.access_cookie(), "access");
        assert_eq!(insecure.refresh_cookie(), "refresh");
        assert_eq!(problems(insecure), 0);
        let domain = CookieSettings { domain: Some("example.com".into()), ..Default::default() };
        assert_eq!(with(domain.clone()).access_cookie(), "__Secure-access");
        assert_eq!(problems(with(domain)), 0);
    }

    #[test]
    fn what_browsers_would_drop_refuses_to_start() {
        let cookies = CookieSettings::default;
        let named = |name: &str| Some(name.to_owned());
        for wrong in [
            CookieSettings { access_name: named("__host-x"), secure: false, ..cookies() },
            CookieSettings { access_name: named("a b"), ..cookies() },
            CookieSettings { access_name: named("__Secure-refresh"), ..cookies() },
            CookieSettings { refresh_name: named("__Host-refresh"), ..cookies() },
            CookieSettings { refresh_name: named("__SECURE-r"), secure: false, ..cookies() },
            CookieSettings { same_site: SameSite::None, secure: false, ..cookies() },
            CookieSettings { domain: named("a;b"), ..cookies() },
            CookieSettings { refresh_path: named("api"), ..cookies() },
            CookieSettings { refresh_path: named("/;Domain=x"), ..cookies() },
        ] {
            assert_eq!(problems(with(wrong.clone())), 1, "{wrong:?}");
        }
        let unused = CookieSettings { same_site: SameSite::Strict, ..cookies() };
        assert_eq!(problems(Settings { cookies: unused, ..Settings::default() }), 1);
    }
}
