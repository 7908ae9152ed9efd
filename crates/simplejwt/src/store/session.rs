//! Sessions: the families of refresh tokens that begin with a login, and what has been revoked.
//!
//! A login opens a session; every rotation stays in it. The lineage is kept in tables of our
//! own (`simplejwt_*`), so that the tokens and the tables of upstream stay as they are. The rows
//! of upstream's blacklist decide who wins: a token is spent when, and only when, its id is
//! there.

use std::time::Duration;

use async_trait::async_trait;

use super::retention::Retention;
use super::{OutstandingToken, TokenStore};
use crate::clock::Timestamp;
use crate::error::{StoreError, can_be_id};
use crate::settings::Settings;
use crate::users::UserId;

pub use super::feed::{Mark, Revocations};
pub use crate::event::{Client, EndReason};
/// The row of the leases that [`SessionStore::ping_sessions`] writes.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) const PINGED: &str = "ping";

/// A session to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The session's id, which the claim `sid` holds: the id of its first refresh token.
    pub id: String,
    /// The value of the token's user claim.
    pub user_id: UserId,
    /// Who opened it.
    pub client: Client,
    /// The [fingerprint](crate::users::password_fingerprint) of the user's stored password
    /// hash; `None` doesn't tie the session to the password.
    pub password: Option<String>,
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When its newest token was made or last used.
    pub refreshed_at: Timestamp,
    /// When its newest token expires.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// The address of the last refresh (or login) and the user agent of the login.
    pub client: Client,
}

/// What of a [`Session`] costs the same to look up, however many tokens it has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHead {
    /// The session's id.
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// When the token that was asked for got a successor in the session, if it has one: it is
    /// spent since then, whatever the blacklist says.
    pub spent_at: Option<Timestamp>,
}

/// How many sessions a user may have at once, and what happens to one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionLimit {
    /// Those opened first are ended to make room.
    EvictOldest(u32),
    /// It isn't opened.
    Refuse(u32),
}

/// A login: a session and its first token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The session.
    pub session: NewSession,
    /// Its first token.
    pub token: OutstandingToken,
    /// The last `exp` that the token can have, which is how long its row in the session is kept:
    /// its `exp`, and of a sliding token what the last renewal can give.
    pub expires_at: Timestamp,
    /// How many sessions the user may have.
    pub limit: Option<SessionLimit>,
    /// The current time.
    pub at: Timestamp,
    /// Until when what is ended to make room has to be refused.
    pub horizon: Horizon,
}

/// How [`SessionStore::open`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Opening {
    /// The session is open; so many others were ended to make room.
    Opened {
        /// The sessions that were ended.
        evicted: u64,
    },
    /// The user has as many sessions as may be: nothing was changed.
    TooMany,
}

/// How long the end of a session is remembered: until these times are
/// [due](Retention::due).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// The last `exp` of a refresh or sliding token that can be in the session: until it is due
    /// the session's row says that it has ended.
    pub refresh: Timestamp,
    /// The last `exp` of an access token that can be in the session: until it is due the session
    /// stands among the [revocations](SessionStore::revocations).
    pub access: Timestamp,
}

impl Horizon {
    /// That of a session which ends at this time, with the lifetimes of these settings.
    pub fn of(settings: &Settings, at: Timestamp) -> Self {
        let retention = Retention::of(settings);
        Self { refresh: retention.last_refresh_exp(at), access: retention.last_access_exp(at) }
    }
}

/// What comes after a refresh token that is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextToken {
    /// Nothing: it stays as it is.
    None,
    /// Another one beside it (rotation without blacklisting).
    Added(OutstandingToken),
    /// Another one in its place.
    Rotated {
        /// The successor.
        token: OutstandingToken,
        /// The id of the access token that is handed out with it.
        access_jti: String,
    },
}

/// A refresh token that is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRefresh {
    /// The token, verified.
    pub token: OutstandingToken,
    /// What comes after it.
    pub next: NextToken,
    /// The session it joins if it is seen for the first time, opened if there is none with
    /// this id: as named by its `sid`, or by its own id. Its password is also what the password
    /// of a session seen before is compared with.
    pub session: NewSession,
    /// How long a spent token is answered with the newest pair of its session.
    pub grace: Duration,
    /// How long a spent token that comes again is refused and ends nothing.
    pub tolerance: Duration,
    /// How long a session may go without a refresh.
    pub idle: Option<Duration>,
    /// How long a session may last.
    pub lifetime: Option<Duration>,
    /// The current time.
    pub at: Timestamp,
    /// How long the end of the session is remembered, should this be it.
    pub horizon: Horizon,
}

impl SessionRefresh {
    /// How often the use of a token that isn't rotated is noted.
    pub const USE_INTERVAL: Duration = Duration::from_secs(60);

