//! The status that a MySQL or MariaDB server reports: whether it is writable, and in touch with its
//! cluster.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row};

const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
    ('read_only', 'innodb_read_only', 'wsrep_on', 'wsrep_reject_queries')";
const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
    ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state')";
/// Makes reads, updates and deletions, inserts and the first statement of a transaction wait for
/// everything that the cluster has committed.
const CAUSAL: &str = "SET SESSION wsrep_sync_wait = 7";
/// Waits for everything that the cluster has committed, even if that table is missing.
const READ: &str = "SELECT count(*) FROM simplejwt_sequence";
const NO_SUCH_TABLE: u16 = 1146;
const TABLE_ACCESS_DENIED: u16 = 1142;

/// A server's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mysql) enum Standing {
    /// Alone, or replicating to others.
    Good,
    /// A member of a Galera cluster, in touch with the others.
    Synced,
    /// A member of a Galera cluster that is behind, or sends its data to another member.
    Behind,
    /// A member of a Galera cluster that has lost the others.
    Lost,
    /// Read-only: another server's replica, say.
    ReadOnly,
}

impl Standing {
    pub(super) fn is_galera(self) -> bool {
        matches!(self, Self::Synced | Self::Behind | Self::Lost)
    }
}

/// Asks the connection's server for its status. In a Galera cluster, the connection reads causally
/// from then on.
pub(in crate::mysql) async fn standing(conn: &mut Conn) -> Result<Standing, Error> {
    let variables = pairs(conn, VARIABLES).await?;
    let is = |name: &str, value: &[&str]| {
        variables.iter().any(|(found, is)| found == name && value.contains(&is.as_str()))
    };
    // MariaDB has other words than ON for a read-only server.
    let writes = |name| variables.iter().all(|(found, is)| found != name || is == "OFF");
    if is("wsrep_on", &["ON", "1"]) {
        conn.query_drop(CAUSAL).await?;
        let rejects = !is("wsrep_reject_queries", &["NONE", ""]);
        let standing = if rejects { Standing::Lost } else { membership(conn).await? };
        if standing == Standing::Synced && !(writes("read_only") && writes("innodb_read_only")) {
            return Ok(Standing::ReadOnly);
        }
        return Ok(standing);
    }
    Ok(match writes("read_only") && writes("innodb_read_only") {
        true => Standing::Good,
        false => Standing::ReadOnly,
    })
}

/// Asks the node of a Galera cluster for its status.
pub(super) async fn membership(conn: &mut Conn) -> Result<Standing, Error> {
    let status = pairs(conn, STATUS).await?;
    let is = |name: &str, value: &str| {
        status.iter().any(|(found, is)| found == name && is.eq_ignore_ascii_case(value))
    };
    if !is("wsrep_ready", "ON") || !is("wsrep_cluster_status", "Primary") {
        return Ok(Standing::Lost);
    }
    Ok(if is("wsrep_local_state", "4") { Standing::Synced } else { Standing::Behind })
}

/// Returns the rows of a statement that lists names and values.
async fn pairs(conn: &mut Conn, sql: &str) -> Result<Vec<(String, String)>, Error> {
    let rows: Vec<Row> = conn.query(sql).await?;
    let text =
        |row: &Row, at| row.get_opt::<String, _>(at).and_then(Result::ok).unwrap_or_default();
    Ok(rows.iter().map(|row| (text(row, 0).to_ascii_lowercase(), text(row, 1))).collect())
}

/// Reads something, which waits until the node has applied everything that the cluster has
/// committed.
pub(super) async fn read(conn: &mut Conn) -> Result<(), Error> {
    match conn.query_drop(READ).await {
        Err(Error::Server(error)) if [NO_SUCH_TABLE, TABLE_ACCESS_DENIED].contains(&error.code) => {
            Ok(())
        }
        read => read,
    }
}
