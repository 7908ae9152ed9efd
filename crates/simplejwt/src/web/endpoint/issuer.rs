//! The issuer's identifier as a URL, and the place of its metadata (RFC 8414 sections 2 and 3).

use std::net::{Ipv4Addr, Ipv6Addr};

use http::uri::Authority;

/// The path of the metadata below the host's root, before the issuer's own path.
pub(super) const WELL_KNOWN: &str = ".well-known/oauth-authorization-server";

/// An issuer that can have metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Issuer<'s> {
    /// The scheme and host, such as `https://login.example.com`.
    pub(super) origin: &'s str,
    /// The path, empty or with a slash at its beginning only.
    path: &'s str,
}

impl<'s> Issuer<'s> {
    /// Reads the setting. `None` unless it is an `https` URL (`http` for this machine's loopback
    /// addresses) without user, query and fragment, whose path consists of letters, digits and
    /// `-._~/`, and has no empty or dot segment.
    pub(super) fn parse(text: &'s str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let is_host = match scheme.to_ascii_lowercase().as_str() {
            "https" => is_host(authority, |_| true),
            "http" => is_host(authority, is_loopback),
            _ => false,
        };
        // RFC 8414 section 3.1 removes a slash at the end.
        let path = path.strip_suffix('/').unwrap_or(path);
        if !is_host || !path.split('/').skip(1).all(is_segment) {
            return None;
        }
        let origin = text.get(..text.len().checked_sub(rest.len())? + end)?;
        Some(Self { origin, path })
    }

    /// Returns the path of the metadata.
    pub(super) fn metadata_path(&self) -> String {
        format!("/{WELL_KNOWN}{}", self.path)
    }
}

fn is_host(text: &str, is_allowed: impl FnOnce(&str) -> bool) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let has_port = authority.port_u16().is_some();
    let host = authority.host();
    // What is neither the host nor a port is a user, or no port.
    let is_plain = host == text || has_port && !text.contains('@');
    is_plain && !host.is_empty() && is_allowed(host)
}

fn is_loopback(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || v6.is_some_and(|v6| v6.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()))
}

fn is_segment(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn metadata_are_between_the_host_and_its_path() {
        for (issuer, origin, path) in [
            ("https://a.example", "https://a.example", ""),
            ("https://a.example/", "https://a.example", ""),
            ("https://a.example/tenant1", "https://a.example", "/tenant1"),
            ("https://a.example:8443/a/b-c_~1/", "https://a.example:8443", "/a/b-c_~1"),
            ("HTTPS://A.example", "HTTPS://A.example", ""),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", ""),
            ("http://localhost:8000", "http://localhost:8000", ""),
            ("http://127.0.0.2/x", "http://127.0.0.2", "/x"),
            ("http://[::1]:80", "http://[::1]:80", ""),
        ] {
            let parsed = Issuer::parse(issuer);
            assert_eq!(parsed.map(|issuer| issuer.origin), Some(origin), "{issuer}");
            let expected = format!("/.well-known/oauth-authorization-server{path}");
            assert_eq!(parsed.map(|issuer| issuer.metadata_path()), Some(expected), "{issuer}");
        }
    }

    #[test]
    fn other_issuers_have_none() {
        for issuer in [
            "",
            "a.example",
            "https:a.example",
            "https://",
            "https:///a",
            "https://a.example?x",
            "https://a.example/?",
            "https://a.example/#x",
            "https://a.example#",
            "https://user@a.example",
            "https://user:password@a.example:1",
            "https://a.example:port",
            "https://a.example:",
            "https://a.example:99999",
            "https://a example",
            "https://a.example//b",
            "https://a.example/b//",
            "https://a.example/../b",
            "https://a.example/{b}",
            "https://a.example/*b",
            "https://a.example/%62",
            "https://a.example/é",
            "http://a.example",
            "http://127.evil.example",
            "http://localhost.evil.example",
            "http://128.0.0.1",
            "urn:example:issuer",
            "ftp://localhost",
        ] {
            assert_eq!(Issuer::parse(issuer), None, "{issuer}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(https?://)?[a-z/:?#@%é.\\[\\]0-9]{0,20}") {
            if let Some(issuer) = Issuer::parse(&text) {
                prop_assert!(text.starts_with(issuer.origin));
                prop_assert!(text.len() - issuer.origin.len() - issuer.path.len() <= 1);
            }
        }
    }
}
