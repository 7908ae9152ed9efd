//! Keys ready for use: parsed once, then only used. The only file that names the cryptographic
//! crates.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    RsaEncoding, RsaKeyPair, RsaParameters, VerificationAlgorithm,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Curve};

/// The length of the longest signature, which is that of an RSA key of 8192 bits.
pub(crate) const MAX_SIGNATURE_LEN: usize = 1024;

/// A public key as numbers, independent of the cryptographic library.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// Big-endian, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point as in SEC 1 section 2.3.3, uncompressed once a key is ready to use.
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

/// A private key as stored in a file.
pub(crate) enum PrivateKey {
    /// `RSAPrivateKey` of RFC 8017, in DER.
    Rsa { der: Zeroizing<Vec<u8>> },
    /// `ECPrivateKey` of RFC 5915 or PKCS#8, in DER.
    Ec { curve: Curve, der: Zeroizing<Vec<u8>> },
    /// PKCS#8 (RFC 8410), in DER.
    Ed25519 { der: Zeroizing<Vec<u8>> },
}

/// An HMAC with its key schedule computed. Cloning one is cheaper than computing it again.
#[derive(Clone)]
enum HmacKey {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl HmacKey {
    /// Returns `None` if the algorithm isn't an HMAC.
    fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Hs256 => Hmac::new_from_slice(secret).ok().map(Self::Sha256),
            Algorithm::Hs384 => Hmac::new_from_slice(secret).ok().map(Self::Sha384),
            Algorithm::Hs512 => Hmac::new_from_slice(secret).ok().map(Self::Sha512),
            _ => None,
        }
    }

    /// Passes the whole MAC of `message` to `then`.
    fn mac<T>(&self, message: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Sha256(key) => then(&key.clone().chain_update(message).finalize().into_bytes()),
            Self::Sha384(key) => then(&key.clone().chain_update(message).finalize().into_bytes()),
            Self::Sha512(key) => then(&key.clone().chain_update(message).finalize().into_bytes()),
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::Sha256(_) => 32,
            Self::Sha384(_) => 48,
            Self::Sha512(_) => 64,
        }
    }
}

/// A key that signs.
pub(crate) struct Signer(SignerKind);

#[expect(clippy::large_enum_variant, reason = "one per key, and behind an Arc")]
enum SignerKind {
    Hmac(HmacKey),
    Rsa { pair: RsaKeyPair, padding: &'static dyn RsaEncoding },
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// Returns `None` if the algorithm isn't an HMAC.
    pub(crate) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        HmacKey::new(algorithm, secret).map(|key| Self(SignerKind::Hmac(key)))
    }

    /// Returns the signer, with its public half as far as the key itself doesn't contain it. `None`
    /// if the key is unusable or of the wrong type for the algorithm.
    pub(crate) fn private(
        algorithm: Algorithm,
        key: &PrivateKey,
    ) -> Option<(Self, Option<Vec<u8>>)> {
        match key {
            PrivateKey::Rsa { der } => {
                let padding = rsa_encoding(algorithm)?;
                let pair = RsaKeyPair::from_der(der).ok()?;
                Some((Self(SignerKind::Rsa { pair, padding }), None))
            }
            PrivateKey::Ec { der, .. } => {
                let (signing, _) = ecdsa(algorithm)?;
                let pair = EcdsaKeyPair::from_private_key_der(signing, der).ok()?;
                let point = pair.public_key().as_ref().to_vec();
                Some((Self(SignerKind::Ecdsa(pair)), Some(point)))
            }
            PrivateKey::Ed25519 { der } => {
                let pair = Ed25519KeyPair::from_pkcs8(der).ok()?;
                let x = pair.public_key().as_ref().to_vec();
                Some((Self(SignerKind::Ed25519(pair)), Some(x)))
            }
        }
    }

    /// Passes the signature of `message` to `then`.
    pub(crate) fn sign<T>(
        &self,
        message: &[u8],
        then: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, SigningFailed> {
        // For the nonce of ECDSA and the salt of PSS. AWS-LC hedges ECDSA's nonce with the private
        // key and the message, so a weak generator alone doesn't reveal the key.
        let random = SystemRandom::new();
        match &self.0 {
            SignerKind::Hmac(key) => Ok(key.mac(message, then)),
            SignerKind::Rsa { pair, padding } => {
                let mut buffer = [0; MAX_SIGNATURE_LEN];
                let signature = buffer.get_mut(..pair.public_modulus_len()).ok_or(SigningFailed)?;
                pair.sign(*padding, &random, message, signature)?;
                Ok(then(signature))
            }
            SignerKind::Ecdsa(pair) => Ok(then(pair.sign(&random, message)?.as_ref())),
            SignerKind::Ed25519(pair) => Ok(then(pair.try_sign(message)?.as_ref())),
        }
    }
}

/// The cryptographic library couldn't make a signature.
#[derive(Debug)]
pub(crate) struct SigningFailed;

impl From<Unspecified> for SigningFailed {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// A key that verifies.
pub(crate) struct Verifier(VerifierKind);

#[expect(clippy::large_enum_variant, reason = "one per key, and behind an Arc")]
enum VerifierKind {
    Hmac(HmacKey),
    Public { key: ParsedPublicKey, signature_len: usize },
}

impl Verifier {
    /// Returns `None` if the algorithm isn't an HMAC.
    pub(crate) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        HmacKey::new(algorithm, secret).map(|key| Self(VerifierKind::Hmac(key)))
    }

