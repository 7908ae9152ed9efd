//! `sessions/<id>/`, which has no upstream view: ends a session.

use http::StatusCode;
use http::request::Parts;

use super::call::{Answer, Call, empty};
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Body, Cookies, Credentials, Field, LOGIN_DISABLED, Operation, Outcome,
    PASSWORD_CHANGED, Place, Protocol, SESSIONS_DISABLED, Spec, USER_INACTIVE, USER_NOT_FOUND,
    Value, Verb,
};
use crate::error::Error;
use crate::store::session::{EndReason, SessionSelector};
use crate::web::form::unquote_path;

pub(super) const SPEC: Spec = Spec {
    path: "sessions/{id}/",
    base: Base::Prefix,
    name: "Session",
    description: "One of the user's sessions.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Delete,
        summary: "Ends one of the user's sessions; for staff, anyone's",
        credentials: Credentials::AccessToken,
        fields: &[Field::required("id", Value::Text, "the session").in_the(Place::Path)],
        cookies: Cookies::Untouched,
        // A session that doesn't exist, or is another user's, is also `not_found`.
        outcomes: &[
            Outcome::success(StatusCode::NO_CONTENT, "it has ended", Body::Empty),
            AMBIGUOUS_COOKIES,
            USER_NOT_FOUND,
            USER_INACTIVE,
            PASSWORD_CHANGED,
            LOGIN_DISABLED,
            SESSIONS_DISABLED,
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let token = call.access_token().await?;
    let caller = call.auth.caller(&token)?;
    let id = id(call.parts);
    let own = SessionSelector::One { id: id.clone(), user_id: Some(caller.user_id) };
    if call.auth.end_sessions(own, EndReason::Logout).await? > 0 {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    // The existence of a session is revealed only to its owner and staff.
    let staff = match call.require_staff().await {
        Ok(staff) => staff,
        Err(Error::PermissionDenied) => return Err(Error::NoSuchSession.into()),
        Err(error) => return Err(error.into()),
    };
    let auth = call.auth.acting_as(staff);
    match auth.end_sessions(SessionSelector::One { id, user_id: None }, EndReason::Staff).await? {
        0 => Err(Error::NoSuchSession.into()),
        _ => Ok(empty(StatusCode::NO_CONTENT)),
    }
}

/// Returns the last part of the path.
fn id(parts: &Parts) -> String {
    let path = parts.uri.path().trim_end_matches('/');
    unquote_path(path.rsplit('/').next().unwrap_or_default().as_bytes())
}
