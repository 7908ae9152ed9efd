//! Behind a gateway, programs in any language need no token code: the gateway asks this program who
//! sent a request (nginx's `auth_request`, forward-auth of Traefik and Caddy, Envoy's `ext_authz`),
//! and passes on the answer's `X-Auth-User` and `X-Auth-Department`.
//!
//! ```sh
//! cargo run --example gateway --features axum,passwords
//! curl -d username=alice -d password=wonderland http://127.0.0.1:8000/api/token/
//! curl -i -H "Authorization: Bearer …" http://127.0.0.1:8000/api/token/authenticate/
//! ```
//!
//! `docs/gateways.md` has the gateways' configuration. It must remove headers of these names that
//! clients send.

use std::error::Error as StdError;

use axum::Router;
use simplejwt::async_trait;
use simplejwt::settings::TokenClass;
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::web::axum::{RouterOptions, router_with};
use simplejwt::web::endpoint::{Authentication, GatewayOptions};
use simplejwt::{Auth, Claims, HookError, Hooks, Settings, Tokens, User};
use tokio::net::TcpListener;

#[derive(Debug)]
struct Department;

#[async_trait]
impl Hooks for Department {
    async fn extra_claims(
        &self,
        _: TokenClass,
        _: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        Ok(claims.set("department", "research")?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let users = MemoryUsers::new(pool.clone());
    let mut alice = User::new("1", "alice");
    alice.password = pool.encode("wonderland".to_owned().into()).await?;
    users.insert(alice);
    let settings = Settings {
        signing_key: Some("the key of an example, which everybody knows".into()),
        ..Settings::default()
    };
    let auth = Auth::new(Tokens::new(settings)?).with_users(users).with_hooks(Department);

    let gateway = GatewayOptions::default()
        .with_authentication(Authentication::Stateless)
        .with_header("X-Auth-Department", "department")?;
    let options = RouterOptions { gateway, ..RouterOptions::default() };
    let app: Router = router_with(auth, &options);
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
