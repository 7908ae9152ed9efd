//! How far connections to a server are secured.

use std::net::IpAddr;

/// How far the connections that a database URL names are secured.
///
/// ```
/// # #[cfg(feature = "postgres")] {
/// use simplejwt::postgres::url_security;
/// use simplejwt::sql::url::ConnectionSecurity;
///
/// let of = |url| url_security(url).unwrap();
/// assert_eq!(of("postgres://app@localhost/app"), ConnectionSecurity::Local);
/// assert_eq!(of("postgres://app@db.example.com/app"), ConnectionSecurity::Preferred);
/// let url = "postgres://app@db.example.com/app?sslmode=verify-full";
/// assert_eq!(of(url), ConnectionSecurity::Verified);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionSecurity {
    /// They don't leave this machine: a socket, or a loopback address.
    Local,
    /// Never TLS.
    Plain,
    /// TLS if the server offers it, with any certificate.
    Preferred,
    /// TLS with any certificate.
    Encrypted,
    /// TLS with a certificate of a trusted authority, for whatever name.
    Issuer,
    /// TLS with a certificate of a trusted authority for the host's name.
    Verified,
}

/// Returns `true` for a host name or address of this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
