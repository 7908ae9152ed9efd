//! What ends a session: the user, staff, a password, an account that is closed.

use simplejwt::service::Scope;
use simplejwt::store::session::{EndReason, SessionSelector};
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::Hasher;
use simplejwt::{Auth, Error, TokenError, Tokens, UserStore as _};

use crate::world::{NOW, alice, credentials, pool, seconds, worlds, worlds_of_tokens};

#[tokio::test]
async fn a_changed_password_ends_the_sessions_at_their_refresh() {
    for world in worlds(|_| ()).await {
        let old = world.log_in().await.refresh;
        let bobs = world.auth.obtain_pair(&credentials("bob")).await.unwrap().refresh.token;
        // By Django beside us, or an administrator.
        world.set_password("alice", "another").await;
        let refused = world.auth.refresh(&old).await;
        assert!(matches!(refused, Err(Error::PasswordChanged)), "{}: {refused:?}", world.name());
        world.assert_blacklisted(&old, "ended").await;
        let new = simplejwt::Credentials::new("alice", "another");
        let new = world.auth.obtain_pair(&new).await.unwrap().refresh.token;
        world.next(&new).await;
        world.next(&bobs).await;
    }
}

/// Back to the same password is a change, too: its hash has another salt.
#[tokio::test]
async fn the_old_password_again_revives_nothing() {
    for world in worlds(|_| ()).await {
        let old = world.log_in().await.refresh;
        world.set_password("alice", "another").await;
        world.set_password("alice", crate::world::PASSWORD).await;
        assert!(matches!(world.auth.refresh(&old).await, Err(Error::PasswordChanged)));
        world.next(&world.log_in().await.refresh).await;
    }
}

#[tokio::test]
async fn a_hash_that_a_login_rewrites_ends_nothing() {
    for world in worlds(|_| ()).await {
        let device_a = world.log_in().await.refresh;
        // A release that hashes otherwise, and the same password on another device.
        let users = MemoryUsers::new(pool(&[Hasher::Pbkdf2Sha256, Hasher::Md5]));
        let user = world.users.find(&alice()).await.unwrap().unwrap();
        let before = user.password.clone();
        users.insert(user);
        let auth = Auth::new(world.auth.tokens().clone())
            .with_users(users.clone())
            .with_shared_sessions(world.store.clone());
        let device_b = auth.obtain_pair(&credentials("alice")).await.unwrap().refresh.token;
        let after = users.find(&alice()).await.unwrap().unwrap().password;
        assert!(before.starts_with("md5$") && after.starts_with("pbkdf2_sha256$"));
        let next = auth.refresh(&device_a).await.unwrap().refresh.unwrap().token;
        auth.refresh(&device_b).await.unwrap();
        // And a change of the password ends them still.
        let mut user = users.find(&alice()).await.unwrap().unwrap();
        user.password = "pbkdf2_sha256$1$salt$other".into();
        users.insert(user);
        assert!(matches!(auth.refresh(&next).await, Err(Error::PasswordChanged)));
    }
}

#[tokio::test]
async fn a_deactivated_user_has_no_sessions_and_gets_none_back() {
    for world in worlds(|_| ()).await {
        let (first, second) = (world.log_in().await.refresh, world.log_in().await.refresh);
        world.change("alice", |user| user.is_active = false).await;
        let refused = world.auth.refresh(&first).await;
        assert!(matches!(refused, Err(Error::NoActiveAccountForToken)), "{refused:?}");
        assert_eq!(world.live().await, 0, "{}", world.name());
        world.change("alice", |user| user.is_active = true).await;
        for token in [first, second] {
            world.assert_blacklisted(&token, "ended when the user was inactive").await;
        }
        world.next(&world.log_in().await.refresh).await;
    }
}

