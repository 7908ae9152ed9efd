//! The part of `[simple_jwt]` that is about keys.

use std::path::{Path, PathBuf};

use serde_json::Value;
use simplejwt::Settings;
use simplejwt::settings::FurtherKey;
use simplejwt::settings::keys::{further_keys, key_id};
use simplejwt::settings::value::parsed;

use super::form::{Form, Member};
use super::item::Shown::{Default as Def, Example};
use super::item::{
    FileHolds, Idle, Section, in_file, optional_string, other, secret, switch, upstream,
};
use super::value_file::read_key;

const TABLE: &str = "simple_jwt";

pub(super) const ALGORITHMS: [&str; 14] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "ES512", "ES256K", "EdDSA",
];

pub(super) static SECTION: Section<Settings> = Section {
    table: TABLE,
    about: "",
    items: &[
        upstream(other(
            "algorithm",
            "SIMPLEJWT_ALGORITHM",
            Def("\"HS256\""),
            "The signing algorithm: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, \
             PS512, ES256, ES384, ES512, ES256K or EdDSA.",
            Form::Constants(&ALGORITHMS),
            |s, v| {
                s.algorithm = parsed(
                    v,
                    "an algorithm: write HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, \
                     PS512, ES256, ES384, ES512, ES256K or EdDSA",
                )?;
                Ok(())
            },
        )),
        upstream(secret(
            FileHolds::Key,
            other(
                "signing_key",
                "SIMPLEJWT_SIGNING_KEY",
                Example("\"…\""),
                "The HMAC secret, or the private key in PEM. Default: Django's secret_key for \
                 HS*; none for the others, which then can only verify.",
                Form::Verbatim,
                |s, v| {
                    s.signing_key = match v {
                        Value::Null => None,
                        Value::String(key) => Some(key.as_str().into()),
                        // The value isn't shown: it may be the key.
                        _ => return Err("is not a string".into()),
                    };
                    Ok(())
                },
            ),
        )),
        secret(
            FileHolds::Text,
            other(
                "signing_key_passphrase",
                "SIMPLEJWT_SIGNING_KEY_PASSPHRASE",
                Example("\"…\""),
                "The passphrase of the signing key, if that is encrypted (-----BEGIN ENCRYPTED \
                 PRIVATE KEY-----).",
                Form::Verbatim,
                |s, v| {
                    s.signing_key_passphrase = match v {
                        Value::Null => None,
                        Value::String(text) => (!text.is_empty()).then(|| text.as_str().into()),
                        _ => return Err("is not a string".into()),
                    };
                    Ok(())
                },
            ),
        ),
        upstream(in_file(
            FileHolds::Key,
            optional_string(
                "verifying_key",
                "SIMPLEJWT_VERIFYING_KEY",
                Example("\"-----BEGIN PUBLIC KEY-----…\""),
                "The public key as PEM, certificate or OpenSSH line; all algorithms but HS* need \
                 it. `simplejwt key public --format pem` prints the public key of a signing key.",
                |s| &mut s.verifying_key,
            ),
        )),
        secret(
            FileHolds::Text,
            other(
                "verifying_keys",
                "SIMPLEJWT_VERIFYING_KEYS",
                Example("[{ key_file = \"former.pem\", algorithm = \"RS256\" }]"),
                "Further keys that verify tokens: those that signed before, or will sign later. A \
                 list of keys as in VERIFYING_KEY (for HS*, secrets), or of tables with one of key \
                 and key_file, and with algorithm and kid where they differ. In an environment \
                 variable or a separate file: the same list in JSON.",
                Form::OneOf(&[
                    Form::Verbatim,
                    Form::List(&Form::OneOf(&[Form::Verbatim, Form::Table(&FURTHER_KEY)])),
                ]),
                |s, v| {
                    s.verifying_keys = further(v)?;
                    Ok(())
                },
            ),
        ),
        other(
            "kid",
            "SIMPLEJWT_KID",
            Def("false"),
            "The key id in the header of tokens, by which others choose among several keys: true \
             for the key's thumbprint (RFC 7638), or the id itself. Upstream writes none; it \
             accepts tokens with one. Recommended: true.",
            Form::OneOf(&[Form::Switch, Form::Text]),
            |s, v| {
                s.kid = key_id(v)?;
                Ok(())
            },
        ),
        switch(
            "fully_specified_algorithms",
            "SIMPLEJWT_FULLY_SPECIFIED_ALGORITHMS",
            Def("false"),
            "Writes Ed25519 in place of EdDSA into headers and JWKs (RFC 9864), which few libraries \
             know. Both names are accepted in any case.",
            |s| &mut s.fully_specified_algorithms,
        ),
        switch(
            "allow_weak_key",
            "SIMPLEJWT_ALLOW_WEAK_KEY",
            Def("false"),
            "Accepts an HMAC secret that is a placeholder, or shorter than its hash. Only for old \
             tokens and for development.",
            |s| &mut s.allow_weak_key,
        ),
    ],
    idle: &[
        Idle {
            names: &["verifying_key"],
            when: |s| s.algorithm.is_symmetric(),
            why: "an HMAC is verified with SIGNING_KEY: choose an RS, PS, ES or EdDSA algorithm",
        },
        Idle {
            names: &["allow_weak_key"],
            when: |s| !s.algorithm.is_symmetric(),
            why: "it is for HMAC secrets",
        },
    ],
};

/// A key in the list of further ones.
const FURTHER_KEY: [Member; 4] = [
    Member::one_of("key", "The key.", Form::Verbatim).secret(),
    Member::one_of("key_file", "The file that holds the key.", Form::SecretPath),
    Member::optional("algorithm", "Its algorithm.", Form::Constants(&ALGORITHMS)),
    Member::optional("kid", "Its key id.", Form::Text),
];

/// Returns the files that a list of further keys names.
pub(super) fn key_files(value: &Value) -> Vec<PathBuf> {
    let list = listed(value).unwrap_or_default();
    let tables = list.as_array().into_iter().flatten();
    tables.filter_map(|table| table.get("key_file")?.as_str().map(PathBuf::from)).collect()
}

/// Returns a list of further keys, which may be JSON in a string.
fn listed(value: &Value) -> Result<Value, &'static str> {
    match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            serde_json::from_str(text).map_err(|_| "is not a list of keys, in JSON")
        }
        other => Ok(other.clone()),
    }
}

/// Reads further keys, and the files that they are in.
fn further(value: &Value) -> Result<Vec<FurtherKey>, String> {
    let mut list = listed(value)?;
    for table in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let Some(file) = table.remove("key_file") else { continue };
        let path = file.as_str().ok_or("contains a table whose key_file is not a path")?;
        if table.contains_key("key") {
            return Err("contains a table with key and key_file: remove one".into());
        }
        let key = read_key(Path::new(path))
            .map_err(|problem| format!("can't read the key_file {path}: {problem}"))?;
        table.insert("key".into(), key.into());
    }
    further_keys(&list)
}
