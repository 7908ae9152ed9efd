//! One connection, to whichever of the servers can be written.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, IoError, Opts, OptsBuilder, Row, SslOpts};

use super::explain::ConnectError;
use super::url::{Address, SslMode, Target, UrlError};
use crate::panics;

/// Opens connections to whichever of the servers can be written.
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) connect_timeout: Duration,
    /// How long a statement may wait for a row's lock.
    pub(super) lock_timeout: Duration,
}

impl Connector {
    pub(super) async fn connect(&self) -> Result<Conn, ConnectError> {
        let several = self.target.addresses.len() > 1;
        let mut failed = None;
        for address in &self.target.addresses {
            let limit = self.connect_timeout;
            // A driver that panics is one that can't connect.
            let connecting = panics::caught(self.connect_to(address));
            let outcome = match tokio::time::timeout(limit, connecting).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(ConnectError::Driver { address: address.to_string() }),
                Err(_) => {
                    Err(ConnectError::Timeout { address: address.to_string(), within: limit })
                }
            };
            match outcome {
                Ok((_, true)) if several => failed = failed.or(Some(ConnectError::ReadOnly)),
                Ok((conn, _)) => return Ok(conn),
                Err(error) => failed = Some(error),
            }
        }
        // A URL has at least one host.
        Err(failed.unwrap_or(ConnectError::Url(UrlError::NoHost)))
    }

    /// A connection, and whether its server is read-only.
    async fn connect_to(&self, address: &Address) -> Result<(Conn, bool), ConnectError> {
        let explain = |error| ConnectError::of(address, &self.target.database, error);
        let mode = self.target.ssl_mode;
        let mut opened = Conn::new(self.opts(address, mode != SslMode::Disabled, None)).await;
        if mode == SslMode::Preferred
            && let Err(Error::Driver(DriverError::NoClientSslFlagFromServer)) = opened
        {
            opened = Conn::new(self.opts(address, false, None)).await;
        }
        // The driver looks at the name even where it is told not to: it is given one that the
        // certificate has, which is verified anew.
        if mode == SslMode::VerifyCa
            && let Err(error) = &opened
            && let Some(name) = certified_name(error)
        {
            opened = Conn::new(self.opts(address, true, Some(name))).await;
        }
        let mut conn = opened.map_err(explain)?;
        if let Some(statement) = &self.target.init_command {
            conn.query_drop(statement.as_str()).await.map_err(explain)?;
            // Texts are read and written as what they are, whatever that said.
            conn.query_drop("SET NAMES utf8mb4").await.map_err(explain)?;
        }
        // MariaDB and MySQL call the variable of the isolation level by different names.
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await
            .map_err(explain)?;
        let lock_timeout = self.lock_timeout.as_secs().max(1);
        conn.query_drop(format!(
            "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,\
             ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', autocommit = 1, \
             innodb_lock_wait_timeout = {lock_timeout}, foreign_key_checks = 1, unique_checks = 1"
        ))
        .await
        .map_err(explain)?;
        let row: Option<Row> = conn.query_first("SELECT @@read_only").await.map_err(explain)?;
        let read_only = row.and_then(|row| row.get_opt::<i64, _>(0)).is_some_and(|v| v == Ok(1));
        Ok((conn, read_only))
    }

    fn opts(&self, address: &Address, tls: bool, name: Option<String>) -> Opts {
        let target = &self.target;
        let mut opts = OptsBuilder::default()
            .user(target.user.clone())
            .pass(target.password.as_ref().map(|password| password.as_str()))
            .db_name(Some(target.database.clone()))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .stmt_cache_size(128)
            // Known, so that they needn't be asked for.
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800))
            // The rows that were changed, not those that were found.
            .client_found_rows(false);
        opts = match address {
            Address::Host(host, port) => opts.ip_or_hostname(host.clone()).tcp_port(*port),
            Address::Socket(path) => opts.socket(Some(path.clone())),
        };
        if tls && matches!(address, Address::Host(..)) {
            provide_crypto();
            opts = opts.ssl_opts(self.ssl_opts().with_danger_tls_hostname_override(name));
        }
        opts.into()
    }

    fn ssl_opts(&self) -> SslOpts {
        let target = &self.target;
        let roots = target.ssl_ca.iter().map(|path| path.clone().into()).collect();
        SslOpts::default()
            .with_root_certs(roots)
            .with_disable_built_in_roots(target.ssl_ca.is_some())
            .with_danger_accept_invalid_certs(matches!(
                target.ssl_mode,
                SslMode::Preferred | SslMode::Required | SslMode::Disabled
            ))
            .with_danger_skip_domain_validation(target.ssl_mode != SslMode::VerifyIdentity)
    }
}

/// A name in a certificate that is good but for being in another name than the URL's.
fn certified_name(error: &Error) -> Option<String> {
    let Error::Io(IoError::Io(source)) = error else { return None };
    let Some(rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForNameContext {
        presented,
        ..
    })) = source.get_ref().and_then(|inner| inner.downcast_ref())
    else {
        return None;
    };
    presented.iter().find_map(|name| {
        let name = name.strip_prefix("DnsName(\"")?.strip_suffix("\")")?;
        Some(name.replacen('*', "any", 1))
    })
}

/// rustls takes the provider of the process; where there is none yet it gets ours.
fn provide_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}
