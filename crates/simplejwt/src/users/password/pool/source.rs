//! Where a password comes from.

use std::net::{IpAddr, Ipv6Addr};

/// Where a password comes from: an IPv4 address, or the network of an IPv6 address (/64), of which a
/// single customer has as many addresses as they like. Passwords of one source wait for each other
/// rather than others for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(Ipv6Addr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped()),
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
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
