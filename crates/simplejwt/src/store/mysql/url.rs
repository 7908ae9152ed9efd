//! `mysql://user:password@host:port/database?ssl-mode=…`, read into what a connection needs.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::store::tls::IdentityFiles;

/// Why a URL doesn't name a database. Holds no part of the user's name or password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Neither `mysql` nor `mariadb`.
    #[error("a MySQL or MariaDB database is named as mysql://user:password@host:3306/database")]
    Scheme,
    /// No database after the host.
    #[error("the URL names no database: it has to end in /database, as in mysql://host/database")]
    NoDatabase,
    /// A port that isn't a number from 1 to 65535.
    #[error("\"{0}\" is not a port")]
    Port(String),
    /// No host, and no socket either.
    #[error("the URL names no host and no socket")]
    NoHost,
    /// `%` without two hexadecimal digits after it, or bytes that aren't UTF-8.
    #[error(
        "the URL's {0} isn't well encoded: write %25 for %, %40 for @, %2F for /, %3A for : in it"
    )]
    Encoding(&'static str),
    /// A parameter that isn't known.
    #[error("\"{0}\" is not a parameter: socket, ssl-mode, ssl-ca, ssl-cert and ssl-key are")]
    Parameter(String),
    /// A parameter's value that isn't known.
    #[error(
        "\"{0}\" is not an ssl-mode: disabled, preferred, required, verify_ca and \
         verify_identity are"
    )]
    SslMode(String),
    /// `ssl-key` without `ssl-cert`.
    #[error("the URL has ssl-key without ssl-cert: name the certificate, too")]
    KeyAlone,
    /// `ssl-ca` or a verifying mode with a socket or without TLS.
    #[error("ssl-mode={0} needs a host, not a socket")]
    SslOverSocket(&'static str),
}

/// How far a connection is secured: MySQL's `--ssl-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SslMode {
    /// Never TLS.
    Disabled,
    /// TLS where the server has it; any certificate.
    Preferred,
    /// TLS; any certificate.
    Required,
    /// TLS with a certificate of a known authority.
    VerifyCa,
    /// The same, made out to the host's name.
    VerifyIdentity,
}

impl SslMode {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().replace('-', "_").as_str() {
            "disabled" => Self::Disabled,
            "preferred" => Self::Preferred,
            "required" => Self::Required,
            "verify_ca" => Self::VerifyCa,
            "verify_identity" => Self::VerifyIdentity,
            _ => return None,
        })
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Host(String, u16),
    Socket(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => f.write_str(path),
        }
    }
}

/// What a URL says. `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) addresses: Vec<Address>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) database: String,
    pub(super) ssl_mode: SslMode,
    pub(super) ssl_ca: Option<PathBuf>,
    pub(super) ssl_identity: Option<IdentityFiles>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("addresses", &self.addresses)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("ssl_mode", &self.ssl_mode)
            .field("ssl_ca", &self.ssl_ca)
            .finish_non_exhaustive()
    }
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let rest = ["mysql://", "mariadb://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or(UrlError::Scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').ok_or(UrlError::NoDatabase)?;
        let database = decoded(database, "database name")?;
        if database.is_empty() {
            return Err(UrlError::NoDatabase);
        }
        let (account, hosts) = match authority.rsplit_once('@') {
            Some((account, hosts)) => (Some(account), hosts),
            None => (None, authority),
        };
        let (user, password) = match account.map(|text| text.split_once(':').unwrap_or((text, "")))
        {
            None => (None, None),
            Some((user, password)) => {
                (Some(decoded(user, "user")?), Some(decoded(password, "password")?))
            }
        };
        let mut socket = None;
        let (mut ssl_mode, mut ssl_ca) = (None, None);
        let (mut certificate, mut key) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value, "query")?;
            match name {
                "socket" | "unix_socket" => socket = Some(value),
                "ssl-mode" | "sslmode" | "ssl_mode" => {
                    ssl_mode = Some(SslMode::parse(&value).ok_or(UrlError::SslMode(value))?);
                }
                "ssl-ca" | "ssl_ca" => ssl_ca = Some(PathBuf::from(value)),
                "ssl-cert" | "ssl_cert" => certificate = Some(PathBuf::from(value)),
                "ssl-key" | "ssl_key" => key = Some(PathBuf::from(value)),
                // Whatever it is, it isn't repeated: it may be part of a password.
                name => return Err(UrlError::Parameter(shortened(name))),
            }
        }
        let ssl_identity = match (certificate, key) {
            (None, None) => None,
            (None, Some(_)) => return Err(UrlError::KeyAlone),
            (Some(certificate), key) => {
                let key = key.unwrap_or_else(|| certificate.clone());
                Some(IdentityFiles { certificate, key })
            }
        };
        // A file of authorities is for looking at certificates.
        let ssl_mode = ssl_mode.unwrap_or(match ssl_ca {
            Some(_) => SslMode::VerifyIdentity,
            None => SslMode::Preferred,
        });
        let addresses = match socket {
            Some(path) => match ssl_mode {
                SslMode::VerifyCa => return Err(UrlError::SslOverSocket("verify_ca")),
                SslMode::VerifyIdentity => {
                    return Err(UrlError::SslOverSocket("verify_identity"));
                }
                _ => vec![Address::Socket(path)],
            },
            None => hosts.split(',').map(address).collect::<Result<_, _>>()?,
        };
        Ok(Self {
            addresses,
            user,
            password: password.map(Zeroizing::new),
            database,
            ssl_mode,
            ssl_ca,
            ssl_identity,
        })
    }
}

