//! Logins that are accepted or refused, and the cost of refusing.

use std::time::Duration;

use super::fixture::{Fixture, LoginNames};
use super::site::{PASSWORD, Site, current, encoded, keeping, outdated, pool};
use crate::suite::{broken, good};
use crate::users::Credentials;
use crate::users::password::{Hasher, PoolOptions, unusable_password};

/// A login returns the user's row, and finding the user by id returns the same.
pub async fn the_right_password_logs_in<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let flags = site.abilities.flags;
    let hash = current(PASSWORD);
    let plain = site.user("ann", &hash);
    let mut staff = site.user("Zoe O'Hara", &hash);
    staff.is_staff = flags;
    staff.is_superuser = flags;
    for made in [plain, staff] {
        let id = fixture.add(&made).await;
        let user = site.login(&made.name, PASSWORD).await;
        let user = user.unwrap_or_else(|| broken(&format!("{:?} isn't let in", made.name)));
        assert_eq!((&user.id, &user.username), (&id, &made.name));
        assert!(user.is_active, "{}", made.name);
        let found = (user.is_staff, user.is_superuser);
        assert_eq!(found, (made.is_staff, made.is_superuser), "{}", made.name);
        assert!(user.password.is_empty() || user.password == hash, "the stored hash");
        assert_eq!(user.rehashed_from, None, "nothing was rewritten");
        assert_eq!(site.found(&id).await, user, "the same row");
    }
}

/// Passwords aren't trimmed, folded, normalized or truncated.
pub async fn passwords_are_compared_exactly<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let long = "long ".repeat(60);
    for (name, password) in
        [("ann", PASSWORD), ("spaced", " two  spaces "), ("accent", "Zoe\u{308}"), ("long", &long)]
    {
        site.add(name, &current(password)).await;
        let name = site.name(name);
        assert!(site.login(&name, password).await.is_some(), "{name}");
        for other in [
            "",
            " ",
            password.trim(),
            &format!("{password} "),
            // At the end of the password it wouldn't change the key: HMAC pads keys with zeros.
            &format!("\0{password}"),
            &password.to_uppercase(),
            "Zo\u{eb}",
            "wrong",
            long.trim_end(),
            &"x".repeat(10_000),
        ] {
            if other != password {
                assert_eq!(site.login(&name, other).await, None, "{name} {other:?}");
            }
        }
    }
}

/// Hashes that nobody can log in with: no password matches, and there is no error.
pub async fn hashes_that_nobody_can_log_in_with_are_refused<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    for (name, hash) in unusable() {
        let id = site.add(name, &hash).await;
        let name = site.name(name);
        for password in ["", PASSWORD, &hash] {
            assert_eq!(site.login(&name, password).await, None, "{name} {password:?}");
        }
        site.found(&id).await;
    }
}

fn unusable() -> [(&'static str, String); 5] {
    [
        ("unusable", unusable_password()),
        ("empty", String::new()),
        ("corrupt", "pbkdf2_sha256$many$salt$hash".to_owned()),
        ("plain", PASSWORD.to_owned()),
        ("unknown", encoded(Hasher::Scrypt, PASSWORD)),
    ]
}

/// An inactive user is refused whatever the password, unless the store is told to allow it, and is
/// found by id either way.
pub async fn inactive_users_are_refused<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let mut ann = site.user("ann", &current(PASSWORD));
    ann.is_active = false;
    let id = fixture.add(&ann).await;
    assert_eq!(site.login(&ann.name, PASSWORD).await, None, "an inactive user is let in");
    assert_eq!(site.login(&ann.name, "wrong").await, None);
    assert!(!site.found(&id).await.is_active, "found, as inactive");
    if site.abilities.inactive_login {
        let lax = Site::open(fixture, keeping(), true).await;
        let user = lax.login(&ann.name, PASSWORD).await;
        assert_eq!(user.map(|user| (user.id, user.is_active)), Some((id.clone(), false)));
        assert_eq!(lax.login(&ann.name, "wrong").await, None);
        assert_eq!(lax.login(&site.name("nobody"), PASSWORD).await, None);
    }
    ann.is_active = true;
    fixture.change(&id, &ann).await;
    assert!(site.login(&ann.name, PASSWORD).await.is_some(), "active again");
}

