//! Waits for the database at startup, so that both can be started at once, in any order.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;

/// The interval between attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// The interval between messages.
const TELL: Duration = Duration::from_secs(10);

/// Waits until the database accepts connections. Returns `false` if `stop` completed first.
///
/// # Errors
/// The database can't be used: at once if that can't change, and otherwise after `wait` in
/// `[database]`.
pub(crate) async fn for_database<S: Future>(
    config: &Config,
    mut stop: Pin<&mut S>,
) -> Result<bool, Failure> {
    let wait = config.database.wait;
    let began = Instant::now();
    let mut told: Option<Instant> = None;
    loop {
        let opened = tokio::select! {
            opened = Database::open(config) => opened,
            _ = &mut stop => return Ok(stopped()),
        };
        let problem = match opened {
            Ok(_) => {
                if told.is_some() {
                    tracing::info!(event = "database_found", "the database is available");
                }
                return Ok(true);
            }
            Err(Failure::Unreachable(problem)) => problem,
            Err(failure) => return Err(failure),
        };
        let left = wait.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(Failure::Unreachable(problem));
        }
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            told = Some(Instant::now());
            let message = format!(
                "waiting for the database, up to {} s: {problem}",
                left.as_secs_f32().ceil()
            );
            tracing::warn!(event = "database_awaited", "{message}");
        }
        tokio::select! {
            () = sleep(PAUSE.min(left)) => {}
            _ = &mut stop => return Ok(stopped()),
        }
    }
}

fn stopped() -> bool {
    tracing::info!(event = "stopped", "stopped while waiting for the database");
    false
}
