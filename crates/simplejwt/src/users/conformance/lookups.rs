//! Finding users by id.

use super::fixture::{Fixture, IdType};
use super::site::{NOW, PASSWORD, Site, current, keeping};
use crate::users::{Credentials, UserId};

/// A user is found by the id that the login returned, even an inactive user.
pub async fn users_are_found_by_id<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let hash = current(PASSWORD);
    for (name, is_active) in [("ann", true), ("bob", false), ("Zoe O'Hara", true)] {
        let mut made = site.user(name, &hash);
        made.is_active = is_active;
        let id = fixture.add(&made).await;
        let user = site.found(&id).await;
        assert_eq!((&user.id, &user.username), (&id, &made.name));
        assert_eq!(user.is_active, is_active, "{name}");
        assert!(user.password.is_empty() || user.password == hash, "the stored hash");
        assert_eq!(user.rehashed_from, None);
    }
}

/// Another spelling of an id finds no user: `01` is not `1`, and `Ann` is not `ann`. Only a UUID
/// may be spelled differently, and the user has it in its canonical spelling.
pub async fn ids_have_one_spelling<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let ann = site.add("Ann", &current(PASSWORD)).await;
    let bob = site.add("bob", &current(PASSWORD)).await;
    let text = ann.as_str();
    let spellings = [
        format!("0{text}"),
        format!("+{text}"),
        format!(" {text}"),
        format!("{text} "),
        format!("{text}\n"),
        format!("{text}.0"),
        format!("{text}e0"),
        format!("{text}_"),
        format!("{text}\0"),
        format!("\0{text}"),
        format!("{text}\u{301}"),
        format!("{{{text}}}"),
        format!("urn:uuid:{text}"),
        text.to_uppercase(),
        text.to_lowercase(),
        text.replace('-', ""),
        text.replace('a', "ä"),
        text.chars().map(full_width).collect(),
    ];
    for spelling in spellings.iter().filter(|spelling| *spelling != text) {
        let id = UserId::from(spelling.as_str());
        let Some(user) = site.find(&id).await else { continue };
        assert_eq!(site.abilities.ids, IdType::Uuid, "{spelling:?} is found for {text:?}");
        assert_eq!(user.id, ann, "the id of {spelling:?}");
    }
    assert_eq!(site.found(&ann).await.username, site.name("Ann"));
    assert_eq!(site.found(&bob).await.username, site.name("bob"));
}

fn full_width(c: char) -> char {
    match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
        other => other,
    }
}

/// An id that the column can't hold, or that nobody has, finds no user, and no method fails because
/// of it.
pub async fn ids_that_no_row_can_hold_are_nobodys<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let ann = site.add("ann", &current(PASSWORD)).await;
    let gone = site.add("gone", &current(PASSWORD)).await;
    fixture.delete(&gone).await;
    for id in [
        gone.as_str(),
        "",
        " ",
        "0",
        "-1",
        "abc",
        "NULL",
        "NaN",
        "true",
        "1e3",
        "0x1",
        "32768",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "6f1c3a52-9a38-4d5e-8a52-000000000000",
        "6f1c3a52-9a38-4d5e-8a52-0000000000",
        "\0",
        "😀",
        "\u{10ffff}",
        "%",
        "_",
        "' OR ''='",
        "1 OR 1=1",
        &"9".repeat(1000),
        &"ü🦀".repeat(20_000),
    ] {
        if id == ann.as_str() {
            continue;
        }
        let shown: String = id.chars().take(40).collect();
        let id = UserId::from(id);
        assert_eq!(site.find(&id).await, None, "{shown:?}");
        if site.abilities.last_login {
            let noted = site.users.update_last_login(&id, NOW).await;
            assert!(noted.is_ok(), "{shown:?}: {noted:?}");
        }
        let groups = site.users.groups(&id).await;
        let permissions = site.users.permissions(&id).await;
        if site.abilities.rights {
            assert!(groups.is_ok_and(|groups| groups.is_empty()), "{shown:?}");
            assert!(permissions.is_ok_and(|permissions| permissions.is_empty()), "{shown:?}");
        }
    }
    if site.abilities.last_login {
        assert_eq!(fixture.last_login(&ann).await, None, "somebody else's");
    }
}

/// Changes by other processes take effect at once: another name, another password, a deleted user.
pub async fn changes_are_seen<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let mut ann = site.user("ann", &current(PASSWORD));
    let id = fixture.add(&ann).await;
    assert!(site.login(&ann.name, PASSWORD).await.is_some());
    let first = site.found(&id).await;

    ann.hash = current("another");
    fixture.change(&id, &ann).await;
    assert_eq!(site.login(&ann.name, PASSWORD).await, None, "the former password");
    assert_eq!(site.login(&ann.name, "another").await.map(|user| user.id), Some(id.clone()));
    let changed = site.found(&id).await;
    assert!(first.password.is_empty() || changed.password == ann.hash, "the new hash");

    ann.name = site.name("anna");
    fixture.change(&id, &ann).await;
    assert_eq!(site.login(&site.name("ann"), "another").await, None, "the former name");
    assert_eq!(site.login(&ann.name, "another").await.map(|user| user.id), Some(id.clone()));
    assert_eq!(site.found(&id).await.username, ann.name);

    fixture.delete(&id).await;
    assert_eq!(site.login(&ann.name, "another").await, None, "a deleted user");
    assert_eq!(site.find(&id).await, None, "a deleted user");
}

/// If two rows have the same id, finding it or logging in by it is an error: nobody can tell which
/// is meant.
pub async fn several_with_one_id_are_an_error<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let ann = site.add("ann", &current(PASSWORD)).await;
    let bob = site.add("bob", &current("another")).await;
    let zoe = site.add("zoe", &current(PASSWORD)).await;
    if !fixture.share_id(&bob, &ann).await {
        return;
    }
    let found = site.users.find(&ann).await;
    assert!(found.is_err(), "one of two users with the same id was found");
    assert_eq!(site.found(&zoe).await.username, site.name("zoe"), "whoever is alone");
}

/// A store that can't be reached returns an error: never that there is no user, or no permission.
pub async fn what_cant_be_asked_is_an_error<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let ann = site.add("ann", &current(PASSWORD)).await;
    assert!(site.login(&site.name("ann"), PASSWORD).await.is_some());
    if !fixture.take_away().await {
        return;
    }
    let users = &site.users;
    for (name, password) in [("ann", PASSWORD), ("ann", "wrong"), ("nobody", PASSWORD)] {
        let outcome = users.authenticate(&Credentials::new(site.name(name), password)).await;
        let error = outcome.expect_err("a login was answered without the table");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let shown = format!("{error:?} {error} {}", source.unwrap_or_default());
        assert!(!shown.contains(PASSWORD) && !shown.contains("pbkdf2_sha256$"), "{shown}");
    }
    assert!(users.find(&ann).await.is_err(), "a user was looked for without the table");
    if site.abilities.last_login {
        assert!(users.update_last_login(&ann, NOW).await.is_err());
    }
    if site.abilities.rights {
        assert!(users.groups(&ann).await.is_err() && users.permissions(&ann).await.is_err());
    }
}
