//! The flows of `Auth`, where more is asked of them than upstream's tests ask.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::{World, int, put, refusal, right};
use async_trait::async_trait;
use simplejwt::settings::TokenClass;
use simplejwt::{
    Access, Claims, Credentials, Error, HookError, Hooks, Refresh, Sliding, TokenError, User,
};

#[tokio::test]
async fn a_replayed_refresh_token_is_blacklisted() {
    let world = World::rotating();
    let first = world.auth.obtain_pair(&right()).await.unwrap().refresh.token;
    let second = world.auth.refresh(&first).await.unwrap().refresh.unwrap().token;
    assert_eq!(refusal(world.auth.refresh(&first).await), Some(TokenError::Blacklisted));
    assert!(world.auth.refresh(&second).await.is_ok());
    let rows = world.store.rows();
    assert_eq!((rows.outstanding.len(), rows.blacklisted.len()), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_refreshes_of_one_token_one_wins() {
    let world = World::rotating();
    let token: Arc<str> = world.auth.obtain_pair(&right()).await.unwrap().refresh.token.into();
    world.store.hold_until_asked_by(32);
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (auth, token) = (world.auth.clone(), token.clone());
            tokio::spawn(async move { auth.refresh(&token).await })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => winners += 1,
            Err(error) => assert!(matches!(error, Error::Token(TokenError::Blacklisted))),
        }
    }
    assert_eq!(winners, 1);
    let rows = world.store.rows();
    assert_eq!((rows.outstanding.len(), rows.blacklisted.len()), (2, 1));
}

#[tokio::test]
async fn a_store_that_fails_costs_no_token() {
    let world = World::rotating();
    let token = world.auth.obtain_pair(&right()).await.unwrap().refresh.token;
    world.store.set_broken(true);
    let error = world.auth.refresh(&token).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)) && error.is_internal());
    assert!(matches!(world.auth.blacklist(&token).await, Err(Error::Store(_))));
    assert!(matches!(world.auth.verify(&token).await, Err(Error::Store(_))));
    assert!(matches!(world.auth.obtain_pair(&right()).await, Err(Error::Store(_))));
    world.store.set_broken(false);
    assert_eq!(world.store.rows().outstanding.len(), 1);
    assert!(world.auth.refresh(&token).await.is_ok());
}

/// DIFFERENCE: upstream never looks at the user of a sliding token.
#[tokio::test]
async fn sliding_refresh_asks_for_the_user() {
    let world = World::upstream();
    let token = world.sliding();
    world.users.change("1", |user| user.is_active = false);
    let inactive = world.auth.refresh_sliding(&token).await;
    assert!(matches!(inactive, Err(Error::NoActiveAccountForToken)));
    world.users.delete("1");
    let gone = world.auth.refresh_sliding(&token).await;
    assert!(matches!(gone, Err(Error::NoActiveAccountForToken)));
}

/// DIFFERENCE: 5.5.1 checks it on protected views only.
#[tokio::test]
async fn a_changed_password_ends_refreshing_too() {
    let world = World::new(|settings| settings.check_revoke_token = true);
    let pair = world.auth.obtain_pair(&right()).await.unwrap();
    let sliding = world.auth.obtain_sliding(&right()).await.unwrap().token;
    assert!(world.auth.refresh(&pair.refresh.token).await.is_ok());
    assert!(world.auth.refresh_sliding(&sliding).await.is_ok());
    world.users.change("1", |user| user.password = "another".into());
    assert!(matches!(world.auth.refresh(&pair.refresh.token).await, Err(Error::PasswordChanged)));
    assert!(matches!(world.auth.refresh_sliding(&sliding).await, Err(Error::PasswordChanged)));
    let access = world.auth.authenticate(&pair.access.token).await.unwrap();
    assert!(matches!(world.auth.user_of(&access).await, Err(Error::PasswordChanged)));
}

#[tokio::test]
async fn last_login_is_written_if_asked_for() {
    for asked in [true, false] {
        let world = World::new(|settings| settings.update_last_login = asked);
        world.auth.obtain_pair(&right()).await.unwrap();
        assert_eq!(world.users.last_login("1"), asked.then(|| world.tokens.now()));
    }
}

#[derive(Clone, Debug, Default)]
struct Recorder {
    fail: bool,
    succeeded: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
}

#[async_trait]
impl Hooks for Recorder {
    async fn extra_claims(
        &self,
        kind: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        if self.fail {
            return Err(HookError::new("no name today"));
        }
        put(claims, "name", &user.username);
        put(claims, "kind", kind.token_type());
        Ok(())
    }

    async fn on_login_success(&self, _user: &User) {
        self.succeeded.fetch_add(1, Ordering::SeqCst);
    }

