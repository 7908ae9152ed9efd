//! The table of the users: Django's `auth_user`, or a custom user model's.
//!
//! This is independent of the database that holds it, except for the quoting of names: standard
//! SQL's and MySQL's.

/// The kind of a user's key, which determines the valid texts of `USER_ID_CLAIM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Django's `AutoField`, `BigAutoField` or `IntegerField`.
    Integer,
    /// Django's `UUIDField`: 32 hexadecimal digits if the database has no type for it.
    Uuid,
    /// Any text.
    Text,
}

impl KeyKind {
    /// Returns its name: `"integer"`, `"uuid"` or `"text"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Uuid => "uuid",
            Self::Text => "text",
        }
    }
}

/// A key, as a parameter for the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Integer(i64),
    /// Larger than an `i64`: only MySQL has such columns.
    Unsigned(u64),
    Text(String),
}

/// Returns the 32 lower-case digits of a UUID that is written with or without hyphens.
pub(crate) fn uuid_digits(text: &str) -> Option<String> {
    let hyphens = [8, 13, 18, 23];
    let digits: String = match text.len() {
        32 => text.to_ascii_lowercase(),
        36 => {
            if !hyphens.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-')) {
                return None;
            }
            text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase()
        }
        _ => return None,
    };
    (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

pub(crate) fn hyphenated(digits: &str) -> String {
    let mut text = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

/// A table of users. The default is Django's `auth_user`.
///
/// Users are found by the columns of `login` and of `user_id_field`, so no two rows may have the
/// same value there. Both hold integers, UUIDs or text; the type is read from the database.
///
/// ```
/// use simplejwt::sql::table::UserTable;
///
/// // A custom user model that logs in with the e-mail address.
/// let table = UserTable {
///     table: "accounts_account".into(),
///     login: "email".into(),
///     ..UserTable::default()
/// };
/// assert!(table.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTable {
    /// The table's name. In PostgreSQL it may include a schema: `accounts.user`, or
    /// `accounts"."user` as in Django's `db_table`.
    pub table: String,
    /// The column of the primary key.
    pub primary_key: String,
    /// The kind of the primary key; `None` takes it from its column's type. One that doesn't fit
    /// the column is refused when the table is opened.
    pub key: Option<KeyKind>,
    /// The column of the login name: Django's `USERNAME_FIELD`.
    pub login: String,
    /// The column whose value goes into `USER_ID_CLAIM`: the setting `USER_ID_FIELD`. `id` and
    /// `pk` mean the primary key, whatever its column is called.
    pub user_id_field: String,
    /// The column of the password hash.
    pub password: String,
    /// The column that is false for inactive users; without one, all are active.
    pub is_active: Option<String>,
    /// The column of [`User::is_staff`](crate::users::User::is_staff).
    pub is_staff: Option<String>,
    /// The column of [`User::is_superuser`](crate::users::User::is_superuser).
    pub is_superuser: Option<String>,
    /// The column that `UPDATE_LAST_LOGIN` writes.
    pub last_login: Option<String>,
    /// Further columns to read into [`User::fields`](crate::users::User::fields): text, numbers,
    /// booleans, dates and times, UUIDs and JSON. A stored secret isn't read.
    pub columns: Vec<String>,
    /// For users that inherit (Django's multi-table inheritance), the model's own table, whose rows
    /// point to those of [`table`](Self::table). It is determined when the table is opened, and
    /// need not be given: `table` may name either of the two.
    pub child: Option<ChildTable>,
}

/// The table of a user model that inherits from another; see [`UserTable::child`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildTable {
    pub(crate) table: String,
    /// Its primary key, which is also its parent's.
    pub(crate) pointer: String,
    /// The columns that its parent lacks.
    pub(crate) columns: Vec<String>,
}

impl Default for UserTable {
    fn default() -> Self {
        Self {
            table: "auth_user".into(),
            primary_key: "id".into(),
            key: None,
            login: "username".into(),
            user_id_field: "id".into(),
            password: "password".into(),
            is_active: Some("is_active".into()),
            is_staff: Some("is_staff".into()),
            is_superuser: Some("is_superuser".into()),
            last_login: Some("last_login".into()),
            columns: Vec::new(),
            child: None,
        }
    }
}

/// A name that isn't valid for a table or column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} can't be the name of a table or column: it has to have 1 to 128 characters and no \
     control characters"
)]
pub struct NameError {
    /// The name.
    pub name: String,
}

