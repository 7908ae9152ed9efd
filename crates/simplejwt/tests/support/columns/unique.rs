//! What users are found by is unique, or somebody would be taken for another.

use simplejwt::Credentials;
use simplejwt::error::StoreErrorKind;
use simplejwt::sql::table::UserTable;
use simplejwt::users::password::HashingPool;

use super::DatabaseKind::{Mysql, Postgres, Sqlite};
use super::{ALL, DatabaseKind, Place, hashing, people};

/// Where an index may stand: behind the columns, or as a statement of its own.
enum Index {
    Within(&'static str),
    After(&'static str),
    None,
}
use Index::{After, Within};

/// What there is, where, and whether it makes the column unique.
type Indexed<'a> = (&'a str, &'a [DatabaseKind], Index, bool);

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
