//! What is said of passwords that are to be set, against Django's four default validators
//! (`compat/make_common_passwords.py` writes the fixture).
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use serde_json::Value;
use simplejwt::users::password::{Weakness, weaknesses};

fn code(weakness: &Weakness) -> String {
    match weakness {
        Weakness::Similar { attribute } => format!("password_too_similar:{attribute}"),
        Weakness::Short => "password_too_short".into(),
        Weakness::Common => "password_too_common".into(),
        Weakness::Numeric => "password_entirely_numeric".into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn django_s_validators_say_the_same_of_every_password() {
    let fixture: Value =
        serde_json::from_str(include_str!("../fixtures/password_validators.json")).unwrap();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let attributes = texts(&fixture["attributes"]);
    let users: Vec<Vec<String>> = fixture["users"].as_array().unwrap().iter().map(texts).collect();
    let mut of_a_kind = std::collections::BTreeMap::<String, usize>::new();
    let mut wrong = Vec::new();
    for case in fixture["cases"].as_array().unwrap() {
        let (password, expected) = (case[0].as_str().unwrap(), texts(&case[2]));
        let user = &users[usize::try_from(case[1].as_u64().unwrap()).unwrap()];
        let known = attributes.iter().map(String::as_str).zip(user.iter().map(String::as_str));
        let found: Vec<String> = weaknesses(password, known).iter().map(code).collect();
        for code in &expected {
            *of_a_kind.entry(code.split(':').next().unwrap().to_owned()).or_default() += 1;
        }
        if found != expected {
            wrong.push(format!("{password:?} of {user:?}: {found:?}, in Django {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(of_a_kind.len() == 4 && of_a_kind.values().all(|count| *count > 50), "{of_a_kind:?}");
}

/// DIFFERENCE: `str.isdigit` leaves out numbers that aren't digits.
#[test]
fn numbers_that_are_no_digits_are_no_better() {
    assert_eq!(weaknesses("ⅧⅧⅧⅧⅧⅧⅧⅧ", []), [Weakness::Numeric]);
    assert_eq!(weaknesses("½½½½½½½½", []), [Weakness::Numeric]);
    assert!(weaknesses("一二三四五六七八", []).is_empty(), "those are letters");
}
