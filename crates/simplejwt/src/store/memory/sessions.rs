//! Sessions in memory: the reference implementation of a [`SessionStore`].

mod refresh;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Cause, Recorded};
use crate::settings::Rows;
use crate::store::OutstandingToken;
use crate::store::rows::SessionRow;
use crate::store::session::{
    Client, EndSessions, NewSession, OpenOutcome, OpenSession, RefreshOutcome, RetainUntil,
    Revocation, RevocationSubject, Session, SessionHead, SessionLimit, SessionRefresh,
    SessionSelector, SessionStore,
};
use crate::users::UserId;

#[derive(Default)]
pub(super) struct Sessions {
    pub(super) sessions: HashMap<String, Row>,
    tokens: HashMap<String, TokenRow>,
    pub(super) rows: HashMap<String, SessionRow>,
    pub(super) revocations: BTreeMap<i64, Revocation>,
    pub(super) sequence: i64,
    pub(super) leases: HashMap<String, (String, Timestamp)>,
}

pub(super) struct Row {
    pub(super) user_id: UserId,
    created_at: Timestamp,
    kept_until: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    password: Option<String>,
    client: Client,
}

struct TokenRow {
    session: String,
    parent: Option<String>,
    access_jti: Option<String>,
    created_at: Timestamp,
    used_at: Timestamp,
    expires_at: Timestamp,
    address: Option<String>,
}

impl Sessions {
    /// Returns the session that a token is in.
    pub(super) fn session_with(&self, jti: &str) -> Option<String> {
        self.tokens.get(jti).map(|token| token.session.clone())
    }
}

impl State {
    fn insert_session(&mut self, new: &NewSession, cause: &Cause, kept_until: Timestamp) {
        self.sessions.sessions.entry(new.id.clone()).or_insert_with(|| Row {
            user_id: new.user_id.clone(),
            created_at: cause.at,
            kept_until,
            ended_at: None,
            password: new.password.clone(),
            client: cause.client.clone(),
        });
    }

    fn join(
        &mut self,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        cause: &Cause,
    ) {
        self.entry(token);
        self.sessions.tokens.entry(token.jti.clone()).or_insert_with(|| TokenRow {
            session: session.to_owned(),
            parent: None,
            access_jti: None,
            created_at: cause.at,
            used_at: cause.at,
            expires_at,
            address: cause.client.address.clone(),
        });
    }

    fn successor_of(&self, jti: &str) -> Option<(&String, &TokenRow)> {
        self.sessions.tokens.iter().find(|(_, row)| row.parent.as_deref() == Some(jti))
    }

    fn is_live(&self, jti: &str, row: &TokenRow, at: Timestamp) -> bool {
        row.expires_at > at && self.successor_of(jti).is_none() && !self.is_blacklisted(jti)
    }

    /// Returns the live sessions of a user, the oldest first.
    fn live(&self, user_id: &UserId, at: Timestamp) -> Vec<String> {
        let is_live = |id: &String| {
            self.sessions
                .tokens
                .iter()
                .any(|(jti, row)| row.session == *id && self.is_live(jti, row, at))
        };
        let mut live: Vec<_> = self
            .sessions
            .sessions
            .iter()
            .filter(|(_, row)| row.user_id == *user_id && row.ended_at.is_none())
            .map(|(id, row)| (row.created_at, id.clone()))
            .filter(|(_, id)| is_live(id))
            .collect();
        live.sort();
        live.into_iter().map(|(_, id)| id).collect()
    }

    fn session(&self, id: &str) -> Option<Session> {
        let row = self.sessions.sessions.get(id)?;
        let tokens = || self.sessions.tokens.values().filter(|token| token.session == id);
        let newest = tokens().max_by_key(|token| token.used_at);
        let address = newest.and_then(|token| token.address.clone());
        Some(Session {
            id: id.to_owned(),
            user_id: row.user_id.clone(),
            created_at: row.created_at,
            refreshed_at: newest.map_or(row.created_at, |token| token.used_at),
            expires_at: tokens().map(|token| token.expires_at).max().unwrap_or(row.kept_until),
            ended_at: row.ended_at,
            client: Client {
                address: address.or_else(|| row.client.address.clone()),
                user_agent: row.client.user_agent.clone(),
            },
        })
    }

