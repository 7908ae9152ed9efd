//! `/api/protected-stateless/`: greets the user, by the token alone.

use http::StatusCode;

use super::Authentication;
use super::call::{Answer, Call};
use super::protected::{GREETING, greet};
use super::spec::{
    AMBIGUOUS_COOKIES, Base, Cookies, Credentials, Operation, Outcome, Protocol, Spec, Verb,
};

pub(super) const SPEC: Spec = Spec {
    path: "protected-stateless/",
    base: Base::Demo,
    name: "Protected Stateless",
    description: "",
    protocol: Protocol::Rest,
    credentials_first: true,
    operations: &[Operation {
        verb: Verb::Get,
        summary: "Greets the user, by the token alone",
        credentials: Credentials::AccessToken,
        fields: &[],
        cookies: Cookies::Untouched,
        outcomes: &[
            Outcome::success(StatusCode::OK, "the token is valid", GREETING),
            AMBIGUOUS_COOKIES,
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    greet(call, Authentication::Stateless).await
}
