//! Values that can't serve as HMAC secrets.

use base64_simd::STANDARD;
use zeroize::Zeroizing;

use super::{KeyError, der, pem, ssh};
use crate::jws::{Algorithm, KeyKind};

/// Refuses secrets that are no secrets and, unless `allow_weak` is set, weak ones.
pub(super) fn check(algorithm: Algorithm, secret: &[u8], allow_weak: bool) -> Result<(), KeyError> {
    let KeyKind::Secret { least: needed } = algorithm.key_kind() else {
        return Err(KeyError::WrongConstructor {
            algorithm,
            needed: algorithm.key_kind().description(),
        });
    };
    if secret.is_empty() {
        return Err(KeyError::EmptySecret { algorithm, needed });
    }
    if let Some(what) = public_material(secret) {
        return Err(KeyError::KeyAsSecret { algorithm, what });
    }
    if allow_weak {
        return Ok(());
    }
    if let Some(placeholder) = placeholder(secret) {
        return Err(KeyError::PlaceholderSecret(placeholder));
    }
    if secret.len() < needed {
        return Err(KeyError::ShortSecret { algorithm, length: secret.len(), needed });
    }
    Ok(())
}

/// Finds the beginnings of secrets from public documentation. The jwt.io ones are long enough to
/// pass for real ones.
fn placeholder(secret: &[u8]) -> Option<&'static str> {
    const PLACEHOLDERS: [&str; 7] = [
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-",
        "your-256-bit-secret",
        "your-384-bit-secret",
        "your-512-bit-secret",
        "change-me",
        "changeme",
    ];
    let starts_with = |start: &&str| {
        secret.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start.as_bytes()))
    };
    PLACEHOLDERS.into_iter().find(starts_with)
}

/// Names the asymmetric key, certificate or JWK that `secret` is, if any: an attacker who has the
/// public half would know the secret (RFC 8725 section 2.1).
fn public_material(secret: &[u8]) -> Option<&'static str> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let trimmed = secret.trim_ascii();
    let trimmed = trimmed.strip_prefix(BYTE_ORDER_MARK).unwrap_or(trimmed).trim_ascii();
    if [b"-----BEGIN ".as_slice(), b"---- BEGIN "].iter().any(|begin| contains(trimmed, begin)) {
        return Some("a PEM file");
    }
    if is_ssh(trimmed) {
        return Some("an OpenSSH public key");
    }
    if der::is_key(secret) || is_base64_of_key(trimmed) {
        return Some("a key or certificate in DER");
    }
    if is_jwk(trimmed) {
        return Some("a JWK");
    }
    // UTF-16 and UTF-32 text is ASCII with zero bytes in between.
    if trimmed.contains(&0) {
        let ascii = trimmed.iter().copied().filter(|&byte| byte != 0 && byte < 0x80);
        let text = Zeroizing::new(ascii.collect::<Vec<_>>());
        if text.len() * 2 <= trimmed.len() {
            return public_material(&text);
        }
    }
    None
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    pem::find(text, part).is_some()
}

/// `true` for a public key line, its base64 alone, or a line with options before it as in
/// `authorized_keys`.
fn is_ssh(text: &[u8]) -> bool {
    // "ssh-rsa", "ssh-dss", "ssh-ed25519" and "ecdsa-sha2-nistp" behind their length.
    const BLOBS: [&str; 4] =
        ["AAAAB3NzaC1yc2E", "AAAAB3NzaC1kc3", "AAAAC3NzaC1lZDI1NTE5", "ZWNkc2Etc2hhMi1uaXN0c"];
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .any(|line| ssh::is_public_key(line.trim_start()) && line.trim().contains(' '))
        || BLOBS.iter().any(|blob| contains(text, blob.as_bytes()))
        || [b"\0\0\0\x07ssh-".as_slice(), b"\0\0\0\x0bssh-", b"\0\0\0\x13ecdsa-"]
            .iter()
            .any(|blob| text.starts_with(blob))
}

fn is_base64_of_key(text: &[u8]) -> bool {
    let bytes = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    let base64 = Zeroizing::new(bytes.collect::<Vec<_>>());
    STANDARD.decode_to_vec(base64.as_slice()).is_ok_and(|bytes| der::is_key(&Zeroizing::new(bytes)))
}

/// `true` for JSON in which any object, at any depth, has a member `kty`.
fn is_jwk(text: &[u8]) -> bool {
    fn has_kty(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Object(members) => {
                members.contains_key("kty") || members.values().any(has_kty)
            }
            serde_json::Value::Array(values) => values.iter().any(has_kty),
            _ => false,
        }
    }
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(value) => has_kty(&value),
        // Cut off, too deep, or followed by something else: still not random bytes.
        Err(_) => matches!(text.first(), Some(b'{' | b'[')) && contains(text, b"\"kty\""),
    }
}
