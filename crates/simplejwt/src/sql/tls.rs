//! TLS to a database, as the database's own client does it.
//!
//! If nothing is to be verified, a certificate's form doesn't matter: neither its version nor its
//! names, dates or signature. It is still verified that the server has the certificate's key, if
//! the key is of a supported kind, since PostgreSQL's channel binding relies on it. If the issuer
//! is to be verified, webpki does it, and certificates that webpki rejects as a server's are
//! examined again in [`issued`]: one that is itself named as an authority, or that such an
//! authority signed without the extensions of X.509 version 3.

mod certificate;
mod fault;
mod identity;
mod issued;
mod names;
mod verifier;

#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

pub(crate) use certificate::Certificate;
pub(crate) use fault::NOT_DIRECT;
use verifier::Verifier;

/// How much of the server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Not at all.
    Nothing,
    /// Its issuer.
    Issuer,
    /// Its issuer, and its name.
    Name,
}

/// The client's own certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The URL names a key but no certificate.
pub(crate) struct KeyWithoutCertificate;

impl IdentityFiles {
    /// Returns the files that a URL's parameters name, if any. Without a key, it is in the
    /// certificate's file.
    pub(crate) fn named(
        certificate: Option<&str>,
        key: Option<&str>,
    ) -> Result<Option<Self>, KeyWithoutCertificate> {
        match (certificate, key) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(KeyWithoutCertificate),
            (Some(certificate), key) => Ok(Some(Self {
                certificate: certificate.into(),
                key: key.unwrap_or(certificate).into(),
            })),
        }
    }
}

/// The TLS that a URL asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) verify: Verify,
    /// The file of authorities; without it, the ones that the operating system trusts.
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) identity: Option<IdentityFiles>,
}

/// The reason TLS can't be set up.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// The file of authorities.
    Authorities(PathBuf, Box<dyn StdError + Send + Sync>),
    /// The client's certificate, or its key.
    Identity(PathBuf, Box<dyn StdError + Send + Sync>),
    Other(Box<dyn StdError + Send + Sync>),
}

/// Returns the configuration for these options.
pub(crate) fn client_config(options: &TlsOptions) -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let authorities = match options.verify {
        Verify::Nothing => Vec::new(),
        _ => authorities(options.authorities.as_deref())?,
    };
    let verifier = Verifier::new(Arc::clone(&provider), options.verify, authorities)
        .map_err(|error| SetupError::Other(error.into()))?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Other(error.into()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(match &options.identity {
        None => builder.with_no_client_auth(),
        Some(files) => builder.with_client_cert_resolver(identity::read(files, &provider)?),
    })
}

/// Returns the name for TLS. A host whose name no certificate can have (`my-db-`, say) is connected
/// to without one, as for an address, if the name isn't verified.
pub(crate) fn server_name(host: &str, verify: Verify) -> io::Result<ServerName<'static>> {
    match ServerName::try_from(host.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) if verify != Verify::Name => {
            Ok(ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()))
        }
        Err(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "no certificate can be for such a host's name: connect to it by another one",
        )),
    }
}

/// Returns what went wrong in a handshake, with its remedy.
pub(crate) fn sentence(error: &io::Error) -> String {
    fault::sentence(error)
}

/// Returns the certificates that were named, or those that the operating system trusts.
fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let Some(path) = file else {
        // Those that can't be read are missed only by connections that need them.
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let unusable =
        |source: Box<dyn StdError + Send + Sync>| SetupError::Authorities(path.to_owned(), source);
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(error.into()))?;
    let mut store = RootCertStore::empty();
    for certificate in &found {
        // Some forms of certificates are only good for being presented by the server.
        if Certificate::read(certificate).is_none() {
            store.add(certificate.clone()).map_err(|error| unusable(error.into()))?;
        }
    }
    if found.is_empty() {
        return Err(unusable("there is no certificate in it, in PEM".into()));
    }
    Ok(found)
}
