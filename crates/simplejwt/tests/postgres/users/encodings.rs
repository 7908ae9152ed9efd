//! Texts that the database, or its encoding, has no place for.

use std::time::Duration;

use simplejwt::event::{Act, Cause};
use simplejwt::postgres::{PostgresStore, migrate};
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::{
    AccessClaims, EndEvent, EndReason, EndSessions, NewSession, RefreshOutcome, RetainUntil,
    SessionSelector,
};
use simplejwt::users::password::Hasher;
use simplejwt::{RevocationFeed as _, SessionStore as _, TokenStore as _, UserStore as _};

use super::{NOW, refresh, site, token};
use crate::support::postgres::{Database, execute};

/// PostgreSQL's texts hold no NUL: whatever has one is simply not there.
#[tokio::test]
async fn a_nul_character_is_no_failure_of_the_database() {
    let made = Database::migrated().await;
    let store = made.store().await;
    assert!(!store.is_blacklisted("a\0b").await.unwrap());
    assert_eq!(store.session("a\0b").await.unwrap(), None);
    assert_eq!(store.session_of("a\0b", None).await.unwrap(), None);
    assert_eq!(store.sessions(&"1\0".into(), NOW).await.unwrap(), []);
    assert_eq!(store.blacklist_all(&"1\0".into(), NOW).await.unwrap(), 0);
    for (id, user_id) in [("a\0b", None), ("a", Some("1\0".into()))] {
        let end = EndSessions {
            which: SessionSelector::One { id: id.into(), user_id },
            reason: EndReason::Logout,
            event: EndEvent::SessionsEnded,
            cause: Cause::at(NOW),
            retain_until: RetainUntil { refresh: NOW, access: NOW },
        };
        assert_eq!(store.end_sessions(&end).await.unwrap().outcome, 0, "{id:?}");
    }
    let claims = AccessClaims {
        session: None,
        jti: Some("a\0b".into()),
        user_id: Some("1\0".into()),
        issued_at: Some(NOW),
    };
    assert!(!store.is_revoked(&claims, NOW).await.unwrap());
    let claims = AccessClaims { session: Some("a\0b".into()), ..claims };
    assert!(store.is_revoked(&claims, NOW).await.unwrap(), "there is no such session");
}