#[tokio::test]
async fn a_deleted_user_has_no_sessions() {
    for world in worlds(|_| ()).await {
        let (first, second) = (world.log_in().await.refresh, world.log_in().await.refresh);
        world.users.remove("alice").unwrap();
        let refused = world.auth.refresh(&first).await;
        assert!(matches!(refused, Err(Error::NoActiveAccountForToken)), "{refused:?}");
        assert_eq!(world.live().await, 0, "{}", world.name());
        assert!(world.auth.refresh(&second).await.is_err());
    }
}

#[tokio::test]
async fn log_out_of_this_of_the_others_or_of_all() {
    for world in worlds(|settings| settings.sessions.session_claim = true).await {
        let bobs = world.auth.obtain_pair(&credentials("bob")).await.unwrap().refresh.token;
        for (scope, ended, left) in [
            (Scope::This, 1, [false, true, true]),
            (Scope::Others, 2, [true, false, false]),
            (Scope::All, 3, [false; 3]),
        ] {
            let mut pairs = Vec::new();
            for _ in 0..3 {
                pairs.push(world.log_in().await);
                world.advance(seconds(1));
            }
            let access = world.auth.authenticate(&pairs[0].access).await.unwrap();
            let caller = world.auth.caller(&access).unwrap();
            assert_eq!(world.auth.log_out(&caller, scope).await.unwrap(), ended, "{scope:?}");
            for (pair, left) in pairs.iter().zip(left) {
                if left {
                    world.next(&pair.refresh).await;
                } else {
                    world.assert_blacklisted(&pair.refresh, scope.as_str()).await;
                }
            }
            assert_eq!(world.live().await, left.iter().filter(|left| **left).count());
            world.auth.log_out(&caller, Scope::All).await.unwrap();
        }
        world.next(&bobs).await;
    }
}

#[tokio::test]
async fn a_token_without_a_session_can_only_log_out_of_all() {
    for world in worlds_of_tokens(|_| ()).await {
        let pair = world.log_in().await;
        let access = world.auth.authenticate(&pair.access).await.unwrap();
        let caller = world.auth.caller(&access).unwrap();
        for scope in [Scope::This, Scope::Others] {
            let refused = world.auth.log_out(&caller, scope).await;
            assert!(matches!(refused, Err(Error::SessionUnknown)), "{refused:?}");
        }
        assert_eq!(world.auth.log_out(&caller, Scope::All).await.unwrap(), 1);
        world.assert_blacklisted(&pair.refresh, "all").await;
    }
}

#[tokio::test]
async fn staff_end_what_is_named_and_nothing_else() {
    for world in worlds(|_| ()).await {
        let pairs = [world.log_in().await, world.log_in().await];
        let session = world.auth.caller_of_refresh(&pairs[0].refresh).await.unwrap().session;
        let id = session.unwrap();
        let of = |user: &str| SessionSelector::One { id: id.clone(), user_id: Some(user.into()) };
        assert_eq!(world.auth.end_sessions(of("2"), EndReason::Staff).await.unwrap(), 0);
        assert_eq!(world.live().await, 2, "it isn't bob's");
        let any = SessionSelector::One { id: id.clone(), user_id: None };
        assert_eq!(world.auth.end_sessions(any.clone(), EndReason::Staff).await.unwrap(), 1);
        assert_eq!(world.auth.end_sessions(any, EndReason::Staff).await.unwrap(), 0);
        world.assert_blacklisted(&pairs[0].refresh, "staff").await;
        world.next(&pairs[1].refresh).await;
    }
}

/// Issued by Django, or before there were sessions: in none until it is seen.
#[tokio::test]
async fn logging_out_of_all_ends_tokens_that_no_session_knows() {
    for world in worlds_of_tokens(|_| ()).await {
        let without = world.node(|settings| settings.sessions.enabled = false);
        let old = without.obtain_pair(&credentials("alice")).await.unwrap().refresh.token;
        let new = world.log_in().await.refresh;
        let which = SessionSelector::All { user_id: alice(), except: None };
        assert_eq!(world.auth.end_sessions(which, EndReason::Logout).await.unwrap(), 1);
        world.assert_blacklisted(&old, "of no session").await;
        world.assert_blacklisted(&new, "of a session").await;
    }
}

