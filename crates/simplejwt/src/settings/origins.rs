//! The origins of pages and apps that are served from elsewhere (RFC 6454): their syntax, and the
//! requests that match them.

use super::Settings;

/// The prefix of a domain that stands for all of its sub-domains.
const WILDCARD: &str = "*.";

impl Settings {
    /// `true` if a request with this `Origin` comes from one of
    /// [`allowed_origins`](Self::allowed_origins): the same text, or a sub-domain of one that is
    /// written with `*.`. CORS and CSRF protection both use this.
    ///
    /// ```
    /// use simplejwt::Settings;
    ///
    /// let settings = Settings {
    ///     allowed_origins: vec!["https://*.example.org".into(), "capacitor://localhost".into()],
    ///     ..Settings::default()
    /// };
    /// assert!(settings.allows_origin("https://app.example.org"));
    /// assert!(settings.allows_origin("https://a.b.example.org"));
    /// assert!(settings.allows_origin("capacitor://localhost"));
    /// assert!(!settings.allows_origin("https://example.org"), "the domain itself is another");
    /// assert!(!settings.allows_origin("http://app.example.org"), "and so is another scheme");
    /// ```
    pub fn allows_origin(&self, origin: &str) -> bool {
        is_allowed(&self.allowed_origins, origin)
    }

    /// Reports the entries of `allowed_origins` that aren't origins.
    pub(super) fn check_origins(&self, problem: &mut impl FnMut(bool, &str)) {
        for origin in &self.allowed_origins {
            let is_wrong = !is_origin(origin);
            problem(is_wrong, &format!("allowed_origins holds {origin:?}, {}", no_origin(origin)));
        }
    }
}

/// [`Settings::allows_origin`] for callers that keep only this setting.
pub(crate) fn is_allowed(allowed: &[String], origin: &str) -> bool {
    allowed.iter().any(|allowed| match wildcard(allowed) {
        // An entry that validation refuses matches nothing.
        Some((scheme, rest)) => is_origin(allowed) && is_below(origin, scheme, rest),
        None => allowed == origin && is_origin(allowed),
    })
}

/// Splits `https://*.example.org:8443` into `https` and `example.org:8443`.
fn wildcard(text: &str) -> Option<(&str, &str)> {
    let (scheme, host) = text.split_once("://")?;
    Some((scheme, host.strip_prefix(WILDCARD)?))
}

/// `true` if an origin is a sub-domain, one or more labels below.
fn is_below(origin: &str, scheme: &str, rest: &str) -> bool {
    let labels = origin
        .strip_prefix(scheme)
        .and_then(|host| host.strip_prefix("://"))
        .and_then(|host| host.strip_suffix(rest))
        .and_then(|labels| labels.strip_suffix('.'));
    labels.is_some_and(|labels| labels.split('.').all(is_label))
}

/// A label of a host name as browsers send it; some contain an underscore.
fn is_label(label: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&label.len()) && label.bytes().all(plain)
}

/// `true` if a text is an origin as browsers and web views write it (RFC 6454 section 6.2), or
/// stands for all sub-domains of a domain.
fn is_origin(text: &str) -> bool {
    match text.split_once("://") {
        Some((scheme @ ("http" | "https"), host)) => is_web_host(scheme, host),
        // The scheme of an app or extension: its host is compared literally.
        Some((scheme, host)) => is_app_scheme(scheme) && is_app_host(host),
        None => false,
    }
}

/// A scheme (RFC 3986 section 3.1) in lower case, as it is sent, whose pages have an origin.
fn is_app_scheme(scheme: &str) -> bool {
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    // Pages of a file, and of anything else without a host, send `null` or no origin at all.
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(rest)
        && !["file", "data", "blob", "about", "javascript", "ws", "wss"].contains(&scheme)
}

fn is_app_host(host: &str) -> bool {
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if is_port(port) { name } else { host });
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0 && port.to_string() == text)
}

