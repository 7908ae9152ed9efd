//! Refused logins, which take the same work whatever they are refused for.

use std::time::Duration;

use simplejwt::users::password::{
    DEFAULT_MAX_REFUSAL_WORK, HashKind, Hasher, Hashers, Parameters, PasswordSurvey, Verdict,
    unusable_password,
};

use super::{a_hash_of_each, cheap, hashers};

#[test]
fn no_login_without_a_usable_hash_and_each_costs_one_computation() {
    for preferred in Hasher::ALL {
        let other = if preferred == Hasher::Md5 { Hasher::Scrypt } else { Hasher::Md5 };
        let one = Hashers::new([preferred]).unwrap().with_parameters(cheap()).unwrap();
        let not_accepted = hashers(other, cheap()).encode("secret").unwrap();
        let good = one.encode("secret").unwrap();
        let unusable = unusable_password();
        for encoded in [
            unusable.as_str(),
            "",
            "!",
            "secret",
            "$",
            not_accepted.as_str(),
            &format!("!{good}"),
            &format!("{good}{}", "A".repeat(1100)),
            "pbkdf2_sha256$4294967295$abcdefghijklmnopqrstuv$AAAA",
            "pbkdf2_sha1$20000001$abcdefghijklmnopqrstuv$AAAA",
            "argon2$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AAAAAAAA",
            "argon2$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHQ$AAAAAAAA",
            "argon2$argon2id$v=19$m=4294967295,t=1,p=4294967295$c2FsdHNhbHQ$AAAAAAAA",
            "argon2$argon2id$v=19$m=1048576,t=9,p=1$c2FsdHNhbHQ$AAAAAAAA",
            "bcrypt$$2b$31$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e",
            "bcrypt_sha256$$2b$18$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e",
            "scrypt$2147483648$salt$8$5$AAAA",
            "scrypt$2$salt$8388607$4294967295$AAAA",
            "scrypt$16384$salt$1024$1024$AAAA",
        ] {
            let before = one.computations();
            assert_eq!(one.verify("secret", encoded), Verdict::Wrong, "{encoded}");
            assert_eq!(one.computations() - before, 1, "{preferred}: {encoded}");
        }
        let before = one.computations();
        one.dummy_work("secret");
        assert_eq!(one.computations() - before, 1);
        assert_eq!(one.verify("guess", &good), Verdict::Wrong);
        assert_eq!(one.computations() - before, 2);
        assert!(one.verify("secret", &good).is_correct());
        assert_eq!(one.computations() - before, 3);
    }
}

/// Work that differs by less was padded to the same: a step is one iteration of PBKDF2.
const STEP: Duration = Duration::from_micros(1);

fn survey(hashers: &Hashers, hashes: &[(HashKind, String)]) -> PasswordSurvey {
    PasswordSurvey::of(hashes.iter().map(|(_, hash)| hashers.kind_of(hash)), false)
}

/// The work of what is done, by the algorithms and costs.
fn work_of(hashers: &Hashers, work: impl FnOnce(&Hashers)) -> Duration {
    let before = hashers.work();
    work(hashers);
    hashers.work() - before
}

