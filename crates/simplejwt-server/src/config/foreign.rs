//! Names that people know from Django and from packages around djangorestframework-simplejwt, and
//! what to write instead.

use serde_json::Value;
use simplejwt::settings::value::shown;

use super::dictionary;

/// Returns what to write instead of a name that isn't one of ours, as the end of a sentence that
/// names it.
pub(super) fn instead(name: &str, value: &Value) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let fixed = NAMES.iter().find(|(names, _)| names.contains(&upper.as_str()));
    if let Some((_, text)) = fixed {
        return Some((*text).to_owned());
    }
    match upper.as_str() {
        "AUTH_USER_MODEL" => return Some(user_model(value)),
        "CORS_ALLOWED_ORIGINS" | "CORS_ORIGIN_WHITELIST" | "CSRF_TRUSTED_ORIGINS" => {
            return Some(ORIGINS.to_owned());
        }
        _ => {}
    }
    if let Some(text) = cookie(&upper, value) {
        return Some(format!(
            "djangorestframework-simplejwt has no such setting and ignores it; tokens in cookies \
             are set up in [cookies]: {text}"
        ));
    }
    // The prefix as in `JWT_ALGORITHM` of djangorestframework-jwt.
    let known = upper.strip_prefix("JWT_").filter(|rest| dictionary::is_name(rest))?;
    Some(format!("write {known}"))
}

/// The advice for Django's variables of origins that are set for another program while ours is not.
pub(super) const ORIGINS: &str = "list them in allowed_origins in [server], or in \
                                  SIMPLEJWT_ALLOWED_ORIGINS, which is CORS and CSRF";
/// The variables that this advice is for.
pub(super) const OF_ORIGINS: [&str; 2] = ["CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS"];

