//! The marks that keep refresh tokens out of programs that don't know `token_type`.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use crate::world::{World, refusal, right, tokens_at};
use serde_json::{Value, json};
use simplejwt::settings::{Audience, Profile, Typ};
use simplejwt::{Access, Error, Refresh, Settings, Sliding, TokenError, Tokens, Untyped};

const US: &str = "https://example.com/refresh";

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap()).unwrap()
}

fn payload(token: &str) -> Value {
    part(token, 1)
}

fn world(change: impl FnOnce(&mut Settings)) -> World {
    World::new(|settings| {
        settings.token_blacklist = true;
        settings.blacklist_after_rotation = true;
        settings.rotate_refresh_tokens = true;
        change(settings);
    })
}

fn other(world: &World, change: impl FnOnce(&mut Settings)) -> Tokens {
    tokens_at(&world.clock, change)
}

fn with_audience(audience: Option<&str>) -> World {
    world(|settings| {
        settings.refresh_audience = Some(US.into());
        settings.audience = audience.map(|name| Audience::One(name.into()));
    })
}

#[tokio::test]
async fn a_session_with_an_audience_for_refresh_tokens() {
    for audience in [None, Some("api")] {
        let world = with_audience(audience);
        let pair = world.auth.obtain_pair(&right()).await.unwrap();
        let (mut refresh, mut access) = (pair.refresh.token, pair.access.token);
        for _ in 0..2 {
            assert_eq!(payload(&refresh)["aud"], US);
            assert_eq!(payload(&access).get("aud"), audience.map(|name| json!(name)).as_ref());
            for crossed in
                [world.auth.refresh(&access).await.map(drop), world.auth.blacklist(&access).await]
            {
                assert_eq!(refusal(crossed), Some(TokenError::WrongType));
            }
            let refused = world.auth.authenticate(&refresh).await.unwrap_err();
            assert!(
                matches!(&refused, Error::TokenNotValid(all) if all[0].error == TokenError::WrongType)
            );
            assert!(world.auth.authenticate(&access).await.is_ok());
            for token in [&refresh, &access] {
                assert!(world.auth.verify(token).await.is_ok());
            }
            let next = world.auth.refresh(&refresh).await.unwrap();
            (refresh, access) = (next.refresh.unwrap().token, next.access.token);
        }
        world.auth.blacklist(&refresh).await.unwrap();
        assert_eq!(refusal(world.auth.refresh(&refresh).await), Some(TokenError::Blacklisted));
        let sliding = world.auth.obtain_sliding(&right()).await.unwrap().token;
        let slid = world.auth.refresh_sliding(&sliding).await.unwrap().token;
        for token in [&sliding, &slid] {
            assert_eq!(payload(token).get("aud"), audience.map(|name| json!(name)).as_ref());
        }
    }
}

/// They are still in browsers when the setting is switched on, and their successors are marked.
#[tokio::test]
async fn refresh_tokens_from_before_go_on() {
    for audience in [None, Some("api")] {
        let world = with_audience(audience);
        let before = other(&world, |settings| {
            settings.audience = audience.map(|name| Audience::One(name.into()));
        });
        let old = before.encode(&before.issue::<Refresh>("1")).unwrap();
        let next = world.auth.refresh(&old).await.unwrap();
        assert_eq!(payload(&next.refresh.unwrap().token)["aud"], US);
        assert_eq!(
            payload(&next.access.token).get("aud"),
            audience.map(|name| json!(name)).as_ref()
        );
        // Of another audience, one is refused as before.
        let elsewhere = other(&world, |settings| {
            settings.audience = Some(Audience::One("elsewhere".into()));
        });
        let foreign = elsewhere.encode(&elsewhere.issue::<Refresh>("1")).unwrap();
        assert_eq!(refusal(world.auth.refresh(&foreign).await), Some(TokenError::Invalid));
        // Somebody who is told the refresh tokens' audience may not be let in by it.
        let marked = other(&world, |settings| settings.audience = Some(Audience::One(US.into())));
        let access = marked.encode(&marked.issue::<Access>("1")).unwrap();
        assert!(world.auth.authenticate(&access).await.is_err());
        assert!(world.auth.verify(&access).await.is_err());
    }
}

