//! `test_authentication.py`, as far as it needs no request: the header's tests are with the web
//! layer.

use simplejwt::settings::TokenClass;
use simplejwt::{Access, Error, TokenError, User};

use crate::world::{World, put};

/// `test_authentication.py::TestJWTAuthentication::test_get_header_x_access_token`
#[test]
fn the_header_is_named_as_in_request_meta() {
    let world = World::new(|settings| settings.auth_header_name = "HTTP_X_ACCESS_TOKEN".into());
    assert_eq!(world.auth.settings().auth_header().unwrap(), "x-access-token");
}

/// `test_authentication.py::TestJWTAuthentication::test_get_validated_token`
#[tokio::test]
async fn validated_token() {
    let world = World::new(|_| ());
    let token = world.access();
    let read = world.auth.authenticate(&token).await.unwrap();
    assert_eq!(world.tokens.encode(&read).unwrap(), token);
    world.advance(300);
    assert!(matches!(world.auth.authenticate(&token).await, Err(Error::TokenNotValid(_))));
}

/// `test_authentication.py::TestJWTAuthentication::test_get_validated_token_reject_unknown_token`
#[tokio::test]
async fn rejects_a_class_that_is_not_listed() {
    let world = World::new(|_| ());
    let Err(Error::TokenNotValid(messages)) = world.auth.authenticate(&world.sliding()).await
    else {
        panic!("a sliding token was taken");
    };
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((message.token_class, message.token_type), ("AccessToken", "access"));
    assert_eq!(message.error.to_string(), "Token has wrong type");
}

/// `test_authentication.py::TestJWTAuthentication::test_get_validated_token_accept_known_token`
#[tokio::test]
async fn accepts_every_class_that_is_listed() {
    let world = World::new(|settings| {
        settings.auth_token_classes = vec![TokenClass::Access, TokenClass::Sliding];
    });
    assert!(world.auth.authenticate(&world.access()).await.is_ok());
    assert!(world.auth.authenticate(&world.sliding()).await.is_ok());
    let Err(Error::TokenNotValid(messages)) = world.auth.authenticate(&world.refresh()).await
    else {
        panic!("a refresh token was taken");
    };
    let told: Vec<_> = messages.iter().map(|m| (m.token_class, m.error.clone())).collect();
    assert_eq!(
        told,
        [("AccessToken", TokenError::WrongType), ("SlidingToken", TokenError::WrongType)]
    );
}

async fn user_for(
    world: &World,
    change: impl FnOnce(&mut simplejwt::Claims),
) -> Result<User, Error> {
    let token = world.made::<Access>(change);
    let token = world.auth.authenticate(&token).await?;
    world.auth.user_of(&token).await
}

/// `test_authentication.py::TestJWTAuthentication::test_get_user`,
/// `test_get_user_with_str_user_id_claim`
#[tokio::test]
async fn user_of_a_token() {
    let world = World::new(|_| ());
    let missing = user_for(&world, |claims| assert!(claims.remove("user_id"))).await;
    assert!(matches!(missing, Err(Error::NoUserClaim)));
    let unknown = user_for(&world, |claims| put(claims, "user_id", 42)).await;
    assert!(matches!(unknown, Err(Error::UserNotFound)));
    world.users.change("1", |user| user.is_active = false);
    assert!(matches!(user_for(&world, |_| ()).await, Err(Error::UserInactive)));
    world.users.change("1", |user| user.is_active = true);
    assert_eq!(user_for(&world, |_| ()).await.unwrap().username, "test_user");
    let number = user_for(&world, |claims| put(claims, "user_id", 1)).await;
    assert_eq!(number.unwrap().username, "test_user");
}

/// `test_authentication.py::TestJWTAuthentication::test_get_inactive_user`
#[tokio::test]
async fn inactive_users_where_the_settings_allow_them() {
    let world = World::new(|settings| settings.check_user_is_active = false);
    world.users.change("1", |user| user.is_active = false);
    assert_eq!(user_for(&world, |_| ()).await.unwrap().username, "test_user");
}

/// `test_authentication.py::TestJWTAuthentication::test_get_user_with_check_revoke_token`
#[tokio::test]
async fn a_changed_password_ends_tokens() {
    let world = World::new(|settings| {
        settings.check_revoke_token = true;
        settings.revoke_token_claim = "revoke_token_claim".into();
    });
    assert!(matches!(user_for(&world, |_| ()).await, Err(Error::PasswordChanged)));
    world.users.change("1", |user| user.password = "abc".into());
    let fitting = |claims: &mut simplejwt::Claims| {
        put(claims, "revoke_token_claim", "900150983CD24FB0D6963F7D28E17F72");
    };
    assert!(user_for(&world, fitting).await.is_ok());
    world.users.change("1", |user| user.password = "abcd".into());
    assert!(matches!(user_for(&world, fitting).await, Err(Error::PasswordChanged)));
}

/// `test_authentication.py::TestJWTStatelessUserAuthentication::test_get_user`
#[tokio::test]
async fn stateless_user() {
    let world = World::new(|_| ());
    let anonymous = world.made::<Access>(|claims| assert!(claims.remove("user_id")));
    let anonymous = world.auth.authenticate(&anonymous).await.unwrap();
    assert!(matches!(world.auth.stateless_user_of(&anonymous), Err(Error::NoUserClaim)));
    let token = world.made::<Access>(|claims| put(claims, "user_id", 42));
    let token = world.auth.authenticate(&token).await.unwrap();
    assert_eq!(world.auth.stateless_user_of(&token).unwrap().as_str(), "42");
}
