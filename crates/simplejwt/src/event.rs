//! Events as values: logins, refreshes, sessions that end, users that change, and who did
//! it.
//!
//! The flows of [`Auth`](crate::Auth) tell of each [`Event`] once it has happened. Log lines are made of
//! them ([docs/logs.md](https://github.com/simplejwt/simplejwt/blob/main/docs/logs.md)), and an
//! application can [listen](crate::Auth::on_event). As JSON they have names that stay. None holds a
//! password, a token, a key or a hash.

mod cause;
mod client;
mod listeners;
mod log;
mod reason;
mod time;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::logging::{cut, without_tokens};
use crate::users::UserId;

pub use cause::{Act, Cause, Recorded};
pub use client::Client;
pub(crate) use listeners::Listeners;
pub use reason::{EndReason, LoginRefusal, SpentOutcome, TokenRefusal, UserChange};

/// Something that has happened, without when and by whom: that is in the [`EventRecord`].
///
/// As JSON, the member `event` is the [`name`](Self::name) and what isn't known isn't there.
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
        /// Who.
        user_id: UserId,
        /// The session that was opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
    },
    /// A login was refused.
    LoginRefused {
        /// The name that was sent: at most 150 characters of it, with tokens taken out.
        username: String,
        /// The user, where the credentials were right.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// Why.
        reason: LoginRefusal,
    },
    /// A refresh or sliding token was taken, and tokens were issued for it.
    Refreshed {
        /// The id of the token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
    },
    /// A spent token came again within `rotation_grace`, and was answered with its session's newest pair.
    RefreshRepeated {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// `true` if it came from another address than the first time.
        suspicious: bool,
    },
    /// A spent token came again, and was refused.
    SpentTokenPresented {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// The consequence for its session.
        outcome: SpentOutcome,
    },
    /// A token whose signature is good was refused for what the database knows of it.
    TokenRefused {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// Why.
        reason: TokenRefusal,
    },
    /// Somebody has logged out with a refresh token: its session has ended.
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
    /// A token was revoked as by RFC 7009. The session of a refresh or sliding token has ended with it.
    TokenRevoked {
        /// The token that was presented.
        #[serde(flatten)]
        token: PresentedToken,
        /// `true` for an access token, whose session goes on.
        is_access: bool,
    },
    /// Sessions were ended: one, or those of a user.
    SessionsEnded {
        /// Whose, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// The one that was ended; without it, those of the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
        /// The one of the user's that goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        except_session_id: Option<String>,
        /// Why.
        reason: EndReason,
        /// The number of sessions that hadn't ended before.
        ended: u64,
    },
    /// A user has another password.
    PasswordChanged {
        /// Whose.
        user_id: UserId,
    },
    /// A user was added, or is another than before.
    UserChanged {
        /// Who.
        user_id: UserId,
        /// In what.
        change: UserChange,
    },
}

/// The token that an event is about, by its names: they open nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresentedToken {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The session that it is in or names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

/// The one who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Actor {
    /// The user whom the event is about, or whoever has that user's password or token.
    #[default]
    User,
    /// Staff, by a program that knows who they are.
    Staff {
        /// Who they are.
        user_id: UserId,
    },
    /// Somebody at the command line.
    Operator {
        /// The account of the operating system, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    /// An OAuth client (RFC 6749).
    OauthClient {
        /// Its id.
        client_id: String,
    },
    /// The application itself, by a rule of its own.
    System,
}

/// An [`Event`], when it happened and who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// When it happened; in RFC 3339 as JSON.
    #[serde(with = "time")]
    pub at: Timestamp,
    /// The one who did it.
    #[serde(default)]
    pub actor: Actor,
    /// The origin of the request; empty without one.
    #[serde(default)]
    pub client: Client,
    /// The request's id in the log; `None` without a request, or where the edge doesn't tell.
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
    /// The record of an event at this time, by this actor and from this client, without a request's id.
    pub fn new(event: Event, at: Timestamp, actor: Actor, client: &Client) -> Self {
        let user_agent = client.user_agent.as_deref().map(|text| without_tokens(text).into_owned());
        let client = Client { address: client.address.clone(), user_agent };
        Self { at, actor, client, request_id: None, event, target: Target::default() }
    }
}

/// The module that a log line is of, where events of one kind come from several. These are names that
/// operators filter by, and stay where the code moves.
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
    /// A login that was refused, with the name that was sent made fit to be kept.
    pub fn login_refused(username: &str, user_id: Option<UserId>, reason: LoginRefusal) -> Self {
        let username = without_tokens(username);
        Self::LoginRefused { username: cut(&username).into_owned(), user_id, reason }
    }

    /// Its name, which stays: the member `event` of its JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LoggedIn { .. } => "logged_in",
            Self::LoginRefused { .. } => "login_refused",
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

    /// Its name in a security event token (RFC 8417 section 2) by OpenID's profiles CAEP 1.0 and RISC 1.0; `None` where they have nothing that says the same.
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
