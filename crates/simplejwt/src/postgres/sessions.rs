//! Sessions in PostgreSQL.
//!
//! A rotation is part of one statement if nothing is unusual about it (`rotations.rs`). It needs no
//! lock on the session: whoever ends one sets `ended_at` first and then blacklists its tokens,
//! looking anew until none is left. A rotation that came before has its row in the blacklist,
//! which the other has to wait for, and a successor, which the next look shows; one that comes
//! later finds the row of the other.

use std::borrow::Cow;

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object, Transaction};
use jiff::Timestamp as Moment;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::late;
use super::lookup::Lookup;
use super::rotations::Rotating;
use super::tokens::{PgResult, Sql, moment, parameter, until_none};
use super::{PostgresDatabase, PostgresStore, feed, run};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::check::Uses;
use crate::sql::lookup::nothing_of;
use crate::store::OutstandingToken;
use crate::store::session::{
    AccessClaims, Client, Descendant, EndReason, EndSessions, Horizon, NewSession, NextToken,
    OpenSession, Opening, PINGED, Refreshing, Revocation, Revocations, Session, SessionHead,
    SessionLimit, SessionRefresh, SessionStore, Subject, Successor, Which,
};
use crate::users::UserId;

/// Sessions that are ended by one transaction at most.
const BATCH: i64 = 1000;
/// How often a token is looked at again that has just joined a session, was registered anew, or
/// was let go by somebody else.
const MAX_STEPS: u32 = 5;

const INSERT_SESSION: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
/// Whether the session has ended, and whose it is; keeps it from being ended until the transaction
/// is over.
const HOLD: &str = "\
    SELECT ended_at IS NOT NULL, user_id FROM simplejwt_session WHERE id = $1 FOR SHARE";
const JOIN: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, created_at, used_at, expires_at, address) \
    VALUES ($1, $2, $3, $3, $4, $5) ON CONFLICT (jti) DO NOTHING";
const STATE: &str = "\
    SELECT t.session_id, s.ended_at IS NOT NULL, s.created_at, t.used_at, s.password, \
    o.id IS NOT NULL, b.blacklisted_at, EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE t.jti = $1";
const SUCCESSOR: &str = "\
    SELECT c.jti, c.access_jti, c.created_at, c.address, c.used_at, \
    EXISTS (SELECT 1 FROM simplejwt_session_token AS g WHERE g.parent_jti = c.jti), \
    c.expires_at > $2 AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = c.jti) \
    FROM simplejwt_session_token AS c WHERE c.parent_jti = $1";
const USED: &str = "\
    UPDATE simplejwt_session_token SET used_at = $2, address = $3 WHERE jti = $1 AND used_at < $4";
const SHOW: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, s.user_agent, \
    coalesce(n.used_at, s.created_at) AS refreshed_at, coalesce(n.expires_at, s.expires_at), \
    coalesce(n.address, s.address) FROM simplejwt_session AS s LEFT JOIN LATERAL (\
    SELECT used_at, max(expires_at) OVER () AS expires_at, address \
    FROM simplejwt_session_token WHERE session_id = s.id ORDER BY used_at DESC LIMIT 1) AS n \
    ON true";
/// Reads three rows, however many tokens the session has had.
const HEAD_OF: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, (\
    SELECT c.created_at FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) AS spent_at \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = asked.key";
/// Good no longer, as the blacklist has it or the session.
const IS_SPENT: &str = "\
    SELECT 1 WHERE EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = asked.key) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = asked.key) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = asked.key AND s.ended_at IS NOT NULL)";
/// A token of the session `s` can still be refreshed.
const IS_LIVE: &str = "\
    s.ended_at IS NULL AND EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    WHERE t.session_id = s.id AND t.expires_at > $2 \
    AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = t.jti))";
/// One at a time for each user.
const LOCK_USER: &str = "\
    INSERT INTO simplejwt_user (user_id) VALUES ($1) \
    ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id";
