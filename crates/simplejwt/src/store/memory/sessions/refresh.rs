//! Refreshing with a presented token.

use crate::event::Recorded;
use crate::store::Blacklisting;
use crate::store::memory::State;
use crate::store::session::verdict::{
    Descendant, Found, Lineage, Spent, TokenState, Verdict, verdict,
};
use crate::store::session::{NextToken, RefreshOutcome, SessionRefresh, Successor};

impl State {
    pub(super) fn refresh(&mut self, refresh: &SessionRefresh) -> Recorded<RefreshOutcome> {
        let (token, now) = (&refresh.token, refresh.cause.at);
        let mut has_just_joined = false;
        loop {
            let found = self.found(refresh, has_just_joined);
            match (verdict(refresh, &found), found) {
                (Verdict::Answer(outcome), found) => {
                    return refresh.recorded(outcome, found.session_id());
                }
                (Verdict::Join, _) if !has_just_joined => {
                    let new = &refresh.session;
                    self.insert_session(new, &refresh.cause, token.expires_at);
                    self.join(&new.id, token, token.expires_at, &refresh.cause);
                    has_just_joined = true;
                }
                (Verdict::Blacklist, found) => {
                    let (Blacklisting::Blacklisted | Blacklisting::AlreadyBlacklisted) =
                        self.blacklist(token, now);
                    return refresh.recorded(RefreshOutcome::Ended, found.session_id());
                }
                (Verdict::End(_, outcome), Found::InSession(state)) => {
                    self.end(&state.session_id, now, refresh.retain_until);
                    return refresh.recorded(outcome, Some(&state.session_id));
                }
                (Verdict::Refresh { .. }, Found::InSession(state)) => {
                    self.carry_on(refresh, &state.session_id);
                    let outcome = RefreshOutcome::Refreshed;
                    return refresh.recorded(outcome, Some(&state.session_id));
                }
                // Can't happen: a token in no session gets no other verdict, and joins it at once.
                _ => return refresh.recorded(RefreshOutcome::Ended, None),
            }
        }
    }

    /// Stores the successor of a valid token, or its time of use.
    fn carry_on(&mut self, refresh: &SessionRefresh, session_id: &str) {
        let (token, now) = (&refresh.token, refresh.cause.at);
        let client = &refresh.cause.client;
        self.entry(token);
        match &refresh.next {
            NextToken::None => {
                if let Some(row) = self.sessions.tokens.get_mut(&token.jti)
                    && row.used_at + SessionRefresh::USE_INTERVAL < now
                {
                    row.used_at = now;
                    row.address.clone_from(&client.address);
                }
            }
            NextToken::Added(next) => {
                self.join(session_id, next, next.expires_at, &refresh.cause);
            }
            NextToken::Rotated { token: next, access_jti } => {
                // It isn't spent: that was checked.
                let _ = self.blacklist(token, now);
                self.join(session_id, next, next.expires_at, &refresh.cause);
                if let Some(row) = self.sessions.tokens.get_mut(&next.jti) {
                    row.parent = Some(token.jti.clone());
                    row.access_jti = Some(access_jti.clone());
                }
            }
        }
    }

    fn found(&self, refresh: &SessionRefresh, has_just_joined: bool) -> Found {
        let jti = &refresh.token.jti;
        let is_registered = self.tokens.contains_key(jti);
        let sessions = &self.sessions.sessions;
        let joined =
            self.sessions.tokens.get(jti).and_then(|row| Some((row, sessions.get(&row.session)?)));
        let Some((token, session)) = joined else {
            let owner = sessions.get(&refresh.session.id).map(|row| row.user_id.clone());
            return Found::NoSession { owner, is_registered };
        };
        let spent = match (self.descendant(jti, refresh), self.tokens.get(jti)) {
            (Some(child), _) => {
                // A successor becomes visible at the moment of its date.
                let mut lineage = Lineage::new(refresh, child, false);
                while let Some(jti) = lineage.wanted() {
                    let next = self.descendant(jti, refresh);
                    lineage.follow(next);
                }
                Spent::Replaced(lineage)
            }
            (None, Some(entry)) if entry.blacklisted_at.is_some() => {
                Spent::Blacklisted(entry.blacklisted_at)
            }
            (None, _) => Spent::No,
        };
        Found::InSession(TokenState {
            session_id: token.session.clone(),
            has_ended: session.ended_at.is_some(),
            has_just_joined,
            opened_at: session.created_at,
            used_at: token.used_at,
            password: session.password.clone(),
            is_registered,
            spent,
        })
    }

    /// Returns the immediate successor of a token.
    fn descendant(&self, jti: &str, refresh: &SessionRefresh) -> Option<Descendant> {
        let (jti, row) = self.successor_of(jti)?;
        Some(Descendant {
            successor: Successor {
                jti: jti.clone(),
                access_jti: row.access_jti.clone().unwrap_or_default(),
                created_at: row.created_at,
                same_address: row.address == refresh.cause.client.address,
            },
            used_at: row.used_at,
            is_spent: self.successor_of(jti).is_some(),
            is_good: row.expires_at > refresh.cause.at && !self.is_blacklisted(jti),
        })
    }
}
