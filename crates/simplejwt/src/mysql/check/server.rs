//! Checks the server as a whole: does it take enough connections, and what would a crash cost?

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};

use super::Check;
use crate::clock::{Clock as _, SystemClock};
use crate::mysql::database::{Failure, column};
use crate::sql::check::{Grantee, Problem, Severity, of_the_clock};

const SERVER: &str = "\
    SELECT CURRENT_USER(), DATABASE(), @@read_only, @@max_connections, @@max_user_connections, \
    CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED), @@innodb_flush_log_at_trx_commit";

impl Check<'_> {
    /// Checks the server as a whole, and finds out who is connected.
    pub(super) async fn server(&mut self, conn: &mut Conn, pool: usize) -> Result<(), Failure> {
        let row: Option<Row> = conn.query_first(SERVER).await?;
        let asked = SystemClock.now().as_micros();
        let row = row.ok_or(Failure::Shape)?;
        let account: String = column(&row, 0)?;
        let name = spelt(&account);
        self.grantee = Grantee { who: format!("the account {name}"), name };
        self.database = column(&row, 1)?;
        self.is_read_only = column::<i64>(&row, 2)? != 0;
        for (at, name) in [(3, "max_connections"), (4, "max_user_connections")] {
            let limit: u64 = column(&row, at)?;
            if limit > 0 && limit < pool as u64 {
                self.problems.push(Problem::general(
                    Severity::Warning,
                    format!("{name} of the server is {limit}, and each process may open {pool}"),
                    format!("set max_connections = {limit} in [database], or less for several"),
                ));
            }
        }
        self.problems.extend(of_the_clock(column(&row, 5)?, asked));
        if column::<i64>(&row, 6)? != 1 {
            self.problems.push(Problem::general(
                Severity::Warning,
                "innodb_flush_log_at_trx_commit isn't 1: a crash of the server can bring spent \
                 tokens to life",
                "set innodb_flush_log_at_trx_commit = 1",
            ));
        }
        Ok(())
    }
}

/// Returns an account as GRANT spells it.
pub(in crate::mysql) fn spelt(account: &str) -> String {
    let (name, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    format!("{}@{}", quoted(name), quoted(host))
}
