//! `refresh/`, upstream's `TokenRefreshView`: a new access token for a refresh token.

use http::StatusCode;

use super::call::{Answer, Call};
use super::cookies::{Delivery, Presented};
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Body, Cookies, Credentials, FAULT, Field, LOGIN_DISABLED,
    NO_ACTIVE_ACCOUNT, NO_COOKIE, Operation, Outcome, PASSWORD_CHANGED, Protocol, SIGNING_DISABLED,
    Spec, THROTTLED, TOKEN_NOT_VALID, TOKEN_TOO_LONG, TokenCookie, Value, Verb,
};
use crate::token::Refresh;

const REFRESH: Field =
    Field::required("refresh", Value::Token, "the refresh token").or_cookie(TokenCookie::Refresh);

pub(super) const SPEC: Spec = Spec {
    path: "refresh/",
    base: Base::Prefix,
    name: "Token Refresh",
    description: "Takes a refresh type JSON web token and returns an access type JSON web\n\
                  token if the refresh token is valid.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Returns a new access token for a refresh token",
        credentials: Credentials::None,
        fields: &[REFRESH, Field::read_only("access", Value::Token, "the access token")],
        cookies: Cookies::Renewal,
        outcomes: &[
            Outcome::success(
                StatusCode::OK,
                "an access token, and with `ROTATE_REFRESH_TOKENS` the next refresh token",
                Body::Object(&[
                    Field::required("access", Value::Token, "the access token"),
                    Field::optional("refresh", Value::Token, "the next refresh token"),
                ]),
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
    let presented = Presented::of::<Refresh>(call, &REFRESH).await?;
    let refreshed = match call.auth.refresh(presented.token()).await {
        Ok(refreshed) => refreshed,
        Err(error) => return Err(presented.refused(call, error).await),
    };
    let mut tokens = vec![("access", TokenCookie::Access, &refreshed.access)];
    tokens.extend(refreshed.refresh.iter().map(|next| ("refresh", TokenCookie::Refresh, next)));
    let (until, presented) = (refreshed.refreshable_until, Some(&presented));
    Delivery { tokens: &tokens, until, presented }.answer(call)
}
