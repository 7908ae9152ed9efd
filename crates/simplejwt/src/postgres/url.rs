//! Parsing `postgres://user:password@host:port/database?sslmode=…`.

mod config;
mod tls;

use std::fmt;
use std::path::PathBuf;

use tokio_postgres::config::{Host, SslMode, SslNegotiation};

use config::config_of;
use tls::secured;

use super::explain::ConnectError;
use super::parameters::URL_PARAMETERS;
use crate::sql::tls::{IdentityFiles, KeyWithoutCertificate, TlsOptions, Verify};
use crate::sql::url::{ConnectionSecurity, Parts, Query, is_loopback, split};

/// The database of a URL, and how to connect to it. `Debug` omits the password.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    verify: Verify,
    roots: Option<PathBuf>,
    identity: Option<IdentityFiles>,
}

/// libpq's word, in place of a file, for the authorities that the operating system trusts.
const SYSTEM: &str = "system";
const HOW: &str = "write postgres://user:password@host/database";

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        Self::read(url).map(|(target, _)| target)
    }

    /// Returns the target, and warnings about the URL.
    fn read(url: &str) -> Result<(Self, Vec<String>), ConnectError> {
        let wrong = ConnectError::Url;
        let (before, query) = split(url, &["postgres", "postgresql"])
            .ok_or_else(|| wrong(format!("is not one: {HOW}")))?;
        let mut parts = Parts::parse(before).map_err(wrong)?;
        let query = Query::parse(query, URL_PARAMETERS).map_err(wrong)?;
        parts.replace(&query);
        let mut config = config_of(&parts, &query).map_err(wrong)?;
        let roots = query.get(&["sslrootcert"]).map(PathBuf::from);
        let system = roots.as_deref() == Some(SYSTEM.as_ref());
        let roots = roots.filter(|_| !system);
        let (ssl, verify) = secured(&query, roots.is_some(), system).map_err(wrong)?;
        let identity = IdentityFiles::named(query.get(&["sslcert"]), query.get(&["sslkey"]))
            .map_err(|KeyWithoutCertificate| {
                wrong("has sslkey without sslcert: name the certificate, too".into())
            })?;
        // A socket can't be eavesdropped on, and a server's certificate has no name for it.
        let is_local = |host: &Host| !matches!(host, Host::Tcp(_));
        let local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
        config.ssl_mode(if local { SslMode::Disable } else { ssl });
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        if direct && config.get_ssl_mode() == SslMode::Prefer {
            return Err(wrong(
                "has sslnegotiation=direct, which needs sslmode=require, verify-ca or verify-full"
                    .into(),
            ));
        }
        let target = Self { config, verify, roots, identity };
        Ok((target, query.warning().into_iter().collect()))
    }

    /// Returns the URL's options for TLS.
    pub(super) fn tls_options(&self) -> TlsOptions {
        TlsOptions {
            verify: self.verify,
            authorities: self.roots.clone(),
            identity: self.identity.clone(),
        }
    }

    /// Returns how far connections are secured.
    fn security(&self) -> ConnectionSecurity {
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let is_local = |host: &Host| match host {
            Host::Tcp(name) => is_loopback(name),
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        let is_local = match addresses {
            [] => hosts.iter().all(is_local),
            addresses => addresses.iter().all(|address| address.is_loopback()),
        };
        match (self.config.get_ssl_mode(), self.verify) {
            _ if is_local => ConnectionSecurity::Local,
            (SslMode::Disable, _) => ConnectionSecurity::Plain,
            (SslMode::Prefer, _) => ConnectionSecurity::Preferred,
            (_, Verify::Nothing) => ConnectionSecurity::Encrypted,
            (_, Verify::Issuer) => ConnectionSecurity::Issuer,
            (_, Verify::Name) => ConnectionSecurity::Verified,
        }
    }

    /// Returns the hosts with their ports, or the socket's directory, for messages.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let of_host = |(at, host): (usize, &Host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let names: Vec<_> = match hosts {
            [] => (0..).zip(addresses).map(|(at, ip)| format!("{ip}:{}", port(at))).collect(),
            hosts => hosts.iter().enumerate().map(of_host).collect(),
        };
        names.join(", ")
    }
}

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

/// Returns warnings about the parts of a URL that have no effect: sentences, at most one for all
/// parameters.
///
/// ```
/// use simplejwt::postgres::url_warnings;
///
/// let told = url_warnings("postgres://app:secret@db.example.com/app?conn_max_age=60").unwrap();
/// assert!(told[0].contains("conn_max_age has no effect"));
/// ```
///
/// # Errors
/// [`ConnectError::Url`] if the URL is invalid, or asks for something that isn't supported.
pub fn url_warnings(url: &str) -> Result<Vec<String>, ConnectError> {
    Target::read(url).map(|(_, warnings)| warnings)
}

