//! Compares the stored password hashes with those that this server writes, for the warnings of
//! `config check` and of the start.

use simplejwt::users::password::{
    Cost, HashKind, Hasher, Hashers, Parameters, PasswordSurvey, Rehash, StoredKind,
};

use crate::config::Password;

/// Returns warnings, one sentence each.
pub(crate) fn warnings(
    password: &Password,
    hashers: &Hashers,
    survey: &PasswordSurvey,
) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings.extend(other_cost(password, hashers, survey));
    warnings.extend(nobody_can_log_in(survey));
    warnings.extend(stands_out(password, hashers, survey));
    let new = hashers.time_of(hashers.new_hashes());
    if password.max_refusal_work < new {
        warnings.push(format!(
            "max_refusal_work in [password] is less than the {} ms of one new hash, the least \
             that a refused login takes",
            new.as_millis()
        ));
    }
    warnings
}

/// Warns if most hashes, in a table that isn't this server's own, are of another kind than those
/// that it writes, and names the variables that set Django's.
fn other_cost(password: &Password, hashers: &Hashers, survey: &PasswordSurvey) -> Option<String> {
    let (kind, count) = survey.accepted().next()?;
    let new = hashers.new_hashes();
    let as_frequent = survey.accepted().any(|(known, times)| known == new && times == count);
    if as_frequent || survey.made_here {
        return None;
    }
    let difference = match kind.hasher() == new.hasher() {
        true => format!("have {} and this server writes {}", kind.cost(), number(new.cost())),
        false => format!("are {kind} and this server writes {new}"),
    };
    let consequence = match hashers.rehash() {
        Some(Rehash::Always) => {
            "each login here rewrites them, and a Django with their cost rewrites them back, \
             which ends the user's sessions"
        }
        Some(Rehash::Stronger) => {
            "a login here rewrites those that are weaker, and a Django with their cost rewrites \
             them back, which ends the user's sessions"
        }
        Some(Rehash::Never) | None => {
            "with rehash = \"always\" each login here would rewrite them, and a Django with their \
             cost rewrites passwords that are set here"
        }
    };
    Some(format!(
        "{count} of {} stored hashes {difference}: {consequence}: {}",
        survey.hashes(),
        settings(password, kind).join(" ")
    ))
}

fn number(cost: Cost) -> String {
    match cost {
        Cost::Pbkdf2(iterations) => iterations.to_string(),
        other => other.to_string(),
    }
}

/// Returns the settings that make this server write hashes of this kind.
fn settings(password: &Password, kind: HashKind) -> Vec<String> {
    let mut settings = Vec::new();
    let hasher = kind.hasher();
    let is_first = password.hashers.first() == Some(&hasher);
    if !is_first {
        let others = password.hashers.iter().filter(|other| **other != hasher);
        let names: Vec<String> =
            std::iter::once(&hasher).chain(others).map(|hasher| format!("\"{hasher}\"")).collect();
        settings.push(format!("PASSWORD_HASHERS='[{}]'", names.join(",")));
    }
    // The costs of an algorithm other than the first can't have been set.
    let now = if is_first { password.parameters } else { Parameters::default() };
    let mut number = |variable: &str, now: u32, wanted: u32| {
        if now != wanted {
            settings.push(format!("SIMPLEJWT_PASSWORD_{variable}={wanted}"));
        }
    };
    match kind.cost() {
        Cost::Pbkdf2(iterations) => number("PBKDF2_ITERATIONS", now.pbkdf2_iterations, iterations),
        Cost::Bcrypt(rounds) => number("BCRYPT_ROUNDS", now.bcrypt_rounds, rounds),
        Cost::Argon2(cost) => {
            number("ARGON2_TIME_COST", now.argon2.time_cost, cost.time_cost);
            number("ARGON2_MEMORY_COST", now.argon2.memory_cost, cost.memory_cost);
            number("ARGON2_PARALLELISM", now.argon2.parallelism, cost.parallelism);
        }
        Cost::Scrypt(cost) => {
            number("SCRYPT_WORK_FACTOR", now.scrypt.work_factor, cost.work_factor);
            number("SCRYPT_BLOCK_SIZE", now.scrypt.block_size, cost.block_size);
            number("SCRYPT_PARALLELISM", now.scrypt.parallelism, cost.parallelism);
        }
        _ => {}
    }
    settings
}

fn nobody_can_log_in(survey: &PasswordSurvey) -> impl Iterator<Item = String> {
    let all = survey.hashes();
    survey.kinds.iter().filter_map(move |(kind, count)| match kind {
        StoredKind::NotAccepted(name) => {
            let known = name.as_deref().is_some_and(|name| name.parse::<Hasher>().is_ok());
            let remedy = match known {
                true => "name it in PASSWORD_HASHERS",
                false => "those users need another password",
            };
            Some(format!(
                "{count} of {all} stored hashes use an algorithm that isn't accepted ({kind}), so \
                 nobody can log in with them: {remedy}"
            ))
        }
        StoredKind::Malformed(hasher) => Some(format!(
            "{count} of {all} stored hashes name {hasher} and are malformed or cost too much \
             work, so nobody can log in with them: those users need another password"
        )),
        _ => None,
    })
}

