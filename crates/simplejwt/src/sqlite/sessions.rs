//! Sessions in an SQLite file. Each method is one job of the writing thread, and so one
//! transaction that nobody else's comes between.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::feed;
use super::tokens::Sql;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::sql::check::{Lines, Uses, trials};
use crate::store::OutstandingToken;
use crate::store::session::{
    AccessClaims, Client, Descendant, EndReason, EndSessions, Horizon, NewSession, NextToken,
    OpenSession, Opening, PINGED, Refreshing, Revocation, Revocations, Session, SessionHead,
    SessionLimit, SessionRefresh, SessionStore, Subject, Successor, Which,
};
use crate::users::UserId;

/// Sessions that are ended by one transaction at most.
const BATCH: u32 = 1000;

const INSERT_SESSION: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
const JOIN: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, created_at, used_at, expires_at, address) \
    VALUES (?1, ?2, ?3, ?3, ?4, ?5) ON CONFLICT (jti) DO NOTHING";
/// Spends a token of a session that is good. The unique key on `token_id` decides.
const SPEND: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
    SELECT ?1, o.id FROM token_blacklist_outstandingtoken AS o \
    JOIN simplejwt_session_token AS t ON t.jti = o.jti \
    JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE o.jti = ?2 AND s.ended_at IS NULL AND s.created_at > ?3 AND t.used_at > ?4 \
    AND (s.password IS NULL OR ?5 IS NULL OR s.password = ?5) \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    ON CONFLICT (token_id) DO NOTHING";
const SUCCEED: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at, address) \
    SELECT ?1, session_id, ?2, ?3, ?4, ?4, ?5, ?6 FROM simplejwt_session_token WHERE jti = ?2";
const STATE: &str = "\
    SELECT t.session_id, s.ended_at, s.created_at, t.used_at, s.password, o.id IS NOT NULL, \
    b.blacklisted_at, EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE t.jti = ?1";
const SUCCESSOR: &str = "\
    SELECT c.jti, c.access_jti, c.created_at, c.address, c.used_at, \
    EXISTS (SELECT 1 FROM simplejwt_session_token AS g WHERE g.parent_jti = c.jti), \
    c.expires_at > ?2 AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = c.jti) \
    FROM simplejwt_session_token AS c WHERE c.parent_jti = ?1";
const USED: &str = "\
    UPDATE simplejwt_session_token SET used_at = ?2, address = ?3 WHERE jti = ?1 AND used_at < ?4";
