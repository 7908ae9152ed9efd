//! Refreshes whose COMMIT takes longer than their callers wait.

use std::ops::ControlFlow;
use std::sync::Arc;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, params};
use tokio::time::{Instant, timeout, timeout_at};

use super::MysqlStore;
use super::database::{Failure, Lent};
use super::rotations::Rotating;
use crate::error::StoreError;
use crate::event::Recorded;
use crate::logging::with_causes;
use crate::sql::late::LONGEST;
use crate::store::session::{NextToken, RefreshOutcome, SessionRefresh, SessionStore as _};

/// Dates a rotation that still has its original date.
pub(super) const DATE: &str = "\
    UPDATE simplejwt_session_token SET created_at = :now, used_at = :now \
    WHERE jti = :next AND created_at = :then";

/// Refreshes a token; if that takes too long, it goes on, and is dated when it ends.
pub(super) async fn refresh(
    store: &MysqlStore,
    refresh: &SessionRefresh,
) -> Result<Recorded<RefreshOutcome>, StoreError> {
    let jti = &refresh.token.jti;
    let was_good =
        store.late.is_any() && (store.late.knows(jti) || !store.is_spent(jti, None).await?);
    if let NextToken::Rotated { token, access_jti } = &refresh.next {
        let rotating = Rotating::in_session(refresh, token, access_jti);
        if let Some(spent) = store.rotations_in_sessions.run(rotating).await? {
            let session_id = spent.session_id.as_deref();
            return Ok(refresh.recorded(RefreshOutcome::Refreshed, session_id));
        }
    }
    let refresh = Arc::new(refresh.clone());
    let mut attempts = store.database.attempts("refresh");
    loop {
        let begun = Instant::now();
        let Lent { mut conn, link, place } = attempts.connection().await?;
        let (sql, asked) = (Arc::clone(&store.sql), Arc::clone(&refresh));
        // Owns its connection, so that it can go on by itself.
        let mut work = Box::pin(async move {
            let outcome = sql.refresh(&mut conn, &asked, was_good).await;
            (conn, outcome)
        });
        let outcome = match timeout_at(attempts.until(), &mut work).await {
            Ok((conn, outcome)) => attempts.settle(Lent { conn, link, place }, Some(outcome)).await,
            Err(_) => {
                follow(store, &refresh, begun, work);
                attempts.timed_out(link)
            }
        };
        if let ControlFlow::Break(done) = outcome {
            return done;
        }
    }
}

/// Waits for the end of a rotation, and dates it.
fn follow(
    store: &MysqlStore,
    refresh: &Arc<SessionRefresh>,
    begun: Instant,
    work: impl Future<Output = (Conn, Result<Recorded<RefreshOutcome>, Failure>)> + Send + 'static,
) {
    if !matches!(refresh.next, NextToken::Rotated { .. }) {
        return;
    }
    let Some(followed) = store.late.follow(vec![refresh.token.jti.clone()]) else { return };
    let refresh = Arc::clone(refresh);
    tokio::spawn(async move {
        let _followed = followed;
        let Ok((mut conn, Ok(refreshed))) = timeout(LONGEST, work).await else { return };
        if refreshed.outcome != RefreshOutcome::Refreshed {
            return;
        }
        let NextToken::Rotated { token, .. } = &refresh.next else { return };
        let values = params! {
            "next" => &token.jti,
            "then" => refresh.cause.at.as_micros(),
            "now" => (refresh.cause.at + begun.elapsed()).as_micros(),
        };
        if let Err(error) = conn.exec_drop(DATE, values).await {
            tracing::warn!(
                event = "rotation_not_dated",
                error = with_causes(&error),
                "a rotation that took long can't be dated anew"
            );
        }
    });
}
