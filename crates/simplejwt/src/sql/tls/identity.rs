//! The client's own certificate, for servers that ask for one.

use std::path::Path;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::certificate::Certificate;
use super::{IdentityFiles, SetupError};

/// Reads both files, in PEM, and checks that they belong together.
pub(super) fn read(
    files: &IdentityFiles,
    provider: &CryptoProvider,
) -> Result<Arc<dyn ResolvesClientCert>, SetupError> {
    let wrong = |path: &Path, told: &str| SetupError::Identity(path.to_owned(), told.into());
    let failed = |path: &Path, error: pem::Error| match error {
        pem::Error::Io(error) => SetupError::Identity(path.to_owned(), error.into()),
        _ => wrong(path, "it isn't well formed PEM"),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed(&files.certificate, error))?;
    let Some(first) = chain.first() else {
        return Err(wrong(&files.certificate, "there is no certificate in it, in PEM"));
    };
    let key = match PrivateKeyDer::from_pem_file(&files.key) {
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) => {
            let text = std::fs::read(&files.key).unwrap_or_default();
            let encrypted = text.windows(9).any(|part| part == b"ENCRYPTED");
            return Err(wrong(
                &files.key,
                if encrypted {
                    "the key in it is encrypted: write it without a password, readable for this \
                     user alone (openssl pkey -in FILE -out NEW)"
                } else {
                    "there is no private key in it, in PEM"
                },
            ));
        }
        Err(error) => return Err(failed(&files.key, error)),
    };
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|_| wrong(&files.key, "the key is of a kind that isn't supported, or broken"))?;
    if let (Some(of_key), Some(certificate)) = (key.public_key(), Certificate::read(first))
        && of_key.as_ref() != certificate.key_info
    {
        return Err(wrong(&files.key, "the key isn't that of the certificate"));
    }
    // Not compared by rustls, which only reads certificates of version 3.
    Ok(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
}
