//! Finds everything that is wrong with a PostgreSQL database.

mod rights;
mod server;
mod statements;
mod table;
mod users;

use tokio_postgres::Client;

use super::tokens::PgResult;
use super::{PostgresDatabase, schema};
use crate::error::StoreError;
use crate::sql::check::{
    Grantee, Lines, Problem, Problems, Relation, Right, Uses, judge, needed, no_sequence, of_users,
};
use crate::sql::schema::{BLACKLISTED, OUTSTANDING};
use crate::sql::table::UserTable;

const HAS_SEQUENCE: &str =
    "SELECT EXISTS (SELECT 1 FROM simplejwt_sequence WHERE name = 'revocation')";

/// Returns everything that is wrong with the database for these users and uses; nothing if every
/// request will find what it needs. Writes nothing.
///
/// # Errors
/// [`StoreError`] if the database can't be asked.
pub async fn check(
    database: &PostgresDatabase,
    users: &UserTable,
    uses: &Uses,
) -> Result<Problems, StoreError> {
    let client = database.attempts("check").client().await?;
    let found = Check { client: &client, uses, problems: Vec::new(), role: Role::default() };
    let pool = database.max_connections();
    let failed = |error| super::database::store_error("check", error);
    found.run(users, pool).await.map(Problems::new).map_err(failed)
}

/// Returns the server's version as it states it, such as `17.2 (Debian 17.2-1)`.
///
/// # Errors
/// [`StoreError`] if the database can't be asked.
pub async fn server_version(database: &PostgresDatabase) -> Result<String, StoreError> {
    let client = database.attempts("version").client().await?;
    let found = client.query_one("SELECT current_setting('server_version')", &[]).await;
    let version = found.and_then(|row| row.try_get(0));
    version.map_err(|error| super::database::store_error("version", error))
}

/// The connected role.
#[derive(Default)]
struct Role {
    grantee: Grantee,
    search_path: String,
}

struct Check<'a> {
    client: &'a Client,
    uses: &'a Uses,
    problems: Vec<Problem>,
    role: Role,
}

impl Check<'_> {
    async fn run(mut self, users: &UserTable, pool: usize) -> PgResult<Vec<Problem>> {
        self.server(pool).await?;
        if let Err(error) = users.validate() {
            self.problems.push(of_users(&users.table, &error.into(), &Lines::Postgres));
            return Ok(self.problems);
        }
        let users = &schema::resolved(self.client, users).await?;
        let (checked, has_users) = self.users(users).await?;
        for needed in needed(self.uses) {
            let found = self.found(needed.name).await?;
            if found.relation == Relation::Missing && self.elsewhere(needed.name, false).await? {
                continue;
            }
            self.problems.extend(judge(needed, &found, &Lines::Postgres));
            if found.relation == Relation::Missing {
                continue;
            }
            self.rights_on(needed.name, &Right::on(needed, self.uses, false)).await?;
            if needed.name == OUTSTANDING && has_users {
                self.owners(users, &found, checked.as_ref().map(|it| &it.columns)).await?;
            }
            if needed.name == "simplejwt_sequence" {
                self.sequence().await?;
            }
        }
        self.statements(users, checked).await?;
        Ok(self.problems)
    }

    async fn sequence(&mut self) -> PgResult<()> {
        let row = match self.client.query_one(HAS_SEQUENCE, &[]).await {
            Ok(row) => row,
            // Faults of the table have been reported already.
            Err(error) if error.code().is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        if !row.try_get::<_, bool>(0)? {
            self.problems.push(no_sequence(&Lines::Postgres));
        }
        Ok(())
    }
}

/// Returns `true` for our own tables and for Django's that hold tokens.
fn is_for_tokens(name: &str) -> bool {
    name.starts_with("simplejwt_") || name == OUTSTANDING || name == BLACKLISTED
}