const SHOW: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, s.user_agent, \
    coalesce((SELECT max(used_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.created_at), \
    coalesce((SELECT max(expires_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.expires_at), \
    coalesce((SELECT address FROM simplejwt_session_token WHERE session_id = s.id \
    ORDER BY used_at DESC LIMIT 1), s.address) \
    FROM simplejwt_session AS s";
/// Reads three rows, however many tokens the session has had.
const HEAD_OF: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, (\
    SELECT c.created_at FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = ?1";
/// Good no longer, as the blacklist has it or the session.
const IS_SPENT: &str = "\
    SELECT 1 WHERE EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = ?1) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = ?1) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = ?1 AND s.ended_at IS NOT NULL)";
/// A token of the session `s` can still be refreshed.
const IS_LIVE: &str = "\
    s.ended_at IS NULL AND EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    WHERE t.session_id = s.id AND t.expires_at > ?2 \
    AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = t.jti))";
const END: &str = "\
    UPDATE simplejwt_session SET ended_at = ?2, end_reason = ?3, \
    expires_at = max(expires_at, ?4) WHERE id = ?1 AND ended_at IS NULL";
const BLACKLIST_SESSION: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
    SELECT ?1, o.id FROM token_blacklist_outstandingtoken AS o \
    JOIN simplejwt_session_token AS t ON t.jti = o.jti WHERE t.session_id = ?2 \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    ON CONFLICT (token_id) DO NOTHING";
const THEIRS: &str = "\
    SELECT id FROM simplejwt_session WHERE user_id = ?1 AND ended_at IS NULL \
    AND id <> coalesce(?2, '') LIMIT ?3";
const OWNER: &str = "SELECT user_id FROM simplejwt_session WHERE id = ?1";
const IS_REGISTERED: &str = "SELECT 1 FROM token_blacklist_outstandingtoken WHERE jti = ?1";
const REHASHED: &str = "\
    UPDATE simplejwt_session SET password = ?3 WHERE user_id = ?1 AND password = ?2";
const FLUSH_TOKENS: &str = "\
    DELETE FROM simplejwt_session_token WHERE jti IN (\
    SELECT jti FROM simplejwt_session_token WHERE expires_at <= ?1 LIMIT ?2)";
/// Sessions that still have tokens are put off until those expire: left where they are, each
/// batch would come upon all of them again.
const FLUSH_SESSIONS: [&str; 3] = [
    "UPDATE simplejwt_session AS s SET expires_at = (SELECT max(t.expires_at) \
     FROM simplejwt_session_token AS t WHERE t.session_id = s.id) WHERE s.id IN (\
     SELECT id FROM simplejwt_session WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) \
     AND EXISTS (SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_session AS s WHERE s.id IN (\
     SELECT id FROM simplejwt_session WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) \
     AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_revocation WHERE sequence IN (\
     SELECT sequence FROM simplejwt_revocation WHERE expires_at <= ?1 LIMIT ?2)",
];
const LEASE: &str = "\
    INSERT INTO simplejwt_lease (name, holder, expires_at) VALUES (?1, ?2, ?4) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
    WHERE holder = excluded.holder OR expires_at <= ?3";

/// The live sessions of a user, by when they were opened.
fn live_by_age() -> String {
    format!(
        "SELECT s.id FROM simplejwt_session AS s WHERE s.user_id = ?1 AND {IS_LIVE} \
         ORDER BY s.created_at, s.id"
    )
}

fn show_one() -> String {
    format!("{SHOW} WHERE s.id = ?1")
}

fn show_live() -> String {
    format!("{SHOW} WHERE s.user_id = ?1 AND {IS_LIVE} ORDER BY 6 DESC, s.id")
}

/// Each statement.
pub(super) fn statements() -> Vec<String> {
    [
        INSERT_SESSION,
        JOIN,
        SPEND,
        SUCCEED,
        STATE,
        SUCCESSOR,
        USED,
        HEAD_OF,
        IS_SPENT,
        END,
        BLACKLIST_SESSION,
        THEIRS,
        OWNER,
        IS_REGISTERED,
        REHASHED,
        FLUSH_TOKENS,
        LEASE,
    ]
    .into_iter()
    .chain(FLUSH_SESSIONS)
    .map(str::to_owned)
    .chain([live_by_age(), show_one(), show_live()])
    .collect()
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
    /// As Django wrote it.
    blacklisted_at: Option<String>,
    has_successor: bool,
}

fn state(connection: &Connection, jti: &str) -> rusqlite::Result<Option<State>> {
    let read = |row: &Row<'_>| {
        Ok(State {
            session: row.get(0)?,
            ended: row.get::<_, Option<i64>>(1)?.is_some(),
            created_at: at(row.get(2)?),
            used_at: at(row.get(3)?),
            password: row.get(4)?,
            is_registered: row.get(5)?,
            blacklisted_at: row.get(6)?,
            has_successor: row.get(7)?,
        })
    };
    connection.prepare_cached(STATE)?.query_row([jti], read).optional()
}

fn shown(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        user_id: row.get::<_, String>(1)?.into(),
        created_at: at(row.get(2)?),
        ended_at: row.get::<_, Option<i64>>(3)?.map(at),
        refreshed_at: at(row.get(5)?),
        expires_at: at(row.get(6)?),
        client: Client { address: row.get(7)?, user_agent: row.get(4)? },
    })
}

fn head(row: &Row<'_>) -> rusqlite::Result<SessionHead> {
    Ok(SessionHead {
        id: row.get(0)?,
        user_id: row.get::<_, String>(1)?.into(),
        created_at: at(row.get(2)?),
        ended_at: row.get::<_, Option<i64>>(3)?.map(at),
        spent_at: row.get::<_, Option<i64>>(4)?.map(at),
    })
}

fn insert_session(
    connection: &Connection,
    session: &NewSession,
    now: Timestamp,
    kept_until: Timestamp,
) -> rusqlite::Result<()> {
    connection.prepare_cached(INSERT_SESSION)?.execute(params![
        session.id,
        session.user_id.as_str(),
        now.as_micros(),
        kept_until.as_micros(),
        session.password,
        session.client.address,
        session.client.user_agent,
    ])?;
    Ok(())
}

/// Whether it hadn't ended before.
fn end(
    connection: &Connection,
    id: &str,
    reason: EndReason,
    now: Timestamp,
    horizon: Horizon,
) -> rusqlite::Result<bool> {
    let ended = connection.prepare_cached(END)?.execute(params![
        id,
        now.as_micros(),
        reason.as_str(),
        horizon.refresh.as_micros(),
    ])?;
    if ended == 0 {
        return Ok(false);
    }
    let blacklisted_at = super::datetime::text(now);
    connection.prepare_cached(BLACKLIST_SESSION)?.execute(params![blacklisted_at, id])?;
    feed::insert(
        connection,
        &Revocation {
            subject: Subject::Session(id.to_owned()),
            revoked_at: now,
            expires_at: horizon.access,
        },
    )?;
    Ok(true)
}

impl Sql {
    fn join(
        &self,
        connection: &Connection,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        client: &Client,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        self.record(connection, token)?;
        connection.prepare_cached(JOIN)?.execute(params![
            token.jti,
            session,
            now.as_micros(),
            expires_at.as_micros(),
            client.address,
        ])?;
        Ok(())
    }

    fn open(&self, connection: &Connection, open: &OpenSession) -> rusqlite::Result<Opening> {
        let mut evicted = 0;
        if let Some(limit) = open.limit {
            let live = live(connection, &open.session.user_id, open.at)?;
            let (SessionLimit::EvictOldest(places) | SessionLimit::Refuse(places)) = limit;
            // One place is for the session that is opened.
            let surplus = (live.len() + 1).saturating_sub(places as usize);
            if surplus > 0 && matches!(limit, SessionLimit::Refuse(_)) {
                return Ok(Opening::TooMany);
            }
            for id in live.iter().take(surplus) {
                let ended = end(connection, id, EndReason::Limit, open.at, open.horizon)?;
                evicted += u64::from(ended);
            }
        }
        let session = &open.session;
        insert_session(connection, session, open.at, open.expires_at)?;
        let client = &session.client;
        self.join(connection, &session.id, &open.token, open.expires_at, client, open.at)?;
        Ok(Opening::Opened { evicted })
    }

    fn refresh(
        &self,
        connection: &Connection,
        refresh: &SessionRefresh,
    ) -> rusqlite::Result<Refreshing> {
        if let NextToken::Rotated { token, access_jti } = &refresh.next
            && self.rotate_in_session(connection, refresh, token, access_jti)?
        {
            return Ok(Refreshing::Refreshed);
        }
        let (token, now) = (&refresh.token, refresh.at);
        let state = match state(connection, &token.jti)? {
            Some(state) => state,
            None => {
                let new = &refresh.session;
                let owner = owner(connection, &new.id)?;
                if owner.is_some_and(|owner| owner != new.user_id.as_str()) {
                    return Ok(Refreshing::Foreign);
                }
                if token.expires_at <= now && !is_registered(connection, &token.jti)? {
                    return Ok(Refreshing::Forgotten);
                }
                insert_session(connection, new, now, token.expires_at)?;
                self.join(connection, &new.id, token, token.expires_at, &new.client, now)?;
                match state(connection, &token.jti)? {
                    Some(state) if state.ended => {
                        self.blacklist(connection, token, now)?;
                        state
                    }
                    Some(state) => state,
                    None => return Err(rusqlite::Error::QueryReturnedNoRows),
                }
            }
        };
        if state.ended {
            return Ok(Refreshing::Ended);
        }
        if state.has_successor || state.blacklisted_at.is_some() {
            return spent(connection, refresh, &state);
        }
        if refresh.is_over(state.created_at, state.used_at) {
            end(connection, &state.session, EndReason::Expired, now, refresh.horizon)?;
            return Ok(Refreshing::Expired);
        }
        if refresh.has_other_password(state.password.as_deref()) {
            return Ok(Refreshing::PasswordChanged);
        }
        if !state.is_registered {
            if token.expires_at <= now {
                return Ok(Refreshing::Forgotten);
            }
            self.record(connection, token)?;
        }
        let client = &refresh.session.client;
        match &refresh.next {
            NextToken::None => {
                connection.prepare_cached(USED)?.execute(params![
                    token.jti,
                    now.as_micros(),
                    client.address,
                    (now - SessionRefresh::USE_INTERVAL).as_micros(),
                ])?;
            }
            NextToken::Added(next) => {
                self.join(connection, &state.session, next, next.expires_at, client, now)?;
            }
            NextToken::Rotated { token: next, access_jti } => {
                // It has only just joined its session, or was registered anew.
                if !self.rotate_in_session(connection, refresh, next, access_jti)? {
                    return Err(rusqlite::Error::StatementChangedRows(0));
                }
            }
        }
        Ok(Refreshing::Refreshed)
    }

    /// The usual case, in three statements; whether this was it.
    fn rotate_in_session(
        &self,
        connection: &Connection,
        refresh: &SessionRefresh,
        next: &OutstandingToken,
        access_jti: &str,
    ) -> rusqlite::Result<bool> {
        let now = refresh.at;
        let since = |limit: Option<std::time::Duration>| {
            limit.map_or(i64::MIN, |limit| (now - limit).as_micros())
        };
        let spent = connection.prepare_cached(SPEND)?.execute(params![
            super::datetime::text(now),
            refresh.token.jti,
            since(refresh.lifetime),
            since(refresh.idle),
            refresh.session.password,
        ])?;
        if spent == 0 {
            return Ok(false);
        }
        self.record(connection, next)?;
        connection.prepare_cached(SUCCEED)?.execute(params![
            next.jti,
            refresh.token.jti,
            access_jti,
            now.as_micros(),
            next.expires_at.as_micros(),
            refresh.session.client.address,
        ])?;
        Ok(true)
    }

    fn end_all(
        &self,
        connection: &Connection,
        user_id: &UserId,
        except: Option<&str>,
        ending: &EndSessions,
    ) -> rusqlite::Result<u64> {
        let mut statement = connection.prepare_cached(THEIRS)?;
        let ids = statement
            .query_map(params![user_id.as_str(), except, BATCH], |row| row.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for id in &ids {
            end(connection, id, ending.reason, ending.at, ending.horizon)?;
        }
        if ids.len() < BATCH as usize {
            // The last batch: what is in no session, too.
            if let Some(key) = self.user_id.parse(user_id) {
                connection.prepare_cached(&self.blacklist_others)?.execute(params![
                    super::datetime::text(ending.at),
                    key,
                    except
                ])?;
            }
            feed::insert(
                connection,
                &Revocation {
                    subject: Subject::User(user_id.clone()),
                    revoked_at: ending.at,
                    expires_at: ending.horizon.refresh,
                },
            )?;
        }
        Ok(ids.len() as u64)
    }
}

/// What a spent token of a session that hasn't ended comes to.
fn spent(
    connection: &Connection,
    refresh: &SessionRefresh,
    state: &State,
) -> rusqlite::Result<Refreshing> {
    let end = |reason| end(connection, &state.session, reason, refresh.at, refresh.horizon);
    let Some(child) = descendant(connection, &refresh.token.jti, refresh)? else {
        let since = state.blacklisted_at.as_deref().and_then(super::datetime::moment);
        if since.is_some_and(|at| refresh.is_within_tolerance_in_any_zone(at)) {
            return Ok(Refreshing::Replayed);
        }
        end(EndReason::Blacklisted)?;
        return Ok(Refreshing::Blacklisted);
    };
    if refresh.is_own(&child.successor.jti) {
        return Ok(Refreshing::Refreshed);
    }
    let spent_at = child.successor.created_at;
    if refresh.is_within_grace(spent_at) {
        let mut newest = child;
        for _ in 1..Descendant::FARTHEST {
            match descendant(connection, &newest.successor.jti, refresh)? {
                Some(next) => newest = next,
                None => break,
            }
        }
        if let Some(outcome) = newest.answer(refresh, state.created_at, state.password.as_deref()) {
            if outcome == Refreshing::Expired {
                end(EndReason::Expired)?;
            }
            return Ok(outcome);
        }
    }
    if refresh.is_within_tolerance(spent_at) {
        return Ok(Refreshing::Replayed);
    }
    end(EndReason::Reuse)?;
    Ok(Refreshing::Reused)
}

/// The immediate successor of a token.
fn descendant(
    connection: &Connection,
    jti: &str,
    refresh: &SessionRefresh,
) -> rusqlite::Result<Option<Descendant>> {
    let read = |row: &Row<'_>| {
        Ok(Descendant {
            successor: Successor {
                jti: row.get(0)?,
                access_jti: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                created_at: at(row.get(2)?),
                same_address: row.get::<_, Option<String>>(3)? == refresh.session.client.address,
            },
            used_at: at(row.get(4)?),
            is_spent: row.get(5)?,
            is_good: row.get(6)?,
        })
    };
    let values = params![jti, refresh.at.as_micros()];
    connection.prepare_cached(SUCCESSOR)?.query_row(values, read).optional()
}

/// Whose a session is.
fn owner(connection: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    connection.prepare_cached(OWNER)?.query_row([id], |row| row.get(0)).optional()
}

fn is_registered(connection: &Connection, jti: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached(IS_REGISTERED)?.exists([jti])
}

/// The live sessions of a user, by when they were opened.
fn live(
    connection: &Connection,
    user_id: &UserId,
    now: Timestamp,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(&live_by_age())?
        .query_map(params![user_id.as_str(), now.as_micros()], |row| row.get(0))?
        .collect()
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn open(&self, open: &OpenSession) -> Result<Opening, StoreError> {
        let (sql, open) = (Arc::clone(&self.sql), open.clone());
        self.database.write("open", move |connection| sql.open(connection, &open)).await
    }

    async fn refresh(&self, refresh: &SessionRefresh) -> Result<Refreshing, StoreError> {
        let (sql, refresh) = (Arc::clone(&self.sql), refresh.clone());
        self.database.write("refresh", move |connection| sql.refresh(connection, &refresh)).await
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        self.database.read("session", |connection| {
            connection.prepare_cached(&show_one())?.query_row([id], shown).optional()
        })
    }

    async fn session_of(&self, jti: &str) -> Result<Option<SessionHead>, StoreError> {
        self.database.read("session_of", |connection| {
            connection.prepare_cached(HEAD_OF)?.query_row([jti], head).optional()
        })
    }

    async fn is_spent(&self, jti: &str) -> Result<bool, StoreError> {
        self.database
            .read("is_spent", |connection| connection.prepare_cached(IS_SPENT)?.exists([jti]))
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.database.read("sessions", |connection| {
            connection
                .prepare_cached(&show_live())?
                .query_map(params![user_id.as_str(), at.as_micros()], shown)?
                .collect()
        })
    }

    async fn end_sessions(&self, ending: &EndSessions) -> Result<u64, StoreError> {
        let mut ended = 0;
        loop {
            let (sql, ending) = (Arc::clone(&self.sql), ending.clone());
            let batch = move |connection: &Connection| match &ending.which {
                Which::One { id, user_id } => {
                    let theirs = owner(connection, id)?.is_some_and(|owner| {
                        user_id.as_ref().is_none_or(|user_id| user_id.as_str() == owner)
                    });
                    let ended =
                        theirs && end(connection, id, ending.reason, ending.at, ending.horizon)?;
                    Ok(u64::from(ended))
                }
                Which::All { user_id, except } => {
                    sql.end_all(connection, user_id, except.as_deref(), &ending)
                }
            };
            let batch = self.database.write("end_sessions", batch).await?;
            ended += batch;
            if batch < u64::from(BATCH) {
                return Ok(ended);
            }
        }
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let (user_id, old, new) = (user_id.clone(), old.to_owned(), new.to_owned());
        self.database
            .write("password_rehashed", move |connection| {
                rehashed(connection, &user_id, &old, &new)
            })
            .await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let revocation = revocation.clone();
        self.database.write("revoke", move |connection| feed::insert(connection, &revocation)).await
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        self.database.read("revocations", |connection| feed::after(connection, after, limit, at))
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        self.database.read("is_revoked", |connection| feed::is_revoked(connection, access, at))
    }

    /// Never returns: other processes can't be heard of. They are asked often enough.
    async fn revocation_notice(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let flush = move |connection: &Connection| {
            let run =
                |sql| connection.prepare_cached(sql)?.execute(params![before.as_micros(), batch]);
            let mut flushed = run(FLUSH_TOKENS)?;
            if flushed < batch as usize {
                for sql in FLUSH_SESSIONS {
                    flushed += run(sql)?;
                }
            }
            Ok(flushed as u64)
        };
        self.database.write("flush_sessions", flush).await
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        let sessions = Uses { sessions: true, ..Uses::default() };
        let trials = trials(&sessions, &Lines::Sqlite);
        let ping = move |connection: &Connection| {
            super::tokens::run_all(connection, &trials)?;
            let at = at.as_micros();
            let values = params![PINGED, at.to_string(), at, 0];
            connection.prepare_cached(LEASE)?.execute(values).map(drop)
        };
        self.database.write("ping", ping).await
    }

    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let lease = move |connection: &Connection| {
            let values = params![name, holder, at.as_micros(), until.as_micros()];
            Ok(connection.prepare_cached(LEASE)?.execute(values)? == 1)
        };
        self.database.write("lease", lease).await
    }
}

/// Ties sessions to another fingerprint of the same password.
pub(crate) fn rehashed(
    connection: &Connection,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> rusqlite::Result<()> {
    connection.prepare_cached(REHASHED)?.execute(params![user_id.as_str(), old, new])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::sql::table::UserTable;
    use crate::sqlite::{SqliteDatabase, migrate};

    /// What SQLite does for a query, in instructions of its machine.
    fn steps(connection: &Connection, sql: &str, value: &str) -> i32 {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_row([value], |_| Ok(())).unwrap();
        statement.get_status(StatementStatus::VmStep)
    }

    #[test]
    fn a_session_is_found_without_its_other_tokens() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../migrations/sqlite/0005_session.sql")).unwrap();
        let sql = "INSERT INTO simplejwt_session (id, user_id, created_at, expires_at) \
                   VALUES ('0', '1', 0, 1)";
        connection.execute(sql, []).unwrap();
        let measure = |tokens: u32| {
            let sql = "WITH RECURSIVE n (n) AS (VALUES (coalesce(\
                       (SELECT max(rowid) FROM simplejwt_session_token), 0)) \
                       UNION ALL SELECT n + 1 FROM n WHERE n < ?1 - 1) \
                       INSERT INTO simplejwt_session_token \
                       (jti, session_id, parent_jti, created_at, used_at, expires_at) \
                       SELECT n, '0', nullif(n - 1, -1), n, n, n FROM n";
            connection.execute(sql, [tokens]).unwrap();
            let newest = (tokens - 1).to_string();
            let list = format!("{SHOW} WHERE s.id = ?1");
            (steps(&connection, HEAD_OF, &newest), steps(&connection, &list, "0"))
        };
        let (head_before, list_before) = measure(10);
        let (head_after, list_after) = measure(10_000);
        assert_eq!(head_before, head_after);
        assert!(list_after > 100 * list_before, "the measure tells: {list_before} {list_after}");
    }

    #[tokio::test]
    async fn a_rotation_compiles_nothing_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db.sqlite3");
        let database = SqliteDatabase::open_or_create(path, Default::default()).unwrap();
        let users = UserTable::default();
        let now = Timestamp::from_secs(1_767_323_045);
        migrate::apply(&database, &users, now).await.unwrap();
        let store = SqliteStore::open(&database, &users).unwrap();
        let later = now + std::time::Duration::from_secs(3600);
        let token = |n: u8| OutstandingToken {
            jti: n.to_string(),
            token: format!("{n}.token"),
            user_id: Some("1".into()),
            created_at: now,
            expires_at: later,
        };
        for n in 0..5 {
            let refresh = SessionRefresh {
                token: token(n),
                next: NextToken::Rotated { token: token(n + 1), access_jti: format!("{n}-access") },
                session: NewSession {
                    id: "0".into(),
                    user_id: "1".into(),
                    client: Client::default(),
                    password: None,
                },
                grace: std::time::Duration::ZERO,
                tolerance: std::time::Duration::ZERO,
                idle: None,
                lifetime: None,
                at: now + std::time::Duration::from_secs(n.into()),
                horizon: Horizon { refresh: later, access: later },
            };
            assert_eq!(store.refresh(&refresh).await.unwrap(), Refreshing::Refreshed);
        }
        let record = store.sql.record.clone();
        let compiled_anew = database.write("count", move |connection| {
            let mut counts = Vec::new();
            for sql in [SPEND, SUCCEED, &record] {
                let statement = connection.prepare_cached(sql)?;
                assert!(statement.get_status(StatementStatus::Run) > 4, "{sql}");
                counts.push(statement.get_status(StatementStatus::RePrepare));
            }
            Ok(counts)
        });
        assert_eq!(compiled_anew.await.unwrap(), [0, 0, 0]);
    }
}
