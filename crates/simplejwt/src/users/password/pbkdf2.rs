//! `pbkdf2_sha256$iterations$salt$base64` and `pbkdf2_sha1$…`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use simplejwt_pbkdf2::{hmac_sha1, hmac_sha256};
use subtle::ConstantTimeEq as _;

use super::kind::Cost;
use super::parameters::{decimal, pbkdf2_allowed, salt_too_short};

/// The hash used with HMAC (RFC 8018 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha1,
}

impl Digest {
    const fn length(self) -> usize {
        match self {
            Digest::Sha256 => 32,
            Digest::Sha1 => 20,
        }
    }
}

/// A parsed stored hash.
pub(super) struct Stored<'a> {
    digest: Digest,
    iterations: u32,
    salt: &'a str,
    hash: &'a str,
}

impl<'a> Stored<'a> {
    /// Parses the part after the name and its `$`.
    pub(super) fn parse(digest: Digest, rest: &'a str) -> Option<Self> {
        let mut parts = rest.splitn(3, '$');
        let iterations = decimal(parts.next()?)?;
        let salt = parts.next().filter(|salt| !salt.is_empty())?;
        let hash = parts.next()?;
        pbkdf2_allowed(iterations).then_some(Stored { digest, iterations, salt, hash })
    }

    pub(super) fn matches(&self, password: &str) -> bool {
        let computed = compute(self.digest, password, self.salt, self.iterations);
        computed.as_bytes().ct_eq(self.hash.as_bytes()).into()
    }

    pub(super) fn cost(&self) -> Cost {
        Cost::Pbkdf2(self.iterations)
    }

    pub(super) fn is_stale(&self) -> bool {
        salt_too_short(self.salt.chars().count())
    }
}

/// Does the work of this many iterations, and returns their number.
pub(super) fn spend(digest: Digest, password: &str, iterations: u32) -> u32 {
    std::hint::black_box(compute(digest, password, "salt of 22 characters.", iterations.max(1)));
    iterations.max(1)
}

fn compute(digest: Digest, password: &str, salt: &str, iterations: u32) -> String {
    let mut buffer = [0u8; 32];
    let output = &mut buffer[..digest.length()];
    let (password, salt) = (password.as_bytes(), salt.as_bytes());
    match digest {
        Digest::Sha256 => hmac_sha256(password, salt, iterations, output),
        Digest::Sha1 => hmac_sha1(password, salt, iterations, output),
    }
    STANDARD.encode(output)
}

pub(super) fn encode(digest: Digest, password: &str, salt: &str, iterations: u32) -> String {
    format(iterations, salt, &compute(digest, password, salt, iterations))
}

/// Makes a well-formed hash that matches no known password.
pub(super) fn prepare(digest: Digest, salt: &str, random: &[u8; 64], iterations: u32) -> String {
    format(iterations, salt, &STANDARD.encode(&random[..digest.length()]))
}

fn format(iterations: u32, salt: &str, hash: &str) -> String {
    format!("{iterations}${salt}${hash}")
}
