//! `JWK_URL`: where verifying keys are fetched, and how.

use std::fmt;
use std::path::PathBuf;

use http::Uri;
use simplejwt::Settings;
use simplejwt::settings::value::{duration, list, optional_text};

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{Idle, Section, other, redacting, switch, upstream};

const TABLE: &str = "simple_jwt";
/// The word for a time without a limit.
const UNLIMITED: &str = "unlimited";

/// How keys are fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JwkUrl {
    pub(crate) allow_http: bool,
    pub(crate) ca: Option<PathBuf>,
}

/// The settings that the library has, too.
pub(super) static KEYS: Section<Settings> = Section {
    table: TABLE,
    about: "",
    items: &[
        upstream(redacting(
            printable,
            other(
                "jwk_url",
                "SIMPLEJWT_JWK_URL",
                Example("\"https://example.com/.well-known/jwks.json\""),
                "The URL of a JWK set with the verifying keys, or of an issuer's metadata \
             (https://…/.well-known/openid-configuration) that names it, or a file \
             (file:///…/jwks.json); or a list of them, whose keys all count. Not for HS*.",
                Form::Texts,
                |s, v| urls(v).map(|urls| s.jwk_url = urls),
            ),
        )),
        other(
            "jwk_url_max_stale",
            "SIMPLEJWT_JWK_URL_MAX_STALE",
            Def("\"1d\""),
            "The time for which keys are used after the last fetch that succeeded; at least a \
             minute, or \"unlimited\". After it, tokens can't be checked: 503.",
            Form::OneOf(&[Form::DURATION, Form::Constants(&[UNLIMITED])]),
            |s, v| {
                let is_unlimited = v.is_null() || v.as_str() == Some(UNLIMITED);
                s.jwk_url_max_stale = if is_unlimited { None } else { Some(duration(v)?) };
                Ok(())
            },
        ),
        switch(
            "jwk_url_without_kid",
            "SIMPLEJWT_JWK_URL_WITHOUT_KID",
            Def("false"),
            "Tokens without \"kid\" are also tried with keys that have one, as upstream never does. \
             With keys that have none, they always are.",
            |s| &mut s.jwk_url_without_kid,
        ),
    ],
    idle: &[Idle {
        names: &["jwk_url_max_stale", "jwk_url_without_kid"],
        when: |s| s.jwk_url.is_empty(),
        why: "no keys are fetched without JWK_URL",
    }],
};

pub(super) static SECTION: Section<JwkUrl> = Section {
    table: TABLE,
    about: "",
    items: &[
        switch(
            "jwk_url_allow_http",
            "SIMPLEJWT_JWK_URL_ALLOW_HTTP",
            Def("false"),
            "Allows http in JWK_URL, where anybody on the way can replace the keys. It is always \
             allowed for this machine (localhost, 127.0.0.1, [::1]).",
            |s| &mut s.allow_http,
        ),
        other(
            "jwk_url_ca",
            "SIMPLEJWT_JWK_URL_CA",
            Example("\"authority.pem\""),
            "The certificates of the authorities for JWK_URL, in PEM, in place of the system's, as \
             with curl's --cacert; a path relative to this file's directory. It is read at each \
             fetch.",
            Form::Path,
            |s, v| optional_text(v).map(|path| s.ca = path.map(PathBuf::from)),
        ),
    ],
    idle: &[],
};

/// Reads one URL, or a list of them.
fn urls(value: &serde_json::Value) -> Result<Vec<String>, String> {
    let is_list = value.is_array() || value.as_str().is_some_and(|text| text.starts_with('['));
    if is_list { list(value) } else { Ok(optional_text(value)?.into_iter().collect()) }
}

/// Returns URLs, which may be a list in JSON, without user names, passwords and queries.
fn printable(text: &str) -> String {
    if let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
        let shown: Vec<String> = list.iter().map(|url| printable(url)).collect();
        return serde_json::Value::from(shown).to_string();
    }
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // A password may contain a slash or a question mark.
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
    let (place, query) = rest.split_once('?').map_or((rest, ""), |(place, _)| (place, "?…"));
    format!("{scheme}://{user}{place}{query}")
}

/// A place from which a JWK set is fetched.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// The absolute path of a file.
    File(PathBuf),
    /// The set's URL.
    Set(Uri),
    /// The URL of an issuer's metadata, which names that of the set.
    Metadata {
        url: Uri,
        /// The issuer that the metadata has to name (RFC 8414 section 3.3), without a slash at its
        /// end.
        issuer: String,
    },
}

/// Leaves out user names and passwords.
impl fmt::Debug for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPlace").finish_non_exhaustive()
    }
}

impl KeyPlace {
    /// Reads a URL. The error is the end of a sentence that begins with the setting's name, and
    /// doesn't contain the URL, in which there may be a password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let url = url.trim();
        if let Some(rest) = url.get(.."file:".len()).filter(|s| s.eq_ignore_ascii_case("file:")) {
            return file(url.get(rest.len()..).unwrap_or_default()).map(Self::File);
        }
        let not_a_url = "contains something that is not a URL: write https://…/jwks.json, \
                         https://…/.well-known/openid-configuration or file:///…/jwks.json";
        let url: Uri = url.parse().map_err(|_| not_a_url.to_owned())?;
        if !is_web(&url) {
            return Err(not_a_url.to_owned());
        }
        Ok(match issuer(&url) {
            Some(issuer) => Self::Metadata { url, issuer },
            None => Self::Set(url),
        })
    }

    /// Returns the URL, if it isn't a file.
    pub(crate) fn url(&self) -> Option<&Uri> {
        match self {
            Self::File(_) => None,
            Self::Set(url) | Self::Metadata { url, .. } => Some(url),
        }
    }
}

