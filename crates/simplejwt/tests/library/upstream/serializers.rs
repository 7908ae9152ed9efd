//! `test_serializers.py`. Missing fields are the web layer's.

use simplejwt::{Access, Credentials, Error, Refresh, Sliding, TokenError};

use crate::world::{DAY, NOW, PASSWORD, World, int, put, refusal, right};

/// `test_serializers.py::TestTokenObtainSerializer::test_it_should_not_validate_if_user_not_found`,
/// `test_it_should_raise_if_user_not_active`
#[tokio::test]
async fn login_is_refused() {
    let world = World::upstream();
    let missing = world.auth.obtain_pair(&Credentials::new("missing", "pass")).await;
    assert!(matches!(missing, Err(Error::NoActiveAccount)));
    world.users.change("1", |user| user.is_active = false);
    assert!(matches!(world.auth.obtain_pair(&right()).await, Err(Error::NoActiveAccount)));
    world.users.allow_inactive();
    assert!(matches!(world.auth.obtain_pair(&right()).await, Err(Error::NoActiveAccount)));
}

/// `test_serializers.py::TestTokenObtainSerializer::test_it_should_validate_if_user_inactive_but_rule_allows`
#[tokio::test]
async fn an_inactive_user_logs_in_where_both_allow_it() {
    let world = World::new(|settings| settings.check_user_is_active = false);
    world.users.change("1", |user| user.is_active = false);
    assert!(matches!(world.auth.obtain_pair(&right()).await, Err(Error::NoActiveAccount)));
    world.users.allow_inactive();
    assert!(world.auth.obtain_pair(&right()).await.is_ok());
}

/// `test_serializers.py::TestTokenObtainSlidingSerializer` and `TestTokenObtainPairSerializer`
/// `::test_it_should_produce_a_json_web_token_when_valid`,
/// `TestTokenObtainSerializer::test_it_should_pass_validate_if_request_not_in_context`
#[tokio::test]
async fn login_gives_tokens_of_the_right_kinds() {
    let world = World::upstream();
    let sliding = world.auth.obtain_sliding(&right()).await.unwrap().token;
    assert!(world.tokens.decode::<Sliding>(&sliding).is_ok());
    let pair = world.auth.obtain_pair(&Credentials::new("test_user", PASSWORD)).await.unwrap();
    assert!(world.tokens.decode::<Access>(&pair.access.token).is_ok());
    assert!(world.tokens.decode::<Refresh>(&pair.refresh.token).is_ok());
}

/// `test_serializers.py::TestTokenRefreshSlidingSerializer::test_it_should_not_validate_if_token_invalid`,
/// `…_if_token_has_no_refresh_exp_claim`, `…_if_token_has_refresh_period_expired`,
/// `…_if_token_has_wrong_type`
#[tokio::test]
async fn sliding_refresh_is_refused() {
    let world = World::upstream();
    let refused = async |change: &dyn Fn(&mut simplejwt::Claims)| {
        let token = world.made::<Sliding>(|claims| change(claims));
        refusal(world.auth.refresh_sliding(&token).await)
    };
    assert_eq!(
        refused(&|claims| assert!(claims.remove("exp"))).await,
        Some(TokenError::MissingClaim("exp".into()))
    );
    assert_eq!(refused(&|claims| put(claims, "exp", NOW - 1)).await, Some(TokenError::Expired));
    assert_eq!(
        refused(&|claims| assert!(claims.remove("refresh_exp"))).await,
        Some(TokenError::MissingClaim("refresh_exp".into()))
    );
    assert_eq!(
        refused(&|claims| put(claims, "refresh_exp", NOW)).await,
        Some(TokenError::ClaimExpired("refresh_exp".into()))
    );
    assert_eq!(
        refused(&|claims| put(claims, "token_type", "wrong_type")).await,
        Some(TokenError::WrongType)
    );
    assert_eq!(refused(&|_| ()).await, None);
}

