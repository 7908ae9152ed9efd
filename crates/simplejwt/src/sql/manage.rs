//! Creating and changing users in a table, for the command line.

use std::fmt;

use async_trait::async_trait;

use super::column::ColumnType;
use super::table::UserTable;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Cause, Event, Recorded, UserChange};
use crate::random;
use crate::users::{User, UserId, UserStore};

/// Options for the users in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserOptions {
    /// Inactive users can log in, as with Django's `AllowAllUsersModelBackend`. Default: false.
    pub allow_inactive_login: bool,
    /// Sessions are kept as one row each, as with
    /// [`Rows::Sessions`](crate::settings::Rows::Sessions): a login that rewrites a hash ties the
    /// user's rows to the new one in the same transaction. Without it, that is a step of its own
    /// after the transaction, and a refresh in between ends its session. The account needs the right
    /// to update `simplejwt_refresh_session`. Default: false.
    pub session_rows: bool,
}

/// A user to create. `Debug` omits the hash.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The login name; stored in the normalization form NFKC, as by Django.
    pub username: String,
    /// The e-mail address; its domain is stored in lower case, as by Django.
    pub email: String,
    /// The password's hash, from [`Hashers::encode`](crate::users::password::Hashers::encode) or
    /// [`unusable_password`](crate::users::password::unusable_password).
    pub password: String,
    /// `true` if the user may use Django's admin.
    pub is_staff: bool,
    /// `true` if the user has all permissions.
    pub is_superuser: bool,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("username", &self.username)
            .field("email", &self.email)
            .field("is_staff", &self.is_staff)
            .field("is_superuser", &self.is_superuser)
            .finish_non_exhaustive()
    }
}

/// The reason a user couldn't be created or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// There is a user of this name (or with another value that is unique).
    #[error("there is a user \"{username}\" already")]
    AlreadyExists {
        /// The login name.
        username: String,
    },
    /// There is no user of this name.
    #[error("there is no user \"{username}\"")]
    NoSuchUser {
        /// The login name.
        username: String,
    },
    /// The login name is empty or longer than Django's column.
    #[error("a user's name has 1 to {max} characters")]
    BadUsername {
        /// The longest that the column can hold.
        max: usize,
    },
    /// The column of the login name can't hold this one, which isn't of its type or has a character
    /// that the database's character set lacks.
    #[error("the column \"{column}\" can't hold the name \"{username}\"")]
    UnstorableUsername {
        /// The column.
        column: String,
        /// The login name.
        username: String,
    },
    /// A name or address that nobody could type, or that would be displayed as another.
    #[error("the {what} {text:?} {problem}: write it without")]
    UnusableText {
        /// `name` or `e-mail address`.
        what: &'static str,
        /// The text.
        text: String,
        /// The fault.
        problem: &'static str,
    },
    /// A user would be a row in each of two tables, and only the application knows all of their
    /// columns.
    #[error(
        "the users are in two tables, \"{table}\" and \"{child}\", which inherits from it: make the \
         user with your application"
    )]
    Inherited {
        /// The parent's table.
        table: String,
        /// The table of the model that inherits.
        child: String,
    },
    /// Rows of other tables refer to the user, and only their application knows what should become
    /// of them.
    #[error(
        "rows of other tables refer to the user \"{username}\" ({}): delete those first, or the user \
         with your application, which knows what goes along (in Django: user.delete())",
        .references.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Referred {
        /// The login name.
        username: String,
        /// The rows.
        references: Vec<Reference>,
    },
    /// A custom user model has columns that only its application can fill.
    #[error(
        "the table \"{table}\" has columns that have to be filled and mean nothing here ({}): \
         make the user with your application",
        .columns.join(", ")
    )]
    UnknownColumns {
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// The table has no such column, so there is nothing to change.
    #[error("the table \"{table}\" has no column for that: no `{setting}` is configured")]
    NoColumn {
        /// The table.
        table: String,
        /// The field of [`UserTable`] that names it.
        setting: &'static str,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Rows of another table that refer to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The other table.
    pub table: String,
    /// The column that refers to the user.
    pub column: String,
    /// The number of such rows.
    pub rows: u64,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.rows == 1 { "row" } else { "rows" };
        write!(f, "{}.{}: {} {noun}", self.table, self.column, self.rows)
    }
}

/// A [`UserStore`] over one of Django's tables, whose users can be created and changed.
///
/// The [records](Recorded) are made in the transaction of the change. Sessions aren't ended: hand
/// the records to [`Auth::user_recorded`](crate::Auth::user_recorded), which ends them.
#[async_trait]
pub trait ManageUsers: UserStore {
    /// Checks that users can log in at the moment: reads the table as a login does, and tries,
    /// without changing a row, to write `last_login` if a login does that.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    async fn ping(&self, writes_last_login: bool) -> Result<(), StoreError>;