    /// Ends a session. Returns `true` if it hadn't ended before.
    fn end(&mut self, id: &str, at: Timestamp, retain_until: RetainUntil) -> bool {
        let Some(row) = self.sessions.sessions.get_mut(id) else { return false };
        if row.ended_at.is_some() {
            return false;
        }
        row.ended_at = Some(at);
        row.kept_until = row.kept_until.max(retain_until.refresh);
        for (jti, token) in &self.sessions.tokens {
            if token.session == id
                && let Some(entry) = self.tokens.get_mut(jti)
            {
                entry.blacklisted_at.get_or_insert(at);
            }
        }
        self.revoke(RevocationSubject::Session(id.to_owned()), at, retain_until.access);
        true
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    fn rows(&self) -> Rows {
        Rows::Tokens
    }

    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
        let mut state = self.lock();
        let user_id = &open.session.user_id;
        let mut evicted = 0;
        if let Some(limit) = open.limit {
            let live = state.live(user_id, open.cause.at);
            let (SessionLimit::EvictOldest(limit) | SessionLimit::Refuse(limit)) = limit;
            // One more, for the session that is opened.
            let surplus = (live.len() + 1).saturating_sub(limit as usize);
            if surplus > 0 && matches!(open.limit, Some(SessionLimit::Refuse(_))) {
                return Ok(open.recorded(OpenOutcome::TooMany));
            }
            for id in live.iter().take(surplus) {
                evicted += u64::from(state.end(id, open.cause.at, open.retain_until));
            }
        }
        state.insert_session(&open.session, &open.cause, open.expires_at);
        state.join(&open.session.id, &open.token, open.expires_at, &open.cause);
        Ok(open.recorded(OpenOutcome::Opened { evicted }))
    }

    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        Ok(self.lock().refresh(refresh))
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        Ok(self.lock().session(id))
    }

    async fn session_of(
        &self,
        jti: &str,
        _: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError> {
        let state = self.lock();
        let Some(token) = state.sessions.tokens.get(jti) else { return Ok(None) };
        Ok(state.sessions.sessions.get(&token.session).map(|row| SessionHead {
            id: token.session.clone(),
            user_id: row.user_id.clone(),
            created_at: row.created_at,
            ended_at: row.ended_at,
            spent_at: state.successor_of(jti).map(|(_, successor)| successor.created_at),
        }))
    }

    async fn is_spent(&self, jti: &str, _: Option<&str>) -> Result<bool, StoreError> {
        let state = self.lock();
        let ended = |token: &TokenRow| {
            let session = state.sessions.sessions.get(&token.session);
            session.is_some_and(|row| row.ended_at.is_some())
        };
        Ok(state.is_blacklisted(jti)
            || state.successor_of(jti).is_some()
            || state.sessions.tokens.get(jti).is_some_and(ended))
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        let state = self.lock();
        let mut sessions: Vec<_> =
            state.live(user_id, at).iter().filter_map(|id| state.session(id)).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.refreshed_at));
        Ok(sessions)
    }

    async fn end_sessions(&self, end: &EndSessions) -> Result<Recorded<u64>, StoreError> {
        let mut state = self.lock();
        let (user_id, except) = match &end.which {
            SessionSelector::One { id, user_id } => {
                let theirs = state.sessions.sessions.get(id).is_some_and(|row| {
                    user_id.as_ref().is_none_or(|user_id| row.user_id == *user_id)
                });
                let ended = theirs && state.end(id, end.cause.at, end.retain_until);
                return Ok(end.recorded(ended.into()));
            }
            SessionSelector::All { user_id, except } => (user_id, except),
        };
        let ids: Vec<_> = state
            .sessions
            .sessions
            .iter()
            .filter(|(id, row)| row.user_id == *user_id && except.as_ref() != Some(*id))
            .map(|(id, _)| id.clone())
            .collect();
        let mut ended = 0;
        for id in ids {
            ended += u64::from(state.end(&id, end.cause.at, end.retain_until));
        }
        let State { tokens, sessions, .. } = &mut *state;
        for (jti, entry) in tokens {
            let stays = sessions
                .tokens
                .get(jti)
                .is_some_and(|token| Some(&token.session) == except.as_ref());
            if !stays && entry.token.user_id.as_ref() == Some(user_id) {
                entry.blacklisted_at.get_or_insert(end.cause.at);
            }
        }
        state.revoke(
            RevocationSubject::User(user_id.clone()),
            end.cause.at,
            end.retain_until.refresh,
        );
        Ok(end.recorded(ended))
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        for row in self.lock().sessions.sessions.values_mut() {
            if row.user_id == *user_id && row.password.as_deref() == Some(old) {
                row.password = Some(new.to_owned());
            }
        }
        Ok(())
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let mut state = self.lock();
        let sessions = &mut state.sessions;
        let mut deleted = 0;
        let mut take = |left: &mut u32, gone: bool| {
            let gone = gone && *left > 0;
            *left -= u32::from(gone);
            deleted += u64::from(gone);
            !gone
        };
        let mut left = batch;
        sessions.tokens.retain(|_, row| take(&mut left, row.expires_at <= before));
        let mut left = batch;
        let Sessions { sessions: rows, tokens, .. } = sessions;
        let has_tokens = |id: &String| tokens.values().any(|token: &TokenRow| token.session == *id);
        rows.retain(|id, row| take(&mut left, row.kept_until <= before && !has_tokens(id)));
        let mut left = batch;
        sessions.revocations.retain(|_, entry| take(&mut left, entry.expires_at <= before));
        Ok(deleted)
    }

    async fn ping_sessions(&self, _: Timestamp) -> Result<(), StoreError> {
        drop(self.lock());
        Ok(())
    }
}
