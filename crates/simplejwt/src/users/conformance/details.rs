//! Optional abilities of a store, beyond logging in and finding users.

use super::fixture::Fixture;
use super::site::{NOW, PASSWORD, Site, current, encoded, keeping, outdated};
use crate::clock::Timestamp;
use crate::error::StoreErrorKind;
use crate::suite::good;
use crate::users::password::{Hasher, StoredKind, unusable_password};

/// The time of a login is recorded for this user only, with a precision of at least a second. A
/// store that doesn't record it returns an error, since the setting would have no effect.
pub async fn last_login_is_noted<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let ann = site.add("ann", &current(PASSWORD)).await;
    let bob = site.add("bob", &current(PASSWORD)).await;
    if !site.abilities.last_login {
        let refused = site.users.update_last_login(&ann, NOW).await;
        let kind = refused.map_err(|error| error.kind());
        assert_eq!(kind, Err(StoreErrorKind::Incompatible), "Abilities::last_login isn't declared");
        return;
    }
    assert!(site.login(&site.name("ann"), PASSWORD).await.is_some());
    assert_eq!(fixture.last_login(&ann).await, None, "the flow decides whether it is noted");
    let later = Timestamp::from_secs(NOW.as_secs() + 86_400);
    for at in [NOW, later] {
        good(site.users.update_last_login(&ann, at).await);
        let noted = fixture.last_login(&ann).await.map(Timestamp::as_secs);
        assert_eq!(noted, Some(at.as_secs()));
    }
    assert_eq!(fixture.last_login(&bob).await, None, "somebody else's");
    // The user has been deleted since: there is no row to update, and that is not a failure.
    fixture.delete(&bob).await;
    good(site.users.update_last_login(&bob, NOW).await);
    assert_eq!(site.find(&bob).await, None);
}

/// Groups are sorted by name. Permissions are the user's own and those of the groups; all existing
/// ones for an active superuser, and none for an inactive user. A store without groups and
/// permissions returns none.
pub async fn groups_and_permissions_are_the_users<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let hash = current(PASSWORD);
    let ann = site.add("ann", &hash).await;
    if !site.abilities.rights {
        let groups = site.users.groups(&ann).await;
        let permissions = site.users.permissions(&ann).await;
        let none = groups.map_or(true, |groups| groups.is_empty())
            && permissions.map_or(true, |permissions| permissions.is_empty());
        assert!(none, "Abilities::rights isn't declared");
        return;
    }
    let zoe = site.add("zoe", &hash).await;
    let mut idle = site.user("idle", &hash);
    idle.is_active = false;
    let idle_id = fixture.add(&idle).await;
    let mut top = site.user("top", &hash);
    top.is_superuser = true;
    let top_id = fixture.add(&top).await;
    fixture.grant(&ann, Some("writers"), Some("blog.add_post")).await;
    fixture.grant(&ann, Some("writers"), Some("blog.change_post")).await;
    fixture.grant(&ann, Some("Zoe's"), Some("shop.add_order")).await;
    fixture.grant(&ann, Some("empty"), None).await;
    fixture.grant(&ann, None, Some("blog.change_post")).await;
    fixture.grant(&zoe, None, Some("shop.add_order")).await;
    fixture.grant(&idle_id, Some("writers"), None).await;
    fixture.grant(&idle_id, None, Some("shop.delete_order")).await;

    let writers = ["blog.add_post", "blog.change_post"];
    let all = ["blog.add_post", "blog.change_post", "shop.add_order"];
    for (id, groups, permissions) in [
        (&ann, &["Zoe's", "empty", "writers"][..], &all[..]),
        (&zoe, &[], &all[2..]),
        // Groups are listed as they are; permissions don't count until the user is active.
        (&idle_id, &["writers"], &[]),
        (&top_id, &[], &[]),
    ] {
        assert_eq!(good(site.users.groups(id).await), groups, "{id}");
        let found = good(site.users.permissions(id).await);
        if *id == top_id {
            let has = |name: &&str| found.contains(*name);
            assert!(all.iter().chain(&["shop.delete_order"]).all(has), "{id}: {found:?}");
        } else {
            assert!(found.iter().eq(permissions), "{id}: {found:?}");
        }
    }
    for nobody in [format!("{ann} "), format!("{ann}\0"), format!("0{ann}"), ann.to_string() + "a"]
    {
        let nobody = nobody.as_str().into();
        assert!(good(site.users.groups(&nobody).await).is_empty(), "{nobody:?}");
        assert!(good(site.users.permissions(&nobody).await).is_empty(), "{nobody:?}");
    }
    // Granting and revoking take effect at once.
    (idle.is_active, top.is_active) = (true, false);
    fixture.change(&idle_id, &idle).await;
    fixture.change(&top_id, &top).await;
    let found = good(site.users.permissions(&idle_id).await);
    assert!(found.iter().eq(writers.iter().chain(&["shop.delete_order"])), "{found:?}");
    assert!(good(site.users.permissions(&top_id).await).is_empty(), "an inactive superuser");
}

/// In a table this small, a survey reports every kind of hash, and refusals take the work of the
/// costliest from then on. A store without surveys returns an empty one.
pub async fn surveys_tell_every_kind_of_hash<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, keeping()).await;
    let costly = encoded(Hasher::BcryptSha256, PASSWORD);
    let scrypt = encoded(Hasher::Scrypt, PASSWORD);
    for (name, hash) in [
        ("ann", current(PASSWORD)),
        ("bob", current("another")),
        ("cay", outdated(PASSWORD)),
        ("dan", costly.clone()),
        ("eve", unusable_password()),
        ("fay", scrypt),
    ] {
        site.add(name, &hash).await;
    }
    let survey = good(site.users.survey_passwords().await);
    if !site.abilities.survey {
        assert_eq!(survey, Default::default(), "Abilities::survey isn't declared");
        return;
    }
    let hashers = &site.hashers;
    let count = |kind: StoredKind| {
        let found = survey.kinds.iter().find(|(found, _)| *found == kind);
        found.map_or(0, |(_, count)| *count)
    };
    assert_eq!(count(hashers.kind_of(&current(PASSWORD))), 2, "{survey:?}");
    assert_eq!(count(hashers.kind_of(&outdated(PASSWORD))), 1, "{survey:?}");
    assert_eq!(count(hashers.kind_of(&costly)), 1, "{survey:?}");
    assert_eq!(count(StoredKind::NotAccepted(Some("scrypt".into()))), 1, "{survey:?}");
    let StoredKind::Accepted(kind) = hashers.kind_of(&costly) else {
        crate::suite::broken("the suite's own hash isn't accepted")
    };
    assert_eq!(hashers.refusal_work().0, kind, "refusals take the work of the costliest");
}
