//! Faults of keys.

use crate::jwk::JwkError;
use crate::jws::Algorithm;

/// A key that can't be used, with what to do about it. Never contains key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither a PEM block nor an OpenSSH public key line.
    #[error(
        "no key found: give the whole text of a PEM file, from its -----BEGIN line to its \
         -----END line (openssl writes such files)"
    )]
    NoPem,
    /// Text in UTF-16, with two bytes for each character.
    #[error(
        "no key found: the text is UTF-16, as PowerShell's `>` writes it: save the file as ASCII or \
         UTF-8 (in PowerShell: `… | Out-File -Encoding ascii key.pem`)"
    )]
    WideText,
    /// A key in DER or PKCS#12, which can be converted to PEM.
    #[error(
        "no key found: this is binary DER, but PEM text is needed: convert a copy of it with \
         `openssl pkey -inform DER -in key.der -out key.pem` (a public key with -pubin -pubout, a \
         certificate with `openssl x509`, a .p12 or .pfx file with `openssl pkcs12 -nodes`)"
    )]
    Der,
    /// The base64 of a whole PEM file, as Kubernetes and CI systems store secrets.
    #[error(
        "no key found: this is the base64 of a whole PEM file: decode it first (`base64 -d`), and \
         give the text that begins with -----BEGIN"
    )]
    Base64OfPem,
    /// The content of a PEM block, without the lines around it.
    #[error(
        "no key found: this is base64 without the lines around it: write -----BEGIN PUBLIC KEY----- \
         (or PRIVATE KEY, or CERTIFICATE) before it, and the same with END after it"
    )]
    Base64OfDer,
    /// A JWK where PEM is required.
    #[error(
        "no key found: this is a JWK (JSON), but PEM text is needed here: convert it, or export \
         the key as PEM where it was made"
    )]
    JwkForPem,
    /// A public key in the format of RFC 4716.
    #[error(
        "no key found: this is a public key in the format of RFC 4716: convert it with \
         `ssh-keygen -i -m RFC4716 -f key.pub`"
    )]
    Rfc4716,
    /// A private key in PuTTY's own format.
    #[error(
        "no key found: this is a key in PuTTY's format: export it from PuTTYgen as an OpenSSH key \
         and convert a copy of that with `ssh-keygen -p -N '' -m PKCS8 -f copy-of-key`"
    )]
    Putty,
    /// An OpenSSH public key line where a private key is required.
    #[error("no key found: this is an OpenSSH public key, but signing needs a private key in PEM")]
    OpensshPublicKey,
    /// The name of a file instead of its content.
    #[error(
        "no key found: this looks like the name of a file: give the text in it, or name the file \
         in signing_key_file or verifying_key_file"
    )]
    Path,
    /// `\n` as two characters: a PEM file that was passed through an environment variable.
    #[error(
        "the PEM text has the two characters \\n where its lines should end: put real line \
         breaks there, or read the key from a file"
    )]
    EscapedLineBreaks,
    /// A PEM block that never ends, or whose body isn't base64.
    #[error("the PEM block is cut off or damaged: copy the whole file again")]
    DamagedPem,
    /// A PEM block that doesn't contain a key.
    #[error("the PEM text contains {0:?} instead of a key")]
    NotAKey(String),
    /// The key is protected by a passphrase.
    #[error(
        "the private key is encrypted: name its passphrase in signing_key_passphrase_file, or \
         decrypt it with `openssl pkey -in key.pem -out plain.pem` and protect the file instead"
    )]
    Encrypted,
    /// There is a passphrase for a key that isn't encrypted.
    #[error(
        "there is a signing_key_passphrase, but no encrypted private key (-----BEGIN ENCRYPTED \
         PRIVATE KEY-----): leave the passphrase out, or name the encrypted key"
    )]
    NotEncrypted,
    /// The key is encrypted in a way that was given up.
    #[error(
        "the private key is encrypted in an old way: convert a copy of it with `openssl pkcs8 \
         -topk8 -v2 aes-256-cbc -in key.pem -out new.pem`"
    )]
    OldEncryption,
    /// The key can't be decrypted.
    #[error("the passphrase doesn't decrypt the private key")]
    Passphrase,
    /// A private key in OpenSSH's own format, which upstream doesn't accept either.
    #[error(
        "the private key is in OpenSSH's format: convert a copy of it with \
         `ssh-keygen -p -N '' -m PKCS8 -f copy-of-key`"
    )]
    OpensshPrivateKey,
    /// The block's content doesn't match its label.
    #[error("{0} can't be read: the data is damaged or of an unknown format")]
    Malformed(&'static str),
    /// The format is right, but the numbers aren't those of a key.
    #[error("{0} is not a valid key: its numbers contradict each other or are out of range")]
    Invalid(&'static str),
    /// A public key where a private key is required for signing.
    #[error("{0} signs with a private key, but this is a public one")]
    PublicKeyForSigning(Algorithm),
    /// A key of a type or curve that the algorithm doesn't use.
    #[error("{algorithm} needs {needed}, but this is {found}")]
    WrongType {
        /// The configured algorithm.
        algorithm: Algorithm,
        /// The kind of key that it needs.
        needed: &'static str,
        /// The kind of key that was given.
        found: &'static str,
    },
    /// An RSA key that is too short (RFC 7518 section 3.3).
    #[error("the RSA key has {bits} bits, but at least 2048 are needed: make a new one")]
    RsaTooShort {
        /// The length of its modulus, in bits.
        bits: usize,
    },
    /// An RSA key too long to be used in reasonable time.
    #[error("the RSA key has {bits} bits, but at most 8192 are supported: make a new one")]
    RsaTooLong {
        /// The length of its modulus, in bits.
        bits: usize,
    },
    /// A public exponent with which anyone can sign, or no one.
    #[error("the RSA key's public exponent is 1 or even, which protects nothing: make a new key")]
    RsaExponent,
    /// An RSA key whose private half can be computed from the public one (CVE-2017-15361).
    #[error("the RSA key was made by a faulty chip and can be factored (ROCA): make a new one")]
    RsaRoca,
    /// A point that isn't on its curve.
    #[error("the EC key's point is not on the curve {0}")]
    PointOffCurve(&'static str),
    /// An empty HMAC secret.
    #[error("the secret is empty: {algorithm} needs at least {needed} random bytes")]
    EmptySecret {
        /// The configured algorithm.
        algorithm: Algorithm,
        /// The length of its hash, in bytes.
        needed: usize,
    },
    /// An HMAC secret shorter than its hash (RFC 7518 section 3.2).
    #[error(
        "the secret has {length} bytes, but {algorithm} needs at least {needed} (RFC 7518 section \
         3.2): use a longer random one, or set allow_weak_key = true if old tokens must stay valid"
    )]
    ShortSecret {
        /// The configured algorithm.
        algorithm: Algorithm,
        /// The length that was given, in bytes.
        length: usize,
        /// The length of its hash, in bytes.
        needed: usize,
    },
    /// An HMAC secret that is published as an example.
    #[error(
        "the secret is a placeholder ({0}): replace it with a random one, or set allow_weak_key = \
         true during development"
    )]
    PlaceholderSecret(&'static str),
    /// A key with a public half, or a certificate, as an HMAC secret: whoever knows the public
    /// half could sign (RFC 8725 section 3.1).
    #[error(
        "the secret is {what}, parts of which aren't secret: give {algorithm} random bytes, or \
         choose an RS, PS, ES or EdDSA algorithm"
    )]
    KeyAsSecret {
        /// The configured algorithm.
        algorithm: Algorithm,
        /// The kind of key that was given, with its article.
        what: &'static str,
    },
    /// A secret was given to an algorithm with key pairs, or the reverse.
    #[error("{algorithm} needs {needed}")]
    WrongConstructor {
        /// The configured algorithm.
        algorithm: Algorithm,
        /// The kind of key that it needs.
        needed: &'static str,
    },
    /// Two keys that should be a pair, but aren't.
    #[error("the verifying key does not belong to the signing key")]
    NotAPair,
    /// Two keys with the same `kid`.
    #[error("two keys have the key id {0:?}: give each one its own")]
    DuplicateKeyId(String),
    /// A key in addition to fetched keys.
    #[error(
        "the verifying keys are fetched (JWK_URL), so an additional key would never be tried: \
         publish it there, or leave JWK_URL out"
    )]
    AllFetched,
    /// No key at all.
    #[error("there is no key to verify with")]
    NoKeys,
    /// A JSON Web Key that can't be used.
    #[error("the JWK is not usable: {0}")]
    Jwk(#[from] JwkError),
}
