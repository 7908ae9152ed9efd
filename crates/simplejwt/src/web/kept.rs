//! Cookies that a browser will drop, so that the page sees a successful login without effect.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{HOST, HeaderMap, ORIGIN};
use http::{HeaderName, Uri};

use crate::logging::cut;
use crate::settings::{SameSite, Settings};
use crate::token::Tokens;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The reason a browser drops the cookies of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// They are `Secure`, but were sent over plain HTTP by a host other than this machine (RFC
    /// 6265bis section 5.7 step 8).
    Insecure,
    /// They are `SameSite`, but were requested by a page of another site (the same, step 21).
    OtherSite,
}

/// Logs the reason why the cookies of this login will be dropped, once for each reason.
pub(super) fn warn_if_dropped(headers: &HeaderMap, tokens: &Tokens) {
    let Some(reason) = dropped(headers, tokens.settings()) else { return };
    if !tokens.tells_of_dropped_cookies(reason as usize) {
        return;
    }
    let sent = |name| text(headers, name).map(cut);
    let (host, origin) = (sent(&HOST), sent(&ORIGIN));
    let (host, origin) = (host.as_deref(), origin.as_deref());
    match reason {
        Dropped::Insecure => tracing::warn!(
            event = "cookies_dropped",
            reason = "insecure",
            host,
            origin,
            "a login over plain HTTP: browsers drop cookies that are Secure, so nobody stays \
             logged in. Serve it over HTTPS, call it localhost, or for development set secure = \
             false in [cookies]"
        ),
        Dropped::OtherSite => tracing::warn!(
            event = "cookies_dropped",
            reason = "other_site",
            host,
            origin,
            "a login from a page of another site: browsers drop its cookies, so nobody stays logged \
             in. Use one host name for both (localhost and 127.0.0.1 are two), or set same_site = \
             \"none\" in [cookies]"
        ),
    }
}

/// Returns the reason why the cookies of an answer to this request will certainly be dropped; mere
/// possibilities are ignored.
fn dropped(headers: &HeaderMap, settings: &Settings) -> Option<Dropped> {
    let cookies = &settings.cookies;
    let origin = text(headers, &ORIGIN)?.parse::<Uri>().ok()?;
    let page = origin.host()?;
    let authority = text(headers, &HOST)?.parse::<http::uri::Authority>().ok()?;
    let host = authority.host();
    let fetch_site = text(headers, &FETCH_SITE);
    if cookies.secure && !is_this_machine(host) && fetch_site.is_none() {
        // Browsers reveal a page's site only to hosts that they trust, over HTTPS.
        let told =
            text(headers, &FORWARDED_PROTO).map(|scheme| scheme.eq_ignore_ascii_case("http"));
        if told.unwrap_or(origin.scheme_str() == Some("http")) {
            return Some(Dropped::Insecure);
        }
    }
    if cookies.same_site != SameSite::None {
        let is_other = match fetch_site {
            Some(site) => site == "cross-site",
            None => page != host && site_at_most(page) != site_at_most(host),
        };
        if is_other {
            return Some(Dropped::OtherSite);
        }
    }
    None
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The hosts that browsers consider safe without HTTPS.
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || bare.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

/// Returns a suffix of the site of a host: if it differs between two hosts, they are certainly of
/// different sites. An address is a site of its own.
fn site_at_most(host: &str) -> &str {
    if host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok() {
        return host;
    }
    host.rmatch_indices('.').nth(1).and_then(|(at, _)| host.get(at + 1..)).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::settings::CookieSettings;

    fn with(cookies: CookieSettings, sent: &[(&'static str, &'static str)]) -> Option<Dropped> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        dropped(&headers, &Settings { cookies, ..Settings::default() })
    }

    #[test]
    fn cookies_that_browsers_drop_are_told_from_those_that_they_keep() {
        use Dropped::{Insecure, OtherSite};

        const SITE: &str = "sec-fetch-site";
        type Case = (Option<Dropped>, &'static [(&'static str, &'static str)]);
        let cases: [Case; 16] = [
            (None, &[]),
            (None, &[("host", "api.example.com")]),
            (None, &[("host", "api.example.com"), ("origin", "https://api.example.com")]),
            (None, &[("host", "localhost:8000"), ("origin", "http://localhost:3000")]),
            (None, &[("host", "a.b.localhost:8000"), ("origin", "http://c.b.localhost:3000")]),
            (None, &[("host", "127.0.0.1:8000"), ("origin", "http://127.0.0.1:3000")]),
            (None, &[("host", "[::1]:8000"), ("origin", "http://[::1]:3000")]),
            (Some(Insecure), &[("host", "box.lan:8000"), ("origin", "http://box.lan:8000")]),
            (Some(Insecure), &[("host", "10.0.0.7:8000"), ("origin", "http://10.0.0.7:8000")]),
            (
                Some(Insecure),
                &[
                    ("host", "a.example"),
                    ("origin", "https://a.example"),
                    ("x-forwarded-proto", "http"),
                ],
            ),
            // The proxy has the certificate.
            (
                None,
                &[
                    ("host", "a.example"),
                    ("origin", "http://a.example"),
                    ("x-forwarded-proto", "https"),
                ],
            ),
            (None, &[("host", "a.example"), ("origin", "http://a.example"), (SITE, "same-origin")]),
            (Some(OtherSite), &[("host", "127.0.0.1:8000"), ("origin", "http://localhost:3000")]),
            (
                Some(OtherSite),
                &[
                    ("host", "127.0.0.1:8000"),
                    ("origin", "http://localhost:3000"),
                    (SITE, "cross-site"),
                ],
            ),
            (
                Some(OtherSite),
                &[("host", "api.example.com"), ("origin", "https://app.example.org")],
            ),
            // By the public suffix list these may be two sites, but the list isn't available here.
            (None, &[("host", "a.co.uk"), ("origin", "https://b.co.uk")]),
        ];
        for (expected, sent) in cases {
            assert_eq!(with(CookieSettings::default(), sent), expected, "{sent:?}");
        }
        let insecure = CookieSettings { secure: false, ..CookieSettings::default() };
        let lan = [("host", "box.lan:8000"), ("origin", "http://box.lan:8000")];
        assert_eq!(with(insecure, &lan), None);
        let none = CookieSettings { same_site: SameSite::None, ..CookieSettings::default() };
        let other = [("host", "api.example.com"), ("origin", "https://app.example.org")];
        assert_eq!(with(none, &other), None);
    }
}
