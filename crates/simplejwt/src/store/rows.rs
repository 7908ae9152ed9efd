//! One row for each session, in place of one for each token.
//!
//! Upstream's tables gain two rows by each rotation, and the session's tables a third. Where no
//! Django shares the tables, [`BySession`] keeps a single row for a session, which names its current
//! refresh token: a rotation rewrites it. A token finds its row by the session that it names (its
//! `sid`), and one that isn't the row's current token is spent. So nothing has to be stored about a
//! spent token, except for those within the grace.
//!
//! [`SessionRows`] is what a database does for it; the rules are the same functions for all of
//! them, on top of [`verdict`](super::session::verdict::verdict).
//!
//! A row is never changed without regard to others: each change raises its
//! [`generation`](SessionRow::generation), and is stored only if the generation is still the one
//! that was read. Whoever loses that race reads the row again.

mod after;
mod by_session;
mod decide;
mod moves;
mod spent;

use std::time::Duration;

use async_trait::async_trait;

use super::session::{
    Client, EndReason, OpenSession, RetainUntil, Revocation, RevocationSubject, Session,
    SessionHead, SessionLimit, SessionStore,
};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::users::UserId;

pub use after::AfterRows;
pub use by_session::BySession;
#[cfg(feature = "sql")]
pub(crate) use moves::Leaf;
pub use moves::{MOVED, MoveSessions, Moved, RowSessions, TokenSessions};
pub use spent::SpentTokens;

/// A session as it is stored, with its current refresh (or sliding) token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The session's id, as in the claim `sid`: the id of its first token.
    pub id: String,
    /// The id of its user.
    pub user_id: UserId,
    /// The time at which it was opened.
    pub created_at: Timestamp,
    /// The number of changes so far.
    pub generation: i64,
    /// The id of the current token.
    pub jti: String,
    /// The time at which the current token was made.
    pub issued_at: Timestamp,
    /// The time at which the current token was made or last used.
    pub used_at: Timestamp,
    /// The latest `exp` that the current token can have.
    pub expires_at: Timestamp,
    /// The id of the access token that was issued with the current token; `None` for a login.
    pub access_jti: Option<String>,
    /// The tokens that were spent last.
    pub spent: SpentTokens,
    /// The fingerprint of the password that the session is tied to.
    pub password: Option<String>,
    /// The address of the last refresh (or login) and the user agent of the login.
    pub client: Client,
    /// The time at which the session was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// The reason, as [`EndReason::as_str`].
    pub end_reason: Option<String>,
    /// The time at which the current token was blacklisted, if it was.
    pub blacklisted_at: Option<Timestamp>,
    /// The time until which the row is kept: until it is
    /// [due](super::retention::Retention::sessions_due). A multiple of a day, so that the index on
    /// it is rarely written.
    pub kept_until: Timestamp,
}

/// The state of a token, according to the row that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InRow {
    /// It is the current one.
    Current,
    /// It was spent at this time, or before if `false`.
    Spent(Timestamp, bool),
}

impl SessionRow {
    /// Returns the row of a login.
    pub(crate) fn opened(open: &OpenSession) -> Self {
        let session = &open.session;
        Self {
            id: session.id.clone(),
            user_id: session.user_id.clone(),
            created_at: open.cause.at,
            generation: 0,
            jti: open.token.jti.clone(),
            issued_at: open.cause.at,
            used_at: open.cause.at,
            expires_at: open.expires_at,
            access_jti: None,
            spent: SpentTokens::default(),
            password: session.password.clone(),
            client: open.cause.client.clone(),
            ended_at: None,
            end_reason: None,
            blacklisted_at: None,
            kept_until: whole_days(open.expires_at),
        }
    }

    pub(crate) fn state_of(&self, jti: &str) -> InRow {
        if jti == self.jti {
            return InRow::Current;
        }
        match self.spent.spent_at(jti) {
            Some(at) => InRow::Spent(at, true),
            None => InRow::Spent(self.spent.others_until().unwrap_or(self.created_at), false),
        }
    }

    /// Returns `true` if the token is no longer valid.
    pub(crate) fn is_over_for(&self, jti: &str) -> bool {
        self.ended_at.is_some()
            || self.blacklisted_at.is_some()
            || self.state_of(jti) != InRow::Current
    }

    /// Returns `true` if its current token can still be refreshed.
    pub fn is_live(&self, at: Timestamp) -> bool {
        self.ended_at.is_none() && self.blacklisted_at.is_none() && self.expires_at > at
    }

    pub(crate) fn head(&self, jti: &str) -> SessionHead {
        SessionHead {
            id: self.id.clone(),
            user_id: self.user_id.clone(),
            created_at: self.created_at,
            ended_at: self.ended_at,
            spent_at: match self.state_of(jti) {
                InRow::Current => None,
                InRow::Spent(at, _) => Some(at),
            },
        }
    }

    pub(crate) fn session(&self) -> Session {
        Session {
            id: self.id.clone(),
            user_id: self.user_id.clone(),
            created_at: self.created_at,
            refreshed_at: self.used_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
            client: self.client.clone(),
        }
    }

