//! Verifies a server's certificate, and that the server has its key.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};

use super::Verify;
use super::certificate::{Certificate, NAME_CONSTRAINTS};
use super::fault::Fault;
use super::{issued, names};

/// Algorithms that can't be verified here, and that a server may use if nothing is to be verified.
const UNVERIFIABLE: [SignatureScheme; 1] = [SignatureScheme::ED448];
/// Signatures of keys only for RSASSA-PSS (RFC 8446 section 4.2.3), and those that differ only in
/// the name of the key's kind.
const PSS_KEYS: [(SignatureScheme, SignatureScheme); 3] = [
    (SignatureScheme::Unknown(0x0809), SignatureScheme::RSA_PSS_SHA256),
    (SignatureScheme::Unknown(0x080a), SignatureScheme::RSA_PSS_SHA384),
    (SignatureScheme::Unknown(0x080b), SignatureScheme::RSA_PSS_SHA512),
];
#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    verify: Verify,
    authorities: Vec<CertificateDer<'static>>,
    /// `None` if nothing is to be verified, or no authority is in a form that webpki knows.
    webpki: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    pub(super) fn new(
        provider: Arc<CryptoProvider>,
        verify: Verify,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, VerifierBuilderError> {
        let mut store = RootCertStore::empty();
        // One that denies being an authority is only good for being presented by the server.
        let may_issue = |der: &&CertificateDer<'_>| {
            Certificate::read(der).is_none_or(|found| found.is_authority() != Some(false))
        };
        store.add_parsable_certificates(authorities.iter().filter(may_issue).cloned());
        let webpki = match verify {
            Verify::Nothing => None,
            _ if store.is_empty() && !authorities.is_empty() => None,
            _ => Some(
                WebPkiServerVerifier::builder_with_provider(store.into(), Arc::clone(&provider))
                    .build()?,
            ),
        };
        Ok(Self { provider, verify, authorities, webpki })
    }

    /// Checks that a known authority vouches for it. webpki's verdict on its name is left to
    /// [`Self::name`].
    fn issuer(
        &self,
        der: &CertificateDer<'_>,
        certificate: Option<&Certificate<'_>>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<(), Fault> {
        let at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if self.authorities.contains(der) {
            return issued::dates(certificate.ok_or(Fault::Unreadable)?, at);
        }
        let verified = match &self.webpki {
            Some(webpki) => webpki.verify_server_cert(der, intermediates, host, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let error = match verified {
            Ok(_)
            | Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => return Ok(()),
            Err(error) => error,
        };
        // Anything that isn't about the certificate's form is webpki's decision.
        let of_its_form = matches!(
            error,
            Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::BadEncoding)
        ) || self.webpki.is_none();
        if of_its_form
            && let Some(certificate) = certificate
            && let Some(verdict) = issued::directly(
                certificate,
                &self.authorities,
                &self.provider.signature_verification_algorithms,
                at,
            )
        {
            return verdict;
        }
        Err(Fault::of(&error, certificate))
    }

    /// Checks that it is for the host.
    fn name(
        &self,
        der: &CertificateDer<'_>,
        certificate: Option<&Certificate<'_>>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
    ) -> Result<(), Fault> {
        let certificate = certificate.ok_or(Fault::Unreadable)?;
        if !names::fits(certificate, host) {
            let host_name = host;
            let (host, names) = (host.to_str().into_owned(), names::describe(certificate));
            let kind = if matches!(host_name, ServerName::IpAddress(_)) { "IP" } else { "DNS" };
            return Err(Fault::Name { host, names, kind });
        }
        // webpki enforces an authority's constraints on names, but knows nothing of common names.
        let is_limited = |der: &CertificateDer<'_>| {
            Certificate::read(der).is_some_and(|found| found.has_extension(NAME_CONSTRAINTS))
        };
        let issuers = || {
            self.authorities
                .iter()
                .filter(|of| self.may_have_signed(of, certificate, intermediates))
        };
        if names::by_common_name(certificate, host)
            && !self.authorities.contains(der)
            && (intermediates.iter().any(is_limited) || issuers().any(is_limited))
        {
            return Err(Fault::Constraint("nameConstraints need subjectAltName"));
        }
        Ok(())
    }

    /// Returns `true` if the authority has the name of an issuer in the chain.
    fn may_have_signed(
        &self,
        authority: &CertificateDer<'_>,
        certificate: &Certificate<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> bool {
        let Some(authority) = Certificate::read(authority) else { return false };
        authority.subject == certificate.issuer
            || intermediates
                .iter()
                .filter_map(|der| Certificate::read(der))
                .any(|found| found.issuer == authority.subject)
    }

    /// Checks that the server has the certificate's key.
    fn possession(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        first_only: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = Certificate::read(der).ok_or(Fault::Unreadable)?;
        match (self.verify, certificate.is_provable()) {
            (_, true) => {}
            (Verify::Nothing, false) => return Ok(HandshakeSignatureValid::assertion()),
            (_, false) => return Err(Fault::Algorithm.into()),
        }
        let for_pss = PSS_KEYS.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let scheme = for_pss.map_or(signed.scheme, |(_, same)| *same);
        let mapping = self.provider.signature_verification_algorithms.mapping;
        let Some((_, usable)) = mapping.iter().find(|(known, _)| *known == scheme) else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        let count = if first_only { 1 } else { usable.len() };
        let mut of_this_kind = usable
            .iter()
            .take(count)
            .filter(|algorithm| {
                issued::same(algorithm.public_key_alg_id(), certificate.key_algorithm)
                    || for_pss.is_some() && certificate.is_rsa()
            })
            .peekable();
        if of_this_kind.peek().is_none() {
            return Err(Fault::Algorithm.into());
        }
        let proven = of_this_kind.any(|algorithm| {
            algorithm.verify_signature(certificate.key, message, signed.signature()).is_ok()
        });
        if proven { Ok(HandshakeSignatureValid::assertion()) } else { Err(Fault::Handshake.into()) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.verify != Verify::Nothing {
            let certificate = Certificate::read(end_entity);
            let certificate = certificate.as_ref();
            self.issuer(end_entity, certificate, intermediates, server_name, ocsp_response, now)?;
            if self.verify == Verify::Name {
                self.name(end_entity, certificate, intermediates, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.possession(message, cert, dss, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.possession(message, cert, dss, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.provider.signature_verification_algorithms.supported_schemes();
        schemes.extend(PSS_KEYS.map(|(scheme, _)| scheme));
        if self.verify == Verify::Nothing {
            schemes.extend(UNVERIFIABLE);
        }
        schemes
    }
}
