//! Tables of Django's beside those that are made here.

use simplejwt::TokenStore as _;
use simplejwt::event::{Act, Cause};
use simplejwt::sql::schema::SchemaError;
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::sqlite::{SqliteStore, migrate};
use simplejwt::store::Rotation;

use super::{DJANGO, NOW, OURS, TABLES, made_by, raw, schema, token};

#[tokio::test]
async fn what_is_made_here_is_what_django_makes() {
    let (_there, ours) = made_by("");
    let (_here, django) = made_by(DJANGO);
    let steps = migrate::apply(&ours, &UserTable::default(), NOW).await.unwrap();
    let made: Vec<_> = steps.iter().map(|step| step.table).collect();
    assert_eq!(made[..4], TABLES[..4]);
    assert_eq!(made[4..], OURS);
    for table in TABLES {
        let expected = schema(&raw(&django), table);
        assert!(!expected.is_empty());
        let mut made = schema(&raw(&ours), table);
        made.retain(|(name, _)| name != OURS[1]);
        assert_eq!(made, expected);
    }
    let recorded: Vec<(String, String)> = raw(&ours)
        .prepare("SELECT name, applied_at FROM simplejwt_migrations ORDER BY name")
        .unwrap()
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let names: Vec<_> = recorded.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "0001_auth_user",
            "0002_outstanding_token",
            "0003_blacklisted_token",
            "0004_auth_permission",
            "0005_session",
            "0006_expires_at",
            "0007_refresh_session",
            "0008_signing_key",
            "0009_throttle",
        ]
    );
    assert_eq!(recorded[0].1, "2026-01-02 03:04:05.678901");

    assert_eq!(migrate::plan(&ours, &UserTable::default()).unwrap(), []);
    assert_eq!(migrate::apply(&ours, &UserTable::default(), NOW).await.unwrap(), []);
}

