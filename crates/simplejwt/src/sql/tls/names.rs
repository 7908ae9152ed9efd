//! Checks that a certificate is for a host, by libpq's rules.
//!
//! A name is looked for in `subjectAltName`, and in the common name only if `subjectAltName` has no
//! name. So is an address, for which one that is listed as a name also counts. `*` stands for one
//! label, the first.

use rustls::pki_types::ServerName;

use super::certificate::Certificate;

pub(super) fn fits(certificate: &Certificate<'_>, host: &ServerName<'_>) -> bool {
    let names = certificate.alt_names();
    let in_common_name =
        |text: &str| certificate.common_name().is_some_and(|name| matches(&name, text));
    match host {
        ServerName::IpAddress(address) => {
            let address = std::net::IpAddr::from(*address);
            let bytes = match address {
                std::net::IpAddr::V4(address) => address.octets().to_vec(),
                std::net::IpAddr::V6(address) => address.octets().to_vec(),
            };
            let text = address.to_string();
            names.addresses.contains(&bytes)
                || names.dns.contains(&text)
                || names.addresses.is_empty() && in_common_name(&text)
        }
        ServerName::DnsName(name) => {
            let name = name.as_ref();
            let name = name.strip_suffix('.').unwrap_or(name);
            names.dns.iter().any(|pattern| matches(pattern, name))
                || names.dns.is_empty() && in_common_name(name)
        }
        _ => false,
    }
}

/// Returns `true` if it fits only by its common name.
pub(super) fn by_common_name(certificate: &Certificate<'_>, host: &ServerName<'_>) -> bool {
    let names = certificate.alt_names();
    match host {
        ServerName::IpAddress(_) => names.addresses.is_empty() && names.dns.is_empty(),
        _ => names.dns.is_empty(),
    }
}

/// Returns its names, for messages.
pub(super) fn describe(certificate: &Certificate<'_>) -> String {
    let names = certificate.alt_names();
    let addresses = names.addresses.iter().filter_map(|bytes| {
        let four: Result<[u8; 4], _> = bytes.as_slice().try_into();
        let sixteen: Result<[u8; 16], _> = bytes.as_slice().try_into();
        four.map(std::net::IpAddr::from).or(sixteen.map(std::net::IpAddr::from)).ok()
    });
    let mut all: Vec<String> = names.dns.clone();
    all.extend(addresses.map(|address| address.to_string()));
    if all.is_empty() {
        all.extend(certificate.common_name());
    }
    match all.as_slice() {
        [] => "no host".into(),
        all => all.iter().take(8).cloned().collect::<Vec<_>>().join(", "),
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    // An address isn't a label followed by others.
    if host.parse::<std::net::IpAddr>().is_ok() {
        return false;
    }
    let (Some(below), Some((first, rest))) = (pattern.strip_prefix("*."), host.split_once('.'))
    else {
        return false;
    };
    !first.is_empty() && !below.is_empty() && below.eq_ignore_ascii_case(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_label_may_be_left_open() {
        for (pattern, host, fitting) in [
            ("db.example.org", "DB.example.org", true),
            ("*.example.org", "db.example.org", true),
            ("*.example.org", "a.db.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("db*.example.org", "db1.example.org", false),
            ("*", "db", false),
            ("*.", "db.", false),
            ("*.0.0.1", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(matches(pattern, host), fitting, "{pattern} {host}");
        }
    }
}
