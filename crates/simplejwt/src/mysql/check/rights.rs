//! The rights of the account, found by trying them.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};

use super::Check;
use crate::mysql::database::Failure;
use crate::sql::check::{Needed, Right};
use crate::sql::table::backticked;

/// The outcome of a trial.
enum Tried {
    Done,
    Denied,
    /// The server is read-only.
    ReadOnly,
    Failed,
}

/// Runs a statement that changes nothing.
async fn tried(conn: &mut Conn, sql: &str) -> Result<Tried, Failure> {
    match conn.query_drop(sql).await {
        Ok(()) => Ok(Tried::Done),
        Err(Error::Server(error)) => Ok(match error.code {
            1044 | 1142 | 1143 | 1227 => Tried::Denied,
            1290 | 1792 | 1836 => Tried::ReadOnly,
            _ => Tried::Failed,
        }),
        Err(error) => Err(error.into()),
    }
}

impl Check<'_> {
    /// Tries all accesses to a table; returns `true` if some are denied.
    pub(super) async fn trials(
        &mut self,
        conn: &mut Conn,
        needed: &Needed,
    ) -> Result<bool, Failure> {
        let mut any = false;
        for right in Right::on(needed, self.uses, true) {
            any |= self.is_denied(conn, needed.name, &right, &[]).await?;
        }
        Ok(any)
    }

    /// Tries a right; returns `true` if the account lacks it, which is reported as a problem. It is
    /// to be granted on these columns, or on the whole table if there are none.
    pub(super) async fn is_denied(
        &mut self,
        conn: &mut Conn,
        table: &str,
        right: &Right,
        columns: &[String],
    ) -> Result<bool, Failure> {
        match tried(conn, &right.trial(table, &self.lines)).await? {
            Tried::Done | Tried::Failed => return Ok(false),
            Tried::ReadOnly => {
                self.is_read_only = true;
                return Ok(false);
            }
            Tried::Denied => {}
        }
        let on = format!("{}.{}", backticked(&self.database), backticked(table));
        self.problems.push(right.denied(table, columns, &on, &self.grantee, &self.lines));
        Ok(true)
    }
}
