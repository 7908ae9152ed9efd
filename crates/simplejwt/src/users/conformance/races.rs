//! Rules that hold however many users log in at once.

use std::sync::Arc;

use super::fixture::Fixture;
use super::site::{PASSWORD, Site, current, outdated, usual};
use crate::suite::{Task, good, together};
use crate::users::{Credentials, User, UserStore};

const ROUNDS: usize = 6;
const TASKS: usize = 8;

type Outcome = Option<User>;

fn log_in(
    users: &Arc<dyn UserStore>,
    name: &str,
) -> impl Future<Output = Outcome> + Send + 'static + use<> {
    let (users, credentials) = (Arc::clone(users), Credentials::new(name, PASSWORD));
    async move { good(users.authenticate(&credentials).await) }
}

/// Concurrent logins that rewrite a hash return the one that is stored: a token tied to a lost one
/// would be invalid at once.
pub async fn racing_logins_agree_on_the_hash<F: Fixture>(fixture: &F, spawn: &impl Fn(Task)) {
    let site = Site::new(fixture, usual()).await;
    for round in 0..ROUNDS {
        let name = format!("ann {round}");
        let id = site.add(&name, &outdated(PASSWORD)).await;
        let name = site.name(&name);
        let logins = (0..TASKS).map(|_| log_in(&site.users, &name));
        let answered = together(spawn, logins).await;
        let stored = site.found(&id).await.password;
        for user in answered {
            let hash = user.map(|user| user.password);
            assert_eq!(hash.as_ref(), Some(&stored), "a login answers a hash that isn't stored");
        }
    }
}

/// A password that is changed while others log in with the former one stays changed, whichever of
/// them came first.
pub async fn a_rehash_never_overwrites_a_newer_password<F: Fixture>(
    fixture: &F,
    spawn: &impl Fn(Task),
) {
    let site = Site::new(fixture, usual()).await;
    for round in 0..ROUNDS {
        let mut ann = site.user(&format!("ann {round}"), &outdated(PASSWORD));
        let id = fixture.add(&ann).await;
        let name = ann.name.clone();
        let logins = together(spawn, (0..TASKS).map(|_| log_in(&site.users, &name)));
        let change = async {
            // Beside another login each time.
            for _ in 0..round {
                let _ = site.find(&id).await;
            }
            ann.hash = current("another");
            fixture.change(&id, &ann).await;
        };
        both(logins, change).await;
        assert!(site.login(&name, "another").await.is_some(), "the new password is lost");
        assert_eq!(site.login(&name, PASSWORD).await, None, "the former password counts again");
    }
}

/// A user who is deleted while others log in stays deleted.
pub async fn logins_bring_nobody_back<F: Fixture>(fixture: &F, spawn: &impl Fn(Task)) {
    let site = Site::new(fixture, usual()).await;
    for round in 0..ROUNDS {
        let name = format!("ann {round}");
        let id = site.add(&name, &outdated(PASSWORD)).await;
        let name = site.name(&name);
        let logins = together(spawn, (0..TASKS).map(|_| log_in(&site.users, &name)));
        both(logins, fixture.delete(&id)).await;
        assert_eq!(site.find(&id).await, None, "a deleted user is there again");
        assert_eq!(site.login(&name, PASSWORD).await, None, "a deleted user is let in");
    }
}

/// Runs both futures to completion, concurrently.
async fn both<A>(first: impl Future<Output = A>, second: impl Future<Output = ()>) -> A {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    let mut outcome = None;
    let mut is_done = false;
    std::future::poll_fn(|context| {
        if outcome.is_none()
            && let std::task::Poll::Ready(value) = first.as_mut().poll(context)
        {
            outcome = Some(value);
        }
        if !is_done {
            is_done = second.as_mut().poll(context).is_ready();
        }
        match is_done {
            true => outcome.take().map_or(std::task::Poll::Pending, std::task::Poll::Ready),
            false => std::task::Poll::Pending,
        }
    })
    .await
}
