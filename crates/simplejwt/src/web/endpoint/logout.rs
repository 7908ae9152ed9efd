//! `logout/`, which has no upstream view: ends the sessions of the presented tokens.

use http::StatusCode;

use super::call::{Answer, Call, Refusal, invalid};
use super::cookies::{self, RefreshCookies};
use super::spec::{
    Base, Body, Cookies, Credentials, Field, LOGIN_DISABLED, NO_SUCH_USER, Operation, Outcome,
    PASSWORD_CHANGED, PERMISSION_DENIED, Protocol, SESSIONS_DISABLED, Spec, USER_INACTIVE,
    USER_NOT_FOUND, Value, Verb,
};
use crate::error::Error;
use crate::service::{Auth, Caller, Scope};
use crate::store::session::{EndReason, SessionSelector};
use crate::token::Refresh;
use crate::users::UserId;
use crate::web::object::{Json, object, texts};
use crate::web::request;
use crate::web::transport::{AccessTokens, access_tokens};

const SCOPE: Field = Field::optional(
    "scope",
    Value::Choice(&[Scope::This.as_str(), Scope::Others.as_str(), Scope::All.as_str()]),
    "the sessions to end: the current one (the default), the user's others, or all",
);
const REFRESH: Field = Field::optional(
    "refresh",
    Value::Token,
    "a refresh token of the session; sufficient by itself, and needed for `this` and `others` if \
     the access token has no `sid`",
);
const USER: Field = Field::optional(
    "user",
    Value::Text,
    "for staff: the id of the user whose sessions end; only with the scope `all`",
);

pub(super) const SPEC: Spec = Spec {
    path: "logout/",
    base: Base::Prefix,
    name: "Logout",
    description: "Ends the session of a token, the user's other sessions, or all of them.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Ends the current session, the user's others, or all",
        credentials: Credentials::AccessTokenOrField,
        fields: &[SCOPE, REFRESH, USER],
        cookies: Cookies::Removal,
        outcomes: &[
            Outcome::success(
                StatusCode::OK,
                "the number of sessions ended",
                Body::Object(&[Field::required("ended", Value::Integer, "the number of sessions")]),
            ),
            Outcome::refusal(
                StatusCode::BAD_REQUEST,
                "session_unknown",
                "the access token doesn't identify its session, and there is no `refresh`",
            ),
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

/// Logs out by access tokens and refresh tokens, wherever they are presented. Each valid token
/// identifies its session, which is ended; invalid ones among them change nothing. If nothing was
/// ended, the request fails.
///
/// With cookies, both are removed if the current session is among those ended.
pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let (auth, options, parts) = (call.auth, call.options, call.parts);
    let asked = LogoutRequest::of(call)?;
    let by_cookie = cookies::has_any(auth, options, parts);
    let removes = by_cookie && asked.user.is_none() && asked.scope != Scope::Others;
    let presented = Presented::of(call, asked.refresh.clone()).await?;
    let ended = match end_requested(call, &asked, &presented).await {
        // Without sessions there is only the blacklist.
        Err(Refusal::Flow(Error::SessionsDisabled)) if removes => {
            blacklist_each(auth, presented).await.map_err(Refusal::Flow)
        }
        // No token was valid.
        Ok(None) => Err(presented.refusal.into()),
        Ok(Some(ended)) => Ok(ended),
        Err(refusal) => Err(refusal),
    };
    match ended {
        Ok(ended) => {
            let mut response = call.json(&object([("ended", Json::Number(ended))]));
            if removes {
                cookies::add(cookies::remove(auth, options, parts), &mut response);
            }
            Ok(response)
        }
        Err(Refusal::Flow(error))
            if removes && crate::web::status(&error) == StatusCode::UNAUTHORIZED =>
        {
            let headers = match RefreshCookies::of(auth, options, parts).all.is_empty() {
                // Nothing is left for a refresh to continue.
                true => cookies::remove(auth, options, parts),
                false => cookies::remove_dead(auth, options, parts).await,
            };
            Err(Refusal::RemovingCookies(error, headers))
        }
        Err(refusal) => Err(refusal),
    }
}

/// The fields of a logout request.
struct LogoutRequest {
    scope: Scope,
    refresh: Option<String>,
    user: Option<String>,
}

impl LogoutRequest {
    fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        let scope = match call.optional(&SCOPE)? {
            None => Scope::This,
            Some(scope) => Scope::parse(&scope).ok_or_else(|| bad_choice("scope", &scope))?,
        };
        Ok(Self { scope, refresh: call.optional(&REFRESH)?, user: call.optional(&USER)? })
    }
}

/// The tokens of a request.
struct Presented {
    /// The users of the valid access tokens.
    callers: Vec<Caller>,
    /// The refresh tokens, not yet verified: the body's, then those of cookies.
    refresh: Vec<String>,
    /// The reason why no access token is valid.
    refusal: Error,
}

impl Presented {
    async fn of(call: &Call<'_>, in_body: Option<String>) -> Result<Self, Error> {
        let (auth, options, parts) = (call.auth, call.options, call.parts);
        let sent = access_tokens(&parts.method, &parts.uri, &parts.headers, auth.settings())?;
        let each = match sent {
            AccessTokens::Cookies(tokens) => {
                tokens.into_iter().map(|token| AccessTokens::Cookies(vec![token])).collect()
            }
            other => vec![other],
        };
        let (mut callers, mut refusal) = (Vec::new(), Error::NotAuthenticated);
        for sent in each {
            let caller = request::verify(auth, &sent).await.and_then(|token| auth.caller(&token));
            match caller {
                Ok(caller) => callers.push(caller),
                Err(error) if error.is_internal() => return Err(error),
                Err(error) => refusal = error,
            }
        }
        let in_cookies = RefreshCookies::of(auth, options, parts).all;
        let mut refresh: Vec<String> = in_body.into_iter().collect();
        for token in in_cookies {
            if !refresh.contains(&token) {
                refresh.push(token);
            }
        }
        Ok(Self { callers, refresh, refusal })
    }
}

