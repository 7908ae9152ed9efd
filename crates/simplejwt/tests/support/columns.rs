//! What a table of users may look like, on every database: one list of cases.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test uses its part")]

use std::sync::Arc;

use simplejwt::error::StoreErrorKind;
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser};
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::{Credentials, Timestamp, User};

const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Mysql,
}

use Kind::{Mysql, Postgres, Sqlite};

const ALL: &[Kind] = &[Sqlite, Postgres, Mysql];

/// A database for one test, with many tables in it.
#[allow(async_fn_in_trait, reason = "nobody else implements it")]
pub(crate) trait Place {
    const KIND: Kind;

    /// Runs one statement.
    async fn run(&self, sql: &str);

    /// Whether the database has a type of this name: MySQL lacks one that MariaDB has.
    async fn has_type(&self, _: &str) -> bool {
        true
    }

    /// Opens a table of users; what is told where it is refused.
    async fn open(
        &self,
        table: UserTable,
        pool: HashingPool,
    ) -> Result<Arc<dyn ManageUsers>, String>;

    /// Makes the tables that are missing; what is told where that fails.
    async fn migrate(&self, table: UserTable) -> Result<(), String>;

    /// Opens the registered tokens of a table of users; what is told where that is refused.
    async fn tokens(&self, table: UserTable) -> Result<(), String>;
}

/// Hashes without work, which are counted.
fn hashing() -> (Hashers, HashingPool) {
    let hashers = Hashers::from_setting(["md5"]).unwrap();
    let pool = HashingPool::new(hashers.clone(), PoolOptions { threads: 1, waiting: 64 }).unwrap();
    (hashers, pool)
}

fn people(table: &str, login: &str) -> UserTable {
    UserTable {
        table: table.into(),
        login: login.into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    }
}

