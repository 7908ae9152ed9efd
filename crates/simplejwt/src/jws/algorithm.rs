//! The signature algorithms of RFC 7518 section 3, by name.

use std::fmt;
use std::str::FromStr;

/// An algorithm for signing tokens. Upstream: the setting `ALGORITHM`.
///
/// A key has exactly one; the `alg` in a token's header is only compared with it. `none` isn't
/// supported.
///
/// ```
/// use simplejwt::Algorithm;
///
/// assert_eq!("ES256".parse(), Ok(Algorithm::Es256));
/// assert!("none".parse::<Algorithm>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256: one shared secret. Upstream's default.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on secp256k1 with SHA-256 (RFC 8812).
    Es256K,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA (RFC 8037), on Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 14] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es256K,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// Returns the value of the header's `alg` in which the curve is part of the name (RFC 9864):
    /// `"Ed25519"` for EdDSA, otherwise as [`name`](Self::name).
    pub const fn fully_specified_name(self) -> &'static str {
        match self {
            Self::EdDsa => "Ed25519",
            other => other.name(),
        }
    }

    /// Returns `true` if a header's `alg` is a name of this algorithm.
    pub(crate) fn is_named(self, alg: &str) -> bool {
        alg == self.name() || alg == self.fully_specified_name()
    }

    /// Returns the value of the header's `alg`: `"HS256"`, `"ES256K"`, `"EdDSA"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es256K => "ES256K",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// `true` if the same key signs and verifies.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// Returns the kind of key that the algorithm needs.
    pub(crate) const fn key_kind(self) -> KeyKind {
        match self {
            Self::Hs256 => KeyKind::Secret { least: 32 },
            Self::Hs384 => KeyKind::Secret { least: 48 },
            Self::Hs512 => KeyKind::Secret { least: 64 },
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                KeyKind::Rsa
            }
            Self::Es256 => KeyKind::Ec(Curve::P256),
            Self::Es256K => KeyKind::Ec(Curve::Secp256k1),
            Self::Es384 => KeyKind::Ec(Curve::P384),
            Self::Es512 => KeyKind::Ec(Curve::P521),
            Self::EdDsa => KeyKind::Ed25519,
        }
    }

    /// Returns the header segment of a token without `kid`: `{"alg":…,"typ":"JWT"}` in base64url.
    #[cfg(test)]
    pub(crate) const fn encoded_header(self) -> &'static str {
        match self {
            Self::Hs256 => "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            Self::Hs384 => "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9",
            Self::Hs512 => "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
            Self::Rs256 => "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
            Self::Rs384 => "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9",
            Self::Rs512 => "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9",
            Self::Ps256 => "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9",
            Self::Ps384 => "eyJhbGciOiJQUzM4NCIsInR5cCI6IkpXVCJ9",
            Self::Ps512 => "eyJhbGciOiJQUzUxMiIsInR5cCI6IkpXVCJ9",
            Self::Es256 => "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9",
            Self::Es256K => "eyJhbGciOiJFUzI1NksiLCJ0eXAiOiJKV1QifQ",
            Self::Es384 => "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9",
            Self::Es512 => "eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9",
            Self::EdDsa => "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| UnknownAlgorithm(name.chars().take(40).collect()))
    }
}

/// A name that isn't one of [`Algorithm::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAlgorithm(String);

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        match name.as_str() {
            "ES521" => return f.write_str("there is no algorithm ES521: write ES512 (P-521)"),
            none if none.eq_ignore_ascii_case("none") => {
                return f.write_str("tokens without a signature (none) are never accepted");
            }
            _ => {}
        }
        write!(f, "unknown algorithm {name:?}: choose one of ")?;
        for (i, algorithm) in Algorithm::ALL.into_iter().enumerate() {
            write!(f, "{}{algorithm}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownAlgorithm {}

/// The kind of key that an algorithm needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// An HMAC secret of at least this many bytes (RFC 7518 section 3.2).
    Secret {
        least: usize,
    },
    Rsa,
    Ec(Curve),
    Ed25519,
}

impl KeyKind {
    /// Returns a description with its article, for messages.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Secret { .. } => "a secret",
            Self::Rsa => "an RSA key",
            Self::Ec(Curve::P256) => "an EC key on the curve P-256",
            Self::Ec(Curve::P384) => "an EC key on the curve P-384",
            Self::Ec(Curve::P521) => "an EC key on the curve P-521",
            Self::Ec(Curve::Secp256k1) => "an EC key on the curve secp256k1",
            Self::Ed25519 => "an Ed25519 key",
        }
    }
}

/// An elliptic curve of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    pub(crate) const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// Returns the JWK's `crv` (RFC 7518 section 6.2.1.1, RFC 8812).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// Returns the length of a coordinate, and of each half of a signature, in bytes.
    pub(crate) const fn field_len(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.name());
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for name in ["", "none", "None", "hs256", "HS256 ", " HS256", "ES521", "EDDSA", "HS1"] {
            assert!(name.parse::<Algorithm>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_refusal_names_what_is_known() {
        let told = "HS257".parse::<Algorithm>().unwrap_err().to_string();
        for algorithm in Algorithm::ALL {
            assert!(told.contains(algorithm.name()), "{told}");
        }
        assert!("ES521".parse::<Algorithm>().unwrap_err().to_string().contains("ES512"));
    }

    #[test]
    fn prepared_headers_are_those_of_upstream() {
        for algorithm in Algorithm::ALL {
            let header = format!("{{\"alg\":\"{algorithm}\",\"typ\":\"JWT\"}}");
            let encoded = base64_simd::URL_SAFE_NO_PAD.encode_to_string(header);
            assert_eq!(algorithm.encoded_header(), encoded);
        }
    }
}