/// The host and port of an `http` or `https` origin, without the scheme's default port.
fn is_web_host(scheme: &str, host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        // A colon within an IPv6 address doesn't start a port.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let own = if scheme == "http" { "80" } else { "443" };
    if !port.is_none_or(|port| is_port(port) && port != own) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        // In the shortest form, as browsers write it.
        return address
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|parsed| written(parsed) == address);
    }
    let is_wildcard = name.starts_with(WILDCARD);
    let domain = name.strip_prefix(WILDCARD).unwrap_or(name);
    let last = domain.rsplit('.').next().unwrap_or_default();
    let is_numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    match (is_wildcard, is_numeric) {
        // An address has no sub-domains, and nobody owns all of `.org`.
        (true, numeric) if numeric || (!domain.contains('.') && domain != "localhost") => false,
        (false, true) => {
            domain.parse::<std::net::Ipv4Addr>().is_ok_and(|parsed| parsed.to_string() == domain)
        }
        _ => domain.split('.').all(is_label),
    }
}

/// Formats an IPv6 address as the URL standard requires: never with an IPv4 address at the end.
fn written(address: std::net::Ipv6Addr) -> String {
    let text = address.to_string();
    if !text.contains('.') {
        return text;
    }
    let segments = address.segments();
    let last = format!("{:x}:{:x}", segments[6], segments[7]);
    match text.rsplit_once(':') {
        Some((before, _)) => format!("{before}:{last}"),
        None => text,
    }
}

