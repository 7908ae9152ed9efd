//! Taking a refresh token.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::{end, insert_session};
use crate::clock::Timestamp;
use crate::mysql::database::{Failure, begin, column, commit, rollback};
use crate::mysql::feed;
use crate::mysql::statements::Sql;
use crate::mysql::tokens::{blacklist_by_id, changed, exists};
use crate::store::OutstandingToken;
use crate::store::session::{
    Descendant, EndReason, NextToken, Refreshing, SessionRefresh, Successor,
};

const USED: &str = "\
    UPDATE simplejwt_session_token SET used_at = :at, address = :address \
    WHERE jti = :jti AND used_at < :before";
const OWNER: &str = "SELECT user_id FROM simplejwt_session WHERE id = :id";
// The session can't be ended beside what holds this.
const LOCK: &str = "\
    SELECT 1 FROM simplejwt_session WHERE id = :id AND ended_at IS NULL LOCK IN SHARE MODE";

/// Each statement.
pub(super) const STATEMENTS: [&str; 3] = [USED, OWNER, LOCK];

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

impl Sql {
    async fn state(&self, conn: &mut Conn, jti: &str) -> Result<Option<State>, Failure> {
        let row: Option<Row> = conn.exec_first(&self.state, params! { "jti" => jti }).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(State {
            session: column(&row, 0)?,
            ended: column::<Option<i64>>(&row, 1)?.is_some(),
            created_at: Timestamp::from_micros(column(&row, 2)?),
            used_at: Timestamp::from_micros(column(&row, 3)?),
            password: column(&row, 4)?,
            is_registered: column(&row, 5)?,
            blacklisted_at: column::<Option<i64>>(&row, 6)?.map(Timestamp::from_micros),
            has_successor: column(&row, 7)?,
        }))
    }

    /// `was_good` where the token is known not to have been spent before this began.
    pub(in crate::mysql) async fn refresh(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        was_good: bool,
    ) -> Result<Refreshing, Failure> {
        begin(conn).await?;
        if let NextToken::Rotated { token, access_jti } = &refresh.next
            && self.rotate_in_session(conn, refresh, token, access_jti).await?
        {
            commit(conn).await?;
            return Ok(Refreshing::Refreshed);
        }
        let outcome = self.refresh_slowly(conn, refresh, was_good).await?;
        commit(conn).await?;
        Ok(outcome)
    }

    /// Whatever the usual case isn't: reads why, and acts.
    async fn refresh_slowly(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        was_good: bool,
    ) -> Result<Refreshing, Failure> {
        let (token, now) = (&refresh.token, refresh.at);
        let client = &refresh.session.client;
        let state = match self.state(conn, &token.jti).await? {
            Some(state) => state,
            None => {
                let new = &refresh.session;
                let owner: Option<Row> =
                    conn.exec_first(OWNER, params! { "id" => &new.id }).await?;
                let owner: Option<String> = owner.map(|row| column(&row, 0)).transpose()?;
                if owner.is_some_and(|owner| owner != new.user_id.as_str()) {
                    return Ok(Refreshing::Foreign);
                }
                if token.expires_at <= now
                    && !exists(conn, &self.is_registered, params! { "jti" => &token.jti }).await?
                {
                    return Ok(Refreshing::Forgotten);
                }
                // This locks the session, and so its end comes before or after.
                insert_session(conn, new, now, token.expires_at).await?;
                self.join(conn, &new.id, token, token.expires_at, client, now).await?;
                let state = self.state(conn, &token.jti).await?.ok_or(Failure::Again)?;
                if state.ended {
                    // It has only just joined.
                    self.blacklist(conn, token, now).await?;
                }
                state
            }
        };
        if state.ended {
            return Ok(Refreshing::Ended);
        }
        if state.has_successor || state.blacklisted_at.is_some() {
            return self.spent(conn, refresh, state, was_good).await;
        }
        if refresh.is_over(state.created_at, state.used_at) {
            let ended = self.end_one(conn, refresh, state.session, EndReason::Expired).await?;
            return Ok(if ended { Refreshing::Expired } else { Refreshing::Ended });
        }
        if refresh.has_other_password(state.password.as_deref()) {
            return Ok(Refreshing::PasswordChanged);
        }
        if !state.is_registered {
            if token.expires_at <= now {
                return Ok(Refreshing::Forgotten);
            }
            // Whoever ends the session has to find the token registered.
            if !exists(conn, LOCK, params! { "id" => &state.session }).await? {
                return Ok(Refreshing::Ended);
            }
            self.register(conn, token).await?;
        }
        match &refresh.next {
            NextToken::None => {
                let values = params! {
                    "jti" => &token.jti,
                    "at" => now.as_micros(),
                    "address" => &client.address,
                    "before" => (now - SessionRefresh::USE_INTERVAL).as_micros(),
                };
                changed(conn, USED, values).await?;
            }
            NextToken::Added(next) => {
                if !exists(conn, LOCK, params! { "id" => &state.session }).await? {
                    return Ok(Refreshing::Ended);
                }
                self.join(conn, &state.session, next, next.expires_at, client, now).await?;
            }
            NextToken::Rotated { token: next, access_jti } => {
                // It has only just joined its session or was registered anew, or what was in
                // the way is gone.
                if !self.rotate_in_session(conn, refresh, next, access_jti).await? {
                    return Err(Failure::Again);
                }
            }
        }
        Ok(Refreshing::Refreshed)
    }

    /// The usual case, three inserts; whether this was it. Otherwise the transaction is as good as
    /// new.
    async fn rotate_in_session(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        next: &OutstandingToken,
        access_jti: &str,
    ) -> Result<bool, Failure> {
        let now = refresh.at;
        let since =
            |limit: Option<Duration>| limit.map_or(i64::MIN, |limit| (now - limit).as_micros());
        let values = params! {
            "next" => &next.jti,
            "jti" => &refresh.token.jti,
            "access" => access_jti,
            "at" => now.as_micros(),
            "expires_at" => next.expires_at.as_micros(),
            "address" => &refresh.session.client.address,
            "opened_after" => since(refresh.lifetime),
            "used_after" => since(refresh.idle),
            "password" => &refresh.session.password,
        };
        if changed(conn, &self.succeed, values).await? == 0 {
            return Ok(false);
        }
        let id = conn.last_insert_id().ok_or(Failure::Shape)?;
        // Whoever ends the session may have been quicker than this.
        if !blacklist_by_id(conn, id, now).await? {
            rollback(conn).await?;
            begin(conn).await?;
            return Ok(false);
        }
        self.succeed(conn, next).await?;
        Ok(true)
    }

    /// What a spent token of a session that hasn't ended comes to.
    async fn spent(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        state: State,
        was_good: bool,
    ) -> Result<Refreshing, Failure> {
        let (reason, outcome) = match self.descendant(conn, &refresh.token.jti, refresh).await? {
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
                    true => {
                        let newest = self.newest(conn, child, refresh).await?;
                        newest.answer(refresh, state.created_at, state.password.as_deref())
                    }
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
        // Somebody else may have been quicker.
        let ended = self.end_one(conn, refresh, state.session, reason).await?;
        Ok(if ended { outcome } else { Refreshing::Ended })
    }

    /// The immediate successor of a token.
    async fn descendant(
        &self,
        conn: &mut Conn,
        jti: &str,
        refresh: &SessionRefresh,
    ) -> Result<Option<Descendant>, Failure> {
        let values = params! { "jti" => jti, "at" => refresh.at.as_micros() };
        let row: Option<Row> = conn.exec_first(&self.successor, values).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Descendant {
            successor: Successor {
                jti: column(&row, 0)?,
                access_jti: column::<Option<String>>(&row, 1)?.unwrap_or_default(),
                created_at: Timestamp::from_micros(column(&row, 2)?),
                same_address: column::<Option<String>>(&row, 3)? == refresh.session.client.address,
            },
            used_at: Timestamp::from_micros(column(&row, 4)?),
            is_spent: column(&row, 5)?,
            is_good: column(&row, 6)?,
        }))
    }

    /// The newest token that comes of a spent one, whose successor is `child`.
    async fn newest(
        &self,
        conn: &mut Conn,
        child: Descendant,
        refresh: &SessionRefresh,
    ) -> Result<Descendant, Failure> {
        let mut newest = child;
        for _ in 1..Descendant::FARTHEST {
            if !newest.is_spent {
                break;
            }
            match self.descendant(conn, &newest.successor.jti, refresh).await? {
                Some(next) => newest = next,
                None => break,
            }
        }
        Ok(newest)
    }

    /// Whether it hadn't ended before.
    async fn end_one(
        &self,
        conn: &mut Conn,
        refresh: &SessionRefresh,
        session: String,
        reason: EndReason,
    ) -> Result<bool, Failure> {
        let ids = [session];
        let revoked = end::end(self, conn, &ids, reason, refresh.at, refresh.horizon).await?;
        feed::insert(conn, &revoked).await?;
        Ok(!revoked.is_empty())
    }
}
