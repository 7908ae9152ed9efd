//! `[django]`: other settings of Django's.

use serde_json::Value;
use simplejwt::Settings;
use simplejwt::keys::VerifyingKey;
use simplejwt::settings::{FurtherKey, Secret};

use super::form::Form;
use super::item::Shown::Example;
use super::item::{FileHolds, Idle, Section, other, secret};

/// Django's secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Django {
    /// The signing key of an HMAC algorithm if no signing key is named.
    pub(crate) secret_key: Option<Secret>,
    /// Former ones, whose tokens stay valid.
    pub(crate) secret_key_fallbacks: Vec<Secret>,
}

pub(super) static SECTION: Section<Django> = Section {
    table: "django",
    about: "Other settings of Django's.",
    items: &[
        secret(
            FileHolds::Text,
            other(
                "secret_key",
                "SECRET_KEY",
                Example("\"…\""),
                "Django's SECRET_KEY: the signing key if [simple_jwt] names no signing_key and the \
                 algorithm is an HMAC.",
                Form::Verbatim,
                |s, v| {
                    let key = v.as_str().ok_or("is not a string")?;
                    s.secret_key = Some(key.into());
                    Ok(())
                },
            ),
        ),
        secret(
            FileHolds::Text,
            other(
                "secret_key_fallbacks",
                "SECRET_KEY_FALLBACKS",
                Example("[\"…\"]"),
                "Django's SECRET_KEY_FALLBACKS, a list: tokens that were signed with one of them \
                 stay valid, where SECRET_KEY is the signing key. Upstream refuses them. In an \
                 environment variable or a separate file: the same list in JSON.",
                Form::OrJson(&Form::List(&Form::Verbatim)),
                |s, v| {
                    s.secret_key_fallbacks = secrets(v)?;
                    Ok(())
                },
            ),
        ),
    ],
    idle: &[Idle {
        names: &["secret_key_fallbacks"],
        when: |s| s.secret_key.is_none() && !s.secret_key_fallbacks.is_empty(),
        why: "there is no SECRET_KEY: name them in verifying_keys in [simple_jwt]",
    }],
};

/// Reads a list of secrets, without quoting it.
fn secrets(value: &Value) -> Result<Vec<Secret>, String> {
    const WRONG: &str = "is not a list of strings, in JSON";
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().filter(|text| !text.is_empty()).map(Secret::from))
            .collect::<Option<_>>()
            .ok_or_else(|| WRONG.into()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(list @ Value::Array(_)) => secrets(&list),
            _ => Err(WRONG.into()),
        },
        _ => Err(WRONG.into()),
    }
}

/// Returns the keys of `SECRET_KEY_FALLBACKS`.
pub(super) fn former_keys(django: &Django, settings: &Settings) -> Result<Vec<FurtherKey>, String> {
    let key = |secret: &Secret| {
        VerifyingKey::parse(settings.algorithm, secret.as_bytes(), settings.allow_weak_key)
            .map(|_| FurtherKey::from(secret.clone()))
            .map_err(|error| format!("SECRET_KEY_FALLBACKS: {error}"))
    };
    django.secret_key_fallbacks.iter().map(key).collect()
}

/// Returns the problems of signing with Django's `SECRET_KEY`, which Django's own tokens are signed
/// with.
pub(super) fn problems(settings: &Settings) -> Option<String> {
    settings.refresh_audience.is_some().then(|| {
        "refresh_audience is set, but tokens are signed with Django's SECRET_KEY, so Django may \
         refresh them, too: it would copy this aud into access tokens, or with AUDIENCE refuse the \
         refresh tokens from here. Leave refresh_audience out and write typ = \"by_kind\", which \
         Django ignores; or, if only this server refreshes tokens, write signing_key in [simple_jwt]"
            .to_owned()
    })
}
