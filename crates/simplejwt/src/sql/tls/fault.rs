//! What is wrong with a certificate or a handshake, with its remedy.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerMisbehaved};

use super::certificate::Certificate;

/// The reason a server's certificate isn't accepted. The parameters named in the sentences are
/// PostgreSQL's and, in brackets, MySQL's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the server's certificate expired at {0}: renew it there")]
    Expired(String),
    #[error("the server's certificate is valid from {0} on: check the clocks of both machines")]
    NotYetValid(String),
    #[error(
        "the server's certificate was issued by \"{0}\", which isn't among the authorities known \
         here: name the file with that authority's certificate as sslrootcert (ssl-ca)"
    )]
    UnknownIssuer(String),
    #[error(
        "the server's certificate is self-signed and not known here: name the file with a copy \
         of it as sslrootcert (ssl-ca)"
    )]
    SelfSigned,
    #[error(
        "the server's certificate is for {names} and not for {host}: connect by a name that it \
         is for, make one with subjectAltName={kind}:{host}, or let the issuer be enough \
         (verify-ca, verify_ca)"
    )]
    Name { host: String, names: String, kind: &'static str },
    #[error(
        "the server's certificate is of X.509 version 1, and none of the authorities known here \
         signed it: make a new one with extensions (openssl x509 -req … -extfile FILE, or openssl \
         req -x509 -addext …)"
    )]
    Version1,
    #[error(
        "the server's certificate is an authority's own (CA:TRUE) and not known here: name the \
         file with a copy of it as sslrootcert (ssl-ca), or make one with basicConstraints=CA:FALSE"
    )]
    Authority,
    #[error(
        "the signature in the server's certificate isn't that of \"{0}\" as it is known here: the \
         authority has a new key, so name its present certificate as sslrootcert (ssl-ca)"
    )]
    Signature(String),
    #[error(
        "the server's certificate, or that of its authority, is signed with an algorithm or a key \
         that is too weak or isn't supported: make a new one with SHA-256 and RSA of 2048 bits or \
         more, or with P-256"
    )]
    Algorithm,
    #[error(
        "the server's certificate isn't one for servers: make a new one with \
         extendedKeyUsage=serverAuth"
    )]
    Purpose,
    #[error("the server's certificate can't be read: make a new one")]
    Unreadable,
    #[error(
        "the server's certificate has a critical extension that isn't known: make a new one \
         without it"
    )]
    Extension,
    #[error("the server's certificate breaks the limits of its authority: make a new one ({0})")]
    Constraint(&'static str),
    #[error("the server doesn't prove that it has the key of its certificate")]
    Handshake,
    #[error("the server's certificate can't be verified: {0}")]
    Other(String),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        CertificateError::Other(OtherError(Arc::new(fault))).into()
    }
}

impl Fault {
    /// Translates webpki's verdict on this certificate.
    pub(super) fn of(error: &Error, certificate: Option<&Certificate<'_>>) -> Self {
        let Error::InvalidCertificate(error) = error else { return Self::Other(error.to_string()) };
        let Some(certificate) = certificate else { return Self::Unreadable };
        let issuer = || certificate.issuer_name();
        let validity = certificate.validity();
        let date =
            |seconds| Timestamp::from_second(seconds).map_or("?".into(), |at| at.to_string());
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::Expired(validity.map_or("?".into(), |(_, until)| date(until)))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid(validity.map_or("?".into(), |(from, _)| date(from)))
            }
            CertificateError::UnknownIssuer if certificate.issuer == certificate.subject => {
                Self::SelfSigned
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer(issuer()),
            CertificateError::BadSignature => Self::Signature(issuer()),
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::Algorithm
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            CertificateError::UnhandledCriticalExtension => Self::Extension,
            _ if certificate.version == 1 => Self::Version1,
            _ if certificate.is_authority() == Some(true) => Self::Authority,
            CertificateError::BadEncoding => Self::Unreadable,
            // In words or, for what only webpki knows, by webpki's name for it.
            CertificateError::Other(OtherError(error)) => {
                let mut words = String::new();
                for c in error.to_string().chars() {
                    if c.is_uppercase() && !words.is_empty() {
                        words.push(' ');
                    }
                    words.extend(c.to_lowercase());
                }
                Self::Other(words)
            }
            error => Self::Other(error.to_string()),
        }
    }
}

/// Returns what went wrong in a handshake, as a sentence.
pub(super) fn sentence(error: &io::Error) -> String {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return hung_up(error);
    };
    let told = match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
            match error.downcast_ref::<Fault>() {
                Some(fault) => return fault.to_string(),
                None => return Fault::Other(error.to_string()).to_string(),
            }
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            return Fault::Handshake.to_string();
        }
        Error::AlertReceived(alert) => match alert {
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity => NOTHING_IN_COMMON,
            AlertDescription::CertificateRequired => {
                "the server wants a client's certificate: name it with sslcert and sslkey \
                 (ssl-cert and ssl-key)"
            }
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => {
                "the server doesn't take the client's certificate: one that an authority of the \
                 server's signed has to be named with sslcert and sslkey (ssl-cert and ssl-key)"
            }
            AlertDescription::CertificateExpired | AlertDescription::CertificateRevoked => {
                "the server doesn't take the client's certificate any more: renew it"
            }
            AlertDescription::NoApplicationProtocol => NOT_DIRECT,
            AlertDescription::UnrecognisedName => {
                "the server doesn't know the name that it is called by: check the host"
            }
            _ => "the server broke off the handshake: its log says why",
        },
        Error::NoApplicationProtocol => NOT_DIRECT,
        // With TLS 1.2 and a key only for RSASSA-PSS, which requires TLS 1.3.
        Error::PeerIncompatible(_)
        | Error::PeerMisbehaved(PeerMisbehaved::SignedKxWithWrongAlgorithm) => NOTHING_IN_COMMON,
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            "what listens there answers with something that isn't TLS: check host and port"
        }
        Error::PeerMisbehaved(_) => {
            "the server's TLS isn't as the standard has it: what stands between may change it"
        }
        error => return error.to_string(),
    };
    told.to_owned()
}

const NOTHING_IN_COMMON: &str = "the server has no version of TLS, cipher or kind of key in common \
                                 with this client: it has to speak TLS 1.2 or 1.3, with a key of \
                                 RSA, P-256, P-384, P-521 or Ed25519";

/// For servers that don't know PostgreSQL's protocol by ALPN.
pub(crate) const NOT_DIRECT: &str = "the server doesn't take TLS from the first byte on: sslnegotiation=direct needs PostgreSQL \
     17 or newer, so leave it out";

fn hung_up(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            "the server hung up during the handshake: its log says why".into()
        }
        _ => error.to_string(),
    }
}
