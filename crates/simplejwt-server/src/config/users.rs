//! `[users]`: the table of users.

use serde_json::Value;
use simplejwt::settings::value::{optional_text, text};
use simplejwt::sql::table::KeyKind;

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{Section, other, switch, word};

/// The table of users. The columns are names; `None` is a column that the table doesn't have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Users {
    pub(crate) table: String,
    pub(crate) primary_key: String,
    /// The type of the primary key; `None` for that of its column.
    pub(crate) key_type: Option<KeyKind>,
    pub(crate) username_field: String,
    pub(crate) password: String,
    pub(crate) is_active: Option<String>,
    pub(crate) is_staff: Option<String>,
    pub(crate) is_superuser: Option<String>,
    pub(crate) last_login: Option<String>,
    pub(crate) allow_inactive_login: bool,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            table: "auth_user".into(),
            primary_key: "id".into(),
            key_type: None,
            username_field: "username".into(),
            password: "password".into(),
            is_active: Some("is_active".into()),
            is_staff: Some("is_staff".into()),
            is_superuser: Some("is_superuser".into()),
            last_login: Some("last_login".into()),
            allow_inactive_login: false,
        }
    }
}

pub(super) static SECTION: Section<Users> = Section {
    table: "users",
    about: "The table of users: Django's auth_user, or your own.",
    items: &[
        other(
            "table",
            "SIMPLEJWT_USERS_TABLE",
            Def("\"auth_user\""),
            "The table's name; in PostgreSQL, schema.table is possible. A table other than \
             Django's must exist already: `migrate` creates only Django's. With multi-table \
             inheritance, the parent's table and the child's both work.",
            Form::Text,
            |s, v| identifier(v).map(|name| s.table = name),
        ),
        other(
            "primary_key",
            "SIMPLEJWT_USERS_PRIMARY_KEY",
            Def("\"id\""),
            "The column of the primary key. The column that goes into tokens is USER_ID_FIELD.",
            Form::Text,
            |s, v| identifier(v).map(|name| s.primary_key = name),
        ),
        word(
            "key_type",
            "SIMPLEJWT_USERS_KEY_TYPE",
            Example("\"uuid\""),
            "The primary key's type: \"integer\", \"uuid\" (as Django stores it) or \"text\". \
             Default: the column's own type; any other is refused.",
            &[
                ("integer", |s| s.key_type = Some(KeyKind::Integer)),
                ("uuid", |s| s.key_type = Some(KeyKind::Uuid)),
                ("text", |s| s.key_type = Some(KeyKind::Text)),
            ],
        ),
        other(
            "username_field",
            "SIMPLEJWT_USERS_USERNAME_FIELD",
            Def("\"username\""),
            "Django's USERNAME_FIELD: the column that users log in with, and the name of the \
             field in the login's body. It must be unique, and a text, an integer or a UUID, like \
             that of USER_ID_FIELD.",
            Form::Text,
            |s, v| identifier(v).map(|name| s.username_field = name),
        ),
        other(
            "password",
            "SIMPLEJWT_USERS_PASSWORD",
            Def("\"password\""),
            "The column of the password hash.",
            Form::Text,
            |s, v| identifier(v).map(|name| s.password = name),
        ),
        other(
            "is_active",
            "SIMPLEJWT_USERS_IS_ACTIVE",
            Def("\"is_active\""),
            "The column that is false for users who may not log in; \"\" if there is none.",
            Form::OptionalText,
            |s, v| optional_identifier(v).map(|name| s.is_active = name),
        ),
        other(
            "is_staff",
            "SIMPLEJWT_USERS_IS_STAFF",
            Def("\"is_staff\""),
            "The column that is true for users of Django's admin; \"\" if there is none.",
            Form::OptionalText,
            |s, v| optional_identifier(v).map(|name| s.is_staff = name),
        ),
        other(
            "is_superuser",
            "SIMPLEJWT_USERS_IS_SUPERUSER",
            Def("\"is_superuser\""),
            "The column that is true for users with every permission; \"\" if there is none.",
            Form::OptionalText,
            |s, v| optional_identifier(v).map(|name| s.is_superuser = name),
        ),
        other(
            "last_login",
            "SIMPLEJWT_USERS_LAST_LOGIN",
            Def("\"last_login\""),
            "The column that UPDATE_LAST_LOGIN updates; \"\" if there is none.",
            Form::OptionalText,
            |s, v| optional_identifier(v).map(|name| s.last_login = name),
        ),
        switch(
            "allow_inactive_login",
            "SIMPLEJWT_ALLOW_INACTIVE_LOGIN",
            Def("false"),
            "Django's AllowAllUsersModelBackend: inactive users can log in too, if \
             CHECK_USER_IS_ACTIVE is also off.",
            |s| &mut s.allow_inactive_login,
        ),
    ],
    idle: &[],
};

/// Reads the name of a table or column, which is quoted wherever it is used.
fn identifier(value: &Value) -> Result<String, String> {
    let name = text(value)?;
    if name.chars().count() <= 128 && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err("is not the name of a table or column: write it as the database has it".into())
    }
}

fn optional_identifier(value: &Value) -> Result<Option<String>, String> {
    optional_text(value)?.map(|_| identifier(value)).transpose()
}
