//! Loading keys from text: selecting the intended PEM block, and reading its content.

use super::check::{check_type, public_kind};
use super::der::{self, Found};
use super::{Algorithm, KeyError, pem, unknown};
use crate::jws::{KeyKind, PrivateKey};

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    Private,
    Public,
}

/// Returns the key that a text is meant to contain.
///
/// For signing: the first readable private key that fits the algorithm; failing that, the first
/// private key, or its fault. For verifying: the first public key or certificate, since the
/// certificates after the first are those of its issuers. If there is none of the required sort,
/// the first of the other sort.
pub(super) fn find_key(
    text: &[u8],
    wanted: Wanted,
    algorithm: Algorithm,
) -> Result<Found, KeyError> {
    let blocks = pem::blocks(text);
    if blocks.is_empty() {
        return Err(unknown::identify(text));
    }
    let mut private = blocks.iter().filter(|block| block.label.ends_with("PRIVATE KEY")).peekable();
    let public = blocks
        .iter()
        .find(|block| block.label.ends_with("PUBLIC KEY") || block.label.ends_with("CERTIFICATE"));
    match (wanted, private.peek(), public) {
        (Wanted::Public, _, Some(block)) | (Wanted::Private, None, Some(block)) => {
            read_block(block)
        }
        (_, Some(_), _) => first_fitting(private.map(read_block), algorithm),
        (_, None, None) => {
            Err(blocks.into_iter().next().map_or(KeyError::NoPem, |block| match block.der {
                Err(error) => error,
                Ok(_) => KeyError::NotAKey(block.label.chars().take(40).collect()),
            }))
        }
    }
}

fn first_fitting(
    keys: impl Iterator<Item = Result<Found, KeyError>>,
    algorithm: Algorithm,
) -> Result<Found, KeyError> {
    let mut first = None;
    for key in keys {
        let fits = key.as_ref().is_ok_and(|found| {
            let kind = match found {
                Found::Private(PrivateKey::Rsa { .. }) => KeyKind::Rsa,
                Found::Private(PrivateKey::Ec { curve, .. }) => KeyKind::Ec(*curve),
                Found::Private(PrivateKey::Ed25519 { .. }) => KeyKind::Ed25519,
                Found::Public(key) => public_kind(key),
                Found::Other(_) => return false,
            };
            check_type(algorithm, kind).is_ok()
        });
        if fits {
            return key;
        }
        // A readable key of another type makes a better message than an unreadable one.
        match (&first, &key) {
            (None, _) | (Some(Err(_)), Ok(_)) => first = Some(key),
            _ => {}
        }
    }
    first.unwrap_or(Err(KeyError::NoPem))
}

/// Reads a structure; returns `None` if the DER is something else.
type Read = fn(&[u8]) -> Option<Found>;

fn read_block(block: &pem::Block<'_>) -> Result<Found, KeyError> {
    if block.encrypted {
        return Err(KeyError::Encrypted);
    }
    let (read, what): (Read, _) = match block.label {
        "PRIVATE KEY" => (der::private_key_info, "the private key (PKCS#8)"),
        "RSA PRIVATE KEY" => (der::rsa_private_key, "the RSA private key (PKCS#1)"),
        "EC PRIVATE KEY" => (der::ec_private_key, "the EC private key (SEC 1)"),
        "PUBLIC KEY" => (der::public_key_info, "the public key"),
        "RSA PUBLIC KEY" => (der::rsa_public_key, "the RSA public key (PKCS#1)"),
        "CERTIFICATE" | "X509 CERTIFICATE" => (der::certificate, "the certificate"),
        "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
        "OPENSSH PRIVATE KEY" => return Err(KeyError::OpensshPrivateKey),
        "DSA PRIVATE KEY" | "DSA PUBLIC KEY" => return Ok(Found::Other("a DSA key")),
        other => return Err(KeyError::NotAKey(other.chars().take(40).collect())),
    };
    let der = block.der.as_ref().map_err(Clone::clone)?;
    read(der).ok_or(KeyError::Malformed(what))
}

#[cfg(test)]
mod tests;
