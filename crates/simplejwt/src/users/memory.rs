//! Users in memory: for tests, examples and small tools.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::login::{Found, LoginRows, PasswordSample, Passwords};
use super::password::{HashingPool, PasswordSurvey};
use super::{Credentials, User, UserId, UserStore};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};

/// Users in this process's memory, keyed by login name. Clones share them.
///
/// ```
/// use simplejwt::users::memory::MemoryUsers;
/// use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
/// use simplejwt::{Credentials, User, UserStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hashers = Hashers::from_setting(["md5"])?; // no work: for examples only
/// let pool = HashingPool::new(hashers, PoolOptions::default())?;
/// let mut alice = User::new("1", "alice");
/// alice.password = pool.encode("secret".to_owned().into()).await?;
///
/// let users = MemoryUsers::new(pool);
/// users.insert(alice);
/// assert!(users.authenticate(&Credentials::new("alice", "secret")).await?.is_some());
/// assert!(users.authenticate(&Credentials::new("alice", "wrong")).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryUsers {
    users: Arc<Mutex<BTreeMap<String, Entry>>>,
    passwords: Passwords,
    allow_inactive_login: bool,
}

/// The maximum number of hashes in a sample.
const SAMPLE: usize = 200;

struct Entry {
    user: User,
    last_login: Option<Timestamp>,
    groups: BTreeSet<String>,
    permissions: BTreeSet<String>,
}

impl fmt::Debug for MemoryUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryUsers").field("users", &self.lock().len()).finish_non_exhaustive()
    }
}

impl MemoryUsers {
    /// Creates an empty store. Passwords are compared by the threads of `pool`.
    pub fn new(pool: HashingPool) -> Self {
        Self { users: Arc::default(), passwords: Passwords::new(pool), allow_inactive_login: false }
    }

    /// Lets inactive users log in, as Django's `AllowAllUsersModelBackend` does.
    #[must_use]
    pub fn allow_inactive_login(mut self, allow: bool) -> Self {
        self.allow_inactive_login = allow;
        self
    }

    /// Adds a user whose [`User::password`] is a hash. A user with the same login name is replaced,
    /// but its groups and permissions are kept.
    pub fn insert(&self, user: User) {
        let mut users = self.lock();
        let (groups, permissions) = match users.remove(&user.username) {
            Some(old) => (old.groups, old.permissions),
            None => (BTreeSet::new(), BTreeSet::new()),
        };
        let entry = Entry { last_login: None, groups, permissions, user };
        users.insert(entry.user.username.clone(), entry);
    }

    /// Sets the groups of the user with this login name, replacing any others.
    pub fn set_groups(&self, username: &str, groups: impl IntoIterator<Item = impl Into<String>>) {
        if let Some(entry) = self.lock().get_mut(username) {
            entry.groups = groups.into_iter().map(Into::into).collect();
        }
    }

    /// Sets the permissions of the user with this login name (`app_label.codename`), replacing any
    /// others. A superuser has every permission that any user here has been given.
    pub fn set_permissions(
        &self,
        username: &str,
        permissions: impl IntoIterator<Item = impl Into<String>>,
    ) {
        if let Some(entry) = self.lock().get_mut(username) {
            entry.permissions = permissions.into_iter().map(Into::into).collect();
        }
    }

    /// Removes the user with this login name.
    pub fn remove(&self, username: &str) -> Option<User> {
        self.lock().remove(username).map(|entry| entry.user)
    }

    /// Returns the time of the user's last login, if it was recorded.
    pub fn last_login(&self, username: &str) -> Option<Timestamp> {
        self.lock().get(username).and_then(|entry| entry.last_login)
    }

    /// Returns the user with this id. If several have it, the result is an error.
    fn by_id<'a>(
        users: &'a BTreeMap<String, Entry>,
        operation: &'static str,
        id: &UserId,
    ) -> Result<Option<&'a Entry>, StoreError> {
        let mut found = users.values().filter(|entry| entry.user.id == *id);
        match (found.next(), found.next()) {
            (found, None) => Ok(found),
            (_, Some(_)) => Err(StoreError::new(
                operation,
                StoreErrorKind::Incompatible,
                "several users have the same id",
            )),
        }
    }

    /// No operation can fail half-way and leave an inconsistent state.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LoginRows for MemoryUsers {
    type Key = String;

    async fn by_login(&self, name: &str) -> Result<Option<Found<String>>, StoreError> {
        let users = self.lock();
        Ok(users.get(name).map(|entry| Found { key: name.to_owned(), user: entry.user.clone() }))
    }

    async fn replace_hash(&self, found: &Found<String>, new: &str) -> Result<bool, StoreError> {
        let old = &found.user.password;
        let mut users = self.lock();
        match users.get_mut(&found.key) {
            Some(entry) if entry.user.password == *old => {
                entry.user.password = new.to_owned();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn password_sample(&self) -> Result<PasswordSample, StoreError> {
        let users = self.lock();
        let hashes = users.values().take(SAMPLE).map(|entry| entry.user.password.clone()).collect();
        Ok(PasswordSample { hashes, made_here: true })
    }
}

#[async_trait]
impl UserStore for MemoryUsers {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        self.passwords.authenticate(self, self.allow_inactive_login, credentials).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let users = self.lock();
        Ok(Self::by_id(&users, "find", id)?.map(|entry| entry.user.clone()))
    }

    async fn survey_passwords(&self) -> Result<PasswordSurvey, StoreError> {
        self.passwords.survey(self).await
    }

    async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(entry) = self.lock().values_mut().find(|entry| entry.user.id == *id) {
            entry.last_login = Some(at);
        }
        Ok(())
    }

    async fn groups(&self, id: &UserId) -> Result<Vec<String>, StoreError> {
        let users = self.lock();
        let found = Self::by_id(&users, "groups", id)?;
        Ok(found.map(|entry| entry.groups.iter().cloned().collect()).unwrap_or_default())
    }

    async fn permissions(&self, id: &UserId) -> Result<BTreeSet<String>, StoreError> {
        let users = self.lock();
        Ok(match Self::by_id(&users, "permissions", id)? {
            Some(Entry { user, .. }) if user.is_active && user.is_superuser => {
                users.values().flat_map(|entry| entry.permissions.iter().cloned()).collect()
            }
            Some(Entry { user, permissions, .. }) if user.is_active => permissions.clone(),
            _ => BTreeSet::new(),
        })
    }
}