    /// Also converts an EC point to its uncompressed form. Returns `None` if the key is unusable (a
    /// point off the curve) or of the wrong type for the algorithm.
    pub(crate) fn public(algorithm: Algorithm, key: &mut PublicKey) -> Option<Self> {
        let (key, signature_len) = match key {
            PublicKey::Rsa { n, e } => {
                let parameters = rsa_parameters(algorithm)?;
                (rsa_public(parameters, n, e).ok()?, n.len())
            }
            PublicKey::Ec { curve, point } => {
                let (_, verifying) = ecdsa(algorithm)?;
                let key = ParsedPublicKey::new(verifying, &*point).ok()?;
                let full = 1 + 2 * curve.field_len();
                if point.len() != full {
                    let spki = key.as_der().ok()?;
                    let start = spki.as_ref().len().checked_sub(full)?;
                    *point = spki.as_ref().get(start..)?.to_vec();
                }
                (key, 2 * curve.field_len())
            }
            PublicKey::Ed25519 { x } if algorithm == Algorithm::EdDsa => {
                (ParsedPublicKey::new(&signature::ED25519, x).ok()?, 64)
            }
            PublicKey::Ed25519 { .. } => return None,
        };
        Some(Self(VerifierKind::Public { key, signature_len }))
    }

    /// Returns the length of this key's signatures, in bytes; at most [`MAX_SIGNATURE_LEN`].
    pub(crate) fn signature_len(&self) -> usize {
        match &self.0 {
            VerifierKind::Hmac(key) => key.len(),
            VerifierKind::Public { signature_len, .. } => *signature_len,
        }
    }

    /// Returns `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1); `None` for a secret.
    pub(crate) fn spki(&self) -> Option<Vec<u8>> {
        match &self.0 {
            VerifierKind::Hmac(_) => None,
            VerifierKind::Public { key, .. } => Some(key.as_der().ok()?.as_ref().to_vec()),
        }
    }

    /// `true` if `signature` is this key's over `message`. MACs are compared in full and in
    /// constant time; ECDSA accepts only r||s (RFC 7518 section 3.4).
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            VerifierKind::Hmac(key) => {
                key.mac(message, |mac| verify_slices_are_equal(mac, signature).is_ok())
            }
            VerifierKind::Public { key, .. } => key.verify_sig(message, signature).is_ok(),
        }
    }
}

/// Generates a private key as PKCS#8 in DER. Fails for HMAC, which has none.
pub(crate) fn generate_pkcs8(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, SigningFailed> {
    let der = if let Some((signing, _)) = ecdsa(algorithm) {
        EcdsaKeyPair::generate(signing)?.to_pkcs8v1()?.as_ref().to_vec()
    } else if algorithm == Algorithm::EdDsa {
        Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec()
    } else if rsa_encoding(algorithm).is_some() {
        let pair = RsaKeyPair::generate(KeySize::Rsa3072)?;
        AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().to_vec()
    } else {
        return Err(SigningFailed);
    };
    Ok(Zeroizing::new(der))
}

/// Computes SHA-256, for JWK thumbprints.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    hash
}

fn rsa_public(
    parameters: &'static RsaParameters,
    n: &[u8],
    e: &[u8],
) -> Result<ParsedPublicKey, KeyRejected> {
    // Parsed from its DER once more, since the library checks the numbers only then.
    let unchecked = PublicKeyComponents { n, e }.to_parsed_public_key(parameters)?;
    ParsedPublicKey::new(parameters as &dyn VerificationAlgorithm, unchecked.as_ref())
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

type Ecdsa = (&'static EcdsaSigningAlgorithm, &'static dyn VerificationAlgorithm);

fn ecdsa(algorithm: Algorithm) -> Option<Ecdsa> {
    Some(match algorithm {
        Algorithm::Es256 => {
            (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &signature::ECDSA_P256_SHA256_FIXED)
        }
        Algorithm::Es256K => {
            (&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING, &signature::ECDSA_P256K1_SHA256_FIXED)
        }
        Algorithm::Es384 => {
            (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &signature::ECDSA_P384_SHA384_FIXED)
        }
        Algorithm::Es512 => {
            (&signature::ECDSA_P521_SHA512_FIXED_SIGNING, &signature::ECDSA_P521_SHA512_FIXED)
        }
        _ => return None,
    })
}
