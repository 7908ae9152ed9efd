//! `test_tokens.py`

use std::time::Duration;

use simplejwt::{Access, Refresh, Settings, Sliding, Timestamp, TokenError, TokenType, Untyped};

use crate::world::{DAY, NOW, World, int, put};

/// Upstream's `MyToken`.
#[derive(Debug)]
enum MyToken {}

impl TokenType for MyToken {
    const NAME: &'static str = "test";

    fn lifetime(_: &Settings) -> Duration {
        Duration::from_secs(DAY)
    }
}

fn day() -> i64 {
    i64::try_from(DAY).unwrap()
}

fn decoded(world: &World, token: &str) -> Result<(), TokenError> {
    world.tokens.decode::<MyToken>(token).map(drop)
}

/// `test_tokens.py::TestToken::test_init_no_token_given`, `test_set_exp`, `test_set_iat`,
/// `test_getitem`, `test_contains`. DIFFERENCE: `user_id` is the fifth claim, as tokens are
/// always issued for someone.
#[test]
fn a_new_token_has_type_exp_iat_and_jti() {
    let world = World::new(|_| ());
    let token = world.tokens.issue::<MyToken>("1");
    let names: Vec<_> = token.claims().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["token_type", "exp", "iat", "jti", "user_id"]);
    assert_eq!(int(&token, "exp"), Some(NOW + day()));
    assert_eq!(int(&token, "iat"), Some(NOW));
    assert_eq!(token.claims().str("token_type").as_deref(), Some("test"));
}

/// `test_tokens.py::TestToken::test_init_token_given`, `test_str`
#[test]
fn an_encoded_token_is_read_with_its_claims() {
    let world = World::new(|_| ());
    let token = world.made::<MyToken>(|claims| put(claims, "some_value", "arst"));
    world.advance(60);
    let token = world.tokens.decode::<MyToken>(&token).unwrap();
    assert_eq!(token.claims().len(), 6);
    assert_eq!(token.claims().str("some_value").as_deref(), Some("arst"));
    assert_eq!(int(&token, "exp"), Some(NOW + day()));
    assert_eq!(int(&token, "iat"), Some(NOW));
}

/// `test_tokens.py::TestToken::test_init_bad_sig_token_given`
#[test]
fn another_tokens_signature_is_refused() {
    let world = World::new(|_| ());
    let [one, two] =
        ["bar", "baz"].map(|foo| world.made::<MyToken>(|claims| put(claims, "foo", foo)));
    let swapped =
        format!("{}.{}", two.rsplit_once('.').unwrap().0, one.rsplit_once('.').unwrap().1);
    assert_eq!(decoded(&world, &swapped), Err(TokenError::Invalid));
    assert_eq!(decoded(&world, &two), Ok(()));
}

/// `test_tokens.py::TestToken::test_init_expired_token_given`, `test_check_exp`: the last second
/// is not part of the lifetime.
#[test]
fn an_expired_token_is_refused() {
    let world = World::new(|_| ());
    let token = world.made::<MyToken>(|_| ());
    world.advance(DAY - 1);
    assert_eq!(decoded(&world, &token), Ok(()));
    world.advance(1);
    assert_eq!(decoded(&world, &token), Err(TokenError::Expired));
    world.advance(1);
    assert_eq!(decoded(&world, &token), Err(TokenError::Expired));
}

/// `test_tokens.py::TestToken::test_init_no_type_token_given`, `test_init_wrong_type_token_given`,
/// `test_init_no_jti_token_given`, `test_check_exp` (no such claim), `test_delitem`
#[test]
fn a_token_without_one_of_its_claims_is_refused() {
    let world = World::new(|_| ());
    let without = |claim: &str| {
        let token = world.made::<MyToken>(|claims| assert!(claims.remove(claim)));
        decoded(&world, &token)
    };
    assert_eq!(without("token_type"), Err(TokenError::MissingType));
    assert_eq!(without("jti"), Err(TokenError::MissingId));
    assert_eq!(without("exp"), Err(TokenError::MissingClaim("exp".into())));
    assert_eq!(without("iat"), Ok(()));
    let wrong = world.made::<MyToken>(|claims| put(claims, "token_type", "wrong_type"));
    assert_eq!(decoded(&world, &wrong), Err(TokenError::WrongType));
}

/// `test_tokens.py::TestToken::test_setitem`, `test_get`
#[test]
fn claims_are_set_and_read() {
    let world = World::new(|_| ());
    let token = world.tokens.issue_with::<MyToken>("1", |claims| put(claims, "test", 1234));
    assert_eq!(int(&token, "test"), Some(1234));
    assert_eq!(int(&token, "does_not_exist"), None);
}

