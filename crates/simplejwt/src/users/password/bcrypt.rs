//! `bcrypt$$2b$12$…` and `bcrypt_sha256$$2b$12$…`.

use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::{Engine as _, alphabet};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::EncodeError;
use super::kind::Cost;
use super::parameters::{bcrypt_allowed, decimal};

/// The number of bytes that bcrypt reads at most.
pub(super) const MAX_PASSWORD_LENGTH: usize = 72;
/// bcrypt's own base64 alphabet.
const BASE_64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);
const SALT_TEXT: usize = 22;
const HASH_TEXT: usize = 31;

/// The input to bcrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The password itself.
    Password,
    /// The lower-case hexadecimal SHA-256 of the password, which may be of any length.
    Sha256,
}

/// A parsed stored hash.
pub(super) struct Stored<'a> {
    input: Input,
    rounds: u32,
    salt: [u8; 16],
    hash: &'a str,
}

impl<'a> Stored<'a> {
    /// Parses the part after the name and its `$`: `$2b$12$` and 53 characters. `$2a`, `$2x` and
    /// `$2y` are computed as `$2b`, as the bcrypt library does.
    pub(super) fn parse(input: Input, rest: &'a str) -> Option<Self> {
        let rest = rest.strip_prefix('$')?;
        let (version, rest) = rest.split_once('$')?;
        let (rounds, data) = rest.split_once('$')?;
        if !matches!(version, "2a" | "2b" | "2x" | "2y") || rounds.len() != 2 {
            return None;
        }
        let rounds = match rounds.strip_prefix('0') {
            Some(digit) => decimal(digit)?,
            None => decimal(rounds)?,
        };
        let (salt_text, hash) = data.split_at_checked(SALT_TEXT)?;
        let mut salt = [0u8; 16];
        let written = BASE_64.decode_slice(salt_text, &mut salt).ok()?;
        let usable = bcrypt_allowed(rounds) && written == 16 && hash.len() == HASH_TEXT;
        usable.then_some(Stored { input, rounds, salt, hash })
    }

    /// Compares a password. One over 72 bytes is wrong, after the same work: bcrypt ignores the
    /// bytes past the 72nd, so other passwords would match as well.
    pub(super) fn matches(&self, password: &str) -> bool {
        let fits = fits(self.input, password);
        let computed = compute(self.input, password, self.salt, self.rounds);
        let equal = computed.as_bytes().ct_eq(self.hash.as_bytes());
        fits && bool::from(equal)
    }

    pub(super) fn cost(&self) -> Cost {
        Cost::Bcrypt(self.rounds)
    }
}

fn fits(input: Input, password: &str) -> bool {
    input == Input::Sha256 || password.len() <= MAX_PASSWORD_LENGTH
}

/// Computes the 31 characters of the hash. `rounds` has been checked to be in bcrypt's range.
fn compute(input: Input, password: &str, salt: [u8; 16], rounds: u32) -> String {
    let hexadecimal;
    let bytes = match input {
        Input::Password => password.as_bytes(),
        Input::Sha256 => {
            hexadecimal = hexadecimal_sha256(password);
            hexadecimal.as_slice()
        }
    };
    // bcrypt's key ends with a NUL, which is dropped if there are 72 bytes before it.
    let mut key = Zeroizing::new([0u8; MAX_PASSWORD_LENGTH]);
    let length = bytes.len().min(MAX_PASSWORD_LENGTH);
    key[..length].copy_from_slice(&bytes[..length]);
    let key = &key[..(length + 1).min(MAX_PASSWORD_LENGTH)];
    let output = ::bcrypt::bcrypt(rounds, salt, key);
    BASE_64.encode(&output[..23])
}

fn hexadecimal_sha256(password: &str) -> Zeroizing<[u8; 64]> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Zeroizing::new([0u8; 64]);
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password.as_bytes())));
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest.iter()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

pub(super) fn encode(
    input: Input,
    password: &str,
    salt: [u8; 16],
    rounds: u32,
) -> Result<String, EncodeError> {
    if !fits(input, password) {
        return Err(EncodeError::TooLongForBcrypt);
    }
    Ok(format(rounds, salt, &compute(input, password, salt, rounds)))
}

/// Makes a well-formed hash that matches no known password.
pub(super) fn prepare(salt: [u8; 16], random: &[u8; 64], rounds: u32) -> String {
    format(rounds, salt, &BASE_64.encode(&random[..23]))
}

fn format(rounds: u32, salt: [u8; 16], hash: &str) -> String {
    format!("$2b${rounds:02}${}{hash}", BASE_64.encode(salt))
}
