//! Which table the users are in: Django's `auth_user`, or a custom user model's.
//!
//! Says nothing about the database that holds it, but for the quoting of names: standard SQL's,
//! and MySQL's.

/// What sort of value a user's key is, and so which texts in `USER_ID_CLAIM` can be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Django's `AutoField`, `BigAutoField` or `IntegerField`.
    Integer,
    /// Django's `UUIDField`: 32 hexadecimal digits where the database has no type for it.
    Uuid,
    /// Any text.
    Text,
}

impl KeyKind {
    /// The word for it: `"integer"`, `"uuid"` or `"text"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Uuid => "uuid",
            Self::Text => "text",
        }
    }
}

/// A key as the database is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Integer(i64),
    /// Beyond what an `i64` holds: MySQL alone has such columns.
    Unsigned(u64),
    Text(String),
}

/// The 32 lower-case digits of a UUID that is written with or without hyphens.
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
/// A user is found by the column of `login` and by that of `user_id_field`: no two rows may have
/// the same value there. Both hold integers, UUIDs or texts, which is read from the database.
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
    /// The table's name. In PostgreSQL it may have a schema before it: `accounts.user`, or
    /// `accounts"."user` as in Django's `db_table`.
    pub table: String,
    /// The column of the primary key.
    pub primary_key: String,
    /// What the primary key is; `None` takes it from the type of its column. Another than the
    /// column can hold is refused when the table is opened.
    pub key: Option<KeyKind>,
    /// The column with the name to log in with: Django's `USERNAME_FIELD`.
    pub login: String,
    /// The column whose value goes into `USER_ID_CLAIM`: the setting `USER_ID_FIELD`. `id` and
    /// `pk` mean the primary key, whatever its column is called.
    pub user_id_field: String,
    /// The column with the password's hash.
    pub password: String,
    /// The column that is false for inactive users; without one all are active.
    pub is_active: Option<String>,
    /// The column of [`User::is_staff`](crate::users::User::is_staff).
    pub is_staff: Option<String>,
    /// The column of [`User::is_superuser`](crate::users::User::is_superuser).
    pub is_superuser: Option<String>,
    /// The column that `UPDATE_LAST_LOGIN` writes.
    pub last_login: Option<String>,
    /// Further columns, which are read into [`User::fields`](crate::users::User::fields). Text, numbers,
    /// booleans, dates and times, UUIDs and JSON; a stored secret isn't read.
    pub columns: Vec<String>,
    /// Of users that inherit (Django's multi-table inheritance) the model's own table, whose rows
    /// point to those of [`table`](Self::table). It is found out when the table is opened, and needs
    /// not be given: `table` may name either of the two.
    pub child: Option<ChildTable>,
}

/// The table of a user model that inherits from another model's: see [`UserTable::child`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildTable {
    pub(crate) table: String,
    /// Its primary key, which is its parent's, too.
    pub(crate) pointer: String,
    /// The columns that its parent hasn't.
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

/// A name that can't be that of a table or column.
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
    /// Whether the names can be those of a table and its columns. Any name that passes is
    /// quoted before it becomes part of a statement.
    ///
    /// # Errors
    /// [`NameError`] for the first that can't.
    pub fn validate(&self) -> Result<(), NameError> {
        let bad = |name: &&str| {
            name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control)
        };
        match std::iter::once(self.table.as_str()).chain(self.every_column()).find(bad) {
            Some(name) => Err(NameError { name: name.to_owned() }),
            None => Ok(()),
        }
    }

    /// The column of `USER_ID_FIELD`.
    pub fn user_id_column(&self) -> &str {
        match self.user_id_field.as_str() {
            "id" | "pk" => &self.primary_key,
            field => field,
        }
    }

    /// Whether a column of this name holds what must not get into a token: the password's hash,
    /// or by its last words a secret of another kind (`totp_secret`, `api_key`).
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

    /// The table and the column that registered tokens refer to.
    pub(crate) fn owner(&self) -> (&str, &str) {
        match &self.child {
            Some(child) => (&child.table, &child.pointer),
            None => (&self.table, &self.primary_key),
        }
    }

    /// Whether a column is in the table of the model that inherits.
    pub(crate) fn is_childs(&self, column: &str) -> bool {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        self.child.as_ref().is_some_and(|child| child.columns.iter().any(is))
    }

    /// The description of users that inherit, given the names of both tables' columns.
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
        // The model's own key is the pointer, and its value the parent's key.
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

    /// The condition, behind others, that a row of the table, which the statement calls `of`, is of a
    /// user who inherits; nothing where none does.
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

    /// A column as an expression over the rows of the table.
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

    /// Every column that is named, in no particular order and perhaps twice.
    pub(crate) fn every_column(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.is_active, &self.is_staff, &self.is_superuser, &self.last_login];
        [self.primary_key.as_str(), &self.login, self.user_id_column(), &self.password]
            .into_iter()
            .chain(optional.into_iter().flatten().map(String::as_str))
            .chain(self.columns.iter().map(String::as_str))
    }

    /// The columns that say yes or no.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &str> {
        [&self.is_active, &self.is_staff, &self.is_superuser]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// How a database writes the name of a table.
pub(crate) type Relation = fn(&str) -> String;

/// A name as a quoted identifier of standard SQL.
#[cfg(any(feature = "sqlite", feature = "postgres", test))]
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name of a table in PostgreSQL, with its schema where it has one before it as Django's users
/// spell that: `accounts"."user`, which Django quotes as a whole.
#[cfg(feature = "postgres")]
pub(crate) fn relation(name: &str) -> String {
    name.split("\".\"").map(quoted).collect::<Vec<_>>().join(".")
}

/// A name as MySQL quotes identifiers.
#[cfg(feature = "mysql")]
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

    #[cfg(feature = "postgres")]
    #[test]
    fn a_schema_stands_before_the_name_of_a_table() {
        assert_eq!(relation("auth_user"), r#""auth_user""#);
        assert_eq!(relation(r#"accounts"."user"#), r#""accounts"."user""#);
        assert_eq!(relation("accounts.user"), r#""accounts.user""#);
        assert_eq!(relation(r#"a"; --"."b"; --"#), r#""a""; --"."b""; --""#);
    }
}
