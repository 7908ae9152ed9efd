//! The feed of revocations: a list that every process reads on from where it was, page by page.
//!
//! A page shows that it belongs to the same history as the one before. The numbers alone don't: a standby that took over without the newest of them gives them away
//! again. So each page also tells what stands at the number that it was asked from, and at the
//! one to go on from.

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
    /// The sequence number to go on from: that of the last entry, or of the newest there has
    /// been, where these are all there are. Smaller than the one asked from only where the
    /// database was put back to an earlier state.
    pub sequence: i64,
    /// `true` if there are no more for now.
    pub complete: bool,
    /// The mark at the number that was asked from, expired or not; `None` where nothing stands there.
    pub before: Option<Mark>,
    /// The mark at [`sequence`](Self::sequence), expired or not; `None` where nothing stands there.
    pub last: Option<Mark>,
    /// Which line of history the database is on, where it tells: PostgreSQL's timeline.
    pub timeline: Option<String>,
}

/// The content of a sequence number, to be compared with what stood there before.
///
/// Ids of sessions and tokens are random and times are microseconds, so that two histories have
/// the same mark at the same number only where they have the same revocation there.
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
    /// That of a row: the [words](RevocationSubject::words) of its subject, and when it was revoked.
    pub fn new(kind: &str, subject: &str, revoked_at: Timestamp) -> Self {
        Self(format!("{} {kind} {subject}", revoked_at.as_micros()))
    }
}

/// The tokens that a revocation is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RevocationSubject {
    /// Every access token whose `sid` this is.
    Session(String),
    /// The access token whose id this is.
    Token(String),
    /// Every access token of this user that has no `sid` and was issued at the time of the
    /// revocation or before.
    User(UserId),
}

impl RevocationSubject {
    /// The word for the kind, and the id, as they are stored.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Session(id) => ("session", id),
            Self::Token(jti) => ("token", jti),
            Self::User(id) => ("user", id.as_str()),
        }
    }

    /// The subject that was stored as these words; `None` for a kind that only a later version knows.
    pub fn from_words(kind: &str, id: String) -> Option<Self> {
        match kind {
            "session" => Some(Self::Session(id)),
            "token" => Some(Self::Token(id)),
            "user" => Some(Self::User(id.into())),
            _ => None,
        }
    }
}

/// Access tokens that are to be refused although their signature and times are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which.
    pub subject: RevocationSubject,
    /// When they were revoked.
    pub revoked_at: Timestamp,
    /// The last `exp` of any of them: this can be forgotten when that is
    /// [due](super::retention::Retention::due).
    pub expires_at: Timestamp,
}

/// The claims of an access token, for [`RevocationFeed::is_revoked`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessClaims {
    /// `sid`.
    pub session: Option<String>,
    /// Its id.
    pub jti: Option<String>,
    /// The value of its user claim.
    pub user_id: Option<UserId>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
}

impl AccessClaims {
    /// `true` if a revocation of this subject, made at `revoked_at`, covers this token.
    pub fn is_covered_by(&self, subject: &RevocationSubject, revoked_at: Timestamp) -> bool {
        match subject {
            RevocationSubject::Session(id) => self.session.as_ref() == Some(id),
            RevocationSubject::Token(jti) => self.jti.as_ref() == Some(jti),
            // A token that doesn't say when it was issued may have been issued before.
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
/// - Revocations become visible in the order of their sequence numbers: who has seen one has
///   seen all before it.
#[async_trait]
pub trait RevocationFeed: Send + Sync + 'static {
    /// Revokes something: a single access token, mostly.
    async fn revoke(&self, revocation: &Revocation, act: &Act) -> Result<Recorded<()>, StoreError>;

    /// At most `limit` of the revocations after a sequence number (0: from the beginning) whose
    /// `expires_at` is later than `at`. What counts still is what isn't
    /// [due](super::retention::Retention::due): that is the time to ask with. A store that doesn't fill in what
    /// stands at the [marks](Mark) takes it upon itself that numbers never go back.
    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError>;

    /// `true` if an access token with these claims is revoked, by a revocation whose
    /// `expires_at` is later than `at` (see [`revocations`](Self::revocations)); also true where
    /// it names a session that has ended, isn't there or is another user's.
    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError>;

    /// Returns when there may be new revocations; never, where the database doesn't tell.
    /// An error means that nothing will be told for now.
    async fn revocation_notice(&self) -> Result<(), StoreError>;
}
