//! A rotation, with everything that its statements need.

use crate::clock::Timestamp;
use crate::store::OutstandingToken;
use crate::store::session::SessionRefresh;

/// A token to be spent, and its successor.
#[derive(Clone)]
pub(in crate::mysql) struct Rotating {
    pub(super) at: Timestamp,
    pub(super) spent: OutstandingToken,
    pub(super) next: OutstandingToken,
    /// `None` outside of sessions.
    pub(super) in_session: Option<InSession>,
}

/// The conditions on the token's session, and the values to store in it.
#[derive(Clone)]
pub(super) struct InSession {
    pub(super) refresh: SessionRefresh,
    pub(super) access_jti: String,
}

impl Rotating {
    /// Creates a rotation outside of sessions.
    pub(in crate::mysql) fn new(
        spent: &OutstandingToken,
        next: &OutstandingToken,
        at: Timestamp,
    ) -> Self {
        Self { at, spent: spent.clone(), next: next.clone(), in_session: None }
    }

    /// Creates a rotation in the session that the token is in, or opens.
    pub(in crate::mysql) fn in_session(
        refresh: &SessionRefresh,
        next: &OutstandingToken,
        access_jti: &str,
    ) -> Self {
        let in_session = InSession { refresh: refresh.clone(), access_jti: access_jti.to_owned() };
        let alone = Self::new(&refresh.token, next, refresh.cause.at);
        Self { in_session: Some(in_session), ..alone }
    }

    /// Returns the length of its tokens.
    pub(super) fn bytes(&self) -> usize {
        self.spent.token.len() + self.next.token.len()
    }
}

/// A token that was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mysql) struct Spent {
    /// The session that it is in; `None` outside of sessions.
    pub(in crate::mysql) session_id: Option<String>,
}
