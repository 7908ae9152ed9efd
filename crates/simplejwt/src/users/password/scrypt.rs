//! `scrypt$n$salt$r$p$base64` (RFC 7914).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use super::EncodeError;
use super::kind::Cost;
use super::parameters::{ScryptCost, decimal};

/// A parsed stored hash.
pub(super) struct Stored<'a> {
    cost: ScryptCost,
    salt: &'a str,
    hash: &'a str,
}

impl<'a> Stored<'a> {
    /// Parses the part after the name and its `$`.
    pub(super) fn parse(rest: &'a str) -> Option<Self> {
        let mut parts = rest.splitn(5, '$');
        let work_factor = decimal(parts.next()?)?;
        let salt = parts.next().filter(|salt| !salt.is_empty())?;
        let block_size = decimal(parts.next()?)?;
        let parallelism = decimal(parts.next()?)?;
        let hash = parts.next()?;
        let cost = ScryptCost { work_factor, block_size, parallelism };
        cost.allowed().then_some(Stored { cost, salt, hash })
    }

    pub(super) fn matches(&self, password: &str) -> bool {
        compute(password, self.salt, self.cost)
            .is_ok_and(|computed| computed.as_bytes().ct_eq(self.hash.as_bytes()).into())
    }

    pub(super) fn cost(&self) -> Cost {
        Cost::Scrypt(self.cost)
    }
}

fn compute(password: &str, salt: &str, cost: ScryptCost) -> Result<String, EncodeError> {
    let log_n = cost.work_factor.checked_ilog2().unwrap_or_default();
    // At most 31, as the base-2 logarithm of a u32.
    let log_n = u8::try_from(log_n).unwrap_or(31);
    let parameters = ::scrypt::Params::new(log_n, cost.block_size, cost.parallelism)
        .map_err(EncodeError::Scrypt)?;
    let mut output = [0u8; 64];
    ::scrypt::scrypt(password.as_bytes(), salt.as_bytes(), &parameters, &mut output)
        .expect("64 bytes are a length that scrypt gives");
    Ok(STANDARD.encode(output))
}

pub(super) fn encode(password: &str, salt: &str, cost: ScryptCost) -> Result<String, EncodeError> {
    Ok(format(salt, cost, &compute(password, salt, cost)?))
}

/// Makes a well-formed hash that matches no known password.
pub(super) fn prepare(salt: &str, random: &[u8; 64], cost: ScryptCost) -> String {
    format(salt, cost, &STANDARD.encode(random))
}

fn format(salt: &str, cost: ScryptCost, hash: &str) -> String {
    let ScryptCost { work_factor, block_size, parallelism } = cost;
    format!("{work_factor}${salt}${block_size}${parallelism}${hash}")
}
