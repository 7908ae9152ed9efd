//! Ids that no table has room for, and tokens that nobody takes: the same on every store.

use serde_json::{Value, json};
use simplejwt::{Access, Claims, Error, HookError, Hooks, Refresh, TokenError, Tokens, User};

use crate::world::{Pair, World, credentials, worlds, worlds_of_tokens};

fn refresh(tokens: &Tokens, claim: &str, value: &Value) -> String {
    let token = tokens.issue_with::<Refresh>("1", |claims| claims.set(claim, value).unwrap());
    tokens.encode(&token).unwrap()
}

fn assert_invalid<T: std::fmt::Debug>(outcome: Result<T, Error>, what: &str) {
    let invalid = matches!(outcome, Err(Error::Token(TokenError::Invalid)));
    assert!(invalid, "{what}: {outcome:?}");
}

#[tokio::test]
async fn ids_that_cant_be_kept_make_a_token_invalid() {
    for world in worlds_of_tokens(|settings| settings.sessions.session_claim = true).await {
        let (tokens, name) = (world.auth.tokens().clone(), world.name());
        for good in ["x".repeat(255), "é".repeat(255), "x".to_owned()] {
            for claim in ["jti", "sid"] {
                let token = refresh(&tokens, claim, &json!(good));
                world.auth.refresh(&token).await.unwrap_or_else(|e| panic!("{name} {claim}: {e}"));
            }
        }
        for bad in
            [json!("x".repeat(256)), json!(""), json!("a\0b"), json!(7), json!(null), json!([])]
        {
            for claim in ["jti", "sid"] {
                let what = format!("{name} {claim} {bad}");
                let token = refresh(&tokens, claim, &bad);
                assert_invalid(world.auth.refresh(&token).await, &what);
                assert_invalid(world.auth.verify(&token).await, &what);
                assert_invalid(world.auth.blacklist(&token).await, &what);
                assert_invalid(world.auth.log_out_with(&token).await, &what);
                assert!(world.auth.introspect(&token).await.unwrap().is_none(), "{what}");
                let revoked = world.auth.revoke(&token).await.unwrap();
                assert_eq!(revoked, simplejwt::service::Revoking::NotGood, "{what}");
            }
        }
    }
}

/// Of `jti` PyJWT demands a text; of a claim of another name it knows nothing, and Django's
/// column takes a number's digits.
#[tokio::test]
async fn an_id_in_a_claim_of_another_name_may_be_a_number() {
    for world in worlds(|settings| settings.jti_claim = Some("id".into())).await {
        let tokens = world.auth.tokens().clone();
        let token = refresh(&tokens, "id", &json!(7));
        world.next(&token).await;
        assert!(world.store.is_blacklisted("7").await.unwrap(), "{}", world.name());
        world.assert_blacklisted(&token, "spent").await;
        for bad in [json!(7.5), json!(true), json!(null), json!("")] {
            let what = format!("{} {bad}", world.name());
            assert_invalid(world.auth.refresh(&refresh(&tokens, "id", &bad)).await, &what);
        }
    }
}

/// A `sid` that isn't ours says nothing.
#[tokio::test]
async fn a_claim_of_an_application_may_be_anything() {
    for world in worlds_of_tokens(|settings| settings.sessions.session_claim = false).await {
        let tokens = world.auth.tokens().clone();
        for value in [json!("x".repeat(300)), json!(7), json!("")] {
            world.next(&refresh(&tokens, "sid", &value)).await;
        }
    }
}

/// Puts a claim of so many characters into tokens.
#[derive(Clone, Copy, Debug)]
struct Filling(usize);

#[async_trait::async_trait]
impl Hooks for Filling {
    async fn extra_claims(
        &self,
        _kind: simplejwt::settings::TokenClass,
        _user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        Ok(claims.set("filling", "x".repeat(self.0))?)
    }
}

async fn filled(world: &World, characters: usize) -> Result<Pair, Error> {
    let auth = world.auth.clone().with_hooks(Filling(characters));
    auth.obtain_pair(&credentials("alice")).await.map(Pair::from)
}

#[tokio::test]
async fn a_token_is_issued_if_and_only_if_it_is_taken() {
    for world in worlds(|_| ()).await {
        let (mut issued, mut refused) = (0, 0);
        let before = world.live().await;
        for characters in (11_900..12_300).step_by(7) {
            match filled(&world, characters).await {
                Ok(pair) => {
                    issued += 1;
                    let longest = pair.access.len().max(pair.refresh.len());
                    assert!(longest <= simplejwt::keys::MAX_TOKEN_BYTES, "{longest}");
                    world.auth.authenticate(&pair.access).await.unwrap();
                    world.next(&pair.refresh).await;
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.code(), "token_too_long");
                    assert!(error.is_internal());
                    let said = error.to_string();
                    let bytes = (characters + 2).to_string();
                    let names = ["\"1\"", "16384", "\"filling\"", &bytes];
                    assert!(names.iter().all(|part| said.contains(part)), "{said}");
                }
            }
        }
        assert!(issued > 0 && refused > 0, "{issued} {refused}");
        assert_eq!(world.live().await, before + issued, "{}", world.name());
    }
}

/// A refresh that would give out such a token changes nothing.
#[tokio::test]
async fn a_refresh_that_gives_too_long_a_token_leaves_the_old_one() {
    #[derive(Debug)]
    struct Anew;

    #[async_trait::async_trait]
    impl Hooks for Anew {
        async fn refreshed_claims(
            &self,
            _kind: simplejwt::settings::TokenClass,
            _user: &User,
            claims: &mut Claims,
        ) -> Result<(), HookError> {
            Ok(claims.set("filling", "x".repeat(20_000))?)
        }
    }
    for world in worlds(|_| ()).await {
        let first = world.log_in().await.refresh;
        let refused = world.auth.clone().with_hooks(Anew).refresh(&first).await;
        assert!(matches!(refused, Err(Error::TokenTooLong { .. })), "{refused:?}");
        world.next(&first).await;
        let tokens = world.auth.tokens();
        let token = tokens.issue_with::<Access>("1", |claims| {
            claims.set("filling", "x".repeat(20_000)).unwrap();
        });
        assert_eq!(tokens.encode(&token).unwrap_err().code(), "token_too_long");
    }
}
