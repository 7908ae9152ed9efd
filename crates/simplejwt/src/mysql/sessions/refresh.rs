//! Refreshing a token: reads what [`verdict`] needs, and carries out its decision.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::end;
use super::open::insert_session;
use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::mysql::database::{Failure, begin, column, commit, rollback};
use crate::mysql::database::{changed, exists};
use crate::mysql::feed;
use crate::mysql::statements::{self, HOLD, NOTE_USE, OWNER, SESSION_OF, Sql};
use crate::mysql::tokens::blacklist_by_id;
use crate::store::OutstandingToken;
use crate::store::session::verdict::{
    Descendant, Found, Lineage, Spent, TokenState, Verdict, verdict,
};
use crate::store::session::{EndReason, NextToken, RefreshOutcome, SessionRefresh, Successor};

impl Sql {
    /// `was_good` is `true` if the token is known not to have been spent before this began.
    pub(in crate::mysql) async fn refresh(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        was_good: bool,
    ) -> Result<Recorded<RefreshOutcome>, Failure> {
        begin(conn).await?;
        if let NextToken::Rotated { token, access_jti } = &refresh.next
            && let Some(id) = self.rotate_in_session(conn, refresh, token, access_jti).await?
        {
            let recorded = refresh.recorded(RefreshOutcome::Refreshed, Some(&id));
            commit(conn).await?;
            return Ok(recorded);
        }
        let recorded = self.refresh_slowly(conn, refresh, was_good).await?;
        commit(conn).await?;
        Ok(recorded)
    }

    /// Any case but the usual one.
    async fn refresh_slowly(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        was_good: bool,
    ) -> Result<Recorded<RefreshOutcome>, Failure> {
        let (token, now) = (&refresh.token, refresh.cause.at);
        let mut found = self.look_up(conn, refresh, was_good).await?;
        if verdict(refresh, &found) == Verdict::Join {
            let new = &refresh.session;
            // This locks the session, so its end comes before or after.
            insert_session(conn, new, &refresh.cause, token.expires_at).await?;
            self.join(conn, &new.id, token, token.expires_at, &refresh.cause).await?;
            found = self.look_up(conn, refresh, was_good).await?.just_joined();
        }
        match (verdict(refresh, &found), found) {
            (Verdict::Answer(outcome), found) => Ok(refresh.recorded(outcome, found.session_id())),
            (Verdict::Blacklist, found) => {
                self.blacklist(conn, token, now).await?;
                Ok(refresh.recorded(RefreshOutcome::Ended, found.session_id()))
            }
            (Verdict::End(reason, outcome), Found::InSession(state)) => {
                // Another transaction may have been quicker.
                let id = state.session_id;
                let ended = self.end_one(conn, refresh, id.clone(), reason).await?;
                let outcome = if ended { outcome } else { RefreshOutcome::Ended };
                Ok(refresh.recorded(outcome, Some(&id)))
            }
            (Verdict::Refresh { register }, Found::InSession(state)) => {
                let outcome = self.carry_on(conn, refresh, &state.session_id, register).await?;
                Ok(refresh.recorded(outcome, Some(&state.session_id)))
            }
            // The session that it has joined has gone again.
            _ => Err(Failure::Again),
        }
    }

    /// Stores what follows a valid token.
    async fn carry_on(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        session_id: &str,
        register: bool,
    ) -> Result<RefreshOutcome, Failure> {
        let (token, now) = (&refresh.token, refresh.cause.at);
        // Whoever ends the session has to find its tokens registered.
        let has_to_hold = register || matches!(refresh.next, NextToken::Added(_));
        if has_to_hold && !exists(conn, HOLD, params! { "id" => session_id }).await? {
            return Ok(RefreshOutcome::Ended);
        }
        if register {
            self.register(conn, token).await?;
        }
        match &refresh.next {
            NextToken::None => {
                let values = params! {
                    "jti" => &token.jti,
                    "at" => now.as_micros(),
                    "address" => &refresh.cause.client.address,
                    "before" => (now - SessionRefresh::USE_INTERVAL).as_micros(),
                };
                changed(conn, NOTE_USE, values).await?;
            }
            NextToken::Added(next) => {
                self.join(conn, session_id, next, next.expires_at, &refresh.cause).await?;
            }
            NextToken::Rotated { token: next, access_jti } => {
                // It has only just joined its session or was registered again, or the obstacle is
                // gone.
                let session = self.rotate_in_session(conn, refresh, next, access_jti).await?;
                if session.is_none() {
                    return Err(Failure::Again);
                }
            }
        }
        Ok(RefreshOutcome::Refreshed)
    }