/// `test_tokens.py::TestToken::test_set_jti`
#[test]
fn every_token_has_an_id_of_its_own() {
    let world = World::new(|_| ());
    let [one, two] = [(); 2].map(|()| world.tokens.jti(&world.tokens.issue::<MyToken>("1")));
    assert!(one.is_some());
    assert_ne!(one, two);
}

/// `test_tokens.py::TestToken::test_optional_jti`, `test_optional_type_token`
#[test]
fn id_and_type_can_be_switched_off() {
    let world = World::new(|settings| {
        settings.jti_claim = None;
        settings.token_type_claim = None;
    });
    let token = world.tokens.issue::<MyToken>("1");
    assert!(!token.claims().contains("jti"));
    assert!(!token.claims().contains("token_type"));
    let encoded = world.tokens.encode(&token).unwrap();
    assert!(world.tokens.decode::<Access>(&encoded).is_ok());
}

/// `test_tokens.py::TestToken::test_check_token_not_expired_if_in_leeway`
#[test]
fn leeway_lengthens_the_lifetime() {
    let world = World::new(|settings| settings.leeway = Duration::from_secs(10));
    let token = world.made::<MyToken>(|_| ());
    world.advance(DAY + 9);
    assert_eq!(decoded(&world, &token), Ok(()));
    world.advance(1);
    assert_eq!(decoded(&world, &token), Err(TokenError::Expired));
}

/// `test_tokens.py::TestToken::test_for_user`, `test_for_user_with_username`,
/// `test_token_user_id_claim_should_always_be_string`
#[test]
fn the_user_claim_is_a_string() {
    let world = World::new(|_| ());
    for id in ["1", "test_user"] {
        let token = world.tokens.issue::<MyToken>(id);
        assert_eq!(token.claims().str("user_id").as_deref(), Some(id));
    }
}

/// `test_tokens.py::TestToken::test_revoke_token_claim_included_in_authorization_token`
#[tokio::test]
async fn the_revoke_claim_is_in_tokens_of_a_login() {
    let world = World::new(|settings| settings.check_revoke_token = true);
    let pair = world.auth.obtain_pair(&crate::world::right()).await.unwrap();
    let refresh = world.tokens.decode::<Refresh>(&pair.refresh.token).unwrap();
    assert_eq!(refresh.claims().str("hash_password").map(|hash| hash.len()), Some(32));
}

/// `test_tokens.py::TestSlidingToken::test_init`, `TestAccessToken::test_init`,
/// `TestRefreshToken::test_init`
#[test]
fn each_kind_names_itself() {
    let world = World::new(|_| ());
    let sliding = world.tokens.issue::<Sliding>("1");
    assert_eq!(int(&sliding, "refresh_exp"), Some(NOW + day()));
    assert_eq!(sliding.claims().str("token_type").as_deref(), Some("sliding"));
    let access = world.tokens.issue::<Access>("1");
    assert_eq!(access.claims().str("token_type").as_deref(), Some("access"));
    let refresh = world.tokens.issue::<Refresh>("1");
    assert_eq!(refresh.claims().str("token_type").as_deref(), Some("refresh"));
}

/// `test_tokens.py::TestRefreshToken::test_access_token`
#[test]
fn an_access_token_copies_all_but_what_is_its_own() {
    let world = World::new(|_| ());
    let refresh =
        world.tokens.issue_with::<Refresh>("1", |claims| put(claims, "test_claim", "arst"));
    world.advance(DAY);
    let access = world.tokens.access_from(&refresh);
    assert_eq!(access.claims().raw("test_claim"), refresh.claims().raw("test_claim"));
    for claim in ["token_type", "exp", "jti", "iat"] {
        assert_ne!(access.claims().raw(claim), refresh.claims().raw(claim), "{claim}");
    }
    let names: Vec<_> = access.claims().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["token_type", "exp", "iat", "jti", "user_id", "test_claim"]);
}

/// `test_tokens.py::TestUntypedToken::test_it_should_accept_and_verify_any_type_of_token`
#[test]
fn untyped_takes_every_kind() {
    let world = World::new(|_| ());
    for token in [world.access(), world.refresh(), world.sliding()] {
        let untyped = world.tokens.decode::<Untyped>(&token).unwrap();
        assert_eq!(world.tokens.encode(&untyped).unwrap(), token);
    }
}

/// `test_tokens.py::TestUntypedToken::test_it_should_expire_immediately_if_made_from_scratch`
#[test]
fn an_untyped_token_is_born_expired() {
    let world = World::new(|_| ());
    let token = world.tokens.issue::<Untyped>("1");
    assert_eq!(token.claims().str("token_type").as_deref(), Some("untyped"));
    assert_eq!(world.tokens.expires_at(&token), Some(Timestamp::from_secs(NOW)));
    let encoded = world.tokens.encode(&token).unwrap();
    assert_eq!(world.tokens.decode::<Untyped>(&encoded).err(), Some(TokenError::Expired));
}
