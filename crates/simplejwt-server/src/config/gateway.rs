//! `[gateway]`: the endpoint `authenticate/`.

use serde_json::Value;
use simplejwt::settings::value::shown;
use simplejwt::web::endpoint::{Authentication, GatewayOptions};
use simplejwt::web::permission::MaxAge;

use super::claims::{Claims, Source};
use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{Section, other, positive, word};

/// Header names, and values that aren't empty.
const HEADERS: Form = Form::Map { names: "^[A-Za-z0-9-]+$", values: &Form::Matching(".") };

pub(super) static SECTION: Section<GatewayOptions> = Section {
    table: "gateway",
    about: "The endpoint authenticate/, for gateways: nginx, Traefik, Caddy, Envoy.",
    items: &[
        word(
            "authentication",
            "SIMPLEJWT_GATEWAY_AUTHENTICATION",
            Def("\"user\""),
            "The authentication of authenticate/: \"user\" loads the user's row on each request, \
             so inactive users are refused; \"stateless\" uses only the token.",
            &[
                ("user", |s| by(s, Authentication::User)),
                ("stateless", |s| by(s, Authentication::Stateless)),
            ],
        ),
        other(
            "max_age",
            "SIMPLEJWT_GATEWAY_MAX_AGE",
            Example("\"15m\""),
            "The time after a login within which authenticate/ lets requests through; after it, 401 \
             with error=\"insufficient_user_authentication\" (RFC 9470). Needs { auth_time = true } \
             as the claim auth_time in [claims]. Default: any time.",
            Form::POSITIVE,
            |s, v| {
                let max_age = MaxAge::new(positive(v)?);
                *s = std::mem::take(s).with_max_age(max_age);
                Ok(())
            },
        ),
        other(
            "headers",
            "SIMPLEJWT_GATEWAY_HEADERS",
            Def("{}"),
            "Claims that authenticate/ returns in headers, beside X-Auth-User, as in { \
             \"X-Auth-Email\" = \"email\" }; percent-encoded if they aren't ASCII. As an \
             environment variable: a JSON object.",
            Form::OrJson(&HEADERS),
            |s, v| {
                // The headers of another source are replaced, not added to.
                let mut options = GatewayOptions::default().with_authentication(s.authentication());
                if let Some(max_age) = s.max_age() {
                    options = options.with_max_age(max_age);
                }
                for (header, claim) in pairs(v)? {
                    options = options
                        .with_header(&header, &claim)
                        .map_err(|e| format!("is wrong: {e}"))?;
                }
                *s = options;
                Ok(())
            },
        ),
    ],
    idle: &[],
};

/// Returns what is wrong with the options beside the claims and keys.
pub(super) fn problems(options: &GatewayOptions, claims: &Claims, signs: bool) -> Option<String> {
    let is_written = |(name, source): &(String, Source)| {
        name == "auth_time" && matches!(source, Source::AuthTime)
    };
    let is_idle = options.max_age().is_some() && signs && !claims.added.iter().any(is_written);
    is_idle.then(|| {
        "[gateway]: max_age would let no request through, because tokens don't tell the time of \
         the login: write auth_time = { auth_time = true } in [claims]"
            .to_owned()
    })
}

fn by(options: &mut GatewayOptions, authentication: Authentication) {
    *options = std::mem::take(options).with_authentication(authentication);
}

/// Reads pairs of header and claim from a table, or from a JSON object in a string.
fn pairs(value: &Value) -> Result<Vec<(String, String)>, String> {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(header, claim)| match claim.as_str() {
                Some(claim) if !claim.is_empty() => Ok((header.clone(), claim.to_owned())),
                _ => Err(format!("has {} for {header}, not the name of a claim", shown(claim))),
            })
            .collect(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(object @ Value::Object(_)) => pairs(&object),
            _ => Err("is not a JSON object: write {\"X-Auth-Email\": \"email\"}".into()),
        },
        _ => Err(format!("is {}: write {{ \"X-Auth-Email\" = \"email\" }}", shown(value))),
    }
}