/// Where an index may stand: behind the columns, or as a statement of its own.
enum Index {
    Within(&'static str),
    After(&'static str),
    None,
}
use Index::{After, Within};

/// What there is, where, and whether it makes the column unique.
type Indexed<'a> = (&'a str, &'a [Kind], Index, bool);

/// A user is found by a column whose values can't be those of two, or not at all.
pub(crate) async fn what_users_are_found_by_is_unique<P: Place>(place: &P) {
    let cases: &[Indexed] = &[
        ("no index", ALL, Index::None, false),
        ("an index", ALL, After("CREATE INDEX {t}_x ON {t} (mail)"), false),
        ("a unique constraint", ALL, Within(", UNIQUE (mail)"), true),
        ("a unique index", ALL, After("CREATE UNIQUE INDEX {t}_x ON {t} (mail)"), true),
        ("one of several columns", ALL, Within(", UNIQUE (mail, tenant)"), false),
        ("one of several columns, others first", ALL, Within(", UNIQUE (tenant, mail)"), false),
        ("one of another column", ALL, Within(", UNIQUE (tenant)"), false),
        (
            "one of a part of the rows",
            &[Sqlite, Postgres],
            After("CREATE UNIQUE INDEX {t}_x ON {t} (mail) WHERE tenant IS NULL"),
            false,
        ),
        (
            "one of an expression",
            &[Sqlite, Postgres],
            After("CREATE UNIQUE INDEX {t}_x ON {t} (lower(mail))"),
            false,
        ),
        (
            "one of an expression and the column",
            &[Sqlite, Postgres],
            After("CREATE UNIQUE INDEX {t}_x ON {t} (lower(mail), mail)"),
            false,
        ),
        ("one of the beginnings", &[Mysql], Within(", UNIQUE (mail(10))"), false),
        (
            "one that is checked at the end of a transaction",
            &[Postgres],
            Within(", UNIQUE (mail) DEFERRABLE INITIALLY DEFERRED"),
            true,
        ),
        (
            "one with more in it",
            &[Postgres],
            After("CREATE UNIQUE INDEX {t}_x ON {t} (mail) INCLUDE (tenant)"),
            true,
        ),
        (
            "one that isn't valid",
            &[Postgres],
            After(
                "UPDATE pg_index SET indisvalid = false \
                 WHERE indrelid = '{t}'::regclass AND NOT indisprimary",
            ),
            false,
        ),
        (
            "one that takes other texts for equal than the column",
            &[Postgres],
            After("CREATE UNIQUE INDEX {t}_x ON {t} (folded COLLATE \"C\")"),
            false,
        ),
        (
            "one that takes the same texts for equal as the column",
            &[Postgres],
            After("CREATE UNIQUE INDEX {t}_x ON {t} (folded)"),
            true,
        ),
        ("names in another case", &[Sqlite], Within(", UNIQUE (MAIL)"), true),
    ];
    if P::KIND == Postgres {
        place
            .run(
                "CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', \
                 deterministic = false)",
            )
            .await;
    }
    let (_, pool) = hashing();
    for (at, (what, kinds, index, is_unique)) in cases.iter().enumerate() {
        if !kinds.contains(&P::KIND) {
            continue;
        }
        let t = format!("people_{at}");
        let (within, after) = match index {
            Within(text) => (*text, None),
            After(text) => ("", Some(text.replace("{t}", &t))),
            Index::None => ("", None),
        };
        let invalid = after.as_ref().is_some_and(|sql| sql.contains("indisvalid"));
        let within = if invalid { ", UNIQUE (mail)" } else { within };
        let folded = match P::KIND {
            Postgres => ", folded varchar(100) COLLATE folding",
            Sqlite | Mysql => "",
        };
        place
            .run(&format!(
                "CREATE TABLE {t} (id integer NOT NULL PRIMARY KEY, \
                 mail varchar(100) NOT NULL{folded}, tenant integer, name varchar(100) NOT NULL \
                 UNIQUE, password varchar(128) NOT NULL{within})"
            ))
            .await;
        if let Some(sql) = &after {
            place.run(sql).await;
        }
        let column = if what.contains("other texts") || what.contains("same texts") {
            "folded"
        } else {
            "mail"
        };
        let by_login = people(&t, column);
        let by_token = UserTable { user_id_field: column.into(), ..people(&t, "name") };
        for (table, role) in [(by_login, "the login name"), (by_token, "USER_ID_FIELD")] {
            match place.open(table, pool.clone()).await {
                Ok(_) => assert!(is_unique, "{what} ({role})"),
                Err(told) => {
                    assert!(!is_unique, "{what} ({role}): {told}");
                    let names = told.contains(&format!("\"{column}\"")) && told.contains(&t);
                    assert!(names && told.contains(role) && told.contains("unique"), "{told}");
                }
            }
        }
    }
    keys_and_views(place, &pool).await;
}

async fn keys_and_views<P: Place>(place: &P, pool: &HashingPool) {
    // A primary key, whatever it is made of; of several columns it isn't one.
    place
        .run(
            "CREATE TABLE by_name (name varchar(100) NOT NULL PRIMARY KEY, \
             password varchar(128) NOT NULL)",
        )
        .await;
    let named = |table: &str| UserTable { primary_key: "name".into(), ..people(table, "name") };
    place.open(named("by_name"), pool.clone()).await.unwrap();
    place
        .run(
            "CREATE TABLE by_both (name varchar(100) NOT NULL, tenant integer NOT NULL, \
             password varchar(128) NOT NULL, PRIMARY KEY (name, tenant))",
        )
        .await;
    let told = place.open(named("by_both"), pool.clone()).await.unwrap_err();
    assert!(told.contains("\"name\" of the table \"by_both\" isn't unique"), "{told}");
    if P::KIND == Sqlite {
        place
            .run(
                "CREATE TABLE rowless (name varchar(100) NOT NULL PRIMARY KEY, \
                 password varchar(128) NOT NULL) WITHOUT ROWID",
            )
            .await;
        place.open(named("rowless"), pool.clone()).await.unwrap();
        place
            .run("CREATE TABLE odd (id integer PRIMARY KEY, a text, b text, \"a,b\" text, password text, UNIQUE (a, b))")
            .await;
        place.open(people("odd", "a,b"), pool.clone()).await.unwrap_err();
    }
    for (table, stored) in [("kept", "STORED"), ("computed", "VIRTUAL")] {
        if stored == "VIRTUAL" && P::KIND == Postgres {
            continue;
        }
        place
            .run(&format!(
                "CREATE TABLE {table} (id integer NOT NULL PRIMARY KEY, raw varchar(100), \
                 password varchar(128) NOT NULL, \
                 mail varchar(100) GENERATED ALWAYS AS (lower(raw)) {stored} UNIQUE)"
            ))
            .await;
        let mail = UserTable { columns: vec!["mail".into()], ..people(table, "mail") };
        place.open(mail, pool.clone()).await.unwrap();
    }
    // A view promises nothing, and so its rows are looked at.
    place
        .run(
            "CREATE TABLE behind (id integer NOT NULL PRIMARY KEY, mail varchar(100), \
             password varchar(128) NOT NULL)",
        )
        .await;
    for row in ["1, 'a@example.org', ''", "2, 'b@example.org', ''", "3, NULL, ''", "4, NULL, ''"] {
        place.run(&format!("INSERT INTO behind VALUES ({row})")).await;
    }
    place.run("CREATE VIEW seen AS SELECT id, mail, password FROM behind").await;
    place.open(people("seen", "mail"), pool.clone()).await.unwrap();
    place.run("INSERT INTO behind VALUES (5, 'b@example.org', '')").await;
    let told = place.open(people("seen", "mail"), pool.clone()).await.unwrap_err();
    assert!(told.contains("several rows of \"seen\" have the same \"mail\""), "{told}");
}

/// Nothing can refer to a view, and tokens are registered for its users all the same.
pub(crate) async fn users_may_be_a_view<P: Place>(place: &P) {
    let (hashers, pool) = hashing();
    place
        .run(
            "CREATE TABLE behind (id integer NOT NULL PRIMARY KEY, mail varchar(100) NOT NULL, \
             password varchar(128) NOT NULL)",
        )
        .await;
    let hash = hashers.encode("pw").unwrap();
    place.run(&format!("INSERT INTO behind VALUES (7, 'a@x', '{hash}')")).await;
    place.run("CREATE VIEW seen AS SELECT id, mail, password FROM behind").await;
    place.migrate(people("seen", "mail")).await.unwrap();
    place.migrate(people("seen", "mail")).await.unwrap();
    place.tokens(people("seen", "mail")).await.unwrap();
    let users = place.open(people("seen", "mail"), pool).await.unwrap();
    let user = users.authenticate(&Credentials::new("a@x", "pw")).await.unwrap().unwrap();
    assert_eq!(user.id.as_str(), "7");
    place
        .run(
            "INSERT INTO token_blacklist_outstandingtoken (token, expires_at, user_id, jti) \
             VALUES ('', '2030-01-01 00:00:00', 7, 'j')",
        )
        .await;
}

/// An index may be dropped while a server runs, and a user needn't have a value.
pub(crate) async fn nobody_is_taken_for_another<P: Place>(place: &P) {
    let (hashers, pool) = hashing();
    place
        .run(
            "CREATE TABLE people (id integer NOT NULL PRIMARY KEY, mail varchar(100), \
             code varchar(100), password varchar(128) NOT NULL)",
        )
        .await;
    place.run("CREATE UNIQUE INDEX people_mail ON people (mail)").await;
    place.run("CREATE UNIQUE INDEX people_code ON people (code)").await;
    let hash = hashers.encode("pw").unwrap();
    for row in ["1, 'a@x', 'A'", "2, 'b@x', 'B'", "3, 'c@x', NULL", "4, 'd@x', NULL"] {
        place.run(&format!("INSERT INTO people VALUES ({row}, '{hash}')")).await;
    }
    let table = UserTable { user_id_field: "code".into(), ..people("people", "mail") };
    let users = place.open(table, pool).await.unwrap();
    let login = async |name: &str| users.authenticate(&Credentials::new(name, "pw")).await;
    assert_eq!(login("a@x").await.unwrap().unwrap().id.as_str(), "A");
    // Their tokens would be those of everybody who has none.
    let before = hashers.computations();
    assert_eq!(login("c@x").await.unwrap(), None);
    assert_eq!(hashers.computations(), before + 1);
    assert_eq!(users.find(&"".into()).await.unwrap(), None);

    let on = if P::KIND == Mysql { " ON people" } else { "" };
    place.run(&format!("DROP INDEX people_mail{on}")).await;
    place.run(&format!("DROP INDEX people_code{on}")).await;
    place.run(&format!("INSERT INTO people VALUES (5, 'a@x', 'A', '{hash}')")).await;
    let errors = [login("a@x").await.unwrap_err(), users.find(&"A".into()).await.unwrap_err()];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Incompatible, "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.contains("several users") || source.contains("more than one row"),
            "{source}"
        );
    }
    assert_eq!(login("b@x").await.unwrap().unwrap().id.as_str(), "B");
}

