//! Just enough DER to identify a key: the structures of RFC 5280, 5915, 5958 and 8017.
//!
//! This code only sorts keys and takes them apart; the cryptographic library parses private keys
//! again and checks all numbers.

use zeroize::Zeroizing;

use crate::jws::{Curve, PrivateKey, PublicKey};

/// The content of a DER structure.
pub(super) enum Found {
    Public(PublicKey),
    Private(PrivateKey),
    /// A key, or something else, that no algorithm accepts; with its article.
    Other(&'static str),
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xa0;

/// Reads elements one after another.
pub(crate) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// Reads the content of an element that spans all of `der`.
    pub(crate) fn sequence(der: &'d [u8]) -> Option<Self> {
        let mut reader = Self(der);
        let content = reader.expect(SEQUENCE)?;
        reader.0.is_empty().then_some(Self(content))
    }

    pub(crate) fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    pub(crate) fn expect(&mut self, wanted: u8) -> Option<&'d [u8]> {
        self.next().and_then(|(tag, content)| (tag == wanted).then_some(content))
    }

    pub(crate) fn enter(&mut self) -> Option<Self> {
        self.expect(SEQUENCE).map(Self)
    }

    /// Skips the element if it comes next.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<&'d [u8]> {
        if self.0.first() == Some(&tag) { self.expect(tag) } else { None }
    }

    /// Reads a non-negative integer, without leading zeros.
    pub(crate) fn unsigned(&mut self) -> Option<&'d [u8]> {
        let bytes = self.expect(INTEGER)?;
        (bytes.first()? & 0x80 == 0).then(|| without_leading_zeros(bytes))
    }

    /// Reads a bit string of whole bytes.
    pub(crate) fn bits(&mut self) -> Option<&'d [u8]> {
        let (unused, bits) = self.expect(BIT_STRING)?.split_first()?;
        (*unused == 0).then_some(bits)
    }
}

/// For the certificates of databases.
#[allow(dead_code, reason = "each database uses a part of it")]
impl<'d> Reader<'d> {
    /// Reads the elements in `content`, one after another.
    pub(crate) fn of(content: &'d [u8]) -> Self {
        Self(content)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the unread rest.
    pub(crate) fn rest(&self) -> &'d [u8] {
        self.0
    }

    /// Reads the next element; returns the whole element, and its content alone.
    pub(crate) fn element(&mut self, wanted: u8) -> Option<(&'d [u8], &'d [u8])> {
        let before = self.0;
        let content = self.expect(wanted)?;
        Some((before.get(..before.len() - self.0.len())?, content))
    }
}

pub(super) fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// The algorithm of a key, according to its object identifiers.
enum KeyType {
    Rsa,
    Ec(Curve),
    Ed25519,
    Other(&'static str),
}

/// `AlgorithmIdentifier` (RFC 5280 section 4.1.1.2) of a key.
fn key_type(mut identifier: Reader<'_>) -> Option<KeyType> {
    Some(match identifier.expect(OBJECT_IDENTIFIER)? {
        // 1.2.840.113549.1.1.1 rsaEncryption, .10 id-RSASSA-PSS
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" | b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" => {
            KeyType::Rsa
        }
        // 1.2.840.10045.2.1 id-ecPublicKey
        b"\x2a\x86\x48\xce\x3d\x02\x01" => match identifier.next()? {
            (OBJECT_IDENTIFIER, curve) => named_curve(curve),
            _ => KeyType::Other("an EC key with explicit parameters instead of a named curve"),
        },
        // 1.3.101.110 to 113
        b"\x2b\x65\x6e" => KeyType::Other("an X25519 key"),
        b"\x2b\x65\x6f" => KeyType::Other("an X448 key"),
        b"\x2b\x65\x70" => KeyType::Ed25519,
        b"\x2b\x65\x71" => KeyType::Other("an Ed448 key"),
        // 1.2.840.10040.4.1
        b"\x2a\x86\x48\xce\x38\x04\x01" => KeyType::Other("a DSA key"),
        _ => KeyType::Other("a key of another type"),
    })
}

fn named_curve(oid: &[u8]) -> KeyType {
    match oid {
        b"\x2a\x86\x48\xce\x3d\x03\x01\x07" => KeyType::Ec(Curve::P256),
        b"\x2b\x81\x04\x00\x22" => KeyType::Ec(Curve::P384),
        b"\x2b\x81\x04\x00\x23" => KeyType::Ec(Curve::P521),
        b"\x2b\x81\x04\x00\x0a" => KeyType::Ec(Curve::Secp256k1),
        _ => KeyType::Other("an EC key on another curve"),
    }
}

/// Reads `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7): `PUBLIC KEY`.
pub(super) fn public_key_info(der: &[u8]) -> Option<Found> {
    let mut info = Reader::sequence(der)?;
    let key_type = key_type(info.enter()?)?;
    let key = info.bits()?;
    if !info.0.is_empty() {
        return None;
    }
    Some(match key_type {
        KeyType::Rsa => rsa_public_key(key)?,
        KeyType::Ec(curve) => Found::Public(PublicKey::Ec { curve, point: key.to_vec() }),
        KeyType::Ed25519 => Found::Public(PublicKey::Ed25519 { x: key.to_vec() }),
        KeyType::Other(what) => Found::Other(what),
    })
}

/// Reads `RSAPublicKey` (RFC 8017 appendix A.1.1): `RSA PUBLIC KEY`.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<Found> {
    let mut key = Reader::sequence(der)?;
    let (n, e) = (key.unsigned()?.to_vec(), key.unsigned()?.to_vec());
    key.0.is_empty().then_some(Found::Public(PublicKey::Rsa { n, e }))
}

