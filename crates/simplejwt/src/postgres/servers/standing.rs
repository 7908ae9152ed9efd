//! The status that a PostgreSQL server reports: whether it is writable, and its timeline.

use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// An expression for the timeline, as eight hexadecimal digits; null on a standby.
pub(in crate::postgres) const TIMELINE: &str = "(CASE WHEN pg_is_in_recovery() THEN NULL \
    ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END)";
const READS_ONLY: &str =
    "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean";

/// A server's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::postgres) struct Standing {
    pub(super) is_writable: bool,
    /// `None` if the server doesn't report it, as managed ones may not.
    pub(super) history: Option<History>,
}

/// The cluster that a server's data belongs to, and the timeline that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    /// The cluster's identifier.
    pub(super) system: String,
    /// Increases by one with each promotion of a standby.
    pub(super) timeline: u32,
}

impl History {
    /// Returns `true` if this one was given up for the other. Different clusters can't be compared.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.system == other.system && self.timeline < other.timeline
    }
}

/// Asks a server for its status.
pub(in crate::postgres) async fn standing(client: &Client) -> Result<Standing, Error> {
    let reads_only = first_row(client, READS_ONLY).await?;
    let is_writable = reads_only.first().is_some_and(|value| value == "f");
    if !is_writable {
        return Ok(Standing::default());
    }
    let sql = format!("SELECT {TIMELINE}, system_identifier FROM pg_control_system()");
    let history = match first_row(client, &sql).await {
        Ok(row) => match row.as_slice() {
            [timeline, system] => u32::from_str_radix(timeline, 16)
                .ok()
                .map(|timeline| History { system: system.clone(), timeline }),
            _ => None,
        },
        Err(error) if error.code().is_some() => None,
        Err(error) => return Err(error),
    };
    Ok(Standing { is_writable, history })
}

/// Returns the first row of an answer, without a prepared statement, which a pooler might lose.
async fn first_row(client: &Client, sql: &str) -> Result<Vec<String>, Error> {
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            let value = |at| row.get(at).unwrap_or_default().to_owned();
            return Ok((0..row.len()).map(value).collect());
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_timelines_of_one_cluster_the_lower_was_given_up() {
        let history = |system: &str, timeline| History { system: system.to_owned(), timeline };
        assert!(history("a", 1).is_before(&history("a", 2)));
        assert!(!history("a", 2).is_before(&history("a", 2)));
        assert!(!history("a", 10).is_before(&history("a", 9)));
        assert!(!history("a", 1).is_before(&history("b", 2)), "another cluster");
    }
}
