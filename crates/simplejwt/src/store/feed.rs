//! The feed of revocations: a list that every process reads page by page, from where it left off.
//!
//! A page shows that it belongs to the same history as the one before. The numbers alone don't: a
//! standby that took over without the newest of them assigns them again. So each page also has the
//! marks at the number that it was requested from, and at the one to continue from.

mod page;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Recorded};
use crate::users::UserId;

pub(crate) use page::{Asked, Row};

/// Revocations in the order in which they became visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// At most as many as were asked for.
    pub entries: Vec<Revocation>,
    /// The sequence number to continue from: that of the last entry or, if these are all there are,
    /// the newest that was ever assigned. Smaller than the requested one only if the database was
    /// restored to an earlier state.
    pub sequence: i64,
    /// `true` if there are no more for now.
    pub complete: bool,
    /// The mark at the number that was requested, expired or not; `None` if there is none.
    pub before: Option<Mark>,
    /// The mark at [`sequence`](Self::sequence), expired or not; `None` if there is none.
    pub last: Option<Mark>,
    /// The database's timeline, if it has timelines (PostgreSQL).
    pub timeline: Option<String>,
}

/// The identity of the revocation at a sequence number, to compare with what was there before.
///
/// Ids of sessions and tokens are random and times are in microseconds, so two histories have the
/// same mark at the same number only if they have the same revocation there.
///
/// ```
/// use simplejwt::Timestamp;
/// use simplejwt::store::feed::Mark;
///
/// let at = Timestamp::from_secs(1);
/// assert_eq!(Mark::new("session", "a", at), Mark::new("session", "a", at));
/// assert_ne!(Mark::new("session", "a", at), Mark::new("session", "b", at));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// Creates the mark of a row, from the [words](RevocationSubject::words) of its subject and the
    /// time of the revocation.
    pub fn new(kind: &str, subject: &str, revoked_at: Timestamp) -> Self {
        Self(format!("{} {kind} {subject}", revoked_at.as_micros()))
    }
}

/// The tokens that a revocation covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RevocationSubject {
    /// Every access token with this `sid`.
    Session(String),
    /// The access token with this id.
    Token(String),
    /// Every access token of this user that has no `sid` and was issued at the time of the
    /// revocation or before.
    User(UserId),
}

impl RevocationSubject {
    /// Returns the word for the kind, and the id, as they are stored.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Session(id) => ("session", id),
            Self::Token(jti) => ("token", jti),
            Self::User(id) => ("user", id.as_str()),
        }
    }

    /// Returns the subject that was stored as these words; `None` for a kind that only a later
    /// version knows.
    pub fn from_words(kind: &str, id: String) -> Option<Self> {
        match kind {
            "session" => Some(Self::Session(id)),
            "token" => Some(Self::Token(id)),
            "user" => Some(Self::User(id.into())),
            _ => None,
        }
    }
}

/// Access tokens that are refused although their signature and times are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The tokens.
    pub subject: RevocationSubject,
    /// The time at which they were revoked.
    pub revoked_at: Timestamp,
    /// The latest `exp` of any of them: the revocation can be forgotten when that is
    /// [due](super::retention::Retention::due).
    pub expires_at: Timestamp,
}

/// The claims of an access token, for [`RevocationFeed::is_revoked`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessClaims {
    /// `sid`.
    pub session: Option<String>,
    /// The token's id.
    pub jti: Option<String>,
    /// The value of its user claim.
    pub user_id: Option<UserId>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
}

impl AccessClaims {
    /// Returns `true` if a revocation of this subject, made at `revoked_at`, covers this token.
    pub fn is_covered_by(&self, subject: &RevocationSubject, revoked_at: Timestamp) -> bool {
        match subject {
            RevocationSubject::Session(id) => self.session.as_ref() == Some(id),
            RevocationSubject::Token(jti) => self.jti.as_ref() == Some(jti),
            // A token without an `iat` may have been issued before.
            RevocationSubject::User(id) => {
                self.session.is_none()
                    && self.user_id.as_ref() == Some(id)
                    && self.issued_at.is_none_or(|issued_at| issued_at <= revoked_at)
            }
        }
    }
}

/// The revocations of access tokens, in the order in which they were made.
///
/// # Contract
/// - A call that returns `Ok` is durable; one that returns `Err` has changed nothing.
/// - Revocations become visible in the order of their sequence numbers: whoever has seen one has
///   seen all before it.
#[async_trait]
pub trait RevocationFeed: Send + Sync + 'static {
    /// Stores a revocation, usually of a single access token.
    async fn revoke(&self, revocation: &Revocation, act: &Act) -> Result<Recorded<()>, StoreError>;

    /// Returns at most `limit` of the revocations after a sequence number (0: from the beginning)
    /// whose `expires_at` is later than `at`. To get those that still count, pass what is
    /// [due](super::retention::Retention::due) as `at`. A store that doesn't fill in the
    /// [marks](Mark) must ensure that numbers never go back.
    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError>;

    /// Returns `true` if an access token with these claims is revoked, by a revocation whose
    /// `expires_at` is later than `at` (see [`revocations`](Self::revocations)), or if it names a
    /// session that has ended, doesn't exist or is another user's.
    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError>;

    /// Returns when there may be new revocations; never, if the database doesn't send notices. An
    /// error means that there will be no notices for now.
    async fn revocation_notice(&self) -> Result<(), StoreError>;
}
