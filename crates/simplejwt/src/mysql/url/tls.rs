//! The `ssl-mode` of a MySQL or MariaDB URL.

use super::UrlError;
use crate::sql::url::Query;

/// MySQL's `--ssl-mode`: how far a connection is secured, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(in crate::mysql) enum SslMode {
    /// Never TLS.
    Disabled,
    /// TLS if the server has it; any certificate.
    Preferred,
    /// TLS; any certificate.
    Required,
    /// TLS with a certificate issued by a known authority.
    VerifyCa,
    /// The same, issued for the host's name.
    VerifyIdentity,
}

impl SslMode {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().replace('-', "_").as_str() {
            "disabled" | "disable" => Self::Disabled,
            "preferred" | "prefer" | "allow" => Self::Preferred,
            "required" | "require" => Self::Required,
            "verify_ca" => Self::VerifyCa,
            "verify_identity" | "verify_full" => Self::VerifyIdentity,
            _ => return None,
        })
    }
}

/// Returns the mode that a URL names: by MySQL's `ssl-mode`, or by other programs' equivalents;
/// `None` if it names none.
pub(super) fn secured(query: &Query) -> Result<Option<SslMode>, UrlError> {
    let switch = |name: &str| query.switch(&[name]).map_err(UrlError::Parameter);
    let mode = query.get(&["ssl-mode", "sslmode"]);
    let mut mode = mode
        .map(|text| SslMode::parse(text).ok_or_else(|| UrlError::SslMode(text.to_owned())))
        .transpose()?;
    if mode.is_none()
        && let Some(text) = query.get(&["ssl"])
    {
        // PlanetScale's and mysql2's: {"rejectUnauthorized":true}
        let object = text.trim_start().starts_with('{');
        mode = Some(match object {
            true if text.contains("true") => SslMode::VerifyIdentity,
            true => SslMode::Required,
            false if switch("ssl")? == Some(true) => SslMode::Required,
            false => SslMode::Disabled,
        });
    }
    if mode.is_none()
        && let Some(text) = query.get(&["tls"])
    {
        mode = Some(match text.to_ascii_lowercase().as_str() {
            "skip-verify" => SslMode::Required,
            "preferred" => SslMode::Preferred,
            _ if switch("tls")? == Some(true) => SslMode::VerifyIdentity,
            _ => SslMode::Disabled,
        });
    }
    if mode.is_none() && switch("ssl_disabled")? == Some(true) {
        mode = Some(SslMode::Disabled);
    }
    let mut at_least = |wanted: SslMode, asked: bool| {
        if asked && mode.is_none_or(|mode| mode < wanted) {
            mode = Some(wanted);
        }
    };
    at_least(SslMode::Required, switch("ssl_require")? == Some(true));
    at_least(SslMode::VerifyCa, switch("ssl_verify_cert")? == Some(true));
    at_least(SslMode::VerifyIdentity, switch("ssl_verify_identity")? == Some(true));
    let is_strict = query.is_strict().map_err(UrlError::Parameter)?;
    at_least(SslMode::VerifyIdentity, is_strict);
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    #[test]
    fn tls_in_the_words_of_others() {
        use SslMode::{Disabled, Preferred, Required, VerifyCa, VerifyIdentity};
        for (query, expected) in [
            ("", Preferred),
            ("ssl_mode=verify-ca", VerifyCa),
            ("sslmode=require", Required),
            ("sslmode=verify-full", VerifyIdentity),
            ("sslmode=disable", Disabled),
            ("ssl=true", Required),
            ("ssl=0", Disabled),
            ("ssl=%7B%22rejectUnauthorized%22:true%7D", VerifyIdentity),
            ("ssl={\"rejectUnauthorized\":false}", Required),
            ("tls=true", VerifyIdentity),
            ("tls=skip-verify", Required),
            ("tls=preferred", Preferred),
            ("tls=false", Disabled),
            ("ssl_disabled=True", Disabled),
            ("ssl_disabled=False", Preferred),
            ("ssl_require=true", Required),
            ("ssl_require=true&ssl-mode=verify_ca", VerifyCa),
            ("ssl_verify_cert=true", VerifyCa),
            ("ssl_verify_identity=1&ssl_verify_cert=1", VerifyIdentity),
            ("sslaccept=strict", VerifyIdentity),
            ("sslaccept=accept_invalid_certs", Preferred),
        ] {
            let target = Target::parse(&format!("mysql://h/d?{query}")).unwrap();
            assert_eq!(target.ssl_mode, expected, "{query}");
        }
    }
}
