//! Tables of users for the suite of user stores: the same on every database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use simplejwt::sql::manage::UserOptions;
use simplejwt::sql::table::UserTable;
use simplejwt::users::conformance::{Abilities, Fixture, IdType, LoginNames, TestUser};
use simplejwt::users::password::{Hashers, HashingPool};
use simplejwt::{Timestamp, UserId, UserStore};

use super::columns::{DatabaseKind, Tables};
use super::hashes;

/// A table with ids of a type.
pub(crate) struct People<P> {
    place: Arc<P>,
    ids: IdType,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    users: u64,
    /// Rows of the tables of groups and permissions.
    rows: u64,
    by_name: BTreeMap<String, u64>,
}

impl<P: Tables + Send + Sync + 'static> People<P> {
    /// Whole numbers are ids in Django's own table, which is there; others in one of an application's
    /// own. Without users.
    pub(crate) async fn new(place: Arc<P>, ids: IdType) -> Self {
        if ids == IdType::Integer {
            let tables = [
                "auth_user_user_permissions",
                "auth_user_groups",
                "auth_group_permissions",
                "auth_group",
                "auth_permission",
                "django_content_type",
                "token_blacklist_blacklistedtoken",
                "token_blacklist_outstandingtoken",
                "auth_user",
            ];
            place.run(&tables.map(|table| format!("DELETE FROM {table}")).join(";\n")).await;
        } else {
            let (id, moment) = match (P::KIND, ids) {
                (DatabaseKind::Postgres, IdType::Uuid) => ("uuid", "timestamptz"),
                (DatabaseKind::Postgres, _) => ("varchar(60)", "timestamptz"),
                (kind, IdType::Uuid) => ("char(32)", moment_of(kind)),
                (DatabaseKind::Mysql, _) => {
                    ("varchar(60) COLLATE utf8mb4_unicode_ci", "datetime(6)")
                }
                (kind, _) => ("varchar(60)", moment_of(kind)),
            };
            let exact = if P::KIND == DatabaseKind::Mysql { " COLLATE utf8mb4_bin" } else { "" };
            place
                .run(&format!(
                    "DROP TABLE IF EXISTS people;\nDROP TABLE IF EXISTS people_away;\n\
                     CREATE TABLE people (pk integer NOT NULL PRIMARY KEY, uid {id} NOT NULL, \
                     name varchar(150){exact} NOT NULL UNIQUE, password varchar(128) NOT NULL, \
                     is_active boolean NOT NULL, is_staff boolean NOT NULL, \
                     is_superuser boolean NOT NULL, last_login {moment} NULL);\n\
                     CREATE UNIQUE INDEX people_uid ON people (uid)"
                ))
                .await;
        }
        Self { place, ids, made: Mutex::default() }
    }

    fn table(&self) -> UserTable {
        match self.ids {
            IdType::Integer => UserTable::default(),
            IdType::Uuid | IdType::Text => UserTable {
                table: "people".into(),
                primary_key: "pk".into(),
                login: "name".into(),
                user_id_field: "uid".into(),
                ..UserTable::default()
            },
        }
    }

    /// The row of an id.
    fn only(&self, id: &UserId) -> String {
        match self.ids {
            IdType::Integer => format!("id = {id}"),
            IdType::Uuid => format!("uid = '{}'", id.as_str().replace('-', "")),
            IdType::Text => format!("uid = {}", quoted(id.as_str())),
        }
    }

    /// A number for something of this name, and whether it is a new one.
    fn number(&self, name: String) -> (u64, bool) {
        let mut made = self.made.lock().unwrap();
        let next = 9001 + made.by_name.len() as u64;
        match made.by_name.get(&name) {
            Some(number) => (*number, false),
            None => {
                made.by_name.insert(name, next);
                (next, true)
            }
        }
    }

    async fn link(&self, table: &str, columns: &str, ids: [u64; 2]) {
        let row = {
            let mut made = self.made.lock().unwrap();
            made.rows += 1;
            9000 + made.rows
        };
        let [first, second] = ids;
        let insert =
            format!("INSERT INTO {table} (id, {columns}) VALUES ({row}, {first}, {second})");
        self.place.run(&insert).await;
    }

    async fn permission(&self, name: &str) -> u64 {
        let (app, codename) = name.split_once('.').unwrap();
        let (content_type, is_new) = self.number(format!("app {app}"));
        if is_new {
            self.place
                .run(&format!(
                    "INSERT INTO django_content_type (id, app_label, model) \
                     VALUES ({content_type}, '{app}', 'thing')"
                ))
                .await;
        }
        let (permission, is_new) = self.number(format!("permission {name}"));
        if is_new {
            self.place
                .run(&format!(
                    "INSERT INTO auth_permission (id, content_type_id, codename, name) \
                     VALUES ({permission}, {content_type}, '{codename}', '')"
                ))
                .await;
        }
        permission
    }
}

fn moment_of(kind: DatabaseKind) -> &'static str {
    if kind == DatabaseKind::Mysql { "datetime(6)" } else { "datetime" }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The columns of a user, but for the key.
