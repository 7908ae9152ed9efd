//! The log lines of events: docs/logs.md.
//!
//! The lines are older than the events. What an event contains beyond its line isn't added to it.

use super::{EndReason, Event, EventRecord, LoginRefusal, PresentedToken, Target, TokenRefusal};
use crate::users::UserId;

/// Writes the line of this event, if it has one.
pub(super) fn log(record: &EventRecord) {
    let client_address = record.client.address.as_deref();
    let user_agent = record.client.user_agent.as_deref();
    match &record.event {
        Event::LoggedIn { user_id, .. } => tracing::info!(
            target: "simplejwt::service",
            event = "login",
            client_address,
            user_agent,
            user_id = user_id.as_str(),
            "logged in"
        ),
        Event::LoginRefused { user_id, reason: LoginRefusal::TooManySessions, .. } => {
            tracing::warn!(
                target: "simplejwt::service",
                event = "session_limit_reached",
                client_address,
                user_agent,
                user_id = user_id.as_ref().map(UserId::as_str),
                "login refused: too many sessions"
            );
        }
        Event::LoginRefused { username, .. } => tracing::warn!(
            target: "simplejwt::service",
            event = "login_refused",
            client_address,
            user_agent,
            username,
            "login refused"
        ),
        Event::Throttled { scope, username, retry_after } => tracing::warn!(
            target: "simplejwt::service",
            event = "throttled",
            client_address,
            user_agent,
            %scope,
            username,
            retry_after,
            "throttled: too many failures before"
        ),
        Event::SessionsEnded { user_id, reason: EndReason::Limit, ended, .. } => tracing::info!(
            target: "simplejwt::service",
            event = "sessions_evicted",
            client_address,
            user_agent,
            user_id = user_id.as_ref().map(UserId::as_str),
            ended,
            "sessions ended to make room"
        ),
        Event::SessionsEnded { user_id, session_id, except_session_id, reason, ended } => {
            tracing::info!(
                target: "simplejwt::service::sessions",
                event = "sessions_ended",
                client_address,
                user_agent,
                session_id,
                user_id = user_id.as_ref().map(UserId::as_str),
                except_session_id,
                %reason,
                ended,
                "sessions ended"
            );
        }
        Event::Refreshed { .. }
        | Event::RefreshRepeated { .. }
        | Event::SpentTokenPresented { .. }
        | Event::LoggedOut { .. }
        | Event::TokenBlacklisted { .. }
        | Event::TokenRevoked { .. } => used(record),
        Event::TokenRefused { token, reason } => refused(record, token, *reason),
        // Nobody has asked for lines of these yet.
        Event::PasswordChanged { .. } | Event::UserChanged { .. } => {}
    }
}

/// Writes the line of an event about a token that was used.
fn used(record: &EventRecord) {
    let client_address = record.client.address.as_deref();
    let user_agent = record.client.user_agent.as_deref();
    match &record.event {
        Event::Refreshed { token } if token.session_id.is_some() => {
            let (jti, session_id, user_id) = names(token);
            tracing::debug!(
                target: "simplejwt::service::refresh",
                event = "refresh",
                client_address,
                user_agent,
                jti,
                session_id,
                user_id,
                "refreshed"
            );
        }
        Event::RefreshRepeated { token, suspicious } => {
            let (jti, session_id, user_id) = names(token);
            tracing::info!(
                target: "simplejwt::service::refresh",
                event = "refresh_repeated",
                client_address,
                user_agent,
                jti,
                session_id,
                user_id,
                suspicious,
                "refresh token repeated: answered with the newest pair of its session"
            );
        }
        Event::SpentTokenPresented { token, outcome } => {
            spent(record, token, outcome.as_str());
        }
        Event::LoggedOut { token } => {
            let (jti, _, user_id) = names(token);
            tracing::info!(
                target: "simplejwt::service::sessions",
                event = "logout",
                client_address,
                user_agent,
                jti,
                user_id = user_id.unwrap_or_default(),
                "logged out"
            );
        }
        Event::TokenBlacklisted { token } => {
            let (jti, _, user_id) = names(token);
            tracing::info!(
                target: "simplejwt::service",
                event = "token_blacklisted",
                client_address,
                user_agent,
                jti,
                user_id = user_id.unwrap_or_default(),
                "token blacklisted"
            );
        }
        Event::TokenRevoked { token, is_access: true } => {
            let (jti, ..) = names(token);
            tracing::info!(
                target: "simplejwt::service::oauth",
                event = "token_revoked",
                client_address,
                user_agent,
                jti,
                "access token revoked"
            );
        }
        Event::TokenRevoked { token, is_access: false } => {
            let (jti, _, user_id) = names(token);
            tracing::info!(
                target: "simplejwt::service::oauth",
                event = "token_revoked",
                client_address,
                user_agent,
                jti,
                user_id = user_id.unwrap_or_default(),
                "token revoked"
            );
        }
        _ => {}
    }
}

