//! The request header that carries a token (RFC 6750 section 2.1).

use std::borrow::Cow;

use http::HeaderMap;

use super::singleton::is_repeated;
use crate::error::Error;
use crate::settings::Settings;

/// Returns the token of a request; `None` if it has no credentials for this library: no header, an
/// empty one, or another scheme.
///
/// The scheme is compared case-insensitively (RFC 9110 section 11.1), unless two configured ones
/// differ only in case: then the exact spelling counts.
///
/// # Errors
/// [`Error::BadAuthorizationHeader`] if the scheme isn't followed by exactly one token,
/// [`Error::RepeatedHeader`] if the header was sent more than once.
pub fn raw_token(headers: &HeaderMap, settings: &Settings) -> Result<Option<String>, Error> {
    let Some(name) = settings.auth_header() else {
        return Ok(None);
    };
    if is_repeated(headers, &name) {
        return Err(Error::RepeatedHeader(name.to_string()));
    }
    let Some(header) = headers.get(name) else {
        return Ok(None);
    };
    let header = trimmed(header.as_bytes());
    let end = header.iter().position(is_space).unwrap_or(header.len());
    let (scheme, token) = header.split_at_checked(end).unwrap_or_default();
    if scheme.is_empty() || !is_ours(&text(scheme), &settings.auth_header_types) {
        return Ok(None);
    }
    let token = trimmed(token);
    // Of white space, a header's value can only contain these two.
    if token.is_empty() || token.contains(&b' ') || token.contains(&b'\t') {
        return Err(Error::BadAuthorizationHeader);
    }
    Ok(Some(text(token).into_owned()))
}

/// Returns the value without the white space around it, which is Python's for ASCII.
fn trimmed(value: &[u8]) -> &[u8] {
    let begin = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(begin, |last| last + 1);
    value.get(begin..end).unwrap_or_default()
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Returns the bytes as text. Nearly always they are, which is told faster by `from_utf8`.
fn text(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(value),
    }
}

fn is_ours(scheme: &str, configured: &[String]) -> bool {
    configured.iter().any(|ours| ours == scheme)
        || configured.iter().filter(|ours| ours.eq_ignore_ascii_case(scheme)).count() == 1
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn token(values: &[&[u8]], schemes: &[&str]) -> Result<Option<String>, ()> {
        let settings = Settings {
            auth_header_types: schemes.iter().map(|&scheme| scheme.to_owned()).collect(),
            ..Settings::default()
        };
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("authorization", HeaderValue::from_bytes(value).unwrap());
        }
        raw_token(&headers, &settings).map_err(|_| ())
    }

    /// The values of the header, and the token they contain.
    type Case<'a> = (&'a [&'a [u8]], Result<Option<&'a str>, ()>);

    #[test]
    fn the_forms_of_the_header() {
        let cases: [Case<'_>; 15] = [
            (&[], Ok(None)),
            (&[b""], Ok(None)),
            (&[b"  "], Ok(None)),
            (&[b"Basic abc"], Ok(None)),
            (&[b"Bearer"], Err(())),
            (&[b"Bearer a b"], Err(())),
            (&[b"Bearer abc"], Ok(Some("abc"))),
            (&[b"bEARER abc"], Ok(Some("abc"))),
            (&[b"  Bearer \t  abc  "], Ok(Some("abc"))),
            (&[b"Bearer\xa0abc"], Ok(None)),
            (&[b"Bearer a\xa0b"], Ok(Some("a\u{fffd}b"))),
            (&[b"Bearer a", b"Bearer b"], Err(())),
            (&[b"Bearer a", b"Bearer a"], Err(())),
            (&[b"Bearer a", b""], Err(())),
            (&[b"Bearerabc"], Ok(None)),
        ];
        for (values, expected) in cases {
            let expected = expected.map(|token| token.map(str::to_owned));
            assert_eq!(token(values, &["Bearer"]), expected, "{values:?}");
        }
    }

    #[test]
    fn configured_spelling_decides_between_schemes_that_differ_by_case() {
        let schemes = ["JWT", "jwt"];
        assert_eq!(token(&[b"JWT a"], &schemes), Ok(Some("a".into())));
        assert_eq!(token(&[b"jwt a"], &schemes), Ok(Some("a".into())));
        assert_eq!(token(&[b"Jwt a"], &schemes), Ok(None));
    }

    #[test]
    fn another_header_can_be_configured() {
        let settings =
            Settings { auth_header_name: "HTTP_X_ACCESS_TOKEN".into(), ..Settings::default() };
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer no"));
        assert!(raw_token(&headers, &settings).unwrap().is_none());
        headers.insert("x-access-token", HeaderValue::from_static("Bearer yes"));
        assert_eq!(raw_token(&headers, &settings).unwrap().unwrap(), "yes");
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(value: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.append("authorization", value);
                let _ = raw_token(&headers, &Settings::default());
            }
        }
    }
}
