//! A user's sessions: what upstream has no views for.

use http::request::Parts;
use http::{Method, StatusCode};

use super::{Answer, token_of};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::service::{Auth, Caller};
use crate::store::session::{EndReason, Session, SessionSelector};
use crate::users::UserId;
use crate::web::form::{form_pairs, unquote_path};
use crate::web::object::{Json, object};

/// `GET sessions/`, for staff with `?user=`.
pub(super) async fn list(auth: &Auth, parts: &Parts) -> Answer {
    let token = token_of(auth, parts).await?;
    let caller = auth.caller(&token)?;
    let user = whose(auth, parts, &caller).await?;
    let sessions = auth.sessions_of(&user).await?;
    let current = caller.session.as_deref();
    let list = sessions.iter().map(|session| shown(session, current)).collect();
    Ok((StatusCode::OK, Json::List(list)))
}

/// `DELETE sessions/<id>/`: one's own, or for staff anybody's.
pub(super) async fn end(auth: &Auth, parts: &Parts) -> Answer {
    let token = token_of(auth, parts).await?;
    let caller = auth.caller(&token)?;
    let id = id(parts);
    let own = SessionSelector::One { id: id.clone(), user_id: Some(caller.user_id) };
    if auth.end_sessions(own, EndReason::Logout).await? > 0 {
        return Ok((StatusCode::NO_CONTENT, object([])));
    }
    // Whether there is such a session is nobody else's business.
    match staff(auth, parts).await {
        Ok(()) => {}
        Err(Error::PermissionDenied) => return Err(Error::NoSuchSession.into()),
        Err(error) => return Err(error.into()),
    }
    match auth.end_sessions(SessionSelector::One { id, user_id: None }, EndReason::Staff).await? {
        0 => Err(Error::NoSuchSession.into()),
        _ => Ok((StatusCode::NO_CONTENT, object([]))),
    }
}

/// Answers `GET` and `DELETE`; the caller answers the rest.
pub(super) async fn answer(auth: &Auth, parts: &Parts) -> Option<Answer> {
    match parts.method {
        Method::GET | Method::HEAD => Some(list(auth, parts).await),
        Method::DELETE => Some(end(auth, parts).await),
        _ => None,
    }
}

async fn whose(auth: &Auth, parts: &Parts, caller: &Caller) -> Result<UserId, Error> {
    let query = parts.uri.query().unwrap_or_default();
    let asked = form_pairs(query.as_bytes()).find(|(name, _)| name == "user");
    match asked.map(|(_, user)| UserId::from(user)) {
        Some(user) if user != caller.user_id => {
            staff(auth, parts).await?;
            auth.known_user(&user).await
        }
        _ => Ok(caller.user_id.clone()),
    }
}

/// Refuses whoever isn't staff, by the user's row: a token doesn't say.
pub(super) async fn staff(auth: &Auth, parts: &Parts) -> Result<(), Error> {
    let token = token_of(auth, parts).await?;
    let user = auth.user_of(&token).await?;
    if user.is_staff { Ok(()) } else { Err(Error::PermissionDenied) }
}

/// The last part of the path.
fn id(parts: &Parts) -> String {
    let path = parts.uri.path().trim_end_matches('/');
    unquote_path(path.rsplit('/').next().unwrap_or_default().as_bytes())
}

fn shown(session: &Session, current: Option<&str>) -> Json {
    let text = |text: &Option<String>| match text {
        Some(text) => Json::from(text.clone()),
        None => Json::Null,
    };
    object([
        ("id", session.id.clone().into()),
        ("created_at", time(session.created_at)),
        ("refreshed_at", time(session.refreshed_at)),
        ("expires_at", time(session.expires_at)),
        ("address", text(&session.client.address)),
        ("user_agent", text(&session.client.user_agent)),
        ("current", (current == Some(session.id.as_str())).into()),
    ])
}

/// As Django REST framework writes a datetime: ISO 8601 in UTC.
fn time(at: Timestamp) -> Json {
    let moment = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(jiff::Timestamp::MAX);
    let civil = jiff::tz::Offset::UTC.to_datetime(moment);
    let format = if at.as_micros().rem_euclid(1_000_000) == 0 { "%FT%TZ" } else { "%FT%T.%6fZ" };
    civil.strftime(format).to_string().into()
}
