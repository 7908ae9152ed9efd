//! `revoke/`, which has no upstream view: revokes a token (RFC 7009).

use http::StatusCode;

use super::call::{Answer, Call, Refusal, empty};
use super::oauth::{self, OAuthClient};
use super::spec::{
    Base, Body, Cookies, Credentials, Field, Operation, Outcome, Protocol, Spec, Value, Verb,
};
use crate::event::Actor;
use crate::service::Revoking;

pub(super) const TOKEN: Field = Field::required("token", Value::Token, "the token to be revoked");
pub(super) const HINT: Field = Field::optional(
    "token_type_hint",
    Value::Text,
    "the kind of the token; accepted, but not needed",
);
pub(super) const CLIENT_ID: Field =
    Field::optional("client_id", Value::Text, "the client's id, unless it is in the header");
pub(super) const CLIENT_SECRET: Field = Field::optional(
    "client_secret",
    Value::Password,
    "the client's secret, unless it is in the header",
);

pub(super) const SPEC: Spec = Spec {
    path: "revoke/",
    base: Base::Prefix,
    name: "Revoke",
    description: "",
    protocol: Protocol::OAuth,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Revokes a token, for OAuth's clients",
        credentials: Credentials::Client,
        fields: &[TOKEN, HINT, CLIENT_ID, CLIENT_SECRET],
        cookies: Cookies::Untouched,
        outcomes: &[
            Outcome::success(StatusCode::OK, "the token is no longer valid", Body::Empty),
            Outcome::refusal(
                StatusCode::BAD_REQUEST,
                "unsupported_token_type",
                "with these settings, tokens of its kind can't be revoked",
            ),
        ],
    }],
};

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let client_id = call.client.map(OAuthClient::id).unwrap_or_default().to_owned();
    let auth = call.auth.acting_as(Actor::OauthClient { client_id });
    let revoking = auth.revoke(call.as_sent(&TOKEN)).await?;
    let outcome = match revoking {
        Revoking::Revoked => "revoked",
        Revoking::NotGood => "not_good",
        Revoking::Unsupported => "unsupported",
    };
    tracing::info!(
        event = "revocation_asked",
        client_id = call.client.map(OAuthClient::id),
        outcome,
        "revocation asked for"
    );
    match revoking {
        Revoking::Revoked | Revoking::NotGood => Ok(empty(StatusCode::OK)),
        Revoking::Unsupported => Err(Refusal::Other(
            StatusCode::BAD_REQUEST,
            oauth::error("unsupported_token_type", "tokens of this kind can't be revoked here"),
        )),
    }
}
