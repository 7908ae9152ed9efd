//! Claims of hooks, at login and through the refreshes of a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;
use simplejwt::settings::TokenClass;
use simplejwt::{Claims, Credentials, Error, HookError, Hooks, User};

use crate::world::{World, claims, credentials, seconds, worlds};

/// Puts the user's e-mail address into tokens.
#[derive(Clone, Debug, Default)]
struct Email {
    anew: bool,
    broken: Arc<AtomicBool>,
    refreshed: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
}

#[async_trait]
impl Hooks for Email {
    async fn extra_claims(
        &self,
        _kind: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        Ok(claims.set("email", user.fields.get("email"))?)
    }

    async fn refreshed_claims(
        &self,
        kind: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.refreshed.fetch_add(1, Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            return Err(HookError::new("the mail server's cable is out"));
        }
        match self.anew {
            true => self.extra_claims(kind, user, claims).await,
            false => Ok(()),
        }
    }

    async fn on_login_failed(&self, _credentials: &Credentials) {
        self.failed.fetch_add(1, Ordering::SeqCst);
    }
}

async fn set_email(world: &World, email: &str) {
    world.change("alice", |user| drop(user.fields.insert("email".into(), email.into()))).await;
}

async fn with_email(mut world: World, hooks: &Email) -> World {
    set_email(&world, "a@example.com").await;
    world.auth = world.auth.clone().with_hooks(hooks.clone());
    world
}

#[tokio::test]
async fn claims_are_carried_over_or_computed_anew() {
    for anew in [false, true] {
        for world in worlds(|_| {}).await {
            let hooks = Email { anew, ..Email::default() };
            let world = with_email(world, &hooks).await;
            let first = world.log_in().await;
            for token in [&first.access, &first.refresh] {
                assert_eq!(claims(token)["email"], json!("a@example.com"));
            }
            set_email(&world, "b@example.com").await;
            let expected = if anew { "b@example.com" } else { "a@example.com" };
            let second = world.next(&first.refresh).await;
            for token in [&second.access, &second.refresh] {
                assert_eq!(claims(token)["email"], json!(expected), "{}", world.name());
            }
            assert_eq!(hooks.refreshed.load(Ordering::SeqCst), 1, "once a refresh");
            // The token that the hook's claims are in is good for the next one.
            world.next(&second.refresh).await;
        }
    }
}

/// Without rotation only the access token is new, and it has what the hook says.
#[tokio::test]
async fn without_rotation_the_access_token_has_the_new_claims() {
    for world in worlds(|settings| {
        settings.rotate_refresh_tokens = false;
        settings.blacklist_after_rotation = false;
    })
    .await
    {
        let world = with_email(world, &Email { anew: true, ..Email::default() }).await;
        let pair = world.log_in().await;
        set_email(&world, "b@example.com").await;
        let refreshed = world.auth.refresh(&pair.refresh).await.unwrap();
        assert_eq!(claims(&refreshed.access.token)["email"], json!("b@example.com"));
        assert_eq!(refreshed.refresh, None);
    }
}

#[tokio::test]
async fn a_repeated_refresh_is_byte_for_byte_the_same_while_the_user_is() {
    for anew in [false, true] {
        for world in worlds(|settings| settings.sessions.rotation_grace = seconds(10)).await {
            let world = with_email(world, &Email { anew, ..Email::default() }).await;
            let first = world.log_in().await;
            set_email(&world, "b@example.com").await;
            let second = world.next(&first.refresh).await;
            world.advance(seconds(5));
            assert_eq!(world.next(&first.refresh).await, second, "{}", world.name());
            // What has changed since is in the repeated pair, which is the same pair still.
            set_email(&world, "c@example.com").await;
            let again = world.next(&first.refresh).await;
            assert_eq!(again == second, !anew);
            for (one, other) in [(&again.access, &second.access), (&again.refresh, &second.refresh)]
            {
                let (mut one, mut other) = (claims(one), claims(other));
                let expected = if anew { "c@example.com" } else { "a@example.com" };
                assert_eq!(one["email"], json!(expected));
                one["email"] = json!(null);
                other["email"] = json!(null);
                assert_eq!(one, other, "but for the claim");
            }
            world.next(&again.refresh).await;
        }
    }
}

#[tokio::test]
async fn a_hook_that_fails_spends_no_token() {
    for world in worlds(|_| {}).await {
        let hooks = Email::default();
        let world = with_email(world, &hooks).await;
        let pair = world.log_in().await;
        hooks.broken.store(true, Ordering::SeqCst);
        let error = world.auth.refresh(&pair.refresh).await.unwrap_err();
        assert!(matches!(error, Error::Hook(_)) && error.is_internal());
        hooks.broken.store(false, Ordering::SeqCst);
        world.next(&pair.refresh).await;
    }
}

