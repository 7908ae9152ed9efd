//! Events as values: logins, refreshes, ended sessions, changed users, and who did it.
//!
//! The flows of [`Auth`](crate::Auth) report each [`Event`] once it has happened. Log lines are
//! made from them ([docs/logs.md](https://github.com/simplejwt/simplejwt/blob/main/docs/logs.md)),
//! and an application can [listen](crate::Auth::on_event) to them. Their names in JSON are stable.
//! None contains a password, a token, a key or a hash.

mod cause;
mod client;
mod listeners;
mod log;
mod reason;
mod time;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{ThrottleScope, Throttled};
use crate::logging::{cut, without_tokens};
use crate::users::UserId;

pub use cause::{Act, Cause, Recorded};
pub use client::Client;
pub(crate) use listeners::Listeners;
pub use reason::{EndReason, LoginRefusal, SpentOutcome, TokenRefusal, UserChange};

/// Something that has happened. Its time and its actor are in the [`EventRecord`].
///
/// In JSON, the member `event` is the [`name`](Self::name), and unknown values are left out.
///
/// ```
/// use simplejwt::event::Event;
///
/// let event = Event::LoggedIn { user_id: "1".into(), session_id: None };
/// assert_eq!(serde_json::to_string(&event)?, r#"{"event":"logged_in","user_id":"1"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A user has logged in.
    LoggedIn {
        /// The user.
        user_id: UserId,
        /// The session that was opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
    },
    /// A login was refused.
    LoginRefused {
        /// The username as sent: at most 150 characters of it, with tokens removed.
        username: String,
        /// The user, if the credentials were correct.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// The reason.
        reason: LoginRefusal,
    },
    /// A request was throttled: there were too many failures before. Reported once until another one
    /// is answered.
    Throttled {
        /// The limit.
        scope: ThrottleScope,
        /// The username of a login, as in [`LoginRefused`](Self::LoginRefused).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        /// The seconds after which the client may try again.
        retry_after: u64,
    },
    /// A refresh or sliding token was accepted, and tokens were issued for it.
    Refreshed {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
    },
    /// A spent token was presented again within `rotation_grace`, and answered with its session's
    /// newest pair.
    RefreshRepeated {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// `true` if it came from a different address than the first time.
        suspicious: bool,
    },
    /// A spent token was presented again, and refused.
    SpentTokenPresented {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// The consequence for its session.
        outcome: SpentOutcome,
    },
    /// A token with a valid signature was refused because of its state in the database.
    TokenRefused {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// The reason.
        reason: TokenRefusal,
    },
    /// A user logged out with a refresh token, whose session has ended.
    LoggedOut {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
    },
    /// A token was put on the blacklist, and its session has ended.
    TokenBlacklisted {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
    },
    /// A token was revoked (RFC 7009). The session of a refresh or sliding token has ended with it.
    TokenRevoked {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// `true` for an access token, whose session hasn't ended.
        is_access: bool,
    },
    /// Sessions were ended: a single one, or those of a user.
    SessionsEnded {
        /// The user, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// The session that was ended; `None` if it was those of the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
        /// The user's session that wasn't ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        except_session_id: Option<String>,
        /// The reason.
        reason: EndReason,
        /// The number of sessions that hadn't ended before.
        ended: u64,
    },
    /// A user's password was changed.
    PasswordChanged {
        /// The user.
        user_id: UserId,
    },
    /// A user was added or changed.
    UserChanged {
        /// The user.
        user_id: UserId,
        /// The change.
        change: UserChange,
    },
}

/// The token that an event is about, by ids that don't give access.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresentedToken {
    /// The token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The session that it is in or names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The token's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

/// The actor behind an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Actor {
    /// The user whom the event is about, or whoever has that user's password or token.
    #[default]
    User,
    /// A staff member, through a program that knows who it is.
    Staff {
        /// The staff member.
        user_id: UserId,
    },
    /// Somebody at the command line.
    Operator {
        /// The operating system's account, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    /// An OAuth client (RFC 6749).
    OauthClient {
        /// The client's id.
        client_id: String,
    },
    /// The application itself, by a rule of its own.
    System,
}