/// Warns about a hash that takes longer than a refused login may: its users can be told from
/// unknown names.
fn stands_out(password: &Password, hashers: &Hashers, survey: &PasswordSurvey) -> Option<String> {
    let time = |(kind, _): &(HashKind, usize)| hashers.time_of(*kind);
    let costliest = survey.accepted().max_by_key(time)?;
    let takes = time(&costliest);
    let (_, refusal) = hashers.refusal_work();
    (takes > refusal && takes > password.max_refusal_work).then(|| {
        format!(
            "there are hashes of {}, which take {} ms: refused logins are only padded to \
             max_refusal_work ({} ms), so those users can be told from unknown names",
            costliest.0,
            takes.as_millis(),
            refusal.as_millis()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    const OLD: &str = "pbkdf2_sha256$600000$abcdefghijklmnopqrstuv$AAAA";
    const NEW: &str = "pbkdf2_sha256$1000000$abcdefghijklmnopqrstuv$AAAA";
    const ARGON2: &str =
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYQ$AAAAAAAA";
    const SCRYPT: &str = "scrypt$16384$abcdefghijklmnopqrstuv$8$1$AAAA";

    fn told(
        hashes: &[(&str, usize)],
        made_here: bool,
        change: impl FnOnce(&mut Password),
    ) -> Vec<String> {
        let mut password = Config::default().password;
        change(&mut password);
        let hashers = Hashers::new(password.hashers.iter().copied())
            .unwrap()
            .with_parameters(password.parameters)
            .unwrap()
            .with_rehash(password.rehash)
            .with_max_refusal_work(password.max_refusal_work);
        let kinds = hashes
            .iter()
            .flat_map(|(hash, count)| std::iter::repeat_n(hashers.kind_of(hash), *count));
        let survey = PasswordSurvey::of(kinds, made_here);
        hashers.learn(&survey);
        warnings(&password, &hashers, &survey)
    }

    #[test]
    fn the_number_to_write_is_named_where_another_program_has_another() {
        let mixed = [(NEW, 8), (OLD, 12), ("!", 5), ("", 1)];
        let told_by = |rehash: Option<Rehash>| told(&mixed, false, |p| p.rehash = rehash);
        for (rehash, consequence) in [
            (None, "with rehash = \"always\" each login here would rewrite them"),
            (Some(Rehash::Never), "with rehash = \"always\" each login here would rewrite them"),
            (Some(Rehash::Stronger), "rewrites those that are weaker"),
            (Some(Rehash::Always), "each login here rewrites them"),
        ] {
            let warnings = told_by(rehash);
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            let start = "12 of 20 stored hashes have 600000 iterations and this server writes \
                         1000000: ";
            assert!(warning.starts_with(start) && warning.contains(consequence), "{warning}");
            let end = ": SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS=600000";
            assert!(warning.ends_with(end), "{warning}");
        }
        assert!(told(&mixed, true, |_| {}).is_empty(), "nobody else is at our own table");
        assert!(told(&[(NEW, 12), (OLD, 8)], false, |_| {}).is_empty());
        assert!(told(&[(OLD, 1), (NEW, 1)], false, |_| {}).is_empty(), "as many are as ours");
        assert!(told(&[], false, |_| {}).is_empty());
        let set = |p: &mut Password| p.parameters.pbkdf2_iterations = 600_000;
        assert!(told(&[(OLD, 3)], false, set).is_empty());
    }

    #[test]
    fn another_algorithm_is_named_with_its_cost() {
        let ends = |hash: &str, change: fn(&mut Password), end: &str| {
            let warnings = told(&[(hash, 3)], false, change);
            assert!(warnings.len() == 1 && warnings[0].ends_with(end), "{warnings:?}");
        };
        ends(
            ARGON2,
            |_| {},
            ": PASSWORD_HASHERS='[\"argon2\",\"pbkdf2_sha256\",\"pbkdf2_sha1\",\"bcrypt_sha256\",\"scrypt\"]'",
        );
        ends(SCRYPT, |_| {}, "\"bcrypt_sha256\"]' SIMPLEJWT_PASSWORD_SCRYPT_PARALLELISM=1");
        let first = |p: &mut Password| p.hashers = vec![Hasher::Scrypt];
        ends(
            SCRYPT,
            first,
            "cost rewrites passwords that are set here: SIMPLEJWT_PASSWORD_SCRYPT_PARALLELISM=1",
        );
    }

    #[test]
    fn hashes_that_nobody_can_log_in_with_are_counted() {
        let warnings = told(
            &[(NEW, 5), ("sha1$a$b", 2), ("md5$a$b", 1), ("pbkdf2_sha256$x$y$z", 1)],
            true,
            |_| {},
        );
        let [sha1, md5, malformed] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(sha1.starts_with("2 of 9") && sha1.contains("(sha1)"), "{sha1}");
        assert!(sha1.ends_with("another password"), "{sha1}");
        assert!(md5.contains("(md5)") && md5.ends_with("name it in PASSWORD_HASHERS"), "{md5}");
        assert!(malformed.contains("pbkdf2_sha256 and are malformed"), "{malformed}");
    }

    #[test]
    fn a_limit_that_does_nothing_or_too_much_is_told() {
        let costly = "bcrypt_sha256$$2b$15$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e";
        let warnings = told(&[(NEW, 2), (costly, 1)], true, |_| {});
        assert!(warnings.len() == 1 && warnings[0].contains("bcrypt_sha256 with 15 rounds"));
        let more = |p: &mut Password| p.max_refusal_work = Duration::from_secs(5);
        assert!(told(&[(NEW, 2), (costly, 1)], true, more).is_empty());
        let none = told(&[(NEW, 2)], true, |p| p.max_refusal_work = Duration::ZERO);
        assert!(none.len() == 1 && none[0].starts_with("max_refusal_work"), "{none:?}");
    }
}
