//! The transport of tokens (`[cookies]`), and the allowed origins (in `[server]`).

use std::net::IpAddr;

use http::Uri;
use serde_json::Value;
use simplejwt::Settings;
use simplejwt::settings::value::{list, text};
use simplejwt::settings::{SameSite, Transport};

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{Section, other, switch, word};
use super::server::Server;

pub(super) static ORIGINS: Section<Settings> = Section {
    table: "server",
    about: "",
    items: &[other(
        "allowed_origins",
        "SIMPLEJWT_ALLOWED_ORIGINS",
        Def("[]"),
        "Origins of single-page applications served from elsewhere, such as \
         [\"https://app.example.com\"]. They may read answers and send credentials (CORS), and \
         their requests with cookies are not taken for forged. Apps and extensions have their own \
         schemes: \"capacitor://localhost\", \"tauri://localhost\", \"chrome-extension://ID\". \
         \"https://*.example.com\" stands for every subdomain, at any depth, but not for the \
         domain itself.",
        Form::Texts,
        |s, v| {
            if is_null(v) {
                return Err(
                    "contains \"null\", the origin of every local file and sandboxed page: serve \
                     the page from a server, and write its origin"
                        .into(),
                );
            }
            list(v).map(|origins| s.allowed_origins = origins)
        },
    )],
    idle: &[],
};

pub(super) static SECTION: Section<Settings> = Section {
    table: "cookies",
    about: "Tokens in cookies, for browsers.",
    items: &[
        word(
            "transport",
            "SIMPLEJWT_TRANSPORT",
            Def("\"header\""),
            "The transport of tokens: \"header\" as upstream (the access token in the \
             Authorization header, issued tokens in bodies); \"cookie\" in cookies that no script \
             can read, and never in bodies; \"both\" in either.",
            &[
                ("header", |s| s.transport = Transport::Header),
                ("cookie", |s| s.transport = Transport::Cookie),
                ("both", |s| s.transport = Transport::Both),
            ],
        ),
        other(
            "access_name",
            "SIMPLEJWT_COOKIE_ACCESS_NAME",
            Example("\"__Host-access\""),
            "The name of the access token's cookie. Default: \"access\" with the prefix that fits.",
            Form::Text,
            |s, v| text(v).map(|name| s.cookies.access_name = Some(name)),
        ),
        other(
            "refresh_name",
            "SIMPLEJWT_COOKIE_REFRESH_NAME",
            Example("\"__Secure-refresh\""),
            "The name of the refresh token's cookie. Default: \"refresh\" with the prefix that \
             fits; with refresh_path = \"/\" that is __Host-, so that no other host can set the \
             cookie.",
            Form::Text,
            |s, v| text(v).map(|name| s.cookies.refresh_name = Some(name)),
        ),
        switch(
            "secure",
            "SIMPLEJWT_COOKIE_SECURE",
            Def("true"),
            "Browsers send the cookies only over HTTPS; they treat localhost like HTTPS.",
            |s| &mut s.cookies.secure,
        ),
        word(
            "same_site",
            "SIMPLEJWT_COOKIE_SAME_SITE",
            Def("\"lax\""),
            "The pages whose requests carry the cookies: \"strict\" those of this site, \"lax\" \
             also those that link here, \"none\" all, which allowed_origins on another site need.",
            &[
                ("strict", |s| s.cookies.same_site = SameSite::Strict),
                ("lax", |s| s.cookies.same_site = SameSite::Lax),
                ("none", |s| s.cookies.same_site = SameSite::None),
            ],
        ),
        other(
            "domain",
            "SIMPLEJWT_COOKIE_DOMAIN",
            Example("\"example.com\""),
            "The domain whose hosts get the cookies. Default: only this host.",
            Form::Text,
            |s, v| text(v).map(|domain| s.cookies.domain = Some(domain)),
        ),
        other(
            "refresh_path",
            "SIMPLEJWT_COOKIE_REFRESH_PATH",
            Example("\"/api/token/\""),
            "The path that the refresh token's cookie is sent to, as the browser sees it; for \
             proxies that change paths. Default: the prefix of the token endpoints.",
            Form::Text,
            |s, v| text(v).map(|path| s.cookies.refresh_path = Some(path)),
        ),
    ],
    idle: &[],
};

