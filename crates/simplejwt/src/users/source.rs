//! The part of a client's address that it can't change at will.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The part of a client's address that it can't change at will: an IPv4 address, or the network of an
/// IPv6 address (/64), of which a single customer has as many addresses as they like. Failures are
/// counted by it ([`Throttle`](crate::throttle::Throttle)), and logins of one source wait for each
/// other rather than others for them.
///
/// ```
/// use std::net::IpAddr;
/// use simplejwt::users::Source;
///
/// let source = |address: &str| address.parse::<IpAddr>().map(Source::from);
/// assert_eq!(source("2001:db8::1")?, source("2001:db8::2")?);
/// assert_eq!(source("2001:db8::1")?.to_string(), "2001:db8::/64");
/// assert_eq!(source("::ffff:192.0.2.1")?.to_string(), "192.0.2.1");
/// # Ok::<_, std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_a_network() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8::1"), source("2001:db8:0:0:ffff::2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
    }
}
