//! Opening a session.

use rusqlite::{Connection, params};

use super::end::end;
use crate::clock::Timestamp;
use crate::event::{Cause, Recorded};
use crate::sqlite::statements::{INSERT_SESSION, JOIN_SESSION, Sql, live_by_age};
use crate::store::OutstandingToken;
use crate::store::session::{EndReason, NewSession, OpenOutcome, OpenSession, SessionLimit};
use crate::users::UserId;

impl Sql {
    pub(super) fn open(
        &self,
        connection: &Connection,
        open: &OpenSession,
    ) -> rusqlite::Result<Recorded<OpenOutcome>> {
        let mut evicted = 0;
        if let Some(limit) = open.limit {
            let live = live(connection, &open.session.user_id, open.cause.at)?;
            let (SessionLimit::EvictOldest(places) | SessionLimit::Refuse(places)) = limit;
            // One place is for the session that is opened.
            let surplus = (live.len() + 1).saturating_sub(places as usize);
            if surplus > 0 && matches!(limit, SessionLimit::Refuse(_)) {
                return Ok(open.recorded(OpenOutcome::TooMany));
            }
            for id in live.iter().take(surplus) {
                let ended =
                    end(connection, id, EndReason::Limit, open.cause.at, open.retain_until)?;
                evicted += u64::from(ended);
            }
        }
        let session = &open.session;
        insert_session(connection, session, &open.cause, open.expires_at)?;
        self.join(connection, &session.id, &open.token, open.expires_at, &open.cause)?;
        Ok(open.recorded(OpenOutcome::Opened { evicted }))
    }

    pub(super) fn join(
        &self,
        connection: &Connection,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        cause: &Cause,
    ) -> rusqlite::Result<()> {
        self.record(connection, token)?;
        connection.prepare_cached(JOIN_SESSION)?.execute(params![
            token.jti,
            session,
            cause.at.as_micros(),
            expires_at.as_micros(),
            cause.client.address,
        ])?;
        Ok(())
    }
}

pub(super) fn insert_session(
    connection: &Connection,
    session: &NewSession,
    cause: &Cause,
    kept_until: Timestamp,
) -> rusqlite::Result<()> {
    connection.prepare_cached(INSERT_SESSION)?.execute(params![
        session.id,
        session.user_id.as_str(),
        cause.at.as_micros(),
        kept_until.as_micros(),
        session.password,
        cause.client.address,
        cause.client.user_agent,
    ])?;
    Ok(())
}

/// Returns a user's live sessions in the order in which they were opened.
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
