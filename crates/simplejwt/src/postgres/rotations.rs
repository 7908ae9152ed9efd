//! Rotations in PostgreSQL: any number of different tokens, by one statement.
//!
//! For each, the unique key of the blacklist decides. Tokens are looked up row by row, by an index,
//! whatever the planner thinks of the tables' sizes.

mod rotating;
mod statements;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::{Instant, timeout, timeout_at};

use super::PostgresDatabase;
use super::database::{Own, is_conflict};
use super::refusal::Refusal;
use super::statements::Sql;
use super::tokens::PgResult;
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::batch::Work;
use crate::sql::late::{LONGEST, Late};

pub(super) use rotating::{Rotating, Spent};
pub(super) use statements::Statements;

/// The time that a batch waits for a row that another transaction has locked, in milliseconds.
/// After it, each rotation waits by itself, so that one that has to wait longer doesn't delay the
/// others.
const LOCK_TIMEOUT: &str = "100";

/// Returns `true` if a failure of all may be due to the values of one.
fn is_of_one(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Incompatible | StoreErrorKind::Unstorable)
}

/// Dates rotations that still have their original date.
pub(super) const DATE: &str = "\
    UPDATE simplejwt_session_token AS t SET created_at = d.now, used_at = d.now \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS d (jti, written, now) \
    WHERE t.jti = d.jti AND t.created_at = d.written";

/// The rotations of one kind, in batches. The answer is the token that was spent, or `None`, which
/// may also be due to others in the batch, or to an earlier attempt that succeeded.
///
/// A batch that takes too long goes on, and its rotations are dated when it ends.
pub(super) struct Rotations {
    database: PostgresDatabase,
    sql: Arc<Sql>,
    late: Late,
}

impl Rotations {
    pub(super) fn new(database: PostgresDatabase, sql: Arc<Sql>, late: Late) -> Self {
        Self { database, sql, late }
    }

    /// Waits for the end of a batch, and dates its rotations.
    fn follow(
        &self,
        items: Arc<[Rotating]>,
        begun: Instant,
        work: impl Future<Output = (Own, PgResult<Vec<Spent>>)> + Send + 'static,
    ) {
        let tokens = items.iter().map(|item| item.spent.jti.clone()).collect();
        let Some(followed) = self.late.follow(tokens) else { return };
        tokio::spawn(async move {
            let _followed = followed;
            let Ok((client, outcome)) = timeout(LONGEST, work).await else { return };
            let (Some(session), Ok(spent)) = (client.client(), outcome) else { return };
            let passed = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
            let (mut next, mut written, mut now) = (Vec::new(), Vec::new(), Vec::new());
            for item in items.iter().filter(|item| item.among(&spent).is_some()) {
                let Some(in_session) = &item.in_session else { continue };
                next.push(item.next.jti.as_str());
                written.push(in_session.at);
                now.push(in_session.at.saturating_add(passed));
            }
            if let Err(error) = session.execute(DATE, &[&next, &written, &now]).await {
                tracing::warn!(
                event = "rotation_not_dated",
                error = %Refusal(error),
                "rotations that took long can't be dated anew");
            }
        });
    }
}

#[async_trait]
impl Work for Rotations {
    type Item = Rotating;
    type Answer = Option<Spent>;

    fn operation(&self) -> &'static str {
        "refresh"
    }

    fn key(item: &Rotating) -> Option<&str> {
        Some(&item.spent.jti)
    }

    async fn run(&self, items: &[Rotating]) -> Result<Vec<Option<Spent>>, StoreError> {
        let mut attempts = self.database.attempts(self.operation());
        let none = vec![None; items.len()];
        let items: Arc<[Rotating]> = items.into();
        loop {
            let client = attempts.client().await?;
            let begun = Instant::now();
            let (sql, asked) = (Arc::clone(&self.sql), Arc::clone(&items));
            // Owns its connection, so that it can go on by itself.
            let client = Own::new(client);
            let mut work = Box::pin(async move {
                let outcome = match client.client() {
                    Some(client) => sql.rotations.run(client, &asked, Some(LOCK_TIMEOUT)).await,
                    None => Ok(Vec::new()),
                };
                (client, outcome)
            });
            let settled = match timeout_at(attempts.until(), &mut work).await {
                Ok((client, Err(error))) if is_conflict(error.code()) => {
                    drop(client.give_back());
                    return Ok(none);
                }
                Ok((client, outcome)) => match client.give_back() {
                    Some(client) => attempts.settle(client, Some(outcome)),
                    None => return Ok(none),
                },
                Err(_) => {
                    self.follow(Arc::clone(&items), begun, work);
                    attempts.timed_out()
                }
            };
            match settled {
                Ok(None) => {}
                Ok(Some(spent)) => {
                    return Ok(items.iter().map(|item| item.among(&spent).cloned()).collect());
                }
                // One of them can't be stored. Each finds out by itself.
                Err(error) if is_of_one(&error) => return Ok(none),
                Err(error) => return Err(error),
            }
        }
    }
}