#[tokio::test]
async fn a_session_with_a_typ_for_each_kind() {
    let world = world(|settings| settings.typ = Typ::ByKind);
    let before = other(&world, |_| ());
    let old = before.encode(&before.issue::<Refresh>("1")).unwrap();
    let mut pair = world.auth.refresh(&old).await.unwrap();
    for _ in 0..2 {
        let refresh = pair.refresh.unwrap().token;
        assert_eq!(part(&refresh, 0), json!({"alg": "HS256", "typ": "refresh+jwt"}));
        assert_eq!(part(&pair.access.token, 0), json!({"alg": "HS256", "typ": "at+jwt"}));
        assert!(world.auth.authenticate(&pair.access.token).await.is_ok());
        assert!(world.auth.authenticate(&refresh).await.is_err());
        pair = world.auth.refresh(&refresh).await.unwrap();
    }
    // The claims say one thing, and the header another: nothing takes it.
    let liar = world.made::<Access>(|claims| claims.set("token_type", "refresh").unwrap());
    assert_eq!(refusal(world.auth.refresh(&liar).await), Some(TokenError::Invalid));
    assert_eq!(refusal(world.auth.blacklist(&liar).await), Some(TokenError::Invalid));
    assert_eq!(refusal(world.auth.verify(&liar).await), Some(TokenError::Invalid));
    assert!(world.auth.introspect(&liar).await.unwrap().is_none());
    let sliding = world.auth.obtain_sliding(&right()).await.unwrap().token;
    assert_eq!(part(&sliding, 0)["typ"], "at+jwt");
    assert!(world.auth.refresh_sliding(&sliding).await.is_ok());
}

#[tokio::test]
async fn access_tokens_of_rfc_9068() {
    let world = world(|settings| {
        settings.profile = Profile::Rfc9068;
        settings.typ = Typ::ByKind;
        settings.issuer = Some("https://example.com".into());
        settings.audience = Some(Audience::One("https://api.example.com".into()));
        settings.refresh_audience = Some(US.into());
        settings.user_id_claim = "sub".into();
        settings.client_id = Some("web".into());
    });
    let pair = world.auth.obtain_pair(&right()).await.unwrap();
    assert_eq!(payload(&pair.refresh.token).get("client_id"), None);
    let renewed = world.auth.refresh(&pair.refresh.token).await.unwrap();
    for access in [&pair.access.token, &renewed.access.token] {
        assert_eq!(part(access, 0)["typ"], "at+jwt");
        let claims = payload(access);
        for (claim, value) in [
            ("iss", "https://example.com"),
            ("sub", "1"),
            ("aud", "https://api.example.com"),
            ("client_id", "web"),
        ] {
            assert_eq!(claims[claim], value, "{claim}");
        }
        assert!(claims["exp"].is_i64() && claims["iat"].is_i64() && claims["jti"].is_string());
        assert!(world.auth.authenticate(access).await.is_ok());
    }
    let sliding = world.auth.obtain_sliding(&right()).await.unwrap().token;
    assert_eq!(payload(&sliding)["client_id"], "web");
    assert!(world.tokens.decode::<Sliding>(&sliding).is_ok());
    assert!(world.tokens.settings().reserved_claims().contains(&"client_id"));
}

#[test]
fn characters_outside_ascii_as_they_are() {
    let escaping = World::new(|_| ());
    let plain = World::new(|settings| settings.ensure_ascii = false);
    let text = |token: &str| {
        let part = token.split('.').nth(1).unwrap();
        String::from_utf8(base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap()).unwrap()
    };
    let name =
        |claims: &mut simplejwt::Claims| claims.set("n\u{e4}me", "Zo\u{eb} 😀 \u{1}\"").unwrap();
    let (escaped, raw) = (escaping.made::<Refresh>(name), plain.made::<Refresh>(name));
    assert!(text(&escaped).contains(r#""n\u00e4me":"Zo\u00eb \ud83d\ude00 \u0001\"""#));
    assert!(text(&raw).contains("\"n\u{e4}me\":\"Zo\u{eb} 😀 \\u0001\\\"\""), "{}", text(&raw));
    // Each accepts the other's, and writes the next one in its own way.
    let refresh = plain.tokens.decode::<Refresh>(&escaped).unwrap();
    let access = plain.tokens.encode(&plain.tokens.access_from(&refresh)).unwrap();
    assert!(text(&access).contains("Zo\u{eb} 😀"), "{}", text(&access));
    let refresh = escaping.tokens.decode::<Refresh>(&raw).unwrap();
    let access = escaping.tokens.encode(&escaping.tokens.access_from(&refresh)).unwrap();
    assert!(text(&access).is_ascii() && text(&access).contains(r"Zo\u00eb"), "{}", text(&access));
    assert_eq!(payload(&escaped)["n\u{e4}me"], payload(&raw)["n\u{e4}me"]);
    assert!(plain.tokens.decode::<Untyped>(&access).is_ok());
}
