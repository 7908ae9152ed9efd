//! The stored password hashes beside those that this server writes: what `config check` and the
//! start say of them.

use simplejwt::users::password::{
    Cost, HashKind, Hasher, Hashers, Parameters, PasswordSurvey, Rehash, StoredKind,
};

use crate::config::Password;

/// What is allowed but may surprise, one sentence each.
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
            "max_refusal_work in [password] is less than the {} ms that one new hash takes, which \
             every refused login takes anyway",
            new.as_millis()
        ));
    }
    warnings
}

/// Most hashes are of another kind than those that this server writes, in a table that isn't its
/// own: the number of that Django, as a variable to set.
fn other_cost(password: &Password, hashers: &Hashers, survey: &PasswordSurvey) -> Option<String> {
    let (kind, count) = survey.accepted().next()?;
    let new = hashers.new_hashes();
    if kind == new || survey.made_here {
        return None;
    }
    let difference = match kind.hasher() == new.hasher() {
        true => format!("have {} and this server writes {}", kind.cost(), number(new.cost())),
        false => format!("are {kind} and this server writes {new}"),
    };
    let consequence = match hashers.rehash() {
        Some(Rehash::Always) => {
            "each login here rewrites them, and a Django of their cost rewrites them back, which \
             ends the user's sessions"
        }
        Some(Rehash::Stronger) => {
            "a login here rewrites those that are weaker, and a Django of their cost rewrites them \
             back, which ends the user's sessions"
        }
        Some(Rehash::Never) | None => {
            "with rehash = \"always\" each login here would rewrite them, and a Django of their \
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

/// What makes this server write hashes of this kind.
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
    // The costs of another algorithm than the first can't have been set.
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
                "{count} of {all} stored hashes are of an algorithm that isn't accepted ({kind}), so \
                 that nobody can log in with them: {remedy}"
            ))
        }
        StoredKind::Malformed(hasher) => Some(format!(
            "{count} of {all} stored hashes name {hasher} and are malformed, or ask for too much \
             work, so that nobody can log in with them: those users need another password"
        )),
        _ => None,
    })
}

/// A refused login for a hash that takes longer than a refusal may can be told apart.
fn stands_out(password: &Password, hashers: &Hashers, survey: &PasswordSurvey) -> Option<String> {
    let time = |(kind, _): &(HashKind, usize)| hashers.time_of(*kind);
    let costliest = survey.accepted().max_by_key(time)?;
    let takes = time(&costliest);
    let (_, refusal) = hashers.refusal_work();
    (takes > refusal && takes > password.max_refusal_work).then(|| {
        format!(
            "there are hashes of {}, which take {} ms: refused logins are padded to \
             max_refusal_work ({} ms) only, so that those users' can be told apart",
            costliest.0,
            takes.as_millis(),
            refusal.as_millis()
        )
    })
}
