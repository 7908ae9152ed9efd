use std::time::Duration;

use simplejwt::Algorithm;
use simplejwt::settings::{Audience, TokenClass};
use simplejwt::users::password::Hasher;
use simplejwt::web::endpoint::OAuthClient;
use simplejwt::web::endpoint::{Authentication, OAuthClients};

use super::*;

const KEY: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");

fn with<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Config, String> {
    let environment = Environment::of(std::iter::once(KEY).chain(pairs));
    load(None, &environment).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

fn dictionary(json: &str) -> Result<Settings, String> {
    with([("SIMPLE_JWT", json)]).map(|config| config.settings)
}

fn file(text: &str, environment: &Environment) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("simplejwt.toml");
    std::fs::write(directory.path().join("key"), "the-key-in-a-file-which-is-long-enough\n")
        .unwrap();
    std::fs::write(&path, text).unwrap();
    load(Some(&path), environment).map_err(|error| error.to_string())
}

fn toml(text: &str) -> Result<Config, String> {
    file(text, &Environment::default()).map(|loaded| loaded.config)
}

/// Upstream takes None for no leeway.
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
        (r#"{"TOKEN_OBTAIN_SERIALIZER": "my.Serializer"}"#, "are lines of [claims]"),
        (r#"{"SLIDING_TOKEN_OBTAIN_SERIALIZER": "my.Serializer"}"#, "are lines of [claims]"),
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
        (r#"{"SIGNING_KEY": 7}"#, "SIGNING_KEY is not a text"),
    ] {
        let problem = dictionary(json).expect_err(json);
        assert!(problem.contains(told), "{json}: {problem}");
    }
}

#[test]
fn every_problem_of_a_source_is_told() {
    let problem = with([("SIMPLEJWT_DEMO", "perhaps"), ("SIMPLEJWT_LEEWAY", "x")]).unwrap_err();
    assert!(
        problem.contains("SIMPLEJWT_DEMO") && problem.contains("SIMPLEJWT_LEEWAY"),
        "{problem}"
    );
}

#[test]
fn the_signing_key_is_django_s_secret_key_where_none_is_named() {
    let secret = |config: Config| config.settings.signing_key;
    assert_eq!(secret(with([]).unwrap()), Some(KEY.1.into()));
    let named = with([("SIMPLE_JWT", r#"{"SIGNING_KEY": "another"}"#)]).unwrap();
    assert_eq!(secret(named), Some("another".into()));
    let none = with([("SIMPLE_JWT", r#"{"SIGNING_KEY": null}"#)]).unwrap();
    assert_eq!(secret(none), None);
    // A key pair can't be a Django secret: this instance verifies only.
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
fn what_a_file_may_not_hold() {
    for (text, told) in [
        ("[server\n", "simplejwt.toml, line 1"),
        ("[server]\nbind = \n", "line 2"),
        ("[sever]\n", "did you mean server?"),
        ("bind = \"127.0.0.1:1\"\n", "it belongs in [server]"),
        ("[server]\nalgorithm = \"HS256\"\n", "it belongs in [simple_jwt]"),
        ("[server]\nbindd = \"x\"\n", "did you mean bind?"),
        ("[simple_jwt]\nalgoritm = \"HS256\"\n", "did you mean algorithm?"),
        ("[simple_jwt]\nSECRET_KEY = \"x\"\n", "removed"),
        ("[simple_jwt]\nleeway = 2026-01-01\n", "a date"),
        ("[simple_jwt]\nleeway = nan\n", "isn't finite"),
        ("[simple_jwt]\nsigning_key = \"x\"\nsigning_key_file = \"key\"\n", "both signing_key and"),
        ("[simple_jwt]\nsigning_key_file = \"nowhere\"\n", "there is no such file"),
        ("[simple_jwt]\nsigning_key_file = 7\n", "not a path"),
        ("[database]\nurl = \"sqlite:///a\"\npath = \"b\"\n", "both url and path"),
        ("[database]\nurl = \"oracle://h/d\"\n", "Oracle, which isn't supported"),
        ("[sessions]\nrevocation = \"feed\"\n", "without a blacklist"),
        ("[sessions]\nrotation_grace = 10\n", "without a blacklist"),
        ("[sessions]\nreuse_tolerance = 0\n", "without a blacklist"),
        ("[sessions]\nreuse_tolerance = \"1h\"\n", "longer than 5 minutes"),
        ("[sessions]\nreuse_tolerence = 5\n", "did you mean reuse_tolerance?"),
        ("[sessions]\nmax_per_user = 0\n", "nobody could log in"),
        ("[server]\nbind = \"localhost\"\n", "127.0.0.1:8000"),
        ("[server]\nbind = \"127.0.0.1:99999\"\n", "127.0.0.1:8000"),
        ("[server]\nprefix = \"/api/{x}/\"\n", "/api/token/"),
        ("[server]\nauthentication = \"session\"\n", "\"user\" or \"stateless\""),
        ("[server]\nheader_limit = 1\n", "8192"),
        ("[server]\nmax_connections = 0\n", "1 to 1000000"),
        ("[server]\nbody_limit = 0\n", "512"),
        ("[server]\nbind = 8000\n", "127.0.0.1:8000"),
        ("[server]\nallowed_origins = [\"https://app-*.example.org\"]\n", "at least two names"),
        ("[server]\nallowed_origins = [\"null\"]\n", "a sandbox"),
        ("[server]\nCORS_ALLOWED_ORIGINS = []\n", "allowed_origins in [server]"),
        ("[django]\nAUTH_USER_MODEL = \"accounts.User\"\n", "table = \"accounts_user\" in [users]"),
        ("[django]\nSECRET_KEY = \"x\"\n", "write secret_key, in lower case"),
        ("[django]\nDATABASE_URL = \"x\"\n", "it is url in [database]"),
        ("SIMPLEJWT_BIND = \"x\"\n", "it is bind in [server]"),
        ("[REST_AUTH]\nUSE_JWT = true\n", "the content of SIMPLE_JWT"),
        ("[log]\nlevel = None\n", "level is None: leave the line out"),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", "line 3: level is in line 2 already"),
        ("[simple_jwt]\nissuer = \"None\"\n", "a word for nothing"),
        ("[log]\nlevel = \"verbose\"\n", "error, warn, info, debug or trace"),
        ("[log]\nlevel = \"loud=maybe\"\n", "nothing is logged"),
        ("[users]\ntable = \"\"\n", "table is empty"),
        ("[users]\ntable = \"a\\u0000b\"\n", "the name of a table"),
        ("[users]\nkey_type = \"serial\"\n", "\"integer\" or \"uuid\""),
        ("[password]\nhashers = [\"my.Hasher\"]\n", "BCryptSHA256PasswordHasher"),
        ("[password]\nhashers = []\n", "at least one"),
        ("[password]\npbkdf2_iterations = 0\n", "PBKDF2 iterations"),
        ("[password]\nscrypt_work_factor = 1000\n", "scrypt"),
    ] {
        let problem = toml(text).expect_err(text);
        assert!(problem.contains(told), "{text}: {problem}");
    }
}

#[test]
fn upstream_s_names_in_either_case() {
    for name in ["access_token_lifetime", "ACCESS_TOKEN_LIFETIME"] {
        let config = toml(&format!("[simple_jwt]\n{name} = \"15m\"\n")).unwrap();
        assert_eq!(config.settings.access_token_lifetime, Duration::from_secs(900));
    }
    let config = toml("[simple_jwt]\nSIGNING_KEY_FILE = \"key\"\njti_claim = \"\"\n").unwrap();
    assert!(config.settings.signing_key.is_some());
    assert_eq!(config.settings.jti_claim, None);
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

#[cfg(unix)]
#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("simplejwt.toml"), directory.path().join("key"));
    std::fs::write(&path, "[simple_jwt]\nsigning_key_file = \"key\"\n").unwrap();
    std::fs::write(&key, "x").unwrap();
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load(Some(&path), &Environment::default()).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{mode:o}: {:?}", loaded.warnings);
    }
}

const CLIENT: &str = "a-client-s-secret-that-is-long-enough";

#[test]
fn clients_of_oauth_from_every_source() {
    assert!(with([]).unwrap().oauth_clients.is_empty());
    // `printf %s "$CLIENT" | sha256sum`
    let hash = "ea5134b028993a673da4a2b29fbfebe9a56ae0623f9abe818e4b36ece35f0b9c";
    for text in [
        format!("[oauth]\nclients = [{{ id = \"a\", secret = \"{CLIENT}\" }}]\n"),
        format!("[[oauth.clients]]\nid = \"a\"\nsecret = \"{CLIENT}\"\n"),
        format!("[[oauth.clients]]\nid = \"a\"\nsecret_sha256 = \"{hash}\"\n"),
    ] {
        let config = toml(&text).unwrap();
        let client = OAuthClient::new("a", CLIENT).unwrap();
        assert_eq!(config.oauth_clients, OAuthClients::new([client]).unwrap(), "{text}");
        assert!(!format!("{config:?}").contains(CLIENT));
    }
    let in_file = toml("[[oauth.clients]]\nid = \"a\"\nsecret_file = \"key\"\n").unwrap();
    let json = r#"[{"id": "a", "secret": "the-key-in-a-file-which-is-long-enough"}]"#;
    let in_variable = with([("SIMPLEJWT_OAUTH_CLIENTS", json)]).unwrap();
    assert_eq!(in_file.oauth_clients, in_variable.oauth_clients, "without the line break");
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), format!("{json}\n")).unwrap();
    let path = list.path().to_str().unwrap();
    let from_file = with([("SIMPLEJWT_OAUTH_CLIENTS_FILE", path)]).unwrap();
    assert_eq!(from_file.oauth_clients, in_variable.oauth_clients);
}

#[test]
fn clients_of_oauth_that_are_refused() {
    let long = format!("\"secret\": \"{CLIENT}\"");
    for (json, told) in [
        ("[".to_owned(), "in JSON"),
        (format!("{{\"id\": \"a\", {long}}}"), "list of tables"),
        (format!("[\"{CLIENT}\"]"), "list of tables"),
        ("[{\"id\": \"a\"}]".into(), "without one of secret"),
        (format!("[{{{long}}}]"), "list of tables"),
        ("[{\"id\": \"a\", \"secret\": \"short-and-unseen\"}]".into(), "shorter than 32"),
        ("[{\"id\": \"a\", \"secret\": 7}]".into(), "no text"),
        (format!("[{{\"id\": \"a:b\", {long}}}]"), "without a colon"),
        (format!("[{{\"id\": \"a\", \"secrets\": \"{CLIENT}\"}}]"), "did you mean secret?"),
        (format!("[{{\"id\": \"a\", {long}, \"secret_file\": \"key\"}}]"), "with several"),
        (format!("[{{\"id\": \"a\", {long}}}, {{\"id\": \"a\", {long}}}]"), "twice"),
        ("[{\"id\": \"a\", \"secret_file\": \"/nowhere\"}]".into(), "no such file"),
        ("[{\"id\": \"a\", \"secret_sha256\": \"abc\"}]".into(), "64 hex digits"),
    ] {
        let problem = with([("SIMPLEJWT_OAUTH_CLIENTS", json.as_str())]).expect_err(&json);
        assert!(problem.contains(told), "{json}: {problem}");
        assert!(!problem.contains(CLIENT) && !problem.contains("unseen"), "{problem}");
    }
}

#[cfg(unix)]
#[test]
fn a_client_s_secret_that_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("simplejwt.toml"), directory.path().join("key"));
    std::fs::write(&path, "[[oauth.clients]]\nid = \"a\"\nsecret_file = \"key\"\n").unwrap();
    std::fs::write(&key, CLIENT).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (mode, warnings) in [(0o600, 0), (0o644, 1)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load(Some(&path), &Environment::default()).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{mode:o}: {:?}", loaded.warnings);
    }
    std::fs::write(&path, format!("[[oauth.clients]]\nid = \"a\"\nsecret = \"{CLIENT}\"\n"))
        .unwrap();
    assert_eq!(load(Some(&path), &Environment::default()).unwrap().warnings.len(), 1);
}

#[test]
fn what_a_gateway_is_told() {
    let text = "[gateway]\nheaders = { \"X-Auth-Email\" = \"email\" }\n\
                authentication = \"stateless\"\n";
    let config = toml(text).unwrap();
    assert_eq!(config.gateway.authentication(), Authentication::Stateless);
    assert_eq!(config.gateway.headers().collect::<Vec<_>>(), [("x-auth-email", "email")]);
    // The environment's take the place of the file's.
    let environment =
        Environment::of([("SIMPLEJWT_GATEWAY_HEADERS", r#"{"X-Auth-Name": "name"}"#)]);
    let loaded = file(text, &environment).unwrap();
    let headers: Vec<_> = loaded.config.gateway.headers().collect();
    assert_eq!(headers, [("x-auth-name", "name")]);
    assert_eq!(loaded.config.gateway.authentication(), Authentication::Stateless);
    for (json, told) in [
        ("X-Auth-Email", "not a JSON object"),
        (r#"["X-Auth-Email"]"#, "not a JSON object"),
        (r#"{"X-Auth-Email": 7}"#, "not the name of a claim"),
        (r#"{"X-Auth-Email": ""}"#, "not the name of a claim"),
        (r#"{"X_Auth_Email": "email"}"#, "letters, digits and hyphens"),
        (r#"{"Set-Cookie": "email"}"#, "a meaning of its own"),
        (r#"{"X-Auth-User": "email"}"#, "a meaning of its own"),
        (r#"{"X-A": "email", "x-a": "name"}"#, "twice"),
    ] {
        let problem = with([("SIMPLEJWT_GATEWAY_HEADERS", json)]).expect_err(json);
        assert!(problem.contains(told), "{json}: {problem}");
    }
    let problem = with([("SIMPLEJWT_GATEWAY_AUTHENTICATION", "row")]).unwrap_err();
    assert!(problem.contains("\"user\" or \"stateless\""), "{problem}");
}

#[test]
fn debug_shows_no_secret() {
    let config = with([]).unwrap();
    assert!(!format!("{config:?}").contains(KEY.1));
}

#[test]
fn claims_come_from_the_file_or_the_environment() {
    let column = |name: &str| ClaimSource::Column(name.into());
    let text = "[claims]\nemail = \"email\"\nroles = { groups = true }\n\"a b\" = { value = [1, { x = \"y\" }] }\n\
                [users]\nclaims_on_refresh = \"recompute\"\n[django]\n\
                secret_key = \"a-secret-key-that-is-long-enough-for-hs256\"\n";
    let loaded = file(text, &Environment::default()).unwrap();
    let expected = vec![
        ("a b".to_owned(), ClaimSource::Constant(serde_json::json!([1, { "x": "y" }]))),
        ("email".to_owned(), column("email")),
        ("roles".to_owned(), ClaimSource::Groups),
    ];
    assert_eq!(loaded.config.claims.added, expected);
    assert_eq!(loaded.config.claims.on_refresh, OnRefresh::Recompute);
    assert_eq!(loaded.config.claims.columns(), ["email"]);
    assert!(loaded.given["claims"].origin.ends_with("simplejwt.toml"));

    // What is printed can be read again.
    let printed: toml::Table = example::effective(&loaded).parse().unwrap();
    let again = toml::Value::Table(printed["claims"].as_table().unwrap().clone());
    let mut config = Config::default();
    let item = list::of_table("claims").next().unwrap();
    item.set(&mut config, &serde_json::to_value(again).unwrap()).unwrap();
    assert_eq!(config.claims.added, expected);

    // The environment counts for more, as a whole.
    let environment = Environment::of([("SIMPLEJWT_CLAIMS", "mail=email")]);
    let loaded = file(text, &environment).unwrap();
    assert_eq!(loaded.config.claims.added, [("mail".to_owned(), column("email"))]);
    let none = file(text, &Environment::of([("SIMPLEJWT_CLAIMS", "")])).unwrap();
    assert!(none.config.claims.added.is_empty());
}

#[test]
fn claims_that_mean_something_already_are_refused() {
    for (claims, told) in [
        ("exp=date_joined", "exp has a meaning of its own"),
        ("sub=username", "sub has a meaning of its own"),
        ("user_id=username", "user_id is USER_ID_CLAIM"),
        ("token_type=username", "token_type is a claim that the tokens need"),
        ("sid=username", "sid is a claim that the tokens need"),
        ("hash_password=username", "hash_password is a claim"),
        ("refresh_exp=username", "refresh_exp is a claim"),
        ("pw=password", "holds a secret"),
        ("otp=totp_secret", "holds a secret"),
        ("{\"a\": {\"group\": true}}", "SIMPLEJWT_CLAIMS: [claims] has a value for a that"),
        ("email", "SIMPLEJWT_CLAIMS: [claims] has \"email\""),
    ] {
        let problem = with([("SIMPLEJWT_CLAIMS", claims)]).expect_err(claims);
        assert!(problem.contains(told), "{claims}: {problem}");
    }
    let settings = r#"{"USER_ID_CLAIM": "uid", "JTI_CLAIM": "tid"}"#;
    for (claim, good) in [("uid", false), ("tid", false), ("jti", false), ("user_id", true)] {
        let claims = format!("{claim}=email");
        let loaded = with([("SIMPLE_JWT", settings), ("SIMPLEJWT_CLAIMS", &claims)]);
        assert_eq!(loaded.is_ok(), good, "{claim}: {loaded:?}");
    }
    assert!(with([("SIMPLEJWT_CLAIMS_ON_REFRESH", "sometimes")]).is_err());
}

#[test]
fn all_problems_of_all_sources_are_told_at_once() {
    let text = "[server]\nbind = \"8000\"\ncolour = 1\n[log]\nlevel = \"verbose\"\n\
                [simple_jwt]\nblacklist_after_rotation = true\nleeway = \"x\"\n";
    let environment = Environment::of([("SIMPLEJWT_DEMO", "perhaps"), ("SIMPLE_JWT", "{}")]);
    let told = file(text, &environment).unwrap_err();
    for part in [
        "bind is",
        "no colour in",
        "level is",
        "LEEWAY is",
        "SIMPLEJWT_DEMO",
        "token_blacklist = true",
    ] {
        assert_eq!(told.lines().filter(|line| line.contains(part)).count(), 1, "{part}: {told}");
    }
    assert_eq!(told.lines().count(), 6, "{told}");
    // What a setting that can't be read would have said is left open.
    let told = with([
        ("SIMPLEJWT_BLACKLIST_AFTER_ROTATION", "on"),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "perhaps"),
    ]);
    assert_eq!(told.unwrap_err().lines().count(), 1);
    let told = file(
        "[server\n",
        &Environment::of([("SIMPLEJWT_BLACKLIST_AFTER_ROTATION", "on"), ("SIMPLEJWT_DEMO", "x")]),
    );
    assert_eq!(told.unwrap_err().lines().count(), 2);
}

#[test]
fn a_setting_in_the_wrong_table_is_told_where_it_belongs() {
    for (text, told) in [
        ("[simple_jwt]\nrotation_grace = 10\n", "[sessions], or in SIMPLEJWT_ROTATION_GRACE"),
        ("[simple_jwt]\nROTATION_GRACE = 10\n", "[sessions]"),
        ("[simple_jwt]\nrotation_graze = 10\n", "did you mean rotation_grace in [sessions]?"),
        ("[sessions]\ntoken_blacklist = true\n", "[simple_jwt]"),
        ("[server]\nurl = \"postgres://u@h/d\"\n", "[database]"),
        ("[server]\nsecret_key_file = \"key\"\n", "[django]"),
        ("[log]\nbindd = \"x\"\n", "did you mean bind in [server]?"),
        ("[rotation_grace]\n", "there is no [rotation_grace]; it belongs in [sessions]"),
    ] {
        let problem = toml(text).expect_err(text);
        assert!(problem.contains(told), "{text}: {problem}");
    }
    let problem = dictionary(r#"{"ROTATION_GRACE": 10}"#).unwrap_err();
    assert!(problem.contains("SIMPLEJWT_ROTATION_GRACE"), "{problem}");
    let warnings = load(
        None,
        &Environment::of([
            ("SIMPLEJWT_SESSIONS_ROTATION_GRACE", "1"),
            ("SIMPLEJWT_DATABASE_URL", "x"),
        ]),
    )
    .unwrap()
    .warnings;
    assert!(
        warnings.iter().any(|w| w.ends_with("did you mean SIMPLEJWT_ROTATION_GRACE?")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|w| w.ends_with("did you mean DATABASE_URL?")), "{warnings:?}");
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

#[test]
fn the_database_s_url_may_be_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("url");
    std::fs::write(&path, "postgres://u:s3cret@h/d?sslrootcert=ca.pem\r\n").unwrap();
    let name = path.to_str().unwrap();
    let expected = Some(DatabaseUrl::Postgres("postgres://u:s3cret@h/d?sslrootcert=ca.pem".into()));
    assert_eq!(with([("DATABASE_URL_FILE", name)]).unwrap().database.url, expected);
    let both = with([("DATABASE_URL_FILE", name), ("DATABASE_URL", "sqlite:////a/b")]);
    assert!(both.unwrap_err().contains("both DATABASE_URL and DATABASE_URL_FILE"));
    let both = with([("DATABASE_URL_FILE", name), ("SIMPLEJWT_DATABASE_PATH", "db")]);
    assert!(both.unwrap_err().contains("SIMPLEJWT_DATABASE_PATH"));
    std::fs::write(&path, "postgres://u:s3cret@h/d?nonsense=1").unwrap();
    let problem = with([("DATABASE_URL_FILE", name)]).unwrap_err();
    assert!(problem.contains("nonsense") && !problem.contains("s3cret"), "{problem}");
    // Every secret has such a file.
    for item in list::all().filter(|item| item.secret) {
        assert!(item.file.is_some(), "{}", item.path());
    }
}

#[test]
fn a_url_in_the_file_names_files_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("simplejwt.toml");
    std::fs::write(directory.path().join("url"), "mysql://u@h/d?ssl-ca=ca.pem\n").unwrap();
    for text in ["url = \"mysql://u@h/d?ssl-ca=ca.pem\"", "url_file = \"url\""] {
        std::fs::write(&path, format!("[database]\n{text}\n")).unwrap();
        let url = load(Some(&path), &Environment::default()).unwrap().config.database.url;
        let beside = directory.path().join("ca.pem");
        let expected = format!("mysql://u@h/d?ssl-ca={}", beside.display());
        assert_eq!(url, Some(DatabaseUrl::Mysql(expected)), "{text}");
    }
    let environment = Environment::of([("DATABASE_URL", "mysql://u@h/d?ssl-ca=ca.pem")]);
    let url = load(Some(&path), &environment).unwrap().config.database.url;
    assert_eq!(url, Some(DatabaseUrl::Mysql("mysql://u@h/d?ssl-ca=ca.pem".into())));
    std::fs::write(directory.path().join("d.sqlite3"), "").unwrap();
    let told = std::fs::write(&path, "[database]\nurl = \"sqlite:///d.sqlite3\"\n")
        .map(|()| load(Some(&path), &Environment::default()).unwrap_err().to_string())
        .unwrap();
    assert!(told.contains(&directory.path().join("d.sqlite3").display().to_string()), "{told}");
}

#[test]
fn an_sqlite_url_may_say_how_long_to_wait_for_a_lock() {
    let wait = |pairs: &[(&'static str, &'static str)]| {
        with(pairs.iter().copied()).unwrap().database.busy_timeout.as_secs()
    };
    let url = ("DATABASE_URL", "sqlite:////srv/d?timeout=20");
    assert_eq!(wait(&[url]), 20);
    assert_eq!(wait(&[url, ("SIMPLEJWT_DATABASE_BUSY_TIMEOUT", "7")]), 7);
    assert_eq!(wait(&[("DATABASE_URL", "sqlite:////srv/d")]), 5);
    let text = "[database]\nurl = \"sqlite:////srv/d?timeout=20\"\n";
    let environment = Environment::of([("SIMPLEJWT_DATABASE_PATH", "other")]);
    let loaded = file(text, &environment).unwrap();
    assert_eq!(loaded.config.database.busy_timeout.as_secs(), 5, "that URL isn't used");
}

#[test]
fn what_of_a_url_has_no_effect_is_warned_of() {
    let url = "mysql://u:s3cret@h/app?charset=utf8mb4&conn_max_age=60&read_timeout=5\n";
    let warnings = load(None, &Environment::of([("DATABASE_URL", url)])).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("conn_max_age, read_timeout have no effect"), "{warnings:?}");
}

/// Settings for which any text has a meaning.
const FREE: [&str; 22] = [
    "server.prefix",
    "simple_jwt.signing_key",
    "simple_jwt.verifying_key",
    "simple_jwt.audience",
    "simple_jwt.issuer",
    "simple_jwt.user_id_field",
    "simple_jwt.user_id_claim",
    "simple_jwt.token_type_claim",
    "simple_jwt.jti_claim",
    "simple_jwt.sliding_token_refresh_exp_claim",
    "simple_jwt.revoke_token_claim",
    "simple_jwt.auth_header_types",
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
