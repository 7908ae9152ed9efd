//! Connecting to one server, secured according to `ssl-mode`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::{ClientIdentity, Conn, DriverError, Error, IoError, OptsBuilder, SslOpts};
use rustls::ClientConfig;

use super::explain::ConnectError;
use super::url::{Address, SslMode, Target};
#[cfg(target_os = "linux")]
use crate::sql::tls::server_name;
use crate::sql::tls::{SetupError, TlsOptions, Verify, client_config};

/// The TLS that a URL asks for, with its files read.
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    verify: Verify,
    /// `true` if TLS is provided here rather than by the driver.
    own: AtomicBool,
}

impl Tls {
    /// Reads the files that the URL names.
    pub(super) fn new(target: &Target) -> Result<Self, ConnectError> {
        let verify = match target.ssl_mode {
            SslMode::VerifyCa => Verify::Issuer,
            SslMode::VerifyIdentity => Verify::Name,
            SslMode::Disabled | SslMode::Preferred | SslMode::Required => Verify::Nothing,
        };
        let identity = target.ssl_identity.clone();
        let own = AtomicBool::new(MADE_HERE && identity.is_some());
        let authorities = target.ssl_ca.clone();
        let config = client_config(&TlsOptions { verify, authorities, identity });
        let config = config.map_err(|error| match error {
            SetupError::Authorities(path, source) => ConnectError::Certificates { path, source },
            SetupError::Identity(path, source) => ConnectError::Identity { path, source },
            SetupError::Other(source) => ConnectError::Setup(source),
        })?;
        // The driver's own TLS uses the provider of the process; if there is none yet, it gets the
        // same.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been quicker, which is just as good.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        Ok(Self { config: Arc::new(config), verify, own })
    }

    /// Connects to one server; `opts` are all options except for TLS.
    pub(super) async fn open(
        &self,
        target: &Target,
        address: &Address,
        opts: OptsBuilder,
        limit: Duration,
    ) -> Result<Conn, ConnectError> {
        let plain = async |opts: OptsBuilder| {
            Conn::new(opts).await.map_err(|error| ConnectError::of(address, target, error))
        };
        let Address::Host(host, port) = address else { return plain(opts).await };
        if target.ssl_mode == SslMode::Disabled {
            return plain(opts).await;
        }
        match self.secured(target, host, *port, &opts, limit).await {
            Ok(conn) => Ok(conn),
            Err(Failed::NoTls) if target.ssl_mode == SslMode::Preferred => plain(opts).await,
            Err(Failed::NoTls) => Err(ConnectError::NoTls { address: address.to_string() }),
            Err(Failed::Tls(advice)) => {
                Err(ConnectError::Tls { address: address.to_string(), advice })
            }
            Err(Failed::Driver(error)) => Err(ConnectError::of(address, target, error)),
        }
    }

    /// Tries the driver's TLS first, which needs no relay. It reads only certificates of the usual
    /// form: after the first of another form, TLS is provided here.
    async fn secured(
        &self,
        target: &Target,
        host: &str,
        port: u16,
        opts: &OptsBuilder,
        limit: Duration,
    ) -> Result<Conn, Failed> {
        if !self.own.load(Ordering::Relaxed) {
            match by_the_driver(target, opts).await {
                Err(error) if MADE_HERE && is_of_the_certificate(&error) => {}
                outcome => return outcome.map_err(Failed::from),
            }
        }
        let conn = self.here(host, port, opts.clone(), limit).await?;
        self.own.store(true, Ordering::Relaxed);
        Ok(conn)
    }

    #[cfg(target_os = "linux")]
    async fn here(
        &self,
        host: &str,
        port: u16,
        opts: OptsBuilder,
        limit: Duration,
    ) -> Result<Conn, Failed> {
        use super::relay::{Broken, Secured, connect};
        let name =
            server_name(host, self.verify).map_err(|error| Failed::Tls(error.to_string()))?;
        let config = Arc::clone(&self.config);
        let secured = Secured { host, port, name, config, limit };
        connect(secured, opts).await.map_err(|failed| match failed {
            (Some(Broken::NoTls), _) => Failed::NoTls,
            (Some(Broken::Tls(advice)), _) => Failed::Tls(advice),
            // The server's error is more useful than the way it hung up.
            (_, Some(error @ (Error::Server(_) | Error::Driver(_)))) => error.into(),
            (Some(Broken::Io(error)), _) => Failed::Driver(error.into()),
            (None, Some(error)) => error.into(),
            (None, None) => Failed::NoTls,
        })
    }

    #[cfg(not(target_os = "linux"))]
    async fn here(&self, _: &str, _: u16, _: OptsBuilder, _: Duration) -> Result<Conn, Failed> {
        let _ = (&self.config, self.verify);
        Err(Failed::NoTls)
    }
}

/// `true` if TLS can be provided here: the driver has to be given a socket without a file.
const MADE_HERE: bool = cfg!(target_os = "linux");

/// The reason there is no secured connection.
enum Failed {
    NoTls,
    Tls(String),
    Driver(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Driver(DriverError::NoClientSslFlagFromServer) => Self::NoTls,
            error => Self::Driver(error),
        }
    }
}

async fn by_the_driver(target: &Target, opts: &OptsBuilder) -> Result<Conn, Error> {
    let with_name = |name: Option<String>| {
        let options = ssl_opts(target).with_danger_tls_hostname_override(name);
        Conn::new(opts.clone().ssl_opts(options))
    };
    let opened = with_name(None).await;
    // The driver checks the name even if told not to: it is given one of the certificate's, which
    // is verified again.
    if target.ssl_mode == SslMode::VerifyCa
        && let Err(error) = &opened
        && let Some(name) = certified_name(error)
    {
        return with_name(Some(name)).await;
    }
    opened
}

fn ssl_opts(target: &Target) -> SslOpts {
    let roots = target.ssl_ca.iter().map(|path| path.clone().into()).collect();
    let identity = target.ssl_identity.as_ref().map(|files| {
        ClientIdentity::new(files.certificate.clone().into(), files.key.clone().into())
    });
    SslOpts::default()
        .with_root_certs(roots)
        .with_client_identity(identity)
        .with_disable_built_in_roots(target.ssl_ca.is_some())
        .with_danger_accept_invalid_certs(matches!(
            target.ssl_mode,
            SslMode::Preferred | SslMode::Required | SslMode::Disabled
        ))
        .with_danger_skip_domain_validation(target.ssl_mode != SslMode::VerifyIdentity)
}

fn of_rustls(error: &Error) -> Option<&rustls::Error> {
    let Error::Io(IoError::Io(source)) = error else { return None };
    source.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Returns `true` if TLS failed because of the certificate's form or the kind of its key.
fn is_of_the_certificate(error: &Error) -> bool {
    use rustls::AlertDescription::{HandshakeFailure, InsufficientSecurity};
    match of_rustls(error) {
        Some(error) => matches!(
            error,
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::AlertReceived(HandshakeFailure | InsufficientSecurity)
        ),
        None => matches!(error, Error::Io(IoError::Tls(_))),
    }
}

/// Returns a name in a certificate that is valid, but for another name than the URL's.
fn certified_name(error: &Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForNameContext {
        presented,
        ..
    }) = of_rustls(error)?
    else {
        return None;
    };
    presented.iter().find_map(|name| {
        let name = name.strip_prefix("DnsName(\"")?.strip_suffix("\")")?;
        Some(name.replacen('*', "any", 1))
    })
}