const END: &str = "\
    UPDATE simplejwt_session SET ended_at = $2, end_reason = $3, \
    expires_at = greatest(expires_at, $4) WHERE ended_at IS NULL AND id IN (\
    SELECT id FROM simplejwt_session WHERE id = ANY ($1) ORDER BY id FOR UPDATE) RETURNING id";
const THEIRS: &str = "\
    SELECT id FROM simplejwt_session WHERE user_id = $1 AND ended_at IS NULL \
    AND id IS DISTINCT FROM $2 ORDER BY id LIMIT $3";
const ONE: &str = "\
    SELECT id FROM simplejwt_session WHERE id = $1 AND ended_at IS NULL \
    AND ($2::text IS NULL OR user_id = $2)";
const REHASHED: &str = "\
    UPDATE simplejwt_session SET password = $3 WHERE user_id = $1 AND password = $2";
const FLUSH_TOKENS: &str = "\
    DELETE FROM simplejwt_session_token WHERE jti = ANY (ARRAY(\
    SELECT jti FROM simplejwt_session_token WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2))";
/// Sessions that still have tokens are put off until those expire: left where they are, each
/// batch would come upon all of them again.
const FLUSH_SESSIONS: [&str; 3] = [
    "UPDATE simplejwt_session AS s SET expires_at = (SELECT max(t.expires_at) \
     FROM simplejwt_session_token AS t WHERE t.session_id = s.id) WHERE s.id = ANY (ARRAY(\
     SELECT id FROM simplejwt_session WHERE expires_at <= $1 \
     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) AND EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_session AS s WHERE s.id = ANY (ARRAY(\
     SELECT id FROM simplejwt_session WHERE expires_at <= $1 \
     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) AND NOT EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_revocation WHERE sequence = ANY (ARRAY(\
     SELECT sequence FROM simplejwt_revocation WHERE expires_at <= $1 \
     ORDER BY expires_at LIMIT $2))",
];
const LEASE: &str = "\
    INSERT INTO simplejwt_lease AS l (name, holder, expires_at) VALUES ($1, $2, $4) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
    WHERE l.holder = excluded.holder OR l.expires_at <= $3";

/// The live sessions of a user but one, by when they were opened.
fn live_but_one() -> String {
    format!(
        "SELECT s.id FROM simplejwt_session AS s WHERE s.user_id = $1 AND s.id <> $3 \
         AND {IS_LIVE} ORDER BY s.created_at, s.id"
    )
}

fn show_one() -> String {
    format!("{SHOW} WHERE s.id = $1")
}

fn show_live() -> String {
    format!("{SHOW} WHERE s.user_id = $1 AND {IS_LIVE} ORDER BY refreshed_at DESC, s.id")
}

/// Tries what is done with the tables, and writes a row of the leases.
pub(super) fn ping() -> String {
    let lease = format!("{LEASE} RETURNING 1");
    super::tokens::trying(&Uses { sessions: true, ..Uses::default() }, &lease)
}