    /// Whether a token that was spent at this time is answered again. Never without a grace, also
    /// where the clock of who spent it is ahead.
    pub fn is_within_grace(&self, spent_at: Timestamp) -> bool {
        !self.grace.is_zero() && spent_at + self.grace > self.at
    }

    /// Whether a token that was spent at this time is refused without ending anything. Never
    /// without a tolerance, also where the clock of who spent it is ahead.
    pub fn is_within_tolerance(&self, spent_at: Timestamp) -> bool {
        !self.tolerance.is_zero() && spent_at + self.tolerance > self.at
    }

    /// The same of a token that somebody else blacklisted, at this time as the column has it.
    ///
    /// Django without `USE_TZ` writes the time of its zone there, which is off by quarters of an
    /// hour, 14 hours at most. Nobody can tell by how many, so that this is the tolerance by the
    /// clock of every zone; a clock may be ahead by as much as the tolerance.
    pub fn is_within_tolerance_in_any_zone(&self, blacklisted_at: Timestamp) -> bool {
        const QUARTER: i64 = 15 * 60 * 1_000_000;
        const FARTHEST: u64 = 14 * 60 * 60 * 1_000_000;
        let tolerance = i64::try_from(self.tolerance.as_micros()).unwrap_or(i64::MAX);
        let apart = self.at.as_micros().saturating_sub(blacklisted_at.as_micros());
        let beyond = apart.rem_euclid(QUARTER);
        let is_soon = beyond < tolerance || QUARTER - beyond < tolerance;
        is_soon && apart.unsigned_abs() < FARTHEST.saturating_add(tolerance.unsigned_abs())
    }

    /// When a token was spent whose successor this is. One that was still good when it was
    /// presented wasn't spent before, whatever the successor is dated with: its transaction took
    /// that long.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        allow(dead_code, reason = "elsewhere a transaction is seen as soon as it is dated")
    )]
    pub(crate) fn spent_at(&self, successor: &Descendant, was_good: bool) -> Timestamp {
        let made_at = successor.successor.created_at;
        if was_good { made_at.max(self.at) } else { made_at }
    }

    /// Whether a session that was opened at one time, and whose token was made or last used at
    /// the other, has lasted too long or was idle too long.
    pub(crate) fn is_over(&self, opened_at: Timestamp, used_at: Timestamp) -> bool {
        let passed = |limit: Option<Duration>, since: Timestamp| {
            limit.is_some_and(|limit| since + limit <= self.at)
        };
        passed(self.lifetime, opened_at) || passed(self.idle, used_at)
    }

    /// Whether the session was opened with another password than the user's of now.
    pub(crate) fn has_other_password(&self, opened_with: Option<&str>) -> bool {
        match (opened_with, self.session.password.as_deref()) {
            (Some(then), Some(now)) => then != now,
            _ => false,
        }
    }

    /// Whether this is the id of the successor that this very call wants to store.
    pub(crate) fn is_own(&self, jti: &str) -> bool {
        matches!(&self.next, NextToken::Rotated { token, .. } if token.jti == jti)
    }
}

/// The newest token of a session that comes of a spent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Its id.
    pub jti: String,
    /// The id of the access token that was handed out with it.
    pub access_jti: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it was made for a client with the same address.
    pub same_address: bool,
}

/// A token that comes of a spent one, as a store finds it.
#[derive(Debug)]
pub(crate) struct Descendant {
    /// What would be answered.
    pub(crate) successor: Successor,
    /// When it was made or last used.
    pub(crate) used_at: Timestamp,
    /// Whether it is spent in its turn: it has a successor in the session.
    pub(crate) is_spent: bool,
    /// Whether it is neither blacklisted nor expired.
    pub(crate) is_good: bool,
}

impl Descendant {
    /// How many rotations are followed from a spent token to the newest one.
    pub(crate) const FARTHEST: usize = 100;

    /// What a token that was spent within the grace comes to, this being the last of its
    /// descendants that was looked at; `None` where it counts as one that was spent before.
    pub(crate) fn answer(
        self,
        refresh: &SessionRefresh,
        opened_at: Timestamp,
        opened_with: Option<&str>,
    ) -> Option<Refreshing> {
        if self.is_spent {
            return Some(Refreshing::Replayed);
        }
        if !self.is_good {
            return None;
        }
        Some(if refresh.is_over(opened_at, self.used_at) {
            Refreshing::Expired
        } else if refresh.has_other_password(opened_with) {
            Refreshing::PasswordChanged
        } else {
            Refreshing::Repeated(self.successor)
        })
    }
}

