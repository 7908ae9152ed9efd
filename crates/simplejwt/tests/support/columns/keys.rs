//! Keys, what refers to them, and flags, in every type that their columns may have.

use simplejwt::event::Cause;
use simplejwt::sql::manage::NewUser;
use simplejwt::sql::table::{KeyKind, UserTable};

use super::DatabaseKind::{Mysql, Postgres, Sqlite};
use super::{ALL, DatabaseKind, HYPHENATED, NOBODY, NOW, Place, UUID, hashing, people};

/// A key's type, where there is it, what may be configured for it, a key as it is stored, and the
/// claim for it.
type Keyed<'a> = (&'a str, &'a [DatabaseKind], &'a [KeyKind], &'a str, &'a str);

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
type Flagged<'a> = (&'a str, &'a [DatabaseKind], &'a str, &'a str, &'a str);

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
        users.set_active("yes", false, &Cause::at(NOW)).await.unwrap();
        assert_eq!(flags("yes").await, (false, false, true), "{declared}");
        users.set_active("yes", true, &Cause::at(NOW)).await.unwrap();
        assert_eq!(flags("yes").await, (true, false, true), "{declared}");
        let new = NewUser {
            username: "new".into(),
            password: hashers.encode("pw").unwrap(),
            is_staff: true,
            ..NewUser::default()
        };
        users.create_user(new, &Cause::at(NOW)).await.unwrap();
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
