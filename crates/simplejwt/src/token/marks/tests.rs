use base64_simd::URL_SAFE_NO_PAD;

use super::*;
use crate::jws::{Algorithm, Signer, sign};
use crate::token::{Token, Untyped};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn tokens(change: impl FnOnce(&mut Settings)) -> Tokens {
    let mut settings = Settings { signing_key: Some(SECRET.into()), ..Settings::default() };
    change(&mut settings);
    Tokens::new(settings).unwrap()
}

fn by_kind(settings: &mut Settings) {
    settings.typ = settings::Typ::ByKind;
}

/// A token with this header and type, whatever else is right.
fn signed(header: &str, token_type: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode_to_string(header);
    let mut claims = Claims::default();
    claims.set_str("token_type", token_type);
    claims.set_int("exp", 4_000_000_000);
    claims.set_str("jti", "a");
    let signer = Signer::hmac(Algorithm::Hs256, SECRET.as_bytes()).unwrap();
    sign(&signer, &header, claims.to_json().as_bytes()).unwrap()
}

/// Returns the kinds that a token is accepted as.
fn kinds(tokens: &Tokens, token: &str) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    kinds.extend(tokens.decode::<Access>(token).ok().map(|_| "access"));
    kinds.extend(tokens.decode::<Refresh>(token).ok().map(|_| "refresh"));
    kinds.extend(tokens.decode::<Sliding>(token).ok().map(|_| "sliding"));
    kinds.extend(tokens.decode::<Untyped>(token).ok().map(|_| "untyped"));
    kinds
}

#[test]
fn a_typ_of_another_kind_is_refused_whatever_the_claims_say() {
    let (strict, upstream) = (tokens(by_kind), tokens(|_| ()));
    for (typ, allowed) in [
        (r#""JWT""#, &["access", "refresh", "sliding", "invite"][..]),
        (r#""jwt""#, &["access", "refresh", "sliding", "invite"]),
        (r#""application/jwt""#, &["access", "refresh", "sliding", "invite"]),
        (r#""at+jwt""#, &["access", "sliding"]),
        (r#""AT+JWT""#, &["access", "sliding"]),
        (r#""application/at+jwt""#, &["access", "sliding"]),
        (r#""Application/At+JWT""#, &["access", "sliding"]),
        (r#""refresh+jwt""#, &["refresh"]),
        (r#""application/Refresh+jwt""#, &["refresh"]),
        (r#""logout+jwt""#, &[]),
        (r#""at+jwt ""#, &[]),
        (r#""""#, &[]),
        ("7", &[]),
        ("null", &[]),
    ] {
        for kind in ["access", "refresh", "sliding", "invite"] {
            for header in [
                format!(r#"{{"alg":"HS256","typ":{typ}}}"#),
                format!(r#"{{"typ":{typ},"alg":"HS256"}}"#),
            ] {
                let token = signed(&header, kind);
                let mut expected = vec![kind, "untyped"];
                expected.retain(|kind| *kind != "invite");
                assert_eq!(kinds(&upstream, &token), expected, "{header} {kind}");
                if !allowed.contains(&kind) {
                    expected.clear();
                }
                assert_eq!(kinds(&strict, &token), expected, "{header} {kind}");
            }
        }
    }
    let bare = signed(r#"{"alg":"HS256"}"#, "refresh");
    assert_eq!(kinds(&strict, &bare), ["refresh", "untyped"], "without typ");
}

fn header<T: TokenType>(tokens: &Tokens, token: &Token<T>) -> String {
    let encoded = tokens.encode(token).unwrap();
    let header = encoded.split('.').next().unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode_to_vec(header).unwrap()).unwrap()
}

#[test]
fn each_kind_is_written_with_its_own_typ() {
    enum Invite {}
    impl TokenType for Invite {
        const NAME: &'static str = "invite";
        fn lifetime(_: &Settings) -> std::time::Duration {
            std::time::Duration::from_secs(60)
        }
    }
    let (strict, upstream) = (tokens(by_kind), tokens(|_| ()));
    assert_eq!(header(&strict, &strict.issue::<Access>("1")), r#"{"alg":"HS256","typ":"at+jwt"}"#);
    assert_eq!(
        header(&strict, &strict.issue::<Refresh>("1")),
        r#"{"alg":"HS256","typ":"refresh+jwt"}"#
    );
    assert_eq!(header(&strict, &strict.issue::<Sliding>("1")), r#"{"alg":"HS256","typ":"at+jwt"}"#);
    assert_eq!(header(&strict, &strict.issue::<Invite>("1")), r#"{"alg":"HS256","typ":"JWT"}"#);
    assert_eq!(header(&upstream, &upstream.issue::<Access>("1")), r#"{"alg":"HS256","typ":"JWT"}"#);
    // A token that was decoded without its type keeps it when it is signed again.
    let refresh = strict.encode(&strict.issue::<Refresh>("1")).unwrap();
    let untyped = strict.decode::<Untyped>(&refresh).unwrap();
    assert_eq!(header(&strict, &untyped), r#"{"alg":"HS256","typ":"refresh+jwt"}"#);
    assert!(
        strict.decode::<Refresh>(&refresh).is_ok() && upstream.decode::<Refresh>(&refresh).is_ok()
    );
}

/// What a token's `aud` may be with `refresh_audience`, by its type and by `AUDIENCE`.
#[test]
fn refresh_tokens_have_an_audience_of_their_own() {
    let us = |settings: &mut Settings| settings.refresh_audience = Some("us".into());
    let one = |settings: &mut Settings| {
        settings.refresh_audience = Some("us".into());
        settings.audience = Some(Audience::One("api".into()));
    };
    let many = |settings: &mut Settings| {
        settings.refresh_audience = Some("us".into());
        settings.audience = Some(Audience::Many(vec!["api".into(), "web".into()]));
    };
    let (none, one, many) = (tokens(us), tokens(one), tokens(many));
    for (aud, token_type, is_good) in [
        // With no, one and two audiences for the others.
        (None, "refresh", [true, false, false]),
        (Some(r#""us""#), "refresh", [true, true, true]),
        (Some(r#"["us"]"#), "refresh", [true, true, true]),
        (Some(r#"["else","us"]"#), "refresh", [true, true, true]),
        (Some(r#""api""#), "refresh", [false, true, true]),
        (Some(r#"["web"]"#), "refresh", [false, false, true]),
        (Some(r#""else""#), "refresh", [false, false, false]),
        (Some("null"), "refresh", [false, false, false]),
        (Some("[]"), "refresh", [false, false, false]),
        (None, "access", [true, false, false]),
        (Some(r#""us""#), "access", [false, false, false]),
        (Some(r#"["us","api"]"#), "access", [false, false, false]),
        (Some(r#""api""#), "access", [true, true, true]),
        (Some(r#"["web","api"]"#), "access", [true, true, true]),
        (Some(r#""us""#), "sliding", [false, false, false]),
        (Some(r#""api""#), "sliding", [true, true, true]),
        (Some(r#""us""#), "invite", [false, false, false]),
    ] {
        let plain = tokens(|_| ());
        let token = plain.issue_with::<Access>("1", |claims| {
            claims.set_str("token_type", token_type);
            if let Some(aud) = aud {
                claims.set_raw("aud", aud);
            }
        });
        let token = plain.encode(&token).unwrap();
        let outcome = [&none, &one, &many].map(|tokens| tokens.decode::<Untyped>(&token).is_ok());
        assert_eq!(outcome, is_good, "{aud:?} {token_type}");
    }
}