/// Databases that aren't in UTF-8: what they can't hold is nobody's, and the login of whoever
/// has a browser with a name beyond them is a login.
#[tokio::test]
async fn what_the_databases_encoding_lacks_is_no_failure() {
    for (encoding, name) in [("LATIN1", "Zoë"), ("SQL_ASCII", "Zoë"), ("WIN1251", "Зоя")] {
        let database = Database::encoded(encoding).await;
        let connected = database.connect().await;
        let table = UserTable::default();
        migrate::apply(&connected, &table, NOW).await.unwrap();
        let store = PostgresStore::open(&connected, &table).await.unwrap();
        let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
        let password = site.hashers.encode("pw").unwrap();
        let new = NewUser { username: name.into(), password, ..NewUser::default() };
        let user = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap().outcome;
        assert_eq!(user.username, name, "{encoding}");
        assert_eq!(site.login(name, "pw").await.unwrap().id, user.id, "{encoding}");
        let foreign = ["😀", "日本", "Zo\0", "\0", "Ω"];
        for other in foreign {
            let before = site.hashers.computations();
            assert!(site.login(other, "pw").await.is_none(), "{encoding} {other:?}");
            assert_eq!(site.hashers.computations(), before + 1, "{encoding} {other:?}");
            assert_eq!(site.users.find(&other.into()).await.unwrap(), None);
            let error = site.users.set_active(other, true, &Cause::at(NOW)).await.unwrap_err();
            assert!(matches!(error, ManageError::NoSuchUser { .. }), "{encoding} {error}");
            assert!(!store.is_blacklisted(other).await.unwrap(), "{encoding}");
            assert_eq!(store.session_of(other, None).await.unwrap(), None, "{encoding}");
            assert_eq!(store.session(other).await.unwrap(), None, "{encoding}");
            assert_eq!(store.sessions(&other.into(), NOW).await.unwrap(), [], "{encoding}");
        }
        if encoding == "LATIN1" {
            let new = NewUser { username: "Зоя".into(), ..new };
            let error = site.users.create_user(new, &Cause::at(NOW)).await.unwrap_err();
            assert!(matches!(error, ManageError::UnstorableUsername { .. }), "{error}");
            let text = token("日本");
            let error = store.record(&text, &Act::at(NOW)).await.unwrap_err();
            assert_eq!(error.kind(), simplejwt::error::StoreErrorKind::Unstorable);
            let refused: simplejwt::Error = error.into();
            assert_eq!(refused.code(), "token_not_valid");
        }
        let later = NOW + Duration::from_secs(7200);
        let retain_until = RetainUntil { refresh: later, access: later };
        let agent = format!("Browser é € {}", "日".repeat(300));
        let client = simplejwt::store::session::Client::new(Some("192.0.2.1"), Some(&agent));
        let open = simplejwt::store::session::OpenSession {
            session: NewSession { id: "first".into(), user_id: user.id.clone(), password: None },
            token: token("first"),
            expires_at: later,
            limit: None,
            cause: Cause { client, ..Cause::at(NOW) },
            retain_until,
        };
        let opened = store.open(&open).await.unwrap();
        // What the database can't hold is left out there, and nowhere else.
        assert_eq!(opened.events[0].client, open.cause.client, "{encoding}");
        let mut next = refresh("first", "second", "");
        next.cause = open.cause.clone();
        next.session.password = None;
        let refreshed = store.refresh(&next).await.unwrap();
        assert_eq!(refreshed.outcome, RefreshOutcome::Refreshed, "{encoding}");
        assert_eq!(refreshed.events[0].client, open.cause.client, "{encoding}");
        let shown = store.sessions(&user.id, NOW).await.unwrap().remove(0).client;
        let expected = if encoding == "LATIN1" { "Browser é ? ?" } else { "Browser ? ? ?" };
        assert!(shown.user_agent.unwrap().starts_with(expected), "{encoding}");
        assert_eq!(shown.address.as_deref(), Some("192.0.2.1"));
    }
}

/// In `SQL_ASCII` a row may hold any bytes: it is no failure of the rows beside it.
#[tokio::test]
async fn rows_that_are_not_utf8_are_no_failure_of_others() {
    let database = Database::encoded("SQL_ASCII").await;
    let connected = database.connect().await;
    let table = UserTable { columns: vec!["first_name".into()], ..UserTable::default() };
    migrate::apply(&connected, &UserTable::default(), NOW).await.unwrap();
    let url = database.url.clone();
    let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
    let password = site.hashers.encode("pw").unwrap();
    let new = NewUser { username: "ann".into(), password, ..NewUser::default() };
    let ann = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap().outcome;
    let zoe = NewUser { username: "zoe".into(), ..new };
    let zoe = site.users.create_user(zoe, &Cause::at(NOW)).await.unwrap().outcome;
    // Latin-1, as another program has stored it.
    execute(
        &url,
        "SET client_encoding = 'SQL_ASCII'; \
         UPDATE auth_user SET username = 'zo' || chr(235), first_name = chr(200) || 'x' \
         WHERE username = 'zoe'",
    )
    .await;
    assert_eq!(site.login("ann", "pw").await.unwrap().id, ann.id);
    let names: Vec<_> =
        site.users.list(None, 9).await.unwrap().into_iter().map(|user| user.username).collect();
    assert_eq!(names, ["ann", "zo\u{fffd}"]);
    // Asked for at the same time, by one statement.
    let (found, other) = tokio::join!(site.users.find(&ann.id), site.users.find(&zoe.id));
    assert_eq!(found.unwrap().unwrap().username, "ann");
    assert_eq!(other.unwrap().unwrap().fields["first_name"], "\u{fffd}x");
    site.users.survey_passwords().await.unwrap();
}
