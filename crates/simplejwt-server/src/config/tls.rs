//! `[tls]`: the server's own certificate.

use std::path::PathBuf;

use simplejwt::settings::value::optional_text;

use super::form::Form;
use super::item::Shown::Example;
use super::item::{Section, other};

/// The files of the server's own certificate: both, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

pub(super) static SECTION: Section<Tls> = Section {
    table: "tls",
    about: "The server's own certificate, where no proxy in front has one.",
    items: &[
        other(
            "certificate",
            "SIMPLEJWT_TLS_CERTIFICATE",
            Example("\"fullchain.pem\""),
            "The certificate and those of its issuers, in PEM, relative to this file's directory. \
             With it TLS alone is spoken. It is read again when it changes, and at SIGHUP.",
            Form::Path,
            |s, v| optional_text(v).map(|path| s.certificate = path.map(PathBuf::from)),
        ),
        other(
            "key",
            "SIMPLEJWT_TLS_KEY",
            Example("\"privkey.pem\""),
            "The certificate's private key, in PEM, relative to this file's directory.",
            Form::Path,
            |s, v| optional_text(v).map(|path| s.key = path.map(PathBuf::from)),
        ),
    ],
    idle: &[],
};

/// What contradicts itself.
pub(super) fn problems(tls: &Tls) -> Option<String> {
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => Some(
            "[tls] has a certificate and no key: write key, or SIMPLEJWT_TLS_KEY, too".to_owned(),
        ),
        (None, Some(_)) => Some(
            "[tls] has a key and no certificate: write certificate, or SIMPLEJWT_TLS_CERTIFICATE, \
             too"
            .to_owned(),
        ),
        _ => None,
    }
}
