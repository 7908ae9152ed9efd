//! Sessions in MySQL or MariaDB.
//!
//! A rotation locks no session. Whoever ends one sets `ended_at`, and then blacklists its
//! tokens, looking anew each time, until none is left: a rotation that is under way makes a
//! conflict, is waited for, and has left a successor; one that comes later makes a conflict
//! itself. What joins a session otherwise than by a rotation locks the session's row.

mod end;
mod refresh;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::database::{Failure, attempt, begin, column, commit};
use super::late::DATE;
use super::statements::Sql;
use super::tokens::{changed, exists};
use super::{MysqlStore, feed, late};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::sql::check::Uses;
use crate::store::OutstandingToken;
use crate::store::session::{
    AccessClaims, Client, EndReason, EndSessions, NewSession, OpenSession, Opening, PINGED,
    Refreshing, Revocation, Revocations, Session, SessionHead, SessionLimit, SessionRefresh,
    SessionStore,
};
use crate::users::UserId;

// A session that is there stays as it is, and is locked.
const INSERT_SESSION: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) \
    VALUES (:id, :user, :at, :expires_at, :password, :address, :user_agent) \
    ON DUPLICATE KEY UPDATE id = simplejwt_session.id";
const JOIN: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, created_at, used_at, expires_at, address) \
    VALUES (:jti, :session, :at, :at, :expires_at, :address) \
    ON DUPLICATE KEY UPDATE jti = simplejwt_session_token.jti";
