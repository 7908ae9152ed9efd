//! Password hashes, new and stored, against OWASP's numbers.

use serde_json::json;
use simplejwt::users::password::{Cost, HashKind, Hasher, PasswordSurvey, Rehash, StoredKind};

use super::finding::Finding;
use crate::config::{Config, Password};

/// The minima of OWASP's Password Storage Cheat Sheet, whose rows are equally strong: memory in KiB
/// and passes of Argon2id.
const ARGON2: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];
/// Work factor and parallelism of scrypt, with a block size of 8.
const SCRYPT: [(u32, u32); 5] =
    [(1 << 17, 1), (1 << 16, 2), (1 << 15, 3), (1 << 14, 5), (1 << 13, 10)];
const PBKDF2_SHA256: u32 = 600_000;
const PBKDF2_SHA1: u32 = 1_300_000;
const BCRYPT: u32 = 10;

/// Returns what a hash falls short of; `None` if it is strong enough.
fn shortfall(kind: HashKind) -> Option<String> {
    let (is_weak, minimum) = match (kind.hasher(), kind.cost()) {
        (Hasher::Pbkdf2Sha1, Cost::Pbkdf2(n)) => {
            (n < PBKDF2_SHA1, format!("{PBKDF2_SHA1} iterations over SHA-1"))
        }
        (_, Cost::Pbkdf2(n)) => {
            (n < PBKDF2_SHA256, format!("{PBKDF2_SHA256} iterations over SHA-256"))
        }
        (_, Cost::Argon2(cost)) => {
            let enough = ARGON2
                .iter()
                .any(|(memory, passes)| cost.memory_cost >= *memory && cost.time_cost >= *passes);
            (!enough, "19 MiB and 2 passes, or as much work".to_owned())
        }
        (_, Cost::Bcrypt(rounds)) => (rounds < BCRYPT, format!("{BCRYPT} rounds")),
        (_, Cost::Scrypt(cost)) => {
            let enough = SCRYPT.iter().any(|(factor, lanes)| {
                cost.work_factor >= *factor && cost.block_size >= 8 && cost.parallelism >= *lanes
            });
            (!enough, "N = 2^17, r = 8 and p = 1, or as much work".to_owned())
        }
        _ => (true, "a slow hash: one of md5 is tried billions of times a second".to_owned()),
    };
    is_weak.then_some(minimum)
}

/// Compares the hashes that are written and accepted, and those of the sample if the table could be
/// read.
pub(super) fn findings(config: &Config, survey: Option<&PasswordSurvey>) -> Vec<Finding> {
    let password = &config.password;
    let Some(first) = password.hashers.first().copied() else { return Vec::new() };
    let new = HashKind::new(first, &password.parameters);
    let mut findings = vec![match shortfall(new) {
        None => Finding::ok("password_hashing", format!("new password hashes are {new}")),
        Some(minimum) => stronger(
            Finding::warning(
                "weak_password_hashing",
                format!("new password hashes are {new}"),
                format!(
                    "whoever gets the table tries passwords too quickly: OWASP asks for {minimum}"
                ),
            ),
            first,
            password,
        ),
    }];
    if password.hashers.contains(&Hasher::Md5) && first != Hasher::Md5 {
        findings.push(
            Finding::warning(
                "md5_accepted",
                "password hashes of md5 are accepted",
                "they are for tests: one is tried billions of times a second. Users who have one \
                 need another password",
            )
            .write("password.hashers", without_md5(password)),
        );
    }
    findings.extend(survey.and_then(|survey| stored(password, survey)));
    findings.push(Finding::ok(
        "password_validators",
        "`simplejwt user` refuses passwords that are short, common, only digits or like the name",
    ));
    findings
}

fn without_md5(password: &Password) -> Vec<String> {
    let others = password.hashers.iter().filter(|hasher| **hasher != Hasher::Md5);
    let names: Vec<String> = others.map(|hasher| hasher.name().to_owned()).collect();
    match names.is_empty() {
        true => vec![Hasher::Pbkdf2Sha256.name().to_owned()],
        false => names,
    }
}

/// Adds the lines that make new hashes strong.
fn stronger(finding: Finding, hasher: Hasher, password: &Password) -> Finding {
    match hasher {
        Hasher::Pbkdf2Sha256 => finding.write("password.pbkdf2_iterations", 1_000_000),
        Hasher::Pbkdf2Sha1 => finding.write("password.pbkdf2_iterations", PBKDF2_SHA1),
        Hasher::Argon2 => finding
            .write("password.argon2_memory_cost", 102_400)
            .write("password.argon2_time_cost", 2),
        Hasher::BcryptSha256 | Hasher::Bcrypt => finding.write("password.bcrypt_rounds", 12),
        Hasher::Scrypt => finding
            .write("password.scrypt_work_factor", 1 << 14)
            .write("password.scrypt_block_size", 8)
            .write("password.scrypt_parallelism", 5),
        // Also the costs of another algorithm, which would be refused beside the new first one.
        _ => finding.write("password.hashers", json!(without_md5(password))),
    }
}