/// How [`SessionStore::refresh`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Refreshing {
    /// The token was good, and what comes after it is stored.
    Refreshed,
    /// The token was spent less than `grace` ago, and this is the newest one that comes of it:
    /// nothing was changed.
    Repeated(Successor),
    /// The token was spent less than `tolerance` ago: it is refused, and nothing was changed.
    Replayed,
    /// The token was spent before: a theft or a fault. This call has ended the session.
    Reused,
    /// The token is blacklisted and has no successor in the session: somebody else did it, longer
    /// than `tolerance` ago. The session has ended, by this call or before.
    Blacklisted,
    /// The token's `exp` has passed and it isn't registered any more, so that nobody can tell
    /// whether it was blacklisted: nothing was changed.
    Forgotten,
    /// The session that the token names is another user's: nothing was changed.
    Foreign,
    /// The session had ended before: nothing was changed.
    Ended,
    /// The session was idle too long or has lasted too long. This call has ended it.
    Expired,
    /// The user's password is another than the session was opened with: nothing was changed.
    PasswordChanged,
}

/// Which sessions to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one with this id; of this user, where one is named.
    One {
        /// The session's id.
        id: String,
        /// Whose it has to be.
        user_id: Option<UserId>,
    },
    /// Every session of a user, but perhaps this one; and every token of the user that is in
    /// none.
    All {
        /// Whose sessions.
        user_id: UserId,
        /// The id of the session that stays.
        except: Option<String>,
    },
}

impl Which {
    /// Whether any session can be meant: none has an id or a user that the tables can't hold.
    pub(crate) fn can_be_there(&self) -> bool {
        let user_can = |user_id: &UserId| can_be_id(user_id.as_str());
        match self {
            Self::One { id, user_id } => can_be_id(id) && user_id.as_ref().is_none_or(user_can),
            Self::All { user_id, .. } => user_can(user_id),
        }
    }
}

/// Sessions to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSessions {
    /// Which.
    pub which: Which,
    /// Why.
    pub reason: EndReason,
    /// The current time.
    pub at: Timestamp,
    /// How long it is remembered.
    pub horizon: Horizon,
}

/// What has been revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Every access token whose `sid` this is.
    Session(String),
    /// The access token whose id this is.
    Token(String),
    /// Every access token of this user that has no `sid` and was issued at the time of the
    /// revocation or before.
    User(UserId),
}

impl Subject {
    /// The word for the kind, and the id, as they are stored.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Session(id) => ("session", id),
            Self::Token(jti) => ("token", jti),
            Self::User(id) => ("user", id.as_str()),
        }
    }

    /// What was stored; `None` for a kind of a later version's.
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
    pub subject: Subject,
    /// When they were revoked.
    pub revoked_at: Timestamp,
    /// The last `exp` of any of them: this can be forgotten when that is
    /// [due](Retention::due).
    pub expires_at: Timestamp,
}

/// What an access token says of itself, for [`SessionStore::is_revoked`].
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
    /// Whether a revocation of this subject, made at `revoked_at`, is one of this token.
    pub fn is_covered_by(&self, subject: &Subject, revoked_at: Timestamp) -> bool {
        match subject {
            Subject::Session(id) => self.session.as_ref() == Some(id),
            Subject::Token(jti) => self.jti.as_ref() == Some(jti),
            // A token that doesn't say when it was issued may have been issued before.
            Subject::User(id) => {
                self.session.is_none()
                    && self.user_id.as_ref() == Some(id)
                    && self.issued_at.is_none_or(|issued_at| issued_at <= revoked_at)
            }
        }
    }
}

/// A [`TokenStore`] that knows which tokens belong together.
///
/// # Contract
/// As that of [`TokenStore`], and:
/// - Each method is one transaction, unless it says otherwise.
/// - Ending a session blacklists its live tokens, stores a [`Revocation`] of it, and is final.
///   A refresh beside it comes before or after: either it finds its token blacklisted, or its
///   successor is blacklisted too.
/// - Of any number of concurrent refreshes that rotate one token, exactly one stores its
///   successor.
/// - Revocations become visible in the order of their sequence numbers: who has seen one has
///   seen all before it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no sessions",
    label = "`SessionStore` isn't implemented for `{Self}`",
    note = "hand a store that only implements `TokenStore` to `Auth::with_store`; sessions need `SessionStore` as well, whose suite is `simplejwt::store::conformance::sessions` (feature `testing`)"
)]
#[async_trait]
pub trait SessionStore: TokenStore {
    /// Opens a session and registers its first token. With a limit, of any number of concurrent
    /// logins no more than so many leave a session that is live: not ended, its newest token
    /// neither expired nor blacklisted.
    async fn open(&self, open: &OpenSession) -> Result<Opening, StoreError>;

