//! The settings of `[oauth]`: the clients that may revoke and introspect tokens.

use std::path::Path;

use serde_json::{Map, Value};
use simplejwt::web::endpoint::{OAuthClient, OAuthClients};

use super::file::read_secret;
use super::item::Shown::Example;
use super::item::{Item, item};
use super::suggest::did_you_mean;
use super::value::text;

const NAMES: [&str; 4] = ["id", "secret", "secret_file", "secret_sha256"];
const FORM: &str = "a list of tables with id and secret, secret_file or secret_sha256";

pub(super) static ITEMS: &[Item] = &[Item {
    secret: true,
    from_file: true,
    ..item(
        "oauth",
        "clients",
        "SIMPLEJWT_OAUTH_CLIENTS",
        Example("[{ id = \"billing\", secret_file = \"billing-secret\" }]"),
        "Clients that may use revoke/ (RFC 7009) and introspect/ (RFC 7662); without any, these \
         aren't there. Each, also as a table [[oauth.clients]], has an id and either its secret \
         (32 characters or more), the file that holds it, or in secret_sha256 its SHA-256 in hex. \
         As an environment variable, and in a file of its own: the same list in JSON.",
        |c, v| {
            let clients = clients(v)?;
            c.oauth_clients = OAuthClients::new(clients).map_err(|e| format!("are wrong: {e}"))?;
            Ok(())
        },
    )
}];

fn clients(value: &Value) -> Result<Vec<OAuthClient>, String> {
    match value {
        Value::Array(tables) => tables.iter().map(client).collect(),
        // What is wrong with it isn't told from its text, which is secret.
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Array(tables)) => clients(&Value::Array(tables)),
            _ => Err(format!("is not {FORM}, in JSON")),
        },
        _ => Err(format!("is not {FORM}")),
    }
}

fn client(value: &Value) -> Result<OAuthClient, String> {
    let table = value.as_object().ok_or_else(|| format!("is not {FORM}"))?;
    for name in table.keys() {
        if !NAMES.contains(&name.as_str()) {
            let hint = did_you_mean(name, NAMES);
            return Err(format!("has a client with {name}, which means nothing{hint}"));
        }
    }
    let id = table.get("id").ok_or_else(|| format!("is not {FORM}"))?;
    let id = text(id).map_err(|problem| format!("has a client whose id {problem}"))?;
    let secret = |name| match table.get(name) {
        None => Ok(None),
        Some(Value::String(secret)) => Ok(Some(secret.as_str())),
        Some(_) => Err(format!("has in {name} of the client {id:?} what is no text")),
    };
    let client = match (secret("secret")?, secret("secret_file")?, secret("secret_sha256")?) {
        (Some(secret), None, None) => OAuthClient::new(&id, secret),
        (None, None, Some(hash)) => {
            let hash = from_hex(hash).ok_or_else(|| {
                format!("has in secret_sha256 of the client {id:?} what is not 64 hex digits")
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
    client.map_err(|error| format!("are wrong: {error}"))
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

/// The paths of the secrets' files, to be made absolute, and looked at.
pub(super) fn secret_files(value: &mut Value) -> impl Iterator<Item = &mut String> {
    let tables = value.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    tables.iter_mut().filter_map(|table| {
        let file =
            table.as_object_mut().and_then(|table: &mut Map<_, _>| table.get_mut("secret_file"));
        match file {
            Some(Value::String(path)) => Some(path),
            _ => None,
        }
    })
}

/// Whether a secret stands in the value itself.
pub(super) fn holds_secret(value: &Value) -> bool {
    let tables = value.as_array().map(Vec::as_slice).unwrap_or_default();
    tables.iter().any(|table| table.get("secret").is_some())
}
