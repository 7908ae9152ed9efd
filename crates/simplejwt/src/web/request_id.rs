//! The id of a request in the log, here and at the proxies in front.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::random;

/// The id of a request: the one that a proxy or the client gave it in `X-Request-Id`, or a new one.
///
/// Events name it ([`EventRecord::request_id`](crate::EventRecord::request_id)) if whoever accepts the
/// request puts it into the request's extensions, as the server does.
///
/// ```
/// use http::HeaderMap;
/// use simplejwt::web::request_id::RequestId;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(RequestId::HEADER, "7f3c-22".parse()?);
/// assert_eq!(RequestId::of(&headers).as_str(), "7f3c-22");
/// assert_eq!(RequestId::of(&HeaderMap::new()).as_str().len(), 32);
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// `X-Request-Id`.
    pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
    /// The maximum length, in characters.
    pub const LONGEST: usize = 128;

    /// Returns the id of the request with these headers. A given id is used if it is the only one
    /// and well-formed: 1 to 128 ASCII letters, digits and `-._~:=+/@`, like UUIDs, ULIDs, W3C
    /// trace ids and base64. Otherwise a random UUID is created, as 32 hexadecimal digits.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(Self::HEADER).iter();
        match (sent.next().and_then(well_formed), sent.next()) {
            (Some(id), None) => Self(id.into()),
            // Digits are UTF-8.
            _ => Self(std::str::from_utf8(&random::uuid4_digits()).unwrap_or_default().into()),
        }
    }

    /// Returns the id as text: at most [`LONGEST`](Self::LONGEST) ASCII characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Returns the id as a header value for an answer. Never `None`, since a well-formed id is a
    /// valid header value.
    pub fn header_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

fn well_formed(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:=+/@".contains(&byte);
    let fits = (1..=RequestId::LONGEST).contains(&text.len());
    (fits && text.bytes().all(is_good)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sent: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(RequestId::HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        let id = RequestId::of(&headers);
        assert_eq!(id.header_value().unwrap().as_bytes(), id.as_str().as_bytes());
        id.as_str().to_owned()
    }

    #[test]
    fn what_is_well_formed_is_taken() {
        let longest = [b'a'; RequestId::LONGEST];
        for good in [
            &b"1"[..],
            b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            b"01ARZ3NDEKTSV4RRFFQ69G5FAV",
            b"Root=1-67891233-abcdef012345678912345678",
            b"aGVsbG8+/w==",
            b"a@b:c_d~e.f",
            &longest,
        ] {
            assert_eq!(of(&[good]).as_bytes(), good);
        }
    }

    #[test]
    fn what_is_not_is_replaced_by_one_of_its_own() {
        let long = [b'a'; RequestId::LONGEST + 1];
        let bad: [&[&[u8]]; 9] = [
            &[],
            &[b""],
            &[b"a b"],
            &[b"a\tb"],
            &[b"a\"b"],
            &[b"a\xe2\x80\xae"],
            &[b"a\xff"],
            &[b"a", b"b"],
            &[&long],
        ];
        let made: std::collections::BTreeSet<_> = bad.iter().map(|sent| of(sent)).collect();
        assert_eq!(made.len(), bad.len(), "each is another: {made:?}");
        assert!(made.iter().all(|id| id.len() == 32), "{made:?}");
    }
}
