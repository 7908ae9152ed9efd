//! Revocations, numbered in the order of the transactions, since SQLite has one writer; and the
//! leases.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::statements::LEASE;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Recorded};
use crate::store::feed::{
    self, AccessClaims, Revocation, RevocationFeed, RevocationSubject, Revocations,
};
use crate::store::leases::Leases;

const NEXT: &str = "\
    UPDATE simplejwt_sequence SET value = value + 1 WHERE name = 'revocation' RETURNING value";
const INSERT: &str = "\
    INSERT INTO simplejwt_revocation (sequence, kind, subject, revoked_at, expires_at) \
    VALUES (?1, ?2, ?3, ?4, ?5)";
/// A single statement, so that the counter and the rows are from the same moment.
const AFTER: &str = "\
    SELECT q.value, r.sequence, r.kind, r.subject, r.revoked_at, r.expires_at \
    FROM simplejwt_sequence AS q LEFT JOIN (\
    SELECT sequence, kind, subject, revoked_at, expires_at FROM (\
    SELECT sequence, kind, subject, revoked_at, expires_at FROM simplejwt_revocation \
    WHERE sequence > ?1 AND expires_at > ?2 ORDER BY sequence LIMIT ?3) \
    UNION SELECT sequence, kind, subject, revoked_at, expires_at FROM simplejwt_revocation \
    WHERE sequence IN (?1, (SELECT value FROM simplejwt_sequence WHERE name = 'revocation'))\
    ) AS r WHERE q.name = 'revocation' ORDER BY r.sequence";
/// Selects `true` if the session has ended, or is another user's.
const ENDED: &str = "\
    SELECT ended_at IS NOT NULL OR user_id <> coalesce(?2, user_id) FROM simplejwt_session \
    WHERE id = ?1";
const ABOUT: &str = "\
    SELECT kind, subject, revoked_at FROM simplejwt_revocation WHERE expires_at > ?1 \
    AND ((kind = 'token' AND subject = ?2) OR (kind = 'user' AND subject = ?3))";

/// All statements.
pub(super) const STATEMENTS: [&str; 5] = [NEXT, INSERT, AFTER, ENDED, ABOUT];

pub(super) fn insert(connection: &Connection, revocation: &Revocation) -> rusqlite::Result<()> {
    let sequence: i64 = connection.prepare_cached(NEXT)?.query_row((), |row| row.get(0))?;
    let (kind, subject) = revocation.subject.words();
    connection.prepare_cached(INSERT)?.execute(params![
        sequence,
        kind,
        subject,
        revocation.revoked_at.as_micros(),
        revocation.expires_at.as_micros(),
    ])?;
    Ok(())
}

fn page(
    connection: &Connection,
    after: i64,
    limit: u32,
    at: Timestamp,
) -> rusqlite::Result<Revocations> {
    let read = |row: &Row<'_>| {
        let newest: i64 = row.get(0)?;
        let Some(sequence) = row.get::<_, Option<i64>>(1)? else { return Ok((newest, None)) };
        let found = feed::Row {
            sequence,
            kind: row.get(2)?,
            subject: row.get(3)?,
            revoked_at: Timestamp::from_micros(row.get(4)?),
            expires_at: Timestamp::from_micros(row.get(5)?),
        };
        Ok((newest, Some(found)))
    };
    let rows = connection
        .prepare_cached(AFTER)?
        .query_map(params![after, at.as_micros(), limit], read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let newest = rows.first().map_or(after, |(newest, _)| *newest);
    let asked = feed::Asked { after, limit, at };
    Ok(asked.answer(newest, rows.into_iter().filter_map(|(_, row)| row)))
}

fn revoked(
    connection: &Connection,
    access: &AccessClaims,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let user_id = access.user_id.as_ref().map(crate::users::UserId::as_str);
    if let Some(id) = &access.session {
        let ended = connection
            .prepare_cached(ENDED)?
            .query_row(params![id, user_id], |row| row.get(0))
            .optional()?;
        if ended.unwrap_or(true) {
            return Ok(true);
        }
    }
    let mut statement = connection.prepare_cached(ABOUT)?;
    let mut rows = statement.query(params![at.as_micros(), access.jti, user_id])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        let revoked_at = Timestamp::from_micros(row.get(2)?);
        let covered = RevocationSubject::from_words(&kind, row.get(1)?)
            .is_some_and(|subject| access.is_covered_by(&subject, revoked_at));
        if covered {
            return Ok(true);
        }
    }
    Ok(false)
}

#[async_trait]
impl RevocationFeed for SqliteStore {
    async fn revoke(&self, revocation: &Revocation, act: &Act) -> Result<Recorded<()>, StoreError> {
        let (revocation, act) = (revocation.clone(), act.clone());
        let revoke = move |connection: &Connection| {
            insert(connection, &revocation)?;
            Ok(act.recorded(()))
        };
        self.database.write("revoke", revoke).await
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        self.database.read("revocations", |connection| page(connection, after, limit, at))
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        self.database.read("is_revoked", |connection| revoked(connection, access, at))
    }

    /// Never returns: other processes can't notify this one. Polling is frequent enough.
    async fn revocation_notice(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }
}

#[async_trait]
impl Leases for SqliteStore {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let lease = move |connection: &Connection| {
            let values = params![name, holder, at.as_micros(), until.as_micros()];
            Ok(connection.prepare_cached(LEASE)?.execute(values)? == 1)
        };
        self.database.write("lease", lease).await
    }
}