#[tokio::test]
async fn sliding_tokens_are_renewed_with_the_hooks_claims() {
    for world in worlds(|_| {}).await {
        let world = with_email(world, &Email { anew: true, ..Email::default() }).await;
        let sliding = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        assert_eq!(claims(&sliding)["email"], json!("a@example.com"));
        set_email(&world, "b@example.com").await;
        let renewed = world.auth.refresh_sliding(&sliding).await.unwrap().token;
        assert_eq!(claims(&renewed)["email"], json!("b@example.com"));
        assert_eq!(claims(&renewed)["jti"], claims(&sliding)["jti"]);
    }
}

/// One session too many is a login refused.
#[tokio::test]
async fn a_login_over_the_limit_is_told_as_failed() {
    for world in worlds(|settings| {
        settings.sessions.max_per_user = Some(1);
        settings.sessions.at_limit = simplejwt::settings::AtLimit::Refuse;
    })
    .await
    {
        let hooks = Email::default();
        let world = with_email(world, &hooks).await;
        world.log_in().await;
        assert_eq!(hooks.failed.load(Ordering::SeqCst), 0);
        for login in [
            world.auth.obtain_pair(&credentials("alice")).await.map(drop),
            world.auth.obtain_sliding(&credentials("alice")).await.map(drop),
        ] {
            assert!(matches!(login, Err(Error::TooManySessions)), "{login:?}");
        }
        assert_eq!(hooks.failed.load(Ordering::SeqCst), 2);
    }
}

/// Changes one claim, at login or at refresh.
#[derive(Clone, Debug)]
struct Meddler {
    claim: &'static str,
    at_login: bool,
    remove: bool,
}

impl Meddler {
    fn meddle(&self, claims: &mut Claims) -> Result<(), HookError> {
        match self.remove {
            true => drop(claims.remove(self.claim)),
            false => claims.set(self.claim, 7)?,
        }
        Ok(())
    }
}

#[async_trait]
impl Hooks for Meddler {
    async fn extra_claims(
        &self,
        _kind: TokenClass,
        _user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        if self.at_login { self.meddle(claims) } else { Ok(()) }
    }

    async fn refreshed_claims(
        &self,
        _kind: TokenClass,
        _user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        if self.at_login { Ok(()) } else { self.meddle(claims) }
    }
}

#[tokio::test]
async fn no_hook_changes_what_a_token_is_known_by() {
    for world in worlds(|settings| {
        settings.check_revoke_token = true;
        settings.sessions.session_claim = true;
        settings.audience = Some(simplejwt::settings::Audience::One("us".into()));
    })
    .await
    {
        let pair = world.log_in().await;
        let sliding = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        for claim in
            ["exp", "iat", "jti", "token_type", "user_id", "sid", "hash_password", "refresh_exp"]
        {
            for remove in [false, true] {
                // A pair's tokens have no refresh expiry that could be removed.
                if remove && claim == "refresh_exp" {
                    continue;
                }
                let hook = |at_login| Meddler { claim, at_login, remove };
                let auth = world.auth.clone().with_hooks(hook(true));
                let login = auth.obtain_pair(&credentials("alice")).await;
                let auth = world.auth.clone().with_hooks(hook(false));
                let refresh = auth.refresh(&pair.refresh).await;
                let slid = auth.refresh_sliding(&sliding).await;
                for refused in [login.map(drop), refresh.map(drop), slid.map(drop)] {
                    let Err(Error::Hook(cause)) = refused else {
                        panic!("{claim} was changed: {refused:?}");
                    };
                    assert!(cause.to_string().contains(claim), "{cause}");
                }
            }
        }
        let hook = Meddler { claim: "aud", at_login: true, remove: false };
        let auth = world.auth.clone().with_hooks(hook);
        assert!(auth.obtain_pair(&credentials("alice")).await.is_err());
        // Any other can be changed, one of somebody else's making included.
        let hook = Meddler { claim: "level", at_login: false, remove: false };
        let auth = world.auth.clone().with_hooks(hook);
        let refreshed = auth.refresh(&pair.refresh).await.unwrap();
        assert_eq!(claims(&refreshed.access.token)["level"], json!(7));
    }
}

#[tokio::test]
async fn permissions_are_asked_for_as_django_does() {
    for world in worlds(|_| {}).await {
        let may = async |name: &str, permission: &str| {
            let id = if name == "alice" { "1" } else { "2" };
            let user = simplejwt::UserStore::find(&world.users, &id.into()).await.unwrap().unwrap();
            world.auth.has_permission(&user, permission).await.unwrap()
        };
        world.users.set_permissions("alice", ["blog.change_post"]);
        world.users.set_groups("alice", ["staff", "editors"]);
        assert!(may("alice", "blog.change_post").await);
        assert!(!may("alice", "blog.change_pos").await);
        assert!(!may("bob", "blog.change_post").await);
        world.change("bob", |user| user.is_superuser = true).await;
        assert!(may("bob", "there.is_no_such").await, "a superuser has every permission");
        world.change("bob", |user| user.is_active = false).await;
        assert!(!may("bob", "blog.change_post").await, "an inactive one has none");
        world.change("alice", |user| user.is_active = false).await;
        assert!(!may("alice", "blog.change_post").await);
        let alice = User::new("1", "alice");
        assert_eq!(world.auth.groups_of(&alice).await.unwrap(), ["editors", "staff"]);
    }
}