/// Ends the requested sessions and returns their number; `None` if no token was valid.
async fn end_requested(
    call: &Call<'_>,
    asked: &LogoutRequest,
    presented: &Presented,
) -> Result<Option<u64>, Refusal> {
    let auth = call.auth;
    let other = match asked.user.clone().map(UserId::from) {
        Some(user) => {
            let callers = callers_of(auth, presented).await?;
            Some(user).filter(|user| callers.iter().all(|caller| caller.user_id != *user))
        }
        None => None,
    };
    match other {
        Some(user) => end_by_staff(call, asked.scope, user).await.map(Some),
        None if asked.scope == Scope::This => Ok(end_each(auth, presented).await?),
        None => {
            let (mut ended, mut refusal) = (None, None);
            for caller in callers_of(auth, presented).await? {
                match auth.log_out(&caller, asked.scope).await {
                    Ok(count) => ended = Some(ended.unwrap_or(0) + count),
                    Err(error) => refusal = Some(refused(refusal, error)?),
                }
            }
            match (ended, refusal) {
                (None, Some(error)) => Err(error.into()),
                (ended, _) => Ok(ended),
            }
        }
    }
}

/// Ends the session of each token, known here or not.
async fn end_each(auth: &Auth, presented: &Presented) -> Result<Option<u64>, Error> {
    let (mut ended, mut refusal) = (0, None);
    for token in &presented.refresh {
        match auth.log_out_with(token).await {
            Ok(count) => ended += count,
            Err(error) => refusal = Some(refused(refusal, error)?),
        }
    }
    for caller in &presented.callers {
        match auth.log_out(caller, Scope::This).await {
            Ok(count) => ended += count,
            Err(error) => refusal = Some(refused(refusal, error)?),
        }
    }
    match (ended, refusal) {
        (0, None) => Ok(None),
        (0, Some(error)) => Err(error),
        (ended, _) => Ok(Some(ended)),
    }
}

/// Returns the first refusal if `error` is merely another one, or doesn't identify a session. Fails
/// with any other error.
fn refused(first: Option<Error>, error: Error) -> Result<Error, Error> {
    let is_refusal = crate::web::status(&error) == StatusCode::UNAUTHORIZED;
    if is_refusal || matches!(error, Error::SessionUnknown) {
        Ok(first.unwrap_or(error))
    } else {
        Err(error)
    }
}

/// Returns the users of the valid tokens without duplicates, with the current session if a token
/// identifies it.
async fn callers_of(auth: &Auth, presented: &Presented) -> Result<Vec<Caller>, Error> {
    let (mut found, mut refusal) = (Vec::<Caller>::new(), None);
    for token in &presented.refresh {
        match auth.caller_of_refresh(token).await {
            Ok(caller) => found.push(caller),
            Err(error) => refusal = Some(refused(refusal, error)?),
        }
    }
    found.extend(presented.callers.iter().cloned());
    let mut users = Vec::<Caller>::new();
    for caller in found {
        match users.iter_mut().find(|known| known.user_id == caller.user_id) {
            Some(known) => {
                known.session = known.session.take().or(caller.session);
                known.is_spent &= caller.is_spent;
            }
            None => users.push(caller),
        }
    }
    match refusal {
        Some(error) if users.is_empty() => Err(error),
        _ => Ok(users),
    }
}

/// Ends another user's sessions.
async fn end_by_staff(call: &Call<'_>, scope: Scope, user_id: UserId) -> Result<u64, Refusal> {
    let staff = call.require_staff().await?;
    let user_id = call.auth.known_user(&user_id).await?;
    if scope != Scope::All {
        return Err(invalid(object([(
            "scope",
            texts(["Of another user, only \"all\" can be ended."]),
        )])));
    }
    let auth = call.auth.acting_as(staff);
    Ok(auth.end_sessions(SessionSelector::All { user_id, except: None }, EndReason::Staff).await?)
}

/// Without sessions: puts the refresh tokens on the blacklist, and returns their number. Without a
/// blacklist, all that can be done is to remove the cookies.
async fn blacklist_each(auth: &Auth, presented: Presented) -> Result<u64, Error> {
    let is_good = |token: &String| auth.tokens().decode::<Refresh>(token).is_ok();
    if !auth.settings().token_blacklist
        && (!presented.callers.is_empty() || presented.refresh.iter().any(is_good))
    {
        return Ok(0);
    }
    let (mut count, mut refusal) = (0, None);
    for token in presented.refresh.iter().filter(|_| auth.settings().token_blacklist) {
        match auth.blacklist(token).await {
            Ok(()) => count += 1,
            Err(error) => refusal = Some(refused(refusal, error)?),
        }
    }
    match (count, refusal) {
        (0, refusal) => Err(refusal.unwrap_or(presented.refusal)),
        (count, _) => Ok(count),
    }
}

fn bad_choice(field: &'static str, value: &str) -> Refusal {
    invalid(object([(field, texts([format!("\"{value}\" is not a valid choice.")]))]))
}
