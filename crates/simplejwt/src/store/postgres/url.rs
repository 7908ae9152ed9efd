//! What a URL says of a PostgreSQL server, and how it is connected to.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;

use tokio_postgres::config::{Host, SslMode, SslNegotiation};

use super::explain::ConnectError;
use crate::store::tls::{IdentityFiles, TlsOptions, Verify};

/// A URL, taken apart.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    verify: Verify,
    roots: Option<PathBuf>,
    identity: Option<IdentityFiles>,
}

/// What else can stand behind the question mark.
const PARAMETERS: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslnegotiation",
];

const SYSTEM: &str = "system";

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let wrong = |problem: &str| ConnectError::Url(problem.to_owned());
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
        if authority.split_once('/').is_some_and(|(_, path)| path.contains(['@', ':', '/', '#'])) {
            return Err(wrong(
                "has an @, :, / or # that isn't where it belongs: in a user's name or password \
                 write %40, %3A, %2F or %23",
            ));
        }
        let (mut mode, mut roots) = (None, None);
        let (mut certificate, mut key) = (None, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(unquoted(value))),
                Some(("sslcert", value)) => certificate = Some(PathBuf::from(unquoted(value))),
                Some(("sslkey", value)) => key = Some(PathBuf::from(unquoted(value))),
                Some(("sslpassword", _)) => {
                    return Err(wrong(
                        "has sslpassword, which isn't supported: write the key without a password \
                         (openssl pkey -in FILE -out NEW) and take it out",
                    ));
                }
                Some(("sslcrl" | "sslcrldir", _)) => {
                    return Err(wrong(
                        "has sslcrl or sslcrldir, which isn't supported: certificates aren't \
                         looked up in lists of revoked ones; take it out",
                    ));
                }
                Some((name, _)) if PARAMETERS.contains(&name) => rest.push(pair),
                // What isn't known may be part of a password.
                _ => {
                    return Err(ConnectError::Url(format!(
                        "has a parameter that isn't known: there are sslmode, sslrootcert, sslcert, sslkey, {}",
                        PARAMETERS.join(", ")
                    )));
                }
            }
        }
        let url =
            if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config = tokio_postgres::Config::from_str(&url).map_err(|error| {
            // Its text names the parameter, not the value.
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            ConnectError::Url(format!("can't be understood: {error}{source}"))
        })?;
        let identity = match (certificate, key) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(wrong("has sslkey without sslcert: name the certificate, too"));
            }
            (Some(certificate), key) => {
                let key = key.unwrap_or_else(|| certificate.clone());
                Some(IdentityFiles { certificate, key })
            }
        };
        // libpq's word for those that the operating system trusts, and for nothing weaker.
        if roots.as_deref() == Some(SYSTEM.as_ref()) {
            if !matches!(mode.as_deref(), None | Some("verify-full")) {
                return Err(wrong(
                    "has sslrootcert=system, which goes with sslmode=verify-full alone",
                ));
            }
            (mode, roots) = (Some("verify-full".to_owned()), None);
        }
        let (ssl, verify) = match (mode.as_deref(), &roots) {
            (Some("disable"), _) => (SslMode::Disable, Verify::Nothing),
            (None | Some("prefer" | "allow"), None) => (SslMode::Prefer, Verify::Nothing),
            (Some("require"), None) => (SslMode::Require, Verify::Nothing),
            (Some("verify-ca" | "require"), _) => (SslMode::Require, Verify::Issuer),
            (Some("verify-full"), _) | (None | Some("prefer" | "allow"), Some(_)) => {
                (SslMode::Require, Verify::Name)
            }
            (Some(_), _) => {
                return Err(wrong(
                    "has an unknown sslmode: write disable, prefer, require, verify-ca or \
                     verify-full",
                ));
            }
        };
        // Nobody listens in on a socket, and a server's certificate has no name for it.
        let is_local = |host: &Host| !matches!(host, Host::Tcp(_));
        let local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
        config.ssl_mode(if local { SslMode::Disable } else { ssl });
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        if direct && config.get_ssl_mode() == SslMode::Prefer {
            return Err(wrong(
                "has sslnegotiation=direct, which needs sslmode=require, verify-ca or verify-full",
            ));
        }
        if config.get_application_name().is_none() {
            config.application_name("simplejwt");
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("names no host: write postgres://user:password@host/database"));
        }
        if config.get_user().is_none() {
            return Err(wrong("names no user: write postgres://user:password@host/database"));
        }
        Ok(Self { config, verify, roots, identity })
    }

    /// What the URL says of TLS.
    pub(super) fn tls_options(&self) -> TlsOptions {
        TlsOptions {
            verify: self.verify,
            authorities: self.roots.clone(),
            identity: self.identity.clone(),
        }
    }

    /// Where it is, for messages.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let hosts: Vec<_> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(at, host)| match host {
                Host::Tcp(name) => format!("{name}:{}", port(at)),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        hosts.join(", ")
    }
}

/// Leaves the password out.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("server", &self.server())
            .field("database", &self.config.get_dbname())
            .field("user", &self.config.get_user())
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

fn unquoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, server, ssl, verify) in [
            ("postgres://u:p@h/db", "h:5432", SslMode::Prefer, Verify::Nothing),
            (
                "postgres://u@h:1,i:2/db?sslmode=disable",
                "h:1, i:2",
                SslMode::Disable,
                Verify::Nothing,
            ),
            ("postgres://u@h/db?sslmode=require", "h:5432", SslMode::Require, Verify::Nothing),
            (
                "postgres://u@h/db?sslmode=require&sslrootcert=x",
                "h:5432",
                SslMode::Require,
                Verify::Issuer,
            ),
            ("postgresql://u@h/db?sslmode=verify-full", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@h/db?sslrootcert=x", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@h/db?sslrootcert=system", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@/db?host=/run/pg", "/run/pg", SslMode::Disable, Verify::Nothing),
            (
                "postgres://u@%2Frun%2Fpg/db?sslmode=require",
                "/run/pg",
                SslMode::Disable,
                Verify::Nothing,
            ),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.server().as_str(), target.verify), (server, verify), "{url}");
            assert_eq!(target.config.get_ssl_mode(), ssl, "{url}");
        }
        for (url, told) in [
            ("postgres://u@h/db?sslmode=maybe", "unknown sslmode"),
            ("postgres://h/db?sslkey=x&user=u", "sslcert"),
            ("postgres://h/db?sslcert=x&sslkey=y&sslpassword=s3cret&user=u", "sslpassword"),
            ("postgres://u@h/db?sslcrldir=x", "sslcrldir"),
            ("postgres://u@h/db?sslrootcert=system&sslmode=require", "verify-full"),
            ("postgres://u@h/db?sslnegotiation=direct", "sslmode=require"),
            ("postgres:///db?user=u", "no host"),
            ("postgres://h/db", "no user"),
            ("postgres://u:x@h/db?s3cret", "isn't known"),
            ("postgres://u:x@h/db?s3cret=red", "isn't known"),
            ("postgres://u:1234/s3cret@h/db", "%2F"),
            ("postgres://u:s3cret@h:port/db", "can't be understood"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let target = Target::parse("postgres://ann:s3cret@h/db").unwrap();
        let shown = format!("{target:?}");
        assert!(shown.contains("ann") && !shown.contains("s3cret"), "{shown}");
    }
}
