//! One connection, to whichever of the servers can be written.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, Row};

use super::explain::ConnectError;
use super::tls::Tls;
use super::url::{Address, Target, UrlError};
use crate::panics;

/// Opens connections to whichever of the servers can be written.
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) tls: Tls,
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
        let explain = |error| ConnectError::of(address, &self.target, error);
        let mut conn =
            self.tls.open(&self.target, address, self.opts(address), self.connect_timeout).await?;
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

    fn opts(&self, address: &Address) -> OptsBuilder {
        let target = &self.target;
        let opts = OptsBuilder::default()
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
        match address {
            Address::Host(host, port) => opts.ip_or_hostname(host.clone()).tcp_port(*port),
            Address::Socket(path) => opts.socket(Some(path.clone())),
        }
    }
}
