//! Rotations in PostgreSQL: any number of different tokens, by one statement.
//!
//! For each, the unique key of the blacklist decides. Tokens are looked up row by row, by an index,
//! whatever the planner thinks of the tables' sizes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use jiff::Timestamp as Moment;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresDatabase;
use super::batch::Work;
use super::database::{Own, is_conflict};
use super::refusal::Refusal;
use super::statements::Sql;
use super::tokens::{PgResult, moment};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::late::{LONGEST, Late};
use crate::store::OutstandingToken;
use crate::store::session::SessionRefresh;

/// The time that a batch waits for a row that another transaction has locked, in milliseconds.
/// After it, each rotation waits by itself, so that one that has to wait longer doesn't delay the
/// others.
const LOCK_TIMEOUT: &str = "100";

/// A token to be spent, and its successor.
#[derive(Clone)]
pub(super) struct Rotating {
    at: Moment,
    spent: OutstandingToken,
    next: OutstandingToken,
    user: Option<String>,
    expires_at: Moment,
    in_session: Option<InSession>,
}

/// The conditions on the token's session, and the values to store in it.
#[derive(Clone)]
struct InSession {
    created_after: i64,
    used_after: i64,
    password: Option<String>,
    access_jti: String,
    address: Option<String>,
    at: i64,
    expires_at: i64,
}

impl Rotating {
    /// Creates a rotation outside of sessions.
    pub(super) fn new(
        sql: &Sql,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        at: Timestamp,
    ) -> Self {
        Self {
            at: moment(at),
            spent: spent.clone(),
            next: next.clone(),
            user: sql.user(next),
            expires_at: moment(next.expires_at),
            in_session: None,
        }
    }

    /// Creates a rotation in the session that the token is already in.
    pub(super) fn in_session(
        sql: &Sql,
        refresh: &SessionRefresh,
        next: &OutstandingToken,
        access_jti: &str,
    ) -> Self {
        let since = |limit: Option<Duration>| {
            limit.map_or(i64::MIN, |limit| (refresh.cause.at - limit).as_micros())
        };
        let in_session = InSession {
            created_after: since(refresh.lifetime),
            used_after: since(refresh.idle),
            password: refresh.session.password.clone(),
            access_jti: access_jti.to_owned(),
            address: refresh.cause.client.address.clone(),
            at: refresh.cause.at.as_micros(),
            expires_at: next.expires_at.as_micros(),
        };
        let in_session = Some(in_session);
        Self { in_session, ..Self::new(sql, &refresh.token, next, refresh.cause.at) }
    }

    pub(super) fn spent(&self) -> &OutstandingToken {
        &self.spent
    }

    pub(super) fn next(&self) -> &OutstandingToken {
        &self.next
    }

    /// Finds its token among those that were spent.
    fn among<'a>(&self, spent: &'a [Spent]) -> Option<&'a Spent> {
        spent.iter().find(|spent| spent.jti == self.spent.jti)
    }
}

/// A token that a statement has spent.
#[derive(Clone, Debug)]
pub(super) struct Spent {
    jti: String,
    /// The session that it is in; `None` outside of sessions.
    pub(super) session_id: Option<String>,
}

/// The statements.
pub(super) struct Statements {
    plain: String,
    in_session: String,
}