/// Reads the public numbers of an `RSAPrivateKey`.
pub(super) fn rsa_public_half(der: &[u8]) -> Option<PublicKey> {
    let mut key = Reader::sequence(der)?;
    key.expect(INTEGER)?;
    let (n, e) = (key.unsigned()?.to_vec(), key.unsigned()?.to_vec());
    // d, p, q, dP, dQ, qInv
    for _ in 0..6 {
        key.expect(INTEGER)?;
    }
    Some(PublicKey::Rsa { n, e })
}

/// Reads `RSAPrivateKey` (RFC 8017 appendix A.1.2): `RSA PRIVATE KEY`.
pub(super) fn rsa_private_key(der: &[u8]) -> Option<Found> {
    rsa_public_half(der)?;
    Some(Found::Private(PrivateKey::Rsa { der: Zeroizing::new(der.to_vec()) }))
}

/// Reads `ECPrivateKey` (RFC 5915): `EC PRIVATE KEY`.
pub(super) fn ec_private_key(der: &[u8]) -> Option<Found> {
    let mut key = Reader::sequence(der)?;
    key.expect(INTEGER)?;
    key.expect(OCTET_STRING)?;
    let mut parameters = Reader(key.expect(CONTEXT_0)?);
    Some(match parameters.next()? {
        (OBJECT_IDENTIFIER, oid) => match named_curve(oid) {
            KeyType::Ec(curve) => {
                Found::Private(PrivateKey::Ec { curve, der: Zeroizing::new(der.to_vec()) })
            }
            KeyType::Other(what) => Found::Other(what),
            KeyType::Rsa | KeyType::Ed25519 => return None,
        },
        _ => Found::Other("an EC key with explicit parameters instead of a named curve"),
    })
}

/// Reads `OneAsymmetricKey` (RFC 5958), also known as PKCS#8: `PRIVATE KEY`.
pub(super) fn private_key_info(der: &[u8]) -> Option<Found> {
    let mut info = Reader::sequence(der)?;
    info.expect(INTEGER)?;
    let key_type = key_type(info.enter()?)?;
    let key = info.expect(OCTET_STRING)?;
    let whole = || Zeroizing::new(der.to_vec());
    Some(match key_type {
        KeyType::Rsa => rsa_private_key(key)?,
        KeyType::Ec(curve) => Found::Private(PrivateKey::Ec { curve, der: whole() }),
        KeyType::Ed25519 => Found::Private(PrivateKey::Ed25519 { der: whole() }),
        KeyType::Other(what) => Found::Other(what),
    })
}

/// Reads the public key of a `Certificate` (RFC 5280 section 4.1). Validity, names and signature
/// aren't checked: whoever configures a certificate trusts its key.
pub(super) fn certificate(der: &[u8]) -> Option<Found> {
    let mut certificate = Reader::sequence(der)?;
    let mut to_be_signed = certificate.enter()?;
    to_be_signed.optional(CONTEXT_0);
    to_be_signed.expect(INTEGER)?;
    // signature, issuer, validity, subject
    for _ in 0..4 {
        to_be_signed.expect(SEQUENCE)?;
    }
    let before = to_be_signed.0;
    to_be_signed.expect(SEQUENCE)?;
    public_key_info(before.get(..before.len() - to_be_signed.0.len())?)
}

/// `true` if `der` is a key or certificate in any of these forms.
pub(super) fn is_key(der: &[u8]) -> bool {
    [
        public_key_info,
        rsa_public_key,
        rsa_private_key,
        ec_private_key,
        private_key_info,
        certificate,
    ]
    .into_iter()
    .any(|read| read(der).is_some())
}
