//! Header fields that may stand once (RFC 9110 section 5.3). Of two of them one program takes the
//! first and the next one the last, so that a request that has them is refused.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, ORIGIN};

use crate::error::Error;
use crate::settings::Settings;

pub(super) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
pub(super) const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
pub(super) const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Those that decide something here. `Cookie` isn't one of them: HTTP/2 sends it in pieces.
static SINGLETONS: [HeaderName; 8] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    ORIGIN,
    SEC_FETCH_SITE,
    SEC_FETCH_MODE,
    SEC_FETCH_DEST,
];

/// Refuses a request that has one of them more than once, equal or not; so for the header that the
/// settings name for tokens.
///
/// # Errors
/// [`Error::RepeatedHeader`]
pub(super) fn check(headers: &HeaderMap, settings: &Settings) -> Result<(), Error> {
    let repeated = SINGLETONS.iter().find(|name| is_repeated(headers, name));
    if let Some(name) = repeated {
        return Err(Error::RepeatedHeader(name.to_string()));
    }
    match settings.auth_header() {
        Some(name) if is_repeated(headers, &name) => Err(Error::RepeatedHeader(name.to_string())),
        _ => Ok(()),
    }
}

/// Whether a field is there more than once.
pub(super) fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}
