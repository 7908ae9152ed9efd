//! TLS to clients: the certificate, which may change while the server runs, and the handshake,
//! which negotiates HTTP/1.1 or HTTP/2 (ALPN, RFC 7301).

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config;
use crate::failure::{Failure, chain};

const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// The configuration of handshakes. Clones share the certificate.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    pub(crate) certificate: Arc<Certificate>,
}

/// The certificate in use, and the files it comes from.
pub(crate) struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    provider: CryptoProvider,
    shown: RwLock<Shown>,
}

struct Shown {
    certified: Arc<CertifiedKey>,
    /// The content of the files.
    read: Files,
}

#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

/// Leaves out the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, key, .. } = self;
        f.debug_struct("Certificate")
            .field("certificate", certificate)
            .field("key", key)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Creates the configuration; returns `None` for plain HTTP.
    ///
    /// # Errors
    /// The certificate or its key can't be used.
    pub(crate) fn new(config: &config::Tls) -> Result<Option<Self>, Failure> {
        let (Some(certificate), Some(key)) = (&config.certificate, &config.key) else {
            return Ok(None);
        };
        let provider = default_provider();
        let read = Files::read(certificate, key).map_err(Failure::config)?;
        let certified = read.certified(&provider, certificate, key).map_err(Failure::config)?;
        let shown = RwLock::new(Shown { certified: Arc::new(certified), read });
        let (certificate, key) = (certificate.clone(), key.clone());
        let certificate =
            Arc::new(Certificate { certificate, key, provider: provider.clone(), shown });
        let failed =
            |error: rustls::Error| Failure::Failed(format!("TLS can't be set up: {error}"));
        let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(server)), certificate }))
    }

    /// Performs the handshake. Returns `true` with it if HTTP/2 was negotiated.
    ///
    /// # Errors
    /// Errors of the client, which may not speak TLS at all.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, bool)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.acceptor.accept(stream).await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        Ok((stream, is_http2))
    }
}

impl Certificate {
    /// Reads the files again. Returns `true` if their content has changed. Files that can't be used
    /// change nothing.
    ///
    /// # Errors
    /// The problem with the files.
    pub(crate) fn reload(&self) -> Result<bool, String> {
        let read = Files::read(&self.certificate, &self.key)?;
        if self.shown.read().unwrap_or_else(PoisonError::into_inner).read == read {
            return Ok(false);
        }
        let certified = read.certified(&self.provider, &self.certificate, &self.key)?;
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown { certified: Arc::new(certified), read };
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&shown.certified))
    }
}

impl Files {
    fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let read = |name: &str, path: &Path| {
            fs::read(path)
                .map_err(|error| format!("[tls] {name}: can't read {}: {error}", path.display()))
        };
        Ok(Self { certificate: read("certificate", certificate)?, key: read("key", key)?.into() })
    }

    fn certified(
        &self,
        provider: &CryptoProvider,
        certificate: &Path,
        key: &Path,
    ) -> Result<CertifiedKey, String> {
        let chain_of: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain_of = chain_of.map_err(|error| {
            format!("[tls] certificate: {} is not PEM: {error}", certificate.display())
        })?;
        if chain_of.is_empty() {
            return Err(format!(
                "[tls] certificate: {} holds no certificate: write the PEM file whose first block \
                 is the server's own",
                certificate.display()
            ));
        }
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| {
            format!(
                "[tls] key: {} holds no private key in PEM that is not encrypted",
                key.display()
            )
        })?;
        CertifiedKey::from_der(chain_of, private, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "[tls] key: {} is not the key of the first certificate in {}",
                key.display(),
                certificate.display()
            ),
            error => format!(
                "[tls] {} and {} can't be used: {}",
                certificate.display(),
                key.display(),
                chain(&error)
            ),
        })
    }
}
