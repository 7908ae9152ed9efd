//! `[users]`: the table of users.

use serde_json::Value;
use simplejwt::settings::value::{optional_text, text};
use simplejwt::sql::table::KeyKind;

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{Section, other, switch, word};

/// The table of users. Column names; none is a column that the table doesn't have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Users {
    pub(crate) table: String,
    pub(crate) primary_key: String,
    /// As the column has it, unless it is said.
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
    about: "The table of users: Django's auth_user, or one of your own.",
    items: &[
        other(
            "table",
            "SIMPLEJWT_USERS_TABLE",
            Def("\"auth_user\""),
            "The table. Another than Django's has to be there already: `migrate` makes only \
             Django's. In PostgreSQL schema.table, too; of a model that inherits from another by \
             tables, either.",
            Form::Text,
            |s, v| identifier(v).map(|name| s.table = name),
        ),
        other(
            "primary_key",
            "SIMPLEJWT_USERS_PRIMARY_KEY",
            Def("\"id\""),
            "The column that is the primary key. What goes into tokens is USER_ID_FIELD.",
            Form::Text,
            |s, v| identifier(v).map(|name| s.primary_key = name),
        ),
        word(
            "key_type",
            "SIMPLEJWT_USERS_KEY_TYPE",
            Example("\"uuid\""),
            "The primary key's type: \"integer\", \"uuid\" (as Django stores it) or \"text\". It \
             is found out by the column's type; one that isn't the column's is refused.",
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
            "Django's USERNAME_FIELD: the column to log in with, and the name of the field in the \
             login's body. A text, an integer or a UUID, and unique, as that of USER_ID_FIELD is.",
            Form::Text,
            |s, v| identifier(v).map(|name| s.username_field = name),
        ),
        other(
            "password",
            "SIMPLEJWT_USERS_PASSWORD",
            Def("\"password\""),
            "The column with the password's hash.",
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
            "The column for users of Django's admin; \"\" if there is none.",
            Form::OptionalText,
            |s, v| optional_identifier(v).map(|name| s.is_staff = name),
        ),
        other(
            "is_superuser",
            "SIMPLEJWT_USERS_IS_SUPERUSER",
            Def("\"is_superuser\""),
            "The column for users with every permission; \"\" if there is none.",
            Form::OptionalText,
            |s, v| optional_identifier(v).map(|name| s.is_superuser = name),
        ),
        other(
            "last_login",
            "SIMPLEJWT_USERS_LAST_LOGIN",
            Def("\"last_login\""),
            "The column that UPDATE_LAST_LOGIN writes; \"\" if there is none.",
            Form::OptionalText,
            |s, v| optional_identifier(v).map(|name| s.last_login = name),
        ),
        switch(
            "allow_inactive_login",
            "SIMPLEJWT_ALLOW_INACTIVE_LOGIN",
            Def("false"),
            "Django's AllowAllUsersModelBackend: inactive users can log in too (if \
             CHECK_USER_IS_ACTIVE is off as well).",
            |s| &mut s.allow_inactive_login,
        ),
    ],
    idle: &[],
};

/// The name of a table or column. It is quoted wherever it is used.
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
