//! `PASSWORD_HASHERS`: Django's own hashers, those that it has removed, and replacements for
//! subclasses.

use simplejwt::users::password::Hasher;

/// Classes that Django removed, with the version.
const REMOVED: [(&str, &str); 4] = [
    ("SHA1PasswordHasher", "5.1"),
    ("UnsaltedSHA1PasswordHasher", "5.1"),
    ("UnsaltedMD5PasswordHasher", "5.1"),
    ("CryptPasswordHasher", "5.0"),
];

/// Parses a list of hashers, and reports all problems at once.
pub(super) fn hashers(paths: &[String]) -> Result<Vec<Hasher>, String> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        match path.parse::<Hasher>() {
            Ok(hasher) => found.push(hasher),
            Err(_) => problems.push(unknown(path)),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems.join("; and it ")) }
}

fn unknown(path: &str) -> String {
    let class = path.rsplit('.').next().unwrap_or_default();
    if let Some((_, version)) = REMOVED.iter().find(|(name, _)| *name == class) {
        return format!(
            "names {path:?}, which Django {version} removed: remove it. Its hashes are refused, \
             as in Django"
        );
    }
    let near = Hasher::ALL.iter().find(|hasher| {
        let family = family(**hasher);
        class.to_lowercase().contains(family)
    });
    match near {
        // Django's documentation describes such subclasses for another cost.
        Some(hasher) if path.contains('.') && class != own_class(*hasher) => format!(
            "names {path:?}, which is not one of Django's own hashers: if it only changes the \
             cost, write {:?} instead and set {}",
            hasher.class_path(),
            costs(*hasher)
        ),
        _ => {
            let known: Vec<_> = Hasher::ALL.iter().map(|hasher| hasher.class_path()).collect();
            format!(
                "names {path:?}, which is not one of Django's own hashers; known are {}",
                known.join(", ")
            )
        }
    }
}

fn own_class(hasher: Hasher) -> &'static str {
    hasher.class_path().rsplit('.').next().unwrap_or_default()
}

fn family(hasher: Hasher) -> &'static str {
    match hasher {
        Hasher::Pbkdf2Sha256 | Hasher::Pbkdf2Sha1 => "pbkdf2",
        Hasher::Argon2 => "argon2",
        Hasher::BcryptSha256 | Hasher::Bcrypt => "bcrypt",
        Hasher::Scrypt => "scrypt",
        Hasher::Md5 => "md5",
    }
}

fn costs(hasher: Hasher) -> &'static str {
    match hasher {
        Hasher::Pbkdf2Sha256 | Hasher::Pbkdf2Sha1 => {
            "SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS to its iterations"
        }
        Hasher::Argon2 => "SIMPLEJWT_PASSWORD_ARGON2_TIME_COST, _MEMORY_COST and _PARALLELISM",
        Hasher::BcryptSha256 | Hasher::Bcrypt => "SIMPLEJWT_PASSWORD_BCRYPT_ROUNDS to its rounds",
        Hasher::Scrypt => "SIMPLEJWT_PASSWORD_SCRYPT_WORK_FACTOR, _BLOCK_SIZE and _PARALLELISM",
        Hasher::Md5 => "nothing, it has no cost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DJANGO: &str = "django.contrib.auth.hashers.";

    #[test]
    fn what_django_had_and_what_teams_derive_is_told_what_to_write() {
        for (path, told) in [
            ("django.contrib.auth.hashers.SHA1PasswordHasher", "Django 5.1 removed: remove it"),
            ("django.contrib.auth.hashers.UnsaltedMD5PasswordHasher", "Django 5.1 removed"),
            ("django.contrib.auth.hashers.CryptPasswordHasher", "Django 5.0 removed"),
            ("project.hashers.MyPBKDF2PasswordHasher", "SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS"),
            ("project.hashers.MyPBKDF2", "hashers.PBKDF2PasswordHasher\" instead"),
            ("core.Argon2Strong", "SIMPLEJWT_PASSWORD_ARGON2_TIME_COST"),
            ("core.FastBCryptSHA256", "SIMPLEJWT_PASSWORD_BCRYPT_ROUNDS"),
            ("core.scrypt.Scrypt17", "SIMPLEJWT_PASSWORD_SCRYPT_WORK_FACTOR"),
            ("my.Hasher", "known are"),
            ("sha1", "known are"),
        ] {
            let problem = hashers(&[path.to_owned()]).unwrap_err();
            assert!(problem.contains(told) && problem.contains(path), "{path}: {problem}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let list = ["argon2", "my.Hasher", "md5", "core.MyPBKDF2"].map(str::to_owned);
        let problem = hashers(&list).unwrap_err();
        assert!(problem.contains("my.Hasher") && problem.contains("core.MyPBKDF2"), "{problem}");
        let good = [format!("{DJANGO}ScryptPasswordHasher"), "md5".to_owned()];
        assert_eq!(hashers(&good).unwrap(), [Hasher::Scrypt, Hasher::Md5]);
    }
}
