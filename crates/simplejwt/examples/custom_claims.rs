//! Custom claims, and a rule for who may log in: the equivalent of a Django serializer's
//! `get_token`, `USER_AUTHENTICATION_RULE` and `ON_LOGIN_SUCCESS`.
//!
//! ```sh
//! cargo run --example custom_claims --features passwords
//! ```

use std::collections::BTreeMap;
use std::error::Error as StdError;

use simplejwt::async_trait;
use simplejwt::settings::TokenClass;
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::{
    Access, Auth, Claims, Credentials, Error, HookError, Hooks, Settings, Token, Tokens, User,
};

/// The users' departments; in a real program, a table.
#[derive(Debug)]
struct Departments(BTreeMap<&'static str, &'static str>);

impl Departments {
    fn set(&self, user: &User, claims: &mut Claims) -> Result<(), HookError> {
        let department = self.0.get(user.username.as_str());
        Ok(claims.set("department", department)?)
    }
}

#[async_trait]
impl Hooks for Departments {
    /// Only members of a department may log in.
    fn may_authenticate(&self, _: &Settings, user: &User) -> bool {
        user.is_active && self.0.contains_key(user.username.as_str())
    }

    /// Called at login.
    async fn extra_claims(
        &self,
        _: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.set(user, claims)
    }

    /// Called at each refresh, so that a user who changes departments doesn't have to log in again.
    /// Without this method, claims stay as they were at login, as in Django.
    async fn refreshed_claims(
        &self,
        _: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.set(user, claims)
    }

    async fn on_login_success(&self, user: &User) {
        println!("{} has logged in", user.username);
    }

    async fn on_login_failed(&self, credentials: &Credentials) {
        println!("{} was refused", credentials.username);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let users = MemoryUsers::new(pool.clone());
    for (id, name) in [("1", "alice"), ("2", "mallory")] {
        let mut user = User::new(id, name);
        user.password = pool.encode("wonderland".to_owned().into()).await?;
        users.insert(user);
    }
    let settings = Settings {
        signing_key: Some("the key of an example, which everybody knows".into()),
        ..Settings::default()
    };
    let auth = Auth::new(Tokens::new(settings)?)
        .with_users(users)
        .with_hooks(Departments(BTreeMap::from([("alice", "research")])));

    let pair = auth.obtain_pair(&Credentials::new("alice", "wonderland")).await?;
    let token: Token<Access> = auth.authenticate(&pair.access.token).await?;
    println!("her department is {}", token.claims().str("department").unwrap_or_default());
    let refused = auth.obtain_pair(&Credentials::new("mallory", "wonderland")).await;
    assert!(matches!(refused, Err(Error::NoActiveAccount)));
    Ok(())
}
