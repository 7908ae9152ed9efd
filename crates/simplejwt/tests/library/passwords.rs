//! Password hashes against the answers of Django's own hashers
//! (`compat/make_password_vectors.py` writes the fixture).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

mod refusals;
mod upgrades;

use proptest::prelude::*;
use serde_json::Value;
use simplejwt::users::password::{
    Argon2Cost, EncodeError, HashKind, Hasher, Hashers, HashersError, Parameters, PasswordSurvey,
    ScryptCost, StoredKind, Verdict, is_usable, unusable_password,
};
use simplejwt::users::revoke_claim;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/password_hashes.json")).unwrap()
}

fn parameters(value: &Value) -> Parameters {
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let (argon2, scrypt) = (&value["argon2"], &value["scrypt"]);
    Parameters {
        pbkdf2_iterations: number(&value["pbkdf2_iterations"]),
        argon2: Argon2Cost {
            time_cost: number(&argon2["time_cost"]),
            memory_cost: number(&argon2["memory_cost"]),
            parallelism: number(&argon2["parallelism"]),
        },
        bcrypt_rounds: number(&value["bcrypt_rounds"]),
        scrypt: ScryptCost {
            work_factor: number(&scrypt["work_factor"]),
            block_size: number(&scrypt["block_size"]),
            parallelism: number(&scrypt["parallelism"]),
        },
    }
}

/// All of Django's hashers are accepted, `preferred` makes new hashes.
fn hashers(preferred: Hasher, parameters: Parameters) -> Hashers {
    let others = Hasher::ALL.into_iter().filter(|hasher| *hasher != preferred);
    let list = std::iter::once(preferred).chain(others);
    Hashers::new(list).unwrap().with_parameters(parameters).unwrap()
}

fn cheap() -> Parameters {
    parameters(&fixture()["costs"]["cheap"])
}

struct Entry<'a> {
    what: &'a str,
    password: &'a str,
    encoded: &'a str,
    hashers: Hashers,
    must_update: Option<bool>,
    default_cost: bool,
}

fn entries<'a>(fixture: &'a Value, list: &str) -> Vec<Entry<'a>> {
    let text = |entry: &'a Value, name: &str| entry[name].as_str().unwrap();
    let read = |entry: &'a Value| {
        let named = entry["parameters"].as_str();
        let given = named.map_or(&entry["parameters"], |name| &fixture["costs"][name]);
        Entry {
            what: text(entry, "what"),
            password: text(entry, "password"),
            encoded: text(entry, "encoded"),
            hashers: hashers(text(entry, "preferred").parse().unwrap(), parameters(given)),
            must_update: entry["right"]["must_update"].as_bool(),
            default_cost: named == Some("default"),
        }
    };
    fixture[list].as_array().unwrap().iter().map(read).collect()
}

fn wrong(password: &str) -> String {
    let start: String = password.chars().take(40).collect();
    format!("wrong {start}")
}

#[test]
fn hashes_made_by_django_verify_and_want_the_same_updates() {
    let fixture = fixture();
    let entries = entries(&fixture, "verify");
    assert!(entries.len() > 150);
    for entry in &entries {
        let must_update = entry.must_update.unwrap();
        assert_eq!(
            entry.hashers.verify(entry.password, entry.encoded),
            Verdict::Correct { must_update },
            "{}",
            entry.what
        );
    }
    let (kept, updated): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.must_update == Some(false));
    assert!(kept.len() > 50 && updated.len() > 50);
}

#[test]
fn wrong_passwords_do_not_match_hashes_made_by_django() {
    let fixture = fixture();
    for entry in entries(&fixture, "verify").iter().filter(|entry| !entry.default_cost) {
        let verdict = entry.hashers.verify(&wrong(entry.password), entry.encoded);
        assert_eq!(verdict, Verdict::Wrong, "{}", entry.what);
    }
}

#[test]
fn default_costs_are_those_of_django() {
    assert_eq!(parameters(&fixture()["costs"]["default"]), Parameters::default());
    assert_eq!(Hashers::default().preferred(), Hasher::Pbkdf2Sha256);
    assert_eq!(Hashers::default().accepted(), Hasher::DJANGO_DEFAULT);
}

#[test]
fn what_django_refuses_or_fails_at_is_refused_after_work() {
    let fixture = fixture();
    let entries = entries(&fixture, "refused");
    assert!(entries.len() > 100);
    for entry in &entries {
        let verdict = entry.hashers.verify(entry.password, entry.encoded);
        assert_eq!(verdict, Verdict::Wrong, "{}", entry.what);
        assert!(entry.hashers.computations() >= 1, "{}", entry.what);
    }
}

