//! The client of a request: the other end of the connection, or the address that trusted proxies
//! report.

mod forwarded;

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use http::HeaderMap;

use crate::config::ProxyHeader;

/// The number of trusted proxies, and the header they use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proxies {
    pub(crate) count: usize,
    pub(crate) header: ProxyHeader,
}

/// Returns the client's address. Each proxy appends its client to the header, so with `count`
/// proxies it is the entry at that position from the end; the client may have made up whatever
/// comes before. Returns `None` over a Unix socket if no header names the client.
pub(crate) fn address(
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    proxies: Proxies,
) -> Option<IpAddr> {
    if proxies.count == 0 {
        return peer;
    }
    let told = match proxies.header {
        ProxyHeader::XForwardedFor => x_forwarded_for(headers, proxies.count),
        ProxyHeader::Forwarded => forwarded::client(headers, proxies.count),
    };
    told.and_then(|text| parse(&text)).or(peer)
}

/// Logs once that a proxy seems to be in front which isn't counted: all clients have its address then.
pub(crate) fn warn_of_uncounted(headers: &HeaderMap, peer: Option<IpAddr>, proxies: Proxies) {
    static WARNED: Once = Once::new();
    if WARNED.is_completed() || !comes_through_uncounted(headers, peer, proxies) {
        return;
    }
    WARNED.call_once(|| {
        tracing::warn!(
            event = "proxy_not_counted",
            peer_address = peer.map(|peer| peer.to_canonical().to_string()),
            "requests come through a proxy that num_proxies in [server] doesn't count: all clients \
             have its address, and are throttled together"
        );
    });
}

