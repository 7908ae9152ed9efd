//! Login names, in every type that a column of them may have.

use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageError, NewUser};
use simplejwt::sql::table::UserTable;
use simplejwt::{Credentials, User};

use super::DatabaseKind::{Mysql, Postgres, Sqlite};
use super::{ALL, DatabaseKind, HYPHENATED, NOBODY, NOW, Place, UUID, hashing, people};

/// A login column of a type: names that find the user, and names that find nobody.
struct Login {
    kinds: &'static [DatabaseKind],
    declared: &'static str,
    stored: &'static str,
    /// How the name is shown.
    shown: &'static str,
    found: &'static [&'static str],
}

const NUMBERS: &[&str] = &["4711", " 4711 ", "+4711", "04711", "4_711"];
const UUIDS: &[&str] = &[
    HYPHENATED,
    "6f1c3a529a384d5e8a520123456789ab",
    "6F1C3A52-9A38-4D5E-8A52-0123456789AB",
    "{6f1c3a52-9a38-4d5e-8a52-0123456789ab}",
    "urn:uuid:6f1c3a52-9a38-4d5e-8a52-0123456789ab",
];
fn logins() -> Vec<Login> {
    let of =
        |kinds, declared, stored, shown, found| Login { kinds, declared, stored, shown, found };
    vec![
        of(ALL, "integer", "4711", "4711", NUMBERS),
        of(ALL, "smallint", "4711", "4711", NUMBERS),
        of(ALL, "bigint", "4711", "4711", NUMBERS),
        // Beside which its neighbour is the same number to whoever compares as double precision.
        of(ALL, "bigint", "9007199254740993", "9007199254740993", &["9007199254740993"]),
        of(
            &[Mysql],
            "bigint unsigned",
            "18446744073709551615",
            "18446744073709551615",
            &["18446744073709551615"],
        ),
        of(&[Mysql], "int unsigned", "4294967295", "4294967295", &["4294967295"]),
        of(&[Mysql], "mediumint", "4711", "4711", NUMBERS),
        of(&[Postgres], "uuid", UUID, HYPHENATED, UUIDS),
        // MariaDB's own type, which Django uses from 5.0 on.
        of(&[Mysql], "uuid", UUID, HYPHENATED, UUIDS),
        of(ALL, "char(32)", UUID, HYPHENATED, UUIDS),
        of(ALL, "varchar(8)", "'4711é'", "4711é", &["4711é"]),
        of(&[Sqlite, Postgres], "text", "'4711é'", "4711é", &["4711é"]),
        of(&[Mysql], "varchar(8) CHARACTER SET utf8mb3", "'4711é'", "4711é", &["4711é"]),
        of(&[Mysql], "varchar(8) CHARACTER SET latin1", "'4711é'", "4711é", &["4711é", "4711É"]),
        of(
            &[Mysql],
            "varchar(8) CHARACTER SET latin1 COLLATE latin1_bin",
            "'4711é'",
            "4711é",
            &["4711é"],
        ),
        of(&[Mysql], "varchar(8) CHARACTER SET ascii", "'ann'", "ann", &["ann", "ANN"]),
        of(
            &[Mysql],
            "varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "'ann'",
            "ann",
            &["ann"],
        ),
        of(&[Postgres], "citext", "'Ann'", "Ann", &["ann", "ANN"]),
        of(&[Postgres], "varchar(8) COLLATE folding", "'Ann'", "Ann", &["ann", "ANN"]),
        of(&[Postgres], "character(8)", "'Ann'", "Ann", &["Ann", "Ann "]),
        of(&[Postgres], "number_of_staff", "4711", "4711", NUMBERS),
    ]
}

