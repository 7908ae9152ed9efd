//! Sessions in memory: the reference for what a [`SessionStore`] does.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::session::{
    AccessClaims, Client, Descendant, EndSessions, Horizon, NewSession, NextToken, OpenSession,
    Opening, Refreshing, Revocation, Revocations, Session, SessionHead, SessionLimit,
    SessionRefresh, SessionStore, Subject, Successor, Which,
};
use crate::store::{OutstandingToken, feed};
use crate::users::UserId;

#[derive(Default)]
pub(super) struct Sessions {
    sessions: HashMap<String, Row>,
    tokens: HashMap<String, TokenRow>,
    revocations: BTreeMap<i64, Revocation>,
    sequence: i64,
    leases: HashMap<String, (String, Timestamp)>,
}

struct Row {
    user_id: UserId,
    created_at: Timestamp,
    kept_until: Timestamp,
    ended_at: Option<Timestamp>,
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

impl State {
    fn insert_session(&mut self, new: &NewSession, at: Timestamp, kept_until: Timestamp) {
        self.sessions.sessions.entry(new.id.clone()).or_insert_with(|| Row {
            user_id: new.user_id.clone(),
            created_at: at,
            kept_until,
            ended_at: None,
            password: new.password.clone(),
            client: new.client.clone(),
        });
    }

    fn join(
        &mut self,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        client: &Client,
        at: Timestamp,
    ) {
        self.entry(token);
        self.sessions.tokens.entry(token.jti.clone()).or_insert_with(|| TokenRow {
            session: session.to_owned(),
            parent: None,
            access_jti: None,
            created_at: at,
            used_at: at,
            expires_at,
            address: client.address.clone(),
        });
    }

    fn successor_of(&self, jti: &str) -> Option<(&String, &TokenRow)> {
        self.sessions.tokens.iter().find(|(_, row)| row.parent.as_deref() == Some(jti))
    }

    fn is_live(&self, jti: &str, row: &TokenRow, at: Timestamp) -> bool {
        row.expires_at > at && self.successor_of(jti).is_none() && !self.is_blacklisted(jti)
    }

    /// The live sessions of a user, by when they were opened.
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