/// `test_serializers.py::TestTokenRefreshSlidingSerializer::test_it_should_update_token_exp_claim_if_everything_ok`
#[tokio::test]
async fn sliding_refresh_moves_exp_and_nothing_else() {
    let world = World::upstream();
    let token = world.sliding();
    let before = world.tokens.decode::<Sliding>(&token).unwrap();
    world.advance(100);
    let after = world.auth.refresh_sliding(&token).await.unwrap().token;
    let after = world.tokens.decode::<Sliding>(&after).unwrap();
    assert_eq!(int(&after, "exp"), Some(NOW + 400));
    assert_eq!(int(&after, "iat"), Some(NOW + 100));
    for claim in ["token_type", "jti", "refresh_exp", "user_id"] {
        assert_eq!(after.claims().raw(claim), before.claims().raw(claim), "{claim}");
    }
}

/// `test_serializers.py::TestTokenRefreshSerializer::test_it_should_raise_error_for_deleted_users`.
/// DIFFERENCE: upstream lets Django's `DoesNotExist` through, which is a 500.
#[tokio::test]
async fn refresh_of_a_deleted_user() {
    let world = World::upstream();
    let token = world.refresh();
    world.users.delete("1");
    let error = world.auth.refresh(&token).await.unwrap_err();
    assert!(matches!(error, Error::NoActiveAccountForToken));
    assert!(!error.is_internal());
}

/// `test_serializers.py::TestTokenRefreshSerializer::test_it_should_raise_error_for_inactive_users`
#[tokio::test]
async fn refresh_of_an_inactive_user() {
    let world = World::upstream();
    let token = world.refresh();
    world.users.change("1", |user| user.is_active = false);
    assert!(matches!(world.auth.refresh(&token).await, Err(Error::NoActiveAccountForToken)));
}

/// `test_serializers.py::TestTokenRefreshSerializer::test_it_should_return_access_token_for_active_users`,
/// `test_it_should_return_access_token_if_everything_ok`. DIFFERENCE: upstream takes a refresh
/// token without a user claim as well; here it is refused.
#[tokio::test]
async fn refresh_gives_an_access_token() {
    let world = World::upstream();
    let token = world.made::<Refresh>(|claims| put(claims, "test_claim", "arst"));
    world.advance(60);
    let refreshed = world.auth.refresh(&token).await.unwrap();
    assert_eq!(refreshed.refresh, None);
    let access = world.tokens.decode::<Access>(&refreshed.access.token).unwrap();
    assert_eq!(access.claims().str("test_claim").as_deref(), Some("arst"));
    assert_eq!(int(&access, "exp"), Some(NOW + 360));
    let nobodys = world.made::<Refresh>(|claims| assert!(claims.remove("user_id")));
    assert!(matches!(world.auth.refresh(&nobodys).await, Err(Error::NoUserClaim)));
}

/// `test_serializers.py::TestTokenRefreshSerializer::test_it_should_raise_token_error_if_token_invalid`,
/// `…_has_wrong_type`, and the same two of `TestTokenBlacklistSerializer`
#[tokio::test]
async fn refresh_and_blacklist_refuse_bad_tokens() {
    let world = World::upstream();
    let cases = [
        (
            world.made::<Refresh>(|claims| assert!(claims.remove("exp"))),
            TokenError::MissingClaim("exp".into()),
        ),
        (world.made::<Refresh>(|claims| put(claims, "exp", NOW - 1)), TokenError::Expired),
        (
            world.made::<Refresh>(|claims| put(claims, "token_type", "wrong_type")),
            TokenError::WrongType,
        ),
    ];
    for (token, error) in cases {
        assert_eq!(refusal(world.auth.refresh(&token).await), Some(error.clone()));
        assert_eq!(refusal(world.auth.blacklist(&token).await), Some(error));
    }
    assert!(world.store.rows().blacklisted.is_empty());
}