    /// Takes a refresh token. What is looked at, in this order:
    ///
    /// 1. A token that is in no session joins `session` (opened if it isn't there), and is
    ///    registered if it isn't. Where that session is another user's: [`Refreshing::Foreign`].
    ///    Where the token isn't registered and its `expires_at` has passed:
    ///    [`Refreshing::Forgotten`].
    /// 2. The session has ended: [`Refreshing::Ended`]. A token that has only just joined it is
    ///    blacklisted.
    /// 3. The token is spent: it has a successor in the session, whatever the blacklist says, or
    ///    it is blacklisted. It was spent when the successor was made, or else when it was
    ///    blacklisted.
    ///    - The successor is this call's own `next`: [`Refreshing::Refreshed`] (an answer got lost
    ///      on the way from the database).
    ///    - It was replaced [within the grace](SessionRefresh::is_within_grace), and the newest
    ///      token that comes of it is neither blacklisted nor expired: what 4 and 5 say of that
    ///      one, or [`Refreshing::Repeated`]. A store may give up looking for the newest after
    ///      100 rotations: [`Refreshing::Replayed`].
    ///    - It was spent [within the tolerance](SessionRefresh::is_within_tolerance), or without a
    ///      successor [by any zone's clock](SessionRefresh::is_within_tolerance_in_any_zone):
    ///      [`Refreshing::Replayed`].
    ///    - Otherwise [`Refreshing::Reused`] with a successor, [`Refreshing::Blacklisted`] without.
    /// 4. `lifetime` has passed since the session was opened, or `idle` since the token was made
    ///    or last used: [`Refreshing::Expired`].
    /// 5. Both the session and `session` have a password and they differ:
    ///    [`Refreshing::PasswordChanged`].
    /// 6. The token isn't registered any more: where its `expires_at` has passed,
    ///    [`Refreshing::Forgotten`]; otherwise it is registered anew.
    /// 7. `next` is registered and joins the session; where it takes the token's place, that
    ///    is blacklisted. Where there is no `next`, the token's time of use is brought up to
    ///    date, if it is more than a minute old.
    ///
    /// What has to be ended is ended when this returns, by the same transaction.
    async fn refresh(&self, refresh: &SessionRefresh) -> Result<Refreshing, StoreError>;

    /// The session with this id, ended or not.
    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError>;

    /// The session that the refresh token with this id is in, ended or not. Touches none of the
    /// session's other tokens.
    async fn session_of(&self, jti: &str) -> Result<Option<SessionHead>, StoreError>;

    /// Whether the refresh or sliding token with this id is good no longer: it stands on the
    /// blacklist, has a successor that took its place in its session, or the session has ended.
    /// The latter two count also where somebody else has deleted the rows of the blacklist.
    async fn is_spent(&self, jti: &str) -> Result<bool, StoreError>;

    /// The live sessions of a user: not ended, the newest token neither expired at `at` nor
    /// blacklisted. The one refreshed last comes first.
    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends sessions; how many there were that hadn't ended before. Ending all sessions of a
    /// user may take several transactions, of a bounded size each; those that are opened in the
    /// meantime may stay. Where tokens that are in no session are ended too, a [`Subject::User`]
    /// is revoked, until [`Horizon::refresh`]: these are tokens of others, who may have other
    /// lifetimes.
    async fn end_sessions(&self, end: &EndSessions) -> Result<u64, StoreError>;

    /// The user's password hash was rewritten although the password is the same: sessions that
    /// were tied to the fingerprint `old` are tied to `new`.
    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError>;

    /// Revokes something: a single access token, mostly.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError>;

    /// At most `limit` of the revocations after a sequence number (0: from the beginning) whose
    /// `expires_at` is later than `at`. What counts still is what isn't
    /// [due](Retention::due): that is the time to ask with. A store that doesn't fill in what
    /// stands at the [marks](Mark) takes it upon itself that numbers never go back.
    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError>;

    /// Whether an access token that says this of itself is revoked, by a revocation whose
    /// `expires_at` is later than `at` (see [`revocations`](Self::revocations)); also true where
    /// it names a session that has ended, isn't there or is another user's.
    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError>;

    /// Returns when there may be new revocations; never, where the database doesn't tell.
    /// An error means that nothing will be told for now.
    async fn revocation_notice(&self) -> Result<(), StoreError>;

    /// Deletes at most `batch` rows each of tokens in sessions, of sessions without tokens, and
    /// of revocations whose `expires_at` is `before` or earlier; how many in all. 0 means that
    /// there are no more: a store may count what it has only looked at and put off. `before` is
    /// what is [due](Retention::sessions_due).
    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError>;

    /// Whether sessions can be kept just now: what that reads and writes is tried without changing a
    /// row, and a commit proves that the disk takes it. `at` is the current time, and another with
    /// each call.
    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError>;

    /// Takes or renews a lease on a piece of work, until `until`; whether `holder` has it. Of
    /// any number of holders at most one does.
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
}
