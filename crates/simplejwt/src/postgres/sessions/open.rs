//! Opening a session.

use deadpool_postgres::{GenericClient, Object};

use super::end::{end, revoked};
use crate::clock::Timestamp;
use crate::event::{Cause, Recorded};
use crate::postgres::feed;
use crate::postgres::statements::{INSERT_SESSION, JOIN_SESSION, LOCK_USER, Sql, live_but_one};
use crate::postgres::tokens::{PgResult, moment};
use crate::store::OutstandingToken;
use crate::store::session::{EndReason, NewSession, OpenOutcome, OpenSession, SessionLimit};

impl Sql {
    pub(super) async fn open(
        &self,
        client: &mut Object,
        open: &OpenSession,
    ) -> PgResult<Recorded<OpenOutcome>> {
        let Some(limit) = open.limit else {
            self.insert_opened(&*client, open).await?;
            return Ok(open.recorded(OpenOutcome::Opened { evicted: 0 }));
        };
        let transaction = client.transaction().await?;
        let user_id = open.session.user_id.as_str();
        let lock = transaction.prepare_cached(LOCK_USER).await?;
        transaction.execute(&lock, &[&user_id]).await?;
        let statement = transaction.prepare_cached(&live_but_one()).await?;
        let live: Vec<String> = transaction
            .query(&statement, &[&user_id, &open.cause.at.as_micros(), &open.session.id])
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<PgResult<_>>()?;
        let (SessionLimit::EvictOldest(places) | SessionLimit::Refuse(places)) = limit;
        // One place is for the session that is opened.
        let surplus = (live.len() + 1).saturating_sub(places as usize);
        if surplus > 0 && matches!(limit, SessionLimit::Refuse(_)) {
            return Ok(open.recorded(OpenOutcome::TooMany));
        }
        let oldest = live.get(..surplus.min(live.len())).unwrap_or_default();
        let ended =
            end(self, &transaction, oldest, EndReason::Limit, open.cause.at, open.retain_until)
                .await?;
        let evicted = ended.len() as u64;
        self.insert_opened(&transaction, open).await?;
        feed::insert(&transaction, &revoked(ended, open.cause.at, open.retain_until)).await?;
        let recorded = open.recorded(OpenOutcome::Opened { evicted });
        transaction.commit().await?;
        Ok(recorded)
    }

    async fn insert_opened(&self, client: &impl GenericClient, open: &OpenSession) -> PgResult<()> {
        let (session, token) = (&open.session, &open.token);
        let statement = client.prepare_cached(&self.open).await?;
        client
            .execute(
                &statement,
                &[
                    &session.id,
                    &session.user_id.as_str(),
                    &open.cause.at.as_micros(),
                    &open.expires_at.as_micros(),
                    &session.password,
                    &open.cause.client.address,
                    &open.cause.client.user_agent,
                    &token.token,
                    &moment(token.created_at),
                    &moment(token.expires_at),
                    &self.user(token),
                    &token.jti,
                ],
            )
            .await?;
        Ok(())
    }

    pub(super) async fn join(
        &self,
        client: &impl GenericClient,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        cause: &Cause,
    ) -> PgResult<()> {
        self.record(client, token).await?;
        let statement = client.prepare_cached(JOIN_SESSION).await?;
        client
            .execute(
                &statement,
                &[
                    &token.jti,
                    &session,
                    &cause.at.as_micros(),
                    &expires_at.as_micros(),
                    &cause.client.address,
                ],
            )
            .await?;
        Ok(())
    }
}

pub(super) async fn insert_session(
    client: &impl GenericClient,
    session: &NewSession,
    cause: &Cause,
    kept_until: Timestamp,
) -> PgResult<()> {
    let statement = client.prepare_cached(INSERT_SESSION).await?;
    client
        .execute(
            &statement,
            &[
                &session.id,
                &session.user_id.as_str(),
                &cause.at.as_micros(),
                &kept_until.as_micros(),
                &session.password,
                &cause.client.address,
                &cause.client.user_agent,
            ],
        )
        .await?;
    Ok(())
}
