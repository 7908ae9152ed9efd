//! Opening a session.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::end::end;
use crate::clock::Timestamp;
use crate::event::{Cause, Recorded};
use crate::mysql::database::changed;
use crate::mysql::database::{Failure, begin, column, commit};
use crate::mysql::feed;
use crate::mysql::statements::{
    FREE_USER, INSERT_SESSION, JOIN_SESSION, LOCK_USER, Sql, live_but_one,
};
use crate::store::OutstandingToken;
use crate::store::session::{EndReason, NewSession, OpenOutcome, OpenSession, SessionLimit};
use crate::users::UserId;

impl Sql {
    pub(super) async fn open(
        &self,
        conn: &mut Conn,
        open: &OpenSession,
    ) -> Result<Recorded<OpenOutcome>, Failure> {
        let session = &open.session;
        begin(conn).await?;
        let mut evicted = Vec::new();
        if let Some(limit) = open.limit {
            lock_user(conn, &session.user_id).await?;
            let mut live = live(conn, self, &session.user_id, &session.id, open.cause.at).await?;
            let (SessionLimit::EvictOldest(places) | SessionLimit::Refuse(places)) = limit;
            // One place is for the session that is opened.
            let surplus = (live.len() + 1).saturating_sub(places as usize);
            if surplus > 0 && matches!(limit, SessionLimit::Refuse(_)) {
                commit(conn).await?;
                return Ok(open.recorded(OpenOutcome::TooMany));
            }
            live.truncate(surplus);
            evicted =
                end(self, conn, &live, EndReason::Limit, open.cause.at, open.retain_until).await?;
        }
        insert_session(conn, session, &open.cause, open.expires_at).await?;
        self.join(conn, &session.id, &open.token, open.expires_at, &open.cause).await?;
        // The revocations' numbers are drawn last: they are what everybody waits for.
        let count = evicted.len() as u64;
        feed::insert(conn, &evicted).await?;
        let recorded = open.recorded(OpenOutcome::Opened { evicted: count });
        commit(conn).await?;
        Ok(recorded)
    }

    pub(super) async fn join(
        &self,
        conn: &mut Conn,
        session: &str,
        token: &OutstandingToken,
        expires_at: Timestamp,
        cause: &Cause,
    ) -> Result<(), Failure> {
        self.register(conn, token).await?;
        let values = params! {
            "jti" => &token.jti,
            "session" => session,
            "at" => cause.at.as_micros(),
            "expires_at" => expires_at.as_micros(),
            "address" => &cause.client.address,
        };
        changed(conn, JOIN_SESSION, values).await.map(drop)
    }
}

pub(super) async fn insert_session(
    conn: &mut Conn,
    session: &NewSession,
    cause: &Cause,
    kept_until: Timestamp,
) -> Result<(), Failure> {
    let values = params! {
        "id" => &session.id,
        "user" => session.user_id.as_str(),
        "at" => cause.at.as_micros(),
        "expires_at" => kept_until.as_micros(),
        "password" => &session.password,
        "address" => &cause.client.address,
        "user_agent" => &cause.client.user_agent,
    };
    changed(conn, INSERT_SESSION, values).await.map(drop)
}

/// Keeps others from opening a session for this user until the end of the transaction.
pub(in crate::mysql) async fn lock_user(conn: &mut Conn, user_id: &UserId) -> Result<(), Failure> {
    let values = params! { "user" => user_id.as_str() };
    changed(conn, FREE_USER, values.clone()).await?;
    match changed(conn, LOCK_USER, values).await {
        // Another transaction was the first for this user.
        Err(failure) if failure.is_duplicate() => Err(Failure::Again),
        locked => locked.map(drop),
    }
}

/// Returns a user's live sessions but this one, in the order in which they were opened.
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
