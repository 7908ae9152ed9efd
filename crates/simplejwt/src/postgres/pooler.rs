//! Detects a pooler that gives each transaction another connection, as PgBouncer does with
//! `pool_mode = transaction`.
//!
//! Then nothing belongs to a session any more: settings remain on a connection that others get
//! next, and LISTEN has no session to be notified. No protocol reveals this, but it can be seen:
//! two connections that are open at the same time have the same process behind them.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::tokens::PgResult;

/// Advice for a pooler that loses prepared statements.
pub(super) const WITHOUT_STATEMENTS: &str = "\
    a pooler stands before PostgreSQL that loses prepared statements: PgBouncer keeps them from 1.21 \
    on with max_prepared_statements = 200; otherwise set pool_mode = session, or name PostgreSQL \
    itself in the URL";

/// What a connection guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// A connection has a session of its own.
    Session,
    /// A transaction has one, and prepared statements are kept for their client.
    Transaction,
    /// A transaction has one, but prepared statements get lost.
    Unprepared,
}

/// Returns the process that serves a connection; another host may have one with the same number.
async fn process(client: &Client) -> PgResult<Option<String>> {
    const PROCESS: &str = "\
        SELECT concat_ws(' ', pid, backend_start) FROM pg_stat_activity \
        WHERE pid = pg_backend_pid()";
    let messages = client.simple_query(PROCESS).await?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// Returns how connections are pooled, judging by two of them. A busy pooler may not be noticed; a
/// server is never mistaken for one.
pub(super) async fn pooling(one: &Client, other: &Client) -> PgResult<Pooling> {
    let mut before = process(one).await?;
    for client in [other, one, other] {
        let now = process(client).await?;
        if now.is_some() && now == before {
            return Ok(match keeps_statements(one, other).await? {
                true => Pooling::Transaction,
                false => Pooling::Unprepared,
            });
        }
        before = now;
    }
    Ok(Pooling::Session)
}

/// Returns `true` if a statement that one connection prepared can be run while another transaction
/// holds the process on which it was prepared.
async fn keeps_statements(one: &Client, other: &Client) -> PgResult<bool> {
    let statement = match one.prepare("SELECT 1").await {
        Ok(statement) => statement,
        Err(error) if is_of_statements(error.code()) => return Ok(false),
        Err(error) => return Err(error),
    };
    other.batch_execute("BEGIN").await?;
    let outcome = one.query(&statement, &[]).await;
    other.batch_execute("ROLLBACK").await?;
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if is_of_statements(error.code()) => {
            // So that it isn't in anybody's way.
            for client in [one, other] {
                let _ = client.batch_execute("DEALLOCATE ALL").await;
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Returns `true` if a prepared statement was missing, or existed already.
pub(super) fn is_of_statements(state: Option<&SqlState>) -> bool {
    const LOST: [&SqlState; 2] =
        [&SqlState::INVALID_SQL_STATEMENT_NAME, &SqlState::DUPLICATE_PSTATEMENT];
    state.is_some_and(|state| LOST.contains(&state))
}
