//! Moves the address of a request into `Host`, for every version of HTTP.

use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::{HeaderValue, Uri, Version};

use super::head::{Refused, is_host};

/// Moves the target's authority into `Host`, which it replaces (RFC 9112, section 3.2.2; RFC 9113,
/// section 8.3.1), leaves the path as the target, and joins the parts of an HTTP/2 cookie (section
/// 8.2.3).
///
/// # Errors
/// The request has no host, or two different ones.
pub(super) fn settle(head: &mut Parts) -> Result<(), Refused> {
    let is_http2 = head.version == Version::HTTP_2;
    if !is_http2 && head.uri.authority().is_none() {
        // The guard has judged the only one.
        return Ok(());
    }
    let given: Vec<_> = head.headers.get_all(HOST).iter().collect();
    if given.len() > 1 || given.iter().any(|host| !is_host(host.as_bytes())) {
        return Err(Refused::Host);
    }
    if let Some(authority) = head.uri.authority() {
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| Refused::Host)?;
        let same = |host: &&HeaderValue| {
            host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) || !is_http2
        };
        if !is_host(authority.as_bytes()) || !given.iter().all(same) {
            return Err(Refused::Host);
        }
        head.headers.insert(HOST, authority);
        if let Some(path) = head.uri.path_and_query() {
            head.uri = Uri::from(path.clone());
        }
    } else if is_http2 && given.is_empty() {
        return Err(Refused::Host);
    }
    if is_http2 {
        join_cookies(head);
    }
    Ok(())
}

fn join_cookies(head: &mut Parts) {
    let pieces: Vec<_> = head.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        head.headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn settled(version: Version, uri: &str, hosts: &[&str]) -> Option<(String, String)> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        settle(&mut head).ok()?;
        let host = head.headers.get(HOST).map_or("", |host| host.to_str().unwrap());
        Some((host.to_owned(), head.uri.to_string()))
    }

    #[test]
    fn the_target_counts() {
        const V1: Version = Version::HTTP_11;
        const V2: Version = Version::HTTP_2;
        for (version, uri, hosts, expected) in [
            (V1, "/a?b", &["h"][..], Some(("h", "/a?b"))),
            (V1, "http://t/a?b", &["h"], Some(("t", "/a?b"))),
            (V1, "http://t:8/", &["t"], Some(("t:8", "/"))),
            (V1, "*", &["h"], Some(("h", "*"))),
            (Version::HTTP_10, "/", &[], Some(("", "/"))),
            (V1, "http://u@t/", &["t"], None),
            (V2, "http://t/a?b", &[], Some(("t", "/a?b"))),
            (V2, "https://t/", &["T"], Some(("t", "/"))),
            (V2, "/", &["h"], Some(("h", "/"))),
            (V2, "/", &[], None),
            (V2, "http://t/", &["h"], None),
            (V2, "http://t/", &["t", "t"], None),
            (V2, "http://u@t/", &[], None),
            (V2, "/", &["a b"], None),
        ] {
            let expected = expected.map(|(host, uri)| (host.to_owned(), uri.to_owned()));
            assert_eq!(settled(version, uri, hosts), expected, "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn pieces_of_a_cookie_are_put_together() {
        for (version, expected) in [(Version::HTTP_2, 1), (Version::HTTP_11, 2)] {
            let request = Request::builder().version(version).uri("http://a/");
            let request = request.header(COOKIE, "a=1").header(COOKIE, "b=2");
            let (mut head, ()) = request.body(()).unwrap().into_parts();
            settle(&mut head).unwrap();
            assert_eq!(head.headers.get_all(COOKIE).iter().count(), expected);
            if expected == 1 {
                assert_eq!(head.headers[COOKIE], "a=1; b=2");
            }
        }
    }
}
