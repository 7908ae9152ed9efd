//! Ending sessions.

use deadpool_postgres::{GenericClient as _, Object, Transaction};
use tokio_postgres::types::ToSql;

use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::postgres::feed;
use crate::postgres::statements::{END_SESSIONS, Sql, UNENDED, UNENDED_ONE};
use crate::postgres::tokens::{PgResult, moment, parameter, until_none};
use crate::store::session::{EndReason, EndSessions, RetainUntil, Revocation, RevocationSubject};
use crate::users::UserId;

/// The largest number of sessions that one transaction ends.
const BATCH: i64 = 1000;

/// Ends sessions and blacklists their tokens; returns those that hadn't ended before. The caller
/// inserts the revocations, at the end of its transaction.
pub(super) async fn end(
    sql: &Sql,
    transaction: &Transaction<'_>,
    ids: &[String],
    reason: EndReason,
    now: Timestamp,
    retain_until: RetainUntil,
) -> PgResult<Vec<String>> {
    let statement = transaction.prepare_cached(END_SESSIONS).await?;
    let rows = transaction
        .query(
            &statement,
            &[&ids, &now.as_micros(), &reason.as_str(), &retain_until.refresh.as_micros()],
        )
        .await?;
    let ended = rows.iter().map(|row| row.try_get(0)).collect::<PgResult<Vec<String>>>()?;
    if !ended.is_empty() {
        until_none(transaction, &sql.blacklist_sessions, &[&moment(now), &ended]).await?;
    }
    Ok(ended)
}

pub(super) fn revoked(
    ids: Vec<String>,
    now: Timestamp,
    retain_until: RetainUntil,
) -> Vec<Revocation> {
    let revocation = |id| Revocation {
        subject: RevocationSubject::Session(id),
        revoked_at: now,
        expires_at: retain_until.access,
    };
    ids.into_iter().map(revocation).collect()
}

/// Ends one session; returns `true` if it hadn't ended before.
pub(super) async fn end_one(
    sql: &Sql,
    transaction: &Transaction<'_>,
    id: String,
    reason: EndReason,
    now: Timestamp,
    retain_until: RetainUntil,
) -> PgResult<bool> {
    let ended = end(sql, transaction, &[id], reason, now, retain_until).await?;
    let any = !ended.is_empty();
    feed::insert(transaction, &revoked(ended, now, retain_until)).await?;
    Ok(any)
}

/// The outcome of one transaction.
pub(super) enum Batch {
    /// It ended this many, and there may be more.
    Full(u64),
    /// There are no more; all transactions together ended this many.
    Last(Recorded<u64>),
}

impl Sql {
    /// Ends a batch of a user's sessions and, with the last, blacklists the tokens that are in
    /// none. Those before it ended `before` sessions.
    pub(super) async fn end_batch(
        &self,
        client: &mut Object,
        user_id: &UserId,
        except: Option<&str>,
        ending: &EndSessions,
        before: u64,
    ) -> PgResult<Batch> {
        let transaction = client.transaction().await?;
        let statement = transaction.prepare_cached(UNENDED).await?;
        let ids: Vec<String> = transaction
            .query(&statement, &[&user_id.as_str(), &except, &BATCH])
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<PgResult<_>>()?;
        let is_last = ids.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        let ended =
            end(self, &transaction, &ids, ending.reason, ending.cause.at, ending.retain_until)
                .await?;
        let count = ended.len() as u64;
        let mut revocations = revoked(ended, ending.cause.at, ending.retain_until);
        if is_last {
            if let Some(key) = self.user_id.kind.parse(user_id).map(parameter) {
                let values: [&(dyn ToSql + Sync); 3] = [&moment(ending.cause.at), &key, &except];
                until_none(&transaction, &self.blacklist_others, &values).await?;
            }
            revocations.push(Revocation {
                subject: RevocationSubject::User(user_id.clone()),
                revoked_at: ending.cause.at,
                expires_at: ending.retain_until.refresh,
            });
        }
        feed::insert(&transaction, &revocations).await?;
        let batch = match is_last {
            true => Batch::Last(ending.recorded(before + count)),
            false => Batch::Full(count),
        };
        transaction.commit().await?;
        Ok(batch)
    }
}

pub(super) async fn end_named(
    sql: &Sql,
    client: &mut Object,
    id: &str,
    user_id: Option<&UserId>,
    ending: &EndSessions,
) -> PgResult<Recorded<u64>> {
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(UNENDED_ONE).await?;
    let user_id = user_id.map(UserId::as_str);
    let Some(row) = transaction.query_opt(&statement, &[&id, &user_id]).await? else {
        return Ok(ending.recorded(0));
    };
    let id = row.try_get(0)?;
    let ended =
        end_one(sql, &transaction, id, ending.reason, ending.cause.at, ending.retain_until).await?;
    let recorded = ending.recorded(ended.into());
    transaction.commit().await?;
    Ok(recorded)
}
