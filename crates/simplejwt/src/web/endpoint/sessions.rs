//! `sessions/`, which has no upstream view: lists a user's sessions.

use http::StatusCode;

use super::call::{Answer, Call};
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Body, Cookies, Credentials, Field, LOGIN_DISABLED, NO_SUCH_USER,
    Operation, Outcome, PASSWORD_CHANGED, PERMISSION_DENIED, Place, Protocol, SESSIONS_DISABLED,
    Spec, USER_INACTIVE, USER_NOT_FOUND, Value, Verb,
};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::service::Caller;
use crate::store::session::Session;
use crate::users::UserId;
use crate::web::form::form_pairs;
use crate::web::object::{Json, object};

const USER: Field =
    Field::optional("user", Value::Text, "for staff: the id of the user whose sessions are listed")
        .in_the(Place::Query);

pub(super) const SPEC: Spec = Spec {
    path: "sessions/",
    base: Base::Prefix,
    name: "Sessions",
    description: "The user's sessions.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Get,
        summary: "Lists the user's sessions",
        credentials: Credentials::AccessToken,
        fields: &[USER],
        cookies: Cookies::Untouched,
        outcomes: &[
            Outcome::success(
                StatusCode::OK,
                "the sessions that haven't ended, the last refreshed first",
                Body::List(&[
                    Field::required("id", Value::Text, "the session"),
                    Field::required("created_at", Value::DateTime, "the time it was opened"),
                    Field::required(
                        "refreshed_at",
                        Value::DateTime,
                        "the time it was last refreshed",
                    ),
                    Field::required("expires_at", Value::DateTime, "the time its tokens expire"),
                    Field::required(
                        "address",
                        Value::Text,
                        "the address of its last refresh, or null",
                    ),
                    Field::required(
                        "user_agent",
                        Value::Text,
                        "the user agent of its login, or null",
                    ),
                    Field::required("current", Value::Boolean, "true if it is the current one"),
                ]),
            ),
            AMBIGUOUS_COOKIES,
            PERMISSION_DENIED,
            NO_SUCH_USER,
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
    let user = owner_of(call, &caller).await?;
    let sessions = call.auth.sessions_of(&user).await?;
    let current = caller.session.as_deref();
    let list = sessions.iter().map(|session| session_json(session, current)).collect();
    Ok(call.json(&Json::List(list)))
}

async fn owner_of(call: &Call<'_>, caller: &Caller) -> Result<UserId, Error> {
    let query = call.parts.uri.query().unwrap_or_default();
    let name = USER.name(call.options);
    let asked = form_pairs(query.as_bytes()).find(|(other, _)| other == name);
    match asked.map(|(_, user)| UserId::from(user)) {
        Some(user) if user != caller.user_id => {
            call.require_staff().await?;
            call.auth.known_user(&user).await
        }
        _ => Ok(caller.user_id.clone()),
    }
}

fn session_json(session: &Session, current: Option<&str>) -> Json {
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

/// Formats a time as Django REST framework does: ISO 8601 in UTC.
fn time(at: Timestamp) -> Json {
    let moment = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(jiff::Timestamp::MAX);
    let civil = jiff::tz::Offset::UTC.to_datetime(moment);
    let format = if at.as_micros().rem_euclid(1_000_000) == 0 { "%FT%TZ" } else { "%FT%T.%6fZ" };
    civil.strftime(format).to_string().into()
}
