//! `verify/`, upstream's `TokenVerifyView`: verifies a token.

use http::StatusCode;

use super::call::{Answer, Call};
use super::cookies::Presented;
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Body, Cookies, Credentials, Field, NO_COOKIE, Operation, Outcome,
    Protocol, Spec, THROTTLED, TOKEN_NOT_VALID, TokenCookie, Value, Verb,
};
use crate::token::Untyped;
use crate::web::object::object;

const TOKEN: Field =
    Field::required("token", Value::Token, "a token of any kind").or_cookie(TokenCookie::Access);

pub(super) const SPEC: Spec = Spec {
    path: "verify/",
    base: Base::Prefix,
    name: "Token Verify",
    description: "Takes a token and indicates if it is valid.  This view provides no\n\
                  information about a token's fitness for a particular use.",
    protocol: Protocol::Rest,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Verifies a token",
        credentials: Credentials::None,
        fields: &[TOKEN],
        cookies: Cookies::Untouched,
        // A blacklisted token is `invalid`, like a missing field.
        outcomes: &[
            Outcome::success(StatusCode::OK, "it is", Body::Object(&[])),
            NO_COOKIE,
            AMBIGUOUS_COOKIES,
            TOKEN_NOT_VALID,
            THROTTLED,
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let presented = Presented::of::<Untyped>(call, &TOKEN).await?;
    call.auth.verify(presented.token()).await?;
    Ok(call.json(&object([])))
}
