//! Checks the head of an HTTP/1 request (RFC 9110, RFC 9112). A head that is ambiguous, so that a
//! proxy in front may have read it differently, is refused.

use std::mem::MaybeUninit;

use axum::body::Body;
use http::uri::Authority;
use http::{HeaderValue, Response, StatusCode, Uri, header};

use super::framing::Framing;
use crate::limits::json;

/// The maximum number of fields, the same as hyper's.
const MAX_FIELDS: usize = 100;
/// The maximum length of targets and field names, the same as hyper's. A head that hyper refuses
/// itself has no request id in the log.
const MAX_TEXT: usize = 65_534;

/// The reason why a head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed,
    Host,
    Length,
    Framing,
    TransferCoding,
    TooLarge,
    TargetTooLong,
    Version,
}

impl Refused {
    /// Returns the answer for the client. The connection ends, because the beginning of the next
    /// request is unknown.
    pub(super) fn response(self) -> Response<Body> {
        let (status, detail) = match self {
            Self::Malformed => {
                (StatusCode::BAD_REQUEST, r#"{"detail":"The request is not well-formed HTTP."}"#)
            }
            Self::Host => {
                (StatusCode::BAD_REQUEST, r#"{"detail":"One valid Host field is needed."}"#)
            }
            Self::Length => {
                (StatusCode::BAD_REQUEST, r#"{"detail":"Content-Length is not one number."}"#)
            }
            Self::Framing => {
                (StatusCode::BAD_REQUEST, r#"{"detail":"Transfer-Encoding is ambiguous."}"#)
            }
            Self::TransferCoding => {
                (StatusCode::NOT_IMPLEMENTED, r#"{"detail":"Transfer-Encoding is not supported."}"#)
            }
            Self::TooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                r#"{"detail":"The head of the request is too large."}"#,
            ),
            Self::TargetTooLong => {
                (StatusCode::URI_TOO_LONG, r#"{"detail":"The target of the request is too long."}"#)
            }
            Self::Version => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                r#"{"detail":"This version of HTTP is not spoken here."}"#,
            ),
        };
        let mut response = json(status, detail);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Checks a head, from its first line to the empty one. Returns the framing of the body after it.
pub(super) fn judge(head: &[u8]) -> Result<Framing, Refused> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(Refused::Malformed),
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooLarge),
        Err(httparse::Error::Version) if names_a_version(head) => return Err(Refused::Version),
        Err(_) => return Err(Refused::Malformed),
    }
    let target = request.path.unwrap_or_default();
    if target.len() > MAX_TEXT {
        return Err(Refused::TargetTooLong);
    }
    if !is_plain_path(target) && Uri::try_from(target).is_err() {
        return Err(Refused::Malformed);
    }
    if request.headers.iter().any(|field| field.name.len() > MAX_TEXT) {
        return Err(Refused::TooLarge);
    }
    let is_1_1 = request.version == Some(1);
    let of = |name: &'static str| {
        let fields = request.headers.iter();
        fields.filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    judge_host(of("host"), is_1_1)?;
    let length = length(of("content-length"))?;
    let chunked = chunked(of("transfer-encoding"))?;
    match (chunked, length) {
        (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        // Only an attacker, who hopes that two readers disagree, sends both.
        (true, Some(_)) => Err(Refused::Framing),
        (true, None) if is_1_1 => Ok(Framing::CHUNKED),
        (true, None) => Err(Refused::Framing),
    }
}

/// Returns `true` for the usual kind of target, which needs no parser.
fn is_plain_path(target: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    target.starts_with('/') && target.bytes().all(is_plain)
}

/// Returns `true` for the usual kind of `Host`, a name or an address with or without a port.
fn is_plain_host(host: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let name = host.iter().position(|byte| !is_plain(byte)).unwrap_or(host.len());
    name > 0
        && match host.get(name..) {
            Some([b':', port @ ..]) => {
                let number = std::str::from_utf8(port).map(str::parse::<u16>);
                port.iter().all(u8::is_ascii_digit) && matches!(number, Ok(Ok(_)))
            }
            rest => rest.is_some_and(<[u8]>::is_empty),
        }
}

/// Returns `true` if the first line would be valid with another version.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let mut words = line.split(|byte| *byte == b' ');
    let version = words.nth(2).and_then(|version| version.strip_prefix(b"HTTP/"));
    words.next().is_none()
        && version.is_some_and(|version| version.first().is_some_and(u8::is_ascii_digit))
}

/// Checks that there is one `Host`, which only HTTP/1.0 may omit. It is empty if the target has no
/// authority.
fn judge_host<'a>(mut hosts: impl Iterator<Item = &'a [u8]>, needed: bool) -> Result<(), Refused> {
    let Some(host) = hosts.next() else { return if needed { Err(Refused::Host) } else { Ok(()) } };
    if hosts.next().is_some() || !is_host(host) {
        return Err(Refused::Host);
    }
    Ok(())
}

/// Returns `true` for a valid `uri-host [ ":" port ]`.
pub(super) fn is_host(host: &[u8]) -> bool {
    if host.is_empty() || is_plain_host(host) {
        return true;
    }
    let Ok(authority) = Authority::try_from(host) else { return false };
    let text = authority.as_str();
    let after_host = text.get(authority.host().len()..).unwrap_or_default();
    let port = after_host.strip_prefix(':');
    !text.contains('@')
        && (after_host.is_empty()
            || port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok()))
}

fn length<'a>(mut lengths: impl Iterator<Item = &'a [u8]>) -> Result<Option<u64>, Refused> {
    let Some(length) = lengths.next() else { return Ok(None) };
    let digits = length.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(length).ok());
    match digits.flatten().and_then(|digits| digits.parse().ok()) {
        // hyper marks "chunked" and "until the end" with the two highest values.
        Some(number) if number < u64::MAX - 1 && lengths.next().is_none() => Ok(Some(number)),
        _ => Err(Refused::Length),
    }
}