async fn rotated(world: &World) -> (String, String) {
    let token = world.made::<Refresh>(|claims| put(claims, "test_claim", "arst"));
    world.advance(60);
    let refreshed = world.auth.refresh(&token).await.unwrap();
    let old = world.tokens.decode::<Refresh>(&token).unwrap();
    let new = world.tokens.decode::<Refresh>(&refreshed.refresh.unwrap().token).unwrap();
    let access = world.tokens.decode::<Access>(&refreshed.access.token).unwrap();
    assert_eq!(new.claims().str("test_claim").as_deref(), Some("arst"));
    assert_eq!(access.claims().str("test_claim").as_deref(), Some("arst"));
    assert_eq!(int(&access, "exp"), Some(NOW + 360));
    assert_eq!(int(&new, "exp"), Some(NOW + 60 + i64::try_from(DAY).unwrap()));
    assert_ne!(world.tokens.jti(&old), world.tokens.jti(&new));
    (world.tokens.jti(&old).unwrap(), world.tokens.jti(&new).unwrap())
}

/// `test_serializers.py::TestTokenRefreshSerializer::test_it_should_return_refresh_token_if_tokens_should_be_rotated`
#[tokio::test]
async fn rotation() {
    let world = World::new(|settings| settings.rotate_refresh_tokens = true);
    rotated(&world).await;
    assert!(world.store.rows().outstanding.is_empty());
}

/// `test_serializers.py::TestTokenRefreshSerializer::test_it_should_blacklist_refresh_token_if_tokens_should_be_rotated_and_blacklisted`
#[tokio::test]
async fn rotation_with_blacklisting() {
    let world = World::rotating();
    let (old, new) = rotated(&world).await;
    let rows = world.store.rows();
    assert_eq!(rows.blacklisted, std::slice::from_ref(&old));
    let registered: Vec<_> = rows.outstanding.iter().map(|row| row.jti.clone()).collect();
    assert_eq!(registered, [old, new]);
}

/// `test_serializers.py::…::test_blacklist_app_not_installed_should_pass`, both. DIFFERENCE:
/// upstream quietly blacklists nothing; here the settings are refused, and so is the endpoint.
#[tokio::test]
async fn without_the_blacklist() {
    let settings = simplejwt::Settings {
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        ..simplejwt::Settings::default()
    };
    assert!(settings.validate().is_err());
    let world = World::new(|_| ());
    let outcome = world.auth.blacklist(&world.refresh()).await;
    assert!(matches!(outcome, Err(Error::BlacklistDisabled)));
}

/// `test_serializers.py::TestTokenVerifySerializer`, all three
#[tokio::test]
async fn verify() {
    let world = World::upstream();
    let no_exp = world.made::<Refresh>(|claims| assert!(claims.remove("exp")));
    let missing = TokenError::MissingClaim("exp".into());
    assert_eq!(refusal(world.auth.verify(&no_exp).await), Some(missing));
    let expired = world.made::<Refresh>(|claims| put(claims, "exp", NOW - 1));
    assert_eq!(refusal(world.auth.verify(&expired).await), Some(TokenError::Expired));
    let wrong = world.made::<Refresh>(|claims| put(claims, "token_type", "wrong_type"));
    assert!(world.auth.verify(&wrong).await.is_ok());
    assert!(world.auth.verify(&world.refresh()).await.is_ok());
}

/// `test_serializers.py::TestTokenBlacklistSerializer::test_it_should_return_nothing_if_everything_ok`,
/// `test_it_should_blacklist_refresh_token_if_everything_ok`
#[tokio::test]
async fn blacklist() {
    let world = World::upstream();
    let token = world.refresh();
    let jti = world.tokens.jti(&world.tokens.decode::<Refresh>(&token).unwrap()).unwrap();
    world.auth.blacklist(&token).await.unwrap();
    let rows = world.store.rows();
    assert_eq!(rows.outstanding.len(), 1);
    assert_eq!(rows.blacklisted, [jti]);
}