fn address(text: &str) -> Result<Address, UrlError> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host = decoded(host, "host")?;
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    let port = match port {
        None | Some("") => 3306,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(UrlError::Port(shortened(port))),
            Ok(port) => port,
        },
    };
    Ok(Address::Host(host, port))
}

/// A password with an unescaped `/`, `?` or `@` in it ends up where something else is expected.
fn shortened(text: &str) -> String {
    text.chars().take(3).chain("…".chars()).collect()
}

fn decoded(text: &str, part: &'static str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(UrlError::Encoding(part)),
        }
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Encoding(part))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails loudly")]

    use super::*;

    #[test]
    fn the_parts_are_found() {
        let target =
            Target::parse("mysql://al%40ice:p%2F%3A%25x:y@db.example/app?ssl-mode=REQUIRED")
                .unwrap();
        assert_eq!(target.addresses, [Address::Host("db.example".into(), 3306)]);
        assert_eq!(target.user.as_deref(), Some("al@ice"));
        assert_eq!(target.password.as_ref().unwrap().as_str(), "p/:%x:y");
        assert_eq!((target.database.as_str(), target.ssl_mode), ("app", SslMode::Required));
        let target = Target::parse("mariadb://u@[::1]:3307,b,c:1/d%20b?ssl-ca=%2Fca.pem").unwrap();
        assert_eq!(
            target.addresses,
            [
                Address::Host("::1".into(), 3307),
                Address::Host("b".into(), 3306),
                Address::Host("c".into(), 1)
            ]
        );
        assert_eq!((target.database.as_str(), target.ssl_mode), ("d b", SslMode::VerifyIdentity));
        let target = Target::parse("mysql://u:p@/db?socket=/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(target.addresses, [Address::Socket("/run/mysqld/mysqld.sock".into())]);
        assert_eq!(Target::parse("mysql://h/d").unwrap().user, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, expected) in [
            ("postgres://h/d", UrlError::Scheme),
            ("mysql://h", UrlError::NoDatabase),
            ("mysql://h/", UrlError::NoDatabase),
            ("mysql:///d", UrlError::NoHost),
            ("mysql://a,/d", UrlError::NoHost),
            ("mysql://h:0/d", UrlError::Port("0…".into())),
            ("mysql://u:50%@h/d", UrlError::Encoding("password")),
            ("mysql://u:%ff@h/d", UrlError::Encoding("password")),
            ("mysql://h/d?x=1", UrlError::Parameter("x…".into())),
            ("mysql://h/d?ssl-key=x", UrlError::KeyAlone),
            ("mysql://h/d?ssl-mode=on", UrlError::SslMode("on".into())),
            ("mysql:///d?socket=/s&ssl-mode=verify_ca", UrlError::SslOverSocket("verify_ca")),
        ] {
            assert_eq!(Target::parse(url), Err(expected), "{url}");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let target = Target::parse("mysql://u:topsecret@h/d").unwrap();
        assert!(!format!("{target:?}").contains("topsecret"));
        for url in ["mysql://u:topsecret/x@h/d", "mysql://u:topsecret?x@h/d"] {
            let error = Target::parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("topsecret"), "{error}");
        }
    }
}
