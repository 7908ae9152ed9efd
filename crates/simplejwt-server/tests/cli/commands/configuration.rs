//! The configuration: refused, read from a file, checked, printed and exemplified.

use std::fs;

use super::{Place, SECRET};
use crate::support::process::{run, simplejwt, stderr, stdout};

#[test]
fn a_wrong_configuration_is_3() {
    for (args, environment, told) in [
        (&["config", "check"][..], &[][..], "SIGNING_KEY is missing"),
        (&["config", "check"], &[("SECRET_KEY", "short")], "needs at least 32"),
        (&["config", "check"], &[SECRET], "DATABASE_URL"),
        (&["config", "print", "--config", "nowhere.toml"], &[], "no such file"),
        (&["serve"], &[("SIMPLE_JWT", "{}")], "SIGNING_KEY is missing"),
        (&["serve"], &[("SIMPLE_JWT", r#"{"ALGORITM": 1}"#)], "did you mean ALGORITHM?"),
        (&["serve"], &[("SIMPLEJWT_DEMO", "perhaps")], "SIMPLEJWT_DEMO"),
        (&["migrate"], &[SECRET], "DATABASE_URL"),
    ] {
        let output = run(args, environment);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
        assert!(said.lines().all(|line| line.starts_with("error: ")), "{said}");
    }
    let both = stderr(&run(&["config", "check"], &[]));
    assert_eq!(both.lines().count(), 2, "the key and the database at once: {both}");
    for (url, told) in [
        ("postgres://u@h/d?conn_max_aeg=60", "the parameter conn_max_aeg"),
        ("mysql://u@h/d?read_default_file=x", "the parameter read_default_file"),
        ("postgres://u@h/d?sslrootcert=nowhere.pem", "nowhere.pem"),
        ("redshift://u@h/d", "Amazon Redshift"),
        ("sqlite:////srv/d?immutable=1", "the parameter immutable"),
        ("postgres://u@h/d?sslmode=verify", "unknown sslmode"),
    ] {
        for args in [&["config", "check"][..], &["migrate"], &["user", "list"]] {
            let output = run(args, &[SECRET, ("DATABASE_URL", url)]);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{url} {args:?}: {said}");
            assert!(said.contains(told), "{url}: {said}");
        }
    }
}

/// DIFFERENCE: Django reads the path after three slashes as relative.
#[test]
fn a_file_that_django_would_take_for_another_is_3_and_none_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let name = format!("simplejwt-cli-{}.sqlite3", std::process::id());
    let url = format!("sqlite:///{name}");
    let (root, here) = (std::path::Path::new("/").join(&name), directory.path().join(&name));
    for there in [false, true] {
        if there {
            fs::write(&here, "").unwrap();
        }
        for args in [
            &["config", "check"][..],
            &["migrate"],
            &["migrate", "--check"],
            &["user", "add", "alice", "--generate-password"],
            &["user", "list"],
            &["token", "flush-expired"],
            &["session", "list", "alice"],
            &["serve"],
        ] {
            let environment = [SECRET, ("DATABASE_URL", url.as_str())];
            let output = simplejwt(args, &environment).current_dir(&directory).output().unwrap();
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
            let both = [root.display().to_string(), here.display().to_string()];
            assert!(both.iter().all(|path| said.contains(path)), "{args:?}: {said}");
            assert!(!root.exists(), "{args:?}");
        }
    }
    assert_eq!(fs::read(&here).unwrap(), b"");
    let absolute = format!("sqlite:///{}", here.display());
    let output = run(&["migrate"], &[SECRET, ("DATABASE_URL", &absolute)]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_database_s_url_may_be_in_a_file() {
    let place = Place::new();
    let path = place.directory.path().join("database-url");
    fs::write(&path, format!("{}\n", place.url)).unwrap();
    let file = path.to_str().unwrap();
    let output = run(&["migrate"], &[SECRET, ("DATABASE_URL_FILE", file)]);
    assert!(output.status.success(), "{}", stderr(&output));
    let both =
        run(&["migrate"], &[SECRET, ("DATABASE_URL_FILE", file), ("DATABASE_URL", &place.url)]);
    assert_eq!(both.status.code(), Some(3), "{}", stderr(&both));
}

#[test]
fn the_configuration_is_checked_printed_and_exemplified() {
    let place = Place::migrated();
    let fine = place.succeed(&["config", "check"], "");
    assert!(fine.contains("fine") && !fine.contains("warning"), "{fine}");
    // Probably a mistake, but no reason not to start.
    let jwt = "{\"ROTATE_REFRESH_TOKENS\": true, \"BLACKLIST_AFTER_ROTATION\": true, \
               \"ACCESS_TOKEN_LIFETIME\": 30}";
    let mut environment = place.environment();
    environment.extend([("SIMPLE_JWT", jwt), ("SIMPLEJWT_ROTATION_GRACE", "60")]);
    let warned = run(&["config", "check"], &environment);
    assert!(warned.status.success(), "{}", stderr(&warned));
    let warning = stderr(&warned);
    assert!(warning.starts_with("warning: rotation_grace (60 s) outlasts"), "{warning}");
    assert!(stdout(&warned).contains("fine"));
    let printed = place.succeed(&["config", "print"], "");
    assert!(printed.contains("secret_key = \"(secret)\" # environment variable SECRET_KEY"));
    assert!(!printed.contains(SECRET.1), "{printed}");
    let example = stdout(&run(&["config", "example"], &[]));
    assert!(example.contains("# Environment: SIMPLEJWT_ACCESS_TOKEN_LIFETIME"));
    let path = place.directory.path().join("example.toml");
    fs::write(&path, example).unwrap();
    place.succeed(&["config", "check", "--config", path.to_str().unwrap()], "");
    let by_variable = run(
        &["config", "print"],
        &[("SIMPLEJWT_CONFIG", path.to_str().unwrap()), ("SIMPLEJWT_LEEWAY", "7")],
    );
    assert!(
        stdout(&by_variable).contains("leeway = \"7\" # environment variable SIMPLEJWT_LEEWAY")
    );
}

#[test]
fn a_directory_that_can_not_be_written_is_told() {
    let place = Place::new();
    let file = place.directory.path().join("a-file");
    fs::write(&file, "").unwrap();
    let inside = file.join("data");
    let output = run(&["quickstart", "--no-serve", "--dir", inside.to_str().unwrap()], &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("can't make the directory") && said.lines().count() == 1, "{said}");
}
