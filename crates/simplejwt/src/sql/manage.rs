//! Making and changing users in a table: what the command line does.

use std::fmt;

use async_trait::async_trait;

use super::column::ColumnType;
use super::table::UserTable;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Cause, Event, Recorded, UserChange};
use crate::random;
use crate::users::{User, UserId, UserStore};

/// How users in a table behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserOptions {
    /// Inactive users can log in, as with Django's `AllowAllUsersModelBackend`. Default: false.
    pub allow_inactive_login: bool,
}

/// A user to be made. `Debug` leaves the hash out.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The login name; stored in the normal form NFKC, as Django does.
    pub username: String,
    /// The e-mail address; its domain is stored in lower case, as Django does.
    pub email: String,
    /// The password's hash, of [`Hashers::encode`](crate::users::password::Hashers::encode) or
    /// [`unusable_password`](crate::users::password::unusable_password).
    pub password: String,
    /// May use Django's admin.
    pub is_staff: bool,
    /// Has every permission.
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

/// Why a user couldn't be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// There is a user of that name (or with another value that is unique).
    #[error("there is a user \"{username}\" already")]
    AlreadyExists {
        /// The login name.
        username: String,
    },
    /// There is no user of that name.
    #[error("there is no user \"{username}\"")]
    NoSuchUser {
        /// The login name.
        username: String,
    },
    /// The login name is empty or longer than Django's column.
    #[error("a user's name has 1 to {max} characters")]
    BadUsername {
        /// The longest that the column takes.
        max: usize,
    },
    /// The column of the login name can't hold this one, which isn't of its type or has a
    /// character that the database's character set lacks.
    #[error("the column \"{column}\" can't hold the name \"{username}\"")]
    UnstorableUsername {
        /// The column.
        column: String,
        /// The login name.
        username: String,
    },
    /// A name or address that nobody could type, or that would be shown as another.
    #[error("the {what} {text:?} {problem}: write it without")]
    UnusableText {
        /// Which of the two.
        what: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A user would be a row of each of two tables, of which only the application knows all columns.
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
    /// Rows of other tables refer to the user, and only their application knows what is to become of
    /// them.
    #[error(
        "rows of other tables refer to the user \"{username}\" ({}): delete those first, or the user \
         with your application, which knows what goes along (in Django: user.delete())",
        .references.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Referred {
        /// The login name.
        username: String,
        /// Which.
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
    /// The table has no such column, so that there is nothing to change.
    #[error("the table \"{table}\" has no column for that: no `{setting}` is configured")]
    NoColumn {
        /// The table.
        table: String,
        /// The field of the user table that names it.
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
    /// How many rows do.
    pub rows: u64,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.rows == 1 { "row" } else { "rows" };
        write!(f, "{}.{}: {} {noun}", self.table, self.column, self.rows)
    }
}

/// A [`UserStore`] over a table of Django's, whose users can be made and changed.
///
/// What is [recorded](Recorded) of it was made in the transaction of the change. It ends no sessions: hand
/// the records to [`Auth::user_recorded`](crate::Auth::user_recorded), which does.
#[async_trait]
pub trait ManageUsers: UserStore {
    /// Whether users can log in just now: reads the table as a login does, and tries, without changing
    /// a row, whether `last_login` can be written if a login does that.
    ///
    /// # Errors
    /// The database's.
    async fn ping(&self, writes_last_login: bool) -> Result<(), StoreError>;

    /// Makes a user, active, who joined at the time of the `cause`; records
    /// [`UserChanged`](crate::Event::UserChanged).
    ///
    /// The name is stored in the normal form NFKC and the domain of the address in lower case, as by
    /// Django's `create_user`.
    ///
    /// In a custom user model's table it fills the columns that the table's description names
    /// and those named as in Django's `AbstractUser`.
    ///
    /// # Errors
    /// [`ManageError::AlreadyExists`], [`ManageError::BadUsername`], [`ManageError::UnusableText`],
    /// [`ManageError::UnknownColumns`], or the database's.
    async fn create_user(
        &self,
        user: NewUser,
        cause: &Cause,
    ) -> Result<Recorded<User>, ManageError>;

    /// Stores another password hash for the user of this name: whose it is. Records
    /// [`PasswordChanged`](crate::Event::PasswordChanged).
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], or the database's.
    async fn set_password(
        &self,
        username: &str,
        hash: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError>;

    /// Makes the user of this name active or inactive: who it is. Records
    /// [`UserChanged`](crate::Event::UserChanged), also where the user was so before.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], [`ManageError::NoColumn`], or the database's.
    async fn set_active(
        &self,
        username: &str,
        active: bool,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError>;

    /// The rows of other tables that keep the user of this name from being deleted: those that refer
    /// to it by a foreign key, except for registered tokens, which stay without their user as
    /// upstream, the user's groups and permissions, which go, and what the database itself deletes.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], or the database's.
    async fn references(&self, username: &str) -> Result<Vec<Reference>, ManageError>;

    /// Deletes the user of this name: who it was. Records [`UserChanged`](crate::Event::UserChanged). Its sessions aren't ended by that: end them first, so that
    /// whoever checks access tokens hears of it.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], [`ManageError::Referred`], or the database's.
    async fn delete_user(
        &self,
        username: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError>;

    /// The user of this name.
    ///
    /// # Errors
    /// The database's.
    async fn by_username(&self, username: &str) -> Result<Option<User>, StoreError>;

    /// At most `limit` users by login name, from the one after `after` on.
    ///
    /// # Errors
    /// The database's.
    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError>;
}

impl fmt::Debug for dyn ManageUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn ManageUsers")
    }
}

/// What is changed of a user.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Password,
    User(UserChange),
}

impl Change {
    pub(crate) fn active(active: bool) -> Self {
        Self::User(if active { UserChange::Enabled } else { UserChange::Disabled })
    }

    /// The record of it, in the transaction that does it.
    pub(crate) fn recorded(self, user_id: UserId, cause: &Cause) -> Recorded<UserId> {
        let of = user_id.clone();
        let event = match self {
            Self::Password => Event::PasswordChanged { user_id: of },
            Self::User(change) => Event::UserChanged { user_id: of, change },
        };
        Recorded { outcome: user_id, events: vec![cause.record(event)] }
    }
}

/// A user that was made, with the record of it.
pub(crate) fn added(user: User, cause: &Cause) -> Recorded<User> {
    let Recorded { events, .. } = Change::User(UserChange::Added).recorded(user.id.clone(), cause);
    Recorded { outcome: user, events }
}

/// What goes into a column of a new user's row, for a database to store in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Text(String),
    Flag(bool),
    /// A new UUID's 32 digits.
    Uuid(String),
    Time(Timestamp),
}

impl ManageError {
    /// What became of making a user.
    pub(crate) fn of_name(table: &UserTable, username: &str) -> Self {
        Self::UnstorableUsername { column: table.login.clone(), username: username.to_owned() }
    }
}

/// What goes into a column of a new user's row; `None` for what the database fills or nobody
/// here knows.
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

/// The longest name that a column holds: the length in a type such as `varchar(150)`, which not
/// every database enforces. What stands there for a number isn't how many digits it has.
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
