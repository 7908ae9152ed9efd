//! Cookies that hold tokens: setting them, and removing them with the same attributes.

use ::cookie::time::{Duration, OffsetDateTime};
use ::cookie::{Cookie, SameSite as Attribute};
use http::HeaderValue;

use crate::error::Error;
use crate::settings::{SameSite, Settings};

/// The length of a cookie that every browser keeps, in bytes: name, value and attributes (RFC 6265
/// section 6.1).
const LONGEST: usize = 4096;

/// Returns the `Set-Cookie` header that gives a browser its access token or sliding token, for
/// `max_age` seconds.
///
/// ```
/// use simplejwt::Settings;
/// use simplejwt::web::cookies::set_access;
///
/// let header = set_access(&Settings::default(), "e30.e30.MAC", 300);
/// assert_eq!(
///     header?,
///     "__Host-access=e30.e30.MAC; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=300",
/// );
/// # Ok::<_, simplejwt::Error>(())
/// ```
///
/// # Errors
/// [`Error::CookieTooLong`] if browsers wouldn't keep the cookie.
pub fn set_access(settings: &Settings, token: &str, max_age: i64) -> Result<HeaderValue, Error> {
    set(settings, settings.access_cookie(), "/", token, max_age)
}

/// Returns the `Set-Cookie` header that gives a browser its refresh token for `max_age` seconds. It
/// is sent to paths below `path`, unless the settings name another.
///
/// # Errors
/// [`Error::CookieTooLong`] if browsers wouldn't keep the cookie.
pub fn set_refresh(
    settings: &Settings,
    path: &str,
    token: &str,
    max_age: i64,
) -> Result<HeaderValue, Error> {
    let path = settings.cookies.refresh_path.as_deref().unwrap_or(path);
    set(settings, settings.refresh_cookie_at(path), path, token, max_age)
}

fn set(
    settings: &Settings,
    name: &str,
    path: &str,
    token: &str,
    max_age: i64,
) -> Result<HeaderValue, Error> {
    let header = written(settings, name, path, Some((token, max_age)));
    header.filter(|header| header.len() <= LONGEST).ok_or(Error::CookieTooLong(LONGEST))
}

/// Returns the `Set-Cookie` headers that remove both cookies.
///
/// ```
/// use simplejwt::Settings;
/// use simplejwt::web::cookies::removal;
///
/// for header in removal(&Settings::default(), "/api/token/") {
///     assert!(header.to_str()?.contains("Max-Age=0"));
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn removal(settings: &Settings, path: &str) -> Vec<HeaderValue> {
    let path = settings.cookies.refresh_path.as_deref().unwrap_or(path);
    let access = written(settings, settings.access_cookie(), "/", None);
    let refresh = written(settings, settings.refresh_cookie_at(path), path, None);
    access.into_iter().chain(refresh).collect()
}

/// Returns the `Set-Cookie` header that removes a refresh token's cookie under the name it had with
/// another path, if there is such a name.
#[cfg(feature = "web")]
pub(super) fn removal_of_former(settings: &Settings, path: &str) -> Option<HeaderValue> {
    let set_at = settings.cookies.refresh_path.as_deref().unwrap_or(path);
    let former = settings.former_refresh_cookie_at(set_at)?;
    // Browsers accept a name that begins with __Host- only with this path.
    let former_path = if set_at == "/" { path } else { "/" };
    written(settings, former, former_path, None)
}

/// Writes a cookie with this value for this many seconds, or its removal. Never `None` for valid
/// settings and tokens.
fn written(
    settings: &Settings,
    name: &str,
    path: &str,
    value: Option<(&str, i64)>,
) -> Option<HeaderValue> {
    let (value, max_age) = value.unwrap_or_default();
    let mut cookie = Cookie::new(name, value);
    cookie.set_http_only(true);
    cookie.set_secure(settings.cookies.secure);
    cookie.set_path(path);
    cookie.set_max_age(Duration::seconds(max_age));
    if value.is_empty() {
        cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
    }
    cookie.set_same_site(match settings.cookies.same_site {
        SameSite::Strict => Attribute::Strict,
        SameSite::Lax => Attribute::Lax,
        SameSite::None => Attribute::None,
    });
    if let Some(domain) = &settings.cookies.domain {
        cookie.set_domain(domain);
    }
    HeaderValue::from_str(&cookie.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::CookieSettings;

    #[test]
    fn removal_has_the_attributes_of_what_it_removes() {
        let settings = Settings {
            cookies: CookieSettings {
                domain: Some("example.com".into()),
                same_site: SameSite::Strict,
                ..CookieSettings::default()
            },
            ..Settings::default()
        };
        let set = [
            set_access(&settings, "a", 1).unwrap(),
            set_refresh(&settings, "/auth/", "r", 1).unwrap(),
        ];
        for (set, removed) in set.iter().zip(removal(&settings, "/auth/")) {
            let set = Cookie::parse(set.to_str().unwrap()).unwrap();
            let removed = Cookie::parse(removed.to_str().unwrap()).unwrap();
            assert_eq!(set.name(), removed.name());
            assert_eq!(set.path(), removed.path());
            assert_eq!(set.domain(), removed.domain());
            assert_eq!(set.secure(), removed.secure());
            assert_eq!(set.http_only(), Some(true));
            assert_eq!(set.same_site(), removed.same_site());
            assert_eq!(removed.max_age(), Some(Duration::ZERO));
        }
    }
}
