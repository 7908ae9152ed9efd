//! Hashes that a login rewrites.

use std::cmp::Ordering;

use simplejwt::users::password::{
    Argon2Cost, Hasher, Hashers, Parameters, Rehash, ScryptCost, StoredKind,
};

use super::{cheap, entries, fixture, hashers};

#[test]
fn always_rewrites_what_django_would_and_stronger_never_weakens() {
    let fixture = fixture();
    let mut raised = 0;
    for entry in entries(&fixture, "verify") {
        let rewrites = |rehash| entry.hashers.should_rewrite(entry.encoded, rehash);
        assert_eq!(Some(rewrites(Rehash::Always)), entry.must_update, "{}", entry.what);
        assert!(!rewrites(Rehash::Never));
        if rewrites(Rehash::Stronger) {
            raised += 1;
            assert!(rewrites(Rehash::Always), "{}", entry.what);
            let StoredKind::Accepted(stored) = entry.hashers.kind_of(entry.encoded) else {
                panic!("{}", entry.what);
            };
            let new = entry.hashers.new_hashes();
            let weaker = stored.cost().partial_cmp(&new.cost()) == Some(Ordering::Greater);
            assert!(!weaker, "{}", entry.what);
        }
    }
    assert!(raised > 30, "{raised}");
    for entry in entries(&fixture, "refused") {
        assert!(!entry.hashers.should_rewrite("!", Rehash::Always), "{}", entry.what);
    }
}

#[test]
fn stronger_goes_by_the_cost_within_an_algorithm_and_by_its_kind_between_two() {
    let usual = cheap();
    let short_salt = "pbkdf2_sha256$100$short$AAAA";
    let rewrites = |(from, stored): (Hasher, Parameters), (to, new): (Hasher, Parameters)| {
        let encoded = hashers(from, stored).encode("secret").unwrap();
        hashers(to, new).should_rewrite(&encoded, Rehash::Stronger)
    };
    let argon2 = |memory_cost, time_cost, parallelism| Parameters {
        argon2: Argon2Cost { time_cost, memory_cost, parallelism },
        ..usual
    };
    let scrypt = |work_factor, block_size, parallelism| Parameters {
        scrypt: ScryptCost { work_factor, block_size, parallelism },
        ..usual
    };
    let iterations = |pbkdf2_iterations| Parameters { pbkdf2_iterations, ..usual };
    let rounds = |bcrypt_rounds| Parameters { bcrypt_rounds, ..usual };
    use Hasher::*;
    for (hasher, weaker, stronger) in [
        (Pbkdf2Sha256, iterations(99), usual),
        (Pbkdf2Sha1, usual, iterations(101)),
        (Bcrypt, usual, rounds(5)),
        (BcryptSha256, usual, rounds(6)),
        (Argon2, argon2(64, 1, 2), argon2(64, 2, 2)),
        (Argon2, argon2(64, 1, 2), argon2(65, 1, 1)),
        (Scrypt, scrypt(16, 2, 1), scrypt(32, 2, 1)),
        (Scrypt, scrypt(16, 2, 1), scrypt(16, 2, 5)),
    ] {
        assert!(rewrites((hasher, weaker), (hasher, stronger)), "{hasher}");
        assert!(!rewrites((hasher, stronger), (hasher, weaker)), "{hasher}");
        assert!(!rewrites((hasher, weaker), (hasher, weaker)), "{hasher}");
    }
    for (hasher, one, two) in [
        (Argon2, argon2(64, 2, 2), argon2(128, 1, 2)),
        (Argon2, argon2(64, 1, 2), argon2(64, 1, 1)),
        (Scrypt, scrypt(16, 4, 1), scrypt(32, 2, 1)),
    ] {
        assert!(!rewrites((hasher, one), (hasher, two)) && !rewrites((hasher, two), (hasher, one)));
    }
    let order = [Md5, Pbkdf2Sha1, Pbkdf2Sha256, Bcrypt, BcryptSha256, Scrypt, Argon2];
    for (at, from) in order.into_iter().enumerate() {
        for (to, is_stronger) in order.into_iter().zip((0..).map(|to| to > at)) {
            assert_eq!(rewrites((from, usual), (to, usual)), is_stronger, "{from} to {to}");
        }
    }
    // A better algorithm is no reason to give up work.
    assert!(!rewrites((Pbkdf2Sha1, iterations(200)), (Pbkdf2Sha256, iterations(199))));
    assert!(!rewrites((Bcrypt, rounds(6)), (BcryptSha256, rounds(5))));
    // Nor is a longer salt.
    let salted =
        |new| hashers(Pbkdf2Sha256, iterations(new)).should_rewrite(short_salt, Rehash::Stronger);
    assert_eq!([99, 100, 101].map(salted), [false, true, true]);
}

#[test]
fn who_says_what_a_hash_costs_decides_for_stored_ones_too() {
    assert_eq!(Hashers::default().rehash(), None);
    let listed = Hashers::new([Hasher::Argon2]).unwrap();
    assert_eq!(listed.rehash(), Some(Rehash::Always));
    assert_eq!(Hashers::default().with_parameters(cheap()).unwrap().rehash(), Some(Rehash::Always));
    assert_eq!(listed.with_rehash(None).rehash(), None);
    for (name, rehash) in Rehash::NAMES {
        assert_eq!((name.parse(), rehash.to_string().as_str()), (Ok(rehash), name));
    }
    assert!("Always".parse::<Rehash>().is_err());
}