#[tokio::test]
async fn a_database_of_djangos_is_used_as_it_is() {
    let (_directory, database) = made_by(DJANGO);
    let users = UserTable::default();
    let before = TABLES.map(|table| schema(&raw(&database), table));
    let steps = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(steps.iter().map(|step| step.table).collect::<Vec<_>>(), OURS);
    for (table, before) in TABLES.iter().zip(before) {
        let mut after = schema(&raw(&database), table);
        after.retain(|(name, _)| name != OURS[1]);
        assert_eq!(after, before, "{table} was changed");
    }

    let store = SqliteStore::open(&database, &users).unwrap();
    let (live, spent) = ("5c0e1d2f3a4b4c5d8e9f0a1b2c3d4e5f", "6c0e1d2f3a4b4c5d8e9f0a1b2c3d4e5f");
    assert!(!store.is_blacklisted(live).await.unwrap());
    assert!(store.is_blacklisted(spent).await.unwrap());
    let rotation =
        store.rotate(&token(spent, "1"), &token("x", "1"), &Cause::at(NOW)).await.unwrap().outcome;
    assert_eq!(rotation, Rotation::Replayed);
    let rotation = store
        .rotate(&token(live, "1"), &token("next", "1"), &Cause::at(NOW))
        .await
        .unwrap()
        .outcome;
    assert_eq!(rotation, Rotation::Rotated);
    store.record(&token("gone", "999"), &Act::at(NOW)).await.unwrap();

    type Row = (String, String, String, Option<i64>, String, i64);
    let rows: Vec<Row> = raw(&database)
        .prepare(
            "SELECT token, created_at, expires_at, user_id, jti, id \
             FROM token_blacklist_outstandingtoken WHERE id > 2 ORDER BY id",
        )
        .unwrap()
        .query_map((), |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let (created, expires) = ("2026-01-02 03:04:05.678901", "2026-01-02 03:05:05");
    let row = |jti: &str, user, id| {
        let token = format!("header.{jti}.signature");
        (token, created.to_owned(), expires.to_owned(), user, jti.to_owned(), id)
    };
    assert_eq!(rows, [row("next", Some(1), 3), row("gone", None, 4)]);
    let blacklisted: (String, i64) = raw(&database)
        .query_row(
            "SELECT blacklisted_at, token_id FROM token_blacklist_blacklistedtoken WHERE id = 2",
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(blacklisted, (created.to_owned(), 1));
    let problems: i64 = raw(&database)
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", (), |row| row.get(0))
        .unwrap();
    assert_eq!(problems, 0);
}

#[tokio::test]
async fn tokens_of_a_custom_user_model() {
    let (_directory, database) = made_by(
        "CREATE TABLE accounts_user (uid char(32) NOT NULL PRIMARY KEY, email varchar(254) \
         NOT NULL UNIQUE, pw varchar(128) NOT NULL);\
         INSERT INTO accounts_user VALUES ('0123456789abcdef0123456789abcdef', 'a@b.c', '!')",
    );
    let users = UserTable {
        table: "accounts_user".into(),
        primary_key: "uid".into(),
        key: Some(KeyKind::Uuid),
        login: "email".into(),
        password: "pw".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    };
    let steps = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(steps.len(), 2 + OURS.len(), "auth_user isn't needed");
    let store = SqliteStore::open(&database, &users).unwrap();
    let alice = "01234567-89ab-cdef-0123-456789abcdef";
    store.record(&token("a", alice), &Act::at(NOW)).await.unwrap();
    store.record(&token("b", "11111111-1111-1111-1111-111111111111"), &Act::at(NOW)).await.unwrap();
    store.record(&token("c", "1"), &Act::at(NOW)).await.unwrap();
    let stored: Vec<Option<String>> = raw(&database)
        .prepare("SELECT user_id FROM token_blacklist_outstandingtoken ORDER BY jti")
        .unwrap()
        .query_map((), |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(stored, [Some("0123456789abcdef0123456789abcdef".into()), None, None]);
    assert_eq!(store.blacklist_all(&alice.into(), NOW).await.unwrap(), 1);

    // By a column that isn't the key: what is stored is the key all the same.
    let by_email = UserTable { user_id_field: "email".into(), ..users };
    let store = SqliteStore::open(&database, &by_email).unwrap();
    store.record(&token("d", "a@b.c"), &Act::at(NOW)).await.unwrap();
    assert_eq!(store.blacklist_all(&"a@b.c".into(), NOW).await.unwrap(), 1);
    assert!(store.is_blacklisted("d").await.unwrap());
}

#[tokio::test]
async fn django_is_told_once_what_was_made_here() {
    let (_directory, database) = made_by(
        "CREATE TABLE django_content_type (id integer NOT NULL PRIMARY KEY, name varchar(100) NOT NULL, \
         app_label varchar(100) NOT NULL, model varchar(100) NOT NULL)",
    );
    let users = UserTable::default();
    let tell = async |blacklist| migrate::for_django(&database, &users, blacklist, NOW).await;
    assert!(matches!(tell(true).await.unwrap_err(), SchemaError::DjangosOwn { .. }));
    migrate::apply(&database, &users, NOW).await.unwrap();
    let told = tell(false).await.unwrap();
    assert_eq!((told.len(), told[0].as_str()), (14, "contenttypes.0001_initial"));
    // A run of Django's that stopped at our tables had left this.
    let columns = "SELECT group_concat(name) FROM pragma_table_info('django_content_type')";
    let columns: String = raw(&database).query_row(columns, (), |row| row.get(0)).unwrap();
    assert_eq!(columns, "id,app_label,model");
    assert!(tell(false).await.unwrap().is_empty());
    raw(&database).execute("DELETE FROM django_migrations WHERE app = 'auth'", ()).unwrap();
    assert_eq!(tell(true).await.unwrap().len(), 24);
    assert!(tell(true).await.unwrap().is_empty());
    let (_other, django) = made_by(DJANGO);
    migrate::apply(&django, &users, NOW).await.unwrap();
    let refused = migrate::for_django(&django, &users, true, NOW).await.unwrap_err();
    assert!(matches!(refused, SchemaError::DjangosOwn { .. }), "{refused}");
}
