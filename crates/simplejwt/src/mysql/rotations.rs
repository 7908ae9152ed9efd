//! Rotations in MySQL or MariaDB: any number of different tokens, in one transaction.
//!
//! For each, the unique key of the blacklist decides. A batch waits for no row of a token or a user
//! that somebody else has locked: it leaves that token out, which then waits by itself.

mod literals;
mod rotating;
mod statements;
mod steps;

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, params};
use tokio::time::{Instant, timeout, timeout_at};

use super::MysqlDatabase;
use super::database::{Attempts, Failure, Lent};
use super::late::DATE;
use super::statements::Sql;
use crate::error::StoreError;
use crate::logging::with_causes;
use crate::sql::batch::Work;
use crate::sql::late::{LONGEST, Late};

pub(super) use rotating::{Rotating, Spent};
pub(super) use statements::Statements;

/// The most bytes of tokens in a transaction. Its texts have twice as many, which is less than the
/// smallest packet that a server is likely to accept.
const MOST_BYTES: usize = 256 << 10;

/// The rotations of one kind, in batches. The answer is the token that was spent, or `None`, which
/// may also be due to others in the batch, or to an earlier attempt that succeeded.
///
/// A batch that takes too long goes on, and its rotations are dated when it ends.
pub(super) struct Rotations {
    database: MysqlDatabase,
    sql: Arc<Sql>,
    late: Late,
}

type Outcome = Result<Vec<Option<Spent>>, Failure>;

impl Rotations {
    pub(super) fn new(database: MysqlDatabase, sql: Arc<Sql>, late: Late) -> Self {
        Self { database, sql, late }
    }

    /// Rotates a part of a batch; `None` if it is too large, or failed for a reason that may lie in
    /// one of them.
    async fn attempt(
        &self,
        attempts: &mut Attempts<'_>,
        items: &Arc<[Rotating]>,
        part: &Range<usize>,
    ) -> Result<Option<Vec<Option<Spent>>>, StoreError> {
        let tokens = items.get(part.clone()).unwrap_or_default();
        let bytes: usize = tokens.iter().map(Rotating::bytes).sum();
        if bytes > MOST_BYTES && part.len() > 1 {
            return Ok(None);
        }
        loop {
            let Lent { mut conn, link, place } = attempts.connection().await?;
            let begun = Instant::now();
            let (sql, asked, of) = (Arc::clone(&self.sql), Arc::clone(items), part.clone());
            // Owns its connection, so that it can go on by itself.
            let mut work = Box::pin(async move {
                let items = asked.get(of).unwrap_or_default();
                let outcome = steps::rotate(&sql, &mut conn, items).await;
                (conn, outcome)
            });
            let settled = match timeout_at(attempts.until(), &mut work).await {
                Ok((conn, outcome)) => {
                    let is_of_one = outcome.as_ref().is_err_and(Failure::may_be_of_one);
                    let settled = attempts.settle(Lent { conn, link, place }, Some(outcome)).await;
                    if is_of_one {
                        return Ok(None);
                    }
                    settled
                }
                Err(_) => {
                    self.follow(Arc::clone(items), part.clone(), begun, work);
                    attempts.timed_out(link)
                }
            };
            if let ControlFlow::Break(done) = settled {
                return done.map(Some);
            }
        }
    }

    /// Waits for the end of a batch, and dates its rotations.
    fn follow(
        &self,
        items: Arc<[Rotating]>,
        part: Range<usize>,
        begun: Instant,
        work: impl Future<Output = (Conn, Outcome)> + Send + 'static,
    ) {
        let of = items.get(part.clone()).unwrap_or_default();
        let tokens = of.iter().map(|item| item.spent.jti.clone()).collect();
        let Some(followed) = self.late.follow(tokens) else { return };
        tokio::spawn(async move {
            let _followed = followed;
            let Ok((mut conn, Ok(spent))) = timeout(LONGEST, work).await else { return };
            let of = items.get(part).unwrap_or_default();
            let values =
                of.iter().zip(&spent).filter(|(_, spent)| spent.is_some()).map(|(item, _)| {
                    params! {
                        "next" => &item.next.jti,
                        "then" => item.at.as_micros(),
                        "now" => (item.at + begun.elapsed()).as_micros(),
                    }
                });
            if let Err(error) = conn.exec_batch(DATE, values.collect::<Vec<_>>()).await {
                tracing::warn!(
                    event = "rotation_not_dated",
                    error = with_causes(&error),
                    "rotations that took long can't be dated anew"
                );
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
        let mut answers = vec![None; items.len()];
        let items: Arc<[Rotating]> = items.into();
        let mut parts = vec![(0, items.len())];
        let mut is_any_done = false;
        while let Some((start, end)) = parts.pop() {
            let part = start..end;
            match self.attempt(&mut attempts, &items, &part).await {
                Ok(Some(spent)) => {
                    is_any_done = true;
                    for (answer, spent) in answers.iter_mut().skip(start).zip(spent) {
                        *answer = spent;
                    }
                }
                // Only that one, in the end, goes by itself.
                Ok(None) if part.len() > 1 => {
                    let middle = start + part.len() / 2;
                    parts.extend([(middle, end), (start, middle)]);
                }
                Ok(None) => {}
                // Those that are done have their answer, and the others find out by themselves.
                Err(_) if is_any_done => break,
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }
}