/// Each statement, and whether nothing but the purge runs it.
pub(super) fn statements() -> Vec<(String, bool)> {
    let always = [INSERT_SESSION, HOLD, JOIN, STATE, SUCCESSOR, USED, LOCK_USER, END, THEIRS, ONE]
        .map(str::to_owned)
        .into_iter()
        .chain([REHASHED, LEASE].map(str::to_owned))
        .chain([HEAD_OF, IS_SPENT].map(super::lookup::statement))
        .chain([live_but_one(), show_one(), show_live()]);
    let purge = [FLUSH_TOKENS].into_iter().chain(FLUSH_SESSIONS).map(str::to_owned);
    always.map(|sql| (sql, false)).chain(purge.map(|sql| (sql, true))).collect()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A token of a session, as it stands.
struct State {
    session: String,
    ended: bool,
    created_at: Timestamp,
    used_at: Timestamp,
    password: Option<String>,
    is_registered: bool,
    blacklisted_at: Option<Timestamp>,
    has_successor: bool,
}

impl State {
    fn is_spent(&self) -> bool {
        self.has_successor || self.blacklisted_at.is_some()
    }

    fn is_over(&self, refresh: &SessionRefresh) -> bool {
        refresh.is_over(self.created_at, self.used_at)
    }

    fn has_other_password(&self, refresh: &SessionRefresh) -> bool {
        refresh.has_other_password(self.password.as_deref())
    }

    fn is_good(&self, refresh: &SessionRefresh) -> bool {
        let refused = self.ended || self.is_spent() || self.is_over(refresh);
        self.is_registered && !(refused || self.has_other_password(refresh))
    }
}

/// Brings a token's time of use up to date.
async fn note_use(client: &impl GenericClient, refresh: &SessionRefresh) -> PgResult<()> {
    let statement = client.prepare_cached(USED).await?;
    let before = (refresh.at - SessionRefresh::USE_INTERVAL).as_micros();
    let (now, address) = (refresh.at.as_micros(), &refresh.session.client.address);
    client.execute(&statement, &[&refresh.token.jti, &now, address, &before]).await?;
    Ok(())
}

async fn state(client: &impl GenericClient, jti: &str) -> PgResult<Option<State>> {
    let statement = client.prepare_cached(STATE).await?;
    let Some(row) = client.query_opt(&statement, &[&jti]).await? else { return Ok(None) };
    Ok(Some(State {
        session: row.try_get(0)?,
        ended: row.try_get(1)?,
        created_at: at(row.try_get(2)?),
        used_at: at(row.try_get(3)?),
        password: row.try_get(4)?,
        is_registered: row.try_get(5)?,
        blacklisted_at: row
            .try_get::<_, Option<Moment>>(6)?
            .map(|moment| at(moment.as_microsecond())),
        has_successor: row.try_get(7)?,
    }))
}

/// Keeps a session from being ended; whether it has ended, and whose it is.
async fn hold(transaction: &Transaction<'_>, id: &str) -> PgResult<Option<(bool, String)>> {
    let statement = transaction.prepare_cached(HOLD).await?;
    let Some(row) = transaction.query_opt(&statement, &[&id]).await? else { return Ok(None) };
    Ok(Some((row.try_get(0)?, row.try_get(1)?)))
}

/// The immediate successor of a token.
async fn descendant(
    client: &impl GenericClient,
    jti: &str,
    refresh: &SessionRefresh,
) -> PgResult<Option<Descendant>> {
    let statement = client.prepare_cached(SUCCESSOR).await?;
    let row = client.query_opt(&statement, &[&jti, &refresh.at.as_micros()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Descendant {
        successor: Successor {
            jti: row.try_get(0)?,
            access_jti: row.try_get::<_, Option<String>>(1)?.unwrap_or_default(),
            created_at: at(row.try_get(2)?),
            same_address: row.try_get::<_, Option<String>>(3)? == refresh.session.client.address,
        },
        used_at: at(row.try_get(4)?),
        is_spent: row.try_get(5)?,
        is_good: row.try_get(6)?,
    }))
}

/// The newest token that comes of a spent one, whose successor is `child`.
async fn newest(
    client: &impl GenericClient,
    child: Descendant,
    refresh: &SessionRefresh,
) -> PgResult<Descendant> {
    let mut newest = child;
    for _ in 1..Descendant::FARTHEST {
        if !newest.is_spent {
            break;
        }
        match descendant(client, &newest.successor.jti, refresh).await? {
            Some(next) => newest = next,
            None => break,
        }
    }
    Ok(newest)
}

fn shown(row: &Row) -> PgResult<Session> {
    Ok(Session {
        id: row.try_get(0)?,
        user_id: row.try_get::<_, String>(1)?.into(),
        created_at: at(row.try_get(2)?),
        ended_at: row.try_get::<_, Option<i64>>(3)?.map(at),
        refreshed_at: at(row.try_get(5)?),
        expires_at: at(row.try_get(6)?),
        client: Client { address: row.try_get(7)?, user_agent: row.try_get(4)? },
    })
}

fn head(row: &Row) -> PgResult<SessionHead> {
    Ok(SessionHead {
        id: row.try_get(0)?,
        user_id: row.try_get::<_, String>(1)?.into(),
        created_at: at(row.try_get(2)?),
        ended_at: row.try_get::<_, Option<i64>>(3)?.map(at),
        spent_at: row.try_get::<_, Option<i64>>(4)?.map(at),
    })
}

/// The sessions that tokens are in.
pub(super) fn heads(database: &PostgresDatabase) -> Lookup<SessionHead> {
    Lookup::new(database, "session_of", HEAD_OF, head)
}

/// Whether tokens are good no longer.
pub(super) fn spent(database: &PostgresDatabase) -> Lookup<()> {
    Lookup::new(database, "is_spent", IS_SPENT, |_| Ok(()))
}

async fn insert_session(
    client: &impl GenericClient,
    session: &NewSession,
    now: Timestamp,
    kept_until: Timestamp,
) -> PgResult<()> {
    let statement = client.prepare_cached(INSERT_SESSION).await?;
    client
        .execute(
            &statement,
            &[
                &session.id,
                &session.user_id.as_str(),
                &now.as_micros(),
                &kept_until.as_micros(),
                &session.password,
                &session.client.address,
                &session.client.user_agent,
            ],
        )
        .await?;
    Ok(())
}

/// Ends sessions and blacklists their tokens; those that hadn't ended before. What is revoked is
/// written by the caller, at the end of its transaction.
async fn end(
    sql: &Sql,
    transaction: &Transaction<'_>,
    ids: &[String],
    reason: EndReason,
    now: Timestamp,
    horizon: Horizon,
) -> PgResult<Vec<String>> {
    let statement = transaction.prepare_cached(END).await?;
    let rows = transaction
        .query(
            &statement,
            &[&ids, &now.as_micros(), &reason.as_str(), &horizon.refresh.as_micros()],
        )
        .await?;
    let ended = rows.iter().map(|row| row.try_get(0)).collect::<PgResult<Vec<String>>>()?;
    if !ended.is_empty() {
        until_none(transaction, &sql.blacklist_sessions, &[&moment(now), &ended]).await?;
    }
    Ok(ended)
}

fn revoked(ids: Vec<String>, now: Timestamp, horizon: Horizon) -> Vec<Revocation> {
    let revocation = |id| Revocation {
        subject: Subject::Session(id),
        revoked_at: now,
        expires_at: horizon.access,
    };
    ids.into_iter().map(revocation).collect()
}

/// Ends one session; whether it hadn't ended before.
async fn end_one(
    sql: &Sql,
    transaction: &Transaction<'_>,
    id: String,
    reason: EndReason,
    now: Timestamp,
    horizon: Horizon,
) -> PgResult<bool> {
    let ended = end(sql, transaction, &[id], reason, now, horizon).await?;
    let any = !ended.is_empty();
    feed::insert(transaction, &revoked(ended, now, horizon)).await?;
    Ok(any)
}

/// What was done about a token that couldn't just be spent.
enum Step {
    /// It has joined a session: to be looked at again.
    Again,
    Done(Refreshing),
}

impl Sql {
    async fn join(
        &self,
        client: &impl GenericClient,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        address: &Option<String>,
        now: Timestamp,
    ) -> PgResult<()> {
        self.record(client, token).await?;
        let statement = client.prepare_cached(JOIN).await?;
        client
            .execute(
                &statement,
                &[&token.jti, &session, &now.as_micros(), &expires_at.as_micros(), address],
            )
            .await?;
        Ok(())
    }

    async fn open(&self, client: &mut Object, open: &OpenSession) -> PgResult<Opening> {
        let Some(limit) = open.limit else {
            self.insert_opened(&*client, open).await?;
            return Ok(Opening::Opened { evicted: 0 });
        };
        let transaction = client.transaction().await?;
        let user_id = open.session.user_id.as_str();
        let lock = transaction.prepare_cached(LOCK_USER).await?;
        transaction.execute(&lock, &[&user_id]).await?;
        let statement = transaction.prepare_cached(&live_but_one()).await?;
        let live: Vec<String> = transaction
            .query(&statement, &[&user_id, &open.at.as_micros(), &open.session.id])
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<PgResult<_>>()?;
        let (SessionLimit::EvictOldest(places) | SessionLimit::Refuse(places)) = limit;
        // One place is for the session that is opened.
        let surplus = (live.len() + 1).saturating_sub(places as usize);
        if surplus > 0 && matches!(limit, SessionLimit::Refuse(_)) {
            return Ok(Opening::TooMany);
        }
        let oldest = live.get(..surplus.min(live.len())).unwrap_or_default();
        let ended =
            end(self, &transaction, oldest, EndReason::Limit, open.at, open.horizon).await?;
        let evicted = ended.len() as u64;
        self.insert_opened(&transaction, open).await?;
        feed::insert(&transaction, &revoked(ended, open.at, open.horizon)).await?;
        transaction.commit().await?;
        Ok(Opening::Opened { evicted })
    }

    async fn insert_opened(&self, client: &impl GenericClient, open: &OpenSession) -> PgResult<()> {
        let (session, token) = (&open.session, &open.token);
        let statement = client.prepare_cached(&self.open).await?;
        client
            .execute(
                &statement,
                &[
                    &session.id,
                    &session.user_id.as_str(),
                    &open.at.as_micros(),
                    &open.expires_at.as_micros(),
                    &session.password,
                    &session.client.address,
                    &session.client.user_agent,
                    &token.token,
                    &moment(token.created_at),
                    &moment(token.expires_at),
                    &self.user(token),
                    &token.jti,
                ],
            )
            .await?;
        Ok(())
    }

    /// `None` where others came between, again and again.
    pub(super) async fn refresh(
        &self,
        client: &mut Object,
        refresh: &SessionRefresh,
        mut was_good: bool,
    ) -> PgResult<Option<Refreshing>> {
        for _ in 0..MAX_STEPS {
            if refresh.next == NextToken::None
                && let Some(state) = state(client, &refresh.token.jti).await?
                && state.is_good(refresh)
            {
                if state.used_at + SessionRefresh::USE_INTERVAL < refresh.at {
                    note_use(client, refresh).await?;
                }
                return Ok(Some(Refreshing::Refreshed));
            }
            if let NextToken::Rotated { token, access_jti } = &refresh.next {
                // The rotation waits for another one of this token that is on its way.
                was_good |= state(client, &refresh.token.jti).await?.is_some_and(|s| !s.is_spent());
                let rotating = Rotating::in_session(self, refresh, token, access_jti);
                if self.rotations.rotate(&*client, &rotating).await? {
                    return Ok(Some(Refreshing::Refreshed));
                }
            }
            let transaction = client.transaction().await?;
            let step = self.unusual(&transaction, refresh, was_good).await?;
            transaction.commit().await?;
            if let Step::Done(outcome) = step {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    async fn unusual(
        &self,
        transaction: &Transaction<'_>,
        refresh: &SessionRefresh,
        was_good: bool,
    ) -> PgResult<Step> {
        let (token, now) = (&refresh.token, refresh.at);
        let address = &refresh.session.client.address;
        let Some(state) = state(transaction, &token.jti).await? else {
            let new = &refresh.session;
            if token.expires_at <= now {
                let registered = transaction.prepare_cached(super::tokens::IS_REGISTERED).await?;
                if transaction.query_opt(&registered, &[&token.jti]).await?.is_none() {
                    return Ok(Step::Done(Refreshing::Forgotten));
                }
            }
            insert_session(transaction, new, now, token.expires_at).await?;
            // Held until the token is known to be in it, to whoever ends it.
            let (ended, owner) = match hold(transaction, &new.id).await? {
                Some((ended, owner)) => (ended, Some(owner)),
                None => (true, None),
            };
            if owner.is_some_and(|owner| owner != new.user_id.as_str()) {
                return Ok(Step::Done(Refreshing::Foreign));
            }
            self.join(transaction, &new.id, token, token.expires_at, address, now).await?;
            if ended {
                let blacklist = transaction.prepare_cached(super::tokens::BLACKLIST).await?;
                transaction.execute(&blacklist, &[&moment(now), &token.jti]).await?;
                return Ok(Step::Done(Refreshing::Ended));
            }
            return Ok(Step::Again);
        };
        if state.ended {
            return Ok(Step::Done(Refreshing::Ended));
        }
        if state.is_spent() {
            return self.spent(transaction, refresh, state, was_good).await.map(Step::Done);
        }
        if state.is_over(refresh) {
            let reason = EndReason::Expired;
            end_one(self, transaction, state.session, reason, now, refresh.horizon).await?;
            return Ok(Step::Done(Refreshing::Expired));
        }
        if state.has_other_password(refresh) {
            return Ok(Step::Done(Refreshing::PasswordChanged));
        }
        if !state.is_registered {
            if token.expires_at <= now {
                return Ok(Step::Done(Refreshing::Forgotten));
            }
            // Whoever ends the session has to find the token registered.
            if hold(transaction, &state.session).await?.is_none_or(|(ended, _)| ended) {
                return Ok(Step::Done(Refreshing::Ended));
            }
            self.record(transaction, token).await?;
        }
        match &refresh.next {
            NextToken::None => note_use(transaction, refresh).await?,
            NextToken::Added(next) => {
                if hold(transaction, &state.session).await?.is_none_or(|(ended, _)| ended) {
                    return Ok(Step::Done(Refreshing::Ended));
                }
                self.join(transaction, &state.session, next, next.expires_at, address, now).await?;
            }
            // It has been registered anew, or was good in between: somebody else's transaction was
            // undone.
            NextToken::Rotated { .. } => return Ok(Step::Again),
        }
        Ok(Step::Done(Refreshing::Refreshed))
    }

    /// What a spent token of a session that hasn't ended comes to.
    async fn spent(
        &self,
        transaction: &Transaction<'_>,
        refresh: &SessionRefresh,
        state: State,
        was_good: bool,
    ) -> PgResult<Refreshing> {
        let child = descendant(transaction, &refresh.token.jti, refresh).await?;
        let (reason, outcome) = match child {
            None => {
                let since = state.blacklisted_at;
                if since.is_some_and(|at| refresh.is_within_tolerance_in_any_zone(at)) {
                    return Ok(Refreshing::Replayed);
                }
                (EndReason::Blacklisted, Refreshing::Blacklisted)
            }
            Some(child) if refresh.is_own(&child.successor.jti) => {
                return Ok(Refreshing::Refreshed);
            }
            Some(child) => {
                let spent_at = refresh.spent_at(&child, was_good);
                let answer = match refresh.is_within_grace(spent_at) {
                    true => newest(transaction, child, refresh).await?.answer(
                        refresh,
                        state.created_at,
                        state.password.as_deref(),
                    ),
                    false => None,
                };
                match answer {
                    Some(Refreshing::Expired) => (EndReason::Expired, Refreshing::Expired),
                    Some(outcome) => return Ok(outcome),
                    None if refresh.is_within_tolerance(spent_at) => {
                        return Ok(Refreshing::Replayed);
                    }
                    None => (EndReason::Reuse, Refreshing::Reused),
                }
            }
        };
        let (now, horizon) = (refresh.at, refresh.horizon);
        match end_one(self, transaction, state.session, reason, now, horizon).await? {
            true => Ok(outcome),
            // Somebody else was quicker.
            false => Ok(Refreshing::Ended),
        }
    }

    /// A batch of a user's sessions and, with the last, the tokens that are in none.
    async fn end_batch(
        &self,
        client: &mut Object,
        user_id: &UserId,
        except: Option<&str>,
        ending: &EndSessions,
    ) -> PgResult<(u64, bool)> {
        let transaction = client.transaction().await?;
        let statement = transaction.prepare_cached(THEIRS).await?;
        let ids: Vec<String> = transaction
            .query(&statement, &[&user_id.as_str(), &except, &BATCH])
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<PgResult<_>>()?;
        let is_last = ids.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        let ended = end(self, &transaction, &ids, ending.reason, ending.at, ending.horizon).await?;
        let count = ended.len() as u64;
        let mut revocations = revoked(ended, ending.at, ending.horizon);
        if is_last {
            if let Some(key) = self.user_id.kind.parse(user_id).map(parameter) {
                let values: [&(dyn ToSql + Sync); 3] = [&moment(ending.at), &key, &except];
                until_none(&transaction, &self.blacklist_others, &values).await?;
            }
            revocations.push(Revocation {
                subject: Subject::User(user_id.clone()),
                revoked_at: ending.at,
                expires_at: ending.horizon.refresh,
            });
        }
        feed::insert(&transaction, &revocations).await?;
        transaction.commit().await?;
        Ok((count, is_last))
    }
}

async fn end_named(
    sql: &Sql,
    client: &mut Object,
    id: &str,
    user_id: Option<&UserId>,
    ending: &EndSessions,
) -> PgResult<u64> {
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(ONE).await?;
    let user_id = user_id.map(UserId::as_str);
    let Some(row) = transaction.query_opt(&statement, &[&id, &user_id]).await? else {
        return Ok(0);
    };
    let id = row.try_get(0)?;
    let ended = end_one(sql, &transaction, id, ending.reason, ending.at, ending.horizon).await?;
    transaction.commit().await?;
    Ok(u64::from(ended))
}

/// Ties sessions to another fingerprint of the same password.
pub(crate) async fn rehashed(
    client: &impl GenericClient,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> PgResult<()> {
    let statement = client.prepare_cached(REHASHED).await?;
    client.execute(&statement, &[&user_id.as_str(), &old, &new]).await?;
    Ok(())
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn open(&self, open: &OpenSession) -> Result<Opening, StoreError> {
        let client = self.encoding.fitted(&open.session.client);
        let fitted = match client {
            Cow::Borrowed(_) => Cow::Borrowed(open),
            Cow::Owned(client) => {
                let mut open = open.clone();
                open.session.client = client;
                Cow::Owned(open)
            }
        };
        run!(self.database, "open", |client| self.sql.open(&mut client, &fitted))
    }

    async fn refresh(&self, refresh: &SessionRefresh) -> Result<Refreshing, StoreError> {
        let refresh = match self.encoding.fitted(&refresh.session.client) {
            Cow::Borrowed(_) => Cow::Borrowed(refresh),
            Cow::Owned(client) => {
                let mut refresh = refresh.clone();
                refresh.session.client = client;
                Cow::Owned(refresh)
            }
        };
        let refresh = refresh.as_ref();
        let jti = &refresh.token.jti;
        let was_good = self.late.is_any() && (self.late.knows(jti) || !self.is_spent(jti).await?);
        if let NextToken::Rotated { token, access_jti } = &refresh.next {
            let rotating = Rotating::in_session(&self.sql, refresh, token, access_jti);
            if self.rotations_in_sessions.run(rotating).await? {
                return Ok(Refreshing::Refreshed);
            }
        }
        late::refresh(self, refresh, was_good).await?.ok_or_else(|| {
            StoreError::unavailable("refresh", "other transactions came between, again and again")
        })
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        // In a block of its own, out of which the error comes instead of out of this function.
        let found = async {
            run!(self.database, "session", |client| async {
                let statement = client.prepare_cached(&show_one()).await?;
                client.query_opt(&statement, &[&id]).await?.as_ref().map(shown).transpose()
            })
        };
        nothing_of(id, found.await)
    }

    async fn session_of(&self, jti: &str) -> Result<Option<SessionHead>, StoreError> {
        self.heads.find(jti.to_owned()).await
    }

    async fn is_spent(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.spent.find(jti.to_owned()).await?.is_some())
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        let found = async {
            run!(self.database, "sessions", |client| async {
                let statement = client.prepare_cached(&show_live()).await?;
                let rows = client.query(&statement, &[&user_id.as_str(), &at.as_micros()]).await?;
                rows.iter().map(shown).collect()
            })
        };
        nothing_of(user_id.as_str(), found.await)
    }

    async fn end_sessions(&self, ending: &EndSessions) -> Result<u64, StoreError> {
        let ended = async {
            let (user_id, except) = match &ending.which {
                Which::One { id, user_id } => {
                    return run!(self.database, "end_sessions", |client| {
                        end_named(&self.sql, &mut client, id, user_id.as_ref(), ending)
                    });
                }
                Which::All { user_id, except } => (user_id, except.as_deref()),
            };
            let mut ended = 0;
            loop {
                let (batch, is_last) = run!(self.database, "end_sessions", |client| {
                    self.sql.end_batch(&mut client, user_id, except, ending)
                })?;
                ended += batch;
                if is_last {
                    return Ok(ended);
                }
            }
        };
        let texts = match &ending.which {
            Which::One { id, user_id } => {
                [id.as_str(), user_id.as_ref().map_or("", UserId::as_str)]
            }
            Which::All { user_id, .. } => [user_id.as_str(), ""],
        };
        match ended.await {
            // There is no such session, and no such user.
            Err(error) if texts.iter().any(|text| error.is_of(text)) => Ok(0),
            ended => ended,
        }
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        run!(self.database, "password_rehashed", |client| rehashed(&client, user_id, old, new))
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        run!(self.database, "revoke", |client| async {
            let transaction = client.transaction().await?;
            feed::insert(&transaction, std::slice::from_ref(revocation)).await?;
            transaction.commit().await
        })
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        let tells_timeline = self.database.tells_timeline().await;
        run!(self.database, "revocations", |client| {
            feed::after(&client, tells_timeline, after, limit, at)
        })
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        let ask = async |access: &AccessClaims| {
            run!(self.database, "is_revoked", |client| feed::is_revoked(&client, access, at))
        };
        match ask(access).await {
            Err(error) if error.kind() == StoreErrorKind::Unstorable => {
                let can_be = |id: &str| !error.is_of(id);
                // There is no session that couldn't be stored, and no revocation.
                if access.session.as_deref().is_some_and(|id| !can_be(id)) {
                    return Ok(true);
                }
                let mut access = access.clone();
                access.jti = access.jti.filter(|jti| can_be(jti));
                access.user_id = access.user_id.filter(|id| can_be(id.as_str()));
                ask(&access).await
            }
            answer => answer,
        }
    }

    async fn revocation_notice(&self) -> Result<(), StoreError> {
        self.listener.notice(&self.database).await
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let (before, batch) = (before.as_micros(), i64::from(batch));
        let flush = async |sql: &str| {
            run!(self.database, "flush_sessions", |client| async {
                let statement = client.prepare_cached(sql).await?;
                client.execute(&statement, &[&before, &batch]).await
            })
        };
        let mut flushed = flush(FLUSH_TOKENS).await?;
        if flushed >= batch.unsigned_abs() {
            return Ok(flushed);
        }
        for sql in FLUSH_SESSIONS {
            flushed += flush(sql).await?;
        }
        Ok(flushed)
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        let (sql, at) = (ping(), at.as_micros());
        let values: [&(dyn ToSql + Sync); 4] = [&PINGED, &at.to_string(), &at, &0_i64];
        run!(self.database, "ping", |client| async {
            let statement = client.prepare_cached(&sql).await?;
            client.execute(&statement, &values).await.map(drop)
        })
    }

    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (at, until) = (at.as_micros(), until.as_micros());
        run!(self.database, "lease", |client| async {
            let statement = client.prepare_cached(LEASE).await?;
            Ok(client.execute(&statement, &[&name, &holder, &at, &until]).await? > 0)
        })
    }
}
