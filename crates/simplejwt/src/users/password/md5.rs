//! `md5$salt$hex`: practically no work, for tests and very old tables.

use ::md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

use super::parameters::salt_too_short;

/// A parsed stored hash.
pub(super) struct Stored<'a> {
    salt: &'a str,
    hash: &'a str,
}

impl<'a> Stored<'a> {
    /// Parses the part after the name and its `$`.
    pub(super) fn parse(rest: &'a str) -> Option<Self> {
        let (salt, hash) = rest.split_once('$')?;
        (!salt.is_empty()).then_some(Stored { salt, hash })
    }

    pub(super) fn matches(&self, password: &str) -> bool {
        let computed = compute(password, self.salt);
        computed.as_bytes().ct_eq(self.hash.as_bytes()).into()
    }

    pub(super) fn is_stale(&self) -> bool {
        salt_too_short(self.salt.chars().count())
    }
}

fn compute(password: &str, salt: &str) -> String {
    let digest = Md5::new().chain_update(salt).chain_update(password).finalize();
    hexadecimal(&digest)
}

pub(super) fn encode(password: &str, salt: &str) -> String {
    format!("{salt}${}", compute(password, salt))
}

/// Makes a well-formed hash that matches no known password.
pub(super) fn prepare(salt: &str, random: &[u8; 64]) -> String {
    format!("{salt}${}", hexadecimal(&random[..16]))
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
