//! Parsing `mysql://user:password@host:port/database?ssl-mode=…`.

mod tls;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

pub(super) use tls::SslMode;
use tls::secured;

use super::parameters::URL_PARAMETERS;
use crate::sql::tls::{IdentityFiles, KeyWithoutCertificate};
use crate::sql::url::{ConnectionSecurity, Parts, Query, is_loopback, split};

/// The reason a URL names no database. Contains no part of the user's name or password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Neither `mysql` nor `mariadb`.
    #[error("a MySQL or MariaDB database is named as mysql://user:password@host:3306/database")]
    Scheme,
    /// No database after the host.
    #[error("the URL names no database: it has to end in /database, as in mysql://host/database")]
    NoDatabase,
    /// No host, and no socket either.
    #[error("the URL names no host and no socket")]
    NoHost,
    /// Something is out of place, or badly encoded.
    #[error("the database's URL {0}")]
    Malformed(String),
    /// A parameter, or its value, that is unknown or not supported.
    #[error("the database's URL {0}")]
    Parameter(String),
    /// An unknown `ssl-mode`.
    #[error(
        "\"{0}\" is not an ssl-mode: disabled, preferred, required, verify_ca and \
         verify_identity are"
    )]
    SslMode(String),
    /// `ssl-key` without `ssl-cert`.
    #[error("the URL has ssl-key without ssl-cert: name the certificate, too")]
    KeyAlone,
    /// A mode that verifies the server's certificate, with a socket.
    #[error("ssl-mode={0} needs a host, not a socket")]
    SslOverSocket(&'static str),
}

/// The address of a server.
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

/// The database of a URL, and how to connect to it. `Debug` omits the password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) addresses: Vec<Address>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) database: String,
    pub(super) ssl_mode: SslMode,
    pub(super) ssl_ca: Option<PathBuf>,
    pub(super) ssl_identity: Option<IdentityFiles>,
    /// The time limit for connecting to one host, in place of the options'.
    pub(super) connect_timeout: Option<Duration>,
    /// A statement to be run on each new connection.
    pub(super) init_command: Option<String>,
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
        Self::read(url).map(|(target, _)| target)
    }

    /// Returns the target, and warnings about the URL.
    fn read(url: &str) -> Result<(Self, Vec<String>), UrlError> {
        let (before, query) = split(url, &["mysql", "mariadb"]).ok_or(UrlError::Scheme)?;
        let mut parts = Parts::parse(before).map_err(UrlError::Malformed)?;
        let query = Query::parse(query, URL_PARAMETERS).map_err(UrlError::Parameter)?;
        parts.replace(&query);
        let database = parts.database.clone().ok_or(UrlError::NoDatabase)?;
        let password = parts
            .password
            .take()
            .map(String::from_utf8)
            .transpose()
            .map_err(|_| UrlError::Malformed("has a password that isn't UTF-8".into()))?;
        let socket = query.get(&["socket", "unix_socket"]);
        let ssl_ca = query.get(&["ssl-ca", "sslca"]).map(PathBuf::from);
        let ssl_mode = secured(&query)?;
        let ssl_identity = IdentityFiles::named(query.get(&["ssl-cert"]), query.get(&["ssl-key"]))
            .map_err(|KeyWithoutCertificate| UrlError::KeyAlone)?;
        // A file of authorities is there for verifying certificates.
        let ssl_mode = ssl_mode.unwrap_or(match ssl_ca {
            Some(_) => SslMode::VerifyIdentity,
            None => SslMode::Preferred,
        });
        let addresses = match socket {
            Some(path) => vec![Address::Socket(path.to_owned())],
            None => addresses(&parts)?,
        };
        if addresses.iter().any(|address| matches!(address, Address::Socket(_))) {
            match ssl_mode {
                SslMode::VerifyCa => return Err(UrlError::SslOverSocket("verify_ca")),
                SslMode::VerifyIdentity => {
                    return Err(UrlError::SslOverSocket("verify_identity"));
                }
                _ => {}
            }
        }
        let target = Self {
            addresses,
            user: parts.user,
            password: password.map(Zeroizing::new),
            database,
            ssl_mode,
            ssl_ca,
            ssl_identity,
            connect_timeout: connect_timeout(&query)?,
            init_command: query.get(&["init_command"]).map(str::to_owned),
        };
        Ok((target, query.warning().into_iter().collect()))
    }
}

