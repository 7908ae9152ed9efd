use super::*;

fn problems(settings: &Settings) -> Vec<String> {
    settings.validate().err().map(|error| error.problems().to_vec()).unwrap_or_default()
}

#[test]
fn marks_that_cant_tell_the_kinds_apart_are_refused() {
    let marked =
        Settings { refresh_audience: Some("us".into()), typ: Typ::ByKind, ..Settings::default() };
    assert_eq!(problems(&marked), [""; 0]);
    for (settings, told) in [
        (
            Settings { token_type_claim: None, ..marked.clone() },
            &["refresh_audience needs", "typ ="][..],
        ),
        (Settings { refresh_audience: Some(String::new()), ..marked.clone() }, &["is empty"]),
        (
            Settings { audience: Some(Audience::One("us".into())), ..marked.clone() },
            &["also in AUDIENCE"],
        ),
        (
            Settings {
                audience: Some(Audience::Many(vec!["api".into(), "us".into()])),
                ..marked.clone()
            },
            &["also in AUDIENCE"],
        ),
    ] {
        let problems = problems(&settings);
        assert_eq!(problems.len(), told.len(), "{problems:?}");
        for (problem, told) in problems.iter().zip(told) {
            assert!(problem.contains(told), "{problem}");
        }
    }
}

#[test]
fn rfc_9068_names_what_it_lacks() {
    let complete = Settings {
        profile: Profile::Rfc9068,
        typ: Typ::ByKind,
        issuer: Some("https://example.com".into()),
        audience: Some(Audience::One("https://api.example.com".into())),
        user_id_claim: "sub".into(),
        client_id: Some("web".into()),
        ..Settings::default()
    };
    assert_eq!(problems(&complete), [""; 0]);
    let bare = Settings { profile: Profile::Rfc9068, ..Settings::default() };
    assert_eq!(problems(&bare).len(), 5);
    for (settings, told) in [
        (Settings { typ: Typ::Jwt, ..complete.clone() }, "typ = \"by_kind\""),
        (Settings { issuer: None, ..complete.clone() }, "ISSUER ="),
        (Settings { issuer: Some(String::new()), ..complete.clone() }, "ISSUER ="),
        (Settings { audience: None, ..complete.clone() }, "AUDIENCE ="),
        (Settings { user_id_claim: "user_id".into(), ..complete.clone() }, "USER_ID_CLAIM ="),
        (Settings { jti_claim: Some("id".into()), ..complete.clone() }, "JTI_CLAIM ="),
        (Settings { client_id: None, ..complete.clone() }, "client_id ="),
        (
            Settings { token_type_claim: Some("client_id".into()), ..complete.clone() },
            "are both \"client_id\"",
        ),
    ] {
        let problems = problems(&settings);
        assert!(problems.len() == 1 && problems[0].contains(told), "{told}: {problems:?}");
    }
}