    /// The usual case, in three inserts. Returns the session's id; `None` in any other case, with a
    /// transaction that has done nothing.
    async fn rotate_in_session(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        next: &OutstandingToken,
        access_jti: &str,
    ) -> Result<Option<String>, Failure> {
        let now = refresh.cause.at;
        let since =
            |limit: Option<Duration>| limit.map_or(i64::MIN, |limit| (now - limit).as_micros());
        let values = params! {
            "next" => &next.jti,
            "jti" => &refresh.token.jti,
            "session" => &refresh.session.id,
            "access" => access_jti,
            "at" => now.as_micros(),
            "expires_at" => next.expires_at.as_micros(),
            "address" => &refresh.cause.client.address,
            "opened_after" => since(refresh.lifetime),
            "used_after" => since(refresh.idle),
            "password" => &refresh.session.password,
        };
        if changed(conn, &self.succeed, values).await? == 0 {
            return Ok(None);
        }
        let (id, is_named) = statements::found(conn.last_insert_id().ok_or(Failure::Shape)?);
        // Whoever ends the session may have been quicker.
        if !blacklist_by_id(conn, id, now).await? {
            rollback(conn).await?;
            begin(conn).await?;
            return Ok(None);
        }
        self.succeed(conn, next).await?;
        match is_named {
            true => Ok(Some(refresh.session.id.clone())),
            false => {
                let values = params! { "jti" => &next.jti };
                let row: Option<Row> = conn.exec_first(SESSION_OF, values).await?;
                row.map(|row| column(&row, 0)).transpose()
            }
        }
    }

    /// Looks up the state of the presented token.
    async fn look_up(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        was_good: bool,
    ) -> Result<Found, Failure> {
        let jti = &refresh.token.jti;
        let row: Option<Row> = conn.exec_first(&self.state, params! { "jti" => jti }).await?;
        let Some(row) = row else {
            let id = &refresh.session.id;
            let owner: Option<Row> = conn.exec_first(OWNER, params! { "id" => id }).await?;
            let owner: Option<String> = owner.map(|row| column(&row, 0)).transpose()?;
            let is_registered = !refresh.has_expired()
                || exists(conn, &self.is_registered, params! { "jti" => jti }).await?;
            return Ok(Found::NoSession { owner: owner.map(Into::into), is_registered });
        };
        let since = column::<Option<i64>>(&row, 6)?.map(Timestamp::from_micros);
        let has_successor: bool = column(&row, 7)?;
        let mut state = TokenState {
            session_id: column(&row, 0)?,
            has_ended: column::<Option<i64>>(&row, 1)?.is_some(),
            has_just_joined: false,
            opened_at: Timestamp::from_micros(column(&row, 2)?),
            used_at: Timestamp::from_micros(column(&row, 3)?),
            password: column(&row, 4)?,
            is_registered: column(&row, 5)?,
            spent: match since.is_some() || has_successor {
                true => Spent::Blacklisted(since),
                false => Spent::No,
            },
        };
        if state.is_spent()
            && let Some(child) = self.descendant(conn, jti, refresh).await?
        {
            let mut lineage = Lineage::new(refresh, child, was_good);
            while let Some(jti) = lineage.wanted() {
                let next = self.descendant(conn, jti, refresh).await?;
                lineage.follow(next);
            }
            state.spent = Spent::Replaced(lineage);
        }
        Ok(Found::InSession(state))
    }

    /// Returns the immediate successor of a token.
    async fn descendant(
        &self,
        conn: &mut Conn,
        jti: &str,
        refresh: &SessionRefresh,
    ) -> Result<Option<Descendant>, Failure> {
        let values = params! { "jti" => jti, "at" => refresh.cause.at.as_micros() };
        let row: Option<Row> = conn.exec_first(&self.successor, values).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Descendant {
            successor: Successor {
                jti: column(&row, 0)?,
                access_jti: column::<Option<String>>(&row, 1)?.unwrap_or_default(),
                created_at: Timestamp::from_micros(column(&row, 2)?),
                same_address: column::<Option<String>>(&row, 3)? == refresh.cause.client.address,
            },
            used_at: Timestamp::from_micros(column(&row, 4)?),
            is_spent: column(&row, 5)?,
            is_good: column(&row, 6)?,
        }))
    }

    /// Ends a session; returns `true` if it hadn't ended before.
    async fn end_one(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        session: String,
        reason: EndReason,
    ) -> Result<bool, Failure> {
        let ids = [session];
        let revoked =
            end::end(self, conn, &ids, reason, refresh.cause.at, refresh.retain_until).await?;
        feed::insert(conn, &revoked).await?;
        Ok(!revoked.is_empty())
    }
}