/// The end of a sentence: why a text isn't an origin, and what to write.
fn no_origin(text: &str) -> String {
    let plain = text.trim().to_lowercase();
    if plain == "null" {
        return "the origin of every local file and sandboxed page: serve the page from a server, and write its origin"
            .into();
    }
    let Some((scheme, rest)) = plain.split_once("://") else {
        if plain == "*" {
            return "which would allow every page there is; browsers refuse that with credentials: \
                    write each origin, as in \"https://app.example.com\""
                .into();
        }
        let suggested = format!("https://{}", plain.trim_start_matches('/').trim_end_matches('/'));
        return match is_origin(&suggested) {
            true => format!("which has no scheme: write \"{suggested}\""),
            false => "which has no scheme: write one, as in \"https://app.example.com\"".into(),
        };
    };
    if scheme == "file" {
        return "whose pages all send \"null\" or \"file://\", whoever wrote them: serve the page from \
                a server, or give the app a scheme of its own"
            .into();
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !host.is_ascii() {
        return "which browsers send in ASCII (Punycode): write the host's xn-- form, as the \
                browser's console shows location.origin"
            .into();
    }
    if host.contains('*') {
        return "where * has no meaning: write \"https://*.example.com\" for all sub-domains of a \
                domain, with one *. right before a domain of at least two names, and the port \
                if there is one; write other origins one by one"
            .into();
    }
    let own = if scheme == "http" { ":80" } else { ":443" };
    let host = host.strip_suffix(own).or(host.strip_suffix(':')).unwrap_or(host);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let meant = format!("{scheme}://{}", shortest(host));
    if is_origin(&meant) {
        return format!("which no browser sends as Origin: write \"{meant}\"");
    }
    "which no browser sends as Origin: write scheme and host in lower case, and the port unless it \
     is the scheme's own, as in \"https://app.example.com\""
        .into()
}

/// Shortens an IPv6 address in brackets as browsers do; returns any other host unchanged.
fn shortest(host: &str) -> String {
    let parts = host.strip_prefix('[').and_then(|host| host.split_once(']'));
    let address = parts.and_then(|(address, port)| Some((address.parse().ok()?, port)));
    match address {
        Some((address, port)) => format!("[{}]{port}", written(address)),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(origin: &str) -> Settings {
        Settings { allowed_origins: vec![origin.into()], ..Settings::default() }
    }

    #[test]
    fn origins_are_written_as_browsers_and_apps_send_them() {
        for origin in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "http://localhost",
            "http://localhost:3000",
            "http://tauri.localhost",
            "http://127.0.0.1:5173",
            "http://[::1]:8080",
            "http://[2001:db8::1]",
            "https://my_app.example.com",
            "https://xn--bcher-kva.example",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://obsidian.md",
            "app://-",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
            "safari-web-extension://E1B6D8B3-5E26-4DEB-9D5C-0D6E6F0C8A11",
            "vscode-webview://1f3c9k",
            "http+app.x-1://host:8080",
        ] {
            assert!(with(origin).validate().is_ok(), "{origin}");
            assert!(with(origin).allows_origin(origin), "{origin}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_what_to_write() {
        for (origin, told) in [
            ("*", "each origin, as in"),
            ("null", "sandboxed page"),
            ("NULL", "sandboxed page"),
            ("", "has no scheme"),
            ("app.example.com", "write \"https://app.example.com\""),
            ("//app.example.com/", "write \"https://app.example.com\""),
            ("localhost:3000", "write \"https://localhost:3000\""),
            ("*.example.com", "write \"https://*.example.com\""),
            ("https://app.example.com/", "write \"https://app.example.com\""),
            ("https://app.example.com/login?x", "write \"https://app.example.com\""),
            ("https://app.example.com?x", "write \"https://app.example.com\""),
            ("https://app.example.com:443", "write \"https://app.example.com\""),
            ("https://app.example.com:", "write \"https://app.example.com\""),
            ("http://app.lan:80", "write \"http://app.lan\""),
            ("HTTPS://App.Example.com:443", "write \"https://app.example.com\""),
            (" https://app.example.com", "write \"https://app.example.com\""),
            ("https://a@app.example.com", "write \"https://app.example.com\""),
            ("http://[0:0:0:0:0:0:0:1]:3000", "write \"http://[::1]:3000\""),
            ("http://[::ffff:10.0.0.1]", "write \"http://[::ffff:a00:1]\""),
            ("Capacitor://localhost", "write \"capacitor://localhost\""),
            ("capacitor://localhost/", "write \"capacitor://localhost\""),
            ("https://bücher.example", "xn--"),
            ("file://", "\"null\""),
            ("file:///index.html", "\"null\""),
            ("wss://app.example.com", "in lower case"),
            ("http://", "in lower case"),
            ("://app.example.com", "in lower case"),
            ("https://app..example.com", "in lower case"),
            ("https://app.example.com:99999", "in lower case"),
            ("https://app.example.com:080", "in lower case"),
            ("http://1.2.3", "in lower case"),
            ("https://*", "at least two names"),
            ("https://*.com", "at least two names"),
            ("https://app-*.example.com", "at least two names"),
            ("https://*.*.example.com", "at least two names"),
            ("https://*example.com", "at least two names"),
            ("https://a.*.example.com", "at least two names"),
            ("https://*.0.0.1", "at least two names"),
            ("https://app.example.com:*", "at least two names"),
            ("chrome-extension://*", "at least two names"),
            ("*://app.example.com", "in lower case"),
        ] {
            let error = with(origin).validate().expect_err(origin);
            let [problem] = error.problems() else { panic!("{origin}: {error}") };
            assert!(problem.contains(told) && problem.contains(origin), "{origin}: {problem}");
            assert!(!with(origin).allows_origin(origin), "{origin}");
            // The suggested origin is accepted.
            if let Some((_, meant)) = problem.split_once(": write \"") {
                let meant = meant.split('"').next().unwrap();
                assert!(with(meant).validate().is_ok(), "{origin}: {meant}");
            }
        }
    }

    #[test]
    fn all_sub_domains_are_those_of_the_scheme_and_the_port_alone() {
        for (allowed, yes, no) in [
            (
                "https://*.example.org",
                &[
                    "https://a.example.org",
                    "https://a.b.c.example.org",
                    "https://a_b-1.example.org",
                ][..],
                &[
                    "https://example.org",
                    "https://.example.org",
                    "https://a..example.org",
                    "http://a.example.org",
                    "https://a.example.org:8443",
                    "https://a.example.org.evil.example",
                    "https://evilexample.org",
                    "https://evil.example/.example.org",
                    "https://evil.example#.example.org",
                    "https://user@a.example.org",
                    "https://A.example.org",
                    "https://*.example.org",
                    "https://a b.example.org",
                    "https://a.example.org/",
                    "null",
                    "",
                ][..],
            ),
            (
                "https://*.example.org:8443",
                &["https://a.example.org:8443"],
                &["https://a.example.org", "https://a.example.org:18443"],
            ),
            ("http://*.localhost:3000", &["http://a.localhost:3000"], &["http://localhost:3000"]),
        ] {
            assert!(with(allowed).validate().is_ok(), "{allowed}");
            for origin in yes {
                assert!(with(allowed).allows_origin(origin), "{allowed} {origin}");
            }
            for origin in no {
                assert!(!with(allowed).allows_origin(origin), "{allowed} {origin}");
            }
        }
    }
}
