//! Rows of groups and permissions, and further columns, on tables that Django made: the same on every
//! database.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use serde_json::{Value, json};
use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageUsers, NewUser};
use simplejwt::users::password::unusable_password;
use simplejwt::{Timestamp, User};

/// What Django's admin would have written, for the users of [`people`].
pub(crate) const RIGHTS: &[&str] = &[
    "INSERT INTO django_content_type (id, app_label, model) \
     VALUES (9001, 'blog', 'post'), (9002, 'shop', 'order')",
    "INSERT INTO auth_permission (id, content_type_id, codename, name) VALUES \
     (9001, 9001, 'add_post', ''), (9002, 9001, 'change_post', ''), \
     (9003, 9002, 'add_order', ''), (9004, 9002, 'never_granted', '')",
    "INSERT INTO auth_group (id, name) VALUES (9001, 'writers'), (9002, 'Zoë''s'), (9003, 'none')",
    "INSERT INTO auth_group_permissions (id, group_id, permission_id) \
     VALUES (9001, 9001, 9001), (9002, 9001, 9002), (9003, 9002, 9003)",
    "INSERT INTO auth_user_groups (id, user_id, group_id) \
     SELECT 9001, id, 9001 FROM auth_user WHERE username = 'ann'",
    "INSERT INTO auth_user_groups (id, user_id, group_id) \
     SELECT 9002, id, 9002 FROM auth_user WHERE username = 'ann'",
    "INSERT INTO auth_user_groups (id, user_id, group_id) \
     SELECT 9003, id, 9001 FROM auth_user WHERE username = 'idle'",
    "INSERT INTO auth_user_user_permissions (id, user_id, permission_id) \
     SELECT 9001, id, 9002 FROM auth_user WHERE username = 'ann'",
    "INSERT INTO auth_user_user_permissions (id, user_id, permission_id) \
     SELECT 9002, id, 9003 FROM auth_user WHERE username = 'zoe'",
];

/// Puts a value into each column of [`COLUMNS`]; what differs between the databases is given.
pub(crate) fn values(seen: &str, vip: &str) -> String {
    format!(
        "UPDATE auth_user SET score = 10.25, public_id = '0123456789abcdef0123456789abcdef', \
         seen = '{seen}', born = '2026-01-02', wakes = '06:30:00', ratio = 0.5, visits = 7, \
         vip = {vip} WHERE username = 'ann'"
    )
}

pub(crate) const COLUMNS: [&str; 10] =
    ["email", "score", "public_id", "seen", "born", "wakes", "ratio", "visits", "vip", "note"];

/// The users that the statements are about.
pub(crate) async fn people(users: &impl ManageUsers) {
    for (name, is_superuser) in [("ann", false), ("zoe", false), ("idle", false), ("top", true)] {
        let email = format!("{name}@example.com");
        let password = unusable_password();
        let new =
            NewUser { username: name.into(), email, password, is_superuser, ..Default::default() };
        users.create_user(new, &Cause::at(Timestamp::from_secs(1_767_323_045))).await.unwrap();
    }
    users.set_active("idle", false, &Cause::at(crate::support::NOW)).await.unwrap();
}

async fn user(users: &impl ManageUsers, name: &str) -> User {
    users.by_username(name).await.unwrap().unwrap()
}

/// The columns as DRF's fields write them.
pub(crate) async fn check_fields(users: &impl ManageUsers) {
    let ann = user(users, "ann").await;
    let fields: serde_json::Map<String, Value> = ann.fields.clone().into_iter().collect();
    let expected = json!({
        "email": "ann@example.com", "score": "10.25",
        "public_id": "01234567-89ab-cdef-0123-456789abcdef",
        "seen": "2026-01-02T03:04:05.600000Z", "born": "2026-01-02", "wakes": "06:30:00",
        "ratio": 0.5, "visits": 7, "vip": true, "note": null,
    });
    assert_eq!(Value::Object(fields), expected);
    let found = users.find(&ann.id).await.unwrap().unwrap();
    assert_eq!(found.fields, ann.fields);
    let zoe = user(users, "zoe").await;
    assert_eq!(zoe.fields.get("score"), Some(&Value::Null));
    assert_eq!(zoe.fields.len(), COLUMNS.len());
    assert!(users.list(None, 9).await.unwrap().contains(&ann));
}
