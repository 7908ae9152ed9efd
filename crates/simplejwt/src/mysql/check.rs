//! Finds everything that is wrong with a MySQL or MariaDB database.

mod rights;
mod server;
mod statements;
mod table;
mod users;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row};

pub(super) use server::spelt;
use table::found;

use super::MysqlDatabase;
use super::database::{Failure, attempt};
use super::schema;
use crate::error::StoreError;
use crate::sql::check::{
    Grantee, Lines, Problem, Problems, Relation, Severity, Uses, judge, needed, no_sequence,
};
use crate::sql::schema::OUTSTANDING;
use crate::sql::table::UserTable;

const HAS_SEQUENCE: &str = "SELECT 1 FROM simplejwt_sequence WHERE name = 'revocation'";

/// Returns everything that is wrong with the database for these users and uses; nothing if every
/// request will find what it needs. Writes that it tries are rolled back.
///
/// # Errors
/// [`StoreError`] if the database can't be asked.
pub async fn check(
    database: &MysqlDatabase,
    users: &UserTable,
    uses: &Uses,
) -> Result<Problems, StoreError> {
    let pool = database.max_connections();
    let found = attempt!(database.attempts("check"), |conn| async {
        let check = Check {
            lines: Lines::Mysql { exact: schema::exact_collation(conn).await? },
            uses,
            problems: Vec::new(),
            grantee: Grantee::default(),
            database: String::new(),
            is_read_only: false,
        };
        check.run(conn, users, pool).await
    })?;
    Ok(Problems::new(found))
}

/// Returns the server's version as it states it, such as `8.4.3` or `11.8.3-MariaDB-deb13`.
///
/// # Errors
/// [`StoreError`] if the database can't be asked.
pub async fn server_version(database: &MysqlDatabase) -> Result<String, StoreError> {
    attempt!(database.attempts("version"), |conn| async {
        let row: Option<Row> = conn.query_first("SELECT VERSION()").await?;
        super::database::column::<String>(&row.ok_or(Failure::Shape)?, 0)
    })
}

struct Check<'a> {
    lines: Lines,
    uses: &'a Uses,
    problems: Vec<Problem>,
    /// The connected account.
    grantee: Grantee,
    database: String,
    is_read_only: bool,
}

impl Check<'_> {
    async fn run(
        mut self,
        conn: &mut Conn,
        users: &UserTable,
        pool: usize,
    ) -> Result<Vec<Problem>, Failure> {
        self.server(conn, pool).await?;
        conn.query_drop("START TRANSACTION").await?;
        let users = &schema::resolved(conn, users).await?;
        let checked = self.users(conn, users).await?;
        let has_users = found(conn, &users.table).await?.0.relation != Relation::Missing;
        for needed in needed(self.uses) {
            let (found, engine) = found(conn, needed.name).await?;
            let denied = self.trials(conn, needed).await?;
            // Columns on which the account has no right aren't shown.
            let is_whole = needed
                .columns
                .iter()
                .all(|column| schema::find(&found.table.columns, column.name).is_some());
            if denied && !is_whole {
                continue;
            }
            self.problems.extend(judge(needed, &found, &self.lines));
            if found.relation != Relation::Table {
                continue;
            }
            self.engine(needed.name, &engine, Severity::Error);
            if needed.name == OUTSTANDING && has_users {
                self.owners(conn, users, &found, checked.as_ref()).await?;
            }
            if !needed.is_djangos {
                self.collations(conn, needed).await?;
            }
            if needed.name == "simplejwt_sequence" {
                self.sequence(conn).await?;
            }
        }
        if self.is_read_only {
            self.problems.push(Problem::general(
                Severity::Passing,
                "the server takes no writes (read_only is set, or it is a replica)",
                "name the primary in the URL, or all of them with commas: the first that takes \
                 writes is used",
            ));
        }
        self.statements(conn, users, checked).await?;
        conn.query_drop("ROLLBACK").await?;
        Ok(self.problems)
    }

    async fn sequence(&mut self, conn: &mut Conn) -> Result<(), Failure> {
        match conn.query_first::<Row, _>(HAS_SEQUENCE).await {
            Ok(Some(_)) | Err(Error::Server(_)) => {}
            Ok(None) => self.problems.push(no_sequence(&self.lines)),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
