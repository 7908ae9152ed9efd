//! Revocations, numbered by a counter whose row is locked until the transaction ends: whoever reads
//! a number has seen all smaller ones. NOTIFY announces them, too. And the leases.

use std::sync::LazyLock;

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::Client;

use super::servers::TIMELINE;
use super::statements::LEASE;
use super::tokens::PgResult;
use super::{PostgresDatabase, PostgresStore, run};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::event::{Act, Recorded};
use crate::store::feed::{
    self, AccessClaims, Revocation, RevocationFeed, RevocationSubject, Revocations,
};
use crate::store::leases::Leases;
use crate::users::UserId;

const NUMBERS: &str = "\
    UPDATE simplejwt_sequence SET value = value + $1 WHERE name = 'revocation' RETURNING value";
const INSERT: &str = "\
    INSERT INTO simplejwt_revocation (sequence, kind, subject, revoked_at, expires_at) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])";
const TELL: &str = "SELECT pg_notify('simplejwt_revocation', '')";
/// A single statement, so that the counter and the rows are from the same moment.
const AFTER: &str = "\
    SELECT q.value, r.sequence, r.kind, r.subject, r.revoked_at, r.expires_at, {timeline} \
    FROM simplejwt_sequence AS q LEFT JOIN (\
    (SELECT sequence, kind, subject, revoked_at, expires_at FROM simplejwt_revocation \
    WHERE sequence > $1 AND expires_at > $2 ORDER BY sequence LIMIT $3) \
    UNION SELECT sequence, kind, subject, revoked_at, expires_at FROM simplejwt_revocation \
    WHERE sequence IN ($1, (SELECT value FROM simplejwt_sequence WHERE name = 'revocation'))) \
    AS r ON true WHERE q.name = 'revocation' ORDER BY r.sequence";
/// Selects the timeline, too, if the server reports it.
static AFTER_ON_A_TIMELINE: LazyLock<String> =
    LazyLock::new(|| AFTER.replace("{timeline}", TIMELINE));
static AFTER_ALONE: LazyLock<String> = LazyLock::new(|| AFTER.replace("{timeline}", "NULL::text"));
/// Selects `true` if the session has ended, or is another user's.
const ENDED: &str = "\
    SELECT ended_at IS NOT NULL OR user_id <> coalesce($2, user_id) FROM simplejwt_session \
    WHERE id = $1";
const ABOUT: &str = "\
    SELECT kind, subject, revoked_at FROM simplejwt_revocation WHERE expires_at > $1 \
    AND ((kind = 'token' AND subject = $2) OR (kind = 'user' AND subject = $3))";

/// All statements, except for the one with the timeline, which is used only if the server reports
/// it.
pub(super) fn statements() -> [&'static str; 6] {
    [NUMBERS, INSERT, TELL, AFTER_ALONE.as_str(), ENDED, ABOUT]
}

/// Has to be the last step of a transaction: others wait for the counter.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    revocations: &[Revocation],
) -> PgResult<()> {
    let Ok(count @ 1..) = i64::try_from(revocations.len()) else { return Ok(()) };
    let statement = transaction.prepare_cached(NUMBERS).await?;
    let last: i64 = transaction.query_one(&statement, &[&count]).await?.try_get(0)?;
    let sequences: Vec<i64> = (last - count + 1..=last).collect();
    let (kinds, subjects): (Vec<_>, Vec<_>) =
        revocations.iter().map(|revocation| revocation.subject.words()).unzip();
    let revoked_at: Vec<_> = revocations.iter().map(|r| r.revoked_at.as_micros()).collect();
    let expires_at: Vec<_> = revocations.iter().map(|r| r.expires_at.as_micros()).collect();
    let statement = transaction.prepare_cached(INSERT).await?;
    transaction
        .execute(&statement, &[&sequences, &kinds, &subjects, &revoked_at, &expires_at])
        .await?;
    let statement = transaction.prepare_cached(TELL).await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

async fn page(
    client: &impl GenericClient,
    tells_timeline: bool,
    after: i64,
    limit: u32,
    at: Timestamp,
) -> PgResult<Revocations> {
    let sql = if tells_timeline { &AFTER_ON_A_TIMELINE } else { &AFTER_ALONE };
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&after, &at.as_micros(), &i64::from(limit)]).await?;
    let (mut newest, mut timeline) = (after, None);
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        (newest, timeline) = (row.try_get(0)?, row.try_get(6)?);
        let Some(sequence) = row.try_get::<_, Option<i64>>(1)? else { continue };
        found.push(feed::Row {
            sequence,
            kind: row.try_get(2)?,
            subject: row.try_get(3)?,
            revoked_at: Timestamp::from_micros(row.try_get(4)?),
            expires_at: Timestamp::from_micros(row.try_get(5)?),
        });
    }
    let answer = feed::Asked { after, limit, at }.answer(newest, found);
    Ok(Revocations { timeline, ..answer })
}

