//! What an application tells the suite of its table.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::suite::broken;
use crate::users::password::HashingPool;
use crate::users::{UserId, UserStore};

/// A user whom the suite makes. `Debug` leaves the hash out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestUser {
    /// The login name: letters and digits of ASCII, here and there a space or an apostrophe, at most
    /// 30 characters and then [`Abilities::domain`].
    pub name: String,
    /// The stored password hash; 128 characters at most, or empty.
    pub hash: String,
    /// Inactive users can't log in unless the store is told to let them.
    pub is_active: bool,
    /// May use Django's admin; only asked for with [`Abilities::flags`].
    pub is_staff: bool,
    /// Has every permission; only asked for with [`Abilities::flags`].
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

/// Which login names are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginNames {
    /// Those that are equal, character by character.
    #[default]
    Exact,
    /// Those that the column takes for equal, by its type or its collation. A name in another case or
    /// with a space at its end may log in the user whose name it is by those rules.
    ByColumn,
}

/// What ids are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdType {
    /// Whole numbers.
    #[default]
    Integer,
    /// UUIDs, which may be written with or without hyphens, in either case.
    Uuid,
    /// Texts, which are compared exactly, whatever the collation takes for equal.
    Text,
}

/// What a store does beyond logging in and finding users. The default is a store with the two required
/// methods. A store that does what it doesn't declare breaks a rule, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Which login names are the same.
    pub login_names: LoginNames,
    /// What ids are.
    pub ids: IdType,
    /// What follows every login name, such as `@example.com`.
    pub domain: &'static str,
    /// Users may be staff and superusers.
    pub flags: bool,
    /// The store can be told to let inactive users log in.
    pub inactive_login: bool,
    /// Logins rewrite outdated hashes.
    pub rehash: bool,
    /// [`UserStore::update_last_login`] is implemented, and [`Fixture::last_login`] is.
    pub last_login: bool,
    /// [`UserStore::groups`] and [`UserStore::permissions`] are implemented, and [`Fixture::grant`]
    /// is.
    pub rights: bool,
    /// [`UserStore::survey_passwords`] is implemented, and the first login takes a survey.
    pub survey: bool,
}

/// A table of users for one rule, and how the suite gets at it. Whatever goes wrong in it panics.
///
/// [`add`](Self::add), [`change`](Self::change) and [`delete`](Self::delete) do what another process
/// would: not through the store, and while one of its logins waits for a hash. A store that keeps the
/// row locked for that long holds up the suite, as it does its application.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// A store over the table, which compares passwords by this pool: the suite counts what that
    /// computes, and holds it to change rows in the middle of a login. With `allow_inactive_login`,
    /// which a store without [`Abilities::inactive_login`] isn't asked for, inactive users log in.
    async fn open(&self, pool: HashingPool, allow_inactive_login: bool) -> Arc<dyn UserStore>;

    /// Makes a user, and answers the id.
    async fn add(&self, user: &TestUser) -> UserId;

    /// Puts this in the place of what the user's row says; the id stays.
    async fn change(&self, id: &UserId, user: &TestUser);

    /// Deletes the user.
    async fn delete(&self, id: &UserId);

    /// What the store does.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// When the user last logged in by what is stored; needed for [`Abilities::last_login`].
    async fn last_login(&self, _id: &UserId) -> Option<Timestamp> {
        broken("Abilities::last_login is declared: implement Fixture::last_login")
    }

    /// Puts the user into a group of this name, and gives a permission (`app_label.codename`) to the
    /// group, or to the user where there is no group; needed for [`Abilities::rights`]. Groups and
    /// permissions that aren't there are made.
    async fn grant(&self, _id: &UserId, _group: Option<&str>, _permission: Option<&str>) {
        broken("Abilities::rights is declared: implement Fixture::grant")
    }

    /// Gives the first user the id of the second; false where the table refuses that, as one does
    /// whose ids are its key.
    async fn share_id(&self, _id: &UserId, _with: &UserId) -> bool {
        false
    }

    /// Takes the table away from the store, so that nothing can be asked any more; false where it
    /// can't be taken, as in memory.
    async fn take_away(&self) -> bool {
        false
    }
}
