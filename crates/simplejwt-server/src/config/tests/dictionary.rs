//! Upstream's dictionary.

use std::time::Duration;

use simplejwt::Algorithm;
use simplejwt::settings::{Audience, TokenClass};

use super::*;

/// Upstream treats None as no leeway.
#[test]
fn no_leeway_may_be_null() {
    assert_eq!(dictionary(r#"{"LEEWAY": null}"#).unwrap().leeway, std::time::Duration::ZERO);
}

#[test]
fn the_dictionary_as_django_teams_have_it() {
    let settings = dictionary(
        r#"{
            "ACCESS_TOKEN_LIFETIME": 900, "REFRESH_TOKEN_LIFETIME": 604800.0,
            "ROTATE_REFRESH_TOKENS": true, "BLACKLIST_AFTER_ROTATION": false,
            "UPDATE_LAST_LOGIN": true, "ALGORITHM": "HS512",
            "SIGNING_KEY": "a key of the dictionary that is long enough for the hash of HS512",
            "VERIFYING_KEY": "", "AUDIENCE": ["a", "b"], "ISSUER": null, "JSON_ENCODER": null,
            "JWK_URL": null, "LEEWAY": 5, "AUTH_HEADER_TYPES": ["Bearer", "JWT"],
            "AUTH_HEADER_NAME": "HTTP_X_ACCESS_TOKEN", "USER_ID_FIELD": "username",
            "USER_ID_CLAIM": "sub",
            "USER_AUTHENTICATION_RULE":
                "rest_framework_simplejwt.authentication.default_user_authentication_rule",
            "AUTH_TOKEN_CLASSES": ["rest_framework_simplejwt.tokens.SlidingToken"],
            "TOKEN_TYPE_CLAIM": null, "JTI_CLAIM": null,
            "ON_LOGIN_SUCCESS": "rest_framework_simplejwt.serializers.default_on_login_success",
            "ON_LOGIN_FAILED": "rest_framework_simplejwt.serializers.default_on_login_failed",
            "TOKEN_USER_CLASS": "rest_framework_simplejwt.models.TokenUser",
            "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "rexp", "SLIDING_TOKEN_LIFETIME": 60,
            "SLIDING_TOKEN_REFRESH_LIFETIME": 120,
            "TOKEN_OBTAIN_SERIALIZER":
                "rest_framework_simplejwt.serializers.TokenObtainPairSerializer",
            "SLIDING_TOKEN_REFRESH_SERIALIZER":
                "rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer",
            "CHECK_REVOKE_TOKEN": true, "REVOKE_TOKEN_CLAIM": "pw", "CHECK_USER_IS_ACTIVE": false
        }"#,
    )
    .unwrap();
    assert_eq!(
        settings,
        Settings {
            access_token_lifetime: Duration::from_secs(900),
            refresh_token_lifetime: Duration::from_secs(604_800),
            rotate_refresh_tokens: true,
            update_last_login: true,
            algorithm: Algorithm::Hs512,
            signing_key: Some(
                "a key of the dictionary that is long enough for the hash of HS512".into()
            ),
            audience: Some(Audience::Many(vec!["a".into(), "b".into()])),
            leeway: Duration::from_secs(5),
            auth_header_types: vec!["Bearer".into(), "JWT".into()],
            auth_header_name: "HTTP_X_ACCESS_TOKEN".into(),
            user_id_field: "username".into(),
            user_id_claim: "sub".into(),
            auth_token_classes: vec![TokenClass::Sliding],
            token_type_claim: None,
            jti_claim: None,
            sliding_token_refresh_exp_claim: "rexp".into(),
            sliding_token_lifetime: Duration::from_secs(60),
            sliding_token_refresh_lifetime: Duration::from_secs(120),
            check_revoke_token: true,
            revoke_token_claim: "pw".into(),
            check_user_is_active: false,
            ..Settings::default()
        }
    );
}

#[test]
fn upstream_takes_one_text_for_a_list() {
    let settings = dictionary(r#"{"AUTH_HEADER_TYPES": "JWT", "AUDIENCE": "a, b"}"#).unwrap();
    assert_eq!(settings.auth_header_types, ["JWT"]);
    assert_eq!(settings.audience, Some(Audience::One("a, b".into())));
}

#[test]
fn what_the_dictionary_may_not_hold() {
    for (json, told) in [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        (r#"{"ALGORITM": "HS256"}"#, "did you mean ALGORITHM?"),
        (r#"{"COLOUR": 1}"#, "unknown setting COLOUR"),
        (r#"{"ALGORITHM": "none"}"#, "HS256"),
        (r#"{"ALGORITHM": "hs256"}"#, "HS256"),
        (r#"{"ALGORITHM": null}"#, "ALGORITHM"),
        (r#"{"ACCESS_TOKEN_LIFETIME": -1}"#, "ACCESS_TOKEN_LIFETIME is negative"),
        (r#"{"ACCESS_TOKEN_LIFETIME": 0}"#, "shorter than a second"),
        (r#"{"ACCESS_TOKEN_LIFETIME": null}"#, "ACCESS_TOKEN_LIFETIME is not a duration"),
        (r#"{"ROTATE_REFRESH_TOKENS": "perhaps"}"#, "ROTATE_REFRESH_TOKENS is \"perhaps\""),
        (r#"{"AUTH_HEADER_TYPE": "Bearer"}"#, "write AUTH_HEADER_TYPES"),
        (r#"{"AUTH_TOKEN_CLASS": "x"}"#, "write AUTH_TOKEN_CLASSES"),
        (r#"{"SECRET_KEY": "x"}"#, "removed"),
        (r#"{"TOKEN_BACKEND_CLASS": "x"}"#, "removed"),
        (r#"{"JSON_ENCODER": "my.Encoder"}"#, "JSON_ENCODER is \"my.Encoder\""),
        (r#"{"TOKEN_USER_CLASS": "my.User"}"#, "Token<Access>"),
        (r#"{"TOKEN_USER_CLASS": null}"#, "TOKEN_USER_CLASS is null"),
        (r#"{"USER_AUTHENTICATION_RULE": "my.rule"}"#, "Hooks::may_authenticate"),
        (r#"{"TOKEN_OBTAIN_SERIALIZER": "my.Serializer"}"#, "Hooks::extra_claims"),
        (
            r#"{"TOKEN_OBTAIN_SERIALIZER": "my.Serializer"}"#,
            "claims that get_token() adds in [claims]",
        ),
        (
            r#"{"SLIDING_TOKEN_OBTAIN_SERIALIZER": "my.Serializer"}"#,
            "claims that get_token() adds in [claims]",
        ),
        (r#"{"TOKEN_REFRESH_SERIALIZER": "my.Serializer"}"#, "SIMPLEJWT_CLAIMS"),
        (r#"{"USER_AUTHENTICATION_RULE": "my.rule"}"#, "allow_inactive_login in [users]"),
        (r#"{"ON_LOGIN_SUCCESS": "my.hook"}"#, "Hooks::on_login_success"),
        (r#"{"ON_LOGIN_FAILED": null}"#, "Hooks::on_login_failed"),
        (
            r#"{"TOKEN_OBTAIN_SERIALIZER":
                "rest_framework_simplejwt.serializers.TokenRefreshSerializer"}"#,
            "TOKEN_OBTAIN_SERIALIZER",
        ),
        (r#"{"AUTH_TOKEN_CLASSES": ["my.tokens.AccessToken"]}"#, "my.tokens.AccessToken"),
        (r#"{"ALGORITHM": "HS256", "algorithm": "HS512"}"#, "twice"),
        (r#"{"BLACKLIST_AFTER_ROTATION": true}"#, "token_blacklist = true"),
        (r#"{"AUDIENCE": 7}"#, "AUDIENCE is 7"),
        (r#"{"SIGNING_KEY": 7}"#, "SIGNING_KEY is not a string"),
    ] {
        let problem = dictionary(json).expect_err(json);
        assert!(problem.contains(told), "{json}: {problem}");
    }
}

#[test]
fn the_signing_key_is_django_s_secret_key_where_none_is_named() {
    let secret = |config: Config| config.settings.signing_key;
    assert_eq!(secret(with([]).unwrap()), Some(KEY.1.into()));
    let named = with([("SIMPLE_JWT", r#"{"SIGNING_KEY": "another"}"#)]).unwrap();
    assert_eq!(secret(named), Some("another".into()));
    let none = with([("SIMPLE_JWT", r#"{"SIGNING_KEY": null}"#)]).unwrap();
    assert_eq!(secret(none), None);
    // A key pair can't be a Django secret: this instance only verifies.
    let asymmetric = with([("SIMPLEJWT_ALGORITHM", "ES256")]).unwrap();
    assert_eq!(secret(asymmetric), None);
}

#[test]
fn the_environment_counts_for_more_than_the_file_and_a_variable_for_more_than_the_dictionary() {
    let text = "[simple_jwt]\nALGORITHM = \"HS384\"\nissuer = \"file\"\naudience = \"file\"\n\
                signing_key_file = \"key\"\nleeway = \"PT2S\"\n[server]\ndemo = true\n";
    let environment = Environment::of([
        ("SIMPLE_JWT", r#"{"ISSUER": "dictionary", "AUDIENCE": "dictionary"}"#),
        ("SIMPLEJWT_AUDIENCE", "variable"),
        ("SIMPLEJWT_DEMO", "False"),
    ]);
    let loaded = file(text, &environment).unwrap();
    let settings = &loaded.config.settings;
    assert_eq!(settings.algorithm, Algorithm::Hs384);
    assert_eq!(settings.issuer.as_deref(), Some("dictionary"));
    assert_eq!(settings.audience, Some(Audience::One("variable".into())));
    assert_eq!(settings.signing_key, Some("the-key-in-a-file-which-is-long-enough".into()));
    assert_eq!(settings.leeway, Duration::from_secs(2));
    assert!(!loaded.config.server.demo);
    assert!(loaded.given["simple_jwt.signing_key"].origin.ends_with("key"));
    assert!(loaded.given["simple_jwt.audience"].origin.contains("SIMPLEJWT_AUDIENCE"));
}

#[test]
fn python_s_dictionary_is_told_from_json() {
    for text in
        ["{'ALGORITHM': 'HS256'}", "{\"ROTATE_REFRESH_TOKENS\": True}", "{\"LEEWAY\": None}"]
    {
        let problem = dictionary(text).unwrap_err();
        assert!(problem.contains("not JSON but Python"), "{problem}");
        assert!(problem.contains("json.dumps(settings.SIMPLE_JWT, default=str)"), "{problem}");
    }
}