impl UserTable {
    /// Checks that the names are valid for a table and its columns. Any name that passes is quoted
    /// before it becomes part of a statement.
    ///
    /// # Errors
    /// [`NameError`] for the first that isn't.
    pub fn validate(&self) -> Result<(), NameError> {
        let bad = |name: &&str| {
            name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control)
        };
        match std::iter::once(self.table.as_str()).chain(self.every_column()).find(bad) {
            Some(name) => Err(NameError { name: name.to_owned() }),
            None => Ok(()),
        }
    }

    /// Returns the column of `USER_ID_FIELD`.
    pub fn user_id_column(&self) -> &str {
        match self.user_id_field.as_str() {
            "id" | "pk" => &self.primary_key,
            field => field,
        }
    }

    /// Returns `true` if a column of this name holds something that mustn't get into a token: the
    /// password hash, or, judging by its last words, another kind of secret (`totp_secret`,
    /// `api_key`).
    pub fn is_secret(&self, column: &str) -> bool {
        const LAST: [&str; 8] = [
            "password",
            "passwd",
            "password_hash",
            "passphrase",
            "secret",
            "token",
            "api_key",
            "private_key",
        ];
        let column = column.to_lowercase();
        column == self.password.to_lowercase()
            || LAST.iter().any(|last| {
                column
                    .strip_suffix(last)
                    .is_some_and(|before| before.is_empty() || before.ends_with('_'))
            })
    }

    /// Returns the table and the column that registered tokens refer to.
    pub(crate) fn owner(&self) -> (&str, &str) {
        match &self.child {
            Some(child) => (&child.table, &child.pointer),
            None => (&self.table, &self.primary_key),
        }
    }

    /// Returns `true` if a column is in the table of the inheriting model.
    pub(crate) fn is_childs(&self, column: &str) -> bool {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        self.child.as_ref().is_some_and(|child| child.columns.iter().any(is))
    }

    /// Returns the description of users that inherit, given the names of both tables' columns.
    pub(crate) fn inheriting<'a>(
        &self,
        parent: &str,
        child: &str,
        pointer: &str,
        of_parent: &[crate::sql::schema::Column],
        of_child: impl IntoIterator<Item = &'a crate::sql::schema::Column>,
    ) -> Self {
        let has =
            |name: &str| of_parent.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let columns = of_child.into_iter().map(|column| column.name.clone());
        let columns = columns.filter(|name| !has(name) && name != pointer).collect();
        let mut users = self.clone();
        users.table = parent.to_owned();
        // The model's own key is the pointer, and has the value of the parent's key.
        if users.primary_key.eq_ignore_ascii_case(pointer) {
            users.primary_key = "id".into();
        }
        if users.user_id_field.eq_ignore_ascii_case(pointer) {
            users.user_id_field = "id".into();
        }
        users.child =
            Some(ChildTable { table: child.to_owned(), pointer: pointer.to_owned(), columns });
        users
    }

    /// Returns a condition, to follow others, that a row of the table, which the statement calls
    /// `of`, is of a user who inherits; empty if none does.
    pub(crate) fn and_inherits(
        &self,
        of: &str,
        quote: fn(&str) -> String,
        relation: Relation,
    ) -> String {
        let Some(child) = &self.child else { return String::new() };
        format!(
            " AND EXISTS (SELECT 1 FROM {} AS child WHERE child.{} = {of}.{})",
            relation(&child.table),
            quote(&child.pointer),
            quote(&self.primary_key)
        )
    }

    /// Returns a column as an expression over the rows of the table.
    pub(crate) fn expression(
        &self,
        column: &str,
        quote: fn(&str) -> String,
        relation: Relation,
    ) -> String {
        match &self.child {
            Some(child) if self.is_childs(column) => format!(
                "(SELECT child.{} FROM {} AS child WHERE child.{} = {}.{})",
                quote(column),
                relation(&child.table),
                quote(&child.pointer),
                relation(&self.table),
                quote(&self.primary_key)
            ),
            _ => quote(column),
        }
    }

    /// Returns all named columns, in no particular order and perhaps twice.
    pub(crate) fn every_column(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.is_active, &self.is_staff, &self.is_superuser, &self.last_login];
        [self.primary_key.as_str(), &self.login, self.user_id_column(), &self.password]
            .into_iter()
            .chain(optional.into_iter().flatten().map(String::as_str))
            .chain(self.columns.iter().map(String::as_str))
    }

    /// Returns the boolean columns.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &str> {
        [&self.is_active, &self.is_staff, &self.is_superuser]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// The way that a database writes the name of a table.
pub(crate) type Relation = fn(&str) -> String;

/// Quotes a name as in standard SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the name of a table in PostgreSQL, including a schema as Django's users write it:
/// `accounts"."user`, which Django quotes as a whole.
pub(crate) fn relation(name: &str) -> String {
    name.split("\".\"").map(quoted).collect::<Vec<_>>().join(".")
}

/// Quotes a name as in MySQL.
pub(crate) fn backticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_pk_mean_the_primary_key() {
        let mut table = UserTable { primary_key: "uid".into(), ..UserTable::default() };
        for (field, column) in [("id", "uid"), ("pk", "uid"), ("username", "username")] {
            table.user_id_field = field.into();
            assert_eq!(table.user_id_column(), column);
        }
    }

    #[test]
    fn stored_secrets_are_known_by_their_names() {
        let table = UserTable { password: "hash".into(), ..UserTable::default() };
        for secret in ["hash", "Hash", "password", "old_password", "totp_secret", "API_KEY"] {
            assert!(table.is_secret(secret), "{secret}");
        }
        for other in ["email", "password_changed_at", "secretary", "tokens", "rehash", "mytoken"] {
            assert!(!table.is_secret(other), "{other}");
        }
    }

    #[test]
    fn names_are_checked_and_quoted() {
        for name in ["", "a\0b", "a\nb", &"x".repeat(129)] {
            let table = UserTable { is_staff: Some(name.into()), ..UserTable::default() };
            assert_eq!(table.validate(), Err(NameError { name: name.into() }));
        }
        assert!(
            UserTable { table: "Benützer\"; --".into(), ..Default::default() }.validate().is_ok()
        );
        assert_eq!(quoted(r#"a"; DROP TABLE b; --"#), r#""a""; DROP TABLE b; --""#);
    }

    #[test]
    fn a_schema_stands_before_the_name_of_a_table() {
        assert_eq!(relation("auth_user"), r#""auth_user""#);
        assert_eq!(relation(r#"accounts"."user"#), r#""accounts"."user""#);
        assert_eq!(relation("accounts.user"), r#""accounts.user""#);
        assert_eq!(relation(r#"a"; --"."b"; --"#), r#""a""; --"."b""; --""#);
    }
}