/// An [`Event`], with its time and its actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The time at which it happened; in RFC 3339 format in JSON.
    #[serde(with = "time")]
    pub at: Timestamp,
    /// The actor.
    #[serde(default)]
    pub actor: Actor,
    /// The origin of the request; empty without one.
    #[serde(default)]
    pub client: Client,
    /// The request's id in the log; `None` without a request, or if the adapter doesn't supply it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// The module that the log line names.
    #[serde(skip)]
    pub(crate) target: Target,
}

impl EventRecord {
    /// Creates the record of an event at this time, by this actor and from this client, without a
    /// request id.
    pub fn new(event: Event, at: Timestamp, actor: Actor, client: &Client) -> Self {
        let user_agent = client.user_agent.as_deref().map(|text| without_tokens(text).into_owned());
        let client = Client { address: client.address.clone(), user_agent };
        Self { at, actor, client, request_id: None, event, target: Target::default() }
    }
}

/// The module that a log line names, if events of one kind come from several. Operators filter by
/// these names, which stay the same when code moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Target {
    /// `simplejwt::service`
    #[default]
    Service,
    /// `simplejwt::service::refresh`
    Refresh,
    /// `simplejwt::service::sessions`
    Sessions,
}

impl Event {
    /// Creates the event of a refused login, with a username that is safe to keep.
    pub fn login_refused(username: &str, user_id: Option<UserId>, reason: LoginRefusal) -> Self {
        let username = without_tokens(username);
        Self::LoginRefused { username: cut(&username).into_owned(), user_id, reason }
    }

    /// Creates the event of a throttled request, with a username that is safe to keep.
    pub fn throttled(throttled: &Throttled, username: Option<&str>) -> Self {
        let username = username.map(|name| cut(&without_tokens(name)).into_owned());
        let (scope, retry_after) = (throttled.scope(), throttled.retry_after());
        Self::Throttled { scope, username, retry_after }
    }

    /// Returns its stable name: the member `event` of its JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LoggedIn { .. } => "logged_in",
            Self::LoginRefused { .. } => "login_refused",
            Self::Throttled { .. } => "throttled",
            Self::Refreshed { .. } => "refreshed",
            Self::RefreshRepeated { .. } => "refresh_repeated",
            Self::SpentTokenPresented { .. } => "spent_token_presented",
            Self::TokenRefused { .. } => "token_refused",
            Self::LoggedOut { .. } => "logged_out",
            Self::TokenBlacklisted { .. } => "token_blacklisted",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::SessionsEnded { .. } => "sessions_ended",
            Self::PasswordChanged { .. } => "password_changed",
            Self::UserChanged { .. } => "user_changed",
        }
    }

    /// Returns its type as a security event token (RFC 8417 section 2), a URI from OpenID's
    /// profiles CAEP 1.0 and RISC 1.0; `None` if they have no equivalent.
    pub const fn uri(&self) -> Option<&'static str> {
        Some(match self {
            Self::LoggedIn { .. } => {
                "https://schemas.openid.net/secevent/caep/event-type/session-established"
            }
            Self::Refreshed { .. } => {
                "https://schemas.openid.net/secevent/caep/event-type/session-presented"
            }
            Self::SpentTokenPresented { outcome: SpentOutcome::SessionEnded, .. }
            | Self::LoggedOut { .. }
            | Self::SessionsEnded { except_session_id: None, .. } => {
                "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
            }
            Self::PasswordChanged { .. } => {
                "https://schemas.openid.net/secevent/caep/event-type/credential-change"
            }
            Self::UserChanged { change: UserChange::Disabled, .. } => {
                "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
            }
            Self::UserChanged { change: UserChange::Enabled, .. } => {
                "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
            }
            Self::UserChanged { change: UserChange::Deleted, .. } => {
                "https://schemas.openid.net/secevent/risc/event-type/account-purged"
            }
            Self::LoginRefused { .. }
            | Self::Throttled { .. }
            | Self::RefreshRepeated { .. }
            | Self::SpentTokenPresented { .. }
            | Self::TokenRefused { .. }
            | Self::TokenBlacklisted { .. }
            | Self::TokenRevoked { .. }
            | Self::SessionsEnded { .. }
            | Self::UserChanged { change: UserChange::Added, .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests;