/// Returns warnings about the parts of a URL that have no effect: sentences, at most one for all
/// parameters.
///
/// ```
/// use simplejwt::mysql::url_warnings;
///
/// let told = url_warnings("mysql://app:secret@db.example.com/app?conn_max_age=60").unwrap();
/// assert!(told[0].contains("conn_max_age has no effect"));
/// ```
///
/// # Errors
/// [`UrlError`] if the URL is invalid, or asks for something that isn't supported.
pub fn url_warnings(url: &str) -> Result<Vec<String>, UrlError> {
    Target::read(url).map(|(_, warnings)| warnings)
}

/// Returns how far the connections that a URL names are secured, by its `ssl-mode` and `ssl-ca`.
///
/// # Errors
/// As [`url_warnings`].
pub fn url_security(url: &str) -> Result<ConnectionSecurity, UrlError> {
    let (target, _) = Target::read(url)?;
    let is_local = target.addresses.iter().all(|address| match address {
        Address::Host(host, _) => is_loopback(host),
        Address::Socket(_) => true,
    });
    Ok(match target.ssl_mode {
        _ if is_local => ConnectionSecurity::Local,
        SslMode::Disabled => ConnectionSecurity::Plain,
        SslMode::Preferred => ConnectionSecurity::Preferred,
        SslMode::Required => ConnectionSecurity::Encrypted,
        SslMode::VerifyCa => ConnectionSecurity::Issuer,
        SslMode::VerifyIdentity => ConnectionSecurity::Verified,
    })
}

fn addresses(parts: &Parts) -> Result<Vec<Address>, UrlError> {
    if parts.hosts.is_empty() || parts.hosts.iter().any(String::is_empty) {
        return Err(UrlError::NoHost);
    }
    let ports = parts.ports(parts.hosts.len(), 3306).map_err(UrlError::Malformed)?;
    let address = |(host, port): (&String, u16)| match host.starts_with('/') {
        true => Address::Socket(host.clone()),
        false => Address::Host(host.clone(), port),
    };
    Ok(parts.hosts.iter().zip(ports).map(address).collect())
}

