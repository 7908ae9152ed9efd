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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Environment, load};

    fn password(pairs: &[(&str, &str)]) -> Result<Password, String> {
        let environment = Environment::of(pairs.iter().copied());
        let loaded = load(None, &environment).map_err(|error| error.to_string())?;
        Ok(loaded.config.password)
    }

    const ITERATIONS: (&str, &str) = ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "600000");
    const DJANGOS: (&str, &str) = ("PASSWORD_HASHERS", r#"["pbkdf2_sha256", "pbkdf2_sha1"]"#);

    #[test]
    fn whoever_sets_a_cost_has_hashes_rewritten_as_django_does() {
        let rehash = |pairs: &[(&str, &str)]| password(pairs).unwrap().rehash;
        assert_eq!(rehash(&[]), None);
        assert_eq!(rehash(&[("SIMPLEJWT_PASSWORD_THREADS", "1")]), None);
        assert_eq!(rehash(&[ITERATIONS]), Some(Rehash::Always));
        assert_eq!(rehash(&[DJANGOS]), Some(Rehash::Always));
        for (name, explicit) in Rehash::NAMES {
            let set = ("SIMPLEJWT_PASSWORD_REHASH", name);
            assert_eq!(rehash(&[set, ITERATIONS, DJANGOS]), Some(explicit));
            assert_eq!(rehash(&[set]), Some(explicit));
        }
        assert!(password(&[("SIMPLEJWT_PASSWORD_REHASH", "sometimes")]).is_err());
    }

    #[test]
    fn a_cost_that_does_nothing_is_refused() {
        let refused = |pairs: &[(&str, &str)], parts: &[&str]| {
            let error = password(pairs).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        refused(
            &[("SIMPLEJWT_PASSWORD_ARGON2_TIME_COST", "3")],
            &["argon2_time_cost does nothing", "new hashes are pbkdf2_sha256", "name argon2 first"],
        );
        let bcrypt = ("PASSWORD_HASHERS", r#"["bcrypt", "pbkdf2_sha256"]"#);
        refused(&[bcrypt, ITERATIONS], &["name pbkdf2_sha256 or pbkdf2_sha1 first"]);
        let rounds = ("SIMPLEJWT_PASSWORD_BCRYPT_ROUNDS", "11");
        assert_eq!(password(&[bcrypt, rounds]).unwrap().parameters.bcrypt_rounds, 11);
        let sha1 = ("PASSWORD_HASHERS", r#"["pbkdf2_sha1"]"#);
        assert!(password(&[sha1, ITERATIONS]).is_ok());
    }

    #[test]
    fn the_limit_of_a_refusal_is_a_duration() {
        let limit = |value| {
            Ok(password(&[("SIMPLEJWT_PASSWORD_MAX_REFUSAL_WORK", value)])?.max_refusal_work)
        };
        assert_eq!(limit("0"), Ok(Duration::ZERO));
        assert_eq!(limit("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(limit("60"), Ok(Duration::from_secs(60)));
        assert!(limit("61").is_err_and(|error: String| error.contains("60 seconds")));
    }
}