#[test]
fn new_hashes_verify_look_like_djangos_and_differ_each_time() {
    for hasher in Hasher::ALL {
        let hashers = hashers(hasher, cheap());
        for password in ["", " outer ", "pässwörd-密码", "y\0z"] {
            let (one, two) = (hashers.encode(password).unwrap(), hashers.encode(password).unwrap());
            assert_ne!(one, two);
            assert!(one.starts_with(&format!("{hasher}$")) && one.len() <= 128, "{one}");
            assert_eq!(
                hashers.verify(password, &one),
                Verdict::Correct { must_update: false },
                "{one}"
            );
            assert_eq!(hashers.verify(&format!("{password}."), &one), Verdict::Wrong, "{one}");
        }
    }
}

/// A hash of each of Django's hashers, with costs that differ in work.
fn a_hash_of_each() -> Vec<(HashKind, String)> {
    let usual = cheap();
    let costs = Parameters {
        pbkdf2_iterations: 700,
        argon2: Argon2Cost { memory_cost: 256, ..usual.argon2 },
        bcrypt_rounds: 5,
        scrypt: ScryptCost { work_factor: 64, ..usual.scrypt },
    };
    let of = |hasher| {
        let hashers = hashers(hasher, costs);
        (hashers.new_hashes(), hashers.encode("secret").unwrap())
    };
    Hasher::ALL.into_iter().map(of).collect()
}

#[test]
fn what_is_stored_is_told_without_a_part_of_it() {
    let hashers = Hashers::default();
    let not_accepted = |name: &str| StoredKind::NotAccepted(Some(name.into()));
    let unknown = StoredKind::NotAccepted(None);
    for (encoded, kind) in [
        ("", StoredKind::Unusable),
        ("!", StoredKind::Unusable),
        ("!pbkdf2_sha256$1$a$b", StoredKind::Unusable),
        ("sha1$salt$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", not_accepted("sha1")),
        ("sha1$$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", not_accepted("sha1")),
        ("pbkdf2_sha512$100$salt$hash", not_accepted("pbkdf2_sha512")),
        ("md5$salt$hash", not_accepted("md5")),
        ("bcrypt$$2b$12$rest", not_accepted("bcrypt")),
        ("argon2i$m$t$p", not_accepted("argon2i")),
        ("5f4dcc3b5aa765d61d8327deb882cf99", unknown.clone()),
        ("deadbeef$5f4dcc3b5aa765d61d83$27deb882cf99", unknown.clone()),
        ("Secret$a$b", unknown.clone()),
        ("secret$b", unknown.clone()),
        ("a_name_that_is_longer_than_names_are$a$b", unknown.clone()),
        ("correct horse", unknown),
        ("pbkdf2_sha256$many$salt$hash", StoredKind::Malformed(Hasher::Pbkdf2Sha256)),
        ("pbkdf2_sha256$4294967295$salt$hash", StoredKind::Malformed(Hasher::Pbkdf2Sha256)),
    ] {
        assert_eq!(hashers.kind_of(encoded), kind, "{encoded}");
    }
    for version in ["2a", "2b", "2x", "2y"] {
        let kind = hashers.kind_of(&format!("${version}$12$abcdefghijklmnopqrstuu")).to_string();
        assert!(kind.starts_with("bare bcrypt") && !kind.contains("abc"), "{kind}");
    }
    let kinds: Vec<_> = a_hash_of_each().iter().map(|(kind, _)| kind.to_string()).collect();
    assert_eq!(
        kinds,
        [
            "pbkdf2_sha256 with 700 iterations",
            "pbkdf2_sha1 with 700 iterations",
            "argon2 with t=1 m=256 p=2",
            "bcrypt_sha256 with 5 rounds",
            "scrypt with n=64 r=2 p=1",
            "bcrypt with 5 rounds",
            "md5",
        ]
    );
}

#[test]
fn a_survey_counts_the_most_frequent_first_and_equals_from_the_newest() {
    let survey = PasswordSurvey::of(
        [
            "!",
            "pbkdf2_sha256$3$a$b",
            "pbkdf2_sha256$2$a$b",
            "sha1$a$b",
            "pbkdf2_sha256$2$a$c",
            "pbkdf2_sha256$3$a$c",
        ]
        .map(|hash| Hashers::default().kind_of(hash)),
        true,
    );
    let accepted: Vec<_> =
        survey.accepted().map(|(kind, count)| (kind.cost().to_string(), count)).collect();
    assert_eq!(accepted, [("3 iterations".into(), 2), ("2 iterations".into(), 2)]);
    assert_eq!((survey.hashes(), survey.made_here), (5, true));
}