impl Statements {
    /// `key` is the user's primary key, looked up by a parameter's name.
    pub(super) fn new(key: impl Fn(&str) -> String) -> Self {
        const NOT_BLACKLISTED: &str = "NOT EXISTS (SELECT 1 \
             FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id)";
        let user = key("done.user_id");
        let statement = |arrays: &str, columns: &str, found: &str, link: &str, spent: &str| {
            format!(
                "WITH given AS MATERIALIZED (SELECT g.*, ({found} AND {NOT_BLACKLISTED}) AS id \
                 FROM set_config('lock_timeout', \
                 coalesce($1::text, current_setting('lock_timeout')), true), \
                 unnest($2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], \
                 $7::text[]{arrays}) \
                 AS g (at, spent, token, expires_at, user_id, jti{columns})), \
                 spent AS (INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
                 SELECT at, id FROM given WHERE id IS NOT NULL ORDER BY id \
                 ON CONFLICT (token_id) DO NOTHING RETURNING token_id), \
                 done AS MATERIALIZED (SELECT given.* FROM spent JOIN given ON given.id = token_id), \
                 next AS (INSERT INTO token_blacklist_outstandingtoken \
                 (token, created_at, expires_at, user_id, jti) \
                 SELECT token, at, expires_at, {user}, jti FROM done){link} \
                 {spent}"
            )
        };
        Self {
            plain: statement(
                "",
                "",
                "SELECT o.id FROM token_blacklist_outstandingtoken AS o WHERE o.jti = g.spent",
                "",
                "SELECT spent, NULL::text FROM done",
            ),
            in_session: statement(
                ", $8::text[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], \
                 $13::bigint[], $14::bigint[]",
                ", access_jti, created_after, used_after, password, address, now, expires",
                "SELECT o.id FROM token_blacklist_outstandingtoken AS o \
                 JOIN simplejwt_session_token AS t ON t.jti = o.jti \
                 JOIN simplejwt_session AS s ON s.id = t.session_id \
                 WHERE o.jti = g.spent AND s.ended_at IS NULL \
                 AND s.created_at > g.created_after AND t.used_at > g.used_after \
                 AND (s.password IS NULL OR g.password IS NULL OR s.password = g.password) \
                 AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c \
                 WHERE c.parent_jti = g.spent)",
                ", link AS (INSERT INTO simplejwt_session_token (jti, session_id, parent_jti, \
                 access_jti, created_at, used_at, expires_at, address) \
                 SELECT jti, (SELECT t.session_id FROM simplejwt_session_token AS t \
                 WHERE t.jti = done.spent), spent, access_jti, now, now, expires, address \
                 FROM done RETURNING parent_jti, session_id)",
                "SELECT parent_jti, session_id FROM link",
            ),
        }
    }

    /// Returns both statements.
    pub(super) fn every(&self) -> [&str; 2] {
        let Self { plain, in_session } = self;
        [plain, in_session]
    }

    /// Rotates one token, waiting for it. Returns `None` if the token is unknown or was spent
    /// before, or its session doesn't meet the conditions.
    pub(super) async fn rotate(
        &self,
        client: &impl GenericClient,
        rotating: &Rotating,
    ) -> PgResult<Option<Spent>> {
        Ok(self.run(client, std::slice::from_ref(rotating), None).await?.pop())
    }

    /// Returns the tokens that were spent. Either all items are in sessions, or none.
    async fn run(
        &self,
        client: &impl GenericClient,
        items: &[Rotating],
        lock_timeout: Option<&str>,
    ) -> PgResult<Vec<Spent>> {
        fn each<'a, T>(items: &'a [Rotating], of: impl Fn(&'a Rotating) -> T) -> Vec<T> {
            items.iter().map(of).collect()
        }
        let at = each(items, |item| item.at);
        let spent = each(items, |item| item.spent.jti.as_str());
        let token = each(items, |item| item.next.token.as_str());
        let expires_at = each(items, |item| item.expires_at);
        let user = each(items, |item| item.user.as_deref());
        let jti = each(items, |item| item.next.jti.as_str());
        let mut values: Vec<&(dyn ToSql + Sync)> =
            vec![&lock_timeout, &at, &spent, &token, &expires_at, &user, &jti];

        let sessions: Vec<&InSession> =
            items.iter().filter_map(|item| item.in_session.as_ref()).collect();
        let access_jti: Vec<_> = sessions.iter().map(|s| s.access_jti.as_str()).collect();
        let created_after: Vec<_> = sessions.iter().map(|s| s.created_after).collect();
        let used_after: Vec<_> = sessions.iter().map(|s| s.used_after).collect();
        let password: Vec<_> = sessions.iter().map(|s| s.password.as_deref()).collect();
        let address: Vec<_> = sessions.iter().map(|s| s.address.as_deref()).collect();
        let now: Vec<_> = sessions.iter().map(|s| s.at).collect();
        let expires: Vec<_> = sessions.iter().map(|s| s.expires_at).collect();
        let sql = match sessions.is_empty() {
            true => &self.plain,
            false => {
                let more: [&(dyn ToSql + Sync); 7] =
                    [&access_jti, &created_after, &used_after, &password, &address, &now, &expires];
                values.extend(more);
                &self.in_session
            }
        };
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &values).await?;
        let spent = |row: &Row| Ok(Spent { jti: row.try_get(0)?, session_id: row.try_get(1)? });
        rows.iter().map(spent).collect()
    }
}

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
