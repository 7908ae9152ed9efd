//! Tokens that real PyJWT and simplejwt made or read: the same outcome here, or the difference
//! that the vector names. Made by `compat/make_vectors.py`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use simplejwt::clock::{ManualClock, Timestamp};
use simplejwt::keys::{KeySet, SigningKey, VerifyingKey};
use simplejwt::settings::Audience;
use simplejwt::{Access, Refresh, Settings, Sliding, Tokens, Untyped};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn vectors() -> Value {
    serde_json::from_str(&fixture("vectors.json")).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn nullable(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The settings of a `decode` vector.
fn settings(secret: &Value, given: &Value) -> Settings {
    let mut settings =
        Settings { signing_key: Some(text(secret).as_str().into()), ..Settings::default() };
    for (name, value) in given.as_object().unwrap() {
        match name.as_str() {
            "AUDIENCE" => {
                settings.audience = Some(match value {
                    Value::Array(all) => Audience::Many(all.iter().map(text).collect()),
                    one => Audience::One(text(one)),
                });
            }
            "ISSUER" => settings.issuer = nullable(value),
            "LEEWAY" => settings.leeway = Duration::from_secs(value.as_u64().unwrap()),
            "TOKEN_TYPE_CLAIM" => settings.token_type_claim = nullable(value),
            "JTI_CLAIM" => settings.jti_claim = nullable(value),
            "USER_ID_CLAIM" => settings.user_id_claim = text(value),
            other => panic!("a vector has the setting {other}, which this test doesn't know"),
        }
    }
    settings
}

/// Equal text, or equal as JSON: Python prints some numbers and escapes in its own way.
fn same(ours: &str, theirs: &str) -> bool {
    let members = |json: &str| serde_json::from_str::<Members>(json).ok();
    ours == theirs || (members(ours).is_some() && members(ours) == members(theirs))
}

/// An object's members in their order.
#[derive(PartialEq)]
struct Members(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[test]
fn every_token_is_read_as_upstream_reads_it_or_as_the_difference_says() {
    let vectors = vectors();
    let mut wrong = Vec::new();
    let mut payloads = 0;
    for case in vectors["decode"].as_array().unwrap() {
        let settings = settings(&vectors["secret"], &case["settings"]);
        let clock = ManualClock::at(Timestamp::from_secs(vectors["now"].as_i64().unwrap()));
        let keys = settings.key_set().unwrap();
        let tokens = Tokens::with(settings, keys, Arc::new(clock)).unwrap();
        let token = case["token"].as_str().unwrap();
        let ours = match case["class"].as_str().unwrap() {
            "access" => tokens.decode::<Access>(token).map(|token| token.claims().to_json()),
            "refresh" => tokens.decode::<Refresh>(token).map(|token| token.claims().to_json()),
            "sliding" => tokens.decode::<Sliding>(token).map(|token| token.claims().to_json()),
            "untyped" => tokens.decode::<Untyped>(token).map(|token| token.claims().to_json()),
            other => panic!("{other}"),
        };
        let expected = if case["ours"].is_null() { &case["upstream"] } else { &case["ours"] };
        let agrees = match &ours {
            Ok(payload) => {
                payloads += 1;
                expected["payload"].as_str().is_some_and(|theirs| same(payload, theirs))
            }
            Err(error) => expected["error"].as_str() == Some(&error.to_string()),
        };
        if !agrees {
            wrong.push(format!("{}: {ours:?}, expected {expected}", case["name"]));
        }
    }
    assert!(payloads > 100, "only {payloads} tokens were accepted");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn tokens_of_every_algorithm_and_key_form_are_accepted_and_made_again() {
    let vectors = vectors();
    let mut algorithms = std::collections::BTreeSet::new();
    for case in vectors["algorithms"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let algorithm = case["alg"].as_str().unwrap().parse().unwrap();
        let token = case["token"].as_str().unwrap();
        let keys = if let Some(secret) = case["secret"].as_str() {
            KeySet::new(SigningKey::from_secret(algorithm, secret.as_bytes()).unwrap())
        } else {
            let file = |name: &str| fixture(case[name].as_str().unwrap());
            let signing = SigningKey::parse(algorithm, file("signing_key").as_bytes(), false)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let verifying = VerifyingKey::parse(algorithm, file("verifying_key").as_bytes(), false)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            KeySet::with_signing_and_verifying(signing, verifying).unwrap()
        };
        let clock = ManualClock::at(Timestamp::from_secs(vectors["now"].as_i64().unwrap()));
        let tokens = Tokens::with(Settings::default(), keys, Arc::new(clock)).unwrap();
        let read = tokens.decode::<Access>(token).unwrap_or_else(|e| panic!("{name}: {e}"));
        let again = tokens.encode(&read).unwrap();
        assert_eq!(again == token, case["deterministic"].as_bool().unwrap(), "{name}");
        assert!(tokens.decode::<Access>(&again).is_ok(), "{name}");
        algorithms.insert(case["alg"].to_string());
    }
    assert_eq!(algorithms.len(), 14);
}
