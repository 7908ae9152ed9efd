//! Logins that rewrite the stored hash, and changes that may come in between.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::fixture::Fixture;
use super::site::{PASSWORD, Site, current, outdated, usual};
use crate::suite::{broken, good};
use crate::users::{Credentials, User, UserId};

/// The right password rewrites an outdated hash, and the login returns the new one; a wrong
/// password changes nothing. A store that doesn't rewrite leaves the hash as it is.
pub async fn outdated_hashes_are_rewritten<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, usual()).await;
    let old = outdated(PASSWORD);
    let id = site.add("ann", &old).await;
    let (name, rehashes) = (site.name("ann"), site.abilities.rehash);
    let kept = site.found(&id).await.password;
    assert!(kept == old || (kept.is_empty() && !rehashes), "who rewrites hashes answers them");
    assert_eq!(site.login(&name, "wrong").await, None);
    assert_eq!(site.found(&id).await.password, kept, "a wrong password rewrites");

    let user = site.login(&name, PASSWORD).await.unwrap_or_else(|| broken("isn't let in"));
    let stored = site.found(&id).await.password;
    assert_eq!(user.password, stored, "the hash as it is stored now");
    if rehashes {
        assert!(stored.starts_with("pbkdf2_sha256$10$"), "of today's kind");
        assert_eq!(user.rehashed_from.as_deref(), Some(old.as_str()));
    } else {
        assert_eq!((stored, user.rehashed_from), (kept, None), "Abilities::rehash isn't declared");
    }
    let again = site.login(&name, PASSWORD).await.unwrap_or_else(|| broken("isn't let in again"));
    assert_eq!((again.password, again.rehashed_from), (user.password, None));
    assert_eq!(site.login(&name, "wrong").await, None);
}

/// Returns the result of a login that has read the row, and compares the password after
/// `meanwhile`.
async fn overtaken<F: Fixture>(
    site: &Site<'_, F>,
    name: &str,
    meanwhile: impl Future<Output = ()>,
) -> Option<User> {
    let Ok(hold) = site.pool.hold().await else { broken("the suite's pool fails") };
    let credentials = Credentials::new(name, PASSWORD);
    let mut login = pin!(site.users.authenticate(&credentials));
    poll_fn(|context| {
        if login.as_mut().poll(context).is_ready() {
            broken("a login was answered without the pool that the store was given");
        }
        if site.pool.waiting() > 0 {
            return Poll::Ready(());
        }
        // The store may use the pool from a task of its own, which doesn't wake this one.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    meanwhile.await;
    drop(hold);
    good(login.await)
}

/// If the password is changed between a login's read and its rehash, the new password stays, and a
/// store that rewrites hashes refuses the old one.
pub async fn a_late_rehash_leaves_another_password_alone<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, usual()).await;
    let mut ann = site.user("ann", &outdated(PASSWORD));
    let id = fixture.add(&ann).await;
    ann.hash = current("another");
    let user = overtaken(&site, &ann.name, fixture.change(&id, &ann)).await;
    if site.abilities.rehash {
        assert_eq!(user, None, "the former password");
    }
    still(&site, &id, &ann.hash).await;
    assert!(site.login(&ann.name, "another").await.is_some(), "the new password is lost");
    assert_eq!(site.login(&ann.name, PASSWORD).await, None, "the former password counts again");
}

/// A login that rewrites the hash uses the current row: another hash of the same password is
/// returned, and a user who has become inactive isn't allowed in.
pub async fn a_late_rehash_goes_by_what_is_stored<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, usual()).await;
    for (name, is_active) in [("ann", true), ("bob", false)] {
        let mut user = site.user(name, &outdated(PASSWORD));
        let id = fixture.add(&user).await;
        user.hash = current(PASSWORD);
        user.is_active = is_active;
        let outcome = overtaken(&site, &user.name, fixture.change(&id, &user)).await;
        if site.abilities.rehash {
            let answered = outcome.map(|user| user.password);
            assert_eq!(answered, is_active.then(|| user.hash.clone()), "{name}");
        }
        still(&site, &id, &user.hash).await;
    }
}

/// A user who is deleted between a login's read and its rehash isn't created again.
pub async fn whoever_is_deleted_meanwhile_stays_deleted<F: Fixture>(fixture: &F) {
    let site = Site::new(fixture, usual()).await;
    let ann = site.user("ann", &outdated(PASSWORD));
    let id = fixture.add(&ann).await;
    let user = overtaken(&site, &ann.name, fixture.delete(&id)).await;
    if site.abilities.rehash {
        assert_eq!(user, None, "a deleted user is let in");
    }
    assert_eq!(site.find(&id).await, None, "a deleted user is there again");
    assert_eq!(site.login(&ann.name, PASSWORD).await, None);
}

/// Asserts that the stored hash is this one, if the store returns hashes.
async fn still<F: Fixture>(site: &Site<'_, F>, id: &UserId, hash: &str) {
    let stored = site.found(id).await.password;
    assert!(stored.is_empty() || stored == hash, "a rehash has overwritten a newer hash");
}
