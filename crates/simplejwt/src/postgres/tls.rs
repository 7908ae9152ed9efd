//! TLS to PostgreSQL, and connecting to one server according to `sslmode`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{self, ChannelBinding, MakeTlsConnect};
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_rustls::TlsConnector;

use super::explain::ConnectError;
use super::url::Target;
use crate::sql::tls::{
    Certificate, NOT_DIRECT, SetupError, Verify, client_config, sentence, server_name,
};

/// The protocol's name in ALPN, which PostgreSQL 17 requires of clients that begin with TLS.
const ALPN: &[u8] = b"postgresql";

/// Creates the TLS connections that the URL asks for.
#[derive(Clone)]
pub(super) struct MakeTls {
    config: Arc<ClientConfig>,
    verify: Verify,
}

impl MakeTls {
    pub(super) fn new(target: &Target) -> Result<Self, ConnectError> {
        let options = target.tls_options();
        let mut config = client_config(&options).map_err(|error| match error {
            SetupError::Authorities(path, source) => ConnectError::Certificates { path, source },
            SetupError::Identity(path, source) => ConnectError::Identity { path, source },
            SetupError::Other(source) => ConnectError::Setup(source),
        })?;
        if target.config.get_ssl_negotiation() == SslNegotiation::Direct {
            config.alpn_protocols = vec![ALPN.to_vec()];
        }
        Ok(Self { config: Arc::new(config), verify: options.verify })
    }
}

/// Connects to the only server of a configuration. With `sslmode=prefer`, a connection that can't
/// be secured, or that the server's rules don't admit with TLS, is tried without.
pub(super) async fn open(
    config: &Config,
    tls: &MakeTls,
) -> Result<(Client, Connection<Socket, Stream<Socket>>), Error> {
    let error = match config.connect(tls.clone()).await {
        Ok(connected) => return Ok(connected),
        Err(error) => error,
    };
    let by_the_rules = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        && error.as_db_error().is_some_and(|said| said.message().contains("pg_hba.conf"));
    let by_tls = error.to_string() == "error performing TLS handshake";
    if config.get_ssl_mode() != SslMode::Prefer || !(by_the_rules || by_tls) {
        return Err(error);
    }
    let mut plain = config.clone();
    plain.ssl_mode(SslMode::Disable);
    // The reason it wasn't secured is the better answer.
    plain.connect(tls.clone()).await.map_err(|_| error)
}

impl<S> MakeTlsConnect<S> for MakeTls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Connect> {
        Ok(Connect { tls: self.clone(), host: host.to_owned() })
    }
}

/// A handshake to be made.
pub(super) struct Connect {
    tls: MakeTls,
    host: String,
}

impl<S> tls::TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let name = server_name(&self.host, self.tls.verify)?;
            let config = self.tls.config;
            let direct = !config.alpn_protocols.is_empty();
            // Only the sentence of an error is kept, which contains the cause.
            let secured =
                TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
                    // An older server misinterprets the first bytes of the handshake.
                    let of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
                    let hung_up = direct && !of_tls;
                    let told = if hung_up { NOT_DIRECT.to_owned() } else { sentence(&error) };
                    io::Error::new(error.kind(), told)
                })?;
            if direct && secured.get_ref().1.alpn_protocol() != Some(ALPN) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, NOT_DIRECT));
            }
            Ok(Stream(secured))
        })
    }
}

/// A secured connection.
pub(super) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> tls::TlsStream for Stream<S> {
    /// Returns `tls-server-end-point` (RFC 5929 section 4): a hash of the server's certificate, by
    /// the algorithm of its signature. There is none for Ed25519, nor if the server hasn't proved
    /// that it has the certificate's key.
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.0.get_ref().1.peer_certificates().unwrap_or_default();
        certificates
            .first()
            .and_then(|der| end_point(der))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::read(der)?;
    if !certificate.is_provable() {
        return None;
    }
    let (id, parameters) = certificate.signed_with()?;
    Some(match hash(id, parameters)? {
        Hash::Sha224 => Sha224::digest(der).to_vec(),
        Hash::Sha256 => Sha256::digest(der).to_vec(),
        Hash::Sha384 => Sha384::digest(der).to_vec(),
        Hash::Sha512 => Sha512::digest(der).to_vec(),
    })
}

#[derive(Clone, Copy)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Returns the hash for a signature algorithm's object identifier. For MD5 and SHA-1 it is SHA-256.
fn hash(id: &[u8], parameters: &[u8]) -> Option<Hash> {
    // 1.2.840.113549.1.1
    if let Some([arc]) = id.strip_prefix(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01") {
        return match arc {
            4 | 5 | 11 => Some(Hash::Sha256),
            12 => Some(Hash::Sha384),
            13 => Some(Hash::Sha512),
            14 => Some(Hash::Sha224),
            // RSASSA-PSS names it in its parameters; SHA-1 if it doesn't.
            10 => {
                // 2.16.840.1.101.3.4.2
                let prefix = b"\x60\x86\x48\x01\x65\x03\x04\x02";
                let at = parameters.windows(prefix.len()).position(|part| part == prefix);
                match at.and_then(|at| parameters.get(at + prefix.len())) {
                    None | Some(1) => Some(Hash::Sha256),
                    Some(2) => Some(Hash::Sha384),
                    Some(3) => Some(Hash::Sha512),
                    Some(4) => Some(Hash::Sha224),
                    Some(_) => None,
                }
            }
            _ => None,
        };
    }
    match id {
        // 1.2.840.10045.4.1 ecdsa-with-SHA1, .4.3.1 to .4.3.4
        b"\x2a\x86\x48\xce\x3d\x04\x01" => Some(Hash::Sha256),
        b"\x2a\x86\x48\xce\x3d\x04\x03\x01" => Some(Hash::Sha224),
        b"\x2a\x86\x48\xce\x3d\x04\x03\x02" => Some(Hash::Sha256),
        b"\x2a\x86\x48\xce\x3d\x04\x03\x03" => Some(Hash::Sha384),
        b"\x2a\x86\x48\xce\x3d\x04\x03\x04" => Some(Hash::Sha512),
        _ => None,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
