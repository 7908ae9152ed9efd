use super::*;

fn problems(settings: &Settings) -> String {
    settings.validate().map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn the_defaults_are_free_of_contradictions() {
    assert_eq!(problems(&Settings::default()), "");
}

/// Upstream 5.5.1's `DEFAULTS`: each key is a field or has a reason not to be.
#[test]
fn every_key_of_upstreams_has_its_place() {
    const KEYS: [&str; 34] = [
        "ACCESS_TOKEN_LIFETIME",
        "REFRESH_TOKEN_LIFETIME",
        "ROTATE_REFRESH_TOKENS",
        "BLACKLIST_AFTER_ROTATION",
        "UPDATE_LAST_LOGIN",
        "ALGORITHM",
        "SIGNING_KEY",
        "VERIFYING_KEY",
        "AUDIENCE",
        "ISSUER",
        "JSON_ENCODER",
        "JWK_URL",
        "LEEWAY",
        "AUTH_HEADER_TYPES",
        "AUTH_HEADER_NAME",
        "USER_ID_FIELD",
        "USER_ID_CLAIM",
        "USER_AUTHENTICATION_RULE",
        "AUTH_TOKEN_CLASSES",
        "TOKEN_TYPE_CLAIM",
        "JTI_CLAIM",
        "TOKEN_USER_CLASS",
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        "SLIDING_TOKEN_LIFETIME",
        "SLIDING_TOKEN_REFRESH_LIFETIME",
        "TOKEN_OBTAIN_SERIALIZER",
        "TOKEN_REFRESH_SERIALIZER",
        "TOKEN_VERIFY_SERIALIZER",
        "TOKEN_BLACKLIST_SERIALIZER",
        "SLIDING_TOKEN_OBTAIN_SERIALIZER",
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        "CHECK_REVOKE_TOKEN",
        "REVOKE_TOKEN_CLAIM",
        "CHECK_USER_IS_ACTIVE",
    ];
    let source = include_str!("../settings.rs");
    for key in KEYS {
        let field = source.contains(&format!("#[doc(alias = \"{key}\")]"));
        let excused = NOT_APPLICABLE.iter().any(|(name, _)| *name == key);
        assert!(field != excused, "{key}");
    }
}

#[test]
fn a_blacklist_that_is_not_there_is_refused_with_the_fix() {
    let settings = Settings {
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        ..Settings::default()
    };
    assert!(problems(&settings).contains("token_blacklist = true"));
    let fixed = Settings { token_blacklist: true, ..settings };
    assert_eq!(problems(&fixed), "");
}

#[test]
fn every_problem_is_told_at_once() {
    let settings = Settings {
        auth_header_types: vec![],
        auth_header_name: "Authorization".into(),
        auth_token_classes: vec![],
        access_token_lifetime: Duration::ZERO,
        jwk_url: vec!["https://example.com/jwks.json".into()],
        user_id_claim: "exp".into(),
        jti_claim: Some("token_type".into()),
        ..Settings::default()
    };
    let told = problems(&settings);
    for word in [
        "AUTH_HEADER_TYPES",
        "AUTH_HEADER_NAME",
        "AUTH_TOKEN_CLASSES",
        "ACCESS_TOKEN_LIFETIME",
        "JWK_URL",
        "USER_ID_CLAIM",
        "JTI_CLAIM",
    ] {
        assert!(told.contains(word), "{word} is missing in:\n{told}");
    }
}

/// DIFFERENCE: upstream issues tokens that have expired when they arrive.
#[test]
fn lifetimes_under_a_second_are_refused() {
    for (millis, fine) in [(0, false), (1, false), (999, false), (1000, true), (1500, true)] {
        let access_token_lifetime = Duration::from_millis(millis);
        let told = problems(&Settings { access_token_lifetime, ..Settings::default() });
        assert_eq!(told.is_empty(), fine, "{millis} ms: {told}");
    }
}

#[test]
fn header_names_are_spelt_as_in_request_meta() {
    let named = |name: &str| {
        Settings { auth_header_name: name.into(), ..Settings::default() }.auth_header()
    };
    assert_eq!(named("HTTP_AUTHORIZATION").unwrap(), "authorization");
    assert_eq!(named("HTTP_X_ACCESS_TOKEN").unwrap(), "x-access-token");
    assert_eq!(named("Authorization"), None);
    assert_eq!(named("HTTP_"), None);
}

#[test]
fn dotted_paths_of_token_classes() {
    assert_eq!(
        TokenClass::from_dotted_path("rest_framework_simplejwt.tokens.SlidingToken"),
        Some(TokenClass::Sliding),
    );
    assert_eq!(TokenClass::from_dotted_path("my.tokens.AccessToken"), None);
}

#[test]
fn debug_shows_no_signing_key() {
    let settings =
        Settings { signing_key: Some("this-is-the-secret".into()), ..Settings::default() };
    assert!(!format!("{settings:?}").contains("this-is-the-secret"));
}

#[test]
fn windows_for_spent_tokens_are_short_and_need_sessions() {
    let with = |grace: u64, tolerance: u64| {
        let mut settings = Settings {
            token_blacklist: true,
            rotate_refresh_tokens: true,
            blacklist_after_rotation: true,
            ..Settings::default()
        };
        settings.sessions.rotation_grace = Duration::from_secs(grace);
        settings.sessions.reuse_tolerance = Duration::from_secs(tolerance);
        settings
    };
    assert_eq!(Settings::default().sessions.reuse_tolerance, Duration::from_secs(10));
    for (grace, tolerance) in [(0, 0), (0, 10), (10, 0), (300, 300)] {
        assert_eq!(problems(&with(grace, tolerance)), "");
    }
    assert!(problems(&with(301, 10)).contains("rotation_grace is longer than 5 minutes"));
    assert!(problems(&with(0, 301)).contains("reuse_tolerance is longer than 5 minutes"));
    for tolerance in [0, 11] {
        let off = Settings { token_blacklist: false, ..with(0, tolerance) };
        assert!(problems(&off).contains("reuse_tolerance is set, but there are no sessions"));
        let mut off = with(0, tolerance);
        off.sessions.enabled = false;
        assert!(problems(&off).contains("reuse_tolerance is set, but sessions are switched off"));
    }
    let mut off = with(0, 10);
    off.sessions.enabled = false;
    assert_eq!(problems(&off), "", "the default");
}

#[test]
fn lifetimes_that_leave_another_without_effect_are_warned_of() {
    const MINUTE: Duration = Duration::from_secs(60);
    let with = |set: fn(&mut Settings, Duration), time| {
        let mut settings = Settings::default();
        set(&mut settings, time);
        settings.warnings()
    };
    let day = Settings::default().refresh_token_lifetime;
    for (set, longest, told) in [
        (
            (|s, time| s.access_token_lifetime = time) as fn(&mut Settings, Duration),
            day,
            "ACCESS_TOKEN_LIFETIME (86460 s) is longer than REFRESH_TOKEN_LIFETIME (86400 s)",
        ),
        (|s, time| s.sliding_token_lifetime = time, day, "SLIDING_TOKEN_LIFETIME (86460 s)"),
        (|s, time| s.sessions.idle_lifetime = Some(time), day, "idle_lifetime (86460 s)"),
        (
            |s, time| {
                s.sessions.idle_lifetime = Some(time);
                s.sessions.lifetime = Some(2 * MINUTE);
            },
            2 * MINUTE,
            "lifetime of a session (120 s)",
        ),
        (|s, time| s.leeway = time, 5 * MINUTE, "LEEWAY (360 s)"),
    ] {
        assert_eq!(with(set, longest), [""; 0], "{told}");
        let warnings = with(set, longest + MINUTE);
        assert!(warnings.len() == 1 && warnings[0].contains(told), "{warnings:?}");
    }
}

#[test]
fn a_grace_that_outlasts_the_access_token_is_warned_of() {
    let mut settings = Settings::default();
    settings.sessions.rotation_grace = settings.access_token_lifetime;
    assert_eq!(settings.warnings(), [""; 0]);
    settings.sessions.rotation_grace += Duration::from_secs(1);
    let warnings = settings.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("301 s"), "{warnings:?}");
}