/// Every refusal takes the same work, that of the costliest known hash: for unknown users, inactive
/// users, and users without a valid hash. Measured by the pool's computations, not by a clock.
pub async fn refusals_take_equal_work<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let (usual, costly) = (current(PASSWORD), encoded(Hasher::BcryptSha256, PASSWORD));
    site.add("usual", &usual).await;
    site.add("cheap", &outdated(PASSWORD)).await;
    site.add("costly", &costly).await;
    for (name, hash) in unusable() {
        site.add(name, &hash).await;
    }
    for (name, hash) in [("inactive", &usual), ("inactive costly", &costly)] {
        let mut inactive = site.user(name, hash);
        inactive.is_active = false;
        fixture.add(&inactive).await;
    }
    // A store without surveys learns the costliest hash from the first login that encounters it.
    if !site.abilities.survey {
        assert_eq!(site.login(&site.name("costly"), "wrong").await, None);
    }
    let hashers = &site.hashers;
    let long = "x".repeat(1000);
    for (name, password) in [
        ("nobody", PASSWORD),
        ("nobody", ""),
        ("usual", "wrong"),
        ("usual", ""),
        ("cheap", "wrong"),
        ("costly", "wrong"),
        ("inactive", PASSWORD),
        ("inactive", "wrong"),
        ("inactive costly", PASSWORD),
        ("unusable", PASSWORD),
        ("empty", ""),
        ("corrupt", PASSWORD),
        ("plain", PASSWORD),
        ("unknown", PASSWORD),
        ("nobody \0", PASSWORD),
        (&long, PASSWORD),
    ] {
        let before = hashers.work();
        assert_eq!(site.login(&site.name(name), password).await, None, "{name:?}");
        let (took, expected) = (hashers.work() - before, hashers.refusal_work().1);
        let missing = expected.abs_diff(took);
        assert!(
            missing < Duration::from_micros(1),
            "refusing {name:?} took the work of {took:?}, and others take {expected:?}"
        );
        assert!(hashers.time_of(hashers.new_hashes()) < expected, "{name:?}: the costliest");
    }
    // A successful login takes the work of the stored hash, and no more.
    let before = hashers.work();
    assert!(site.login(&site.name("usual"), PASSWORD).await.is_some());
    assert_eq!(hashers.work() - before, hashers.time_of(hashers.new_hashes()));
}

/// A password that can't be compared, because no thread is free, isn't reported as wrong.
pub async fn a_password_that_cant_be_compared_is_not_wrong<F: Fixture>(fixture: &F) {
    let hashers = keeping();
    let full = pool(&hashers, PoolOptions { threads: 1, waiting: 0 });
    let users = fixture.open(full, false).await;
    let site = Site::new(fixture, hashers).await;
    site.add("ann", &current(PASSWORD)).await;
    for (name, password) in [("ann", PASSWORD), ("ann", "wrong"), ("nobody", PASSWORD)] {
        let credentials = Credentials::new(site.name(name), password);
        let outcome = users.authenticate(&credentials).await;
        assert!(outcome.is_err(), "{name:?} {password:?} was answered without a comparison");
    }
    let credentials = Credentials::new(site.name("ann"), PASSWORD);
    assert!(good(site.users.authenticate(&credentials).await).is_some());
}

/// A login name in another spelling is unknown, unless the column's rules say that it is this
/// user's. Names that the column distinguishes belong to different users.
pub async fn login_names_are_compared_by_the_columns_rules<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let ann = site.add("Ann", &current(PASSWORD)).await;
    let anna = site.add("Anna", &current(PASSWORD)).await;
    for (name, id) in [("Ann", &ann), ("Anna", &anna)] {
        let user = site.login(&site.name(name), PASSWORD).await;
        assert_eq!(user.as_ref().map(|user| &user.id), Some(id), "{name}");
    }
    for other in ["ann", "ANN", "Änn", "Ann\u{301}", "Ａnn", "Ann ", " Ann", "Ann\t", "Ann\u{ad}"]
    {
        let Some(user) = site.login(&site.name(other), PASSWORD).await else { continue };
        assert_eq!(site.abilities.login_names, LoginNames::ByColumn, "{other:?} logs Ann in");
        assert_eq!((&user.id, user.username), (&ann, site.name("Ann")), "{other:?}");
    }
    for other in ["An", "Annab", "A%", "Ann_", "Ann*", "A.n", "%", "_____", "Ann'", "Ann\" --", "1"]
    {
        assert_eq!(site.login(&site.name(other), PASSWORD).await, None, "{other:?}");
        assert_eq!(site.login(other, PASSWORD).await, None, "{other:?}");
    }
    if site.abilities.login_names == LoginNames::Exact {
        let lower = site.add("ann", &current("another")).await;
        let user = site.login(&site.name("ann"), "another").await;
        assert_eq!(user.map(|user| user.id), Some(lower), "`A` is not `a`");
        assert_eq!(site.login(&site.name("ann"), PASSWORD).await, None, "`A` is not `a`");
    }
}

/// A name that the column or the database's character set can't hold is unknown, after the same
/// work; it doesn't cause a database error.
pub async fn names_that_no_row_can_hold_are_nobodys<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let id = site.add("ann", &current(PASSWORD)).await;
    let ann = site.name("ann");
    assert!(site.login(&ann, PASSWORD).await.is_some());
    for name in [
        "",
        " ",
        "\0",
        &format!("{ann}\0"),
        &format!("\0{ann}"),
        &format!("{ann}\u{fffd}"),
        &format!("{ann}\u{202e}"),
        "😀",
        "\u{10ffff}",
        "日本",
        "9223372036854775808",
        "'; --",
        &"x".repeat(60_000),
        &"ü🦀".repeat(20_000),
    ] {
        let shown: String = name.chars().take(20).collect();
        let before = site.hashers.computations();
        let found = site.login(name, PASSWORD).await.map(|user| user.id);
        assert_eq!(site.hashers.computations() - before, 1, "{shown:?}: computations");
        // Some collations ignore invisible characters.
        let may_be_ann = site.abilities.login_names == LoginNames::ByColumn && name.contains(&ann);
        assert!(found.is_none() || (may_be_ann && found.as_ref() == Some(&id)), "{shown:?}");
    }
}