/// Returns `true` if a request from this machine or network names another client, as proxies do.
fn comes_through_uncounted(headers: &HeaderMap, peer: Option<IpAddr>, proxies: Proxies) -> bool {
    let is_near = |peer: IpAddr| match peer.to_canonical() {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    proxies.count == 0
        && (headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded"))
        && peer.is_none_or(is_near)
}

/// Returns the entry at `count` from the end, or the first if there are fewer. Bytes that aren't
/// text spoil only the entry that contains them.
fn x_forwarded_for(headers: &HeaderMap, count: usize) -> Option<String> {
    let fields: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let from_end = fields.iter().rev().flat_map(|field| field.as_bytes().rsplit(|b| *b == b','));
    let entry = from_end.take(count).last()?;
    std::str::from_utf8(entry.trim_ascii()).ok().map(str::to_owned)
}

/// Parses `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn seen(header: ProxyHeader, values: &[&[u8]], count: usize) -> String {
        let peer = "198.51.100.1".parse().ok();
        let mut headers = HeaderMap::new();
        let (name, other) = match header {
            ProxyHeader::XForwardedFor => ("x-forwarded-for", "forwarded"),
            ProxyHeader::Forwarded => ("forwarded", "x-forwarded-for"),
        };
        for value in values {
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        // The other header is ignored.
        headers.append(other, HeaderValue::from_static("for=6.6.6.6"));
        headers.append(other, HeaderValue::from_static("6.6.6.6"));
        address(&headers, peer, Proxies { count, header }).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let seen = |values: &[&str], count| {
            let values: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
            seen(ProxyHeader::XForwardedFor, &values, count)
        };
        assert_eq!(seen(&["192.0.2.1"], 0), "198.51.100.1");
        assert_eq!(seen(&["192.0.2.1"], 1), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6, 192.0.2.1"], 1), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6, 192.0.2.1, 10.0.0.1"], 2), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6", "192.0.2.1:80"], 1), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6, 192.0.2.1", "10.0.0.1"], 2), "192.0.2.1");
        assert_eq!(seen(&["[2001:db8::1]:80"], 1), "2001:db8::1");
        assert_eq!(seen(&["2001:db8::1"], 3), "2001:db8::1");
        assert_eq!(seen(&["[2001:db8::1]"], 1), "2001:db8::1");
        assert_eq!(seen(&["::ffff:192.0.2.1"], 1), "192.0.2.1");
        assert_eq!(seen(&["unknown"], 1), "198.51.100.1");
        assert_eq!(seen(&["192.0.2.1,"], 1), "198.51.100.1");
        assert_eq!(seen(&[], 1), "198.51.100.1");
        assert_eq!(seen(&[""], 1), "198.51.100.1");
    }

    /// A client's own part of the header may be anything.
    #[test]
    fn a_clients_part_that_is_no_text_costs_the_proxies_part_nothing() {
        for field in [&b"\xff, 192.0.2.1"[..], b"\xe9\x80, a\xc3, 192.0.2.1", b"\t\xff,192.0.2.1 "]
        {
            assert_eq!(seen(ProxyHeader::XForwardedFor, &[field], 1), "192.0.2.1");
            assert_eq!(seen(ProxyHeader::XForwardedFor, &[b"\xff", field], 1), "192.0.2.1");
        }
        assert_eq!(seen(ProxyHeader::XForwardedFor, &[b"192.0.2.1, \xff"], 1), "198.51.100.1");
        for field in [
            &b"for=\xff, for=192.0.2.1"[..],
            b"for=\"6.6.6.6, for=192.0.2.1",
            b"for=\"6.6.6.6\\, for=192.0.2.1",
            b"for=\"\\\", for=192.0.2.1",
            b"\", for=192.0.2.1",
            b";;=,,for=192.0.2.1",
        ] {
            assert_eq!(seen(ProxyHeader::Forwarded, &[field], 1), "192.0.2.1", "{field:?}");
        }
    }

    #[test]
    fn the_forwarded_header_of_rfc_7239() {
        for (fields, count, expected) in [
            (&["for=192.0.2.1"][..], 1, "192.0.2.1"),
            (&["For=192.0.2.1;proto=https;by=203.0.113.43"], 1, "192.0.2.1"),
            (&["proto=https; for=192.0.2.1"], 1, "192.0.2.1"),
            (&["for=\"192.0.2.1:4711\""], 1, "192.0.2.1"),
            (&["for=192.0.2.1:4711"], 1, "192.0.2.1"),
            (&["FOR=\"[2001:db8:cafe::17]:4711\""], 1, "2001:db8:cafe::17"),
            (&["for=\"[2001:db8::1]\""], 1, "2001:db8::1"),
            (&["for=\"192.0.2\\.1\""], 1, "192.0.2.1"),
            (&["for=6.6.6.6, for=192.0.2.1"], 1, "192.0.2.1"),
            (&["for=6.6.6.6,for=192.0.2.1 , for=10.0.0.1"], 2, "192.0.2.1"),
            (&["for=192.0.2.1", "for=10.0.0.1"], 2, "192.0.2.1"),
            (&["for=192.0.2.1"], 3, "192.0.2.1"),
            (&["for=192.0.2.1;host=\"a, for=6.6.6.6\""], 1, "192.0.2.1"),
            (&["for=192.0.2.1;host=\"a;for=6.6.6.6\""], 1, "192.0.2.1"),
            (&["for=192.0.2.1;host=\"a\\\", for=6.6.6.6\""], 1, "192.0.2.1"),
            (&["for=unknown"], 1, "198.51.100.1"),
            (&["for=_hidden"], 1, "198.51.100.1"),
            (&["for=\"_gazonk:80\""], 1, "198.51.100.1"),
            (&["by=192.0.2.1"], 1, "198.51.100.1"),
            (&["for=6.6.6.6, by=192.0.2.1"], 1, "198.51.100.1"),
            (&["xfor=192.0.2.1"], 1, "198.51.100.1"),
            (&["192.0.2.1"], 1, "198.51.100.1"),
            (&["for = 192.0.2.1"], 1, "198.51.100.1"),
            (&["for=192.0.2.1;for=6.6.6.6"], 1, "198.51.100.1"),
            (&["for=192.0.2.1"], 0, "198.51.100.1"),
            (&[""], 1, "198.51.100.1"),
            (&[], 1, "198.51.100.1"),
        ] {
            let bytes: Vec<_> = fields.iter().map(|field| field.as_bytes()).collect();
            assert_eq!(seen(ProxyHeader::Forwarded, &bytes, count), expected, "{fields:?} {count}");
        }
    }

    #[test]
    fn over_a_unix_socket_only_proxies_know() {
        let mut headers = HeaderMap::new();
        let by = |count| Proxies { count, header: ProxyHeader::XForwardedFor };
        assert_eq!(address(&headers, None, by(1)), None);
        headers.append("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        assert_eq!(address(&headers, None, by(0)), None);
        assert_eq!(address(&headers, None, by(1)), "192.0.2.1".parse().ok());
    }
}
