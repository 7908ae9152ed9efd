//! `blacklist/`, upstream's `TokenBlacklistView`: puts a refresh token on the blacklist.

use http::StatusCode;

use super::call::{Answer, Call};
use super::cookies::{Presented, removing_cookies};
use super::spec::{
    AMBIGUOUS_COOKIES, BLACKLIST_DISABLED, Base, Body, Cookies, Credentials, Field, NO_COOKIE,
    Operation, Outcome, Protocol, Spec, TOKEN_NOT_VALID, TokenCookie, Value, Verb,
};
use crate::token::Refresh;

const REFRESH: Field =
    Field::required("refresh", Value::Token, "the refresh token").or_cookie(TokenCookie::Refresh);

pub(super) const SPEC: Spec = Spec {
    path: "blacklist/",
    base: Base::Prefix,
    name: "Token Blacklist",
    description: "Takes a token and blacklists it. Must be used with the\n\
                  `rest_framework_simplejwt.token_blacklist` app installed.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Puts a refresh token on the blacklist, and ends its session",
        credentials: Credentials::None,
        fields: &[REFRESH],
        cookies: Cookies::Removal,
        outcomes: &[
            Outcome::success(StatusCode::OK, "the token is no longer valid", Body::Object(&[])),
            NO_COOKIE,
            AMBIGUOUS_COOKIES,
            TOKEN_NOT_VALID,
            BLACKLIST_DISABLED,
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let presented = Presented::of::<Refresh>(call, &REFRESH).await?;
    match call.auth.blacklist(presented.token()).await {
        Ok(()) => Ok(removing_cookies(call, &presented)),
        Err(error) => Err(presented.refused(call, error).await),
    }
}
