//! Keys that sign and verify tokens.
//!
//! A key has exactly one [`Algorithm`], so a token's header has nothing to choose (RFC 8725 section
//! 3.1). Any fault of a key is found when it is loaded, as a [`KeyError`] that says what to do. A
//! [`KeySet`] is what tokens are signed and verified with; a [`ring`] makes one after another of
//! it, as its keys come and go.

mod check;
pub(crate) mod der;
mod encrypted;
mod error;
mod generate;
mod jwk_set;
mod load;
mod pem;
mod private_jwk;
mod remote;
pub mod ring;
pub mod seal;
mod secret;
mod set;
mod ssh;
mod unknown;

pub use crate::jws::{Algorithm, JwsError, MAX_TOKEN_BYTES, UnknownAlgorithm};
pub use error::KeyError;
pub use generate::GenerateError;
pub use jwk_set::UnusedJwk;
pub use remote::{FetchError, Fetched, KeySource, Published, RemoteKeys, RemoteOptions};
pub use set::{KeySet, SignError};

use std::fmt;
use std::sync::Arc;

use crate::jwk::{self, Jwk, Material};
use crate::jws::{Headers, KeyKind, PrivateKey, PublicKey, Signer, Typ, Verifier};
use check::{check_numbers, check_type, needs_pair, not_hmac, public_kind, wrong_type};
use der::Found;
use load::{Wanted, find_key};

/// A key that signs: an HMAC secret or a private key. Upstream: `SIGNING_KEY`.
///
/// Cheap to clone. `Debug` shows only the algorithm and the key id.
#[derive(Clone)]
pub struct SigningKey {
    signer: Arc<Signer>,
    verifying: VerifyingKey,
}

/// A key that verifies: an HMAC secret or a public key. Upstream: `VERIFYING_KEY`.
///
/// Cheap to clone. `Debug` shows only the algorithm and the key id.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    /// The algorithm's name in headers and JWKs.
    alg: &'static str,
    kid: Option<Arc<str>>,
    /// The header segments of this key's tokens.
    headers: Arc<Headers>,
    verifier: Arc<Verifier>,
    /// `None` for an HMAC secret.
    public: Option<Arc<PublicKey>>,
    /// As [`Jwk::thumbprint`].
    thumbprint: Arc<str>,
    /// `true` if tokens have to name it.
    is_named_only: bool,
}

impl SigningKey {
    /// Reads a key from a setting: a secret for HMAC, PEM for the other algorithms. `allow_weak`
    /// allows an HMAC secret that is shorter than its hash, or a placeholder.
    ///
    /// # Errors
    /// [`KeyError`] for text that isn't a usable key.
    pub fn parse(algorithm: Algorithm, text: &[u8], allow_weak: bool) -> Result<Self, KeyError> {
        if algorithm.is_symmetric() {
            Self::new_secret(algorithm, text, allow_weak)
        } else {
            Self::from_pem(algorithm, text)
        }
    }

