//! What a URL says of a PostgreSQL server, and how it is connected to.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;

use deadpool_postgres::PoolError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why a database can't be connected to; the text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL can't be what was meant.
    #[error("the database's URL {0}")]
    Url(String),
    /// The file of certificate authorities can't be used.
    #[error("can't read the certificate authorities in {}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server refuses the user.
    #[error("the server at {server} refuses the user: check the name and the password")]
    Refused {
        /// The server.
        server: String,
        /// What it says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// There is no such database.
    #[error("the server at {server} has no such database: create it, or check its name")]
    NoDatabase {
        /// The server.
        server: String,
        /// What it says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server can't be reached.
    #[error("can't connect to {server}: is it running, and is the address right?")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A pooler in transaction mode stands between that keeps no prepared statements.
    #[error("{server} can't be used: {}", super::pooler::WITHOUT_STATEMENTS)]
    Unprepared {
        /// The server.
        server: String,
    },
    /// The pool or TLS can't be set up.
    #[error("can't set up connections")]
    Setup(#[source] Box<dyn StdError + Send + Sync>),
}

impl ConnectError {
    pub(super) fn of(target: &Target, error: PoolError) -> Self {
        let server = target.server();
        let state = match &error {
            PoolError::Backend(error) => error.code().cloned(),
            _ => None,
        };
        let source = Box::new(error);
        match state {
            Some(state)
                if state == SqlState::INVALID_PASSWORD
                    || state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
            {
                Self::Refused { server, source }
            }
            Some(state) if state == SqlState::INVALID_CATALOG_NAME => {
                Self::NoDatabase { server, source }
            }
            _ => Self::Unreachable { server, source },
        }
    }
}

/// How far the server's certificate is looked at: libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    /// Not at all: `prefer`, and `require` without `sslrootcert`.
    Nothing,
    /// Who issued it: `verify-ca`.
    Issuer,
    /// That, and whose name is in it: `verify-full`.
    Name,
}

/// A URL, taken apart.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    verify: Verify,
    roots: Option<PathBuf>,
}

/// What else can stand behind the question mark.
const PARAMETERS: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslnegotiation",
];

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let wrong = |problem: &str| ConnectError::Url(problem.to_owned());
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
        if authority.split_once('/').is_some_and(|(_, path)| path.contains(['@', ':', '/', '#'])) {
            return Err(wrong(
                "has an @, :, / or # that isn't where it belongs: in a user's name or password \
                 write %40, %3A, %2F or %23",
            ));
        }
        let (mut mode, mut roots) = (None, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(unquoted(value))),
                Some(("sslcert" | "sslkey" | "sslpassword", _)) => {
                    return Err(wrong("asks for a client's certificate, which isn't supported"));
                }
                Some((name, _)) if PARAMETERS.contains(&name) => rest.push(pair),
                // What isn't known may be part of a password.
                _ => {
                    return Err(ConnectError::Url(format!(
                        "has a parameter that isn't known: there are sslmode, sslrootcert, {}",
                        PARAMETERS.join(", ")
                    )));
                }
            }
        }
        let url =
            if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config = tokio_postgres::Config::from_str(&url).map_err(|error| {
            // Its text names the parameter, not the value.
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            ConnectError::Url(format!("can't be understood: {error}{source}"))
        })?;
        let (ssl, verify) = match (mode.as_deref(), &roots) {
            (Some("disable"), _) => (SslMode::Disable, Verify::Nothing),
            (None | Some("prefer" | "allow"), None) => (SslMode::Prefer, Verify::Nothing),
            (Some("require"), None) => (SslMode::Require, Verify::Nothing),
            (Some("verify-ca" | "require"), _) => (SslMode::Require, Verify::Issuer),
            (Some("verify-full"), _) | (None | Some("prefer" | "allow"), Some(_)) => {
                (SslMode::Require, Verify::Name)
            }
            (Some(_), _) => {
                return Err(wrong(
                    "has an unknown sslmode: write disable, prefer, require, verify-ca or \
                     verify-full",
                ));
            }
        };
        // Nobody listens in on a socket, and a server's certificate has no name for it.
        let is_local = |host: &Host| !matches!(host, Host::Tcp(_));
        let local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
        config.ssl_mode(if local { SslMode::Disable } else { ssl });
        if config.get_application_name().is_none() {
            config.application_name("simplejwt");
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("names no host: write postgres://user:password@host/database"));
        }
        if config.get_user().is_none() {
            return Err(wrong("names no user: write postgres://user:password@host/database"));
        }
        Ok(Self { config, verify, roots })
    }

    /// Where it is, for messages.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let hosts: Vec<_> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(at, host)| match host {
                Host::Tcp(name) => format!("{name}:{}", port(at)),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        hosts.join(", ")
    }
}