/// `true` for a URL of the web with a host.
pub(crate) fn is_web(url: &Uri) -> bool {
    let has_host = url.host().is_some_and(|host| !host.is_empty());
    matches!(url.scheme_str(), Some("http" | "https")) && has_host
}

/// `true` if the host of a URL is this machine.
pub(crate) fn is_this_machine(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = |address: std::net::IpAddr| address.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// Returns the path in a `file` URL (RFC 8089) after its scheme.
fn file(rest: &str) -> Result<PathBuf, String> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None => rest,
    };
    let fault = "contains a file URL without an absolute path: write file:///…/jwks.json";
    if !path.starts_with('/') || path.len() < 2 {
        return Err(fault.to_owned());
    }
    let decoded = percent_decoded(path).filter(|path| !path.contains('\0'));
    decoded.map(PathBuf::from).ok_or_else(|| fault.to_owned())
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Returns the issuer to which a URL of metadata belongs: before the well-known part, as in OpenID
/// Connect Discovery 1.0 section 4, or before and after it, as in RFC 8414 section 3.1.
fn issuer(url: &Uri) -> Option<String> {
    const WELL_KNOWN: [&str; 2] =
        ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
    let path = url.path();
    let tail = WELL_KNOWN.into_iter().find_map(|part| {
        let inserted = path.strip_prefix(part).filter(|rest| rest.starts_with('/'));
        path.strip_suffix(part).or(inserted)
    })?;
    let host = url.host()?.to_ascii_lowercase();
    let scheme = url.scheme_str()?;
    let port = match (url.port_u16(), scheme) {
        (None, _) | (Some(443), "https") | (Some(80), "http") => String::new(),
        (Some(port), _) => format!(":{port}"),
    };
    Some(format!("{scheme}://{host}{port}{}", tail.trim_end_matches('/')))
}

/// Returns what is wrong with the URLs, by themselves and beside the other settings.
pub(super) fn problems(settings: &Settings, options: &JwkUrl) -> Vec<String> {
    const HTTP: &str = "is http, where anybody on the way can replace the keys and sign tokens of \
                        their own: write https://…, or jwk_url_allow_http = true \
                        (SIMPLEJWT_JWK_URL_ALLOW_HTTP=true) if the network is trusted";
    let is_exposed = |url: &Uri| {
        url.scheme_str() == Some("http") && !is_this_machine(url) && !options.allow_http
    };
    let problem = |url: &String| match KeyPlace::parse(url) {
        Err(problem) => Some(problem),
        Ok(place) => place.url().is_some_and(is_exposed).then(|| HTTP.to_owned()),
    };
    let problem = settings.jwk_url.iter().find_map(problem);
    problem.map(|problem| format!("JWK_URL {problem}")).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_metadata_belong_to_an_issuer() {
        for (url, expected) in [
            ("https://a.example/.well-known/openid-configuration", Some("https://a.example")),
            ("https://A.example:443/.well-known/openid-configuration", Some("https://a.example")),
            ("https://a.example:8443/.well-known/oauth-authorization-server", {
                Some("https://a.example:8443")
            }),
            ("https://a.example/t/1/.well-known/openid-configuration", {
                Some("https://a.example/t/1")
            }),
            ("https://a.example/.well-known/oauth-authorization-server/t/1", {
                Some("https://a.example/t/1")
            }),
            ("https://u:p@a.example/.well-known/openid-configuration?x=1", {
                Some("https://a.example")
            }),
            ("https://a.example/.well-known/openid-configuration2", None),
            ("https://a.example/.well-known/jwks.json", None),
            ("https://a.example/t/.well-known/openid-configuration/jwks", None),
        ] {
            let found = match KeyPlace::parse(url).unwrap() {
                KeyPlace::Metadata { issuer, .. } => Some(issuer),
                _ => None,
            };
            assert_eq!(found.as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn files_have_absolute_paths() {
        for (url, expected) in [
            ("file:///etc/a/jwks.json", Some("/etc/a/jwks.json")),
            ("file:/etc/jwks.json", Some("/etc/jwks.json")),
            ("FILE://localhost/etc/with%20blank", Some("/etc/with blank")),
            ("file:jwks.json", None),
            ("file://jwks.json", None),
            ("file://host/etc/jwks.json", None),
            ("file:///", None),
            ("file:///a%2", None),
            ("file:///a%00b", None),
            ("file:///a%ff", None),
            ("file:", None),
        ] {
            let found = KeyPlace::parse(url).ok();
            assert_eq!(found, expected.map(|path| KeyPlace::File(path.into())), "{url}");
        }
        for bad in ["", "/etc/jwks.json", "jwks.json", "ftp://a.example/", "https://", "https:///k"]
        {
            assert!(KeyPlace::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (url, expected) in [
            ("http://localhost/", true),
            ("http://LOCALHOST:1/", true),
            ("http://127.8.9.1/", true),
            ("http://[::1]:1/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example/", false),
            ("http://127.0.0.1.example/", false),
            ("http://[::2]/", false),
        ] {
            assert_eq!(is_this_machine(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
