//! `sliding/refresh/`, upstream's `TokenRefreshSlidingView`: renews a sliding token.

use http::StatusCode;

use super::call::{Answer, Call};
use super::cookies::{Delivery, Presented};
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Body, Cookies, Credentials, FAULT, Field, LOGIN_DISABLED,
    NO_ACTIVE_ACCOUNT, NO_COOKIE, Operation, Outcome, PASSWORD_CHANGED, Protocol, SIGNING_DISABLED,
    Spec, THROTTLED, TOKEN_NOT_VALID, TOKEN_TOO_LONG, TokenCookie, Value, Verb,
};
use crate::token::Sliding;

const TOKEN: Field =
    Field::required("token", Value::Token, "the sliding token").or_cookie(TokenCookie::Access);

pub(super) const SPEC: Spec = Spec {
    path: "sliding/refresh/",
    base: Base::Prefix,
    name: "Token Refresh Sliding",
    description: "Takes a sliding JSON web token and returns a new, refreshed version if the\n\
                  token's refresh period has not expired.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Renews a sliding token",
        credentials: Credentials::None,
        fields: &[TOKEN],
        cookies: Cookies::Renewal,
        outcomes: &[
            Outcome::success(
                StatusCode::OK,
                "the token with its lifetime renewed",
                Body::Object(&[Field::required("token", Value::Token, "the sliding token")]),
            ),
            NO_COOKIE,
            AMBIGUOUS_COOKIES,
            TOKEN_NOT_VALID,
            THROTTLED,
            NO_ACTIVE_ACCOUNT,
            PASSWORD_CHANGED,
            TOKEN_TOO_LONG,
            FAULT,
            LOGIN_DISABLED,
            SIGNING_DISABLED,
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let presented = Presented::of::<Sliding>(call, &TOKEN).await?;
    let renewed = match call.auth.refresh_sliding(presented.token()).await {
        Ok(renewed) => renewed,
        Err(error) => return Err(presented.refused(call, error).await),
    };
    let tokens = [("token", TokenCookie::Access, &renewed)];
    let (until, presented) = (renewed.useful_until(), Some(&presented));
    Delivery { tokens: &tokens, until, presented }.answer(call)
}