    fn shown(&self, id: &str) -> Option<Session> {
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

    fn revoke(&mut self, subject: Subject, revoked_at: Timestamp, expires_at: Timestamp) {
        self.sessions.sequence += 1;
        let revocation = Revocation { subject, revoked_at, expires_at };
        self.sessions.revocations.insert(self.sessions.sequence, revocation);
    }

    /// Whether it hadn't ended before.
    fn end(&mut self, id: &str, at: Timestamp, horizon: Horizon) -> bool {
        let Some(row) = self.sessions.sessions.get_mut(id) else { return false };
        if row.ended_at.is_some() {
            return false;
        }
        row.ended_at = Some(at);
        row.kept_until = row.kept_until.max(horizon.refresh);
        for (jti, token) in &self.sessions.tokens {
            if token.session == id
                && let Some(entry) = self.tokens.get_mut(jti)
            {
                entry.blacklisted_at.get_or_insert(at);
            }
        }
        self.revoke(Subject::Session(id.to_owned()), at, horizon.access);
        true
    }

    fn refresh(&mut self, refresh: &SessionRefresh) -> Refreshing {
        let (token, at) = (&refresh.token, refresh.at);
        let is_forgotten = !self.tokens.contains_key(&token.jti) && token.expires_at <= at;
        if !self.sessions.tokens.contains_key(&token.jti) {
            let new = &refresh.session;
            if self.sessions.sessions.get(&new.id).is_some_and(|row| row.user_id != new.user_id) {
                return Refreshing::Foreign;
            }
            if is_forgotten {
                return Refreshing::Forgotten;
            }
            self.insert_session(new, at, token.expires_at);
            self.join(&new.id, token, token.expires_at, &new.client, at);
        }
        let Some((id, used_at)) =
            self.sessions.tokens.get(&token.jti).map(|row| (row.session.clone(), row.used_at))
        else {
            return Refreshing::Ended;
        };
        let Some(session) = self.sessions.sessions.get(&id) else { return Refreshing::Ended };
        if session.ended_at.is_some() {
            // One that has only just joined.
            let _ = self.blacklist(token, at);
            return Refreshing::Ended;
        }
        let (opened_at, password) = (session.created_at, session.password.clone());
        if self.is_blacklisted(&token.jti) || self.successor_of(&token.jti).is_some() {
            return self.spent(refresh, &id, opened_at, password.as_deref());
        }
        if refresh.is_over(opened_at, used_at) {
            self.end(&id, at, refresh.horizon);
            return Refreshing::Expired;
        }
        if refresh.has_other_password(password.as_deref()) {
            return Refreshing::PasswordChanged;
        }
        if is_forgotten {
            return Refreshing::Forgotten;
        }
        self.entry(token);
        match &refresh.next {
            NextToken::None => {
                if let Some(row) = self.sessions.tokens.get_mut(&token.jti)
                    && row.used_at + SessionRefresh::USE_INTERVAL < at
                {
                    row.used_at = at;
                    row.address.clone_from(&refresh.session.client.address);
                }
            }
            NextToken::Added(next) => {
                self.join(&id, next, next.expires_at, &refresh.session.client, at);
            }
            NextToken::Rotated { token: next, access_jti } => {
                // Looked at above.
                let _ = self.blacklist(token, at);
                self.join(&id, next, next.expires_at, &refresh.session.client, at);
                if let Some(row) = self.sessions.tokens.get_mut(&next.jti) {
                    row.parent = Some(token.jti.clone());
                    row.access_jti = Some(access_jti.clone());
                }
            }
        }
        Refreshing::Refreshed
    }

    /// What a spent token of a session that hasn't ended comes to.
    fn spent(
        &mut self,
        refresh: &SessionRefresh,
        id: &str,
        opened_at: Timestamp,
        opened_with: Option<&str>,
    ) -> Refreshing {
        let jti = &refresh.token.jti;
        let Some(child) = self.descendant(jti, refresh) else {
            let since = self.tokens.get(jti).and_then(|entry| entry.blacklisted_at);
            if since.is_some_and(|at| refresh.is_within_tolerance_in_any_zone(at)) {
                return Refreshing::Replayed;
            }
            self.end(id, refresh.at, refresh.horizon);
            return Refreshing::Blacklisted;
        };
        if refresh.is_own(&child.successor.jti) {
            return Refreshing::Refreshed;
        }
        let spent_at = child.successor.created_at;
        if refresh.is_within_grace(spent_at) {
            let mut newest = child;
            for _ in 1..Descendant::FARTHEST {
                match self.descendant(&newest.successor.jti, refresh) {
                    Some(next) => newest = next,
                    None => break,
                }
            }
            if let Some(outcome) = newest.answer(refresh, opened_at, opened_with) {
                if outcome == Refreshing::Expired {
                    self.end(id, refresh.at, refresh.horizon);
                }
                return outcome;
            }
        }
        if refresh.is_within_tolerance(spent_at) {
            return Refreshing::Replayed;
        }
        self.end(id, refresh.at, refresh.horizon);
        Refreshing::Reused
    }

    /// The immediate successor of a token.
    fn descendant(&self, jti: &str, refresh: &SessionRefresh) -> Option<Descendant> {
        let (jti, row) = self.successor_of(jti)?;
        Some(Descendant {
            successor: Successor {
                jti: jti.clone(),
                access_jti: row.access_jti.clone().unwrap_or_default(),
                created_at: row.created_at,
                same_address: row.address == refresh.session.client.address,
            },
            used_at: row.used_at,
            is_spent: self.successor_of(jti).is_some(),
            is_good: row.expires_at > refresh.at && !self.is_blacklisted(jti),
        })
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open(&self, open: &OpenSession) -> Result<Opening, StoreError> {
        let mut state = self.lock();
        let user_id = &open.session.user_id;
        let mut evicted = 0;
        if let Some(limit) = open.limit {
            let live = state.live(user_id, open.at);
            let (SessionLimit::EvictOldest(limit) | SessionLimit::Refuse(limit)) = limit;
            // One place is for the session that is opened.
            let surplus = (live.len() + 1).saturating_sub(limit as usize);
            if surplus > 0 && matches!(open.limit, Some(SessionLimit::Refuse(_))) {
                return Ok(Opening::TooMany);
            }
            for id in live.iter().take(surplus) {
                evicted += u64::from(state.end(id, open.at, open.horizon));
            }
        }
        state.insert_session(&open.session, open.at, open.expires_at);
        state.join(&open.session.id, &open.token, open.expires_at, &open.session.client, open.at);
        Ok(Opening::Opened { evicted })
    }

    async fn refresh(&self, refresh: &SessionRefresh) -> Result<Refreshing, StoreError> {
        Ok(self.lock().refresh(refresh))
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        Ok(self.lock().shown(id))
    }

    async fn session_of(&self, jti: &str) -> Result<Option<SessionHead>, StoreError> {
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

    async fn is_spent(&self, jti: &str) -> Result<bool, StoreError> {
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
            state.live(user_id, at).iter().filter_map(|id| state.shown(id)).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.refreshed_at));
        Ok(sessions)
    }

    async fn end_sessions(&self, end: &EndSessions) -> Result<u64, StoreError> {
        let mut state = self.lock();
        let (user_id, except) = match &end.which {
            Which::One { id, user_id } => {
                let theirs = state.sessions.sessions.get(id).is_some_and(|row| {
                    user_id.as_ref().is_none_or(|user_id| row.user_id == *user_id)
                });
                return Ok(u64::from(theirs && state.end(id, end.at, end.horizon)));
            }
            Which::All { user_id, except } => (user_id, except),
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
            ended += u64::from(state.end(&id, end.at, end.horizon));
        }
        let State { tokens, sessions } = &mut *state;
        for (jti, entry) in tokens {
            let stays = sessions
                .tokens
                .get(jti)
                .is_some_and(|token| Some(&token.session) == except.as_ref());
            if !stays && entry.token.user_id.as_ref() == Some(user_id) {
                entry.blacklisted_at.get_or_insert(end.at);
            }
        }
        state.revoke(Subject::User(user_id.clone()), end.at, end.horizon.refresh);
        Ok(ended)
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

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let Revocation { subject, revoked_at, expires_at } = revocation.clone();
        self.lock().revoke(subject, revoked_at, expires_at);
        Ok(())
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        let state = self.lock();
        let (newest, rows) = (state.sessions.sequence, &state.sessions.revocations);
        let live = rows
            .range(after.saturating_add(1)..)
            .filter(|(_, revocation)| revocation.expires_at > at)
            .take(limit as usize);
        let ends = [after, newest].into_iter().filter_map(|number| rows.get_key_value(&number));
        let found: BTreeMap<_, _> = live.chain(ends).collect();
        let row = |(sequence, revocation): (&i64, &Revocation)| {
            let (kind, subject) = revocation.subject.words();
            feed::Row {
                sequence: *sequence,
                kind: kind.to_owned(),
                subject: subject.to_owned(),
                revoked_at: revocation.revoked_at,
                expires_at: revocation.expires_at,
            }
        };
        let asked = feed::Asked { after, limit, at };
        Ok(asked.answer(newest, found.into_iter().map(row)))
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        let state = self.lock();
        if let Some(id) = &access.session
            && state.sessions.sessions.get(id).is_none_or(|row| {
                let is_foreign = access.user_id.as_ref().is_some_and(|user| *user != row.user_id);
                row.ended_at.is_some() || is_foreign
            })
        {
            return Ok(true);
        }
        let live = state.sessions.revocations.values().filter(|entry| entry.expires_at > at);
        Ok(live.into_iter().any(|entry| access.is_covered_by(&entry.subject, entry.revoked_at)))
    }

    async fn revocation_notice(&self) -> Result<(), StoreError> {
        std::future::pending().await
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

    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let leases = &mut state.sessions.leases;
        match leases.get(name) {
            Some((other, expires_at)) if other != holder && *expires_at > at => Ok(false),
            _ => {
                leases.insert(name.to_owned(), (holder.to_owned(), until));
                Ok(true)
            }
        }
    }
}
