//! A realm: an issuer with its own keys, users and tables, and the requests that are for it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
use simplejwt::settings::value::text;

/// Which of the realms of a process a configuration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Realm {
    /// The only one: there is no `[realms]`.
    #[default]
    Only,
    /// The one of the settings at the top, beside others.
    Top,
    /// None: settings at the top without a key are only what the others have in common.
    Common,
    /// One of `[realms]`.
    Named { name: Arc<str>, place: Place },
}

/// The requests that are for a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Those whose path begins with this one: `/acme`, without a slash at its end.
    Prefix(String),
    /// Those to this host: in lower case, without a port.
    Host(String),
}

impl Realm {
    /// Returns the name, which the log and messages have.
    pub(crate) fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Named { name, .. } => Some(name),
            Self::Only | Self::Top | Self::Common => None,
        }
    }

    /// Returns the path before all paths of the realm, or the empty text.
    pub(crate) fn root_path(&self) -> &str {
        match self {
            Self::Named { place: Place::Prefix(prefix), .. } => prefix,
            _ => "",
        }
    }

    /// Returns the name that its tables are marked with; `None` if there are no other realms. That of
    /// the top is no name that a realm can have.
    pub(crate) fn mark(&self) -> Option<&str> {
        match self {
            Self::Only | Self::Common => None,
            Self::Top => Some("(top)"),
            Self::Named { name, .. } => Some(name),
        }
    }

    /// Returns a sentence's beginning for messages about this realm, which is empty for others.
    pub(crate) fn label(&self) -> String {
        self.name().map_or_else(String::new, |name| format!("realm {name}: "))
    }

    /// Returns a table of the file as it is written for this realm.
    pub(crate) fn table(&self, table: &str) -> String {
        match self.name() {
            Some(name) => format!("[realms.{name}.{table}]"),
            None => format!("[{table}]"),
        }
    }
}

/// Returns the realm as messages name it.
impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only | Self::Top | Self::Common => f.write_str("the realm at the top"),
            Self::Named { name, .. } => write!(f, "realm {name}"),
        }
    }
}

impl Place {
    /// Returns the setting that names it.
    pub(crate) fn setting(&self) -> &'static str {
        match self {
            Self::Prefix(_) => "prefix",
            Self::Host(_) => "host",
        }
    }

    /// Returns the value of that setting.
    pub(crate) fn value(&self) -> &str {
        match self {
            Self::Prefix(value) | Self::Host(value) => value,
        }
    }
}

/// The names that a realm can have, as a regular expression.
pub(super) const NAMES: &str = "^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$";

/// Returns `true` for lower-case letters, digits and, between them, `-` and `_`.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()];
    name.len() <= 63
        && ends.into_iter().all(|end| end.is_some_and(is_plain))
        && name.bytes().all(|byte| is_plain(byte) || b"-_".contains(&byte))
}

/// Paths that are the process's own, or belong to whole hosts (RFC 8615).
const RESERVED: [&str; 3] = ["healthz", "readyz", ".well-known"];

/// Reads the setting `prefix`. The error is the end of a sentence.
pub(super) fn prefix(value: &Value) -> Result<Place, String> {
    const HOW: &str = "write a path such as \"/acme\"";
    let given = text(value)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let Some(path) = given.strip_prefix('/') else {
        return Err(format!("doesn't begin with a slash: {HOW}"));
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Err(format!("is the path of everything: {HOW}"));
    }
    for segment in path.split('/') {
        if matches!(segment, "" | "." | "..") || !segment.bytes().all(plain) {
            return Err(format!("is not a path of letters, digits and -._~: {HOW}"));
        }
    }
    let first = path.split('/').next().unwrap_or_default();
    if RESERVED.iter().any(|reserved| first.eq_ignore_ascii_case(reserved)) {
        return Err(format!("begins with /{first}, a path of the server's own: {HOW}"));
    }
    Ok(Place::Prefix(format!("/{path}")))
}

/// Reads the setting `host`. The error is the end of a sentence.
pub(super) fn host(value: &Value) -> Result<Place, String> {
    const HOW: &str = "write a name such as \"auth.acme.example\"";
    let given = text(value)?;
    if given.contains("://") || given.contains('/') {
        return Err(format!("is a URL: {HOW}"));
    }
    if given.contains('*') {
        return Err(format!("has a wildcard, but a realm is for one host: {HOW}"));
    }
    if !given.is_ascii() {
        return Err("is not ASCII: write it as browsers send it, with xn--".into());
    }
    let host = host_of(&given);
    if has_port(&given) {
        return Err(format!("has a port, but a realm is for all ports: {HOW}"));
    }
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(address) => address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()),
        None => host.len() <= 253 && host.split('.').all(is_label),
    };
    match is_host {
        true => Ok(Place::Host(host)),
        false => Err(format!("is not the name of a host: {HOW}")),
    }
}

fn has_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'))
}

/// Returns the host of a `Host` header as realms are compared by: without the port and the dot at
/// the end, in lower case.
pub(crate) fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        for (given, expected) in [
            ("/acme", Some("/acme")),
            ("/acme/", Some("/acme")),
            ("/a/b-c_~1.x", Some("/a/b-c_~1.x")),
            ("/ACME", Some("/ACME")),
            ("", None),
            ("/", None),
            ("//", None),
            ("acme", None),
            ("/acme//", None),
            ("//acme", None),
            ("/a/../b", None),
            ("/.", None),
            ("/a b", None),
            ("/a%62", None),
            ("/{x}", None),
            ("/é", None),
            ("/a?b", None),
            ("/healthz", None),
            ("/readyz/x", None),
            ("/.well-known/acme", None),
            ("/.WELL-KNOWN", None),
            ("https://a.example/acme", None),
        ] {
            let expected = expected.map(|path| Place::Prefix(path.to_owned()));
            assert_eq!(prefix(&given.into()).ok(), expected, "{given}");
        }
        assert!(prefix(&Value::Null).is_err() && prefix(&7.into()).is_err());
    }

    #[test]
    fn hosts() {
        for (given, expected) in [
            ("auth.acme.example", Some("auth.acme.example")),
            ("AUTH.acme.example.", Some("auth.acme.example")),
            ("localhost", Some("localhost")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:DB8::1]", Some("[2001:db8::1]")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("auth.acme.example:8443", None),
            ("[::1]:80", None),
            ("2001:db8::1", None),
            ("[localhost]", None),
            ("https://auth.acme.example", None),
            ("auth.acme.example/x", None),
            ("*.acme.example", None),
            ("bücher.example", None),
            ("a_b.example", None),
            ("-a.example", None),
            ("a b", None),
            ("u@a.example", None),
        ] {
            let expected = expected.map(|host| Place::Host(host.to_owned()));
            assert_eq!(host(&given.into()).ok(), expected, "{given}");
        }
        for (sent, expected) in [
            ("Auth.Acme.Example:8443", "auth.acme.example"),
            ("auth.acme.example.:80", "auth.acme.example"),
            ("auth.acme.example:", "auth.acme.example"),
            ("[2001:DB8::1]:8443", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("", ""),
        ] {
            assert_eq!(host_of(sent), expected, "{sent}");
        }
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("acme", true),
            ("a", true),
            ("0-a_b", true),
            ("", false),
            ("Acme", false),
            ("-a", false),
            ("a_", false),
            ("a.b", false),
            ("a b", false),
            ("é", false),
            ("(top)", false),
        ] {
            assert_eq!(is_name(name), expected, "{name}");
        }
        assert!(is_name(&"a".repeat(63)) && !is_name(&"a".repeat(64)));
    }
}
