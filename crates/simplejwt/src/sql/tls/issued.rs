//! Certificates that a known authority signed directly, whatever their form.
//!
//! webpki accepts only certificates of X.509 version 3 that aren't authorities' own. But
//! `openssl x509 -req` without `-extfile` creates one of version 1, and
//! `openssl req -x509` an authority's; databases use both. No chain is built here: either the
//! authority's key verifies the certificate's signature, or it isn't accepted.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, CertificateDer};

use super::certificate::{
    BASIC_CONSTRAINTS, Certificate, EXTENDED_KEY_USAGE, KEY_USAGE, NAME_CONSTRAINTS,
    SUBJECT_ALT_NAME,
};
use super::fault::Fault;

/// 1.3.6.1.5.5.7.3.1
const SERVER_AUTH: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x01";
/// The bit of `keyUsage` that lets a key sign certificates.
const SIGNS_CERTIFICATES: u8 = 5;

/// Checks that it is valid at a time, in seconds since 1970.
pub(super) fn dates(certificate: &Certificate<'_>, now: i64) -> Result<(), Fault> {
    let date =
        |seconds| jiff::Timestamp::from_second(seconds).map_or("?".into(), |at| at.to_string());
    match certificate.validity() {
        None => Err(Fault::Unreadable),
        Some((from, _)) if now < from => Err(Fault::NotYetValid(date(from))),
        Some((_, until)) if now > until => Err(Fault::Expired(date(until))),
        Some(_) => Ok(()),
    }
}

/// Checks that one of the authorities signed it. Returns `None` if none of them has its issuer's
/// name.
pub(super) fn directly(
    certificate: &Certificate<'_>,
    authorities: &[CertificateDer<'_>],
    algorithms: &WebPkiSupportedAlgorithms,
    now: i64,
) -> Option<Result<(), Fault>> {
    let mut outcome = None;
    for authority in authorities.iter().filter_map(|der| Certificate::read(der)) {
        if authority.subject == certificate.issuer {
            let verdict = by(certificate, &authority, algorithms, now);
            if verdict.is_ok() {
                return Some(verdict);
            }
            outcome = Some(verdict);
        }
    }
    outcome
}

fn by(
    certificate: &Certificate<'_>,
    authority: &Certificate<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
    now: i64,
) -> Result<(), Fault> {
    dates(certificate, now)?;
    dates(authority, now)?;
    // One of version 1 can't say that it is an authority; the user did, by naming it.
    let is_authority = authority.is_authority().unwrap_or(authority.version < 3);
    if !is_authority || !authority.may(SIGNS_CERTIFICATES) {
        return Err(Fault::Constraint("what signed it is no authority"));
    }
    if authority.has_extension(NAME_CONSTRAINTS) {
        return Err(Fault::Constraint("nameConstraints need a certificate of version 3"));
    }
    let extensions = certificate.extensions().ok_or(Fault::Unreadable)?;
    let known = [BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, SUBJECT_ALT_NAME];
    if extensions.iter().any(|found| found.critical && !known.contains(&found.id)) {
        return Err(Fault::Extension);
    }
    if !certificate.is_for(SERVER_AUTH) {
        return Err(Fault::Purpose);
    }
    let (inner, outer) = certificate.algorithms;
    if inner != outer {
        return Err(Fault::Unreadable);
    }
    let mut usable = algorithms
        .all
        .iter()
        .filter(|algorithm| {
            same(algorithm.signature_alg_id(), outer)
                && same(algorithm.public_key_alg_id(), authority.key_algorithm)
        })
        .peekable();
    if usable.peek().is_none() {
        return Err(Fault::Algorithm);
    }
    let signed = usable.any(|algorithm| {
        algorithm
            .verify_signature(authority.key, certificate.to_be_signed, certificate.signature)
            .is_ok()
    });
    if signed { Ok(()) } else { Err(Fault::Signature(certificate.issuer_name())) }
}

pub(super) fn same(algorithm: AlgorithmIdentifier, content: &[u8]) -> bool {
    algorithm.as_ref() == content
}
