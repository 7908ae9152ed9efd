//! Django's hashes, computed by threads of their own.

use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::{Auth, Tokens, User};

pub async fn users(tokens: Tokens) -> Result<Auth, Box<dyn std::error::Error>> {
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let mut alice = User::new("1", "alice");
    alice.password = pool.encode("wonderland".to_owned().into()).await?;
    let users = MemoryUsers::new(pool);
    users.insert(alice);
    Ok(Auth::new(tokens).with_users(users))
}
