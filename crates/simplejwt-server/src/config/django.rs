//! `[django]`: other settings of Django's.

use simplejwt::settings::Secret;

use super::form::Form;
use super::item::Shown::Example;
use super::item::{FileHolds, Section, other, secret};

pub(super) static SECTION: Section<Option<Secret>> = Section {
    table: "django",
    about: "Other settings of Django's.",
    items: &[secret(
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
                *s = Some(key.into());
                Ok(())
            },
        ),
    )],
    idle: &[],
};
