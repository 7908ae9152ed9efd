//! The file.

use std::time::Duration;

use super::*;

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
        ("[server]\nallowed_origins = [\"null\"]\n", "sandboxed page"),
        ("[server]\nCORS_ALLOWED_ORIGINS = []\n", "allowed_origins in [server]"),
        ("[django]\nAUTH_USER_MODEL = \"accounts.User\"\n", "table = \"accounts_user\" in [users]"),
        ("[django]\nSECRET_KEY = \"x\"\n", "write secret_key, in lower case"),
        ("[django]\nDATABASE_URL = \"x\"\n", "it is url in [database]"),
        ("SIMPLEJWT_BIND = \"x\"\n", "it is bind in [server]"),
        ("[REST_AUTH]\nUSE_JWT = true\n", "the content of Django's SIMPLE_JWT"),
        ("[log]\nlevel = None\n", "level is None: leave the line out"),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", "line 3: level is in line 2 already"),
        ("[simple_jwt]\nissuer = \"None\"\n", "stands for no value"),
        ("[tls]\ncertificate = \"None\"\n", "stands for no value"),
        ("[database]\npath = \" null \"\n", "stands for no value"),
        ("[database]\npath = \"\"\n", "path is empty"),
        ("[log]\nlevel = \"verbose\"\n", "error, warn, info, debug or trace"),
        ("[log]\nlevel = \"loud=maybe\"\n", "logs nothing"),
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

#[test]
fn all_problems_of_all_sources_are_told_at_once() {
    let text = "[server]\nbind = \"8000\"\ncolour = 1\n[log]\nlevel = \"verbose\"\n\
                [simple_jwt]\nblacklist_after_rotation = true\nleeway = \"x\"\n";
    let environment = Environment::of([("SIMPLEJWT_DEMO", "perhaps"), ("SIMPLE_JWT", "{}")]);
    let told = file(text, &environment).unwrap_err();
    for part in [
        "bind is",
        "unknown setting colour in",
        "level is",
        "LEEWAY is",
        "SIMPLEJWT_DEMO",
        "token_blacklist = true",
    ] {
        assert_eq!(told.lines().filter(|line| line.contains(part)).count(), 1, "{part}: {told}");
    }
    assert_eq!(told.lines().count(), 6, "{told}");
    // A setting that can't be read has no further consequences.
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
        ("[rotation_grace]\n", "unknown section [rotation_grace]; it belongs in [sessions]"),
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
