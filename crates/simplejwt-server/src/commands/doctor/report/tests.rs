use super::*;
use crate::config::load;

const KEY: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");

fn report() -> Report {
    let weak = Finding::warning("weak", "it is weak", "somebody gets in")
        .write("server.bind", "127.0.0.1:8000")
        .write("server.demo", false)
        .write("simple_jwt.signing_key_file", "new.key")
        .remove("cookies.domain")
        .run("simplejwt migrate")
        .run("simplejwt key generate --out new-signing.key")
        .act("think");
    let subjects = vec![
        ("one", vec![Finding::ok("good", "it is good"), weak]),
        ("none", Vec::new()),
        ("two", vec![Finding::unknown("hidden", "it can't be seen", "it is\u{1b}[31m down")]),
    ];
    Report { subjects }
}

/// Returns the lines of the report, with `DIR` for the directory of the file.
fn lines(file: Option<&str>, environment: &Environment) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = file.map(|text| {
        let path = directory.path().join("simplejwt.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let loaded = load(path.as_deref(), environment).unwrap();
    let place = Place { file: path.as_deref(), environment, loaded: &loaded };
    let text = report().text(&place).replace(directory.path().to_str().unwrap(), "DIR");
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn lines_are_for_the_place_that_counts() {
    let file = "[cookies]\ntransport = \"cookie\"\ndomain = \"example.com\"\n\
                [simple_jwt]\nsigning_key = \"a-signing-key-that-is-long-enough\"\n";
    let told = lines(Some(file), &Environment::default());
    assert_eq!(
        told,
        [
            "one",
            "ok       it is good",
            "warning  it is weak [weak]",
            "somebody gets in",
            "- write in [server]: bind = \"127.0.0.1:8000\"",
            "- write in [server]: demo = false",
            "- remove from [simple_jwt]: signing_key",
            "- write in [simple_jwt]: signing_key_file = \"new.key\"",
            "- remove from [cookies]: domain",
            "- run: simplejwt migrate --config DIR/simplejwt.toml",
            "- run: cd DIR && simplejwt key generate --out new-signing.key",
            "- think",
            "two",
            "unknown  it can't be seen [hidden]",
            "it is\\u{1b}[31m down",
            "0 error, 1 warning, 1 unknown, 0 note, 1 ok",
        ]
    );
    // The environment takes precedence over the file.
    let told = lines(Some(file), &Environment::of([("SIMPLEJWT_BIND", "0.0.0.0:8000")]));
    assert_eq!(told[4], "- set in the environment: SIMPLEJWT_BIND=127.0.0.1:8000");
    assert_eq!(told[5], "- write in [server]: demo = false");
    let told = lines(None, &Environment::of([KEY]));
    assert_eq!(told[5], "- set in the environment: SIMPLEJWT_DEMO=false");
    assert_eq!(told[6], "- set in the environment: SIMPLEJWT_SIGNING_KEY_FILE=new.key");
    assert_eq!(told[7], "- run: simplejwt migrate", "there is no domain to remove");
    let jwt = r#"{"SIGNING_KEY": "a-signing-key-that-is-long-enough"}"#;
    let told = lines(None, &Environment::of([("SIMPLE_JWT", jwt)]));
    let remove = "- remove from the environment: SIMPLEJWT_SIGNING_KEY (signing_key)";
    assert_eq!(told[6], remove);
}

#[test]
fn json_says_the_same() {
    let environment = Environment::of([KEY]);
    let loaded = load(None, &environment).unwrap();
    let place = Place { file: None, environment: &environment, loaded: &loaded };
    let report = report();
    let json: Value = serde_json::from_str(&report.json(&place, false)).unwrap();
    assert_eq!(json["fine"], false);
    assert_eq!(json["counts"], json!({"ok": 1, "note": 0, "unknown": 1, "warning": 1, "error": 0}));
    assert_eq!(
        json["findings"][1]["remedy"][0],
        json!({
            "kind": "write",
            "text": "SIMPLEJWT_BIND=127.0.0.1:8000",
            "table": "server",
            "name": "bind",
            "variable": "SIMPLEJWT_BIND",
            "place": "environment",
            "value": "127.0.0.1:8000",
        })
    );
    assert_eq!(json["findings"][0]["why"], Value::Null);
}

#[test]
fn what_could_not_be_seen_counts_if_that_is_wanted() {
    let with = |findings| Report { subjects: vec![("s", findings)] };
    let unknown = || Finding::unknown("u", "", "");
    for (findings, fine, strictly) in [
        (vec![], true, true),
        (vec![Finding::ok("o", ""), Finding::note("n", "", "")], true, true),
        (vec![unknown()], true, false),
        (vec![unknown(), Finding::warning("w", "", "")], false, false),
        (vec![Finding::new("e", Severity::Error, "", "")], false, false),
    ] {
        let report = with(findings);
        assert_eq!((report.is_fine(false), report.is_fine(true)), (fine, strictly));
    }
}

#[test]
fn lines_for_a_realm_are_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("simplejwt.toml");
    let file = "[cookies]\ntransport = \"cookie\"\ndomain = \"example.com\"\n\
                [realms.acme]\nprefix = \"/acme\"\n\
                [realms.acme.simple_jwt]\nissuer = \"https://example.com/acme\"\n\
                signing_key = \"a-signing-key-that-is-long-enough\"\n";
    std::fs::write(&path, file).unwrap();
    let environment = Environment::default();
    let loaded = load(Some(&path), &environment).unwrap().into_realm("acme").unwrap();
    let place = Place { file: Some(&path), environment: &environment, loaded: &loaded };
    let text = report().text(&place);
    for line in [
        "- write in [server]: bind = \"127.0.0.1:8000\"",
        "- write in [realms.acme.server]: demo = false",
        "- remove from [realms.acme.simple_jwt]: signing_key",
        "- write in [realms.acme.simple_jwt]: signing_key_file = \"new.key\"",
        "- remove from [cookies]: domain",
        "simplejwt.toml --realm acme",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let json = report().json(&place, false);
    assert!(json.contains("\"table\": \"realms.acme.simple_jwt\""), "{json}");
}