/// Returns `true` if the body is chunked, the only coding that is supported.
fn chunked<'a>(codings: impl Iterator<Item = &'a [u8]>) -> Result<bool, Refused> {
    let mut seen = Vec::new();
    for field in codings {
        seen.extend(field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii));
    }
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match (seen.split_last(), seen.iter().filter(|coding| is_chunked(coding)).count()) {
        (None, _) => Ok(false),
        (Some((last, [])), 1) if is_chunked(last) => Ok(true),
        // The end of the body is known, but not the coding of its content.
        (Some((last, _)), 1) if is_chunked(last) => Err(Refused::TransferCoding),
        _ => Err(Refused::Framing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str) -> Result<Framing, Refused> {
        judge(format!("{head}\r\n").as_bytes())
    }

    #[test]
    fn host_stands_once_and_is_a_host() {
        for (head, good) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n", true),
            ("GET / HTTP/1.1\r\nHost:\r\n", true),
            ("GET / HTTP/1.1\r\nhOST: a.example:8000\r\n", true),
            ("GET / HTTP/1.1\r\nHost: a.example:\r\n", true),
            ("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n", true),
            ("GET / HTTP/1.1\r\nHost: my_service\r\n", true),
            ("GET / HTTP/1.0\r\n", true),
            ("GET / HTTP/1.0\r\nHost: a\r\n", true),
            ("GET / HTTP/1.1\r\n", false),
            ("GET http://a/ HTTP/1.1\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", false),
            ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a, b\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a b\r\n", false),
            ("GET / HTTP/1.1\r\nHost: user@a\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n", false),
            ("GET / HTTP/1.1\r\nHost: http://a\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a:b\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a:65536\r\n", false),
            ("GET / HTTP/1.1\r\nHost: [::1\r\n", false),
            ("GET / HTTP/1.1\r\nHost: \u{e9}\r\n", false),
        ] {
            let expected = if good { Ok(Framing::Length(0)) } else { Err(Refused::Host) };
            assert_eq!(judged(head), expected, "{head:?}");
        }
    }

    #[test]
    fn framing_is_unambiguous() {
        use Refused::{Framing as Ambiguous, Length as Number, TransferCoding};
        const MAX: &str = "Content-Length: 18446744073709551615";

        for (fields, expected) in [
            ("Content-Length: 0", Ok(Framing::Length(0))),
            ("Content-Length: 007", Ok(Framing::Length(7))),
            ("Transfer-Encoding: chunked", Ok(Framing::CHUNKED)),
            ("transfer-encoding:\tCHUNKED ", Ok(Framing::CHUNKED)),
            ("Content-Length: 5\r\nContent-Length: 5", Err(Number)),
            ("Content-Length: 5\r\nContent-Length: 6", Err(Number)),
            ("Content-Length: 5, 5", Err(Number)),
            ("Content-Length: +5", Err(Number)),
            ("Content-Length: -1", Err(Number)),
            ("Content-Length: 0x5", Err(Number)),
            ("Content-Length: 5 5", Err(Number)),
            ("Content-Length:", Err(Number)),
            ("Content-Length: \u{665}", Err(Number)),
            (MAX, Err(Number)),
            ("Content-Length: 99999999999999999999999", Err(Number)),
            ("Transfer-Encoding: gzip, chunked", Err(TransferCoding)),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", Err(TransferCoding)),
            ("Transfer-Encoding: identity, chunked", Err(TransferCoding)),
            (", Transfer-Encoding: chunked", Err(Refused::Malformed)),
            ("Transfer-Encoding: , chunked", Err(TransferCoding)),
            ("Transfer-Encoding: chunked,", Err(Ambiguous)),
            ("Transfer-Encoding:", Err(Ambiguous)),
            ("Transfer-Encoding: identity", Err(Ambiguous)),
            ("Transfer-Encoding: gzip", Err(Ambiguous)),
            ("Transfer-Encoding: xchunked", Err(Ambiguous)),
            ("Transfer-Encoding: \"chunked\"", Err(Ambiguous)),
            ("Transfer-Encoding: chunked;a=b", Err(Ambiguous)),
            ("Transfer-Encoding: chunked\u{b}", Err(Refused::Malformed)),
            ("Transfer-Encoding: chunked, gzip", Err(Ambiguous)),
            ("Transfer-Encoding: chunked, chunked", Err(Ambiguous)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Err(Ambiguous)),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", Err(Ambiguous)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", Err(Ambiguous)),
            ("Transfer-Encoding : chunked", Err(Refused::Malformed)),
            ("Content-Length : 5", Err(Refused::Malformed)),
            ("A: b\r\n Transfer-Encoding: chunked", Err(Refused::Malformed)),
            ("A: b\rTransfer-Encoding: chunked", Err(Refused::Malformed)),
            ("A: b\0", Err(Refused::Malformed)),
            ("A(): b", Err(Refused::Malformed)),
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(judged(&head), expected, "{fields:?}");
        }
        let of_1_0 = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(judged(of_1_0), Err(Ambiguous));
    }

    #[test]
    fn first_lines() {
        for (line, expected) in [
            ("GET / HTTP/1.1", Ok(Framing::Length(0))),
            ("PURGE http://a/b HTTP/1.1", Ok(Framing::Length(0))),
            ("OPTIONS * HTTP/1.1", Ok(Framing::Length(0))),
            ("GET / HTTP/1.2", Err(Refused::Version)),
            ("GET / HTTP/2.0", Err(Refused::Version)),
            ("GET / HTTP/9", Err(Refused::Version)),
            ("GET / HTTPS/1.1", Err(Refused::Malformed)),
            ("GET /", Err(Refused::Malformed)),
            ("GET", Err(Refused::Malformed)),
            ("GET /a b HTTP/1.1", Err(Refused::Malformed)),
            ("G T / HTTP/1.1", Err(Refused::Malformed)),
            ("\x16\x03\x01", Err(Refused::Malformed)),
        ] {
            assert_eq!(judged(&format!("{line}\r\nHost: a\r\n")), expected, "{line:?}");
        }
        let many = "A: b\r\n".repeat(MAX_FIELDS);
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}");
        assert_eq!(judged(&head), Err(Refused::TooLarge));
    }
}
