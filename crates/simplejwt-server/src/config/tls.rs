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
    about: "The server's own certificate, if no proxy in front has one.",
    items: &[
        other(
            "certificate",
            "SIMPLEJWT_TLS_CERTIFICATE",
            Example("\"fullchain.pem\""),
            "The certificate and those of its issuers, in PEM; a path relative to this file's \
             directory. If it is set, the server speaks only TLS. It is read again when it \
             changes, and on SIGHUP.",
            Form::Path,
            |s, v| optional_text(v).map(|path| s.certificate = path.map(PathBuf::from)),
        ),
        other(
            "key",
            "SIMPLEJWT_TLS_KEY",
            Example("\"privkey.pem\""),
            "The certificate's private key, in PEM; a path relative to this file's directory.",
            Form::Path,
            |s, v| optional_text(v).map(|path| s.key = path.map(PathBuf::from)),
        ),
    ],
    idle: &[],
};

/// Returns the contradiction between settings, if there is one.
pub(super) fn problems(tls: &Tls) -> Option<String> {
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => Some(
            "[tls] has a certificate but no key: set key, or SIMPLEJWT_TLS_KEY, too".to_owned(),
        ),
        (None, Some(_)) => Some(
            "[tls] has a key but no certificate: set certificate, or SIMPLEJWT_TLS_CERTIFICATE, \
             too"
            .to_owned(),
        ),
        _ => None,
    }
}
