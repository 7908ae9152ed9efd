//! The examples in `docs/http-api.md`, sent to a server one after the other.

#![allow(clippy::panic, reason = "helpers of tests fail loudly")]

use crate::support::page::{Names, blocks, fill, matches};
use crate::support::process::{Server, run_with_input, stderr};

/// The settings that the page states for its examples.
const ENVIRONMENT: [(&str, &str); 10] = [
    ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
    ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS": true, "BLACKLIST_AFTER_ROTATION": true}"#),
    ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
    ("SIMPLEJWT_DEMO", "true"),
    ("SIMPLEJWT_ROTATION_GRACE", "60"),
    ("SIMPLEJWT_SESSION_CLAIM", "true"),
    ("SIMPLEJWT_GATEWAY_HEADERS", r#"{"X-Auth-Session": "sid"}"#),
    (
        "SIMPLEJWT_OAUTH_CLIENTS",
        r#"[{"id": "billing", "secret": "5d41402abc4b2a76b9719d911017c592"}]"#,
    ),
    ("SIMPLEJWT_BIND", "127.0.0.1:0"),
    // Much too little work for anything but tests.
    ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
];

#[test]
fn every_example_is_answered_as_the_page_says() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/db.sqlite3", directory.path().display());
    let mut environment = ENVIRONMENT.to_vec();
    environment.push(("DATABASE_URL", &url));
    for (args, input) in [
        (&["migrate"][..], ""),
        (&["user", "add", "alice", "--password-stdin", "--no-validate"][..], "wonderland"),
    ] {
        let output = run_with_input(args, &environment, input);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let server = Server::start(&["serve"], &environment, directory.path());

    let blocks = blocks();
    let (pairs, []) = blocks.as_chunks::<2>() else { panic!("a request without an answer") };
    assert!(pairs.len() >= 15, "only {} examples were found", pairs.len());
    let mut names = Names::new();
    for [request, expected] in pairs {
        let (method, path) = request.first.split_once(' ').expect("a method and a path");
        let headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, &names)))
            .collect();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer =
            server.request(method, &fill(path, &names), &headers, &fill(&request.body, &names));

        let context = format!("{} {}\n{answer:?}", request.first, request.body);
        assert_eq!(answer.status.to_string(), expected.first, "{context}");
        for (name, value) in &expected.headers {
            let line = format!("{name}: {value}").to_ascii_lowercase();
            assert!(answer.head.lines().any(|other| other == line), "{line} is missing: {context}");
        }
        assert!(matches(&expected.body, &answer.body, &mut names), "{}: {context}", expected.body);
    }
}

#[test]
fn an_answer_that_differs_is_noticed() {
    let mut names = Names::new();
    assert!(matches(r#"{"a":"{x}","b":1}"#, r#"{"a":"17","b":1}"#, &mut names));
    assert_eq!(names["x"], "17");
    assert_eq!(fill("<{x}>{}", &names), "<17>{}");
    for other in [r#"{"a":"17","b":2}"#, r#"{"a":"","b":1}"#, r#"{"a":"17","b":1} "#, "{}", ""] {
        assert!(!matches(r#"{"a":"{x}","b":1}"#, other, &mut names), "{other}");
    }
    assert!(matches("{}", "{}", &mut names));
    assert!(!matches("{}", "{\"a\":1}", &mut names));
}