    async fn on_login_failed(&self, _credentials: &Credentials) {
        self.failed.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn extra_claims_are_in_both_tokens() {
    let hooks = Recorder::default();
    let world = World::upstream().with_hooks(hooks.clone());
    let pair = world.auth.obtain_pair(&right()).await.unwrap();
    let access = world.tokens.decode::<Access>(&pair.access.token).unwrap();
    let refresh = world.tokens.decode::<Refresh>(&pair.refresh.token).unwrap();
    for claims in [access.claims(), refresh.claims()] {
        assert_eq!(claims.str("name").as_deref(), Some("test_user"));
        assert_eq!(claims.str("kind").as_deref(), Some("refresh"));
    }
    let sliding = world.auth.obtain_sliding(&right()).await.unwrap().token;
    let sliding = world.tokens.decode::<Sliding>(&sliding).unwrap();
    assert_eq!(sliding.claims().str("kind").as_deref(), Some("sliding"));
    assert!(world.auth.obtain_pair(&Credentials::new("test_user", "wrong")).await.is_err());
    assert_eq!(hooks.succeeded.load(Ordering::SeqCst), 2);
    assert_eq!(hooks.failed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_hook_that_fails_registers_nothing() {
    let hooks = Recorder { fail: true, ..Recorder::default() };
    let world = World::new(|settings| {
        settings.token_blacklist = true;
        settings.update_last_login = true;
    })
    .with_hooks(hooks.clone());
    let error = world.auth.obtain_pair(&right()).await.unwrap_err();
    assert!(matches!(error, Error::Hook(_)) && error.is_internal());
    assert!(world.auth.obtain_sliding(&right()).await.is_err());
    assert!(world.store.rows().outstanding.is_empty());
    assert_eq!(world.users.last_login("1"), None);
    assert_eq!(hooks.succeeded.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn messages_come_in_the_order_of_the_classes() {
    for classes in
        [[TokenClass::Sliding, TokenClass::Access], [TokenClass::Access, TokenClass::Sliding]]
    {
        let world = World::new(|settings| settings.auth_token_classes = classes.to_vec());
        let Err(Error::TokenNotValid(messages)) = world.auth.authenticate("nonsense").await else {
            panic!("nonsense was taken");
        };
        let told: Vec<_> = messages.iter().map(|message| message.token_class).collect();
        assert_eq!(told, classes.map(TokenClass::class_name));
        assert!(messages.iter().all(|message| message.error == TokenError::Invalid));
    }
}

#[tokio::test]
async fn untyped_takes_any_and_listed_kinds_ask_the_blacklist() {
    let world = World::new(|settings| settings.auth_token_classes = vec![TokenClass::Untyped]);
    for token in [world.access(), world.refresh(), world.sliding()] {
        assert!(world.auth.authenticate(&token).await.is_ok());
    }
    let world = World::new(|settings| {
        settings.token_blacklist = true;
        settings.auth_token_classes = vec![TokenClass::Refresh];
    });
    let token = world.refresh();
    assert!(world.auth.authenticate(&token).await.is_ok());
    world.auth.blacklist(&token).await.unwrap();
    let Err(Error::TokenNotValid(messages)) = world.auth.authenticate(&token).await else {
        panic!("a blacklisted token was taken");
    };
    assert_eq!(messages[0].error, TokenError::Blacklisted);
}

#[tokio::test]
async fn without_ids_and_types_any_token_refreshes() {
    let world = World::new(|settings| {
        settings.jti_claim = None;
        settings.token_type_claim = None;
        settings.rotate_refresh_tokens = true;
    });
    let refreshed = world.auth.refresh(&world.access()).await.unwrap();
    let next = world.tokens.decode::<Refresh>(&refreshed.refresh.unwrap().token).unwrap();
    assert!(!next.claims().contains("jti") && !next.claims().contains("token_type"));
    assert_eq!(int(&next, "iat"), Some(crate::world::NOW));
}

#[tokio::test]
async fn integer_user_ids_of_older_releases_are_taken_and_kept() {
    let world = World::rotating();
    let token = world.made::<Refresh>(|claims| put(claims, "user_id", 1));
    let refreshed = world.auth.refresh(&token).await.unwrap();
    let access = world.auth.authenticate(&refreshed.access.token).await.unwrap();
    assert_eq!(access.claims().raw("user_id"), Some("1"));
    assert_eq!(world.auth.user_of(&access).await.unwrap().username, "test_user");
    assert_eq!(world.store.rows().outstanding[0].user_id.as_ref().unwrap().as_str(), "1");
}

#[tokio::test]
async fn without_the_blacklist_nothing_is_written() {
    let world = World::new(|settings| settings.rotate_refresh_tokens = true);
    let token = world.auth.obtain_pair(&right()).await.unwrap().refresh.token;
    for _ in 0..2 {
        assert!(world.auth.refresh(&token).await.unwrap().refresh.is_some());
    }
    assert!(matches!(world.auth.blacklist(&token).await, Err(Error::BlacklistDisabled)));
    assert!(world.store.rows().outstanding.is_empty());
}
