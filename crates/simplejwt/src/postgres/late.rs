//! Refreshes one at a time, of tokens that the statements for many leave alone: spent ones, and those
//! about which something is unusual. One whose COMMIT takes longer than its caller waits goes on.

use std::sync::Arc;

use tokio::time::{Instant, timeout, timeout_at};

use super::PostgresStore;
use super::database::Own;
use super::refusal::Refusal;
use super::rotations::DATE;
use super::tokens::PgResult;
use crate::error::StoreError;
use crate::event::Recorded;
use crate::sql::late::LONGEST;
use crate::store::session::{NextToken, RefreshOutcome, SessionRefresh};

/// Refreshes a token; if that takes too long, it goes on, and is dated when it ends. Returns `None`
/// if other transactions interfered repeatedly.
pub(super) async fn refresh(
    store: &PostgresStore,
    refresh: &SessionRefresh,
    was_good: bool,
) -> Result<Option<Recorded<RefreshOutcome>>, StoreError> {
    let refresh = Arc::new(refresh.clone());
    let mut attempts = store.database.attempts("refresh");
    loop {
        let mut client = Own::new(attempts.client().await?);
        let begun = Instant::now();
        let (sql, asked) = (Arc::clone(&store.sql), Arc::clone(&refresh));
        // Owns its connection, so that it can go on by itself.
        let mut work = Box::pin(async move {
            let outcome = match client.client_mut() {
                Some(client) => sql.refresh(client, &asked, was_good).await,
                None => Ok(None),
            };
            (client, outcome)
        });
        let settled = match timeout_at(attempts.until(), &mut work).await {
            Ok((client, outcome)) => match client.give_back() {
                Some(client) => attempts.settle(client, Some(outcome))?,
                None => return Ok(None),
            },
            Err(_) => {
                follow(store, &refresh, begun, work);
                attempts.timed_out()?
            }
        };
        if let Some(outcome) = settled {
            return Ok(outcome);
        }
    }
}

/// Waits for the end of a rotation, and dates it.
fn follow(
    store: &PostgresStore,
    refresh: &Arc<SessionRefresh>,
    begun: Instant,
    work: impl Future<Output = (Own, PgResult<Option<Recorded<RefreshOutcome>>>)> + Send + 'static,
) {
    if !matches!(refresh.next, NextToken::Rotated { .. }) {
        return;
    }
    let Some(followed) = store.late.follow(vec![refresh.token.jti.clone()]) else { return };
    let refresh = Arc::clone(refresh);
    tokio::spawn(async move {
        let _followed = followed;
        let Ok((client, outcome)) = timeout(LONGEST, work).await else { return };
        let (Some(session), Ok(Some(refreshed))) = (client.client(), outcome) else { return };
        if refreshed.outcome != RefreshOutcome::Refreshed {
            return;
        }
        let NextToken::Rotated { token, .. } = &refresh.next else { return };
        let next = vec![token.jti.as_str()];
        let written = vec![refresh.cause.at.as_micros()];
        let now = vec![(refresh.cause.at + begun.elapsed()).as_micros()];
        if let Err(error) = session.execute(DATE, &[&next, &written, &now]).await {
            tracing::warn!(
                event = "rotation_not_dated",
                error = %Refusal(error),
                "a rotation that took long can't be dated anew"
            );
        }
    });
}
