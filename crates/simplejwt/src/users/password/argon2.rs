//! `argon2$argon2id$v=19$m=102400,t=2,p=8$salt$hash` (RFC 9106).

use ::argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::EncodeError;
use super::kind::Cost;
use super::parameters::{Argon2Cost, decimal, salt_too_short};

const HASH_LENGTH: usize = 32;

/// A parsed stored hash.
pub(super) struct Stored {
    algorithm: Algorithm,
    version: Version,
    cost: Argon2Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Stored {
    /// Parses the part after the name and its `$`. Hashes made before Argon2 1.3 have no `v=` part:
    /// they are of version 16.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let parts: Vec<&str> = rest.splitn(6, '$').collect();
        let (algorithm, version, cost, salt, hash) = match parts[..] {
            [algorithm, version, cost, salt, hash] => {
                let version = decimal(version.strip_prefix("v=")?)?;
                (algorithm, version, cost, salt, hash)
            }
            [algorithm, cost, salt, hash] => (algorithm, 16, cost, salt, hash),
            _ => return None,
        };
        let stored = Stored {
            algorithm: match algorithm {
                "argon2id" => Algorithm::Argon2id,
                "argon2i" => Algorithm::Argon2i,
                "argon2d" => Algorithm::Argon2d,
                _ => return None,
            },
            version: match version {
                16 => Version::V0x10,
                19 => Version::V0x13,
                _ => return None,
            },
            cost: parse_cost(cost)?,
            salt: STANDARD_NO_PAD.decode(salt).ok()?,
            hash: STANDARD_NO_PAD.decode(hash).ok()?,
        };
        let usable = stored.cost.allowed() && stored.salt.len() >= 8 && stored.hash.len() >= 4;
        usable.then_some(stored)
    }

    pub(super) fn matches(&self, password: &str) -> bool {
        let mut computed = vec![0u8; self.hash.len()];
        let done =
            compute(self.algorithm, self.version, self.cost, password, &self.salt, &mut computed);
        done.is_ok() && bool::from(computed.ct_eq(&self.hash))
    }

    pub(super) fn cost(&self) -> Cost {
        Cost::Argon2(self.cost)
    }

    /// `true` if it is of an old version or variant, or its salt or hash is short.
    pub(super) fn is_stale(&self) -> bool {
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || self.hash.len() != HASH_LENGTH
            || salt_too_short(self.salt.len())
    }
}

/// Parses `m=…,t=…,p=…`, in this order only, as the reference implementation does.
fn parse_cost(text: &str) -> Option<Argon2Cost> {
    let mut parts = text.splitn(3, ',');
    let memory_cost = decimal(parts.next()?.strip_prefix("m=")?)?;
    let time_cost = decimal(parts.next()?.strip_prefix("t=")?)?;
    let parallelism = decimal(parts.next()?.strip_prefix("p=")?)?;
    Some(Argon2Cost { time_cost, memory_cost, parallelism })
}

fn compute(
    algorithm: Algorithm,
    version: Version,
    cost: Argon2Cost,
    password: &str,
    salt: &[u8],
    output: &mut [u8],
) -> Result<(), EncodeError> {
    let parameters = Params::new(cost.memory_cost, cost.time_cost, cost.parallelism, None)
        .map_err(EncodeError::Argon2)?;
    Argon2::new(algorithm, version, parameters)
        .hash_password_into(password.as_bytes(), salt, output)
        .map_err(EncodeError::Argon2)
}

pub(super) fn encode(password: &str, salt: &str, cost: Argon2Cost) -> Result<String, EncodeError> {
    let mut hash = [0u8; HASH_LENGTH];
    compute(Algorithm::Argon2id, Version::V0x13, cost, password, salt.as_bytes(), &mut hash)?;
    Ok(format(salt, &hash, cost))
}

/// Makes a well-formed hash that matches no known password.
pub(super) fn prepare(salt: &str, random: &[u8; 64], cost: Argon2Cost) -> String {
    format(salt, &random[..HASH_LENGTH], cost)
}

fn format(salt: &str, hash: &[u8], cost: Argon2Cost) -> String {
    format!(
        "argon2id$v=19$m={},t={},p={}${}${}",
        cost.memory_cost,
        cost.time_cost,
        cost.parallelism,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash),
    )
}
