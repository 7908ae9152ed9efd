//! What a 401 says of its reason in `WWW-Authenticate`.

/// The content of `WWW-Authenticate` in the answers of protected routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WwwAuthenticate {
    /// The scheme and realm alone, as upstream.
    #[default]
    Simplejwt,
    /// Also `error` and `error_description` (RFC 6750 section 3), by which clients that know no JSON
    /// of this library tell a token that is expired from credentials that are missing.
    Rfc6750,
}
