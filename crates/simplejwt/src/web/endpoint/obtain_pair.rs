//! The prefix itself, upstream's `TokenObtainPairView`: logs in.

use http::StatusCode;

use super::call::{Answer, Call};
use super::cookies::{Delivery, from_device};
use super::spec::{
    Base, Body, Cookies, Credentials, FAULT, Field, LOGIN_DISABLED, NO_ACTIVE_ACCOUNT, Operation,
    Outcome, Protocol, SIGNING_DISABLED, Spec, THROTTLED, TOKEN_TOO_LONG, TokenCookie, Value, Verb,
};

pub(super) const LOGIN: Field = Field::login("the value of the users' login field");
pub(super) const PASSWORD: Field =
    Field::required("password", Value::Password, "the password, exactly as the user chose it");

/// A login refused because the user has too many sessions.
pub(super) const TOO_MANY_SESSIONS: Outcome = Outcome::refusal(
    StatusCode::FORBIDDEN,
    "too_many_sessions",
    "the user has `max_per_user` sessions, and `at_limit` is `refuse`",
);

pub(super) const SPEC: Spec = Spec {
    path: "",
    base: Base::Prefix,
    name: "Token Obtain Pair",
    description: "Takes a set of user credentials and returns an access and refresh JSON web\n\
                  token pair to prove the authentication of those credentials.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Logs in",
        credentials: Credentials::None,
        fields: &[LOGIN, PASSWORD],
        cookies: Cookies::Login,
        outcomes: &[
            Outcome::success(
                StatusCode::OK,
                "a refresh and an access token",
                Body::Object(&[
                    Field::required("refresh", Value::Token, "the refresh token"),
                    Field::required("access", Value::Token, "the access token"),
                ]),
            ),
            NO_ACTIVE_ACCOUNT,
            THROTTLED,
            TOO_MANY_SESSIONS,
            TOKEN_TOO_LONG,
            FAULT,
            LOGIN_DISABLED,
            SIGNING_DISABLED,
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let pair = from_device(call).obtain_pair(&call.credentials()?).await?;
    let tokens = [
        ("refresh", TokenCookie::Refresh, &pair.refresh),
        ("access", TokenCookie::Access, &pair.access),
    ];
    Delivery { tokens: &tokens, until: pair.refresh.expires_at, presented: None }.answer(call)
}