const NAMES: &[(&[&str], &str)] = &[
    (
        &["JWT_SECRET_KEY", "JWT_PRIVATE_KEY", "PRIVATE_KEY", "SECRET"],
        "write SIGNING_KEY (signing_key in [simple_jwt], or SIMPLEJWT_SIGNING_KEY)",
    ),
    (
        &["JWT_PUBLIC_KEY", "PUBLIC_KEY"],
        "write VERIFYING_KEY (verifying_key in [simple_jwt], or SIMPLEJWT_VERIFYING_KEY)",
    ),
    (
        &[
            "TOKEN_LIFETIME",
            "ACCESS_LIFETIME",
            "ACCESS_TOKEN_EXPIRE_MINUTES",
            "ACCESS_TOKEN_EXPIRATION",
            "JWT_EXPIRATION_DELTA",
        ],
        "write ACCESS_TOKEN_LIFETIME, a number of seconds or a string such as \"15m\"",
    ),
    (
        &[
            "TOKEN_REFRESH_LIFETIME",
            "REFRESH_LIFETIME",
            "REFRESH_TOKEN_EXPIRE_DAYS",
            "REFRESH_TOKEN_EXPIRE_MINUTES",
            "REFRESH_TOKEN_EXPIRATION",
            "JWT_REFRESH_EXPIRATION_DELTA",
        ],
        "write REFRESH_TOKEN_LIFETIME, a number of seconds or a string such as \"7d\"",
    ),
    (
        &["JWT_AUTH_HEADER_PREFIX", "AUTH_HEADER_PREFIX", "TOKEN_PREFIX"],
        "write AUTH_HEADER_TYPES, as in [\"Bearer\"]",
    ),
    (
        &[
            "BLACKLIST_ENABLED",
            "TOKEN_BLACKLIST_ENABLED",
            "BLACKLIST_TOKEN_CHECKS",
            "INSTALLED_APPS",
        ],
        "in place of rest_framework_simplejwt.token_blacklist in INSTALLED_APPS, write \
         token_blacklist = true in [simple_jwt], or SIMPLEJWT_TOKEN_BLACKLIST",
    ),
    (
        &["CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ORIGIN_REGEX_WHITELIST"],
        "origins can't be patterns here: list each in allowed_origins in [server], or \
         \"https://*.example.com\" for all sub-domains",
    ),
    (
        &["CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL"],
        "pages that send credentials must be named: list each origin in allowed_origins in \
         [server], or in SIMPLEJWT_ALLOWED_ORIGINS",
    ),
    (
        &[
            "CORS_ALLOW_CREDENTIALS",
            "CORS_ALLOW_HEADERS",
            "CORS_ALLOW_METHODS",
            "CORS_EXPOSE_HEADERS",
            "CORS_PREFLIGHT_MAX_AGE",
            "CORS_URLS_REGEX",
            "CORS_ALLOW_PRIVATE_NETWORK",
        ],
        "pages of allowed_origins may use credentials and any header and method: leave it out",
    ),
    (
        &["ALLOWED_HOSTS"],
        "requests are never refused for their Host here: leave it out, and let the proxy in front \
        do it",
    ),
    (
        &["AUTH_PASSWORD_VALIDATORS"],
        "`simplejwt user add` and `set-password` apply Django's four default validators (or none, \
         with --no-validate): leave it out",
    ),
    (
        &["AUTHENTICATION_BACKENDS", "LOGIN_FIELD"],
        "users are found by one column: write username_field in [users], or \
         SIMPLEJWT_USERS_USERNAME_FIELD",
    ),
    (
        &["DATABASES"],
        "write url in [database], or DATABASE_URL: postgres://user:password@host/name",
    ),
    (
        &["DEBUG"],
        "for a more detailed log, write level = \"debug\" in [log], or \
        SIMPLEJWT_LOG_LEVEL",
    ),
    (
        &["USE_JWT", "REST_USE_JWT", "JWT_TOKEN_LOCATION"],
        "for tokens in cookies, write transport = \"cookie\" in [cookies], or SIMPLEJWT_TRANSPORT",
    ),
    (
        &["JWT_AUTH_RETURN_EXPIRATION", "JWT_SERIALIZER", "JWT_TOKEN_CLAIMS_SERIALIZER"],
        "answers are those of djangorestframework-simplejwt: leave it out. Claims beside the \
         user's id are set in [claims]",
    ),
    (
        &["REST_AUTH", "DJOSER", "REST_FRAMEWORK", "SIMPLE_JWT", "ACCOUNT_EMAIL_VERIFICATION"],
        "only the content of Django's SIMPLE_JWT can be set here, in [simple_jwt] or in the \
         environment variable SIMPLE_JWT",
    ),
];

/// `accounts.User` is stored in `accounts_user`, unless its Meta says otherwise.
fn user_model(value: &Value) -> String {
    let table = value
        .as_str()
        .and_then(|model| model.split_once('.'))
        .filter(|(app, model)| is_plain(app) && is_plain(model))
        .map_or_else(
            || "accounts_user".to_owned(),
            |(app, model)| format!("{app}_{}", model.to_lowercase()),
        );
    format!(
        "name the model's table: table = \"{table}\" in [users], or SIMPLEJWT_USERS_TABLE={table} \
         (db_table, if its Meta has one)"
    )
}

fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word.chars().count() <= 60
        && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Returns the counterpart of a name that recipes or packages use for the tokens' cookies, such as
