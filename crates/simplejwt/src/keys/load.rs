//! From text to a key of some type: which PEM block is meant, and what is in it.

use super::der::{self, Found};
use super::{KeyError, pem};

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    Private,
    Public,
}

/// The first block of the wanted sort, or else the first that is a key at all.
pub(super) fn find_key(text: &[u8], wanted: Wanted) -> Result<Found, KeyError> {
    let blocks = pem::blocks(text)?;
    let is_private = |block: &&pem::Block<'_>| block.label.ends_with("PRIVATE KEY");
    let is_public = |block: &&pem::Block<'_>| {
        block.label.ends_with("PUBLIC KEY") || block.label.ends_with("CERTIFICATE")
    };
    let first_private = blocks.iter().find(is_private);
    let first_public = blocks.iter().find(is_public);
    let block = match wanted {
        Wanted::Private => first_private.or(first_public),
        Wanted::Public => first_public.or(first_private),
    };
    match block {
        Some(block) => read_block(block),
        None => Err(blocks.first().map_or(KeyError::NoPem, |block| {
            KeyError::NotAKey(block.label.chars().take(40).collect())
        })),
    }
}

/// Reads one structure; `None` if the DER isn't it.
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
    read(&block.der).ok_or(KeyError::Malformed(what))
}