#[test]
fn a_refusal_takes_the_work_of_the_costliest_kind_known() {
    let hashes = a_hash_of_each();
    for preferred in Hasher::ALL {
        let hashers = hashers(preferred, cheap());
        hashers.learn(&survey(&hashers, &hashes));
        let (kind, target) = hashers.refusal_work();
        let most = hashes.iter().map(|(kind, _)| hashers.time_of(*kind)).max().unwrap();
        assert_eq!((hashers.time_of(kind), target), (most, most));
        assert!(target > Duration::from_millis(1), "bcrypt: {target:?}");

        let equals = |work: Duration, what: &str| {
            assert!(work.abs_diff(target) < STEP, "{preferred}, {what}: {work:?}, not {target:?}");
        };
        equals(work_of(&hashers, |h| h.dummy_work("secret")), "unknown");
        for encoded in [unusable_password().as_str(), "", "sha1$a$b", "md5$$b", "secret"] {
            let verify = |h: &Hashers| assert_eq!(h.verify("secret", encoded), Verdict::Wrong);
            equals(work_of(&hashers, verify), encoded);
        }
        for (kind, hash) in &hashes {
            let wrong = |h: &Hashers| assert_eq!(h.verify("guess", hash), Verdict::Wrong);
            equals(work_of(&hashers, wrong), &kind.to_string());
            let inactive = |h: &Hashers| assert!(h.verify_refused("secret", hash).is_correct());
            equals(work_of(&hashers, inactive), &kind.to_string());
            let right = |h: &Hashers| assert!(h.verify("secret", hash).is_correct());
            assert_eq!(work_of(&hashers, right), hashers.time_of(*kind), "let in: {kind}");
        }
    }
}

#[test]
fn a_refusal_takes_no_less_than_a_new_hash_and_no_more_than_the_limit() {
    let hashes = a_hash_of_each();
    let most = |limit: Duration| {
        let hashers = hashers(Hasher::Pbkdf2Sha256, cheap()).with_max_refusal_work(limit);
        hashers.learn(&survey(&hashers, &hashes));
        let new = hashers.time_of(hashers.new_hashes());
        let work = work_of(&hashers, |h| h.dummy_work("secret"));
        assert!(work.abs_diff(hashers.refusal_work().1) < STEP);
        (hashers.refusal_work().1, new)
    };
    let (none, new) = most(Duration::ZERO);
    assert_eq!(none, new);
    let limit = Duration::from_micros(500);
    assert_eq!(most(limit).0, limit);
    assert!(most(DEFAULT_MAX_REFUSAL_WORK).0 > limit);
    let costs = Parameters { pbkdf2_iterations: 5000, ..cheap() };
    let hashers = hashers(Hasher::Pbkdf2Sha256, cheap()).with_max_refusal_work(limit);
    let hashers = hashers.with_parameters(costs).unwrap();
    hashers.learn(&survey(&hashers, &hashes));
    assert_eq!(hashers.refusal_work().1, hashers.time_of(hashers.new_hashes()));
}

#[test]
fn what_a_login_meets_is_known_until_the_sample_after_the_next() {
    let hashes = a_hash_of_each();
    let hashers = hashers(Hasher::Md5, cheap());
    let (md5, bcrypt) = (hashers.new_hashes(), &hashes[3]);
    assert_eq!(hashers.refusal_work().0, md5);
    assert_eq!(hashers.verify("guess", &bcrypt.1), Verdict::Wrong);
    assert_eq!(hashers.refusal_work().0, bcrypt.0);
    hashers.learn(&PasswordSurvey::default());
    assert_eq!(hashers.refusal_work().0, bcrypt.0);
    hashers.learn(&PasswordSurvey::default());
    assert_eq!(hashers.refusal_work().0, md5);
    hashers.learn(&survey(&hashers, &hashes));
    assert_eq!(hashers.refusal_work().0, bcrypt.0);
    hashers.learn(&PasswordSurvey::default());
    assert_eq!(hashers.refusal_work().0, md5, "a sample takes the place of the one before");
}

/// The numbers decide nothing but how much is computed; that they are right is measured by
/// `cargo bench -p simplejwt-bench --bench refusals`.
#[test]
fn measured_costs_keep_refusals_equal() {
    let hashes = a_hash_of_each();
    let hashers = hashers(Hasher::Pbkdf2Sha256, cheap());
    let survey = survey(&hashers, &hashes);
    hashers.calibrate(&survey);
    let target = hashers.refusal_work().1;
    for (kind, hash) in &hashes {
        let wrong = |h: &Hashers| assert_eq!(h.verify("guess", hash), Verdict::Wrong);
        let work = work_of(&hashers, wrong);
        assert!(work.abs_diff(target) < Duration::from_micros(20), "{kind}: {work:?}, {target:?}");
    }
}
