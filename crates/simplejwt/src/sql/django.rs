//! What to tell Django about tables that were created here: the rows of its `django_migrations`.
//!
//! The migrations are those of Django 4.2 to 6.1 and of simplejwt 5.5.1. Django runs those of later
//! versions itself.

/// The table that `auth_permission` refers to.
pub(crate) const CONTENT_TYPES: &str = "django_content_type";
/// Its column that Django's second migration removes: still there if a run of Django's stopped at
/// our tables.
pub(crate) const OLD_COLUMN: &str = "name";

const CONTENT_TYPES_APP: (&str, &[&str]) =
    ("contenttypes", &["0001_initial", "0002_remove_content_type_name"]);
const AUTH: (&str, &[&str]) = (
    "auth",
    &[
        "0001_initial",
        "0002_alter_permission_name_max_length",
        "0003_alter_user_email_max_length",
        "0004_alter_user_username_opts",
        "0005_alter_user_last_login_null",
        "0006_require_contenttypes_0002",
        "0007_alter_validators_add_error_messages",
        "0008_alter_user_username_max_length",
        "0009_alter_user_last_name_max_length",
        "0010_alter_group_name_max_length",
        "0011_update_proxy_permissions",
        "0012_alter_user_first_name_max_length",
    ],
);
const TOKEN_BLACKLIST: (&str, &[&str]) = (
    "token_blacklist",
    &[
        "0001_initial",
        "0002_outstandingtoken_jti_hex",
        "0003_auto_20171017_2007",
        "0004_auto_20171017_2013",
        "0005_remove_outstandingtoken_jti",
        "0006_auto_20171017_2113",
        "0007_auto_20171017_2214",
        "0008_migrate_to_bigautofield",
        "0010_fix_migrate_to_bigautofield",
        "0011_linearizes_history",
        "0012_alter_outstandingtoken_user",
        "0013_alter_blacklistedtoken_options_and_more",
    ],
);

/// Returns the migrations whose work is done, with their apps, in the order in which Django runs
/// them.
pub(crate) fn migrations(blacklist: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let last = if blacklist { &[TOKEN_BLACKLIST][..] } else { &[] };
    let apps = [CONTENT_TYPES_APP, AUTH].into_iter().chain(last.iter().copied());
    apps.flat_map(|(app, names)| names.iter().map(move |name| (app, *name)))
}

/// Returns a migration's name with its app, as `showmigrations` shows it: `auth.0001_initial`.
pub(crate) fn named(app: &str, name: &str) -> String {
    format!("{app}.{name}")
}
