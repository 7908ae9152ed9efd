//! `[database]`.

use super::*;

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
