//! `sliding/`, upstream's `TokenObtainSlidingView`: logs in.

use http::StatusCode;

use super::call::{Answer, Call};
use super::cookies::{Delivery, from_device};
use super::obtain_pair::{LOGIN, PASSWORD, TOO_MANY_SESSIONS};
use super::spec::{
    Base, Body, Cookies, Credentials, FAULT, Field, LOGIN_DISABLED, NO_ACTIVE_ACCOUNT, Operation,
    Outcome, Protocol, SIGNING_DISABLED, Spec, THROTTLED, TOKEN_TOO_LONG, TokenCookie, Value, Verb,
};

pub(super) const SPEC: Spec = Spec {
    path: "sliding/",
    base: Base::Prefix,
    name: "Token Obtain Sliding",
    description: "Takes a set of user credentials and returns a sliding JSON web token to\n\
                  prove the authentication of those credentials.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Logs in and returns a sliding token",
        credentials: Credentials::None,
        fields: &[LOGIN, PASSWORD],
        cookies: Cookies::Login,
        outcomes: &[
            Outcome::success(
                StatusCode::OK,
                "a sliding token",
                Body::Object(&[Field::required("token", Value::Token, "the sliding token")]),
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
    let token = from_device(call).obtain_sliding(&call.credentials()?).await?;
    let tokens = [("token", TokenCookie::Access, &token)];
    Delivery { tokens: &tokens, until: token.useful_until(), presented: None }.answer(call)
}