/// A login column of a type: names that find the user, and names that find nobody.
struct Login {
    kinds: &'static [Kind],
    declared: &'static str,
    stored: &'static str,
    /// How the name is shown.
    shown: &'static str,
    found: &'static [&'static str],
}

const NUMBERS: &[&str] = &["4711", " 4711 ", "+4711", "04711", "4_711"];
const UUID: &str = "'6f1c3a529a384d5e8a520123456789ab'";
const HYPHENATED: &str = "6f1c3a52-9a38-4d5e-8a52-0123456789ab";
const UUIDS: &[&str] = &[
    HYPHENATED,
    "6f1c3a529a384d5e8a520123456789ab",
    "6F1C3A52-9A38-4D5E-8A52-0123456789AB",
    "{6f1c3a52-9a38-4d5e-8a52-0123456789ab}",
    "urn:uuid:6f1c3a52-9a38-4d5e-8a52-0123456789ab",
];
/// What no column here has, whatever its type.
const NOBODY: &[&str] = &[
    "",
    " ",
    "4711x",
    "x4711",
    "٤٧١١",
    "4711.0",
    "4.711e3",
    "47e2",
    "0x1267",
    "-4711",
    "4712",
    "47 11",
    "4__711",
    "4711\0",
    "\0",
    "2147483648",
    "32768",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "NaN",
    "true",
    "6f1c3a52-9a38-4d5e-8a52-000000000000",
    "6f1c3a52-9a38-4d5e-8a52-0123456789a",
    "6f1c3a52-9a38-4d5e-8a52-0123456789ag",
    "{}",
    "😀",
    "€",
    "é",
    "\u{fffd}",
    "'",
    "\"; --",
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
            let error = users.set_active(name, false).await.unwrap_err();
            assert!(matches!(error, ManageError::NoSuchUser { .. }), "{declared} {name:?} {error}");
        }
        let name = case.found[0];
        users.set_active(name, false).await.unwrap();
        let credentials = Credentials::new(name, "pw");
        assert_eq!(users.authenticate(&credentials).await.unwrap(), None, "{declared}");
        users.set_active(name, true).await.unwrap();
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
    assert_eq!(users.create_user(new("4711"), NOW).await.unwrap().username, "4711");
    for name in ["abc", "1.5", "9999999999999999999999"] {
        let error = users.create_user(new(name), NOW).await.unwrap_err();
        assert!(matches!(error, ManageError::UnstorableUsername { .. }), "{name}: {error}");
    }
    let error = users.create_user(new("4711"), NOW).await.unwrap_err();
    assert!(matches!(error, ManageError::AlreadyExists { .. }), "{error}");
}