    /// Creates a key from an HMAC secret with at least as many bytes as the hash: 32, 48 or 64 (RFC
    /// 7518 section 3.2).
    ///
    /// # Errors
    /// [`KeyError`] for secrets that are empty, short, a placeholder, or really a key of a pair.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Self::new_secret(algorithm, secret, false)
    }

    /// Creates a key from an HMAC secret that may be short or a placeholder, so that old tokens
    /// stay valid.
    ///
    /// # Errors
    /// [`KeyError`] for secrets that are empty, or really a key of a pair.
    pub fn from_secret_allow_weak(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Self::new_secret(algorithm, secret, true)
    }

    fn new_secret(algorithm: Algorithm, secret: &[u8], weak: bool) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::new_secret(algorithm, secret, weak)?;
        let signer = Signer::hmac(algorithm, secret).ok_or(not_hmac(algorithm))?;
        Ok(Self { signer: Arc::new(signer), verifying })
    }

    /// Reads a private key from PEM: `RSA PRIVATE KEY` (PKCS#1), `EC PRIVATE KEY` (SEC 1, also
    /// after `EC PARAMETERS`) or `PRIVATE KEY` (PKCS#8). Text around the blocks is ignored,
    /// whatever its bytes. Of several private keys, the first one that fits the algorithm is used.
    ///
    /// # Errors
    /// [`KeyError`] for text without a usable private key.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        needs_pair(algorithm)?;
        match find_key(pem, Wanted::Private, algorithm)? {
            Found::Private(key) => Self::new_private(algorithm, &key),
            Found::Public(key) => {
                check_type(algorithm, public_kind(&key))?;
                Err(KeyError::PublicKeyForSigning(algorithm))
            }
            Found::Other(found) => Err(wrong_type(algorithm, found)),
        }
    }

    fn new_private(algorithm: Algorithm, key: &PrivateKey) -> Result<Self, KeyError> {
        let (kind, what) = match key {
            PrivateKey::Rsa { .. } => (KeyKind::Rsa, "the RSA private key"),
            PrivateKey::Ec { curve, .. } => (KeyKind::Ec(*curve), "the EC private key"),
            PrivateKey::Ed25519 { .. } => (KeyKind::Ed25519, "the Ed25519 private key"),
        };
        check_type(algorithm, kind)?;
        // The specific checks come first: the cryptographic library only says yes or no.
        let rsa = match key {
            PrivateKey::Rsa { der } => {
                let public = der::rsa_public_half(der).ok_or(KeyError::Malformed(what))?;
                check_numbers(&public)?;
                Some(public)
            }
            _ => None,
        };
        let (signer, point) = Signer::private(algorithm, key).ok_or(KeyError::Invalid(what))?;
        let public = match (key, rsa, point) {
            (PrivateKey::Ec { curve, .. }, _, Some(point)) => {
                PublicKey::Ec { curve: *curve, point }
            }
            (PrivateKey::Ed25519 { .. }, _, Some(x)) => PublicKey::Ed25519 { x },
            (_, Some(rsa), _) => rsa,
            _ => return Err(KeyError::Invalid(what)),
        };
        let verifying = VerifyingKey::new_public(algorithm, public)?;
        Ok(Self { signer: Arc::new(signer), verifying })
    }

    /// Sets the key id, which the headers of its tokens carry from then on (RFC 7515 section
    /// 4.1.4).
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        self.verifying = self.verifying.with_kid(kid);
        self
    }

    /// Sets the key's thumbprint as its key id: as [`VerifyingKey::with_thumbprint_kid`].
    #[must_use]
    pub fn with_thumbprint_kid(mut self) -> Self {
        self.verifying = self.verifying.with_thumbprint_kid();
        self
    }

    /// Makes this a key that tokens have to name: as [`VerifyingKey::named_only`].
    #[must_use]
    pub fn named_only(mut self) -> Self {
        self.verifying = self.verifying.named_only();
        self
    }

    /// Names the algorithm as RFC 9864 does: as [`VerifyingKey::fully_specified`].
    #[must_use]
    pub fn fully_specified(mut self) -> Self {
        self.verifying = self.verifying.fully_specified();
        self
    }

    /// Returns the algorithm that this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm
    }

    /// Returns the key id.
    pub fn kid(&self) -> Option<&str> {
        self.verifying.kid()
    }

    /// Returns the key that verifies this key's signatures.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    fn header(&self, typ: Typ) -> &str {
        self.verifying.headers.with_typ(typ)
    }
}

impl VerifyingKey {
    /// Reads a key from a setting: a secret for HMAC; PEM, an OpenSSH public key line or a JWK for
    /// the other algorithms. `allow_weak` allows an HMAC secret that is shorter than its hash, or a
    /// placeholder.
    ///
    /// # Errors
    /// [`KeyError`] for text that isn't a usable key.
    pub fn parse(algorithm: Algorithm, text: &[u8], allow_weak: bool) -> Result<Self, KeyError> {
        if algorithm.is_symmetric() {
            Self::new_secret(algorithm, text, allow_weak)
        } else if unknown::is_json(text) {
            Self::from_jwk(algorithm, &Jwk::from_json(unknown::trimmed(text))?)
        } else {
            Self::from_pem(algorithm, text)
        }
    }

