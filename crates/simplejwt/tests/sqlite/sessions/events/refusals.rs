//! Refused logins.

use serde_json::json;
use simplejwt::settings::AtLimit;
use simplejwt::{Credentials, Error, Hooks, Settings, User};

use super::{Told, log_in, with};
use crate::world::{credentials, worlds};

/// Lets nobody have tokens.
struct Closed;

impl Hooks for Closed {
    fn may_authenticate(&self, _: &Settings, _: &User) -> bool {
        false
    }
}

#[tokio::test]
async fn a_refused_login_says_why() {
    for world in worlds(|settings| {
        settings.sessions.max_per_user = Some(1);
        settings.sessions.at_limit = AtLimit::Refuse;
    })
    .await
    {
        let (auth, told) = Told::to(&world.auth);
        let wrong = Credentials::new("alice", "a wrong one");
        assert!(matches!(auth.obtain_pair(&wrong).await, Err(Error::NoActiveAccount)));
        let refused = json!({"event": "login_refused", "username": "alice"});
        assert_eq!(told.one(), with(refused.clone(), "reason", "credentials"));
        log_in(&auth).await;
        told.events();
        let second = auth.obtain_pair(&credentials("alice")).await;
        assert!(matches!(second, Err(Error::TooManySessions)), "{second:?}");
        let refused = with(refused, "user_id", "1");
        assert_eq!(told.one(), with(refused.clone(), "reason", "too_many_sessions"));
        let closed = auth.with_hooks(Closed);
        assert!(matches!(
            closed.obtain_pair(&credentials("alice")).await,
            Err(Error::NoActiveAccount)
        ));
        assert_eq!(told.one(), with(refused, "reason", "not_allowed"));
    }
}
