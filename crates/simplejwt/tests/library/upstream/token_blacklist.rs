//! `test_token_blacklist.py`

use simplejwt::store::FlushExpired;
use simplejwt::store::retention::{MARGIN, Retention};
use simplejwt::{Error, Refresh, TokenError, TokenStore as _, UserId};

use crate::world::{DAY, World, refusal, right};

/// `test_token_blacklist.py::TestTokenBlacklist::test_sliding_tokens_are_added_to_outstanding_list`,
/// `test_refresh_tokens_are_added_to_outstanding_list`,
/// `test_access_tokens_are_not_added_to_outstanding_list`
#[tokio::test]
async fn a_login_registers_what_it_issues() {
    let world = World::upstream();
    let sliding = world.auth.obtain_sliding(&right()).await.unwrap().token;
    let pair = world.auth.obtain_pair(&right()).await.unwrap();
    let rows = world.store.rows().outstanding;
    assert_eq!(rows.len(), 2);
    for (row, (token, lifetime)) in rows.iter().zip([(sliding, 300), (pair.refresh.token, DAY)]) {
        assert_eq!(row.token, token);
        assert_eq!(row.user_id, Some(UserId::from("1")));
        assert_eq!(row.created_at, world.tokens.now());
        assert_eq!(row.expires_at, world.tokens.now() + std::time::Duration::from_secs(lifetime));
    }
}

/// `test_token_blacklist.py::TestTokenBlacklist::test_token_will_not_validate_if_blacklisted`,
/// `test_tokens_can_be_manually_blacklisted`,
/// `test_outstanding_token_and_blacklisted_token_created_at`, `…_user`
#[tokio::test]
async fn a_blacklisted_token_is_refused() {
    let world = World::upstream();
    let registered = world.auth.obtain_pair(&right()).await.unwrap().refresh.token;
    assert!(world.auth.refresh(&registered).await.is_ok());
    world.auth.blacklist(&registered).await.unwrap();
    assert_eq!(world.store.rows().outstanding.len(), 1);
    let blacklisted = Some(TokenError::Blacklisted);
    assert_eq!(refusal(world.auth.refresh(&registered).await), blacklisted);
    assert_eq!(refusal(world.auth.blacklist(&registered).await), blacklisted);
    assert_eq!(world.store.rows().blacklisted.len(), 1);
    world.auth.blacklist(&world.refresh()).await.unwrap();
    let rows = world.store.rows();
    assert_eq!((rows.outstanding.len(), rows.blacklisted.len()), (2, 2));
    assert!(rows.outstanding.iter().all(|row| row.user_id == Some(UserId::from("1"))));
    assert!(rows.outstanding.iter().all(|row| row.created_at == world.tokens.now()));
}

/// `test_token_blacklist.py::TestTokenBlacklist::test_outstanding_token_and_blacklisted_token_user_with_modifed_user_id_field`,
/// `…_created_at_with_modified_user_id_field`, `test_outstanding_token_with_deleted_user_and_modifed_user_id_field`
#[tokio::test]
async fn users_by_another_field() {
    let world = World::new(|settings| {
        settings.token_blacklist = true;
        settings.user_id_field = "email".into();
        settings.user_id_claim = "email".into();
    });
    world.users.change("1", |user| user.id = "a@example.com".into());
    let token = world.auth.obtain_pair(&right()).await.unwrap().refresh.token;
    world.users.delete("a@example.com");
    world.auth.blacklist(&token).await.unwrap();
    let rows = world.store.rows();
    assert_eq!(rows.blacklisted.len(), 1);
    assert_eq!(rows.outstanding[0].user_id, Some(UserId::from("a@example.com")));
}

/// `test_token_blacklist.py::TestTokenBlacklistFlushExpiredTokens::test_it_should_delete_any_expired_tokens`
///
/// DIFFERENCE: a day later, since the blacklist has to outlive what `LEEWAY`, other servers and
/// zones add to a token's life.
#[tokio::test]
async fn flushing_deletes_what_has_expired() {
    let world = World::upstream();
    for _ in 0..2 {
        world.auth.obtain_pair(&right()).await.unwrap();
    }
    world.auth.blacklist(&world.refresh()).await.unwrap();
    world.advance(DAY);
    let retention = Retention::of(world.tokens.settings());
    let flush = || FlushExpired::new(retention.clone(), world.tokens.now(), 100);
    assert_eq!(world.store.flush_expired(&flush()).await.unwrap().deleted, 0);
    world.advance(MARGIN.as_secs());
    world.auth.obtain_pair(&right()).await.unwrap();
    let fresh = world.refresh();
    world.auth.blacklist(&fresh).await.unwrap();
    assert_eq!(world.store.flush_expired(&flush()).await.unwrap().deleted, 3);
    let rows = world.store.rows();
    assert_eq!((rows.outstanding.len(), rows.blacklisted.len()), (2, 1));
    let kept = world.tokens.decode::<Refresh>(&fresh).unwrap();
    assert_eq!(rows.blacklisted, [world.tokens.jti(&kept).unwrap()]);
    assert!(rows.outstanding.iter().all(|row| row.expires_at > world.tokens.now()));
}

/// `test_token_blacklist.py::TestTokenBlacklistFlushExpiredTokens::test_token_blacklist_will_not_be_removed_on_User_delete`
#[tokio::test]
async fn deleting_the_user_keeps_the_blacklist() {
    let world = World::upstream();
    let token = world.auth.obtain_pair(&right()).await.unwrap().refresh.token;
    world.auth.blacklist(&token).await.unwrap();
    world.users.delete("1");
    assert_eq!(refusal(world.auth.refresh(&token).await), Some(TokenError::Blacklisted));
}

/// `test_token_blacklist.py::TokenVerifySerializerShouldHonourBlacklist`, both
#[tokio::test]
async fn verify_asks_the_blacklist_where_rotation_fills_it() {
    for honoured in [true, false] {
        let world = World::new(|settings| {
            settings.token_blacklist = true;
            settings.blacklist_after_rotation = honoured;
        });
        let token = world.refresh();
        world.auth.blacklist(&token).await.unwrap();
        let outcome = world.auth.verify(&token).await;
        assert_eq!(outcome.is_err(), honoured);
        assert!(!honoured || matches!(outcome, Err(Error::VerifiedBlacklisted)));
    }
}