    /// Creates a key from an HMAC secret, as [`SigningKey::from_secret`].
    ///
    /// # Errors
    /// [`KeyError`], as there.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Self::new_secret(algorithm, secret, false)
    }

    /// Creates a key from an HMAC secret, as [`SigningKey::from_secret_allow_weak`].
    ///
    /// # Errors
    /// [`KeyError`], as there.
    pub fn from_secret_allow_weak(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Self::new_secret(algorithm, secret, true)
    }

    fn new_secret(algorithm: Algorithm, secret: &[u8], weak: bool) -> Result<Self, KeyError> {
        secret::check(algorithm, secret, weak)?;
        let verifier = Verifier::hmac(algorithm, secret).ok_or(not_hmac(algorithm))?;
        Ok(Self::new(algorithm, verifier, None, &jwk::secret_thumbprint(secret)))
    }

    /// Reads a public key from PEM (`PUBLIC KEY`, `RSA PUBLIC KEY` or `CERTIFICATE`) or from an
    /// OpenSSH public key line. Of several blocks, the first public key or certificate is used; if
    /// there is only a private key, its public half is used, as upstream does.
    ///
    /// # Errors
    /// [`KeyError`] for text without a usable key.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        needs_pair(algorithm)?;
        let line = std::str::from_utf8(unknown::trimmed(pem)).unwrap_or_default();
        let found = if ssh::is_public_key(line) {
            ssh::public_key(line)?
        } else {
            find_key(pem, Wanted::Public, algorithm)?
        };
        match found {
            Found::Public(key) => Self::new_public(algorithm, key),
            Found::Private(key) => {
                SigningKey::new_private(algorithm, &key).map(|key| key.verifying)
            }
            Found::Other(found) => Err(wrong_type(algorithm, found)),
        }
    }

    /// Creates a key from a JSON Web Key (RFC 7517), whose `use`, `key_ops`, `alg`, `kty` and `crv`
    /// must fit. Its `kid` becomes the key id.
    ///
    /// # Errors
    /// [`KeyError`] if it doesn't fit or isn't usable.
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        let key = match jwk.check_use(algorithm)? {
            Material::Public(key) => Self::new_public(algorithm, key.clone())?,
            Material::Secret(secret) => {
                check_type(algorithm, KeyKind::Secret { least: 0 })?;
                Self::new_secret(algorithm, secret, false)?
            }
        };
        Ok(match jwk.kid() {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }

    /// Returns the key as a JSON Web Key with `use`, `alg` and the key id; `None` for a secret,
    /// which must not be published.
    pub fn to_jwk(&self) -> Option<Jwk> {
        let public = self.public.as_deref()?.clone();
        Some(Jwk::new_public(self.alg, public, self.kid()))
    }

    fn new_public(algorithm: Algorithm, mut key: PublicKey) -> Result<Self, KeyError> {
        check_type(algorithm, public_kind(&key))?;
        check_numbers(&key)?;
        let verifier = Verifier::public(algorithm, &mut key).ok_or(match &key {
            PublicKey::Rsa { .. } => KeyError::Invalid("the RSA public key"),
            PublicKey::Ec { curve, .. } => KeyError::PointOffCurve(curve.name()),
            PublicKey::Ed25519 { .. } => KeyError::Invalid("the Ed25519 public key"),
        })?;
        let thumbprint = Jwk::new_public(algorithm.name(), key.clone(), None).thumbprint();
        Ok(Self::new(algorithm, verifier, Some(key), &thumbprint))
    }

    fn new(
        algorithm: Algorithm,
        verifier: Verifier,
        public: Option<PublicKey>,
        thumbprint: &str,
    ) -> Self {
        Self {
            algorithm,
            alg: algorithm.name(),
            kid: None,
            headers: Arc::new(Headers::new(algorithm.name(), None)),
            verifier: Arc::new(verifier),
            public: public.map(Arc::new),
            thumbprint: thumbprint.into(),
            is_named_only: false,
        }
    }

    /// Sets the key id: a token that names another one isn't this key's.
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        self.kid = Some(kid.into());
        self.headers = Arc::new(Headers::new(self.alg, Some(kid)));
        self
    }

    /// Sets the key's [thumbprint](Self::thumbprint) as its key id, unless it has one.
    #[must_use]
    pub fn with_thumbprint_kid(self) -> Self {
        if self.kid.is_some() {
            return self;
        }
        let thumbprint = Arc::clone(&self.thumbprint);
        self.with_kid(&thumbprint)
    }

    /// Makes this a key that tokens have to name by its key id: one that has signed no token
    /// without. A token without a key id isn't tried with it.
    #[must_use]
    pub fn named_only(mut self) -> Self {
        self.is_named_only = true;
        self
    }

    /// Names the algorithm as RFC 9864 does, in headers and JWKs: `Ed25519` in place of `EdDSA`.
    #[must_use]
    pub fn fully_specified(mut self) -> Self {
        self.alg = self.algorithm.fully_specified_name();
        self.headers = Arc::new(Headers::new(self.alg, self.kid.as_deref()));
        self
    }

    /// Returns the RFC 7638 thumbprint: SHA-256 in base64url, as [`Jwk::thumbprint`].
    ///
    /// That of a secret tells no more than a signature made with it: whoever can guess the secret
    /// can check the guess with either.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Returns the algorithm that this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the key id.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
