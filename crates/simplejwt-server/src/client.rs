//! Whose request it is: the connection's other end, or what trusted proxies say.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The client's address. With `proxies` in front, each of which adds its client to the end of
/// X-Forwarded-For, it is that many from the end: what comes before, the client may have made up.
pub(crate) fn address(headers: &HeaderMap, peer: SocketAddr, proxies: usize) -> IpAddr {
    if proxies == 0 {
        return peer.ip();
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let told = forwarded.len().checked_sub(proxies.min(forwarded.len()));
    told.and_then(|at| forwarded.get(at)).and_then(|text| parse(text)).unwrap_or(peer.ip())
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let peer: SocketAddr = "198.51.100.1:999".parse().unwrap();
        let seen = |values: &[&str], proxies| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            address(&headers, peer, proxies).to_string()
        };
        assert_eq!(seen(&["192.0.2.1"], 0), "198.51.100.1");
        assert_eq!(seen(&["192.0.2.1"], 1), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6, 192.0.2.1"], 1), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6, 192.0.2.1, 10.0.0.1"], 2), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6", "192.0.2.1:80"], 1), "192.0.2.1");
        assert_eq!(seen(&["[2001:db8::1]:80"], 1), "2001:db8::1");
        assert_eq!(seen(&["2001:db8::1"], 3), "2001:db8::1");
        assert_eq!(seen(&["[2001:db8::1]"], 1), "2001:db8::1");
        assert_eq!(seen(&["unknown"], 1), "198.51.100.1");
        assert_eq!(seen(&[], 1), "198.51.100.1");
        assert_eq!(seen(&[""], 1), "198.51.100.1");
    }
}