#[tokio::test]
async fn tokens_of_others_join_a_session_when_they_are_first_seen() {
    for world in worlds_of_tokens(|_| ()).await {
        let without = world.node(|settings| settings.sessions.enabled = false);
        let first = without.obtain_pair(&credentials("alice")).await.unwrap().refresh.token;
        assert_eq!(world.live().await, 0);
        let second = world.next(&first).await.refresh;
        assert_eq!(world.live().await, 1);
        world.advance(seconds(10));
        world.assert_blacklisted(&first, "reuse is noticed from there on").await;
        world.assert_blacklisted(&second, "and ends it").await;
    }
}

#[tokio::test]
async fn the_fingerprint_of_upstream_is_as_it_was() {
    for world in worlds(|settings| settings.check_revoke_token = true).await {
        let pair = world.log_in().await;
        let hash = world.users.find(&alice()).await.unwrap().unwrap().password;
        let expected = simplejwt::users::revoke_claim(&hash);
        assert_eq!(crate::world::claims(&pair.access)["hash_password"], expected.as_str());
        let pair = world.next(&pair.refresh).await;
        assert_eq!(crate::world::claims(&pair.refresh)["hash_password"], expected.as_str());
        world.set_password("alice", "another").await;
        let access = world.auth.authenticate(&pair.access).await.unwrap();
        assert!(matches!(world.auth.user_of(&access).await, Err(Error::PasswordChanged)));
        let refused = world.auth.refresh(&pair.refresh).await;
        assert!(matches!(refused, Err(Error::PasswordChanged)), "{refused:?}");
        assert_eq!(world.live().await, 0, "{}", world.name());
    }
}

#[tokio::test]
async fn without_the_setting_tokens_have_no_fingerprint() {
    for world in worlds(|_| ()).await {
        let pair = world.log_in().await;
        for token in [&pair.access, &pair.refresh] {
            assert!(!crate::world::payload(token).contains("hash_password"));
        }
    }
}

/// A session that ended stays so for as long as any of its tokens could be good.
#[tokio::test]
async fn the_end_is_remembered_through_a_purge() {
    for world in worlds(|_| ()).await {
        let first = world.log_in().await.refresh;
        world.advance(seconds(3600));
        let second = world.next(&first).await.refresh;
        world.auth.blacklist(&second).await.unwrap();
        world.clock.set(NOW + seconds(86_400 + 1_800));
        world.purge().await;
        world.assert_blacklisted(&second, "purged around it").await;
    }
}

#[tokio::test]
async fn a_refused_token_is_no_oracle() {
    for world in worlds(|_| ()).await {
        let other = simplejwt::Settings {
            signing_key: Some("another secret that is long enough for HS256".into()),
            token_blacklist: true,
            ..simplejwt::Settings::default()
        };
        let keys = other.key_set().unwrap();
        let tokens = Tokens::with(other, keys, world.clock.clone()).unwrap();
        let forged = tokens.encode(&tokens.issue::<simplejwt::Refresh>("1")).unwrap();
        let refused = world.auth.refresh(&forged).await;
        assert!(matches!(refused, Err(Error::Token(TokenError::Invalid))), "{refused:?}");
        assert_eq!(world.live().await, 0, "a forged token opens no session");
    }
}

#[tokio::test]
async fn a_logout_is_stored_as_one() {
    for world in worlds(|_| ()).await {
        world.auth.log_out_with(&world.log_in().await.refresh).await.unwrap();
        let reason = world.end_reason();
        assert_eq!(reason.as_deref().unwrap_or("logout"), "logout", "{}", world.name());
    }
    for world in worlds(|_| ()).await {
        world.auth.blacklist(&world.log_in().await.refresh).await.unwrap();
        let reason = world.end_reason();
        assert_eq!(reason.as_deref().unwrap_or("blacklisted"), "blacklisted", "{}", world.name());
    }
}
