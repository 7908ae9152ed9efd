//! Chooses the proxy for a URL by the rules that curl, Python and Go have in common.
//!
//! `http_proxy` is for http, `https_proxy` for https, and `all_proxy` for both if they are not set.
//! Names in capital letters are read if those in small letters are not set. `HTTP_PROXY` is ignored
//! if `REQUEST_METHOD` is set: a web server that runs programs by CGI sets it from a request's
//! header. `no_proxy` names hosts that are asked directly.

use std::net::IpAddr;

use http::Uri;

/// The proxies named in the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    direct: Vec<Direct>,
}

/// One proxy.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// The environment variable that names the proxy.
    pub(super) variable: &'static str,
    /// The proxy's URL, which may contain a password.
    pub(super) url: String,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("variable", &self.variable).finish_non_exhaustive()
    }
}

/// An entry of `no_proxy`: hosts that are asked directly.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    All,
    Network {
        address: IpAddr,
        prefix: u32,
        port: Option<u16>,
    },
    /// A name and all names below it, in small letters.
    Domain {
        name: String,
        port: Option<u16>,
    },
}

impl Proxies {
    /// Reads the environment of this process.
    pub(super) fn of_process() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&'static str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            let found = names.iter().find_map(|name| Some((*name, variable(name)?)));
            // An empty variable means that there is no proxy.
            found.map(|(variable, url)| Proxy { variable, url: with_scheme(url.trim()) })
        };
        let by_cgi = variable("REQUEST_METHOD").is_some();
        let http: &[_] = if by_cgi { &["http_proxy"] } else { &["http_proxy", "HTTP_PROXY"] };
        let all = first(&["all_proxy", "ALL_PROXY"]);
        let of = |names: &[&'static str]| {
            first(names).or_else(|| all.clone()).filter(|proxy| !proxy.url.is_empty())
        };
        let direct = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
        Self {
            http: of(http),
            https: of(&["https_proxy", "HTTPS_PROXY"]),
            direct: direct
                .split(|c: char| c == ',' || c.is_whitespace())
                .filter(|entry| !entry.is_empty())
                .map(Direct::parse)
                .collect(),
        }
    }

    /// Returns the proxy for this URL, or `None` if its host is asked directly.
    pub(super) fn for_url(&self, url: &Uri) -> Option<&Proxy> {
        let https = url.scheme_str() == Some("https");
        let proxy = if https { &self.https } else { &self.http }.as_ref()?;
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = url.host().unwrap_or_default();
        (!self.direct.iter().any(|direct| direct.covers(host, port))).then_some(proxy)
    }
}

/// Adds the scheme: `proxy:3128` is an http proxy.
fn with_scheme(url: &str) -> String {
    if url.is_empty() || url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

impl Direct {
    fn parse(entry: &str) -> Self {
        if entry == "*" {
            return Self::All;
        }
        if let Some((address, prefix)) = network(entry) {
            return Self::Network { address, prefix, port: None };
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => (entry, None),
            },
            None => (entry, None),
        };
        match network(host) {
            Some((address, prefix)) => Self::Network { address, prefix, port },
            None => {
                let name = host.strip_prefix('*').unwrap_or(host).trim_matches('.');
                Self::Domain { name: name.to_ascii_lowercase(), port }
            }
        }
    }

    fn covers(&self, host: &str, to: u16) -> bool {
        match self {
            Self::All => true,
            Self::Network { address, prefix, port } => {
                port.is_none_or(|port| port == to)
                    && network(host).is_some_and(|(host, _)| is_within(host, *address, *prefix))
            }
            Self::Domain { name, port } => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let below = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                port.is_none_or(|port| port == to) && !name.is_empty() && below
            }
        }
    }
}

/// Parses an address or a network, such as `192.0.2.1`, `192.0.2.0/24`, `2001:db8::1`,
/// `[2001:db8::1]` or `2001:db8::/32`, into the address and the length of the prefix.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
        None => (text, None),
    };
    let bare = address.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(address).parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(longest);
    (prefix <= longest).then(|| (address.to_canonical(), prefix))
}

