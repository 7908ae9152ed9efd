//! Deleting users.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::sql::delete::{Deletion, UserKey};
use crate::sql::manage::Reference;
use crate::sql::references::OnDelete;
use crate::sql::table::{Key, UserTable, quoted};
use crate::sqlite::SqliteUsers;
use crate::users::UserId;

/// Single-column foreign keys that refer to a table, which SQLite finds whatever the case of its
/// name.
const KEYS: &str = "\
    SELECT m.name, f.\"from\", coalesce(f.\"to\", (SELECT p.name \
    FROM pragma_table_info(f.\"table\") AS p WHERE p.pk = 1)), f.on_delete \
    FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS f \
    WHERE m.type = 'table' AND lower(f.\"table\") = lower(?1) AND NOT EXISTS (SELECT 1 \
    FROM pragma_foreign_key_list(m.name) AS g WHERE g.id = f.id AND g.seq > 0) ORDER BY m.name, f.id";

/// There is no user of this name.
pub(super) struct NotThere;

/// The user of this name.
pub(super) struct UserFound {
    pub(super) user_id: UserId,
    /// The rows that prevent the user's deletion.
    pub(super) references: Vec<Reference>,
}

impl SqliteUsers {
    /// Returns the rows that prevent a user's deletion. If there are none and `deletes` is `true`,
    /// deletes the user.
    pub(super) async fn delete(
        &self,
        operation: &'static str,
        username: &str,
        deletes: bool,
    ) -> Result<Result<UserFound, NotThere>, StoreError> {
        let Some(login) = self.sql.login.parse_login(username) else { return Ok(Err(NotThere)) };
        let sql = std::sync::Arc::clone(&self.sql);
        let job = move |connection: &Connection| {
            let found = sql.all(connection, &sql.by_login, &login)?.into_iter().next();
            let Some(found) = found else { return Ok(Err(NotThere)) };
            let references = delete(connection, &sql.table, &login, deletes)?;
            Ok(Ok(UserFound { user_id: found.user.id, references }))
        };
        self.database.write(operation, job).await
    }
}

fn delete(
    connection: &Connection,
    users: &UserTable,
    login: &Key,
    deletes: bool,
) -> rusqlite::Result<Vec<Reference>> {
    let key = |row: &rusqlite::Row<'_>| {
        let (name, column): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(UserKey {
            table: quoted(&name),
            name,
            column: quoted(&column),
            column_name: column,
            refers_to: quoted(&row.get::<_, Option<String>>(2)?.unwrap_or_default()),
            on_delete: OnDelete::parse(&row.get::<_, String>(3)?),
        })
    };
    let keys: Vec<UserKey> = connection
        .prepare(KEYS)?
        .query_map([&users.table], key)?
        .collect::<rusqlite::Result<_>>()?;
    let is_the_user = format!("{} = ?1", quoted(&users.login));
    let deletion = Deletion::new(users, &keys, &quoted(&users.table), &is_the_user);
    let mut found = Vec::new();
    for (key, count) in &deletion.counts {
        let rows = connection.query_row(count, [login], |row| row.get(0))?;
        found.extend(key.reference(rows));
    }
    if deletes && found.is_empty() {
        for sql in deletion.changes.iter().chain([&deletion.delete]) {
            connection.execute(sql, [login])?;
        }
    }
    Ok(found)
}