/// A key's type, where there is it, what may be configured for it, a key as it is stored, and the
/// claim for it.
type Keyed<'a> = (&'a str, &'a [Kind], &'a [KeyKind], &'a str, &'a str);

/// What a key is, is known from its column. What is configured has to fit.
pub(crate) async fn the_keys_type_is_the_columns<P: Place>(place: &P) {
    let (_, pool) = hashing();
    let cases: &[Keyed] = &[
        ("integer", ALL, &[KeyKind::Integer], "4711", "4711"),
        ("smallint", ALL, &[KeyKind::Integer], "4711", "4711"),
        ("bigint", ALL, &[KeyKind::Integer], "4711", "4711"),
        (
            "bigint unsigned",
            &[Mysql],
            &[KeyKind::Integer],
            "18446744073709551615",
            "18446744073709551615",
        ),
        ("uuid", &[Postgres, Mysql], &[KeyKind::Uuid], UUID, HYPHENATED),
        ("char(32)", ALL, &[KeyKind::Uuid, KeyKind::Text], UUID, HYPHENATED),
        ("varchar(40)", ALL, &[KeyKind::Text], "'Zoë'", "Zoë"),
    ];
    for (at, (declared, kinds, fits, stored, id)) in cases.iter().enumerate() {
        if !kinds.contains(&P::KIND) || !place.has_type(declared).await {
            continue;
        }
        let t = format!("keyed_{at}");
        place
            .run(&format!(
                "CREATE TABLE {t} (id {declared} NOT NULL PRIMARY KEY, name varchar(20) NOT NULL \
                 UNIQUE, password varchar(128) NOT NULL)"
            ))
            .await;
        place.run(&format!("INSERT INTO {t} VALUES ({stored}, 'ann', '')")).await;
        let users = place.open(people(&t, "name"), pool.clone()).await.unwrap();
        let ann = users.by_username("ann").await.unwrap().unwrap();
        assert_eq!(ann.id.as_str(), *id, "{declared}");
        assert_eq!(users.find(&ann.id).await.unwrap().as_ref(), Some(&ann), "{declared}");
        for id in NOBODY.iter().filter(|other| *other != id) {
            assert_eq!(users.find(&(*id).into()).await.unwrap(), None, "{declared} {id:?}");
        }
        for kind in [KeyKind::Integer, KeyKind::Uuid, KeyKind::Text] {
            let table = UserTable { key: Some(kind), ..people(&t, "name") };
            match place.open(table, pool.clone()).await {
                Ok(_) => assert!(fits.contains(&kind), "{declared} {kind:?}"),
                Err(told) => {
                    assert!(!fits.contains(&kind), "{declared} {kind:?}: {told}");
                    let line = format!("key_type = \"{}\"", fits[0].as_str());
                    assert!(told.contains(&line) && told.contains(&t), "{told}");
                }
            }
        }
    }
    // What is no key and no name.
    for (at, (declared, kinds)) in
        [("decimal(9,2)", ALL), ("date", ALL), ("bytea", &[Postgres]), ("blob", &[Sqlite])]
            .into_iter()
            .enumerate()
    {
        if kinds.contains(&P::KIND) {
            let t = format!("odd_{at}");
            place
                .run(&format!(
                    "CREATE TABLE {t} (id integer NOT NULL PRIMARY KEY, login {declared} UNIQUE, \
                     password varchar(128) NOT NULL)"
                ))
                .await;
            let told = place.open(people(&t, "login"), pool.clone()).await.unwrap_err();
            assert!(told.contains("has the type") && told.contains("\"login\""), "{told}");
        }
    }
}

