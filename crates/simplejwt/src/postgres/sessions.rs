//! Sessions in PostgreSQL.
//!
//! A rotation is part of a single statement if nothing about it is unusual (`rotations.rs`). It
//! needs no lock on the session: whoever ends one first sets `ended_at` and then blacklists its
//! tokens, looking again until none is left. An earlier rotation has its row in the blacklist,
//! which has to be waited for, and a successor, which the next look finds; a later one finds its
//! token blacklisted.

mod end;
mod open;
mod refresh;

use std::borrow::Cow;

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lookup::Lookup;
use super::rotations::Rotating;
use super::statements::{
    FLUSH_SESSIONS, FLUSH_TOKENS, HEAD_OF, IS_SPENT, REHASH, ping_sessions, show_live, show_one,
};
use super::tokens::PgResult;
use super::{PostgresDatabase, PostgresStore, late, run};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Cause, Recorded};
use crate::settings::Rows;
use crate::sql::lookup::nothing_of;
use crate::store::session::{
    Client, EndSessions, NextToken, OpenOutcome, OpenSession, PINGED, RefreshOutcome, Session,
    SessionHead, SessionRefresh, SessionSelector, SessionStore,
};
use crate::users::UserId;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn session_from_row(row: &Row) -> PgResult<Session> {
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

/// Returns the lookup of the sessions that tokens are in.
pub(super) fn heads(database: &PostgresDatabase) -> Lookup<SessionHead> {
    Lookup::new(database, "session_of", HEAD_OF, head)
}

/// Returns the lookup of tokens that are no longer valid.
pub(super) fn spent(database: &PostgresDatabase) -> Lookup<()> {
    Lookup::new(database, "is_spent", IS_SPENT, |_| Ok(()))
}

impl PostgresStore {
    /// Refreshes for a client whose description can be stored in the database.
    async fn refresh_fitted(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        let jti = &refresh.token.jti;
        let was_good =
            self.late.is_any() && (self.late.knows(jti) || !self.is_spent(jti, None).await?);
        if let NextToken::Rotated { token, access_jti } = &refresh.next {
            let rotating = Rotating::in_session(&self.sql, refresh, token, access_jti);
            let mut spent = self.rotations_in_sessions.run(rotating.clone()).await?;
            if spent.is_none() && !refresh.has_expired() {
                let opening = rotating.opening(&self.sql, refresh);
                spent = self.rotations_opening_sessions.run(opening).await?;
            }
            if let Some(spent) = spent {
                let session_id = spent.session_id.as_deref();
                return Ok(refresh.recorded(RefreshOutcome::Refreshed, session_id));
            }
        }
        late::refresh(self, refresh, was_good).await?.ok_or_else(|| {
            StoreError::unavailable("refresh", "other transactions came between, again and again")
        })
    }
}

/// Returns the same records with this cause.
fn told_with<T>(recorded: Recorded<T>, cause: &Cause) -> Recorded<T> {
    let events = recorded.events.into_iter().map(|record| cause.record(record.event)).collect();
    Recorded { events, ..recorded }
}

#[async_trait]
impl SessionStore for PostgresStore {
    fn rows(&self) -> Rows {
        Rows::Tokens
    }

    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
        let client = self.encoding.fitted(&open.cause.client);
        let fitted = match client {
            Cow::Borrowed(_) => Cow::Borrowed(open),
            Cow::Owned(client) => {
                let mut open = open.clone();
                open.cause.client = client;
                Cow::Owned(open)
            }
        };
        let opened = run!(self.database, "open", |client| self.sql.open(&mut client, &fitted))?;
        Ok(match fitted {
            Cow::Borrowed(_) => opened,
            // The record can contain what can't be stored.
            Cow::Owned(_) => told_with(opened, &open.cause),
        })
    }

    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        let fitted = match self.encoding.fitted(&refresh.cause.client) {
            Cow::Borrowed(_) => Cow::Borrowed(refresh),
            Cow::Owned(client) => {
                let mut fitted = refresh.clone();
                fitted.cause.client = client;
                Cow::Owned(fitted)
            }
        };
        let refreshed = self.refresh_fitted(&fitted).await?;
        Ok(match fitted {
            Cow::Borrowed(_) => refreshed,
            Cow::Owned(_) => told_with(refreshed, &refresh.cause),
        })
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        // A block of its own, which `?` leaves instead of this function.
        let found = async {
            run!(self.database, "session", |client| async {
                let statement = client.prepare_cached(&show_one()).await?;
                client
                    .query_opt(&statement, &[&id])
                    .await?
                    .as_ref()
                    .map(session_from_row)
                    .transpose()
            })
        };
        nothing_of(id, found.await)
    }

    async fn session_of(
        &self,
        jti: &str,
        _: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError> {
        self.heads.find(jti.to_owned()).await
    }

    async fn is_spent(&self, jti: &str, _: Option<&str>) -> Result<bool, StoreError> {
        Ok(self.spent.find(jti.to_owned()).await?.is_some())
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        let found = async {
            run!(self.database, "sessions", |client| async {
                let statement = client.prepare_cached(&show_live()).await?;
                let rows = client.query(&statement, &[&user_id.as_str(), &at.as_micros()]).await?;
                rows.iter().map(session_from_row).collect()
            })
        };
        nothing_of(user_id.as_str(), found.await)
    }

    async fn end_sessions(&self, ending: &EndSessions) -> Result<Recorded<u64>, StoreError> {
        let ended = async {
            let (user_id, except) = match &ending.which {
                SessionSelector::One { id, user_id } => {
                    return run!(self.database, "end_sessions", |client| {
                        end::end_named(&self.sql, &mut client, id, user_id.as_ref(), ending)
                    });
                }
                SessionSelector::All { user_id, except } => (user_id, except.as_deref()),
            };
            let mut before = 0;
            loop {
                let batch = run!(self.database, "end_sessions", |client| {
                    self.sql.end_batch(&mut client, user_id, except, ending, before)
                })?;
                match batch {
                    end::Batch::Last(ended) => return Ok(ended),
                    end::Batch::Full(ended) => before += ended,
                }
            }
        };
        let texts = match &ending.which {
            SessionSelector::One { id, user_id } => {
                [id.as_str(), user_id.as_ref().map_or("", UserId::as_str)]
            }
            SessionSelector::All { user_id, .. } => [user_id.as_str(), ""],
        };
        match ended.await {
            // There can be no such session, and no such user.
            Err(error) if texts.iter().any(|text| error.is_of(text)) => Ok(ending.recorded(0)),
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

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let (before, batch) = (before.as_micros(), i64::from(batch));
        let from = self.flushed_to.after(before);
        let (tokens, last): (i64, Option<i64>) =
            run!(self.database, "flush_sessions", |client| async {
                let statement = client.prepare_cached(FLUSH_TOKENS).await?;
                let row = client.query_one(&statement, &[&before, &batch, &from]).await?;
                Ok((row.try_get(0)?, row.try_get(1)?))
            })?;
        if let Some(last) = last {
            self.flushed_to.reached(before, last);
        }
        let mut flushed = tokens.unsigned_abs();
        if tokens >= batch {
            return Ok(flushed);
        }
        for sql in FLUSH_SESSIONS {
            flushed += run!(self.database, "flush_sessions", |client| async {
                let statement = client.prepare_cached(sql).await?;
                client.execute(&statement, &[&before, &batch]).await
            })?;
        }
        if flushed == 0 {
            self.flushed_to.forget();
        }
        Ok(flushed)
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        let (sql, at) = (ping_sessions(), at.as_micros());
        let values: [&(dyn ToSql + Sync); 4] = [&PINGED, &at.to_string(), &at, &0_i64];
        run!(self.database, "ping", |client| async {
            let statement = client.prepare_cached(&sql).await?;
            client.execute(&statement, &values).await.map(drop)
        })
    }
}

/// Ties sessions to another fingerprint of the same password.
pub(crate) async fn rehashed(
    client: &impl GenericClient,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> PgResult<()> {
    let statement = client.prepare_cached(REHASH).await?;
    client.execute(&statement, &[&user_id.as_str(), &old, &new]).await?;
    Ok(())
}
