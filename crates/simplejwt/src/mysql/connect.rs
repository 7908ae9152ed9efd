//! Connecting to the server that can be written.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};

use super::explain::ConnectError;
use super::servers::{self, Standing};
use super::tls::Tls;
use super::url::{Address, Target};

/// The time that the server waits for the next statement, in seconds: for so long, a node that has
/// lost its power may hold locks. A connection that was merely idle is opened again.
const MAX_IDLE: u32 = 60;

/// Opens connections to a server, which [`Servers`](super::servers::Servers) selects.
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) tls: Tls,
    pub(super) connect_timeout: Duration,
    /// The time that a statement may wait for a row's lock.
    pub(super) lock_timeout: Duration,
}

impl Connector {
    /// Returns a connection, and its server's status.
    pub(super) async fn connect_to(
        &self,
        address: &Address,
    ) -> Result<(Conn, Standing), ConnectError> {
        let explain = |error| ConnectError::of(address, &self.target, error);
        let open =
            || self.tls.open(&self.target, address, self.opts(address), self.connect_timeout);
        let mut conn = match open().await {
            // One login in 256 with MariaDB's ed25519 is refused: the driver drops the last byte of
            // the server's nonce if it is zero.
            Err(ConnectError::Refused { .. }) if self.target.password.is_some() => open().await?,
            opened => opened?,
        };
        if let Some(statement) = &self.target.init_command {
            conn.query_drop(statement.as_str()).await.map_err(explain)?;
            // Texts are read and written as they are, whatever that statement did.
            conn.query_drop("SET NAMES utf8mb4").await.map_err(explain)?;
        }
        // MariaDB and MySQL have different names for the variable of the isolation level.
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await
            .map_err(explain)?;
        let lock_timeout = self.lock_timeout.as_secs().max(1);
        conn.query_drop(format!(
            "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,\
             ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', autocommit = 1, \
             innodb_lock_wait_timeout = {lock_timeout}, foreign_key_checks = 1, unique_checks = 1, \
             wait_timeout = CAST(LEAST(@@wait_timeout, {MAX_IDLE}) AS UNSIGNED)"
        ))
        .await
        .map_err(explain)?;
        let standing = servers::standing(&mut conn).await.map_err(explain)?;
        Ok((conn, standing))
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
            // Set, so that they needn't be asked for.
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800))
            // Counts the rows that were changed, not those that were found.
            .client_found_rows(false);
        match address {
            Address::Host(host, port) => opts.ip_or_hostname(host.clone()).tcp_port(*port),
            Address::Socket(path) => opts.socket(Some(path.clone())),
        }
    }
}
