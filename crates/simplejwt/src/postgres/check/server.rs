//! Checks the server as a whole: does it take writes and enough connections, and what would a crash
//! cost?

use super::{Check, Role};
use crate::clock::{Clock as _, SystemClock};
use crate::postgres::tokens::PgResult;
use crate::sql::check::{Grantee, Problem, Severity, of_the_clock};

const SERVER: &str = "\
    SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
    current_setting('max_connections')::int \
    - current_setting('superuser_reserved_connections')::int, \
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), \
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()), \
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
    current_setting('fsync') = 'on', current_setting('synchronous_commit') <> 'off', \
    quote_ident(current_user), current_user::text, \
    array_to_string(current_schemas(false), ', ')";

impl Check<'_> {
    /// Checks the server as a whole, and finds out who is connected.
    pub(super) async fn server(&mut self, pool: usize) -> PgResult<()> {
        let row = self.client.query_one(SERVER, &[]).await?;
        let asked = SystemClock.now().as_micros();
        let (is_standby, reads_only): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
        self.role = Role {
            grantee: Grantee {
                who: format!("the role \"{}\"", row.try_get::<_, String>(9)?),
                name: row.try_get(8)?,
            },
            search_path: row.try_get::<_, Option<String>>(10)?.unwrap_or_default(),
        };
        if is_standby {
            self.problems.push(Problem::general(
                Severity::Passing,
                "the server is a standby, which takes no writes",
                "name the primary in the URL, or all of them with \
                 ?target_session_attrs=read-write",
            ));
        } else if reads_only {
            self.problems.push(Problem::general(
                Severity::Passing,
                "the server takes no writes (default_transaction_read_only is on)",
                format!(
                    "ALTER ROLE {} SET default_transaction_read_only = off;",
                    self.role.grantee.name
                ),
            ));
        }
        let limits: [(i32, &str); 3] = [
            (row.try_get(2)?, "max_connections of the server"),
            (row.try_get::<_, Option<i32>>(3)?.unwrap_or(-1), "the role's CONNECTION LIMIT"),
            (row.try_get::<_, Option<i32>>(4)?.unwrap_or(-1), "the database's CONNECTION LIMIT"),
        ];
        for (limit, name) in limits {
            if usize::try_from(limit).is_ok_and(|limit| limit < pool) {
                self.problems.push(Problem::general(
                    Severity::Warning,
                    format!("{name} leaves {limit} connections, and each process may open {pool}"),
                    format!("set max_connections = {limit} in [database], or less for several"),
                ));
            }
        }
        self.problems.extend(of_the_clock(row.try_get(5)?, asked));
        for (at, name) in [(6, "fsync"), (7, "synchronous_commit")] {
            if !row.try_get::<_, bool>(at)? {
                self.problems.push(Problem::general(
                    Severity::Warning,
                    format!("{name} is off: a crash of the server can bring spent tokens to life"),
                    format!("set {name} = on"),
                ));
            }
        }
        Ok(())
    }
}
