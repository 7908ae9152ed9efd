//! Logging out, and a user's sessions: what upstream has no views for.

use http::request::Parts;
use http::{Method, StatusCode};

use super::{Answer, EndpointOptions, Refusal, Reply, cookies, invalid, token_of};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::service::{Auth, Caller, Scope};
use crate::store::session::{EndReason, Session, Which};
use crate::users::UserId;
use crate::web::body::Data;
use crate::web::form::{form_pairs, unquote_path};
use crate::web::object::{Json, object, texts};
use crate::web::validate::{self, Kind};

/// `POST logout/`: by an access token, or by a refresh token.
///
/// With cookies, both are removed if the session that asks is among the ended ones; and a browser
/// whose tokens are no good any more is as logged out as can be.
pub(super) async fn log_out(
    auth: &Auth,
    options: &EndpointOptions,
    parts: &Parts,
    data: &Data,
) -> Result<Reply, Refusal> {
    let asked = Asked::of(data)?;
    let settings = auth.settings();
    let by_cookie = asked.refresh.is_none() && cookies::has_any(parts, settings);
    let removes = by_cookie && asked.user.is_none() && asked.scope != Scope::Others;
    let ended = match end_asked(auth, parts, asked).await {
        Err(Refusal::Flow(error)) if removes && is_moot(&error) => 0,
        // The blacklist is what there is without sessions.
        Err(Refusal::Flow(Error::SessionsDisabled)) if removes => {
            let refresh = cookies::standing_for("refresh", parts, settings);
            match refresh.filter(|_| settings.token_blacklist) {
                Some(refresh) => match auth.blacklist(&refresh).await {
                    Ok(()) => 1,
                    Err(error) if is_moot(&error) => 0,
                    Err(error) => return Err(error.into()),
                },
                None => 0,
            }
        }
        other => other?,
    };
    let headers = if removes { cookies::remove(settings, parts, options) } else { Vec::new() };
    Ok(Reply { status: StatusCode::OK, body: object([("ended", Json::Number(ended))]), headers })
}

/// Whether an error says that there is nothing left to log out of.
fn is_moot(error: &Error) -> bool {
    matches!(error, Error::NotAuthenticated | Error::Token(_) | Error::TokenNotValid(_))
}

/// What a request asks to be logged out of.
struct Asked {
    scope: Scope,
    refresh: Option<String>,
    user: Option<String>,
}

impl Asked {
    fn of(data: &Data) -> Result<Self, Refusal> {
        let text = |name| validate::optional(data, name, Kind::Trimmed).map_err(invalid);
        let scope = match text("scope")? {
            None => Scope::This,
            Some(scope) => Scope::parse(&scope).ok_or_else(|| bad_choice("scope", &scope))?,
        };
        Ok(Self { scope, refresh: text("refresh")?, user: text("user")? })
    }
}

/// Ends what is asked for; how many sessions there were.
async fn end_asked(auth: &Auth, parts: &Parts, asked: Asked) -> Result<u64, Refusal> {
    let Asked { scope, refresh, user } = asked;
    let cookie = match &refresh {
        Some(_) => None,
        None => cookies::standing_for("refresh", parts, auth.settings()),
    };
    let is_cookie = cookie.is_some();
    let refresh = refresh.or(cookie);
    let caller = match token_of(auth, parts).await {
        Ok(token) => {
            let caller = auth.caller(&token)?;
            match &refresh {
                Some(refresh) => {
                    let holder = auth.caller_of_refresh(refresh).await?;
                    // Two tokens of two users: nobody to log out.
                    if holder.user_id != caller.user_id {
                        return Err(Error::PermissionDenied.into());
                    }
                    Caller { session: holder.session, ..caller }
                }
                None => caller,
            }
        }
        // The refresh token alone proves whose session it is. Beside a cookie that has it, the
        // access token's may have run out.
        Err(error)
            if matches!(error, Error::NotAuthenticated)
                || is_cookie && matches!(error, Error::TokenNotValid(_)) =>
        {
            match &refresh {
                Some(refresh) => auth.caller_of_refresh(refresh).await?,
                None => return Err(Error::NotAuthenticated.into()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    // The token's session, whether it has been seen here or not.
    if let (Scope::This, Some(refresh), None) = (scope, &refresh, &user) {
        return Ok(auth.log_out_with(refresh).await?);
    }
    Ok(match user.map(UserId::from).filter(|user| *user != caller.user_id) {
        None => auth.log_out(&caller, scope).await?,
        Some(user_id) => {
            staff(auth, parts).await?;
            let user_id = auth.known_user(&user_id).await?;
            if scope != Scope::All {
                return Err(invalid(object([(
                    "scope",
                    texts(["Of another user, only \"all\" can be ended."]),
                )])));
            }
            auth.end_sessions(Which::All { user_id, except: None }, EndReason::Staff).await?
        }
    })
}

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
    let own = Which::One { id: id.clone(), user_id: Some(caller.user_id) };
    if auth.end_sessions(own, EndReason::Logout).await? > 0 {
        return Ok((StatusCode::NO_CONTENT, object([])));
    }
    // Whether there is such a session is nobody else's business.
    match staff(auth, parts).await {
        Ok(()) => {}
        Err(Error::PermissionDenied) => return Err(Error::NoSuchSession.into()),
        Err(error) => return Err(error.into()),
    }
    match auth.end_sessions(Which::One { id, user_id: None }, EndReason::Staff).await? {
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
async fn staff(auth: &Auth, parts: &Parts) -> Result<(), Error> {
    let token = token_of(auth, parts).await?;
    let user = auth.user_of(&token).await?;
    if user.is_staff { Ok(()) } else { Err(Error::PermissionDenied) }
}

/// The last part of the path.
fn id(parts: &Parts) -> String {
    let path = parts.uri.path().trim_end_matches('/');
    unquote_path(path.rsplit('/').next().unwrap_or_default().as_bytes())
}

fn bad_choice(field: &'static str, value: &str) -> Refusal {
    invalid(object([(field, texts([format!("\"{value}\" is not a valid choice.")]))]))
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
