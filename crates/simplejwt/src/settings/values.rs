//! Types of settings that the standard library has no type for.

use std::fmt;

use zeroize::Zeroizing;

use crate::keys::Algorithm;

/// The `aud` claim that is written and required: a string, or a list of which any one suffices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Written as a string.
    One(String),
    /// Written as an array.
    Many(Vec<String>),
}

impl Audience {
    /// Returns an iterator over the names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(name) => std::slice::from_ref(name).iter().map(String::as_str),
            Self::Many(names) => names.iter().map(String::as_str),
        }
    }
}

/// A kind of token that a protected route may accept: one entry of `AUTH_TOKEN_CLASSES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenClass {
    /// `rest_framework_simplejwt.tokens.AccessToken`
    Access,
    /// `rest_framework_simplejwt.tokens.RefreshToken`
    Refresh,
    /// `rest_framework_simplejwt.tokens.SlidingToken`
    Sliding,
    /// `rest_framework_simplejwt.tokens.UntypedToken`
    Untyped,
}

impl TokenClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Access, Self::Refresh, Self::Sliding, Self::Untyped];

    /// Returns the name of upstream's class, as in the `messages` of a protected route.
    pub const fn class_name(self) -> &'static str {
        match self {
            Self::Access => "AccessToken",
            Self::Refresh => "RefreshToken",
            Self::Sliding => "SlidingToken",
            Self::Untyped => "UntypedToken",
        }
    }

    /// Returns the value of the `token_type` claim.
    pub const fn token_type(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
            Self::Untyped => "untyped",
        }
    }

    /// Returns the class for upstream's dotted path or bare class name; `None` for any other.
    pub fn from_dotted_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix("rest_framework_simplejwt.tokens.").unwrap_or(path);
        Self::ALL.into_iter().find(|class| class.class_name() == name)
    }
}

/// The key id that tokens carry in their header (RFC 7515 section 4.1.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyId {
    /// None, as upstream: each key of the token's algorithm is tried.
    #[default]
    None,
    /// The RFC 7638 thumbprint of the key.
    Thumbprint,
    /// This one. Keys that only verify have their thumbprints, unless they are given one.
    Named(String),
}

/// A further key that verifies, such as one that signed before: an entry of `verifying_keys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherKey {
    /// The key: a secret for HMAC; PEM, an OpenSSH public key line or a JWK for the others.
    pub key: Secret,
    /// Its algorithm, if it isn't that of the settings.
    pub algorithm: Option<Algorithm>,
    /// Its key id, if it has one that isn't its thumbprint.
    pub kid: Option<String>,
}

impl<T: Into<Secret>> From<T> for FurtherKey {
    fn from(key: T) -> Self {
        Self { key: key.into(), algorithm: None, kid: None }
    }
}

/// A secret in memory: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Returns the secret itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Vec<u8>>> From<T> for Secret {
    fn from(secret: T) -> Self {
        Self(Zeroizing::new(secret.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
