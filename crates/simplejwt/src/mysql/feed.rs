//! Revocations, numbered in the order of the commits: the counter's row is locked from the moment a
//! number is drawn to the commit. And the leases.

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Row, Value, params};

use super::MysqlStore;
use super::database::{Failure, attempt, begin, column, commit};
use super::database::{changed, exists};
use super::statements::{HOLDS, LEASE};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Recorded};
use crate::store::feed::{
    self, AccessClaims, Revocation, RevocationFeed, RevocationSubject, Revocations,
};
use crate::store::leases::Leases;
use crate::users::UserId;

const DRAW: &str = "\
    UPDATE simplejwt_sequence SET value = LAST_INSERT_ID(value + :count) \
    WHERE name = 'revocation'";
/// Read before the rows: every revocation up to this number had been committed by then.
const NEWEST: &str = "SELECT value FROM simplejwt_sequence WHERE name = 'revocation'";
const AFTER: &str = "\
    (SELECT sequence, kind, subject, revoked_at, expires_at FROM simplejwt_revocation \
    WHERE sequence > :after AND expires_at > :at ORDER BY sequence LIMIT :limit) \
    UNION SELECT sequence, kind, subject, revoked_at, expires_at FROM simplejwt_revocation \
    WHERE sequence IN (:after, :newest) ORDER BY sequence";
/// Selects `true` if the session has ended, or is another user's.
const ENDED: &str = "\
    SELECT ended_at IS NOT NULL OR user_id <> coalesce(:user, user_id) FROM simplejwt_session \
    WHERE id = :id";
const ABOUT: &str = "\
    SELECT kind, subject, revoked_at FROM simplejwt_revocation WHERE expires_at > :at \
    AND subject IN (:jti, :user) AND kind IN ('token', 'user')";

/// All statements.
pub(super) const STATEMENTS: [&str; 6] = [
    DRAW,
    NEWEST,
    AFTER,
    ENDED,
    ABOUT,
    "INSERT INTO simplejwt_revocation (sequence, kind, subject, revoked_at, expires_at) \
     VALUES (?, ?, ?, ?, ?)",
];

/// To be called as late as possible in a transaction: other revocations wait for it.
pub(super) async fn insert(conn: &mut Conn, revocations: &[Revocation]) -> Result<(), Failure> {
    if revocations.is_empty() {
        return Ok(());
    }
    let count = revocations.len() as u64;
    conn.exec_drop(DRAW, params! { "count" => count }).await?;
    let last = conn.last_insert_id().ok_or(Failure::Shape)?;
    let mut values = Vec::with_capacity(revocations.len() * 5);
    for (sequence, revocation) in ((last + 1).saturating_sub(count)..=last).zip(revocations) {
        let (kind, subject) = revocation.subject.words();
        values.push(Value::from(sequence));
        values.push(Value::from(kind));
        values.push(Value::from(subject));
        values.push(Value::from(revocation.revoked_at.as_micros()));
        values.push(Value::from(revocation.expires_at.as_micros()));
    }
    let insert = format!(
        "INSERT INTO simplejwt_revocation (sequence, kind, subject, revoked_at, expires_at) \
         VALUES {}",
        vec!["(?, ?, ?, ?, ?)"; revocations.len()].join(", ")
    );
    Ok(conn.exec_drop(insert, Params::Positional(values)).await?)
}

async fn page(
    conn: &mut Conn,
    after: i64,
    limit: u32,
    at: Timestamp,
) -> Result<Revocations, Failure> {
    let newest: Option<Row> = conn.exec_first(NEWEST, ()).await?;
    let newest: i64 = newest.map_or(Ok(after), |row| column(&row, 0))?;
    let values = params! {
        "after" => after,
        "at" => at.as_micros(),
        "limit" => limit,
        "newest" => newest,
    };
    let rows: Vec<Row> = conn.exec(AFTER, values).await?;
    let row = |row: &Row| {
        Ok(feed::Row {
            sequence: column(row, 0)?,
            kind: column(row, 1)?,
            subject: column(row, 2)?,
            revoked_at: Timestamp::from_micros(column(row, 3)?),
            expires_at: Timestamp::from_micros(column(row, 4)?),
        })
    };
    let rows = rows.iter().map(row).collect::<Result<Vec<_>, Failure>>()?;
    Ok(feed::Asked { after, limit, at }.answer(newest, rows))
}

async fn revoked(conn: &mut Conn, access: &AccessClaims, at: Timestamp) -> Result<bool, Failure> {
    let user = access.user_id.as_ref().map(UserId::as_str);
    if let Some(id) = &access.session {
        let values = params! { "id" => id, "user" => user };
        let row: Option<Row> = conn.exec_first(ENDED, values).await?;
        if row.map_or(Ok(true), |row| column(&row, 0))? {
            return Ok(true);
        }
    }
    let values = params! { "at" => at.as_micros(), "jti" => &access.jti, "user" => user };
    let rows: Vec<Row> = conn.exec(ABOUT, values).await?;
    for row in &rows {
        let kind: String = column(row, 0)?;
        let revoked_at = Timestamp::from_micros(column(row, 2)?);
        let covers = |subject| access.is_covered_by(&subject, revoked_at);
        if RevocationSubject::from_words(&kind, column(row, 1)?).is_some_and(covers) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[async_trait]
impl RevocationFeed for MysqlStore {
    async fn revoke(&self, revocation: &Revocation, act: &Act) -> Result<Recorded<()>, StoreError> {
        attempt!(self.database.attempts("revoke"), |conn| async {
            begin(conn).await?;
            insert(conn, std::slice::from_ref(revocation)).await?;
            let recorded = act.recorded(());
            commit(conn).await?;
            Ok(recorded)
        })
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        let attempts = self.database.attempts("revocations");
        attempt!(attempts, |conn| page(conn, after, limit, at))
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        let attempts = self.database.attempts("is_revoked");
        attempt!(attempts, |conn| revoked(conn, access, at))
    }

    /// Never returns: MySQL has no notifications. Polling is frequent enough.
    async fn revocation_notice(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }
}

#[async_trait]
impl Leases for MysqlStore {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        attempt!(self.database.attempts("lease"), |conn| async {
            let values = params! {
                "name" => name,
                "holder" => holder,
                "at" => at.as_micros(),
                "until" => until.as_micros(),
            };
            begin(conn).await?;
            changed(conn, LEASE, values).await?;
            let holds = exists(conn, HOLDS, params! { "name" => name, "holder" => holder }).await?;
            commit(conn).await?;
            Ok(holds)
        })
    }
}
