//! The users' table, and whose tokens are registered.

use super::Check;
use crate::postgres::schema::{self, Checked};
use crate::postgres::tokens::PgResult;
use crate::sql::check::{FoundTable, Lines, Relation, Right, column_faults, of_owners, of_users};
use crate::sql::column::{Dialect, UserColumns};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::UserTable;

impl Check<'_> {
    /// Checks the users' table; returns it if it can be used, and whether it exists.
    pub(super) async fn users(&mut self, users: &UserTable) -> PgResult<(Option<Checked>, bool)> {
        let name = users.table.as_str();
        let found = self.found(name).await?;
        if found.relation == Relation::Missing {
            if !self.elsewhere(name, true).await? {
                let error = found.table.require(name, []).err();
                let error = match error {
                    Some(error) => schema::with_tables(self.client, error).await,
                    None => return Ok((None, false)),
                };
                self.problems.push(of_users(name, &error, &Lines::Postgres));
            }
            return Ok((None, false));
        }
        let every = schema::columns_of(self.client, users).await?;
        let mut errors = column_faults(users, &every, &found.table, Dialect::Strict);
        let is_there = |column: &str| found.table.column(column).is_some();
        for by in found_by(users).iter().filter(|by| is_there(by.0)) {
            match schema::check_unique(self.client, users, &[*by]).await {
                Ok(()) => {}
                Err(SchemaError::Database(_)) => {}
                Err(error) => errors.push(error),
            }
        }
        let is_bad = !errors.is_empty();
        let problems = errors.iter().map(|error| of_users(name, error, &Lines::Postgres));
        self.problems.extend(problems.collect::<Vec<_>>());
        self.rights_on(name, &Right::on_users(users, self.uses)).await?;
        if let Some(child) = &users.child {
            let read = child.columns.iter().filter(|column| users.columns.contains(column));
            let read = read.chain([&child.pointer]).cloned().collect();
            self.rights_on(&child.table, &[Right::to_read(read)]).await?;
        }
        if is_bad {
            return Ok((None, true));
        }
        Ok((schema::check_users(self.client, users).await.ok(), true))
    }

    /// Checks whose tokens are registered.
    pub(super) async fn owners(
        &mut self,
        users: &UserTable,
        found: &FoundTable,
        columns: Option<&UserColumns>,
    ) -> PgResult<()> {
        let outstanding = schema::check_outstanding(self.client, users).await.map(drop);
        let user_id = found.table.column("user_id");
        let lines = &Lines::Postgres;
        let problem = of_owners(users, outstanding, user_id, columns, Dialect::Strict, lines);
        self.problems.extend(problem);
        Ok(())
    }
}
