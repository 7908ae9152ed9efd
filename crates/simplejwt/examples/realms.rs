//! Two issuers in one program: customers below `/customers`, staff below `/staff`. Each has its own
//! users and key, and refuses the other's tokens.
//!
//! ```sh
//! cargo run --example realms --features axum,passwords
//! curl -d username=alice -d password=wonderland http://127.0.0.1:8000/staff/api/token/
//! curl -H "Authorization: Bearer …" http://127.0.0.1:8000/staff/me
//! curl -H "Authorization: Bearer …" http://127.0.0.1:8000/customers/me    # 401
//! ```
//!
//! The first argument is an alternative address to listen on.

use std::error::Error;

use axum::Router;
use axum::routing::get;
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::web::axum::{CurrentUser, RouterOptions, router_with};
use simplejwt::{Algorithm, Auth, Settings, SigningKey, Tokens, User};
use tokio::net::TcpListener;

/// Returns the issuer with this name, and everything below its path.
async fn realm(name: &str, pool: &HashingPool) -> Result<Router, Box<dyn Error>> {
    let users = MemoryUsers::new(pool.clone());
    let mut alice = User::new("1", "alice");
    alice.password = pool.encode("wonderland".to_owned().into()).await?;
    users.insert(alice);
    let settings = Settings {
        // A key of its own, and an issuer, by which tokens are told apart even with the same key.
        signing_key: Some(SigningKey::generate(Algorithm::Hs256)?.as_str().into()),
        issuer: Some(format!("https://auth.example.com/{name}")),
        ..Settings::default()
    };
    let auth = Auth::new(Tokens::new(settings)?).with_users(users);
    let root_path = format!("/{name}");
    let options = RouterOptions { root_path, ..RouterOptions::default() };
    Ok(router_with(auth.clone(), &options)
        .route(&format!("/{name}/me"), get(me))
        // The extractors of these routes check tokens with this `Auth`.
        .with_state(auth))
}

async fn me(CurrentUser(user): CurrentUser) -> String {
    user.username
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let app = realm("customers", &pool).await?.merge(realm("staff", &pool).await?);
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