#[test]
fn plain_bcrypt_takes_no_more_than_72_bytes() {
    let plain = hashers(Hasher::Bcrypt, cheap());
    let (fits, over) = ("y".repeat(72), "y".repeat(73));
    let encoded = plain.encode(&fits).unwrap();
    assert!(plain.verify(&fits, &encoded).is_correct());
    let before = plain.computations();
    assert_eq!(plain.verify(&over, &encoded), Verdict::Wrong);
    assert_eq!(plain.computations() - before, 1);
    assert!(matches!(plain.encode(&over), Err(EncodeError::TooLongForBcrypt)));
    plain.dummy_work(&over);

    let sha256 = hashers(Hasher::BcryptSha256, cheap());
    let encoded = sha256.encode(&over).unwrap();
    assert!(sha256.verify(&over, &encoded).is_correct());
    assert_eq!(sha256.verify(&fits, &encoded), Verdict::Wrong);
}

#[test]
fn a_list_of_class_paths_is_a_setting() {
    let hashers = Hashers::from_setting([
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ])
    .unwrap();
    assert_eq!(hashers.preferred(), Hasher::Argon2);
    assert_eq!(hashers.accepted(), [Hasher::Argon2, Hasher::Pbkdf2Sha256]);
    for hasher in Hasher::ALL {
        assert_eq!(hasher.class_path().parse::<Hasher>().unwrap(), hasher);
        assert_eq!(hasher.name().parse::<Hasher>().unwrap(), hasher);
    }
    let own = "shop.hashers.PBKDF2PasswordHasher";
    let unknown = Hashers::from_setting([own]).unwrap_err();
    assert_eq!(unknown, HashersError::Unknown(own.into()));
    assert_eq!(Hashers::new([]).unwrap_err(), HashersError::Empty);
    let none = Parameters { pbkdf2_iterations: 0, ..Parameters::default() };
    let refused = Hashers::default().with_parameters(none).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "password hashers: the number of PBKDF2 iterations is out of range"
    );
}

#[test]
fn unusable_passwords_are_djangos() {
    let (one, two) = (unusable_password(), unusable_password());
    assert_ne!(one, two);
    assert_eq!(one.len(), 41);
    assert!(one.starts_with('!') && !is_usable(&one));
    assert!(is_usable("") && is_usable("pbkdf2_sha256$1$a$b"));
}

#[test]
fn the_revoke_claim_is_the_upper_case_md5_of_the_stored_hash() {
    assert_eq!(revoke_claim(""), "D41D8CD98F00B204E9800998ECF8427E");
    assert_eq!(revoke_claim("md5$a$b"), "3F8A52168500B56BDA5C5F3CBD35EE90");
}

#[test]
fn debug_shows_no_hash() {
    let hashers = hashers(Hasher::Md5, cheap());
    let shown = format!("{hashers:?}");
    assert!(shown.contains("Md5") && !shown.contains('$'), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_or_lets_anyone_in(text in any::<String>(), password in any::<String>()) {
        let hashers = hashers(Hasher::Md5, cheap());
        prop_assert_eq!(hashers.verify(&password, &text), Verdict::Wrong);
    }

    #[test]
    fn no_text_after_a_known_name_panics_or_lets_anyone_in(
        hasher in prop::sample::select(Hasher::ALL.to_vec()),
        parts in prop::collection::vec(
            prop_oneof![
                "[0-9]{1,2}",
                "[0-9]{11}",
                "[A-Za-z0-9./+=]{0,60}",
                "\\PC{0,30}",
                Just("2b".to_owned()),
                Just("argon2id".to_owned()),
                Just("v=19".to_owned()),
                "m=[0-9]{1,3},t=[0-9],p=[0-9]",
            ],
            0..7,
        ),
    ) {
        let text = format!("{hasher}${}", parts.join("$"));
        // bcrypt of 2^17 is allowed, and slow.
        prop_assume!(!text.contains("$1"));
        let hashers = hashers(Hasher::Md5, cheap());
        prop_assert_eq!(hashers.verify("secret", &text), Verdict::Wrong);
    }

    #[test]
    fn a_changed_hash_fits_no_password(
        hasher in prop::sample::select(Hasher::ALL.to_vec()),
        place in any::<prop::sample::Index>(),
        letter in prop::sample::select(vec!['$', ',', '=', 'Z', 'é', '!', '\0', ' ']),
        how in 0..3,
    ) {
        let hashers = hashers(hasher, cheap());
        let good = hashers.encode("secret").unwrap();
        let at = place.index(good.len());
        let mut changed: Vec<char> = good.chars().collect();
        match how {
            0 => changed[at] = letter,
            1 => { changed.remove(at); }
            _ => changed.insert(at, letter),
        }
        let changed: String = changed.into_iter().collect();
        prop_assume!(changed != good);
        prop_assert_eq!(hashers.verify("secret", &changed), Verdict::Wrong, "{}", changed);
        prop_assert_eq!(hashers.verify("guess", &changed), Verdict::Wrong, "{}", changed);
    }
}
