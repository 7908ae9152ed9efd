//! Ending sessions.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::sqlite::statements::{BLACKLIST_SESSION, END_SESSION, OWNER, Sql, UNENDED};
use crate::sqlite::{datetime, feed};
use crate::store::session::{
    EndReason, EndSessions, RetainUntil, Revocation, RevocationSubject, SessionSelector,
};
use crate::users::UserId;

/// The largest number of sessions that one transaction ends.
const BATCH: u32 = 1000;

/// Ends a session; returns `true` if it hadn't ended before.
pub(super) fn end(
    connection: &Connection,
    id: &str,
    reason: EndReason,
    now: Timestamp,
    retain_until: RetainUntil,
) -> rusqlite::Result<bool> {
    let ended = connection.prepare_cached(END_SESSION)?.execute(params![
        id,
        now.as_micros(),
        reason.as_str(),
        retain_until.refresh.as_micros(),
    ])?;
    if ended == 0 {
        return Ok(false);
    }
    let blacklisted_at = datetime::text(now);
    connection.prepare_cached(BLACKLIST_SESSION)?.execute(params![blacklisted_at, id])?;
    feed::insert(
        connection,
        &Revocation {
            subject: RevocationSubject::Session(id.to_owned()),
            revoked_at: now,
            expires_at: retain_until.access,
        },
    )?;
    Ok(true)
}

/// The outcome of one transaction.
pub(super) enum Batch {
    /// It ended this many, and there may be more.
    Full(u64),
    /// There are no more; all transactions together ended this many.
    Last(Recorded<u64>),
}

impl Sql {
    /// Runs one transaction of [`EndSessions`]; those before it ended `before` sessions.
    pub(super) fn end_batch(
        &self,
        connection: &Connection,
        ending: &EndSessions,
        before: u64,
    ) -> rusqlite::Result<Batch> {
        let ended = match &ending.which {
            SessionSelector::One { id, user_id } => {
                let theirs = owner(connection, id)?.is_some_and(|owner| {
                    user_id.as_ref().is_none_or(|user_id| user_id.as_str() == owner)
                });
                let (now, until) = (ending.cause.at, ending.retain_until);
                u64::from(theirs && end(connection, id, ending.reason, now, until)?)
            }
            SessionSelector::All { user_id, except } => {
                self.end_all(connection, user_id, except.as_deref(), ending)?
            }
        };
        Ok(match ended < u64::from(BATCH) {
            true => Batch::Last(ending.recorded(before + ended)),
            false => Batch::Full(ended),
        })
    }

    fn end_all(
        &self,
        connection: &Connection,
        user_id: &UserId,
        except: Option<&str>,
        ending: &EndSessions,
    ) -> rusqlite::Result<u64> {
        let mut statement = connection.prepare_cached(UNENDED)?;
        let ids = statement
            .query_map(params![user_id.as_str(), except, BATCH], |row| row.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for id in &ids {
            end(connection, id, ending.reason, ending.cause.at, ending.retain_until)?;
        }
        if ids.len() < BATCH as usize {
            // The last batch also blacklists the tokens that are in no session.
            if let Some(key) = self.user_id.parse(user_id) {
                connection.prepare_cached(&self.blacklist_others)?.execute(params![
                    datetime::text(ending.cause.at),
                    key,
                    except
                ])?;
            }
            feed::insert(
                connection,
                &Revocation {
                    subject: RevocationSubject::User(user_id.clone()),
                    revoked_at: ending.cause.at,
                    expires_at: ending.retain_until.refresh,
                },
            )?;
        }
        Ok(ids.len() as u64)
    }
}

/// Returns the user of a session.
pub(super) fn owner(connection: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    connection.prepare_cached(OWNER)?.query_row([id], |row| row.get(0)).optional()
}
