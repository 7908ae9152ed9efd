//! `[django]`: other settings of Django's.

use simplejwt::Settings;
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
