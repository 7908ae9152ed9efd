//! Tests that the library reads a `SIMPLE_JWT` dictionary as this program does.

use serde_json::{Value, json};
use simplejwt::settings::NOT_APPLICABLE;

use super::list::Setting;
use super::*;

/// Values of every type and spelling, for every setting.
fn values() -> Vec<Value> {
    let pem = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n";
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!("True"),
        json!("off"),
        json!("None"),
        json!(""),
        json!(0),
        json!(1),
        json!(300),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!("300"),
        json!("15m"),
        json!("P1D"),
        json!("7 days"),
        json!("7 days, 0:00:00"),
        json!("5 parsecs"),
        json!("RS256"),
        json!("rs256"),
        json!("none"),
        json!("Bearer, JWT"),
        json!("[\"a\", \"b\"]"),
        json!("[1]"),
        json!(["a", "b"]),
        json!(["None"]),
        json!([]),
        json!([1]),
        json!({}),
        json!({"a": 1}),
        json!("SlidingToken"),
        json!(["rest_framework_simplejwt.tokens.AccessToken", "RefreshToken"]),
        json!(["app.tokens.Mine"]),
        json!("sub"),
        json!("HTTP_X_ACCESS_TOKEN"),
        json!(pem),
        json!("https://app.example.com"),
        json!("cookie"),
        json!("both"),
        json!("strict"),
        json!("refuse"),
        json!("accept"),
        json!("feed"),
        json!("redacted"),
        json!("example.com"),
        json!("/api/token/"),
    ]
}

fn by_this_program(item: Setting, value: &Value) -> Option<Settings> {
    let mut config = Config::default();
    item.set(&mut config, value).ok()?;
    Some(config.settings)
}

fn by_the_library(dictionary: Value) -> Option<Settings> {
    serde_json::from_value(dictionary).ok()
}

#[test]
fn each_setting_of_the_dictionary_takes_and_refuses_the_same_values() {
    let mut taken = 0;
    // The library fetches no keys by itself.
    let fetching = ["jwk_url_allow_http", "jwk_url_ca"];
    for item in list::of_table("simple_jwt").filter(|item| !fetching.contains(&item.name)) {
        for value in values() {
            let here = by_this_program(item, &value);
            let upper = item.name.to_ascii_uppercase();
            for name in [item.name, upper.as_str()] {
                let there = by_the_library(json!({ name: value }));
                assert_eq!(there, here, "{name}: {value}");
            }
            taken += usize::from(here.is_some_and(|settings| settings != Settings::default()));
        }
    }
    assert!(taken > 150, "only {taken} values changed anything");
}

fn in_tables(item: &Setting) -> bool {
    matches!(item.table(), "sessions" | "cookies") || item.path() == "server.allowed_origins"
}

/// In the library they are tables within the dictionary. There, null is a default, and values that
/// are too short are found by `Settings::validate`.
#[test]
fn the_tables_take_the_same_values() {
    let mut taken = 0;
    for item in list::all().filter(in_tables) {
        for value in values() {
            let Some(here) = by_this_program(item, &value) else { continue };
            let dictionary = match (item.table(), item.name) {
                ("server", name) | ("cookies", name @ "transport") => json!({ name: value }),
                (table, name) => json!({ table: { name: value } }),
            };
            taken += usize::from(here != Settings::default());
            assert_eq!(by_the_library(dictionary), Some(here), "{}: {value}", item.name);
        }
    }
    assert!(taken > 40, "only {taken} values changed anything");
}

#[test]
fn names_that_are_no_settings_are_taken_and_refused_alike() {
    let own = ["app.serializers.Mine", "rest_framework_simplejwt.models.TokenUser"];
    let made = [
        "authentication.default_user_authentication_rule",
        "serializers.TokenBlacklistSerializer",
        "serializers.TokenObtainPairSerializer",
        "serializers.TokenObtainSlidingSerializer",
        "serializers.TokenRefreshSerializer",
        "serializers.TokenRefreshSlidingSerializer",
        "serializers.TokenVerifySerializer",
        "serializers.default_on_login_failed",
        "serializers.default_on_login_success",
    ]
    .map(|path| format!("rest_framework_simplejwt.{path}"));
    let paths = own.iter().map(|path| json!(path)).chain(made.iter().map(|path| json!(path)));
    let values: Vec<Value> = paths.chain([json!(null), json!(7)]).collect();
    let removed = ["AUTH_TOKEN_CLASS", "SECRET_KEY", "TOKEN_BACKEND_CLASS", "ACCES_TOKEN_LIFETIME"];
    let mut taken = 0;
    for name in NOT_APPLICABLE.iter().map(|(name, _)| *name).chain(removed) {
        for value in &values {
            let dictionary = json!({ name: value });
            let mut problems = Vec::new();
            let Value::Object(members) = &dictionary else { continue };
            let layer = dictionary::read(members, "here", &mut problems);
            assert!(layer.is_empty(), "{name}");
            let there = by_the_library(dictionary.clone());
            assert_eq!(there.is_some(), problems.is_empty(), "{dictionary}: {problems:?}");
            taken += usize::from(there.is_some());
        }
    }
    assert_eq!(taken, NOT_APPLICABLE.len(), "each has one value that asks for what is done anyway");
}
