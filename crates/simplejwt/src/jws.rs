//! JWS in compact form (RFC 7515 section 7.1): parsing, signing and verifying.
//!
//! Strict where leniency has led to vulnerabilities elsewhere: exactly three segments, base64url
//! without padding, white space or alternative spellings, and one algorithm per key. Signing and
//! verifying start at [`KeySet`](crate::KeySet).

mod algorithm;
mod crypto;
mod header;
mod nesting;
mod seal;
mod typ;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub(crate) use algorithm::{Curve, KeyKind};
pub(crate) use crypto::{
    PrivateKey, PublicKey, Signer, SigningFailed, Verifier, generate_pkcs8, sha256,
};
pub(crate) use header::Header;
pub(crate) use nesting::{MAX_DEPTH, depth};
pub(crate) use seal::{Cipher, KEY_LEN, NONCE_LEN};
pub(crate) use typ::{Headers, Typ};

use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use crypto::MAX_SIGNATURE_LEN;

/// The maximum length of a token, in bytes: 16 KiB. HTTP servers don't accept longer header lines,
/// and upstream's tokens have about 300 bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The reason a token isn't a JWS of the configured keys, for logs.
///
/// Clients learn only that the token is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// Not three segments, or a segment that isn't base64url as RFC 7515 section 2 requires:
    /// without padding, and with its unused bits zero.
    #[error("the token is not three base64url segments")]
    Malformed,
    /// The header isn't a JSON object with unique names, a string `alg` and, if present, a string
    /// `kid`.
    #[error("the token's header is malformed")]
    Header,
    /// The header has `crit`, but no extension is implemented (RFC 7515 section 4.1.11).
    #[error("the token's header has critical extensions")]
    Critical,
    /// The header has `"b64": false` (RFC 7797).
    #[error("the token's payload is not base64url encoded")]
    UnencodedPayload,
    /// The header's `alg` isn't the algorithm of any configured key.
    #[error("the token's algorithm is not that of any configured key")]
    Algorithm,
    /// The header has no `kid`, and the keys can be chosen only by it.
    #[error("the token names no key")]
    NoKeyId,
    /// No configured key has the header's `kid`, and all of them have one.
    #[error("the token's key id is unknown")]
    UnknownKey,
    /// The signature isn't the key's.
    #[error("the token's signature is not valid")]
    Signature,
}

/// A compact JWS, parsed but not verified.
pub(crate) struct Compact<'t> {
    /// Still in base64url.
    pub(crate) header: &'t str,
    /// The signed part: header and payload with the dot between them.
    signed: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Compact<'t> {
    pub(crate) fn split(token: &'t str) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwsError::TooLong);
        }
        let malformed = JwsError::Malformed;
        // A third dot ends up in the payload, where it isn't part of the alphabet.
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        Ok(Self { header, signed, payload, signature })
    }

    pub(crate) fn parse_header(&self) -> Result<Header, JwsError> {
        let json = URL_SAFE_NO_PAD.decode_to_vec(self.header).map_err(|_| JwsError::Malformed)?;
        Header::parse(&json)
    }

    /// `true` if the signature is that of `key`.
    pub(crate) fn is_signed_by(&self, key: &Verifier) -> bool {
        let length = key.signature_len();
        if self.signature.len() != URL_SAFE_NO_PAD.encoded_length(length) {
            return false;
        }
        // Clearing the long buffer would cost as much as the rest of an HMAC's verification.
        if length <= SHORT {
            self.verify_in(key, &mut [0; SHORT])
        } else {
            self.verify_in(key, &mut [0; MAX_SIGNATURE_LEN])
        }
    }

    fn verify_in(&self, key: &Verifier, buffer: &mut [u8]) -> bool {
        let Some(buffer) = buffer.get_mut(..key.signature_len()) else { return false };
        URL_SAFE_NO_PAD
            .decode(self.signature.as_bytes(), buffer.as_out())
            .is_ok_and(|signature| key.verify(self.signed.as_bytes(), signature))
    }

    pub(crate) fn decode_payload(&self) -> Result<Vec<u8>, JwsError> {
        URL_SAFE_NO_PAD.decode_to_vec(self.payload).map_err(|_| JwsError::Malformed)
    }
}

/// Long enough for every HMAC, ES256, ES384 and EdDSA.
const SHORT: usize = 96;

/// Signs `payload` as a compact JWS. `header` is already encoded.
pub(crate) fn sign(key: &Signer, header: &str, payload: &[u8]) -> Result<String, SigningFailed> {
    const LONGEST_USUAL_SIGNATURE: usize = 342;
    let length = header.len() + URL_SAFE_NO_PAD.encoded_length(payload.len()) + 2;
    let mut token = String::with_capacity(length + LONGEST_USUAL_SIGNATURE);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_append(payload, &mut token);
    key.sign(token.as_bytes(), |signature| URL_SAFE_NO_PAD.encode_to_string(signature)).map(
        |signature| {
            token.push('.');
            token.push_str(&signature);
            token
        },
    )
}