fn spent(record: &EventRecord, token: &PresentedToken, outcome: &str) {
    let client_address = record.client.address.as_deref();
    let user_agent = record.client.user_agent.as_deref();
    let (jti, session_id, user_id) = names(token);
    match (session_id, outcome) {
        (None, _) => tracing::warn!(
            target: "simplejwt::service::refresh",
            event = "spent_token_presented",
            client_address,
            user_agent,
            jti,
            outcome,
            "spent refresh token presented again"
        ),
        (Some(_), "refused") => tracing::warn!(
            target: "simplejwt::service::refresh",
            event = "spent_token_presented",
            client_address,
            user_agent,
            jti,
            session_id,
            user_id,
            outcome,
            "spent refresh token presented again shortly after: refused, its session goes on"
        ),
        (Some(_), _) => tracing::warn!(
            target: "simplejwt::service::refresh",
            event = "spent_token_presented",
            client_address,
            user_agent,
            jti,
            session_id,
            user_id,
            outcome,
            "spent refresh token presented again: its session was ended"
        ),
    }
}

/// Writes the line of a token that was refused because of its state in the database.
fn refused(record: &EventRecord, token: &PresentedToken, reason: TokenRefusal) {
    let client_address = record.client.address.as_deref();
    let user_agent = record.client.user_agent.as_deref();
    let (jti, session_id, user_id) = names(token);
    match (reason, record.target) {
        (TokenRefusal::Blacklisted, _) => blacklisted(record, token),
        (TokenRefusal::SessionEnded, Target::Sessions) => tracing::warn!(
            target: "simplejwt::service::sessions",
            event = "ended_session_presented",
            client_address,
            user_agent,
            jti,
            user_id = user_id.unwrap_or_default(),
            "token of an ended session presented"
        ),
        (TokenRefusal::SessionEnded, _) => tracing::warn!(
            target: "simplejwt::service::refresh",
            event = "ended_session_presented",
            client_address,
            user_agent,
            jti,
            session_id,
            user_id,
            "token of an ended session presented"
        ),
        (TokenRefusal::SessionExpired, _) => tracing::info!(
            target: "simplejwt::service::refresh",
            event = "session_expired",
            client_address,
            user_agent,
            jti,
            session_id,
            user_id,
            "session has expired"
        ),
        (TokenRefusal::ForeignSession, _) => tracing::warn!(
            target: "simplejwt::service::sessions",
            event = "foreign_session_named",
            client_address,
            user_agent,
            jti,
            session_id,
            user_id = user_id.unwrap_or_default(),
            "token presented that names a session of another user: refused"
        ),
        (TokenRefusal::Unregistered, _) => tracing::warn!(
            target: "simplejwt::service::refresh",
            event = "unregistered_token_presented",
            client_address,
            user_agent,
            jti,
            session_id,
            user_id,
            "token past its expiry presented that isn't registered any more: refused, since it may \
             have been blacklisted"
        ),
        (TokenRefusal::PasswordChanged, _) if session_id.is_some() => {
            let reason = EndReason::Password;
            tracing::warn!(
                target: "simplejwt::service::refresh",
                event = "refresh_refused",
                client_address,
                user_agent,
                jti,
                session_id,
                user_id,
                %reason,
                "refresh refused: the password was changed, and the session was ended"
            );
        }
        (TokenRefusal::PasswordChanged | TokenRefusal::UserInactive, _) => {
            let reason = match reason {
                TokenRefusal::PasswordChanged => EndReason::Password,
                _ => EndReason::User,
            };
            tracing::warn!(
                target: "simplejwt::service::refresh",
                event = "refresh_refused",
                client_address,
                user_agent,
                jti,
                user_id,
                %reason,
                "refresh refused: the session was ended"
            );
        }
    }
}

fn blacklisted(record: &EventRecord, token: &PresentedToken) {
    let client_address = record.client.address.as_deref();
    let user_agent = record.client.user_agent.as_deref();
    let (jti, session_id, user_id) = names(token);
    match record.target {
        _ if session_id.is_some() => tracing::warn!(
            target: "simplejwt::service::refresh",
            event = "blacklisted_token_presented",
            client_address,
            user_agent,
            jti,
            session_id,
            user_id,
            "token that was blacklisted elsewhere presented: its session is over"
        ),
        Target::Service => tracing::warn!(
            target: "simplejwt::service",
            event = "blacklisted_token_presented",
            client_address,
            user_agent,
            jti,
            "blacklisted token presented"
        ),
        Target::Refresh => tracing::warn!(
            target: "simplejwt::service::refresh",
            event = "blacklisted_token_presented",
            client_address,
            user_agent,
            jti,
            "blacklisted token presented"
        ),
        Target::Sessions => tracing::warn!(
            target: "simplejwt::service::sessions",
            event = "blacklisted_token_presented",
            client_address,
            user_agent,
            jti,
            "blacklisted token presented"
        ),
    }
}

/// Returns the ids of the token, of its session and of its user.
fn names(token: &PresentedToken) -> (Option<&str>, Option<&str>, Option<&str>) {
    let user_id = token.user_id.as_ref().map(UserId::as_str);
    (token.jti.as_deref(), token.session_id.as_deref(), user_id)
}

#[cfg(test)]
mod tests;
