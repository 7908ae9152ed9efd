//! Users: the contract of a user store, and its types.
//!
//! [`UserStore`] is the contract. An application implements it over its own tables; the SQL user
//! stores implement it over Django's `auth_user` or the table that the settings name.

#[cfg(all(feature = "passwords", any(test, feature = "testing")))]
pub mod conformance;
#[cfg(feature = "passwords")]
pub(crate) mod login;
#[cfg(feature = "passwords")]
pub mod memory;
#[cfg(feature = "passwords")]
pub mod password;
mod shared;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
pub use source::Source;

/// The value of the user's `USER_ID_FIELD`, in the canonical text form used in `USER_ID_CLAIM`:
/// `"1"`, a hyphenated lower-case UUID, or the text itself.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    /// Returns the id as written in the claim.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for UserId {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user, as far as tokens are concerned.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The value of `USER_ID_FIELD`.
    pub id: UserId,
    /// The value of the login field: `username`, or the field that the settings name.
    pub username: String,
    /// Inactive users can't log in, refresh or authenticate, unless the settings allow it.
    pub is_active: bool,
    /// `true` if the user may use Django's admin.
    pub is_staff: bool,
    /// `true` if the user has every permission.
    pub is_superuser: bool,
    /// The stored password hash, for `CHECK_REVOKE_TOKEN`; empty if the store has none. Secret:
    /// `Debug` omits it.
    pub password: String,
    /// The stored hash before this login rewrote it for the same password; `None` unless a login
    /// did. Secret, too.
    pub rehashed_from: Option<String>,
    /// Further columns of the row by name, if the store was configured to read them
    /// (`UserTable::columns`). Text, whole numbers, booleans and null are the same in JSON;
    /// decimals and UUIDs are strings, and a date or time is a string in ISO 8601, as DRF's fields
    /// write them. `Debug` omits them.
    pub fields: BTreeMap<String, serde_json::Value>,
}

impl User {
    /// Creates an active user without special rights and without a stored password hash.
    pub fn new(id: impl Into<UserId>, username: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            username: username.into(),
            is_active: true,
            is_staff: false,
            is_superuser: false,
            password: String::new(),
            rehashed_from: None,
            fields: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("is_active", &self.is_active)
            .field("is_staff", &self.is_staff)
            .field("is_superuser", &self.is_superuser)
            .finish_non_exhaustive()
    }
}

/// The credentials that a client sends to log in. `Debug` omits the password.
#[derive(Clone)]
pub struct Credentials {
    /// The value of the login field.
    pub username: String,
    /// The password exactly as sent: not trimmed, folded or cut.
    pub password: Zeroizing<String>,
    /// The address from which they were sent.
    address: Option<IpAddr>,
}

