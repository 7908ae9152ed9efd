//! `[oauth]`: the clients that may revoke and introspect tokens.

use std::path::Path;

use serde_json::Value;
use simplejwt::settings::value::{boolean, text};
use simplejwt::web::endpoint::{OAuthClient, OAuthClients};

use super::form::{Form, Member};
use super::item::Shown::Example;
use super::item::{FileHolds, Section, other, positive, secret};
use super::suggest::did_you_mean;
use super::value_file::read_secret;

const FORM: &str = "a list of tables with id and secret, secret_file or secret_sha256";

const CLIENT: [Member; 6] = [
    Member::required("id", "Its name, without a colon.", Form::Text),
    Member::one_of("secret", "Its secret, of 32 characters or more.", Form::Verbatim).secret(),
    Member::one_of("secret_file", "The file that holds its secret.", Form::SecretPath),
    Member::one_of(
        "secret_sha256",
        "The SHA-256 of its secret, in hex.",
        Form::Matching("^[0-9A-Fa-f]{64}$"),
    ),
    Member::optional(
        "refresh_tokens",
        "true: introspection tells it of active refresh tokens. Default: false, they are inactive.",
        Form::Switch,
    ),
    Member::optional(
        "introspection_max_age",
        "The exp of an answer is at most this far away, for clients that keep an answer until exp.",
        Form::POSITIVE,
    ),
];

pub(super) static SECTION: Section<OAuthClients> = Section {
    table: "oauth",
    about: "The OAuth clients of revoke/ (RFC 7009) and introspect/ (RFC 7662).",
    items: &[secret(
        FileHolds::Text,
        other(
            "clients",
            "SIMPLEJWT_OAUTH_CLIENTS",
            Example("[{ id = \"billing\", secret_file = \"billing-secret\" }]"),
            "Clients that may use revoke/ (RFC 7009) and introspect/ (RFC 7662). Without clients, \
             these endpoints don't exist. Each client, which can also be a table \
             [[oauth.clients]], has an id and one of secret (32 characters or more), secret_file \
             (the file that holds it) and secret_sha256 (its SHA-256 in hex). For introspection, a \
             refresh token is inactive, except for clients with refresh_tokens = true; and \
             introspection_max_age = \"1m\" brings the exp of answers that near, for clients that \
             keep an answer until then. In an environment variable or a separate file: the same \
             list in JSON.",
            Form::OrJson(&Form::List(&Form::Table(&CLIENT))),
            |s, v| {
                *s = OAuthClients::new(clients(v)?).map_err(|e| format!("are wrong: {e}"))?;
                Ok(())
            },
        ),
    )],
    idle: &[],
};

fn clients(value: &Value) -> Result<Vec<OAuthClient>, String> {
    match value {
        Value::Array(tables) => tables.iter().map(client).collect(),
        // The message doesn't quote the text, which is secret.
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Array(tables)) => clients(&Value::Array(tables)),
            _ => Err(format!("is not {FORM}, in JSON")),
        },
        _ => Err(format!("is not {FORM}")),
    }
}

fn client(value: &Value) -> Result<OAuthClient, String> {
    let table = value.as_object().ok_or_else(|| format!("is not {FORM}"))?;
    let names = CLIENT.iter().map(|member| member.name);
    for name in table.keys() {
        if !names.clone().any(|known| known == name) {
            let hint = did_you_mean(name, names);
            return Err(format!("has a client with the unknown name {name}{hint}"));
        }
    }
    let id = table.get("id").ok_or_else(|| format!("is not {FORM}"))?;
    let id = text(id).map_err(|problem| format!("has a client whose id {problem}"))?;
    let secret = |name| match table.get(name) {
        None => Ok(None),
        Some(Value::String(secret)) => Ok(Some(secret.as_str())),
        Some(_) => Err(format!("has a {name} for the client {id:?} that is not a string")),
    };
    let client = match (secret("secret")?, secret("secret_file")?, secret("secret_sha256")?) {
        (Some(secret), None, None) => OAuthClient::new(&id, secret),
        (None, None, Some(hash)) => {
            let hash = from_hex(hash).ok_or_else(|| {
                format!("has a secret_sha256 for the client {id:?} that is not 64 hex digits")
            })?;
            OAuthClient::with_hash(&id, hash)
        }
        (None, Some(path), None) => {
            let secret = read_secret(Path::new(path)).map_err(|problem| {
                format!("can't read the secret_file {path} of the client {id:?}: {problem}")
            })?;
            OAuthClient::new(&id, &secret)
        }
        _ => {
            return Err(format!(
                "has the client {id:?} without one of secret, secret_file and secret_sha256, or \
                 with several"
            ));
        }
    };
    let mut client = client.map_err(|error| format!("are wrong: {error}"))?;
    let wrong = |name, problem| format!("has a {name} for the client {id:?} that {problem}");
    if let Some(value) = table.get("refresh_tokens")
        && boolean(value).map_err(|problem| wrong("refresh_tokens", problem))?
    {
        client = client.with_refresh_tokens();
    }
    if let Some(value) = table.get("introspection_max_age") {
        let max_age = positive(value).map_err(|problem| wrong("introspection_max_age", problem))?;
        client = client.with_introspection_max_age(max_age);
    }
    Ok(client)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}