/// Returns how far the connections that a URL names are secured, by its `sslmode` and `sslrootcert`.
///
/// # Errors
/// As [`url_warnings`].
pub fn url_security(url: &str) -> Result<ConnectionSecurity, ConnectError> {
    Target::read(url).map(|(target, _)| target.security())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_security_of_a_url_is_known() {
        use ConnectionSecurity::{Encrypted, Issuer, Local, Plain, Preferred, Verified};
        for (url, security) in [
            ("postgres://u@127.0.0.1/d?sslmode=disable", Local),
            ("postgres://u@[::1]:5432/d", Local),
            ("postgres://u@/d?host=/run/pg", Local),
            ("postgres://u@localhost,h/d", Preferred),
            ("postgres://u@localhost/d?hostaddr=192.0.2.1", Preferred),
            ("postgres://u@h/d?sslmode=disable", Plain),
            ("postgres://u@h/d", Preferred),
            ("postgres://u@h/d?sslmode=require", Encrypted),
            ("postgres://u@h/d?sslmode=verify-ca&sslrootcert=x", Issuer),
            ("postgres://u@h/d?sslmode=verify-full", Verified),
            ("postgres://u@h/d?sslrootcert=x", Verified),
        ] {
            assert_eq!(url_security(url).unwrap(), security, "{url}");
        }
        assert!(url_security("postgres://u@h/d?sslmode=maybe").is_err());
    }

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
                "postgres://u@/db?hostaddr=192.0.2.1&port=7",
                "192.0.2.1:7",
                SslMode::Prefer,
                Verify::Nothing,
            ),
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
    }

    #[test]
    fn what_cannot_be_meant_is_told_without_what_may_be_secret() {
        for (url, told) in [
            ("postgres://u@h/db?sslmode=maybe", "unknown sslmode"),
            ("postgres://h/db?sslkey=x&user=u", "sslcert"),
            ("postgres://h/db?sslcert=x&sslkey=y&sslpassword=s3cret&user=u", "sslpassword"),
            ("postgres://u@h/db?sslcrldir=x", "sslcrldir"),
            ("postgres://u@h/db?sslrootcert=system&sslmode=require", "verify-full"),
            ("postgres://u@h/db?sslnegotiation=direct", "sslmode=require"),
            ("postgres:///db?user=u", "no host"),
            ("postgres://h/db", "no user"),
            ("postgres://u:x@h/db?conn_max_aeg=s3cret", "conn_max_aeg, which isn't known"),
            ("postgres://u:1234/s3cret@h/db", "%2F"),
            ("postgres://u:12?s3cret@h/db", "%3F"),
            ("postgres://u:s3cret@h:port/db", "a number from 1 to 65535"),
            ("postgres://u:s3cret@h:1,i/db?port=1,2,3", "3 ports for 2 hosts"),
            ("postgres://u:s3cret@h/db?hostaddr=s3cret", "hostaddr that is no address"),
            ("postgres://u@h,i/db?hostaddr=192.0.2.1", "1 hostaddr for 2 hosts"),
            ("postgres://u@h/db?connect_timeout=5s", "connect_timeout that is no whole number"),
            ("postgres://u@h/db?target_session_attrs=prefer-standby", "write read-write"),
            ("postgres://u@h/db?target_session_attrs=writable", "unknown target_session_attrs"),
            ("postgres://u@h/db?gssencmode=require", "gssencmode with a value other than disable"),
            ("postgres://u@h/db?require_auth=md5", "require_auth, which isn't supported"),
            ("postgres://u@h/db?ssl_min_protocol_version=TLSv1.3", "ssl_min_protocol_version"),
            ("postgres://u@h/db?service=app&passfile=x", "passfile"),
            ("postgres://u@h/db?ssl=maybe", "ssl that is no switch"),
            ("postgres://u@,h/db", "empty host"),
            ("mysql://u@h/db", "write postgres://"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn what_has_no_effect_is_told_once() {
        let url = "postgres://u:p@h/db?conn_max_age=600&conn_health_checks=true&ssl_require=true\
                   &pgbouncer=true&schema=public&keepalives=1&client_encoding=UTF8\
                   &gssencmode=disable&ssl=true";
        let warnings = url_warnings(url).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("conn_max_age, conn_health_checks, pgbouncer have no effect"));
        assert!(url_warnings("postgres://u@h/db").unwrap().is_empty());
    }

    #[test]
    fn debug_shows_no_password() {
        let target = Target::parse("postgres://ann:s3cret@h/db").unwrap();
        let shown = format!("{target:?}");
        assert!(shown.contains("ann") && !shown.contains("s3cret"), "{shown}");
    }
}