/// Every type of login column: whoever is there is found as Django finds them, and what the type
/// or the character set can't hold is an unknown user after the same work, never a failure.
pub(crate) async fn login_names_are_compared_by_the_columns_type<P: Place>(place: &P) {
    if P::KIND == Postgres {
        place.run("CREATE EXTENSION IF NOT EXISTS citext").await;
        place
            .run(
                "CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', \
                 deterministic = false)",
            )
            .await;
        place.run("CREATE DOMAIN positive AS integer CHECK (VALUE > 0)").await;
        place.run("CREATE DOMAIN number_of_staff AS positive").await;
    }
    let (hashers, pool) = hashing();
    let hash = hashers.encode("pw").unwrap();
    for (at, case) in logins().into_iter().enumerate() {
        if !case.kinds.contains(&P::KIND) || !place.has_type(case.declared).await {
            continue;
        }
        let (t, declared) = (format!("staff_{at}"), case.declared);
        place
            .run(&format!(
                "CREATE TABLE {t} (id integer NOT NULL PRIMARY KEY, login {declared} NOT NULL \
                 UNIQUE, password varchar(128) NOT NULL, is_active smallint NOT NULL)"
            ))
            .await;
        place.run(&format!("INSERT INTO {t} VALUES (1, {}, '{hash}', 1)", case.stored)).await;
        let table = UserTable { is_active: Some("is_active".into()), ..people(&t, "login") };
        let users = place.open(table.clone(), pool.clone()).await.unwrap();
        for name in case.found {
            let user = users.authenticate(&Credentials::new(*name, "pw")).await.unwrap();
            let user = user.unwrap_or_else(|| panic!("{declared} {name:?}"));
            assert_eq!((user.id.as_str(), user.username.as_str()), ("1", case.shown), "{declared}");
        }
        let long = "x".repeat(60_000);
        for name in NOBODY.iter().copied().chain([long.as_str(), "ü🦀".repeat(200).as_str()]) {
            if case.found.contains(&name) {
                continue;
            }
            let before = hashers.computations();
            let outcome = users.authenticate(&Credentials::new(name, "pw")).await;
            let user = outcome.unwrap_or_else(|error| panic!("{declared} {name:?}: {error:?}"));
            assert_eq!(user, None, "{declared} {name:?}");
            assert_eq!(hashers.computations(), before + 1, "{declared} {name:?}");
            assert_eq!(users.by_username(name).await.unwrap(), None, "{declared} {name:?}");
            let error = users.set_active(name, false, &Cause::at(NOW)).await.unwrap_err();
            assert!(matches!(error, ManageError::NoSuchUser { .. }), "{declared} {name:?} {error}");
        }
        let name = case.found[0];
        users.set_active(name, false, &Cause::at(NOW)).await.unwrap();
        let credentials = Credentials::new(name, "pw");
        assert_eq!(users.authenticate(&credentials).await.unwrap(), None, "{declared}");
        users.set_active(name, true, &Cause::at(NOW)).await.unwrap();
        let listed = users.list(None, 9).await.unwrap();
        assert_eq!(
            listed.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(),
            [case.shown]
        );
        assert_eq!(users.list(Some(&listed[0].username), 9).await.unwrap(), [], "{declared}");
        // By their tokens they are found by the one spelling of the same value.
        let by_token = UserTable { user_id_field: "login".into(), ..table };
        let users = place.open(by_token, pool.clone()).await.unwrap();
        let find = async |id: &str| users.find(&id.into()).await.unwrap();
        assert_eq!(
            find(case.shown).await.map(|user: User| user.username).as_deref(),
            Some(case.shown)
        );
        for id in NOBODY.iter().copied().chain([" 4711", "ANN"]) {
            assert_eq!(find(id).await, None, "{declared} {id:?}");
            users.update_last_login(&id.into(), NOW).await.unwrap();
        }
    }
}

/// Users are made in the type that the column has, or it is said why not.
pub(crate) async fn names_are_stored_in_the_columns_type<P: Place>(place: &P) {
    let (hashers, pool) = hashing();
    let id = match P::KIND {
        Sqlite => "id integer NOT NULL PRIMARY KEY AUTOINCREMENT",
        Postgres => "id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY",
        Mysql => "id integer NOT NULL PRIMARY KEY AUTO_INCREMENT",
    };
    place
        .run(&format!(
            "CREATE TABLE staff ({id}, number integer NOT NULL UNIQUE, \
             password varchar(128) NOT NULL)"
        ))
        .await;
    let users = place.open(people("staff", "number"), pool).await.unwrap();
    let new = |name: &str| NewUser {
        username: name.into(),
        password: hashers.encode("pw").unwrap(),
        ..NewUser::default()
    };
    assert_eq!(
        users.create_user(new("4711"), &Cause::at(NOW)).await.unwrap().outcome.username,
        "4711"
    );
    for name in ["abc", "1.5", "9999999999999999999999"] {
        let error = users.create_user(new(name), &Cause::at(NOW)).await.unwrap_err();
        assert!(matches!(error, ManageError::UnstorableUsername { .. }), "{name}: {error}");
    }
    let error = users.create_user(new("4711"), &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(error, ManageError::AlreadyExists { .. }), "{error}");
}
