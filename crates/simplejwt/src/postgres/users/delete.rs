//! Deleting users.

use crate::error::StoreError;
use crate::postgres::PostgresUsers;
use crate::postgres::run;
use crate::postgres::tokens::{PgResult, parameter};
use crate::sql::delete::{Deletion, UserKey};
use crate::sql::lookup::nothing_of;
use crate::sql::manage::Reference;
use crate::sql::references::OnDelete;
use crate::sql::table::{quoted, relation};
use crate::users::UserId;

/// Single-column foreign keys that refer to a relation; partitions count for themselves.
const KEYS: &str = "\
    SELECT n.nspname::text, c.relname::text, a.attname::text, r.attname::text, \
    CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' \
    WHEN 'd' THEN 'SET DEFAULT' ELSE '' END \
    FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid \
    JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] \
    JOIN pg_attribute AS r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[1] \
    WHERE k.contype = 'f' AND k.confrelid = to_regclass($1::text) \
    AND array_length(k.conkey, 1) = 1 ORDER BY 1, 2, 3";

/// There is no user of this name.
pub(super) struct NotThere;

/// The user of this name.
pub(super) struct UserFound {
    pub(super) user_id: UserId,
    /// The rows that prevent the user's deletion.
    pub(super) references: Vec<Reference>,
}

impl PostgresUsers {
    /// Returns the rows that prevent a user's deletion. If there are none and `deletes` is `true`,
    /// deletes the user.
    pub(super) async fn delete(
        &self,
        operation: &'static str,
        username: &str,
        deletes: bool,
    ) -> Result<Result<UserFound, NotThere>, StoreError> {
        let Some(login) = self.sql.login.kind.parse_login(username).map(parameter) else {
            return Ok(Err(NotThere));
        };
        let users = &self.sql.table;
        let table = relation(&users.table);
        let is_the_user =
            format!("{} = CAST($1::text AS {})", quoted(&users.login), self.sql.login.cast);
        // A block of its own, which `?` leaves instead of this function.
        let found = async {
            run!(self.database, operation, |client| async {
                let transaction = client.transaction().await?;
                let rows = transaction.query(KEYS, &[&table]).await?;
                let keys = rows.iter().map(key).collect::<PgResult<Vec<_>>>()?;
                let deletion = Deletion::new(users, &keys, &table, &is_the_user);
                let Some(user) = self.sql.by_login(&transaction, &login).await? else {
                    return Ok(Err(NotThere));
                };
                let mut found = Vec::new();
                for (key, count) in &deletion.counts {
                    let rows = transaction.query_one(count, &[&login]).await?.try_get(0)?;
                    found.extend(key.reference(rows));
                }
                if deletes && found.is_empty() {
                    for sql in deletion.changes.iter().chain([&deletion.delete]) {
                        transaction.execute(sql, &[&login]).await?;
                    }
                }
                transaction.commit().await?;
                Ok(Ok(UserFound { user_id: user.user.id, references: found }))
            })
        };
        let found = found.await.map(Some);
        Ok(nothing_of(&login, found)?.unwrap_or(Err(NotThere)))
    }
}

fn key(row: &tokio_postgres::Row) -> PgResult<UserKey> {
    let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (column, refers_to): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    Ok(UserKey {
        table: format!("{}.{}", quoted(&schema), quoted(&name)),
        name,
        column: quoted(&column),
        column_name: column,
        refers_to: quoted(&refers_to),
        on_delete: OnDelete::parse(row.try_get(4)?),
    })
}
