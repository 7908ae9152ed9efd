use std::time::Duration;

use serde_json::json;

use super::*;
use crate::keys::Algorithm;

fn read(dictionary: Value) -> Result<Settings, String> {
    serde_json::from_value(dictionary).map_err(|error| error.to_string())
}

#[test]
fn nothing_set_is_the_defaults() {
    assert_eq!(read(json!({})), Ok(Settings::default()));
}

#[test]
fn json_and_toml_say_the_same() {
    let json = read(json!({
        "ACCESS_TOKEN_LIFETIME": "15m",
        "REFRESH_TOKEN_LIFETIME": 604_800,
        "ALGORITHM": "RS256",
        "AUTH_TOKEN_CLASSES": ["rest_framework_simplejwt.tokens.SlidingToken"],
        "TOKEN_TYPE_CLAIM": null,
        "LEEWAY": null,
        "AUDIENCE": ["a", "b"],
        "TOKEN_OBTAIN_SERIALIZER":
            "rest_framework_simplejwt.serializers.TokenObtainPairSerializer",
        "JSON_ENCODER": null,
        "token_blacklist": true,
        "sessions": {"session_claim": true, "revocation": "feed", "max_per_user": 3},
        "transport": "both",
        "cookies": {"same_site": "strict"},
        "allowed_origins": ["https://app.example.com"],
    }))
    .unwrap();
    let toml: Settings = toml::from_str(
        r#"
        access_token_lifetime = "PT15M"
        refresh_token_lifetime = "7d"
        algorithm = "RS256"
        auth_token_classes = ["SlidingToken"]
        token_type_claim = ""
        audience = ["a", "b"]
        token_blacklist = true
        transport = "both"
        allowed_origins = ["https://app.example.com"]

        [sessions]
        session_claim = true
        revocation = "feed"
        max_per_user = 3

        [cookies]
        same_site = "strict"
        "#,
    )
    .unwrap();
    assert_eq!(json, toml);
    assert_eq!(json.access_token_lifetime, Duration::from_secs(900));
    assert_eq!(json.algorithm, Algorithm::Rs256);
    assert_eq!(json.auth_token_classes, [TokenClass::Sliding]);
    assert_eq!(json.token_type_claim, None);
    assert_eq!(json.audience, Some(Audience::Many(vec!["a".into(), "b".into()])));
    assert_eq!(json.sessions.revocation, RevocationMode::Feed);
    assert_eq!(json.cookies.same_site, SameSite::Strict);
    json.validate().unwrap();
}

#[test]
fn every_problem_is_told_at_once_and_no_key_is_shown() {
    let wrong = read(json!({
        "ACCESS_TOKEN_LIFETIME": "5 parsecs",
        "ROTATE_REFRESH_TOKENS": "perhaps",
        "SIGNING_KEY": ["a secret in a list"],
        "ACCES_TOKEN_LIFETIME": 300,
        "TOKEN_OBTAIN_SERIALIZER": "app.serializers.Mine",
        "AUTH_TOKEN_CLASSES": ["app.tokens.Mine"],
        "sessions": {"revocation": "sometimes", "rotation": 1},
        "cookies": [],
    }))
    .unwrap_err();
    for text in [
        "ACCESS_TOKEN_LIFETIME is not a duration: write seconds (300)",
        "ROTATE_REFRESH_TOKENS is \"perhaps\", not a boolean",
        "SIGNING_KEY is not a string",
        "ACCES_TOKEN_LIFETIME is not a setting: the names are access_token_lifetime,",
        "TOKEN_OBTAIN_SERIALIZER is \"app.serializers.Mine\", and only \"rest_framework_simplejwt.",
        "`Hooks::extra_claims`",
        "app.tokens.Mine",
        "revocation is \"sometimes\": write \"stateless\" or \"feed\" or \"strict\"",
        "rotation is not one of enabled, session_claim",
        "COOKIES is a list, not a table",
    ] {
        assert!(wrong.contains(text), "{text} is missing in:\n{wrong}");
    }
    assert!(!wrong.contains("a secret"), "{wrong}");
    for twice in
        [r#"{"LEEWAY": 1, "leeway": 2}"#, r#"{"LEEWAY": 1, "LEEWAY": 1}"#, r#"{"x": 1, "X": 2}"#]
    {
        let error = serde_json::from_str::<Settings>(twice).unwrap_err().to_string();
        assert!(error.contains("is given twice"), "{twice}: {error}");
    }
    assert!(read(json!([])).unwrap_err().contains("a dictionary of settings"));
}

/// Every field can be set, and no name stands there that sets nothing: a wrong value is noticed
/// under each.
#[test]
fn each_name_is_read() {
    let lists = ["audience", "auth_header_types", "auth_token_classes", "allowed_origins"];
    for (name, _) in SETTINGS {
        // A list of tables isn't a valid value of any field.
        let error = read(json!({ *name: [{}] })).unwrap_err();
        assert!(error.starts_with(&name.to_ascii_uppercase()), "{name}: {error}");
        assert!(!lists.contains(name) || error.contains("not a string"), "{name}: {error}");
    }
    for (table, names) in [
        ("sessions", SESSIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        ("cookies", COOKIES.iter().map(|(name, _)| *name).collect()),
    ] {
        for name in names {
            let error = read(json!({ table: { name: [{}] } })).unwrap_err();
            assert!(error.contains(&format!("{name} ")), "{table}.{name}: {error}");
        }
    }
    // As many names as `Debug` shows fields.
    let shown = format!("{:#?}", Settings::default());
    let fields = shown.lines().filter(|line| {
        line.strip_prefix("    ").is_some_and(|line| line.starts_with(|c: char| c.is_lowercase()))
    });
    let mut fields: Vec<&str> = fields.filter_map(|line| line.trim().split(':').next()).collect();
    let mut names: Vec<&str> = SETTINGS.iter().map(|(name, _)| *name).collect();
    fields.sort_unstable();
    names.sort_unstable();
    assert_eq!(names, fields);
}
