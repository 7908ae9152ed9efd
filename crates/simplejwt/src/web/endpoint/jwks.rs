//! `/.well-known/jwks.json`, which has no upstream view: the public keys (RFC 7517 section 5).

use std::time::Duration;

use http::StatusCode;

use super::call::{Answer, Call};
use super::document::{KNOWN, document, unavailable};
use super::spec::{
    Base, Body, Cookies, Credentials, Field, Operation, Outcome, Protocol, Spec, Value, Verb,
};

pub(super) const SPEC: Spec = Spec {
    path: ".well-known/jwks.json",
    base: Base::Root,
    name: "Jwks",
    description: "",
    protocol: Protocol::Document,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Get,
        summary: "Returns the public keys",
        credentials: Credentials::None,
        fields: &[KNOWN],
        cookies: Cookies::Untouched,
        outcomes: &[
            Outcome::success(StatusCode::OK, "the keys", Body::Object(MEMBERS)),
            Outcome::success(StatusCode::NOT_MODIFIED, "the same keys as before", Body::Empty),
            Outcome::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "this server couldn't read the keys for so long that others may sign with new ones",
            ),
        ],
    }],
};

const MEMBERS: &[Field] = &[Field::required(
    "keys",
    Value::Keys,
    "those that verify tokens, and those that will; none of a secret",
)];

const ONE_SECOND: Duration = Duration::from_secs(1);

/// RFC 7517 section 8.5.2.
const MEDIA_TYPE: &str = "application/jwk-set+json";

#[expect(clippy::unused_async, reason = "as every endpoint's")]
pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let tokens = call.auth.tokens();
    let (now, until) = (tokens.now(), tokens.published_until());
    if now >= until {
        if tokens.withholds_keys_for_the_first_time() {
            tracing::error!(
                event = "jwks_withheld",
                "the public keys are no longer published: they couldn't be read for so long that \
                 others may sign with new ones"
            );
        }
        return Ok(unavailable());
    }
    let left = until.as_micros().saturating_sub(now.as_micros());
    // In whole seconds the last part of one would be none, which says that the set may not be kept at
    // all.
    let left = Duration::from_micros(left.try_into().unwrap_or_default()).max(ONE_SECOND);
    document(call, &tokens.keys().jwks(), MEDIA_TYPE, call.options.jwks_max_age.min(left))
}