    /// Creates an active user who joined at the time of the `cause`; records
    /// [`UserChanged`](crate::Event::UserChanged).
    ///
    /// The name is stored in the normalization form NFKC and the domain of the address in lower
    /// case, as by Django's `create_user`.
    ///
    /// In a custom user model's table, it fills the columns that the table's description names and
    /// those named as in Django's `AbstractUser`.
    ///
    /// # Errors
    /// [`ManageError::AlreadyExists`], [`ManageError::BadUsername`], [`ManageError::UnusableText`],
    /// [`ManageError::UnknownColumns`]; [`ManageError::Store`] if the database fails.
    async fn create_user(
        &self,
        user: NewUser,
        cause: &Cause,
    ) -> Result<Recorded<User>, ManageError>;

    /// Stores another password hash for the user of this name, and returns the user's id. Records
    /// [`PasswordChanged`](crate::Event::PasswordChanged).
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`]; [`ManageError::Store`] if the database fails.
    async fn set_password(
        &self,
        username: &str,
        hash: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError>;

    /// Makes the user of this name active or inactive, and returns the user's id. Records
    /// [`UserChanged`](crate::Event::UserChanged), even if nothing changed.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], [`ManageError::NoColumn`]; [`ManageError::Store`] if the
    /// database fails.
    async fn set_active(
        &self,
        username: &str,
        active: bool,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError>;

    /// Returns the rows of other tables that prevent the user of this name from being deleted:
    /// those that refer to it by a foreign key, except for registered tokens, which stay without
    /// their user as upstream, the user's groups and permissions, which are deleted, and whatever
    /// the database itself deletes.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`]; [`ManageError::Store`] if the database fails.
    async fn references(&self, username: &str) -> Result<Vec<Reference>, ManageError>;

    /// Deletes the user of this name, and returns the user's id. Records
    /// [`UserChanged`](crate::Event::UserChanged). Sessions aren't ended by that: end them first,
    /// so that servers that check access tokens learn of it.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], [`ManageError::Referred`]; [`ManageError::Store`] if the
    /// database fails.
    async fn delete_user(
        &self,
        username: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError>;

    /// Returns the user of this name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    async fn by_username(&self, username: &str) -> Result<Option<User>, StoreError>;

    /// Returns at most `limit` users, ordered by login name, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError>;
}

impl fmt::Debug for dyn ManageUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn ManageUsers")
    }
}

/// A change of a user.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Password,
    User(UserChange),
}

impl Change {
    pub(crate) fn active(active: bool) -> Self {
        Self::User(if active { UserChange::Enabled } else { UserChange::Disabled })
    }

    /// Returns its record, to be stored in its transaction.
    pub(crate) fn recorded(self, user_id: UserId, cause: &Cause) -> Recorded<UserId> {
        let of = user_id.clone();
        let event = match self {
            Self::Password => Event::PasswordChanged { user_id: of },
            Self::User(change) => Event::UserChanged { user_id: of, change },
        };
        Recorded { outcome: user_id, events: vec![cause.record(event)] }
    }
}

/// Returns a created user, with its record.
pub(crate) fn added(user: User, cause: &Cause) -> Recorded<User> {
    let Recorded { events, .. } = Change::User(UserChange::Added).recorded(user.id.clone(), cause);
    Recorded { outcome: user, events }
}

/// A value for a column of a new user's row, for each database to store in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Text(String),
    Flag(bool),
    /// The 32 digits of a new UUID.
    Uuid(String),
    Time(Timestamp),
}

impl ManageError {
    /// Returns the error for a name that the column can't hold.
    pub(crate) fn of_name(table: &UserTable, username: &str) -> Self {
        Self::UnstorableUsername { column: table.login.clone(), username: username.to_owned() }
    }
}

/// Returns the value for a column of a new user's row; `None` if the database fills it or its
/// meaning is unknown.
pub(crate) fn field_of(
    table: &UserTable,
    key: ColumnType,
    column: &str,
    user: &NewUser,
    at: Timestamp,
) -> Option<Field> {
    let is = |name: &str| column.eq_ignore_ascii_case(name);
    let is_optional = |name: &Option<String>| name.as_deref().is_some_and(is);
    if is(&table.login) {
        Some(Field::Text(user.username.clone()))
    } else if is(&table.password) {
        Some(Field::Text(user.password.clone()))
    } else if is_optional(&table.is_active) {
        Some(Field::Flag(true))
    } else if is_optional(&table.is_staff) {
        Some(Field::Flag(user.is_staff))
    } else if is_optional(&table.is_superuser) {
        Some(Field::Flag(user.is_superuser))
    } else if is(&table.primary_key) {
        (key == ColumnType::Uuid).then(|| Field::Uuid(random::uuid4_hex()))
    } else if is("email") {
        Some(Field::Text(user.email.clone()))
    } else if is("first_name") || is("last_name") {
        Some(Field::Text(String::new()))
    } else if is("date_joined") {
        Some(Field::Time(at))
    } else {
        None
    }
}

/// Returns the length of the longest name that a column can hold, from a type such as
/// `varchar(150)`, which not every database enforces. The number in a numeric type such as
/// `int(11)` isn't a length.
pub(crate) fn longest_name(login: ColumnType, declared: &str) -> usize {
    if login != ColumnType::Text {
        return usize::MAX;
    }
    let length = declared.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    length.and_then(|length| length.parse().ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_hash() {
        let user = NewUser { password: "topsecret".into(), ..NewUser::default() };
        assert!(!format!("{user:?}").contains("topsecret"));
    }
}
