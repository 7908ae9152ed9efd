//! An API that checks tokens but doesn't issue any: it has only the public key, and no database.
//!
//! ```sh
//! VERIFYING_KEY="$(cat public.pem)" cargo run --example resource_server --features axum
//! curl -H "Authorization: Bearer …" http://127.0.0.1:8000/reports
//! ```
//!
//! The issuer has the private key: Django with `ALGORITHM = "ES256"`, or `simplejwt key generate
//! --algorithm ES256`. The first argument is the address to listen on.

use std::error::Error;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use simplejwt::web::layer::RequireAuthLayer;
use simplejwt::web::permission::HasClaim;
use simplejwt::{Access, Algorithm, Auth, Settings, Token, Tokens};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = std::env::var("VERIFYING_KEY").map_err(|_| "VERIFYING_KEY is not set")?;
    let auth = Auth::new(Tokens::new(Settings {
        algorithm: Algorithm::Es256,
        verifying_key: Some(key),
        ..Settings::default()
    })?);

    // Every route of this router needs a token; those of `editors` need one with a role.
    let editors = Router::new()
        .route("/drafts", get(|| async { "drafts" }))
        .layer(RequireAuthLayer::new(auth.clone()).permission(HasClaim::new("roles", "editor")));
    let app = Router::new().route("/reports", get(reports)).merge(editors).with_state(auth);
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn reports(token: Token<Access>) -> Json<Value> {
    Json(json!({"user": token.claims().str("user_id"), "reports": []}))
}
