//! Moving sessions from a row for each token to a row for each session, and back.

use async_trait::async_trait;

use super::{SessionRow, SessionRows, SpentTokens, whole_days};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::OutstandingToken;
use crate::store::session::Client;
use crate::users::UserId;

/// The [`end_reason`](SessionRow::end_reason) of a row whose session was moved to rows of tokens.
///
/// It stays for as long as its spent tokens could be presented: the rows of tokens know only the
/// last of them.
pub const MOVED: &str = "moved";

/// The sessions that are kept by a row for each token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenSessions {
    /// The number of those that are live.
    pub live: u64,
    /// The number of live ones with more than one valid refresh token.
    pub with_several: u64,
}

/// The sessions that are one row each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSessions {
    /// The number of those that are live.
    pub live: u64,
    /// The number of rows that were left behind when their sessions were [moved](MOVED).
    pub moved: u64,
}

/// The result of a step of a move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The number of sessions that were moved.
    pub sessions: u64,
    /// The number of sessions that stay where they are, because they have more than one valid
    /// refresh token.
    pub with_several: u64,
    /// The id of the last session that was looked at; `None` if there are no more.
    pub next: Option<String>,
}

/// Moves sessions between a row for each token and a row for each session.
///
/// Each step is one transaction, and a session is either moved or not. A move can be stopped at any
/// time and repeated. While it runs, no process may refresh tokens.
#[async_trait]
pub trait MoveSessions: SessionRows {
    /// Returns the number of sessions that are kept by a row for each token.
    async fn token_sessions(&self, at: Timestamp) -> Result<TokenSessions, StoreError>;

    /// Returns the number of sessions that are one row each.
    async fn row_sessions(&self, at: Timestamp) -> Result<RowSessions, StoreError>;

    /// Moves sessions to a row each: those that haven't ended, of the first `batch` after this id.
    /// The newest token becomes the session's. The rows of its tokens stay, so that tokens without
    /// a `sid` find their session, until the purge deletes them.
    async fn move_to_rows(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError>;

    /// Moves sessions to rows of tokens: those that haven't ended, of the first `batch` after this
    /// id. Their own rows stay and say that they were [moved](MOVED).
    async fn move_to_tokens(
        &self,
        after: &str,
        at: Timestamp,
        batch: u32,
    ) -> Result<Moved, StoreError>;
}

/// A token that nothing has replaced, with its session, as it is read for a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) session_id: String,
    pub(crate) user_id: UserId,
    pub(crate) opened_at: Timestamp,
    pub(crate) password: Option<String>,
    pub(crate) client: Client,
    pub(crate) kept_until: Timestamp,
    pub(crate) jti: String,
    pub(crate) parent_jti: Option<String>,
    pub(crate) access_jti: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) used_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// When it was blacklisted, if it was; the time, if it can be read.
    pub(crate) blacklisted: Option<Option<Timestamp>>,
}

#[cfg_attr(not(feature = "sql"), expect(dead_code, reason = "for each database"))]
impl Leaf {
    fn is_live(&self, at: Timestamp) -> bool {
        self.blacklisted.is_none() && self.expires_at > at
    }

    /// Returns the rows of the sessions that these tokens are in, which come session by session, and
    /// the number of sessions with several valid tokens, which have none.
    pub(crate) fn rows(leaves: &[Self], at: Timestamp) -> (Vec<SessionRow>, u64) {
        let (mut rows, mut with_several) = (Vec::new(), 0);
        for leaves in leaves.chunk_by(|a, b| a.session_id == b.session_id) {
            if leaves.iter().filter(|leaf| leaf.is_live(at)).count() > 1 {
                with_several += 1;
                continue;
            }
            let newest = leaves.iter().max_by_key(|leaf| (leaf.is_live(at), leaf.used_at));
            rows.extend(newest.map(Self::row));
        }
        (rows, with_several)
    }

    fn row(&self) -> SessionRow {
        let spent = self.parent_jti.as_deref().map(|jti| SpentTokens::of(jti, self.created_at));
        SessionRow {
            id: self.session_id.clone(),
            user_id: self.user_id.clone(),
            created_at: self.opened_at,
            generation: 0,
            jti: self.jti.clone(),
            issued_at: self.created_at,
            used_at: self.used_at,
            expires_at: self.expires_at,
            access_jti: self.access_jti.clone(),
            spent: spent.unwrap_or_default(),
            password: self.password.clone(),
            client: self.client.clone(),
            ended_at: None,
            end_reason: None,
            // Longer ago than any tolerance, if it can't be read.
            blacklisted_at: self.blacklisted.map(|at| at.unwrap_or(self.opened_at)),
            kept_until: whole_days(self.kept_until.max(self.expires_at)),
        }
    }
}

/// A token to be stored for a session that is moved to rows of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MovedToken {
    /// The registered token. Its text wasn't kept, so it is empty.
    pub(crate) token: OutstandingToken,
    pub(crate) parent_jti: Option<String>,
    pub(crate) access_jti: Option<String>,
    pub(crate) used_at: Timestamp,
    pub(crate) blacklisted_at: Option<Timestamp>,
}

#[cfg_attr(not(feature = "sql"), expect(dead_code, reason = "for each database"))]
impl SessionRow {
    /// Returns the tokens that the row knows of, the oldest first.
    pub(crate) fn tokens(&self) -> Vec<MovedToken> {
        let token = |jti: &str, created_at| OutstandingToken {
            jti: jti.to_owned(),
            token: String::new(),
            user_id: Some(self.user_id.clone()),
            created_at,
            expires_at: self.expires_at,
        };
        let mut tokens: Vec<MovedToken> = Vec::new();
        for (jti, at) in self.spent.iter() {
            let before = tokens.last();
            tokens.push(MovedToken {
                // It was made when the one before was spent.
                token: token(jti, before.and_then(|t| t.blacklisted_at).unwrap_or(self.created_at)),
                parent_jti: before.map(|before| before.token.jti.clone()),
                access_jti: None,
                used_at: at,
                blacklisted_at: Some(at),
            });
        }
        tokens.push(MovedToken {
            token: token(&self.jti, self.issued_at),
            parent_jti: tokens.last().map(|before| before.token.jti.clone()),
            access_jti: self.access_jti.clone(),
            used_at: self.used_at,
            blacklisted_at: self.blacklisted_at,
        });
        tokens
    }

    /// Returns the row that stays behind.
    pub(crate) fn moved(&self, at: Timestamp) -> Self {
        Self { ended_at: Some(at), end_reason: Some(MOVED.to_owned()), ..self.changed() }
    }
}
