//! A page that logs in, calls the API, refreshes and logs out without ever seeing a token: the
//! browser keeps them in cookies, which scripts can't read and pages of other origins can't use.
//!
//! ```sh
//! cargo run --example cookies --features axum,passwords
//! ```
//!
//! Open <http://localhost:8000/> and log in as alice with the password wonderland. The first
//! argument is an alternative address to listen on.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use simplejwt::settings::{SessionSettings, Transport};
use simplejwt::store::memory::MemoryStore;
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::web::axum::{CurrentUser, router};
use simplejwt::{Auth, Settings, Tokens, User};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let users = MemoryUsers::new(pool.clone());
    let mut alice = User::new("1", "alice");
    alice.password = pool.encode("wonderland".to_owned().into()).await?;
    users.insert(alice);

    let settings = Settings {
        signing_key: Some("the key of an example, which everybody knows".into()),
        transport: Transport::Cookie,
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        token_blacklist: true,
        sessions: SessionSettings {
            // Twenty tabs may refresh at once.
            rotation_grace: Duration::from_secs(10),
            ..SessionSettings::default()
        },
        ..Settings::default()
    };
    let auth =
        Auth::new(Tokens::new(settings)?).with_users(users).with_sessions(MemoryStore::default());
    auth.check()?;

    let app = Router::new()
        .route("/", get(|| async { Html(include_str!("cookies.html")) }))
        .route("/api/hello/", get(hello))
        .merge(router(auth.clone()))
        .with_state(auth);
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn hello(CurrentUser(user): CurrentUser) -> String {
    format!("Hello, {}!", user.username)
}
