//! The users' table, and whose tokens are registered.

use mysql_async::Conn;

use super::Check;
use super::table::found;
use crate::mysql::database::Failure;
use crate::mysql::schema;
use crate::sql::check::{
    FoundTable, Relation, Right, Severity, column_faults, of_owners, of_users,
};
use crate::sql::column::{Dialect, UserColumns};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::UserTable;

impl Check<'_> {
    /// Checks the users' table; returns its columns if it can be used.
    pub(super) async fn users(
        &mut self,
        conn: &mut Conn,
        users: &UserTable,
    ) -> Result<Option<UserColumns>, Failure> {
        let name = users.table.as_str();
        if let Err(error) = users.validate() {
            self.problems.push(of_users(name, &error.into(), &self.lines));
            return Ok(None);
        }
        let (found, engine) = found(conn, name).await?;
        // A table on which the account has no right at all isn't shown.
        let is_hidden = found.relation == Relation::Missing;
        let (rights, mut denied) = (Right::on_users(users, self.uses), false);
        for right in &rights {
            denied |= self.is_denied(conn, name, right, &right.columns).await?;
        }
        if is_hidden {
            if !denied {
                let error = schema::check_users(conn, users).await.err();
                let problem = error.map(|error| of_users(name, &error, &self.lines));
                self.problems.extend(problem);
            }
            return Ok(None);
        }
        if found.relation == Relation::Table {
            self.engine(name, &engine, Severity::Warning);
        }
        // Columns on which the account has no right aren't shown.
        let is_shown = |name: &String| schema::find(&found.table.columns, name).is_some();
        if denied && !rights.iter().flat_map(|right| &right.columns).all(is_shown) {
            return Ok(None);
        }
        let shown = schema::columns_of(conn, users).await?;
        let mut errors = column_faults(users, &shown, &found.table, Dialect::Strict);
        let is_there = |name: &str| schema::find(&found.table.columns, name).is_some();
        for by in found_by(users).iter().filter(|by| is_there(by.0)) {
            match schema::check_unique(conn, users, &[*by]).await {
                Ok(()) | Err(SchemaError::Database(_)) => {}
                Err(error) => errors.push(error),
            }
        }
        let problems = errors.iter().map(|error| of_users(name, error, &self.lines));
        self.problems.extend(problems.collect::<Vec<_>>());
        match errors.is_empty() {
            true => Ok(schema::check_users(conn, users).await.ok()),
            false => Ok(None),
        }
    }

    /// Checks whose tokens are registered.
    pub(super) async fn owners(
        &mut self,
        conn: &mut Conn,
        users: &UserTable,
        found: &FoundTable,
        columns: Option<&UserColumns>,
    ) -> Result<(), Failure> {
        let outstanding = schema::check_outstanding(conn, users).await;
        let user_id = schema::find(&found.table.columns, "user_id");
        let problem = of_owners(users, outstanding, user_id, columns, Dialect::Strict, &self.lines);
        self.problems.extend(problem);
        Ok(())
    }
}