fn connect_timeout(query: &Query) -> Result<Option<Duration>, UrlError> {
    let Some(text) = query.get(&["connect_timeout", "connection_timeout"]) else { return Ok(None) };
    match text.trim().parse::<f64>() {
        Ok(seconds) => Ok(Duration::try_from_secs_f64(seconds).ok().filter(|t| !t.is_zero())),
        Err(_) => {
            let problem = "has the parameter connect_timeout that is no number of seconds";
            Err(UrlError::Parameter(problem.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails loudly")]

    use super::*;

    #[test]
    fn the_security_of_a_url_is_known() {
        use ConnectionSecurity::{Encrypted, Issuer, Local, Plain, Preferred, Verified};
        for (url, security) in [
            ("mysql://u@localhost/d?ssl-mode=disabled", Local),
            ("mysql://u@h/d?socket=/run/mysqld.sock", Local),
            ("mysql://u@127.0.0.1,h/d", Preferred),
            ("mysql://u@h/d?ssl-mode=disabled", Plain),
            ("mysql://u@h/d", Preferred),
            ("mysql://u@h/d?ssl-mode=required", Encrypted),
            ("mysql://u@h/d?ssl-mode=verify_ca", Issuer),
            ("mysql://u@h/d?ssl-ca=x", Verified),
        ] {
            assert_eq!(url_security(url), Ok(security), "{url}");
        }
        assert!(url_security("mysql://u@h/d?ssl-mode=on").is_err());
    }

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
        for url in [
            "mysql://u:p@%2Frun%2Fmysqld%2Fmysqld.sock/db",
            "mysql://u:p@//run/mysqld/mysqld.sock/db",
            "mysql://u:p@localhost/db?unix_socket=/run/mysqld/mysqld.sock",
            "mysql://u:p@localhost/db?host=/run/mysqld/mysqld.sock",
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                target.addresses,
                [Address::Socket("/run/mysqld/mysqld.sock".into())],
                "{url}"
            );
        }
        let over = "mysql://u:p@h:1/d?host=a,b&port=2,3&user=v&passwd=q&db=e&connect_timeout=2.5\
                    &init_command=SET+sql_mode%3D%27A%2BB%27";
        let target = Target::parse(over).unwrap();
        let hosts = [Address::Host("a".into(), 2), Address::Host("b".into(), 3)];
        assert_eq!(target.addresses, hosts);
        assert_eq!((target.user.as_deref(), target.database.as_str()), (Some("v"), "e"));
        assert_eq!(target.password.as_ref().unwrap().as_str(), "q");
        assert_eq!(target.connect_timeout, Some(Duration::from_millis(2500)));
        assert_eq!(target.init_command.as_deref(), Some("SET sql_mode='A+B'"));
        assert_eq!(Target::parse("mysql://h/d?connect_timeout=0").unwrap().connect_timeout, None);
        let odd = Target::parse("mysql://u:50%@h/d").unwrap();
        assert_eq!(odd.password.as_ref().unwrap().as_str(), "50%", "as Django reads it");
    }

    #[test]
    fn what_has_no_effect_is_told_once() {
        let told = |query: &str| url_warnings(&format!("mysql://u:p@h/app?{query}")).unwrap();
        for query in ["charset=utf8mb4", "connect_timeout=5", "isolation_level=read%20committed"] {
            assert!(told(query).is_empty(), "{query}");
        }
        let warnings = told("conn_max_age=60&collation=utf8mb4_bin&charset=latin1");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("conn_max_age, collation, charset have no effect"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, expected) in [
            ("postgres://h/d", UrlError::Scheme),
            ("mysql://h", UrlError::NoDatabase),
            ("mysql://h/", UrlError::NoDatabase),
            ("mysql:///d", UrlError::NoHost),
            ("mysql://a,/d", UrlError::NoHost),
            ("mysql://h/d?ssl-key=x", UrlError::KeyAlone),
            ("mysql://h/d?ssl-mode=on", UrlError::SslMode("on".into())),
            ("mysql:///d?socket=/s&ssl-mode=verify_ca", UrlError::SslOverSocket("verify_ca")),
        ] {
            assert_eq!(Target::parse(url), Err(expected), "{url}");
        }
        for (url, told) in [
            ("mysql://h:0/d", "1 to 65535"),
            ("mysql://u:%ff@h/d", "password that isn't UTF-8"),
            ("mysql://h/d?conn_max_aeg=s3cret", "conn_max_aeg, which isn't known"),
            ("mysql://h/d?read_default_file=s3cret", "read_default_file, which isn't supported"),
            ("mysql://h/d?ssl-crl=s3cret", "ssl-crl, which"),
            ("mysql://h/d?tls-version=TLSv1.3", "tls-version with a value other than"),
            ("mysql://h/d?connect_timeout=s3cret", "connect_timeout"),
            ("mysql://h/d?ssl=s3cret", "ssl that is no switch"),
            ("mysql://h/d?sslaccept=s3cret", "unknown sslaccept"),
        ] {
            let problem = Target::parse(url).unwrap_err().to_string();
            assert!(problem.contains(told) && !problem.contains("s3cret"), "{url}: {problem}");
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
