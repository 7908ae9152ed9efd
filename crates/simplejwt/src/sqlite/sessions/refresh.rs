//! Refreshing a token: reads what [`verdict`] needs, and carries out its decision.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::at;
use super::end::{end, owner};
use super::open::insert_session;
use crate::event::Recorded;
use crate::sqlite::datetime;
use crate::sqlite::statements::{
    IS_REGISTERED, NOTE_USE, ROTATABLE, SPEND, STATE, SUCCEED, SUCCESSOR, Sql,
};
use crate::store::OutstandingToken;
use crate::store::session::verdict::{
    Descendant, Found, Lineage, Spent, TokenState, Verdict, verdict,
};
use crate::store::session::{NextToken, RefreshOutcome, SessionRefresh, Successor};

impl Sql {
    pub(super) fn refresh(
        &self,
        connection: &Connection,
        refresh: &SessionRefresh,
    ) -> rusqlite::Result<Recorded<RefreshOutcome>> {
        if let NextToken::Rotated { token, access_jti } = &refresh.next
            && let Some(id) = self.rotate_in_session(connection, refresh, token, access_jti)?
        {
            return Ok(refresh.recorded(RefreshOutcome::Refreshed, Some(&id)));
        }
        let (token, now) = (&refresh.token, refresh.cause.at);
        let mut found = look_up(connection, refresh)?;
        if verdict(refresh, &found) == Verdict::Join {
            let new = &refresh.session;
            insert_session(connection, new, &refresh.cause, token.expires_at)?;
            self.join(connection, &new.id, token, token.expires_at, &refresh.cause)?;
            found = look_up(connection, refresh)?.just_joined();
        }
        match (verdict(refresh, &found), found) {
            (Verdict::Answer(outcome), found) => Ok(refresh.recorded(outcome, found.session_id())),
            (Verdict::Blacklist, found) => {
                self.blacklist(connection, token, now)?;
                Ok(refresh.recorded(RefreshOutcome::Ended, found.session_id()))
            }
            (Verdict::End(reason, outcome), Found::InSession(state)) => {
                let until = refresh.retain_until;
                let ended = end(connection, &state.session_id, reason, now, until)?;
                let outcome = if ended { outcome } else { RefreshOutcome::Ended };
                Ok(refresh.recorded(outcome, Some(&state.session_id)))
            }
            (Verdict::Refresh { register }, Found::InSession(state)) => {
                if register {
                    self.record(connection, token)?;
                }
                self.carry_on(connection, refresh, &state.session_id)?;
                Ok(refresh.recorded(RefreshOutcome::Refreshed, Some(&state.session_id)))
            }
            // It has joined a session above.
            _ => Err(rusqlite::Error::QueryReturnedNoRows),
        }
    }

    /// Stores what follows a valid token.
    fn carry_on(
        &self,
        connection: &Connection,
        refresh: &SessionRefresh,
        session_id: &str,
    ) -> rusqlite::Result<()> {
        let (token, now) = (&refresh.token, refresh.cause.at);
        match &refresh.next {
            NextToken::None => {
                connection.prepare_cached(NOTE_USE)?.execute(params![
                    token.jti,
                    now.as_micros(),
                    refresh.cause.client.address,
                    (now - SessionRefresh::USE_INTERVAL).as_micros(),
                ])?;
                Ok(())
            }
            NextToken::Added(next) => {
                self.join(connection, session_id, next, next.expires_at, &refresh.cause)
            }
            NextToken::Rotated { token: next, access_jti } => {
                // It has only just joined its session, or was registered again.
                match self.rotate_in_session(connection, refresh, next, access_jti)? {
                    Some(_) => Ok(()),
                    None => Err(rusqlite::Error::StatementChangedRows(0)),
                }
            }
        }
    }

    /// The usual case: a look, and three rows. Returns the session's id; `None` in any other case.
    fn rotate_in_session(
        &self,
        connection: &Connection,
        refresh: &SessionRefresh,
        next: &OutstandingToken,
        access_jti: &str,
    ) -> rusqlite::Result<Option<String>> {
        let now = refresh.cause.at;
        let since = |limit: Option<std::time::Duration>| {
            limit.map_or(i64::MIN, |limit| (now - limit).as_micros())
        };
        let found = connection
            .prepare_cached(ROTATABLE)?
            .query_row(
                params![
                    refresh.token.jti,
                    since(refresh.lifetime),
                    since(refresh.idle),
                    refresh.session.password,
                ],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
            )
            .optional()?;
        let Some((token_id, session_id)) = found else { return Ok(None) };
        let spent = connection.prepare_cached(SPEND)?.execute((datetime::text(now), token_id))?;
        if spent == 0 {
            return Ok(None);
        }
        self.record_new(connection, next)?;
        connection.prepare_cached(SUCCEED)?.execute(params![
            next.jti,
            session_id,
            refresh.token.jti,
            access_jti,
            now.as_micros(),
            next.expires_at.as_micros(),
            refresh.cause.client.address,
        ])?;
        Ok(Some(session_id))
    }
}

/// Looks up the state of the presented token.
fn look_up(connection: &Connection, refresh: &SessionRefresh) -> rusqlite::Result<Found> {
    let jti = &refresh.token.jti;
    let read = |row: &Row<'_>| {
        // In Django's format.
        let blacklisted_at: Option<String> = row.get(6)?;
        let has_successor: bool = row.get(7)?;
        let spent = match blacklisted_at.is_some() || has_successor {
            true => Spent::Blacklisted(blacklisted_at.as_deref().and_then(datetime::moment)),
            false => Spent::No,
        };
        Ok(TokenState {
            session_id: row.get(0)?,
            has_ended: row.get::<_, Option<i64>>(1)?.is_some(),
            has_just_joined: false,
            opened_at: at(row.get(2)?),
            used_at: at(row.get(3)?),
            password: row.get(4)?,
            is_registered: row.get(5)?,
            spent,
        })
    };
    let state = connection.prepare_cached(STATE)?.query_row([jti], read).optional()?;
    let Some(mut state) = state else {
        let owner = owner(connection, &refresh.session.id)?.map(Into::into);
        let is_registered = !refresh.has_expired() || is_registered(connection, jti)?;
        return Ok(Found::NoSession { owner, is_registered });
    };
    if state.is_spent()
        && let Some(child) = descendant(connection, jti, refresh)?
    {
        // Each is visible as soon as it is dated.
        let mut lineage = Lineage::new(refresh, child, false);
        while let Some(jti) = lineage.wanted() {
            let next = descendant(connection, jti, refresh)?;
            lineage.follow(next);
        }
        state.spent = Spent::Replaced(lineage);
    }
    Ok(Found::InSession(state))
}

/// Returns the immediate successor of a token.
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
                same_address: row.get::<_, Option<String>>(3)? == refresh.cause.client.address,
            },
            used_at: at(row.get(4)?),
            is_spent: row.get(5)?,
            is_good: row.get(6)?,
        })
    };
    let values = params![jti, refresh.cause.at.as_micros()];
    connection.prepare_cached(SUCCESSOR)?.query_row(values, read).optional()
}

fn is_registered(connection: &Connection, jti: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached(IS_REGISTERED)?.exists([jti])
}
