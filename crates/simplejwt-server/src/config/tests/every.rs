//! Tests that apply to every setting.

use super::*;

/// Settings for which any string is meaningful.
const FREE: [&str; 27] = [
    "server.prefix",
    "simple_jwt.signing_key",
    "simple_jwt.verifying_key",
    "simple_jwt.kid",
    "simple_jwt.audience",
    "simple_jwt.issuer",
    "simple_jwt.refresh_audience",
    "simple_jwt.client_id",
    "simple_jwt.jwk_url_ca",
    "simple_jwt.user_id_field",
    "simple_jwt.user_id_claim",
    "simple_jwt.token_type_claim",
    "simple_jwt.jti_claim",
    "simple_jwt.sliding_token_refresh_exp_claim",
    "simple_jwt.revoke_token_claim",
    "simple_jwt.auth_header_types",
    "keys.file",
    "django.secret_key",
    "database.path",
    "users.table",
    "users.primary_key",
    "users.username_field",
    "users.password",
    "users.is_active",
    "users.is_staff",
    "users.is_superuser",
    "users.last_login",
];

#[test]
fn no_setting_takes_nonsense() {
    let texts =
        ["non sense €", "None", "nan", "undefined", "-1", "9e99", "[", "{", "true;", "\u{7}"];
    let mut tried = 0;
    for item in list::all() {
        let free = FREE.contains(&item.path().as_str());
        for text in texts {
            let word = simplejwt::settings::value::is_no_value(text);
            if free && !word || item.secret && item.table() != "oauth" {
                continue;
            }
            let pairs = [KEY, (item.env, text)];
            let told = load(None, &Environment::of(pairs)).map(|_| ()).map_err(|e| e.to_string());
            let told = told.expect_err(&format!("{} = {text:?}", item.path()));
            let names = [item.env, &item.label(), item.table()];
            let named = names.iter().any(|name| told.contains(name));
            assert!(named && !told.contains("Err("), "{} = {text:?}: {told}", item.path());
            tried += 1;
        }
        for value in [serde_json::json!([[]]), serde_json::json!({ "a": {} })] {
            let outcome = item.set(&mut Config::default(), &value);
            assert!(outcome.is_err(), "{} = {value}", item.path());
        }
    }
    assert!(tried > 500, "{tried}");
}