/// Leaves the password out.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("server", &self.server())
            .field("database", &self.config.get_dbname())
            .field("user", &self.config.get_user())
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

fn unquoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// TLS as the URL asks for it.
pub(super) fn connector(target: &Target) -> Result<MakeRustlsConnect, ConnectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let setup = |error: rustls::Error| ConnectError::Setup(error.into());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(setup)?;
    let verifier: Arc<dyn ServerCertVerifier> = match target.verify {
        Verify::Nothing => Arc::new(Lenient { provider, issuer: None }),
        verify => {
            let roots = Arc::new(roots(target.roots.as_deref())?);
            let strict = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| ConnectError::Setup(error.into()))?;
            match verify {
                Verify::Name => strict,
                _ => Arc::new(Lenient { provider, issuer: Some(strict) }),
            }
        }
    };
    let config =
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        // Those that can't be read are missed only by who needs them.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let unusable = |source: Box<dyn StdError + Send + Sync>| ConnectError::Certificates {
        path: path.to_owned(),
        source,
    };
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.into()))?
    {
        let certificate = certificate.map_err(|error| unusable(error.into()))?;
        roots.add(certificate).map_err(|error| unusable(error.into()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is no certificate in it".into()));
    }
    Ok(roots)
}

/// Takes a certificate whatever name is in it; of certain issuers, or of any.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    issuer: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(issuer) = &self.issuer else { return Ok(ServerCertVerified::assertion()) };
        let verified =
            issuer.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, server, ssl, verify) in [
            ("postgres://u:p@h/db", "h:5432", SslMode::Prefer, Verify::Nothing),
            (
                "postgres://u@h:1,i:2/db?sslmode=disable",
                "h:1, i:2",
                SslMode::Disable,
                Verify::Nothing,
            ),
            ("postgres://u@h/db?sslmode=require", "h:5432", SslMode::Require, Verify::Nothing),
            (
                "postgres://u@h/db?sslmode=require&sslrootcert=x",
                "h:5432",
                SslMode::Require,
                Verify::Issuer,
            ),
            ("postgresql://u@h/db?sslmode=verify-full", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@h/db?sslrootcert=x", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@/db?host=/run/pg", "/run/pg", SslMode::Disable, Verify::Nothing),
            (
                "postgres://u@%2Frun%2Fpg/db?sslmode=require",
                "/run/pg",
                SslMode::Disable,
                Verify::Nothing,
            ),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.server().as_str(), target.verify), (server, verify), "{url}");
            assert_eq!(target.config.get_ssl_mode(), ssl, "{url}");
        }
        for (url, told) in [
            ("postgres://u@h/db?sslmode=maybe", "unknown sslmode"),
            ("postgres://h/db?sslcert=x&user=u", "certificate"),
            ("postgres:///db?user=u", "no host"),
            ("postgres://h/db", "no user"),
            ("postgres://u:x@h/db?s3cret", "isn't known"),
            ("postgres://u:x@h/db?s3cret=red", "isn't known"),
            ("postgres://u:1234/s3cret@h/db", "%2F"),
            ("postgres://u:s3cret@h:port/db", "can't be understood"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let target = Target::parse("postgres://ann:s3cret@h/db").unwrap();
        let shown = format!("{target:?}");
        assert!(shown.contains("ann") && !shown.contains("s3cret"), "{shown}");
    }
}