    /// Returns the row after the next change.
    pub(crate) fn changed(&self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self.clone() }
    }

    /// Returns the row after its end, with the revocation to be stored with it.
    pub(crate) fn ended(&self, ending: &RowEnd) -> (Self, Revocation) {
        let row = Self {
            ended_at: Some(ending.at),
            end_reason: Some(ending.reason.as_str().to_owned()),
            kept_until: self.kept_until.max(ending.kept_until()),
            ..self.changed()
        };
        (row, ending.revocation(&self.id))
    }
}

/// The end of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowEnd {
    /// The reason.
    pub reason: EndReason,
    /// The time.
    pub at: Timestamp,
    /// The times until which it is remembered.
    pub retain_until: RetainUntil,
}

impl RowEnd {
    /// Returns the time until which the row of an ended session is kept at least.
    pub fn kept_until(&self) -> Timestamp {
        whole_days(self.retain_until.refresh)
    }

    /// Returns the revocation to be stored with the end of the session with this id.
    pub fn revocation(&self, id: &str) -> Revocation {
        Revocation {
            subject: RevocationSubject::Session(id.to_owned()),
            revoked_at: self.at,
            expires_at: self.retain_until.access,
        }
    }
}

/// Returns the first midnight (UTC) at or after a time.
pub(crate) fn whole_days(at: Timestamp) -> Timestamp {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    match at.as_micros().rem_euclid(DAY) {
        0 => at,
        beyond => at + Duration::from_micros((DAY - beyond).unsigned_abs()),
    }
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// None.
    None,
    /// The row is added, unless there is one with its id.
    Insert {
        /// The row.
        row: Box<SessionRow>,
        /// The id of a token: if it is on the blacklist, the row isn't added.
        unless_listed: Option<String>,
        /// The revocation to be stored with it.
        revocation: Option<Revocation>,
    },
    /// The row replaces the one with its id, if that has the generation before.
    Replace {
        /// The row.
        row: Box<SessionRow>,
        /// The revocation to be stored with it.
        revocation: Option<Revocation>,
    },
}

impl Change {
    pub(crate) fn replace(row: SessionRow) -> Self {
        Self::Replace { row: Box::new(row), revocation: None }
    }

    pub(crate) fn end((row, revocation): (SessionRow, Revocation)) -> Self {
        Self::Replace { row: Box::new(row), revocation: Some(revocation) }
    }
}

/// The outcome of [`SessionRows::change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Changed<T> {
    /// The change is stored.
    Done(T),
    /// Another change came first: nothing is stored, and the row has to be read again.
    Lost(T),
}

/// What the tables of tokens know of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// `true` if it is registered.
    pub is_registered: bool,
    /// When it was blacklisted, if it was; the time, if it can be read.
    pub blacklisted: Option<Option<Timestamp>>,
    /// The session that it was in when each token had a row.
    pub session: Option<String>,
}

/// The rows of sessions in a database, for [`BySession`].
///
/// # Contract
/// As that of [`SessionStore`]: a call that returns `Ok` is durable, one that returns `Err` has
/// changed nothing, and a revocation becomes visible with the end that it belongs to.
#[async_trait]
pub trait SessionRows: SessionStore {
    /// Returns the row with this id.
    async fn row(&self, id: &str) -> Result<Option<SessionRow>, StoreError>;

    /// Reads the row with this id, and stores the change that `work` makes of it. `work` may be
    /// called more than once. `operation` is the verb that an error names.
    async fn change<T, W>(
        &self,
        operation: &'static str,
        id: &str,
        work: W,
    ) -> Result<Changed<T>, StoreError>
    where
        T: Send + 'static,
        W: Fn(Option<&SessionRow>) -> (Change, T) + Send + Sync + 'static;

    /// Adds a row unless there is one with its id, and keeps to the limit, as
    /// [`SessionStore::open`] does. Returns the number of sessions that were ended to make room;
    /// `None` if there are too many.
    async fn open_row(
        &self,
        row: &SessionRow,
        limit: SessionLimit,
        end: &RowEnd,
    ) -> Result<Option<u64>, StoreError>;

    /// Returns a user's rows that are [live](SessionRow::is_live), the most recently used first.
    async fn live_rows(
        &self,
        user_id: &UserId,
        at: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError>;

    /// Ends at most `limit` of a user's sessions that haven't ended, except one, in one
    /// transaction. Returns their number.
    async fn end_rows(
        &self,
        user_id: &UserId,
        except: Option<&str>,
        end: &RowEnd,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Ties sessions that were tied to the fingerprint `old` to `new`, as
    /// [`SessionStore::password_rehashed`] does.
    async fn rehash_rows(&self, user_id: &UserId, old: &str, new: &str) -> Result<(), StoreError>;

    /// Deletes at most `batch` rows that are kept until `before` or earlier. Returns their number.
    async fn flush_rows(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError>;

    /// Returns what the tables of tokens know of a token.
    async fn known(&self, jti: &str) -> Result<Known, StoreError>;

    /// Checks that rows can be kept at the moment, without changing one.
    async fn ping_rows(&self) -> Result<(), StoreError>;
}
