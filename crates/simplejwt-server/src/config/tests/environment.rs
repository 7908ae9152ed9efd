//! The environment.

use std::time::Duration;

use simplejwt::settings::TokenClass;
use simplejwt::users::password::Hasher;
use simplejwt::web::endpoint::Authentication;

use super::*;

#[test]
fn every_problem_of_a_source_is_told() {
    let problem = with([("SIMPLEJWT_DEMO", "perhaps"), ("SIMPLEJWT_LEEWAY", "x")]).unwrap_err();
    assert!(
        problem.contains("SIMPLEJWT_DEMO") && problem.contains("SIMPLEJWT_LEEWAY"),
        "{problem}"
    );
}

#[test]
fn variables() {
    let config = with([
        ("SIMPLEJWT_BIND", "0.0.0.0:9000"),
        ("SIMPLEJWT_PREFIX", "auth/jwt"),
        ("SIMPLEJWT_APPEND_SLASH", "off"),
        ("SIMPLEJWT_AUTHENTICATION", "stateless"),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "True"),
        ("SIMPLEJWT_ALLOW_INACTIVE_LOGIN", "1"),
        ("SIMPLEJWT_AUTH_TOKEN_CLASSES", "AccessToken,SlidingToken"),
        ("SIMPLEJWT_REFRESH_TOKEN_LIFETIME", "P7D"),
        ("DATABASE_URL", "sqlite:///srv/my%20db"),
        ("PASSWORD_HASHERS", r#"["django.contrib.auth.hashers.MD5PasswordHasher", "argon2"]"#),
        ("SIMPLEJWT_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("SIMPLEJWT_SERVICE_HOST", "10.0.0.1"),
    ])
    .unwrap();
    assert_eq!(config.server.bind, "0.0.0.0:9000");
    assert_eq!(config.server.prefix, "/auth/jwt/");
    assert!(!config.server.append_slash);
    assert_eq!(config.server.authentication, Authentication::Stateless);
    assert!(config.settings.token_blacklist);
    assert!(config.users.allow_inactive_login);
    assert_eq!(config.settings.auth_token_classes, [TokenClass::Access, TokenClass::Sliding]);
    assert_eq!(config.settings.refresh_token_lifetime, Duration::from_secs(604_800));
    assert_eq!(
        config.database.url,
        Some(DatabaseUrl::Sqlite(std::path::PathBuf::from("/srv/my db")))
    );
    assert_eq!(config.password.hashers, [Hasher::Md5, Hasher::Argon2]);
}

#[test]
fn variables_that_are_refused() {
    for (name, value, told) in [
        ("SIMPLEJWT_TOKEN_BLACKLIST", "perhaps", "SIMPLEJWT_TOKEN_BLACKLIST"),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "", "SIMPLEJWT_TOKEN_BLACKLIST"),
        ("PASSWORD_HASHERS", "[1]", "PASSWORD_HASHERS"),
        ("PASSWORD_HASHERS", "[", "not a JSON list"),
        ("DATABASE_URL", "sqlite://db", "two slashes"),
        ("SECRET_KEY_FILE", "/nowhere", "both SECRET_KEY and SECRET_KEY_FILE"),
    ] {
        let problem = with([(name, value)]).expect_err(name);
        assert!(problem.contains(told), "{name}={value}: {problem}");
    }
}

#[test]
fn unknown_variables_are_warned_of() {
    let names =
        [("SIMPLEJWT_COFFEE", "x"), ("SIMPLEJWT_BINDD", "x"), ("SIMPLEJWT_PORT", "tcp://x")];
    let warnings = load(None, &Environment::of(names)).unwrap().warnings;
    let expected = [
        "the environment variable SIMPLEJWT_BINDD means nothing to simplejwt; did you mean \
         SIMPLEJWT_BIND?",
        "the environment variable SIMPLEJWT_COFFEE means nothing to simplejwt",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn an_empty_variable_is_none_where_there_can_be_none() {
    let config = with([("SIMPLEJWT_ISSUER", ""), ("SIMPLE_JWT", "")]).unwrap();
    assert_eq!(config.settings.issuer, None);
}

#[test]
fn a_weak_key_passes_with_a_warning_only_where_it_is_allowed() {
    let short = [("SECRET_KEY", "short")];
    let refused = load(None, &Environment::of(short)).unwrap();
    assert!(refused.config.settings.key_set().is_err());
    let allowed = Environment::of([("SECRET_KEY", "short"), ("SIMPLEJWT_ALLOW_WEAK_KEY", "true")]);
    let loaded = load(None, &allowed).unwrap();
    assert!(loaded.config.settings.key_set().is_ok());
    assert!(loaded.warnings.iter().any(|w| w.contains("allow_weak_key is on")), "{loaded:?}");
}

#[test]
fn debug_shows_no_secret() {
    let config = with([]).unwrap();
    assert!(!format!("{config:?}").contains(KEY.1));
}