/// `AUTH_COOKIE_SAMESITE`, `REFRESH_TOKEN_COOKIE_NAME` or `JWT_AUTH_HTTPONLY`.
fn cookie(upper: &str, value: &Value) -> Option<String> {
    let bare = upper.replace('_', "");
    if !bare.contains("COOKIE") && !bare.starts_with("JWTAUTH") {
        return None;
    }
    if bare.starts_with("SESSIONCOOKIE") || bare.starts_with("CSRFCOOKIE") {
        return Some("Django's own cookies aren't used here, leave it out".into());
    }
    let holds = |part: &str| bare.contains(part);
    let ends = |parts: &[&str]| parts.iter().any(|part| bare.ends_with(part));
    if holds("HTTPONLY") {
        return Some("they are always HttpOnly, leave it out".into());
    }
    if holds("CSRF") {
        return Some(
            "requests by cookie are always protected, by Origin and Sec-Fetch-Site, leave it out"
                .into(),
        );
    }
    if ends(&["MAXAGE", "AGE", "EXPIRES", "EXPIRY", "EXPIRATION", "EXPIRE", "LIFETIME", "TTL"]) {
        return Some(
            "a cookie lives as long as its token, by ACCESS_TOKEN_LIFETIME and \
             REFRESH_TOKEN_LIFETIME, leave it out"
                .into(),
        );
    }
    let is_refresh = holds("REFRESH");
    let (setting, variable) = if holds("SAMESITE") {
        ("same_site", "SAME_SITE")
    } else if ends(&["SECURE"]) {
        ("secure", "SECURE")
    } else if ends(&["DOMAIN"]) {
        ("domain", "DOMAIN")
    } else if ends(&["PATH"]) && !is_refresh {
        return Some(
            "the path of the access token's cookie is /, that of the refresh token's is \
             refresh_path, or SIMPLEJWT_COOKIE_REFRESH_PATH"
                .into(),
        );
    } else if ends(&["PATH"]) {
        ("refresh_path", "REFRESH_PATH")
    } else if is_refresh {
        ("refresh_name", "REFRESH_NAME")
    } else {
        ("access_name", "ACCESS_NAME")
    };
    let given = match (setting, value) {
        // Python's None stands for the default, except where it is one of the values.
        (_, Value::Null) => return Some("leave out a setting that is None".into()),
        ("same_site", Value::String(text)) => Value::String(text.to_lowercase()),
        _ => value.clone(),
    };
    let is_name = matches!(setting, "access_name" | "refresh_name");
    if is_name && !given.is_string() {
        return Some("write transport = \"cookie\" there, or SIMPLEJWT_TRANSPORT=cookie".into());
    }
    let transport = if is_name { "transport = \"cookie\" and " } else { "" };
    Some(format!(
        "write {transport}{setting} = {} there, or SIMPLEJWT_COOKIE_{variable}",
        shown(&given)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::{Environment, load};

    /// Settings found in public projects besides upstream's own, and the expected hints.
    #[test]
    fn what_recipes_and_packages_have_in_the_dictionary_is_told_where_it_goes() {
        for (name, value, told) in [
            ("AUTH_COOKIE", json!("access_token"), "access_name = \"access_token\""),
            ("AUTH_COOKIE", json!("access_token"), "transport = \"cookie\""),
            ("AUTH_COOKIE", json!("access_token"), "or SIMPLEJWT_COOKIE_ACCESS_NAME"),
            ("AUTH_COOKIE_ACCESS", json!("a"), "access_name = \"a\""),
            ("ACCESS_TOKEN_COOKIE_NAME", json!("a"), "access_name = \"a\""),
            ("AUTH_COOKIE_REFRESH", json!("refresh_token"), "refresh_name = \"refresh_token\""),
            ("REFRESH_COOKIE", json!("r"), "refresh_name = \"r\""),
            ("REFRESH_TOKEN_COOKIE_NAME", json!("r"), "refresh_name = \"r\""),
            ("JWT_AUTH_REFRESH_COOKIE", json!("r"), "refresh_name = \"r\""),
            ("AUTH_COOKIE_HTTP_ONLY", json!(true), "always HttpOnly"),
            ("JWT_AUTH_HTTPONLY", json!(false), "always HttpOnly"),
            ("REFRESH_COOKIE_HTTP_ONLY", json!(true), "always HttpOnly"),
            ("AUTH_COOKIE_SECURE", json!(false), "secure = false"),
            ("AUTH_COOKIE_SAMESITE", json!("Lax"), "same_site = \"lax\""),
            ("AUTH_COOKIE_SAME_SITE", json!("None"), "same_site = \"none\""),
            ("JWT_AUTH_SAMESITE", json!("Strict"), "SIMPLEJWT_COOKIE_SAME_SITE"),
            ("AUTH_COOKIE_DOMAIN", json!("example.com"), "domain = \"example.com\""),
            ("AUTH_COOKIE_DOMAIN", json!(null), "setting that is None"),
            ("AUTH_COOKIE_PATH", json!("/"), "refresh_path"),
            ("AUTH_COOKIE_REFRESH_PATH", json!("/api/"), "refresh_path = \"/api/\""),
            ("AUTH_COOKIE_MAX_AGE", json!(3600), "as long as its token"),
            ("AUTH_COOKIE_USE_CSRF", json!(true), "Sec-Fetch-Site"),
            ("JWT_AUTH_COOKIE_USE_CSRF", json!(true), "Sec-Fetch-Site"),
            ("auth_cookie_samesite", json!("Lax"), "same_site = \"lax\""),
            ("SESSION_COOKIE_SECURE", json!(true), "Django's own cookies"),
            ("JWT_SECRET_KEY", json!("hunter2"), "write SIGNING_KEY"),
            ("JWT_ALGORITHM", json!("HS256"), "write ALGORITHM"),
            ("JWT_LEEWAY", json!(0), "write LEEWAY"),
            ("JWT_EXPIRATION_DELTA", json!(300), "write ACCESS_TOKEN_LIFETIME"),
            ("JWT_AUTH_HEADER_PREFIX", json!("JWT"), "write AUTH_HEADER_TYPES"),
            ("BLACKLIST_ENABLED", json!(true), "token_blacklist = true"),
            (
                "CORS_ALLOWED_ORIGINS",
                json!(["http://localhost:3000"]),
                "allowed_origins in [server]",
            ),
            ("CSRF_TRUSTED_ORIGINS", json!([]), "SIMPLEJWT_ALLOWED_ORIGINS"),
            ("CORS_ALLOW_ALL_ORIGINS", json!(true), "list each origin in"),
            ("AUTH_USER_MODEL", json!("accounts.User"), "SIMPLEJWT_USERS_TABLE=accounts_user"),
            ("AUTH_USER_MODEL", json!("a;b"), "table = \"accounts_user\""),
            ("PASSWORD_HASHERS", json!([]), "hashers in [password], or PASSWORD_HASHERS in the"),
            ("DATABASES", json!({}), "DATABASE_URL"),
            ("USE_JWT", json!(true), "transport = \"cookie\""),
        ] {
            let dictionary = json!({ name: value }).to_string();
            let file = format!("SIMPLEJWT_{name}");
            let environment = Environment::of([("SIMPLE_JWT", dictionary.as_str())]);
            let problem = load(None, &environment).expect_err(&dictionary).to_string();
            assert!(
                problem.contains(told) && problem.contains(name) && !problem.contains("hunter2"),
                "{dictionary}: {problem}"
            );
            // As a variable with our prefix, an unknown name is a warning.
            let of_ours = load(None, &Environment::of([(file.as_str(), "x")]));
            let warnings = of_ours.map(|loaded| loaded.warnings).unwrap_or_default();
            let unknown = warnings.iter().find(|warning| warning.contains(&file));
            assert!(
                unknown.is_none_or(|told| told.contains(": ") || told.contains("; ")),
                "{unknown:?}"
            );
        }
    }

    /// Each name is tested by itself: one that is lost would be reported as unknown.
    #[test]
    fn each_name_is_told_what_to_write() {
        for (names, told) in [
            ("JWT_SECRET_KEY JWT_PRIVATE_KEY PRIVATE_KEY SECRET", "write SIGNING_KEY"),
            ("JWT_PUBLIC_KEY PUBLIC_KEY", "write VERIFYING_KEY"),
            (
                "TOKEN_LIFETIME ACCESS_LIFETIME ACCESS_TOKEN_EXPIRE_MINUTES \
                 ACCESS_TOKEN_EXPIRATION JWT_EXPIRATION_DELTA",
                "write ACCESS_TOKEN_LIFETIME",
            ),
            (
                "TOKEN_REFRESH_LIFETIME REFRESH_LIFETIME REFRESH_TOKEN_EXPIRE_DAYS \
                 REFRESH_TOKEN_EXPIRE_MINUTES REFRESH_TOKEN_EXPIRATION \
                 JWT_REFRESH_EXPIRATION_DELTA",
                "write REFRESH_TOKEN_LIFETIME",
            ),
            ("JWT_AUTH_HEADER_PREFIX AUTH_HEADER_PREFIX TOKEN_PREFIX", "write AUTH_HEADER_TYPES"),
            (
                "BLACKLIST_ENABLED TOKEN_BLACKLIST_ENABLED BLACKLIST_TOKEN_CHECKS INSTALLED_APPS",
                "SIMPLEJWT_TOKEN_BLACKLIST",
            ),
            ("CORS_ALLOWED_ORIGIN_REGEXES CORS_ORIGIN_REGEX_WHITELIST", "can't be patterns here"),
            ("CORS_ALLOW_ALL_ORIGINS CORS_ORIGIN_ALLOW_ALL", "must be named"),
            (
                "CORS_ALLOWED_ORIGINS CORS_ORIGIN_WHITELIST CSRF_TRUSTED_ORIGINS",
                "list them in allowed_origins in [server]",
            ),
            (
                "CORS_ALLOW_CREDENTIALS CORS_ALLOW_HEADERS CORS_ALLOW_METHODS CORS_EXPOSE_HEADERS \
                 CORS_PREFLIGHT_MAX_AGE CORS_URLS_REGEX CORS_ALLOW_PRIVATE_NETWORK",
                "may use credentials and any header",
            ),
            ("ALLOWED_HOSTS", "refused for their Host"),
            ("AUTH_PASSWORD_VALIDATORS", "--no-validate"),
            ("AUTHENTICATION_BACKENDS LOGIN_FIELD", "SIMPLEJWT_USERS_USERNAME_FIELD"),
            ("AUTH_USER_MODEL", "SIMPLEJWT_USERS_TABLE"),
            ("DATABASES", "DATABASE_URL"),
            ("DEBUG", "SIMPLEJWT_LOG_LEVEL"),
            ("USE_JWT REST_USE_JWT JWT_TOKEN_LOCATION", "SIMPLEJWT_TRANSPORT"),
            (
                "JWT_AUTH_RETURN_EXPIRATION JWT_SERIALIZER JWT_TOKEN_CLAIMS_SERIALIZER",
                "set in [claims]",
            ),
            (
                "REST_AUTH DJOSER REST_FRAMEWORK SIMPLE_JWT ACCOUNT_EMAIL_VERIFICATION",
                "the content of Django's SIMPLE_JWT",
            ),
        ] {
            for name in names.split(' ') {
                for spelt in [name.to_owned(), name.to_lowercase()] {
                    let text = super::instead(&spelt, &json!(null)).unwrap_or_default();
                    assert!(text.contains(told), "{spelt}: {text:?}");
                }
            }
        }
        assert_eq!(super::instead("COLOUR", &json!(null)), None);
    }

    #[test]
    fn all_of_a_recipe_is_told_at_once() {
        let recipe = r#"{"AUTH_COOKIE": "access", "AUTH_COOKIE_HTTP_ONLY": true,
            "AUTH_COOKIE_SECURE": false, "AUTH_COOKIE_SAMESITE": "Lax", "COLOUR": 1}"#;
        let problem = load(None, &Environment::of([("SIMPLE_JWT", recipe)])).unwrap_err();
        assert_eq!(problem.0.len(), 5, "{problem}");
    }

    #[test]
    fn django_s_origins_in_the_environment_are_warned_of_unless_ours_are_there() {
        let told = |pairs: &[(&str, &str)]| {
            load(None, &Environment::of(pairs.iter().copied())).unwrap().warnings
        };
        let theirs = ("CORS_ALLOWED_ORIGINS", "https://app.example.com");
        let warnings = told(&[theirs]);
        assert!(
            warnings.len() == 1 && warnings[0].contains("SIMPLEJWT_ALLOWED_ORIGINS"),
            "{warnings:?}"
        );
        let ours = ("SIMPLEJWT_ALLOWED_ORIGINS", "https://app.example.com");
        assert!(told(&[theirs, ours]).is_empty());
    }
}