const SHOW: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, s.user_agent, \
    coalesce((SELECT max(used_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.created_at), \
    coalesce((SELECT max(expires_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.expires_at), \
    coalesce((SELECT address FROM simplejwt_session_token WHERE session_id = s.id \
    ORDER BY used_at DESC LIMIT 1), s.address) \
    FROM simplejwt_session AS s";
/// Reads three rows, however many tokens the session has had.
const HEAD_OF: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, (\
    SELECT c.created_at FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = :jti";
// One at a time for each user, also on different nodes of a Galera cluster, which know of each
// other's writes and not of each other's locks: so the row is written anew.
const FREE_USER: &str = "DELETE FROM simplejwt_user WHERE user_id = :user";
const LOCK_USER: &str = "INSERT INTO simplejwt_user (user_id) VALUES (:user)";
const REHASHED: &str = "\
    UPDATE simplejwt_session SET password = :new WHERE user_id = :user AND password = :old";
const FLUSH_TOKENS: &str = "\
    DELETE FROM simplejwt_session_token WHERE expires_at <= :before \
    ORDER BY expires_at LIMIT :batch";
/// Sessions that still have tokens are put off until those expire: left where they are, each
/// batch would come upon all of them again.
const FLUSH_SESSIONS: [&str; 3] = [
    "UPDATE simplejwt_session AS s JOIN (SELECT id FROM simplejwt_session \
     WHERE expires_at <= :before ORDER BY expires_at LIMIT :batch) AS due ON due.id = s.id \
     SET s.expires_at = (SELECT max(t.expires_at) FROM simplejwt_session_token AS t \
     WHERE t.session_id = s.id) WHERE s.expires_at <= :before AND EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE s FROM simplejwt_session AS s JOIN (SELECT id FROM simplejwt_session \
     WHERE expires_at <= :before ORDER BY expires_at LIMIT :batch) AS due ON due.id = s.id \
     WHERE s.expires_at <= :before AND NOT EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_revocation WHERE expires_at <= :before \
     ORDER BY expires_at LIMIT :batch",
];
// Assigned from left to right: the second condition sees who has the lease by then.
const LEASE: &str = "\
    INSERT INTO simplejwt_lease (name, holder, expires_at) VALUES (:name, :holder, :until) \
    ON DUPLICATE KEY UPDATE \
    holder = IF(simplejwt_lease.holder = :holder OR simplejwt_lease.expires_at <= :at, \
    :holder, simplejwt_lease.holder), \
    expires_at = IF(simplejwt_lease.holder = :holder, :until, simplejwt_lease.expires_at)";
const HOLDS: &str = "\
    SELECT 1 FROM simplejwt_lease WHERE name = :name AND holder = :holder";

fn show_one() -> String {
    format!("{SHOW} WHERE s.id = :id")
}

fn show_live(is_live: &str) -> String {
    format!("{SHOW} WHERE s.user_id = :user AND {is_live} ORDER BY 6 DESC, 1")
}

fn live_but_one(is_live: &str) -> String {
    format!(
        "SELECT s.id FROM simplejwt_session AS s WHERE s.user_id = :user AND s.id <> :but \
         AND {is_live} ORDER BY s.created_at, s.id"
    )
}

/// Each statement.
pub(super) fn statements(is_live: &str) -> Vec<String> {
    [
        INSERT_SESSION,
        JOIN,
        HEAD_OF,
        FREE_USER,
        LOCK_USER,
        REHASHED,
        FLUSH_TOKENS,
        LEASE,
        HOLDS,
        DATE,
    ]
    .into_iter()
    .chain(FLUSH_SESSIONS)
    .map(str::to_owned)
    .chain([show_one(), show_live(is_live), live_but_one(is_live)])
    .chain(refresh::STATEMENTS.map(str::to_owned))
    .chain(end::statements("?"))
    .collect()
}

fn shown(row: &Row) -> Result<Session, Failure> {
    let time = |at| column(row, at).map(Timestamp::from_micros);
    Ok(Session {
        id: column(row, 0)?,
        user_id: column::<String>(row, 1)?.into(),
        created_at: time(2)?,
        ended_at: column::<Option<i64>>(row, 3)?.map(Timestamp::from_micros),
        refreshed_at: time(5)?,
        expires_at: time(6)?,
        client: Client { address: column(row, 7)?, user_agent: column(row, 4)? },
    })
}

fn head(row: &Row) -> Result<SessionHead, Failure> {
    Ok(SessionHead {
        id: column(row, 0)?,
        user_id: column::<String>(row, 1)?.into(),
        created_at: Timestamp::from_micros(column(row, 2)?),
        ended_at: column::<Option<i64>>(row, 3)?.map(Timestamp::from_micros),
        spent_at: column::<Option<i64>>(row, 4)?.map(Timestamp::from_micros),
    })
}

async fn insert_session(
    conn: &mut Conn,
    session: &NewSession,
    now: Timestamp,
    kept_until: Timestamp,
) -> Result<(), Failure> {
    let values = params! {
        "id" => &session.id,
        "user" => session.user_id.as_str(),
        "at" => now.as_micros(),
        "expires_at" => kept_until.as_micros(),
        "password" => &session.password,
        "address" => &session.client.address,
        "user_agent" => &session.client.user_agent,
    };
    changed(conn, INSERT_SESSION, values).await.map(drop)
}

/// Nobody else opens a session for this user until the transaction is over.
async fn lock_user(conn: &mut Conn, user_id: &UserId) -> Result<(), Failure> {
    let values = params! { "user" => user_id.as_str() };
    changed(conn, FREE_USER, values.clone()).await?;
    match changed(conn, LOCK_USER, values).await {
        // Somebody else was the first for this user.
        Err(failure) if failure.is_duplicate() => Err(Failure::Again),
        locked => locked.map(drop),
    }
}

/// The live sessions of a user but this one, by when they were opened.
async fn live(
    conn: &mut Conn,
    sql: &Sql,
    user_id: &UserId,
    but: &str,
    now: Timestamp,
) -> Result<Vec<String>, Failure> {
    let values = params! { "user" => user_id.as_str(), "but" => but, "at" => now.as_micros() };
    let rows: Vec<Row> = conn.exec(live_but_one(&sql.is_live), values).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

impl Sql {
    async fn join(
        &self,
        conn: &mut Conn,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        client: &Client,
        now: Timestamp,
    ) -> Result<(), Failure> {
        self.register(conn, token).await?;
        let values = params! {
            "jti" => &token.jti,
            "session" => session,
            "at" => now.as_micros(),
            "expires_at" => expires_at.as_micros(),
            "address" => &client.address,
        };
        changed(conn, JOIN, values).await.map(drop)
    }

    async fn open(&self, conn: &mut Conn, open: &OpenSession) -> Result<Opening, Failure> {
        let session = &open.session;
        begin(conn).await?;
        let mut evicted = Vec::new();
        if let Some(limit) = open.limit {
            lock_user(conn, &session.user_id).await?;
            let mut live = live(conn, self, &session.user_id, &session.id, open.at).await?;
            let (SessionLimit::EvictOldest(places) | SessionLimit::Refuse(places)) = limit;
            // One place is for the session that is opened.
            let surplus = (live.len() + 1).saturating_sub(places as usize);
            if surplus > 0 && matches!(limit, SessionLimit::Refuse(_)) {
                commit(conn).await?;
                return Ok(Opening::TooMany);
            }
            live.truncate(surplus);
            evicted = end::end(self, conn, &live, EndReason::Limit, open.at, open.horizon).await?;
        }
        insert_session(conn, session, open.at, open.expires_at).await?;
        let client = &session.client;
        self.join(conn, &session.id, &open.token, open.expires_at, client, open.at).await?;
        // The numbers of the revocations last: they are what everybody waits for.
        let count = evicted.len() as u64;
        feed::insert(conn, &evicted).await?;
        commit(conn).await?;
        Ok(Opening::Opened { evicted: count })
    }
}

/// Ties sessions to another fingerprint of the same password.
pub(crate) async fn rehashed(
    conn: &mut Conn,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> Result<(), Failure> {
    let values = params! { "user" => user_id.as_str(), "old" => old, "new" => new };
    changed(conn, REHASHED, values).await.map(drop)
}

#[async_trait]
impl SessionStore for MysqlStore {
    async fn open(&self, open: &OpenSession) -> Result<Opening, StoreError> {
        attempt!(self.database.attempts("open"), |conn| self.sql.open(conn, open))
    }

    async fn refresh(&self, refresh: &SessionRefresh) -> Result<Refreshing, StoreError> {
        late::refresh(self, refresh).await
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let attempts = self.database.attempts("session");
        attempt!(attempts, |conn| async {
            let row: Option<Row> = conn.exec_first(show_one(), params! { "id" => id }).await?;
            row.as_ref().map(shown).transpose()
        })
    }

    async fn session_of(&self, jti: &str) -> Result<Option<SessionHead>, StoreError> {
        attempt!(self.database.attempts("session_of"), |conn| async {
            let row: Option<Row> = conn.exec_first(HEAD_OF, params! { "jti" => jti }).await?;
            row.as_ref().map(head).transpose()
        })
    }

    async fn is_spent(&self, jti: &str) -> Result<bool, StoreError> {
        let attempts = self.database.attempts("is_spent");
        attempt!(attempts, |conn| exists(conn, &self.sql.is_spent, params! { "jti" => jti }))
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        attempt!(self.database.attempts("sessions"), |conn| async {
            let values = params! { "user" => user_id.as_str(), "at" => at.as_micros() };
            let rows: Vec<Row> = conn.exec(show_live(&self.sql.is_live), values).await?;
            rows.iter().map(shown).collect()
        })
    }

    async fn end_sessions(&self, ending: &EndSessions) -> Result<u64, StoreError> {
        let mut ended = 0;
        loop {
            let attempts = self.database.attempts("end_sessions");
            let batch = match attempt!(attempts, |conn| end::batch(&self.sql, conn, ending)) {
                // There is no such user.
                Err(error) if end::is_of_nobody(ending, &error) => return Ok(ended),
                batch => batch?,
            };
            ended += batch.ended;
            if batch.last {
                return Ok(ended);
            }
        }
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let attempts = self.database.attempts("password_rehashed");
        attempt!(attempts, |conn| rehashed(conn, user_id, old, new))
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        attempt!(self.database.attempts("revoke"), |conn| async {
            begin(conn).await?;
            feed::insert(conn, std::slice::from_ref(revocation)).await?;
            commit(conn).await
        })
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        let attempts = self.database.attempts("revocations");
        attempt!(attempts, |conn| feed::after(conn, after, limit, at))
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        let attempts = self.database.attempts("is_revoked");
        attempt!(attempts, |conn| feed::is_revoked(conn, access, at))
    }

    /// Never returns: MySQL tells nobody. It is asked often enough.
    async fn revocation_notice(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        attempt!(self.database.attempts("flush_sessions"), |conn| async {
            let values = params! { "before" => before.as_micros(), "batch" => batch };
            begin(conn).await?;
            let mut flushed = changed(conn, FLUSH_TOKENS, values.clone()).await?;
            if flushed < u64::from(batch) {
                for statement in FLUSH_SESSIONS {
                    flushed += changed(conn, statement, values.clone()).await?;
                }
            }
            commit(conn).await?;
            Ok(flushed)
        })
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        let sessions = Uses { sessions: true, ..Uses::default() };
        let at = at.as_micros();
        attempt!(self.database.attempts("ping"), |conn| async {
            begin(conn).await?;
            super::tokens::try_all(conn, &sessions).await?;
            let holder = at.to_string();
            let values = params! { "name" => PINGED, "holder" => holder, "at" => at, "until" => 0 };
            changed(conn, LEASE, values).await?;
            commit(conn).await
        })
    }

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
