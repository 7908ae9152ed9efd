//! Users in a custom table, over a connection that the application already has: here `members` in
//! SQLite, with e-mail addresses as login names and argon2id hashes.
//!
//! ```sh
//! cargo run --example custom_user_store --features axum,sqlite
//! curl -d email=alice@example.com -d password=wonderland http://127.0.0.1:8000/api/token/
//! curl -H "Authorization: Bearer …" http://127.0.0.1:8000/me
//! ```

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::get;
use rusqlite::{Connection, OptionalExtension as _, params};
use simplejwt::async_trait;
use simplejwt::users::password::{Hasher, Hashers, HashingPool, PoolOptions};
use simplejwt::web::axum::{CurrentUser, RouterOptions, router_with};
use simplejwt::{Auth, Credentials, Settings, StoreError, Tokens, User, UserId, UserStore};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

const TABLE: &str =
    "CREATE TABLE members (id INTEGER PRIMARY KEY, email TEXT UNIQUE COLLATE NOCASE,
                                       hash TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1)";

/// The application's members, and the threads that compute their hashes.
#[derive(Clone)]
struct Members {
    connection: Arc<Mutex<Connection>>,
    pool: HashingPool,
}

impl Members {
    /// Returns the member whose `column` has this value.
    async fn by(
        &self,
        column: &'static str,
        value: String,
    ) -> Result<Option<User>, rusqlite::Error> {
        let connection = Arc::clone(&self.connection);
        let look = move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let query = format!("SELECT id, email, hash, active FROM members WHERE {column} = ?");
            connection
                .query_row(&query, params![value], |row| {
                    let mut user =
                        User::new(row.get::<_, i64>(0)?.to_string(), row.get::<_, String>(1)?);
                    user.password = row.get(2)?;
                    user.is_active = row.get(3)?;
                    Ok(user)
                })
                .optional()
        };
        spawn_blocking(look).await.unwrap_or(Err(rusqlite::Error::InvalidQuery))
    }
}

#[async_trait]
impl UserStore for Members {
    async fn authenticate(&self, sent: &Credentials) -> Result<Option<User>, StoreError> {
        let failed = |error| StoreError::unavailable("authenticate", error);
        let member = self.by("email", sent.username.clone()).await.map_err(failed)?;
        // Computes a hash even without a member, and for just as long for one who is refused
        // whatever the password, so that response times don't reveal who exists.
        let (password, pool) = (sent.password.clone(), &self.pool);
        let checked = match &member {
            Some(member) if member.is_active => {
                pool.verify(password, Some(member.password.clone())).await
            }
            Some(member) => pool.verify_refused(password, member.password.clone()).await,
            None => pool.verify(password, None).await,
        };
        let checked = checked.map_err(|error| StoreError::unavailable("authenticate", error))?;
        Ok(member.filter(|member| checked.is_correct() && member.is_active))
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let found = self.by("id", id.as_str().to_owned()).await;
        let found = found.map_err(|error| StoreError::unavailable("find", error))?;
        // SQLite treats `01` as the same number, which would give a user several ids.
        Ok(found.filter(|member| member.id == *id))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hashers = Hashers::new([Hasher::Argon2])?;
    let pool = HashingPool::new(hashers, PoolOptions::default())?;
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(TABLE)?;
    let hash = pool.encode("wonderland".to_owned().into()).await?;
    let insert = "INSERT INTO members (email, hash) VALUES ('alice@example.com', ?)";
    connection.execute(insert, [hash])?;
    let members = Members { connection: Arc::new(Mutex::new(connection)), pool };

    let settings = Settings {
        signing_key: Some("the key of an example, which everybody knows".into()),
        ..Settings::default()
    };
    let auth = Auth::new(Tokens::new(settings)?).with_users(members);
    let options = RouterOptions { username_field: "email".into(), ..RouterOptions::default() };
    let app = Router::new()
        .route("/me", get(|CurrentUser(user): CurrentUser| async move { user.username }))
        .merge(router_with(auth.clone(), &options))
        .with_state(auth);
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

/// Tests the store against the contract, in some thirty lines; needs `features = ["testing"]` in
/// `[dev-dependencies]`.
#[cfg(all(test, feature = "testing"))]
mod tests {
    use simplejwt::users::conformance::{self, Abilities, Fixture, LoginNames, TestUser};

    use super::*;

    /// The table, for the suite.
    struct Table(Arc<Mutex<Connection>>);

    #[async_trait]
    impl Fixture for Table {
        fn abilities(&self) -> Abilities {
            // The column's collation considers ALICE@EXAMPLE.COM equal.
            Abilities {
                login_names: LoginNames::ByColumn,
                domain: "@example.com",
                ..Abilities::default()
            }
        }
        async fn open(&self, pool: HashingPool, _allow_inactive: bool) -> Arc<dyn UserStore> {
            Arc::new(Members { connection: Arc::clone(&self.0), pool })
        }
        async fn add(&self, user: &TestUser) -> UserId {
            let connection = self.0.lock().unwrap();
            let insert = "INSERT INTO members (email, hash, active) VALUES (?, ?, ?)";
            connection.execute(insert, params![user.name, user.hash, user.is_active]).unwrap();
            connection.last_insert_rowid().to_string().into()
        }
        async fn change(&self, id: &UserId, user: &TestUser) {
            let update = "UPDATE members SET email = ?, hash = ?, active = ? WHERE id = ?";
            let row = params![user.name, user.hash, user.is_active, id.as_str()];
            self.0.lock().unwrap().execute(update, row).unwrap();
        }
        async fn delete(&self, id: &UserId) {
            let delete = "DELETE FROM members WHERE id = ?";
            self.0.lock().unwrap().execute(delete, [id.as_str()]).unwrap();
        }
        async fn take_away(&self) -> bool {
            self.0.lock().unwrap().execute_batch("DROP TABLE members").unwrap();
            true
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn members_conform() {
        let make = || async {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(TABLE).unwrap();
            Table(Arc::new(Mutex::new(connection)))
        };
        conformance::all(make, |task| drop(tokio::spawn(task))).await;
    }
}