fn is_within(host: IpAddr, address: IpAddr, prefix: u32) -> bool {
    match (host, address) {
        (IpAddr::V4(host), IpAddr::V4(address)) => {
            let differing = host.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= prefix
        }
        (IpAddr::V6(host), IpAddr::V6(address)) => {
            let differing = host.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= prefix
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variable that decides for this URL, or `-`.
    fn asked(environment: &[(&'static str, &str)], url: &str) -> &'static str {
        let proxies = Proxies::of(|name| {
            let found = environment.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        proxies.for_url(&url.parse().unwrap()).map_or("-", |proxy| proxy.variable)
    }

    #[test]
    fn each_scheme_has_its_own_variable() {
        let (http, https) = ("http://a.example/jwks", "https://a.example/jwks");
        let p = "http://proxy:3128";
        for (environment, expected) in [
            (&[][..], ["-", "-"]),
            (&[("HTTPS_PROXY", p)], ["-", "HTTPS_PROXY"]),
            (&[("https_proxy", p)], ["-", "https_proxy"]),
            (&[("HTTP_PROXY", p)], ["HTTP_PROXY", "-"]),
            (&[("http_proxy", p)], ["http_proxy", "-"]),
            (&[("HTTP_PROXY", p), ("REQUEST_METHOD", "GET")], ["-", "-"]),
            (&[("http_proxy", p), ("REQUEST_METHOD", "GET")], ["http_proxy", "-"]),
            (&[("HTTPS_PROXY", p), ("REQUEST_METHOD", "GET")], ["-", "HTTPS_PROXY"]),
            (&[("ALL_PROXY", p)], ["ALL_PROXY", "ALL_PROXY"]),
            (&[("ALL_PROXY", p), ("https_proxy", p)], ["ALL_PROXY", "https_proxy"]),
            (&[("ALL_PROXY", p), ("https_proxy", "")], ["ALL_PROXY", "-"]),
            (&[("HTTPS_PROXY", p), ("https_proxy", p)], ["-", "https_proxy"]),
            (&[("HTTPS_PROXY", p), ("https_proxy", " ")], ["-", "-"]),
            (&[("HTTPS_PROXY", p), ("NO_PROXY", "*")], ["-", "-"]),
            (&[("HTTPS_PROXY", p), ("NO_PROXY", "a.example")], ["-", "-"]),
            (
                &[("HTTPS_PROXY", p), ("NO_PROXY", "a.example"), ("no_proxy", "")],
                ["-", "HTTPS_PROXY"],
            ),
        ] {
            assert_eq!(
                [asked(environment, http), asked(environment, https)],
                expected,
                "{environment:?}"
            );
        }
        let proxies = Proxies::of(|name| (name == "http_proxy").then(|| " proxy:3128 ".into()));
        assert_eq!(proxies.http.unwrap().url, "http://proxy:3128");
    }

    #[test]
    fn hosts_that_are_asked_directly() {
        for (list, host, direct) in [
            ("localhost, 127.0.0.1", "127.0.0.1", true),
            (" localhost ,\t127.0.0.1", "localhost", true),
            ("localhost 127.0.0.1", "127.0.0.1", true),
            ("127.0.0.0/8", "127.9.9.9", true),
            ("10.0.0.0/9", "10.128.0.1", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("10.0.0.0/33", "10.0.0.1", false),
            ("127.0.0.1", "127.0.0.10", false),
            ("example.org", "example.org", true),
            ("example.org", "a.b.example.org", true),
            ("example.org", "badexample.org", false),
            ("EXAMPLE.org", "Example.ORG", true),
            (".example.org", "example.org", true),
            (".example.org", "a.example.org", true),
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "badexample.org", false),
            ("example.org.", "example.org", true),
            ("example.org:8443", "example.org:8443", true),
            ("example.org:8443", "example.org", false),
            ("example.org:443", "example.org", true),
            ("192.0.2.1:443", "192.0.2.1", true),
            ("192.0.2.1:80", "192.0.2.1", false),
            ("::1", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("[::1]:443", "[::1]", true),
            ("[::1]:80", "[::1]", false),
            ("2001:db8::/32", "[2001:db8:1::5]", true),
            ("2001:db8::/32", "[2001:db9::5]", false),
            ("127.0.0.0/8", "[::ffff:127.0.0.1]", true),
            ("*", "anything", true),
            ("", "example.org", false),
            (",,", "example.org", false),
            (".", "example.org", false),
        ] {
            let environment = [("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", list)];
            let expected = if direct { "-" } else { "HTTPS_PROXY" };
            assert_eq!(
                asked(&environment, &format!("https://{host}/")),
                expected,
                "{list:?} {host}"
            );
        }
    }
}
