//! The `sslmode` of a PostgreSQL URL.

use tokio_postgres::config::SslMode;

use crate::sql::tls::Verify;
use crate::sql::url::Query;

/// Returns how far the connection is secured: by libpq's `sslmode`, or by other programs'
/// equivalents. The error is the end of a sentence about the URL.
pub(super) fn secured(
    query: &Query,
    has_roots: bool,
    system: bool,
) -> Result<(SslMode, Verify), String> {
    let mode = query.get(&["sslmode"]).map(str::to_ascii_lowercase);
    if system {
        return match mode.as_deref() {
            // And for nothing weaker.
            None | Some("verify-full") => Ok((SslMode::Require, Verify::Name)),
            Some(_) => {
                Err("has sslrootcert=system, which goes with sslmode=verify-full alone".into())
            }
        };
    }
    let switched = match query.get(&["ssl"]) {
        Some("no-verify" | "require") => Some(true),
        _ => query.switch(&["ssl"])?,
    };
    let mode = mode.or(switched.map(|on| if on { "require" } else { "disable" }.to_owned()));
    let weak = matches!(mode.as_deref(), None | Some("disable" | "prefer" | "allow"));
    let mode = match query.switch(&["ssl_require"])? {
        Some(true) if weak => Some("require".to_owned()),
        _ => mode,
    };
    let mode = match query.is_strict()? {
        true if mode.as_deref() != Some("disable") => Some("verify-full".to_owned()),
        _ => mode,
    };
    Ok(match (mode.as_deref(), has_roots) {
        (Some("disable"), _) => (SslMode::Disable, Verify::Nothing),
        (None | Some("prefer" | "allow"), false) => (SslMode::Prefer, Verify::Nothing),
        (Some("require"), false) | (Some("no-verify"), _) => (SslMode::Require, Verify::Nothing),
        (Some("verify-ca" | "require"), _) => (SslMode::Require, Verify::Issuer),
        (Some("verify-full"), _) | (None | Some("prefer" | "allow"), true) => {
            (SslMode::Require, Verify::Name)
        }
        (Some(_), _) => {
            return Err("has an unknown sslmode: write disable, prefer, require, verify-ca or \
                        verify-full"
                .into());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    #[test]
    fn tls_in_the_words_of_others() {
        for (query, ssl, verify) in [
            ("ssl=true", SslMode::Require, Verify::Nothing),
            ("ssl=0", SslMode::Disable, Verify::Nothing),
            ("ssl=true&sslmode=verify-full", SslMode::Require, Verify::Name),
            ("ssl=true&sslrootcert=x", SslMode::Require, Verify::Issuer),
            ("ssl_require=True", SslMode::Require, Verify::Nothing),
            ("ssl_require=true&sslmode=prefer", SslMode::Require, Verify::Nothing),
            ("ssl_require=true&sslmode=verify-ca", SslMode::Require, Verify::Issuer),
            ("ssl_require=false", SslMode::Prefer, Verify::Nothing),
            ("sslmode=no-verify", SslMode::Require, Verify::Nothing),
            ("sslmode=require&sslaccept=strict", SslMode::Require, Verify::Name),
            ("sslmode=require&sslaccept=accept_invalid_certs", SslMode::Require, Verify::Nothing),
            ("sslmode=", SslMode::Prefer, Verify::Nothing),
        ] {
            let target = Target::parse(&format!("postgres://u@h/db?{query}")).unwrap();
            assert_eq!((target.config.get_ssl_mode(), target.verify), (ssl, verify), "{query}");
        }
    }
}