impl Credentials {
    /// Creates credentials from a login name and a password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        let password = Zeroizing::new(password.into());
        Self { username: username.into(), password, address: None }
    }

    /// Adds the address from which they were sent. [`Auth`](crate::Auth) adds that of its
    /// [client](crate::Auth::from_client).
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Returns the address from which they were sent, if it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Authenticates and finds users, as Django's authentication backends do.
///
/// # Contract
/// - [`authenticate`](Self::authenticate) returns `None` for an unknown user, a wrong password, an
///   unusable password, and an inactive user (unless the store is told to allow them, as Django's
///   `AllowAllUsersModelBackend` does). All of these take equal work.
/// - [`find`](Self::find) returns inactive users too; the flows decide. An id that the key's type
///   can't hold (`"abc"` for an integer key) is `None`, not an error.
/// - An error means that the question couldn't be answered, never that the answer is no.
/// - An id has a single spelling. A whole number or a text finds only the user with exactly that
///   id, whatever the database's collation considers equal. A UUID may be spelled differently; the
///   user that is found has it as in the claim.
/// - If several rows match, that is an error: none of them is picked.
///
/// `users::conformance` (feature `testing`) tests a store against this contract.
///
/// `Arc<T>` and `Box<T>` implement `UserStore` if `T` does, `Arc<dyn UserStore>` included.
///
/// ```
/// use simplejwt::{Credentials, StoreError, User, UserId, UserStore};
///
/// /// Users who log in elsewhere: their tokens come from there, and their rows are asked for here.
/// struct Members(std::collections::BTreeMap<UserId, User>);
///
/// #[simplejwt::async_trait]
/// impl UserStore for Members {
///     async fn authenticate(&self, _: &Credentials) -> Result<Option<User>, StoreError> {
///         Ok(None)
///     }
///     async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
///         Ok(self.0.get(id).cloned())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a user store",
    label = "`UserStore` isn't implemented for `{Self}`",
    note = "write `#[simplejwt::async_trait] impl UserStore for …` with `authenticate` and `find`, and run `simplejwt::users::conformance` on it (feature `testing`)",
    note = "this crate's user stores are `simplejwt::sqlite::SqliteUsers`, `simplejwt::postgres::PostgresUsers`, `simplejwt::mysql::MysqlUsers` and `simplejwt::users::memory::MemoryUsers`, behind the features `sqlite`, `postgres`, `mysql` and `passwords`"
)]
#[async_trait]
pub trait UserStore: Send + Sync + 'static {
    /// Returns the user with these credentials. May rewrite the stored hash, since the password is
    /// available.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError>;

    /// Returns the user with this `USER_ID_FIELD`.
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// Surveys the stored password hashes by a sample of the rows, whose size doesn't depend on the
    /// table's. The stores of this crate repeat this every few minutes when somebody logs in.
    /// Called before the first login, it makes refused logins take equal work from the start.
    ///
    /// The default returns an empty survey.
    #[cfg(feature = "passwords")]
    async fn survey_passwords(&self) -> Result<password::PasswordSurvey, StoreError> {
        Ok(password::PasswordSurvey::default())
    }

    /// Records that the user has logged in. Called only with
    /// [`Settings::update_last_login`](crate::Settings::update_last_login), upstream's
    /// `UPDATE_LAST_LOGIN`.
    ///
    /// # Errors
    /// The default always fails, since the setting would have no effect otherwise.
    async fn update_last_login(&self, _id: &UserId, _at: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::new(
            "update_last_login",
            StoreErrorKind::Incompatible,
            "UPDATE_LAST_LOGIN is on, but this user store doesn't implement \
             UserStore::update_last_login: implement it, or switch the setting off",
        ))
    }

    /// Returns the names of the user's groups, sorted, whether or not the user is active. By
    /// default users have no groups.
    ///
    /// On Django's tables: `user.groups`. If the user model has none (no `PermissionsMixin`), this
    /// is an error ([`Incompatible`](crate::error::StoreErrorKind::Incompatible)).
    async fn groups(&self, _user: &UserId) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Returns the user's permissions as `app_label.codename`: the user's own and those of the
    /// groups; all existing ones for a superuser, and none for an inactive user. By default users
    /// have no permissions.
    ///
    /// On Django's tables: `user.get_all_permissions()`. If the user model has none, this is an
    /// error. If only the table of content types is missing, as in a database that Django hasn't
    /// used yet, there are no permissions.
    async fn permissions(&self, _user: &UserId) -> Result<BTreeSet<String>, StoreError> {
        Ok(BTreeSet::new())
    }
}

/// Returns the digest of the stored hash that ties a session to the password it was opened with. 32
/// hexadecimal digits.
///
/// ```
/// use simplejwt::users::password_fingerprint;
///
/// assert_ne!(password_fingerprint("md5$a$b"), password_fingerprint("md5$a$c"));
/// ```
pub fn password_fingerprint(stored_hash: &str) -> String {
    use sha2::Digest as _;

    hex(sha2::Sha256::digest(stored_hash).iter().take(16))
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    use std::fmt::Write as _;

    bytes.fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the fingerprint of a stored password hash that `CHECK_REVOKE_TOKEN` puts into tokens:
/// its MD5 as upper-case hex, as upstream does.
///
/// ```
/// use simplejwt::users::revoke_claim;
///
/// assert_eq!(revoke_claim("md5$a$b"), "3F8A52168500B56BDA5C5F3CBD35EE90");
/// ```
pub fn revoke_claim(stored_hash: &str) -> String {
    use md5::Digest as _;

    hex(md5::Md5::digest(stored_hash).iter()).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_upper_case_md5() {
        assert_eq!(revoke_claim("abc"), "900150983CD24FB0D6963F7D28E17F72");
    }

    #[test]
    fn debug_shows_no_password_and_no_hash() {
        let mut user = User::new("1", "alice");
        user.password = "md5$salt$topsecrethash".into();
        user.fields.insert("ssn".into(), "078-05-1120".into());
        let credentials = Credentials::new("alice", "hunter2");
        let shown = format!("{user:?} {credentials:?}");
        assert!(shown.contains("alice"));
        assert!(!shown.contains("topsecret") && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("078-05"), "{shown}");
    }
}
