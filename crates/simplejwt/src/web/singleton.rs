//! Header fields that may occur only once (RFC 9110 section 5.3). If there are two, one program
//! uses the first and the next one the last, so a request that has them is refused.

use http::{HeaderMap, HeaderName};

#[cfg(any(feature = "tower", feature = "web"))]
pub(super) use self::decisive::check;

/// `true` if a field occurs more than once, with the same value or not.
pub(super) fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    has_repeated(headers) && headers.get_all(name).iter().nth(1).is_some()
}

/// `true` if any field occurs more than once, which is rare and easily told.
fn has_repeated(headers: &HeaderMap) -> bool {
    headers.len() > headers.keys_len()
}

#[cfg(any(feature = "tower", feature = "web"))]
mod decisive {
    use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN};
    use http::{HeaderMap, HeaderName};

    use super::{has_repeated, is_repeated};
    use crate::error::Error;
    use crate::settings::Settings;

    /// The fields that matter here. `Cookie` isn't one of them, since HTTP/2 sends it in pieces.
    static SINGLETONS: [HeaderName; 8] = [
        AUTHORIZATION,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        HOST,
        ORIGIN,
        HeaderName::from_static("sec-fetch-site"),
        HeaderName::from_static("sec-fetch-mode"),
        HeaderName::from_static("sec-fetch-dest"),
    ];

    /// Refuses a request that has one of them more than once, or the header that the settings name
    /// for tokens.
    ///
    /// # Errors
    /// [`Error::RepeatedHeader`] with the field's name.
    pub(in crate::web) fn check(headers: &HeaderMap, settings: &Settings) -> Result<(), Error> {
        if !has_repeated(headers) {
            return Ok(());
        }
        let own = settings.auth_header();
        let repeated =
            SINGLETONS.iter().chain(own.as_ref()).find(|name| is_repeated(headers, name));
        repeated.map_or(Ok(()), |name| Err(Error::RepeatedHeader(name.to_string())))
    }
}