/// Compares the stored hashes.
fn stored(password: &Password, survey: &PasswordSurvey) -> Option<Finding> {
    let weak: usize = survey
        .accepted()
        .filter(|(kind, _)| shortfall(*kind).is_some())
        .map(|(_, count)| count)
        .sum();
    let refused: usize = survey
        .kinds
        .iter()
        .filter(|(kind, _)| matches!(kind, StoredKind::NotAccepted(_)))
        .map(|(_, count)| count)
        .sum();
    let all = survey.hashes();
    if weak == 0 {
        let refused = match refused {
            0 => String::new(),
            some => format!("; {some} are of algorithms that aren't accepted"),
        };
        return (all > 0).then(|| {
            Finding::ok(
                "stored_hashes",
                format!(
                    "none of {all} sampled password hashes is weaker than OWASP's minimum{refused}"
                ),
            )
        });
    }
    let found = format!("{weak} of {all} sampled password hashes are weaker than OWASP's minimum");
    let why = "whoever gets the table tries passwords against them too quickly";
    let rehash = password.rehash.unwrap_or(match survey.made_here {
        true => Rehash::Stronger,
        false => Rehash::Never,
    });
    Some(match rehash {
        Rehash::Never => Finding::warning(
            "weak_stored_hashes_stay",
            found,
            format!("{why}, and a login doesn't replace them (rehash is \"never\")"),
        )
        .write("password.rehash", "stronger"),
        _ => Finding::note(
            "weak_stored_hashes",
            found,
            format!("{why}. Each is replaced at its user's next login"),
        )
        .act("users who haven't logged in for long can be given another password, or none"),
    })
}

#[cfg(test)]
mod tests {
    use simplejwt::users::password::Hashers;

    use super::super::finding::{Remedy, Severity, told};
    use super::*;

    fn with(hasher: Hasher, change: impl FnOnce(&mut Password)) -> Config {
        let mut config = Config::default();
        config.password.hashers = vec![hasher];
        change(&mut config.password);
        config
    }

    #[test]
    fn new_hashes_are_compared_with_owasp_s_numbers() {
        for (config, is_weak) in [
            (with(Hasher::Pbkdf2Sha256, |_| {}), false),
            (with(Hasher::Pbkdf2Sha256, |p| p.parameters.pbkdf2_iterations = 600_000), false),
            (with(Hasher::Pbkdf2Sha256, |p| p.parameters.pbkdf2_iterations = 599_999), true),
            (with(Hasher::Pbkdf2Sha1, |_| {}), true),
            (with(Hasher::Pbkdf2Sha1, |p| p.parameters.pbkdf2_iterations = 1_300_000), false),
            (with(Hasher::Argon2, |_| {}), false),
            (with(Hasher::Argon2, |p| p.parameters.argon2.memory_cost = 19_455), true),
            (with(Hasher::Argon2, |p| p.parameters.argon2.time_cost = 1), false),
            (with(Hasher::BcryptSha256, |_| {}), false),
            (with(Hasher::Bcrypt, |p| p.parameters.bcrypt_rounds = 9), true),
            (with(Hasher::Scrypt, |_| {}), false),
            (with(Hasher::Scrypt, |p| p.parameters.scrypt.parallelism = 4), true),
            (with(Hasher::Scrypt, |p| p.parameters.scrypt.block_size = 4), true),
            (with(Hasher::Md5, |_| {}), true),
        ] {
            let told = told(&findings(&config, None));
            let weak = ("weak_password_hashing", Severity::Warning);
            assert_eq!(told, if is_weak { vec![weak] } else { vec![] }, "{:?}", config.password);
        }
    }

    #[test]
    fn md5_is_taken_off_the_list() {
        let config = with(Hasher::Argon2, |p| p.hashers.push(Hasher::Md5));
        let findings = findings(&config, None);
        assert_eq!(told(&findings), [("md5_accepted", Severity::Warning)]);
        let expected = Remedy::Write("password.hashers".into(), json!(["argon2"]));
        assert_eq!(findings[1].remedies, [expected]);
    }

    #[test]
    fn stored_hashes_are_counted() {
        let hashers = Hashers::new(Hasher::DJANGO_DEFAULT.iter().copied()).unwrap();
        let strong = "pbkdf2_sha256$1000000$abcdefghijklmnopqrstuv$AAAA";
        let weak = "pbkdf2_sha256$36000$abcdefghijklmnopqrstuv$AAAA";
        let sampled = |hashes: &[&str], made_here| {
            PasswordSurvey::of(hashes.iter().map(|hash| hashers.kind_of(hash)), made_here)
        };
        let told_of = |hashes: &[&str], made_here, rehash| {
            let mut config = Config::default();
            config.password.rehash = rehash;
            told(&findings(&config, Some(&sampled(hashes, made_here))))
        };
        let stay = [("weak_stored_hashes_stay", Severity::Warning)];
        let replaced = [("weak_stored_hashes", Severity::Note)];
        assert_eq!(told_of(&[strong, weak], false, None), stay);
        assert_eq!(told_of(&[strong, weak], true, Some(Rehash::Never)), stay);
        assert_eq!(told_of(&[strong, weak], true, None), replaced);
        assert_eq!(told_of(&[weak], false, Some(Rehash::Stronger)), replaced);
        assert_eq!(told_of(&[strong, "!", "md5$a$b"], false, None), []);
        assert_eq!(told_of(&[], false, None), []);
        let config = Config::default();
        let findings = findings(&config, Some(&sampled(&[weak, strong, weak], false)));
        assert!(findings[1].found.starts_with("2 of 3 "), "{findings:?}");
    }
}
