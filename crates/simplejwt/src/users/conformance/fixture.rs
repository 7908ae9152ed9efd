//! The fixture by which an application gives the suite access to its table.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::suite::broken;
use crate::users::password::HashingPool;
use crate::users::{UserId, UserStore};

/// A user created by the suite. `Debug` omits the hash.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestUser {
    /// The login name: ASCII letters and digits, sometimes a space or an apostrophe, at most 30
    /// characters followed by [`Abilities::domain`].
    pub name: String,
    /// The stored password hash; at most 128 characters, or empty.
    pub hash: String,
    /// Inactive users can't log in unless the store is told to allow them.
    pub is_active: bool,
    /// `true` if the user may use Django's admin; set only with [`Abilities::flags`].
    pub is_staff: bool,
    /// `true` if the user has every permission; set only with [`Abilities::flags`].
    pub is_superuser: bool,
}

impl TestUser {
    pub(super) fn new(name: impl Into<String>, hash: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hash: hash.into(),
            is_active: true,
            is_staff: false,
            is_superuser: false,
        }
    }
}

impl fmt::Debug for TestUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestUser")
            .field("name", &self.name)
            .field("is_active", &self.is_active)
            .field("is_staff", &self.is_staff)
            .field("is_superuser", &self.is_superuser)
            .finish_non_exhaustive()
    }
}

/// The rule by which login names are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginNames {
    /// Names are equal if all their characters are.
    #[default]
    Exact,
    /// Names are equal if the column's type or collation says so. A name in another case, or with a
    /// space at its end, may log in the user whose name it is by those rules.
    ByColumn,
}

/// The type of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdType {
    /// Whole numbers.
    #[default]
    Integer,
    /// UUIDs, which may be written with or without hyphens, in either case.
    Uuid,
    /// Texts, which are compared exactly, whatever the collation considers equal.
    Text,
}

/// The abilities of a store beyond logging in and finding users. The default describes a store with
/// only the two required methods. A store with an ability that it doesn't declare breaks a rule,
/// too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// The rule by which login names are equal.
    pub login_names: LoginNames,
    /// The type of ids.
    pub ids: IdType,
    /// The suffix of every login name, such as `@example.com`.
    pub domain: &'static str,
    /// Users may be staff and superusers.
    pub flags: bool,
    /// The store can be told to allow inactive users to log in.
    pub inactive_login: bool,
    /// Logins rewrite outdated hashes.
    pub rehash: bool,
    /// [`UserStore::update_last_login`] and [`Fixture::last_login`] are implemented.
    pub last_login: bool,
    /// [`UserStore::groups`], [`UserStore::permissions`] and [`Fixture::grant`] are implemented.
    pub rights: bool,
    /// [`UserStore::survey_passwords`] is implemented, and the first login takes a survey.
    pub survey: bool,
}

/// A table of users for one rule, and the suite's access to it. Any failure in it panics.
///
/// [`add`](Self::add), [`change`](Self::change) and [`delete`](Self::delete) act like another
/// process: not through the store, and while one of its logins waits for a hash. A store that keeps
/// the row locked during that time holds up the suite, as it would its application.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// Opens a store over the table, which compares passwords with this pool: the suite counts its
    /// computations, and pauses it to change rows in the middle of a login. With
    /// `allow_inactive_login`, which is never set for a store without
    /// [`Abilities::inactive_login`], inactive users may log in.
    async fn open(&self, pool: HashingPool, allow_inactive_login: bool) -> Arc<dyn UserStore>;

    /// Creates a user, and returns the id.
    async fn add(&self, user: &TestUser) -> UserId;

    /// Replaces the contents of the user's row; the id stays.
    async fn change(&self, id: &UserId, user: &TestUser);

    /// Deletes the user.
    async fn delete(&self, id: &UserId);

    /// Returns the store's abilities.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// Returns the stored time of the user's last login; needed for [`Abilities::last_login`].
    async fn last_login(&self, _id: &UserId) -> Option<Timestamp> {
        broken("Abilities::last_login is declared: implement Fixture::last_login")
    }

    /// Puts the user into a group of this name, and gives a permission (`app_label.codename`) to
    /// the group, or to the user if there is no group; needed for [`Abilities::rights`]. Missing
    /// groups and permissions are created.
    async fn grant(&self, _id: &UserId, _group: Option<&str>, _permission: Option<&str>) {
        broken("Abilities::rights is declared: implement Fixture::grant")
    }

    /// Gives the first user the id of the second. Returns `false` if the table refuses that, as one
    /// does whose ids are its key.
    async fn share_id(&self, _id: &UserId, _with: &UserId) -> bool {
        false
    }

    /// Makes the table inaccessible to the store, so that every query fails. Returns `false` if
    /// that isn't possible, as in memory.
    async fn take_away(&self) -> bool {
        false
    }
}
