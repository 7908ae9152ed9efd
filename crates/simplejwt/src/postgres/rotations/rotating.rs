//! A rotation, with everything that its statement needs.

use std::time::Duration;

use jiff::Timestamp as Moment;

use crate::clock::Timestamp;
use crate::postgres::statements::Sql;
use crate::postgres::tokens::moment;
use crate::store::OutstandingToken;
use crate::store::session::SessionRefresh;

/// A token to be spent, and its successor.
#[derive(Clone)]
pub(in crate::postgres) struct Rotating {
    pub(super) at: Moment,
    pub(super) spent: OutstandingToken,
    pub(super) next: OutstandingToken,
    pub(super) user: Option<String>,
    pub(super) expires_at: Moment,
    pub(super) in_session: Option<InSession>,
    /// `None` if the token is in a session already, or there are none.
    pub(super) opens: Option<Opens>,
}

/// The conditions on the token's session, and the values to store in it.
#[derive(Clone)]
pub(super) struct InSession {
    pub(super) created_after: i64,
    pub(super) used_after: i64,
    pub(super) password: Option<String>,
    pub(super) access_jti: String,
    pub(super) address: Option<String>,
    pub(super) at: i64,
    pub(super) expires_at: i64,
}

/// The session that a token opens which is in none yet, and the token's own row.
#[derive(Clone)]
pub(super) struct Opens {
    pub(super) session_id: String,
    pub(super) user_id: String,
    pub(super) user_agent: Option<String>,
    /// The user of the row.
    pub(super) user: Option<String>,
    pub(super) created_at: Moment,
    pub(super) expires_at: Moment,
    /// The same, for the tables of sessions.
    pub(super) kept_until: i64,
}

impl Rotating {
    /// Creates a rotation outside of sessions.
    pub(in crate::postgres) fn new(
        sql: &Sql,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        at: Timestamp,
    ) -> Self {
        Self {
            at: moment(at),
            spent: spent.clone(),
            next: next.clone(),
            user: sql.user(next),
            expires_at: moment(next.expires_at),
            in_session: None,
            opens: None,
        }
    }

    /// Creates a rotation in the session that the token is already in.
    pub(in crate::postgres) fn in_session(
        sql: &Sql,
        refresh: &SessionRefresh,
        next: &OutstandingToken,
        access_jti: &str,
    ) -> Self {
        let since = |limit: Option<Duration>| {
            limit.map_or(i64::MIN, |limit| (refresh.cause.at - limit).as_micros())
        };
        let in_session = InSession {
            created_after: since(refresh.lifetime),
            used_after: since(refresh.idle),
            password: refresh.session.password.clone(),
            access_jti: access_jti.to_owned(),
            address: refresh.cause.client.address.clone(),
            at: refresh.cause.at.as_micros(),
            expires_at: next.expires_at.as_micros(),
        };
        let in_session = Some(in_session);
        Self { in_session, ..Self::new(sql, &refresh.token, next, refresh.cause.at) }
    }

    /// Returns the same rotation for a token that was never seen before: it opens its session.
    pub(in crate::postgres) fn opening(self, sql: &Sql, refresh: &SessionRefresh) -> Self {
        let (session, token) = (&refresh.session, &refresh.token);
        let opens = Opens {
            session_id: session.id.clone(),
            user_id: session.user_id.as_str().to_owned(),
            user_agent: refresh.cause.client.user_agent.clone(),
            user: sql.user(token),
            created_at: moment(token.created_at),
            expires_at: moment(token.expires_at),
            kept_until: token.expires_at.as_micros(),
        };
        Self { opens: Some(opens), ..self }
    }

    pub(in crate::postgres) fn spent(&self) -> &OutstandingToken {
        &self.spent
    }

    pub(in crate::postgres) fn next(&self) -> &OutstandingToken {
        &self.next
    }

    /// Finds its token among those that were spent.
    pub(super) fn among<'a>(&self, spent: &'a [Spent]) -> Option<&'a Spent> {
        spent.iter().find(|spent| spent.jti == self.spent.jti)
    }
}

/// A token that a statement has spent.
#[derive(Clone, Debug)]
pub(in crate::postgres) struct Spent {
    pub(super) jti: String,
    /// The session that it is in; `None` outside of sessions.
    pub(in crate::postgres) session_id: Option<String>,
}
