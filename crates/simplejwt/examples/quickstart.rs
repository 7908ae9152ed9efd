//! The tutorial's application: users in a database, tokens for them, and a route that needs a
//! token.
//!
//! ```sh
//! cargo run --example quickstart --features axum,sqlite
//! ```
//!
//! It creates `quickstart.sqlite3` with the user alice, prints a password for her, and listens on
//! `127.0.0.1:8000` (or on the address in its first argument). Then:
//!
//! ```sh
//! curl -d username=alice -d password=… http://127.0.0.1:8000/api/token/
//! curl -H "Authorization: Bearer …" http://127.0.0.1:8000/api/hello/
//! curl -d refresh=… http://127.0.0.1:8000/api/token/refresh/
//! curl -d refresh=… http://127.0.0.1:8000/api/token/logout/
//! ```

use std::error::Error;

use axum::Router;
use axum::routing::get;
use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageUsers as _, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions, random_password};
use simplejwt::web::axum::{CurrentUser, router};
use simplejwt::{Auth, Clock as _, Settings, SystemClock, Tokens};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::var("DATABASE").unwrap_or("quickstart.sqlite3".into());
    let database = SqliteDatabase::open_or_create(file, SqliteOptions::default())?;
    let table = UserTable::default();
    migrate::apply(&database, &table, SystemClock.now()).await?;
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let users = SqliteUsers::open(&database, table.clone(), pool.clone(), UserOptions::default())?;
    if users.by_username("alice").await?.is_none() {
        let password = random_password(16);
        println!("alice's password: {}", password.as_str());
        let password = pool.encode(password).await?;
        let alice = NewUser { username: "alice".into(), password, ..NewUser::default() };
        users.create_user(alice, &Cause::at(SystemClock.now())).await?;
    }

    let settings = Settings {
        // A real key is secret: 32 random bytes, from a file or the environment.
        signing_key: Some("the key of an example, which everybody knows".into()),
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        token_blacklist: true,
        ..Settings::default()
    };
    let auth = Auth::new(Tokens::new(settings)?)
        .with_users(users)
        .with_sessions(SqliteStore::open(&database, &table)?);
    auth.check()?;

    let app =
        Router::new().route("/api/hello/", get(hello)).merge(router(auth.clone())).with_state(auth);
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn hello(CurrentUser(user): CurrentUser) -> String {
    format!("Hello, {}!", user.username)
}
