//! `/api/protected/`, the protected view of the guides: greets the user.

use http::StatusCode;

use super::Authentication;
use super::call::{Answer, Call};
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Body, Cookies, Credentials, Field, LOGIN_DISABLED, Operation, Outcome,
    PASSWORD_CHANGED, Protocol, Spec, USER_INACTIVE, USER_NOT_FOUND, Value, Verb,
};
use crate::claims::Claims;
use crate::error::Error;
use crate::web::object::object;

pub(super) const GREETING: Body =
    Body::Object(&[Field::required("message", Value::Text, "a greeting with the user's name")]);

pub(super) const SPEC: Spec = Spec {
    path: "protected/",
    base: Base::Demo,
    name: "Protected",
    description: "",
    protocol: Protocol::Rest,
    credentials_first: true,
    operations: &[Operation {
        verb: Verb::Get,
        summary: "Greets the user, from their row",
        credentials: Credentials::AccessToken,
        fields: &[],
        cookies: Cookies::Untouched,
        outcomes: &[
            Outcome::success(
                StatusCode::OK,
                "the token is valid, and its user is active",
                GREETING,
            ),
            AMBIGUOUS_COOKIES,
            USER_NOT_FOUND,
            USER_INACTIVE,
            PASSWORD_CHANGED,
            LOGIN_DISABLED,
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    greet(call, call.options.authentication).await
}

/// Greets the user of the token, whatever the method.
pub(super) async fn greet(call: &Call<'_>, authentication: Authentication) -> Answer {
    let username = username(call, authentication).await?;
    if call.operation.is_none() {
        return call.without_operation();
    }
    let message = format!("Welcome, {username}!");
    Ok(call.json(&object([("message", message.into())])))
}

async fn username(call: &Call<'_>, authentication: Authentication) -> Result<String, Error> {
    let token = call.access_token().await?;
    match authentication {
        Authentication::User => Ok(call.auth.user_of(&token).await?.username),
        Authentication::Stateless => {
            call.auth.stateless_user_of(&token)?;
            Ok(python_text(token.claims(), "username"))
        }
    }
}

/// Returns a claim as Python's `str()` shows it; empty if it is missing.
fn python_text(claims: &Claims, name: &str) -> String {
    match claims.raw(name) {
        None => String::new(),
        Some("null") => "None".to_owned(),
        Some("true") => "True".to_owned(),
        Some("false") => "False".to_owned(),
        Some(other) => claims.str(name).map_or_else(|| other.to_owned(), Into::into),
    }
}
