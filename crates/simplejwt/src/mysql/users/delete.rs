//! Deleting users.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Row, Value, params};

use crate::error::StoreError;
use crate::mysql::MysqlUsers;
use crate::mysql::database::{Failure, attempt, begin, column, commit, rollback};
use crate::sql::delete::{Deletion, UserKey};
use crate::sql::lookup::nothing_of;
use crate::sql::manage::Reference;
use crate::sql::references::OnDelete;
use crate::sql::table::{Key, backticked};
use crate::users::UserId;

/// Single-column foreign keys that refer to a table, from every database that the account sees.
const KEYS: &str = "\
    SELECT k.TABLE_SCHEMA, k.TABLE_NAME, MIN(k.COLUMN_NAME), MIN(k.REFERENCED_COLUMN_NAME), \
    MIN(r.DELETE_RULE) FROM information_schema.KEY_COLUMN_USAGE AS k \
    JOIN information_schema.REFERENTIAL_CONSTRAINTS AS r \
    ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
    AND r.TABLE_NAME = k.TABLE_NAME WHERE k.REFERENCED_TABLE_SCHEMA = DATABASE() \
    AND k.REFERENCED_TABLE_NAME = :table \
    GROUP BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME HAVING COUNT(*) = 1 ORDER BY 1, 2, 3";

/// There is no user of this name.
pub(super) struct NotThere;

/// The user of this name.
pub(super) struct UserFound {
    pub(super) user_id: UserId,
    /// The rows that prevent the user's deletion.
    pub(super) references: Vec<Reference>,
}

impl MysqlUsers {
    /// Returns the rows that prevent a user's deletion. If there are none and `deletes` is `true`,
    /// deletes the user.
    pub(super) async fn delete(
        &self,
        operation: &'static str,
        username: &str,
        deletes: bool,
    ) -> Result<Result<UserFound, NotThere>, StoreError> {
        let Some(login) = self.sql.login.parse_login(username) else { return Ok(Err(NotThere)) };
        let found = attempt!(self.database.attempts(operation), |conn| async {
            begin(conn).await?;
            let found = self.delete_in(conn, &login, deletes).await?;
            match deletes {
                true => commit(conn).await?,
                false => rollback(conn).await?,
            }
            Ok(found)
        });
        Ok(nothing_of(username, found.map(Some))?.unwrap_or(Err(NotThere)))
    }

    async fn delete_in(
        &self,
        conn: &mut Conn,
        login: &Key,
        deletes: bool,
    ) -> Result<Result<UserFound, NotThere>, Failure> {
        let user = self.sql.all(conn, &self.sql.by_login, login).await?.into_iter().next();
        let Some(user) = user else { return Ok(Err(NotThere)) };
        let users = &self.sql.table;
        let rows: Vec<Row> = conn.exec(KEYS, params! { "table" => &users.table }).await?;
        let keys = rows.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let is_the_user = format!("{} = ?", backticked(&users.login));
        let deletion = Deletion::new(users, &keys, &backticked(&users.table), &is_the_user);
        let login = || Params::Positional(vec![Value::from(login)]);
        let mut found = Vec::new();
        for (key, count) in &deletion.counts {
            let row: Option<Row> = conn.exec_first(count, login()).await?;
            let rows = row.as_ref().map_or(Ok(0), |row| column(row, 0))?;
            found.extend(key.reference(rows));
        }
        if deletes && found.is_empty() {
            for sql in deletion.changes.iter().chain([&deletion.delete]) {
                conn.exec_drop(sql, login()).await?;
            }
        }
        Ok(Ok(UserFound { user_id: user.user.id, references: found }))
    }
}

fn key(row: &Row) -> Result<UserKey, Failure> {
    let (schema, name): (String, String) = (column(row, 0)?, column(row, 1)?);
    let (column_name, refers_to): (String, String) = (column(row, 2)?, column(row, 3)?);
    Ok(UserKey {
        table: format!("{}.{}", backticked(&schema), backticked(&name)),
        name,
        column: backticked(&column_name),
        column_name,
        refers_to: backticked(&refers_to),
        on_delete: OnDelete::parse(&column::<String>(row, 4)?),
    })
}