fn columns(user: &TestUser) -> [(&'static str, String); 5] {
    [
        ("name", quoted(&user.name)),
        ("password", quoted(&user.hash)),
        ("is_active", user.is_active.to_string()),
        ("is_staff", user.is_staff.to_string()),
        ("is_superuser", user.is_superuser.to_string()),
    ]
}

#[simplejwt::async_trait]
impl<P: Tables + Send + Sync + 'static> Fixture for People<P> {
    fn abilities(&self) -> Abilities {
        let is_djangos = self.ids == IdType::Integer;
        Abilities {
            login_names: match (P::KIND, is_djangos) {
                (DatabaseKind::Mysql, true) => LoginNames::ByColumn,
                _ => LoginNames::Exact,
            },
            ids: self.ids,
            // With it, no name ends in spaces, which MySQL's collations don't look at.
            domain: if is_djangos { "" } else { "@example.com" },
            flags: true,
            inactive_login: true,
            rehash: true,
            last_login: true,
            rights: is_djangos,
            survey: true,
        }
    }

    async fn open(&self, pool: HashingPool, allow_inactive_login: bool) -> Arc<dyn UserStore> {
        let options = UserOptions { allow_inactive_login, ..UserOptions::default() };
        Arc::new(self.place.open_with(self.table(), pool, options).await.unwrap())
    }

    async fn add(&self, user: &TestUser) -> UserId {
        let number = {
            let mut made = self.made.lock().unwrap();
            made.users += 1;
            made.users
        };
        let mut row = columns(user).map(|(name, value)| (name.to_owned(), value)).to_vec();
        let id = match self.ids {
            IdType::Integer => {
                row[0].0 = "username".into();
                for name in ["first_name", "last_name", "email"] {
                    row.push((name.into(), "''".into()));
                }
                row.push(("date_joined".into(), "'2026-01-02 03:04:05'".into()));
                row.push(("id".into(), number.to_string()));
                UserId::from(number.to_string())
            }
            IdType::Uuid => {
                let digits = format!("6f1c3a529a384d5e8a52{number:012x}");
                row.push(("uid".into(), quoted(&digits)));
                UserId::from(format!("6f1c3a52-9a38-4d5e-8a52-{number:012x}"))
            }
            IdType::Text => {
                let id = format!("Anna's Id {number}");
                row.push(("uid".into(), quoted(&id)));
                UserId::from(id)
            }
        };
        if self.ids != IdType::Integer {
            row.push(("pk".into(), number.to_string()));
        }
        let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        let table = self.table().table;
        let (names, values) = (names.join(", "), values.join(", "));
        self.place.run(&format!("INSERT INTO {table} ({names}) VALUES ({values})")).await;
        id
    }

    async fn change(&self, id: &UserId, user: &TestUser) {
        let UserTable { table, login, .. } = self.table();
        let set = columns(user).map(|(name, value)| match name {
            "name" => format!("{login} = {value}"),
            name => format!("{name} = {value}"),
        });
        let update = format!("UPDATE {table} SET {} WHERE {}", set.join(", "), self.only(id));
        self.place.run(&update).await;
    }

    async fn delete(&self, id: &UserId) {
        if self.ids == IdType::Integer {
            for table in ["auth_user_groups", "auth_user_user_permissions"] {
                self.place.run(&format!("DELETE FROM {table} WHERE user_id = {id}")).await;
            }
        }
        let table = self.table().table;
        self.place.run(&format!("DELETE FROM {table} WHERE {}", self.only(id))).await;
    }

    async fn last_login(&self, id: &UserId) -> Option<Timestamp> {
        let table = UserTable { columns: vec!["last_login".into()], ..self.table() };
        let pool = hashes::pool(&Hashers::default());
        let users = self.place.open_with(table, pool, UserOptions::default()).await.unwrap();
        let user = users.find(id).await.unwrap().unwrap();
        let noted: jiff::Timestamp = user.fields["last_login"].as_str()?.parse().unwrap();
        Some(Timestamp::from_micros(noted.as_microsecond()))
    }

    async fn grant(&self, id: &UserId, group: Option<&str>, permission: Option<&str>) {
        let user: u64 = id.as_str().parse().unwrap();
        let permission = match permission {
            Some(permission) => Some(self.permission(permission).await),
            None => None,
        };
        let Some(name) = group else {
            let columns = "user_id, permission_id";
            self.link("auth_user_user_permissions", columns, [user, permission.unwrap()]).await;
            return;
        };
        let (group, is_new) = self.number(format!("group {name}"));
        if is_new {
            let insert =
                format!("INSERT INTO auth_group (id, name) VALUES ({group}, {})", quoted(name));
            self.place.run(&insert).await;
        }
        if self.number(format!("{user} in {group}")).1 {
            self.link("auth_user_groups", "user_id, group_id", [user, group]).await;
        }
        if let Some(permission) = permission {
            let columns = "group_id, permission_id";
            self.link("auth_group_permissions", columns, [group, permission]).await;
        }
    }

    async fn share_id(&self, id: &UserId, with: &UserId) -> bool {
        if self.ids == IdType::Integer {
            return false;
        }
        let on = if P::KIND == DatabaseKind::Mysql { " ON people" } else { "" };
        self.place.run(&format!("DROP INDEX people_uid{on}")).await;
        let (other, same) = (self.only(id), self.only(with));
        self.place.run(&format!("UPDATE people SET {same} WHERE {other}")).await;
        true
    }

    async fn take_away(&self) -> bool {
        if self.ids == IdType::Integer {
            return false;
        }
        self.place.run("ALTER TABLE people RENAME TO people_away").await;
        true
    }
}