/// The tables of tokens are those of these users: what refers to a key is of its type, also where no
/// foreign key says so. And where the tokens' users are found by another column, that is unique.
pub(crate) async fn registered_tokens_refer_to_the_key<P: Place>(place: &P) {
    place
        .run(
            "CREATE TABLE token_blacklist_outstandingtoken (id integer NOT NULL PRIMARY KEY, \
             token varchar(20), created_at timestamp NULL, expires_at timestamp NULL, \
             user_id integer, jti varchar(255) UNIQUE)",
        )
        .await;
    place
        .run(
            "CREATE TABLE token_blacklist_blacklistedtoken (id integer NOT NULL PRIMARY KEY, \
             blacklisted_at timestamp NULL, token_id integer UNIQUE)",
        )
        .await;
    for (t, key, fits) in [
        ("by_number", "bigint", true),
        ("by_digits", "char(32)", false),
        ("by_text", "varchar(20)", false),
    ] {
        place
            .run(&format!(
                "CREATE TABLE {t} (id {key} NOT NULL PRIMARY KEY, mail varchar(20) NOT NULL, \
                 name varchar(20) NOT NULL UNIQUE, password varchar(128) NOT NULL)"
            ))
            .await;
        match place.tokens(people(t, "name")).await {
            Ok(()) => assert!(fits, "{t}"),
            Err(told) => {
                let names = told.contains("\"user_id\" of") && told.contains(t);
                assert!(!fits && names && told.contains("has the type"), "{t}: {told}");
            }
        }
        let by_mail = UserTable { user_id_field: "mail".into(), ..people(t, "name") };
        let told = place.tokens(by_mail).await.unwrap_err();
        assert!(told.contains("\"mail\"") && told.contains("isn't unique"), "{told}");
    }
}

/// A flag's type, where there is it, yes, no, and another yes.
type Flagged<'a> = (&'a str, &'a [Kind], &'a str, &'a str, &'a str);

