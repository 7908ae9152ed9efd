//! Identifying text without a PEM block, for error messages that say what to do.

use base64_simd::forgiving_decode_to_vec;
use zeroize::Zeroizing;

use super::{KeyError, der, pem, ssh};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// 1.2.840.113549.1.7.1 `data`, which wraps all content of PKCS#12 (RFC 7292).
const PKCS12: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";

/// Strips white space and a byte order mark.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii()
}

/// `true` if it looks like a JWK or a set of them.
pub(super) fn is_json(text: &[u8]) -> bool {
    trimmed(text).starts_with(b"{")
}

impl KeyError {
    /// Returns the error for text without a PEM block; `None` if there is one, whatever the bytes
    /// around it.
    ///
    /// ```
    /// use simplejwt::keys::KeyError;
    ///
    /// assert_eq!(KeyError::in_place_of_pem(b"\xffno key"), Some(KeyError::NoPem));
    /// assert_eq!(KeyError::in_place_of_pem(b"Schl\xfcssel -----BEGIN PUBLIC KEY-----"), None);
    /// ```
    pub fn in_place_of_pem(text: &[u8]) -> Option<Self> {
        pem::blocks(text).is_empty().then(|| identify(text))
    }
}

/// Returns the error that says what was given instead of PEM.
pub(super) fn identify(text: &[u8]) -> KeyError {
    let bare = trimmed(text);
    if is_wide(text) {
        return KeyError::WideText;
    }
    if is_der(text) {
        return KeyError::Der;
    }
    if is_json(text) {
        return KeyError::JwkForPem;
    }
    if bare.starts_with(b"---- BEGIN SSH2") {
        return KeyError::Rfc4716;
    }
    if bare.starts_with(b"PuTTY-User-Key-File") {
        return KeyError::Putty;
    }
    if std::str::from_utf8(bare).is_ok_and(ssh::is_public_key) {
        return KeyError::OpensshPublicKey;
    }
    let standard: Zeroizing<Vec<u8>> = Zeroizing::new(
        bare.iter()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect(),
    );
    if let Ok(decoded) = forgiving_decode_to_vec(&standard).map(Zeroizing::new) {
        if pem::find(&decoded, b"-----BEGIN ").is_some() {
            return KeyError::Base64OfPem;
        }
        if is_der(&decoded) {
            return KeyError::Base64OfDer;
        }
    }
    if pem::find(text, b"\\n").is_some() && pem::find(text, b"BEGIN").is_some() {
        return KeyError::EscapedLineBreaks;
    }
    if is_path(bare) {
        return KeyError::Path;
    }
    KeyError::NoPem
}

fn is_der(bytes: &[u8]) -> bool {
    let begins = bytes.starts_with(&[0x30, 0x82]) || bytes.starts_with(&[0x30, 0x81]);
    der::is_key(bytes) || begins && pem::find(bytes, PKCS12).is_some()
}

/// `true` for UTF-16 or UTF-32: ASCII with zero bytes in between.
fn is_wide(text: &[u8]) -> bool {
    let marked = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    let zeros = |parity: usize| {
        let every_other = text.iter().skip(parity).step_by(2).take(64);
        text.len() >= 8 && every_other.clone().count() > 2 && every_other.copied().all(|b| b == 0)
    };
    marked || zeros(0) != zeros(1)
}

fn is_path(text: &[u8]) -> bool {
    const ENDS: [&[u8]; 5] = [b".pem", b".key", b".crt", b".pub", b".der"];
    let one_line = text.len() < 500 && !text.iter().any(|byte| byte.is_ascii_control());
    one_line && ENDS.iter().any(|end| text.to_ascii_lowercase().ends_with(end))
}
