//! A store under test with its hashers.

use std::sync::Arc;

use super::fixture::{Abilities, Fixture, TestUser};
use crate::clock::Timestamp;
use crate::suite::{broken, good};
use crate::users::password::{
    Hasher, Hashers, HashingPool, Parameters, PoolOptions, Rehash, ScryptCost,
};
use crate::users::{Credentials, User, UserId, UserStore};

pub(super) const PASSWORD: &str = "correct horse";
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);

/// Returns hashers that make the first kind and verify all of them.
pub(super) fn hashers(list: &[Hasher]) -> Hashers {
    // Low costs, for tests.
    let scrypt = ScryptCost { work_factor: 16, block_size: 8, parallelism: 1 };
    let cheap =
        Parameters { pbkdf2_iterations: 10, bcrypt_rounds: 6, scrypt, ..Parameters::default() };
    let hashers = Hashers::new(list.iter().copied());
    match hashers.and_then(|hashers| hashers.with_parameters(cheap)) {
        Ok(hashers) => hashers,
        Err(error) => broken(&format!("the suite's hashers: {error}")),
    }
}

/// The usual hashers, whose new hashes are cheap. MD5 hashes are outdated for them, and bcrypt
/// hashes costlier.
pub(super) fn usual() -> Hashers {
    hashers(&[Hasher::Pbkdf2Sha256, Hasher::Md5, Hasher::BcryptSha256])
}

/// The same for a store that leaves hashes as they are.
pub(super) fn keeping() -> Hashers {
    usual().with_rehash(Rehash::Never)
}

pub(super) fn encoded(hasher: Hasher, password: &str) -> String {
    match hashers(&[hasher]).encode(password) {
        Ok(hash) => hash,
        Err(error) => broken(&format!("the suite's hashes: {error}")),
    }
}

/// Returns a hash that needn't be rewritten.
pub(super) fn current(password: &str) -> String {
    encoded(Hasher::Pbkdf2Sha256, password)
}

/// Returns a hash that a store that rewrites hashes rewrites at login.
pub(super) fn outdated(password: &str) -> String {
    encoded(Hasher::Md5, password)
}

pub(super) fn pool(hashers: &Hashers, options: PoolOptions) -> HashingPool {
    match HashingPool::new(hashers.clone(), options) {
        Ok(pool) => pool,
        Err(error) => broken(&format!("the suite's threads: {error}")),
    }
}

pub(super) struct Site<'a, F> {
    pub(super) fixture: &'a F,
    pub(super) abilities: Abilities,
    pub(super) hashers: Hashers,
    pub(super) pool: HashingPool,
    pub(super) users: Arc<dyn UserStore>,
}

impl<'a, F: Fixture> Site<'a, F> {
    pub(super) async fn new(fixture: &'a F, hashers: Hashers) -> Self {
        Self::open(fixture, hashers, false).await
    }

    pub(super) async fn open(fixture: &'a F, hashers: Hashers, allow_inactive: bool) -> Self {
        let pool = pool(&hashers, PoolOptions { threads: 1, waiting: 64 });
        let users = fixture.open(pool.clone(), allow_inactive).await;
        Self { fixture, abilities: fixture.abilities(), hashers, pool, users }
    }

    /// Returns a login name as stored in the table.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{name}{}", self.abilities.domain)
    }

    /// Returns a user of this name, who isn't in the table yet.
    pub(super) fn user(&self, name: &str, hash: &str) -> TestUser {
        TestUser::new(self.name(name), hash)
    }

    /// Adds a user of this name.
    pub(super) async fn add(&self, name: &str, hash: &str) -> UserId {
        self.fixture.add(&self.user(name, hash)).await
    }

    /// Logs in with exactly this name.
    pub(super) async fn login(&self, name: &str, password: &str) -> Option<User> {
        good(self.users.authenticate(&Credentials::new(name, password)).await)
    }

    pub(super) async fn find(&self, id: &UserId) -> Option<User> {
        good(self.users.find(id).await)
    }

    /// Returns the user, who must exist.
    pub(super) async fn found(&self, id: &UserId) -> User {
        self.find(id).await.unwrap_or_else(|| broken("a user who is there isn't found"))
    }
}