/// Yes and no in the type that a column has: read, written, and made.
pub(crate) async fn flags_are_read_and_written_in_their_type<P: Place>(place: &P) {
    let (hashers, pool) = hashing();
    let cases: &[Flagged] = &[
        ("boolean", ALL, "true", "false", "true"),
        ("smallint", ALL, "1", "0", "2"),
        ("integer", ALL, "1", "0", "-1"),
        ("bigint", ALL, "1", "0", "7"),
        ("numeric(3,1)", ALL, "1", "0", "0.5"),
        ("tinyint(1)", &[Sqlite, Mysql], "1", "0", "2"),
        ("bit(1)", &[Postgres], "B'1'", "B'0'", "B'1'"),
        ("bit(1)", &[Mysql], "b'1'", "b'0'", "b'1'"),
        ("bit(8)", &[Mysql], "b'1'", "b'0'", "b'110000'"),
    ];
    for (at, (declared, kinds, yes, no, also)) in cases.iter().enumerate() {
        if !kinds.contains(&P::KIND) {
            continue;
        }
        let t = format!("flags_{at}");
        let id = match P::KIND {
            Sqlite => "id integer NOT NULL PRIMARY KEY AUTOINCREMENT",
            Postgres => "id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY",
            Mysql => "id integer NOT NULL PRIMARY KEY AUTO_INCREMENT",
        };
        place
            .run(&format!(
                "CREATE TABLE {t} ({id}, name varchar(20) NOT NULL UNIQUE, \
                 password varchar(128) NOT NULL, active {declared}, staff {declared}, \
                 root {declared})"
            ))
            .await;
        for (name, active, staff, root) in
            [("yes", yes, no, yes), ("no", no, yes, no), ("also", also, also, also)]
        {
            place
                .run(&format!(
                    "INSERT INTO {t} (name, password, active, staff, root) \
                     VALUES ('{name}', '', {active}, {staff}, {root})"
                ))
                .await;
        }
        place.run(&format!("INSERT INTO {t} (name, password) VALUES ('null', '')")).await;
        let table = UserTable {
            is_active: Some("active".into()),
            is_staff: Some("staff".into()),
            is_superuser: Some("root".into()),
            ..people(&t, "name")
        };
        let users = place.open(table, pool.clone()).await.unwrap();
        let flags = async |name: &str| {
            let user = users.by_username(name).await.unwrap().unwrap();
            (user.is_active, user.is_staff, user.is_superuser)
        };
        assert_eq!(flags("yes").await, (true, false, true), "{declared}");
        assert_eq!(flags("no").await, (false, true, false), "{declared}");
        assert_eq!(flags("also").await, (true, true, true), "{declared}");
        assert_eq!(flags("null").await, (false, false, false), "{declared}");
        users.set_active("yes", false).await.unwrap();
        assert_eq!(flags("yes").await, (false, false, true), "{declared}");
        users.set_active("yes", true).await.unwrap();
        assert_eq!(flags("yes").await, (true, false, true), "{declared}");
        let new = NewUser {
            username: "new".into(),
            password: hashers.encode("pw").unwrap(),
            is_staff: true,
            ..NewUser::default()
        };
        users.create_user(new, NOW).await.unwrap();
        assert_eq!(flags("new").await, (true, true, false), "{declared}");
    }
    // 'Y', 't', 'active': which word is yes?
    place
        .run(
            "CREATE TABLE words (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL \
             UNIQUE, password varchar(128) NOT NULL, active char(1) NOT NULL)",
        )
        .await;
    let table = UserTable { is_active: Some("active".into()), ..people("words", "name") };
    let told = place.open(table, pool).await.unwrap_err();
    assert!(told.contains("\"active\" of the table \"words\" has the type"), "{told}");
}

/// One test for each of the lists above.
macro_rules! columns_tests {
    ($place:expr) => {
        #[tokio::test]
        async fn what_users_are_found_by_is_unique() {
            crate::support::columns::what_users_are_found_by_is_unique(&$place).await;
        }

        #[tokio::test]
        async fn users_may_be_a_view() {
            crate::support::columns::users_may_be_a_view(&$place).await;
        }

        #[tokio::test]
        async fn nobody_is_taken_for_another() {
            crate::support::columns::nobody_is_taken_for_another(&$place).await;
        }

        #[tokio::test]
        async fn login_names_are_compared_by_the_columns_type() {
            crate::support::columns::login_names_are_compared_by_the_columns_type(&$place).await;
        }

        #[tokio::test]
        async fn names_are_stored_in_the_columns_type() {
            crate::support::columns::names_are_stored_in_the_columns_type(&$place).await;
        }

        #[tokio::test]
        async fn the_keys_type_is_the_columns() {
            crate::support::columns::the_keys_type_is_the_columns(&$place).await;
        }

        #[tokio::test]
        async fn registered_tokens_refer_to_the_key() {
            crate::support::columns::registered_tokens_refer_to_the_key(&$place).await;
        }

        #[tokio::test]
        async fn flags_are_read_and_written_in_their_type() {
            crate::support::columns::flags_are_read_and_written_in_their_type(&$place).await;
        }
    };
}
pub(crate) use columns_tests;
