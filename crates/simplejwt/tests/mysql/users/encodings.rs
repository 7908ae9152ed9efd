//! Texts that the database, or its character set, has no place for.

use simplejwt::event::Cause;
use simplejwt::mysql::{MysqlStore, migrate};
use simplejwt::sql::manage::{ManageError, ManageUsers};
use simplejwt::sql::table::UserTable;
use simplejwt::store::TokenStore as _;
use simplejwt::store::session::SessionStore as _;
use simplejwt::users::{Credentials, UserStore as _};

use super::new;
use crate::support::mysql::{NOW, World, users};

/// Databases as Django's were for years: what their character set lacks is nobody's.
#[tokio::test]
async fn what_the_databases_character_set_lacks_is_no_failure() {
    for (charset, name, foreign) in
        [("utf8mb3", "Зоя", "😀"), ("latin1", "Zoë", "Зоя"), ("ascii", "Zoe", "Zoë€")]
    {
        let world = World::new().await;
        world.run(&format!("ALTER DATABASE {} CHARACTER SET {charset}", world.name)).await;
        let database = world.database().await;
        let table = UserTable::default();
        migrate::apply(&database, &table, NOW).await.unwrap();
        let users = users(&database, table.clone()).await;
        let store = MysqlStore::open(&database, &table).await.unwrap();
        let user = users.create_user(new(name, "pw"), &Cause::at(NOW)).await.unwrap().outcome;
        assert_eq!(user.username, name, "{charset}");
        let login = async |name: &str| users.authenticate(&Credentials::new(name, "pw")).await;
        assert_eq!(login(name).await.unwrap().unwrap().id, user.id, "{charset}");
        for other in [foreign, "😀", "\0", "日本😀"] {
            assert_eq!(login(other).await.unwrap(), None, "{charset} {other:?}");
            assert!(!store.is_blacklisted(other).await.unwrap(), "{charset} {other:?}");
            assert_eq!(store.session_of(other, None).await.unwrap(), None, "{charset} {other:?}");
            assert_eq!(store.sessions(&other.into(), NOW).await.unwrap(), [], "{charset}");
            let error = users.set_active(other, true, &Cause::at(NOW)).await.unwrap_err();
            assert!(matches!(error, ManageError::NoSuchUser { .. }), "{charset} {error}");
        }
        let error = users.create_user(new(foreign, "pw"), &Cause::at(NOW)).await.unwrap_err();
        assert!(matches!(error, ManageError::UnstorableUsername { .. }), "{charset} {error}");
        let by_name = UserTable { user_id_field: "username".into(), ..table };
        let users = self::users(&database, by_name.clone()).await;
        assert_eq!(users.find(&name.into()).await.unwrap().unwrap().username, name);
        for other in [foreign, "😀", "\0"] {
            assert_eq!(users.find(&other.into()).await.unwrap(), None, "{charset} {other:?}");
            users.update_last_login(&other.into(), NOW).await.unwrap();
        }
        let store = MysqlStore::open(&database, &by_name).await.unwrap();
        assert_eq!(store.blacklist_all(&foreign.into(), NOW).await.unwrap(), 0, "{charset}");
    }
}
