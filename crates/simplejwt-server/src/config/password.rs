//! What the settings of `[password]` mean together.

use std::collections::BTreeMap;

use simplejwt::users::password::{Hasher, Rehash};

use super::{Given, Password};

/// The costs, and the hashers whose new hashes they are of.
const COSTS: [(&str, &[Hasher]); 8] = [
    ("pbkdf2_iterations", &[Hasher::Pbkdf2Sha256, Hasher::Pbkdf2Sha1]),
    ("argon2_time_cost", &[Hasher::Argon2]),
    ("argon2_memory_cost", &[Hasher::Argon2]),
    ("argon2_parallelism", &[Hasher::Argon2]),
    ("bcrypt_rounds", &[Hasher::BcryptSha256, Hasher::Bcrypt]),
    ("scrypt_work_factor", &[Hasher::Scrypt]),
    ("scrypt_block_size", &[Hasher::Scrypt]),
    ("scrypt_parallelism", &[Hasher::Scrypt]),
];

/// Whoever says what a hash costs has it so for the stored ones, too, as in Django. What is wrong is
/// returned: costs out of range, and those that do nothing.
pub(super) fn settle(password: &mut Password, given: &BTreeMap<String, Given>) -> Vec<String> {
    let source = |name: &str| given.get(&format!("password.{name}"));
    let mut problems = Vec::new();
    let mut costs_are_set = source("hashers").is_some();
    for (name, hashers) in COSTS {
        let Some(given) = source(name) else { continue };
        costs_are_set = true;
        if let Some(first) = password.hashers.first().filter(|first| !hashers.contains(first)) {
            problems.push(format!(
                "{}: {name} does nothing, since new hashes are {first}, the first of `hashers` \
                 (PASSWORD_HASHERS): remove it, or name {} first",
                given.origin,
                hashers.iter().map(|hasher| hasher.name()).collect::<Vec<_>>().join(" or "),
            ));
        }
    }
    if let Err(cost) = password.parameters.validate() {
        problems.push(format!("[password]: {cost}"));
    }
    if costs_are_set && password.rehash.is_none() {
        password.rehash = Some(Rehash::Always);
    }
    problems
}