async fn revoked(
    client: &impl GenericClient,
    access: &AccessClaims,
    at: Timestamp,
) -> PgResult<bool> {
    let user_id = access.user_id.as_ref().map(UserId::as_str);
    if let Some(id) = &access.session {
        let statement = client.prepare_cached(ENDED).await?;
        let row = client.query_opt(&statement, &[id, &user_id]).await?;
        if row.map(|row| row.try_get(0)).transpose()?.unwrap_or(true) {
            return Ok(true);
        }
    }
    let statement = client.prepare_cached(ABOUT).await?;
    for row in client.query(&statement, &[&at.as_micros(), &access.jti, &user_id]).await? {
        let kind: String = row.try_get(0)?;
        let revoked_at = Timestamp::from_micros(row.try_get(2)?);
        let covered = RevocationSubject::from_words(&kind, row.try_get(1)?)
            .is_some_and(|subject| access.is_covered_by(&subject, revoked_at));
        if covered {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A connection that is notified of revocations.
#[derive(Debug, Default)]
pub(super) struct Listener {
    listening: Mutex<Option<Listening>>,
}

#[derive(Debug)]
struct Listening {
    /// Kept, since dropping it closes the connection.
    _client: Client,
    notices: UnboundedReceiver<()>,
}

impl Listener {
    /// Returns on the next notification, or at once when it has just begun to listen; never if a
    /// pooler makes notifications impossible.
    pub(super) async fn notice(&self, database: &PostgresDatabase) -> Result<(), StoreError> {
        let mut listening = self.listening.lock().await;
        let Some(open) = listening.as_mut() else {
            *listening = listen(database)
                .await
                .map_err(|error| StoreError::unavailable("revocation_notice", error))?;
            if listening.is_none() {
                drop(listening);
                std::future::pending::<()>().await;
            }
            return Ok(());
        };
        match open.notices.recv().await {
            Some(()) => {
                // One look serves all notifications so far.
                while open.notices.try_recv().is_ok() {}
                Ok(())
            }
            None => {
                *listening = None;
                Err(StoreError::unavailable("revocation_notice", "the connection was lost"))
            }
        }
    }
}

/// Returns `None` if the session isn't ours: LISTEN would be another client's, and the pooler would
/// log a line for each notification.
async fn listen(database: &PostgresDatabase) -> PgResult<Option<Listening>> {
    let (told, notices) = unbounded_channel();
    let client = database.alone(Some(told)).await?;
    if !database.has_sessions(&client).await? {
        return Ok(None);
    }
    client.batch_execute("LISTEN simplejwt_revocation").await?;
    Ok(Some(Listening { _client: client, notices }))
}

#[async_trait]
impl RevocationFeed for PostgresStore {
    async fn revoke(&self, revocation: &Revocation, act: &Act) -> Result<Recorded<()>, StoreError> {
        run!(self.database, "revoke", |client| async {
            let transaction = client.transaction().await?;
            insert(&transaction, std::slice::from_ref(revocation)).await?;
            let recorded = act.recorded(());
            transaction.commit().await?;
            Ok(recorded)
        })
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        let tells_timeline = self.database.tells_timeline().await;
        run!(self.database, "revocations", |client| {
            page(&client, tells_timeline, after, limit, at)
        })
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        let ask = async |access: &AccessClaims| {
            run!(self.database, "is_revoked", |client| revoked(&client, access, at))
        };
        match ask(access).await {
            Err(error) if error.kind() == StoreErrorKind::Unstorable => {
                let can_be = |id: &str| !error.is_of(id);
                // There can be no such session, and no revocation, that couldn't be stored.
                if access.session.as_deref().is_some_and(|id| !can_be(id)) {
                    return Ok(true);
                }
                let mut access = access.clone();
                access.jti = access.jti.filter(|jti| can_be(jti));
                access.user_id = access.user_id.filter(|id| can_be(id.as_str()));
                ask(&access).await
            }
            answer => answer,
        }
    }

    async fn revocation_notice(&self) -> Result<(), StoreError> {
        self.listener.notice(&self.database).await
    }
}

#[async_trait]
impl Leases for PostgresStore {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (at, until) = (at.as_micros(), until.as_micros());
        run!(self.database, "lease", |client| async {
            let statement = client.prepare_cached(LEASE).await?;
            Ok(client.execute(&statement, &[&name, &holder, &at, &until]).await? > 0)
        })
    }
}
