//! Tokens in cookies, and the pages that may send them.

use simplejwt::settings::SameSite;

use super::finding::Finding;
use super::transport::is_loopback;
use crate::config::Config;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.settings.transport.has_cookies() {
        findings.extend(of_cookies(config));
    }
    findings.extend(of_origins(config));
    findings
}

fn of_cookies(config: &Config) -> Vec<Finding> {
    let settings = &config.settings;
    let cookies = &settings.cookies;
    let mut findings = Vec::new();
    if !cookies.secure {
        findings.push(
            Finding::warning(
                "insecure_cookies",
                "browsers send the cookies over plain HTTP, too (secure is false)",
                "whoever is on the way reads the tokens, or sets cookies of their own",
            )
            .write("cookies.secure", true),
        );
    }
    if let Some(domain) = &cookies.domain {
        findings.push(
            Finding::warning(
                "cookie_domain",
                format!("every host below {domain} gets the cookies, and can set them"),
                "one host that is taken over has everybody's tokens; without a domain, the name \
                 begins with __Host- and the cookie is this host's alone",
            )
            .remove("cookies.domain"),
        );
    }
    for (code, path, name) in [
        ("access_cookie_prefix", "cookies.access_name", &cookies.access_name),
        ("refresh_cookie_prefix", "cookies.refresh_name", &cookies.refresh_name),
    ] {
        let has_prefix = |name: &String| {
            ["__host-", "__secure-"].iter().any(|prefix| name.to_lowercase().starts_with(prefix))
        };
        if let Some(name) = name.as_ref().filter(|name| !has_prefix(name)) {
            findings.push(
                Finding::warning(
                    code,
                    format!("the cookie {name} has no prefix"),
                    "with __Host- or __Secure- browsers let only HTTPS pages set it (RFC 6265bis \
                     section 4.1.3). Without a name, it has the prefix that fits",
                )
                .remove(path),
            );
        }
    }
    findings.push(match cookies.same_site {
        SameSite::None => Finding::note(
            "cookies_from_any_site",
            "requests from every site carry the cookies (same_site is \"none\")",
            "only the check of their Origin is left against forged requests. A page of this \
             server's own site doesn't need it",
        )
        .write("cookies.same_site", "lax"),
        _ => Finding::ok("same_site", "only requests from this server's site carry the cookies"),
    });
    findings
}

fn of_origins(config: &Config) -> Vec<Finding> {
    let origins = &config.settings.allowed_origins;
    if origins.is_empty() {
        return vec![Finding::ok("origins", "no page of another origin may read answers (CORS)")];
    }
    let is_open = |origin: &str| origin.contains('*');
    let host = |origin: &str| {
        let rest = origin.strip_prefix("http://")?;
        Some(match rest.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
            _ => rest.to_owned(),
        })
    };
    let is_plain = |origin: &str| host(origin).is_some_and(|host| !is_loopback(&host));
    let mut findings = Vec::new();
    let open: Vec<&str> = origins.iter().map(String::as_str).filter(|o| is_open(o)).collect();
    if !open.is_empty() {
        let others: Vec<&str> =
            origins.iter().map(String::as_str).filter(|o| !is_open(o)).collect();
        findings.push(
            Finding::warning(
                "wildcard_origin",
                format!("pages of every subdomain may act for users ({})", open.join(", ")),
                "one subdomain that is taken over, or holds what users upload, has their tokens: \
                 name each origin",
            )
            .write("server.allowed_origins", others)
            .act("add the origins that are needed, each by its name"),
        );
    }
    let plain: Vec<&str> = origins.iter().map(String::as_str).filter(|o| is_plain(o)).collect();
    if !plain.is_empty() {
        let mended = |origin: &String| match is_plain(origin) {
            true => origin.replacen("http://", "https://", 1),
            false => origin.clone(),
        };
        findings.push(
            Finding::warning(
                "plain_http_origin",
                format!("pages that come over plain HTTP may act for users ({})", plain.join(", ")),
                "whoever is on the way can put a script into them",
            )
            .write("server.allowed_origins", origins.iter().map(mended).collect::<Vec<_>>()),
        );
    }
    if findings.is_empty() {
        let names = origins.join(", ");
        findings.push(Finding::ok(
            "origins",
            format!("pages of these origins may act for users: {names}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use simplejwt::settings::Transport;

    use super::super::finding::{Remedy, Severity, told};
    use super::*;

    #[test]
    fn weak_and_strong_cookies() {
        let mut config = Config::default();
        config.settings.cookies.secure = false;
        config.settings.cookies.domain = Some("example.com".into());
        config.settings.cookies.access_name = Some("jwt".into());
        config.settings.cookies.refresh_name = Some("jwt-refresh".into());
        config.settings.cookies.same_site = SameSite::None;
        assert_eq!(told(&findings(&config)), [], "they aren't used");
        config.settings.transport = Transport::Both;
        let warning = |code| (code, Severity::Warning);
        assert_eq!(
            told(&findings(&config)),
            [
                warning("insecure_cookies"),
                warning("cookie_domain"),
                warning("access_cookie_prefix"),
                warning("refresh_cookie_prefix"),
                ("cookies_from_any_site", Severity::Note),
            ]
        );
        config.settings.cookies = Default::default();
        assert_eq!(told(&findings(&config)), []);
        config.settings.cookies.access_name = Some("__Host-jwt".into());
        assert_eq!(told(&findings(&config)), []);
    }

    #[test]
    fn weak_and_strong_origins() {
        let of = |origins: &[&str]| {
            let mut config = Config::default();
            config.settings.allowed_origins = origins.iter().map(|&origin| origin.into()).collect();
            findings(&config)
        };
        let strong = [
            "https://app.example.com",
            "http://localhost:3000",
            "http://127.0.0.1",
            "tauri://localhost",
        ];
        assert_eq!(told(&of(&strong)), []);
        assert_eq!(told(&of(&[])), []);
        let found = of(&["https://*.example.com", "http://app.lan:8080", "http://[::1]:80"]);
        let weak =
            [("wildcard_origin", Severity::Warning), ("plain_http_origin", Severity::Warning)];
        assert_eq!(told(&found), weak);
        let left = json!(["http://app.lan:8080", "http://[::1]:80"]);
        assert_eq!(found[0].remedies[0], Remedy::Write("server.allowed_origins".into(), left));
        let https = json!(["https://*.example.com", "https://app.lan:8080", "http://[::1]:80"]);
        assert_eq!(found[1].remedies[0], Remedy::Write("server.allowed_origins".into(), https));
    }
}
