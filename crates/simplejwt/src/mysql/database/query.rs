//! What a single statement says.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Row};

use super::Failure;

/// Returns `true` if a statement that selects `1` found a row.
pub(crate) async fn exists(
    conn: &mut Conn,
    statement: &str,
    values: impl Into<Params> + Send,
) -> Result<bool, Failure> {
    Ok(conn.exec_first::<Row, _, _>(statement, values).await?.is_some())
}

/// Returns the number of rows that a statement changed.
pub(crate) async fn changed(
    conn: &mut Conn,
    statement: &str,
    values: impl Into<Params> + Send,
) -> Result<u64, Failure> {
    conn.exec_drop(statement, values).await?;
    Ok(conn.affected_rows())
}