/// Returns warnings about cookies that browsers won't keep, as far as the configuration shows.
pub(super) fn warnings(settings: &Settings, server: &Server) -> Vec<String> {
    let bind = server.bind.as_str();
    let cookies = &settings.cookies;
    if !settings.transport.has_cookies() {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    let address = bind.rsplit_once(':').map_or(bind, |(host, _)| host);
    let bound = unbracketed(address).parse::<IpAddr>().ok();
    let is_local = bound.map_or(address == "localhost", |address| address.is_loopback());
    if cookies.secure && !is_local && server.num_proxies == 0 {
        warnings.push(format!(
            "the cookies are Secure, but {bind} is reached over plain HTTP unless a proxy is in \
             front: browsers keep such cookies only from https:// and from localhost. Put a proxy \
             with a certificate in front and set num_proxies in [server], or for development set \
             secure = false in [cookies]"
        ));
    }
    if cookies.same_site == SameSite::None {
        return warnings;
    }
    let origins: Vec<(&str, Uri)> = settings
        .allowed_origins
        .iter()
        .filter_map(|origin| Some((origin.as_str(), origin.parse().ok()?)))
        .collect();
    for (origin, uri) in &origins {
        let host = uri.host().unwrap_or_default();
        let page_is_local = is_this_machine(host);
        if !is_web(uri) {
            warnings.push(format!(
                "allowed_origins holds {origin}, to which every server is another site: with \
                 same_site = \"{}\" in [cookies] its requests carry no cookies. Set same_site = \
                 \"none\", which needs HTTPS, or set transport = \"both\" and let it send the \
                 authorization header",
                spelt(cookies.same_site)
            ));
            continue;
        }
        if cookies.secure && uri.scheme_str() == Some("http") && !page_is_local {
            warnings.push(format!(
                "allowed_origins holds {origin}: the cookies are Secure, and no browser keeps them \
                 for a page over plain HTTP. Serve it over HTTPS, or for development set secure = \
                 false in [cookies]"
            ));
        }
        if page_is_local && is_local && unbracketed(host) != unbracketed(address) {
            let port = bind.rsplit_once(':').map_or("", |(_, port)| port);
            warnings.push(format!(
                "allowed_origins holds {origin}, and {bind} is another site to browsers, which \
                 drop its cookies: have that page call http://{host}:{port}"
            ));
        }
    }
    let mut sites = origins
        .iter()
        .filter(|(_, uri)| is_web(uri))
        .map(|(_, uri)| site_at_most(uri.host().unwrap_or_default()));
    let first = sites.next();
    if sites.any(|other| Some(other) != first) {
        let same_site = spelt(cookies.same_site);
        warnings.push(format!(
            "allowed_origins names several sites, but with same_site = \"{same_site}\" in \
             [cookies] browsers keep and send cookies only for pages of this server's own site: \
             set same_site = \"none\", which needs HTTPS"
        ));
    }
    warnings
}

/// Returns `true` if a list contains the origin `null`, which the list would otherwise refuse as a
/// null value.
fn is_null(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| item == "null"),
        Value::String(text) => text.split(['[', ']', '"', ',', ' ']).any(|item| item == "null"),
        _ => false,
    }
}

fn spelt(same_site: SameSite) -> &'static str {
    match same_site {
        SameSite::Strict => "strict",
        SameSite::Lax => "lax",
        SameSite::None => "none",
    }
}

/// Returns `true` if pages are served from this origin, and not by an app or an extension itself.
fn is_web(origin: &Uri) -> bool {
    matches!(origin.scheme_str(), Some("http" | "https"))
}

fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || unbracketed(host).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns the longest suffix that a host's site can have: hosts that differ in it are of different
/// sites.
fn site_at_most(host: &str) -> &str {
    if unbracketed(host).parse::<IpAddr>().is_ok() {
        return host;
    }
    host.rmatch_indices('.').nth(1).and_then(|(at, _)| host.get(at + 1..)).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use simplejwt::settings::CookieSettings;

    use super::*;
    use crate::config::Config;

    fn warned(
        bind: &str,
        proxies: usize,
        origins: &[&str],
        cookies: CookieSettings,
    ) -> Vec<String> {
        let mut config = Config::default();
        config.server.bind = bind.into();
        config.server.num_proxies = proxies;
        config.settings.transport = Transport::Cookie;
        config.settings.cookies = cookies;
        config.settings.allowed_origins = origins.iter().map(|&origin| origin.into()).collect();
        warnings(&config.settings, &config.server)
    }

    #[test]
    fn what_browsers_will_not_keep_is_named() {
        let default = CookieSettings::default;
        let insecure = || CookieSettings { secure: false, ..default() };
        let none = || CookieSettings { same_site: SameSite::None, ..default() };
        const LOCAL: &str = "127.0.0.1:8000";
        for (bind, proxies, origins, cookies, expected) in [
            (LOCAL, 0, &[][..], default(), &[][..]),
            ("localhost:8000", 0, &["http://localhost:3000"], default(), &[]),
            (LOCAL, 0, &["http://localhost:3000"], default(), &["call http://localhost:8000"]),
            ("[::1]:8000", 0, &["http://[::1]:3000"], default(), &[]),
            ("0.0.0.0:8000", 0, &[], default(), &["num_proxies"]),
            ("[::]:8000", 0, &[], default(), &["num_proxies"]),
            ("0.0.0.0:8000", 1, &["https://app.example.com"], default(), &[]),
            ("0.0.0.0:8000", 0, &["http://app.lan"], insecure(), &[]),
            ("0.0.0.0:8000", 1, &["http://app.lan"], default(), &["over plain HTTP"]),
            (
                "0.0.0.0:8000",
                1,
                &["https://app.example.com", "https://app.example.org"],
                default(),
                &["several sites"],
            ),
            ("0.0.0.0:8000", 1, &["https://*.example.com", "https://example.com"], default(), &[]),
            (LOCAL, 0, &["capacitor://localhost"], default(), &["every server is another site"]),
            (LOCAL, 0, &["capacitor://localhost"], none(), &[]),
            (
                "0.0.0.0:8000",
                1,
                &["https://app.example.com", "tauri://localhost"],
                default(),
                &["tauri://localhost"],
            ),
            (
                "0.0.0.0:8000",
                1,
                &["https://app.example.com", "https://app.example.org"],
                none(),
                &[],
            ),
        ] {
            let found = warned(bind, proxies, origins, cookies);
            assert_eq!(found.len(), expected.len(), "{bind} {origins:?}: {found:?}");
            for (warning, part) in found.iter().zip(expected) {
                assert!(warning.contains(part), "{warning}");
            }
        }
        let mut header = Config::default();
        header.server.bind = "0.0.0.0:8000".into();
        assert!(warnings(&header.settings, &header.server).is_empty());
    }
}
