//! `[password]`: password hashing.

use std::collections::BTreeMap;
use std::time::Duration;

use simplejwt::settings::value::{count, duration, list};
use simplejwt::users::password::{
    DEFAULT_MAX_REFUSAL_WORK, Hasher, Parameters, PoolOptions, Rehash,
};

use super::form::{Form, Unit};
use super::given::Given;
use super::hashers::hashers;
use super::item::Shown::{Default as Def, Example};
use super::item::{Range, Section, number, other, word};

/// Password hashing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Password {
    pub(crate) hashers: Vec<Hasher>,
    pub(crate) parameters: Parameters,
    /// The stored hashes that a login replaces; `None` if that depends on who created the table.
    pub(crate) rehash: Option<Rehash>,
    /// The maximum processor time of a refused login.
    pub(crate) max_refusal_work: Duration,
    pub(crate) pool: PoolOptions,
}

impl Default for Password {
    fn default() -> Self {
        Self {
            hashers: Hasher::DJANGO_DEFAULT.to_vec(),
            parameters: Parameters::default(),
            rehash: None,
            max_refusal_work: DEFAULT_MAX_REFUSAL_WORK,
            pool: PoolOptions::default(),
        }
    }
}

pub(super) static SECTION: Section<Password> = Section {
    table: "password",
    about: "Password hashing.",
    items: &[
        other(
            "hashers",
            "PASSWORD_HASHERS",
            Def("[\"pbkdf2_sha256\", \"pbkdf2_sha1\", \"argon2\", \"bcrypt_sha256\", \"scrypt\"]"),
            "Django's PASSWORD_HASHERS, as names or class paths: the first makes new hashes, and \
             all are accepted. As an environment variable: a JSON list.",
            Form::Texts,
            |s, v| {
                s.hashers = hashers(&list(v)?)?;
                if s.hashers.is_empty() {
                    return Err("is empty: name at least one hasher".into());
                }
                Ok(())
            },
        ),
        word(
            "rehash",
            "SIMPLEJWT_PASSWORD_REHASH",
            Example("\"never\""),
            "The stored hashes that a login replaces: \"never\" none; \"stronger\" those that are \
             weaker than new ones; \"always\", as Django does, those with another algorithm or \
             cost, even a higher one. Default: \"always\" if `hashers` or a cost is set here; \
             otherwise \"stronger\" in a table that `simplejwt migrate` alone has created, and \
             \"never\" in any other, because the owner of the table decides what a hash costs.",
            &[
                ("never", |s| s.rehash = Some(Rehash::Never)),
                ("stronger", |s| s.rehash = Some(Rehash::Stronger)),
                ("always", |s| s.rehash = Some(Rehash::Always)),
            ],
        ),
        other(
            "max_refusal_work",
            "SIMPLEJWT_PASSWORD_MAX_REFUSAL_WORK",
            Def("\"1s\""),
            "The maximum processor time that a refused login takes. Each refusal takes as much \
             work as the costliest hash in the table, so that its time doesn't tell existing names \
             from unknown ones. Never less than one new hash, and at most 60 seconds.",
            Form::Duration { zero: true, most: Some(60) },
            |s, v| {
                let time = duration(v)?;
                if time > Duration::from_secs(60) {
                    return Err("is more than 60 seconds: write \"1s\"".into());
                }
                s.max_refusal_work = time;
                Ok(())
            },
        ),
        number(
            "pbkdf2_iterations",
            "SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS",
            Def("1000000"),
            "Iterations of new pbkdf2 hashes; Django 5.2 uses 1,000,000.",
            Range::ANY,
            |s, v| count(v).map(|n| s.parameters.pbkdf2_iterations = n),
        ),
        number(
            "argon2_time_cost",
            "SIMPLEJWT_PASSWORD_ARGON2_TIME_COST",
            Def("2"),
            "Passes of new argon2 hashes.",
            Range::ANY,
            |s, v| count(v).map(|n| s.parameters.argon2.time_cost = n),
        ),
        number(
            "argon2_memory_cost",
            "SIMPLEJWT_PASSWORD_ARGON2_MEMORY_COST",
            Def("102400"),
            "Memory of new argon2 hashes, in KiB.",
            Range::ANY.of(Unit::Kibibytes),
            |s, v| count(v).map(|n| s.parameters.argon2.memory_cost = n),
        ),
        number(
            "argon2_parallelism",
            "SIMPLEJWT_PASSWORD_ARGON2_PARALLELISM",
            Def("8"),
            "Lanes of new argon2 hashes.",
            Range::ANY,
            |s, v| count(v).map(|n| s.parameters.argon2.parallelism = n),
        ),
        number(
            "bcrypt_rounds",
            "SIMPLEJWT_PASSWORD_BCRYPT_ROUNDS",
            Def("12"),
            "Rounds of new bcrypt hashes, as a power of two.",
            Range::ANY,
            |s, v| count(v).map(|n| s.parameters.bcrypt_rounds = n),
        ),
        number(
            "scrypt_work_factor",
            "SIMPLEJWT_PASSWORD_SCRYPT_WORK_FACTOR",
            Def("16384"),
            "The work factor of new scrypt hashes, a power of two.",
            Range::ANY,
            |s, v| count(v).map(|n| s.parameters.scrypt.work_factor = n),
        ),
        number(
            "scrypt_block_size",
            "SIMPLEJWT_PASSWORD_SCRYPT_BLOCK_SIZE",
            Def("8"),
            "The block size of new scrypt hashes.",
            Range::ANY,
            |s, v| count(v).map(|n| s.parameters.scrypt.block_size = n),
        ),
        number(
            "scrypt_parallelism",
            "SIMPLEJWT_PASSWORD_SCRYPT_PARALLELISM",
            Def("5"),
            "The parallelism of new scrypt hashes.",
            Range::ANY,
            |s, v| count(v).map(|n| s.parameters.scrypt.parallelism = n),
        ),
        number(
            "threads",
            "SIMPLEJWT_PASSWORD_THREADS",
            Example("2"),
            "The number of passwords hashed at the same time. Default: the number of processors.",
            Range::between(1, 1024),
            |s, v| count(v).map(|n| s.pool.threads = n),
        ),
        number(
            "queue",
            "SIMPLEJWT_PASSWORD_QUEUE",
            Def("256"),
            "The number of logins that may wait for a hashing thread. Of further ones, those of the \
             address with the most waiting are answered with 503.",
            Range::ANY,
            |s, v| count(v).map(|n| s.pool.waiting = n),
        ),
    ],
    idle: &[],
};

/// The costs, and the hashers whose new hashes they apply to.
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

/// Applies the costs: whoever sets what a hash costs sets it for stored hashes too, as in Django.
/// Returns the problems: costs out of range, and those that have no effect.
pub(super) fn settle(password: &mut Password, given: &BTreeMap<String, Given>) -> Vec<String> {
    let source = |name: &str| given.get(&format!("password.{name}"));
    let mut problems = Vec::new();
    let mut costs_are_set = source("hashers").is_some();
    for (name, hashers) in COSTS {
        let Some(given) = source(name) else { continue };
        costs_are_set = true;
        if let Some(first) = password.hashers.first().filter(|first| !hashers.contains(first)) {
            problems.push(format!(
                "{}: {name} has no effect, because new hashes are {first}, the first of `hashers` \
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
            &[
                "argon2_time_cost has no effect",
                "new hashes are pbkdf2_sha256",
                "name argon2 first",
            ],
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
