//! One connection, with errors that say what to do.

use std::error::Error as StdError;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, IoError, Opts, OptsBuilder, SslOpts};

use super::servers::{self, Standing};
use super::url::{Address, SslMode, Target, UrlError};

/// Why a MySQL or MariaDB server can't be used. Never holds the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL isn't one.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Nobody listens, or the name can't be resolved.
    #[error("can't reach MySQL at {address}: is it running, and are host and port right?")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What the operating system said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// It didn't answer in time.
    #[error("MySQL at {address} doesn't answer within {} seconds", within.as_secs_f32())]
    Timeout {
        /// Where it should be.
        address: String,
        /// The limit.
        within: Duration,
    },
    /// The account is unknown, or has another password, or may not come from here.
    #[error("MySQL at {address} refuses the user: check the name and the password in the URL")]
    Refused {
        /// Which server.
        address: String,
        /// What it said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// No such database, or the account may not use it.
    #[error(
        "there is no database \"{database}\" at {address}, or the user may not use it: CREATE \
         DATABASE and GRANT make one"
    )]
    NoDatabase {
        /// The database.
        database: String,
        /// Which server.
        address: String,
        /// What it said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The URL demands TLS.
    #[error("MySQL at {address} has no TLS, which ssl-mode demands")]
    NoTls {
        /// Which server.
        address: String,
    },
    /// The certificate isn't good, or its authority isn't known.
    #[error(
        "the connection to MySQL at {address} can't be secured: check its certificate, ssl-ca and \
         ssl-mode"
    )]
    Tls {
        /// Which server.
        address: String,
        /// What was wrong.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The account's authentication plugin is one that the driver hasn't.
    #[error(
        "MySQL at {address} wants the user authenticated by {plugin}, which isn't supported: ALTER \
         USER to one of caching_sha2_password, mysql_native_password, ed25519 or parsec"
    )]
    Plugin {
        /// Which server.
        address: String,
        /// The plugin, by the client's name for it.
        plugin: String,
    },
    /// The driver panicked at something that the server said.
    #[error(
        "the driver failed at what MySQL at {address} said: check the server's version and the \
         user's authentication plugin"
    )]
    Driver {
        /// Which server.
        address: String,
    },
    /// Of several hosts none can be written.
    #[error("none of the hosts can be written (@@read_only is set on those that answer)")]
    ReadOnly,
    /// Of several hosts of a Galera cluster none is in touch with the others.
    #[error(
        "none of the hosts is a synced member of its Galera cluster's primary component: look at \
         SHOW STATUS LIKE 'wsrep_%' there"
    )]
    NotSynced,
    /// The server has no connection left, for anybody or for this user.
    #[error(
        "MySQL at {address} has no connection left for us: raise max_connections (or the user's \
         limit) there, or have fewer in max_connections of [database]"
    )]
    Full {
        /// Which server.
        address: String,
        /// What it said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Anything else.
    #[error("MySQL at {address} can't be used")]
    Server {
        /// Which server.
        address: String,
        /// What it said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

const ACCESS_DENIED: u16 = 1045;
const DATABASE_ACCESS_DENIED: u16 = 1044;
const UNKNOWN_DATABASE: u16 = 1049;
/// Of the server, of a user at a time, and of a user in an hour.
const FULL: [u16; 3] = [1040, 1203, 1226];

/// Opens connections to a server; to which one, [`Servers`](super::servers::Servers) decides.
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) connect_timeout: Duration,
    /// How long a statement may wait for a row's lock.
    pub(super) lock_timeout: Duration,
}

impl Connector {
    /// A connection, and how its server stands.
    pub(super) async fn connect_to(
        &self,
        address: &Address,
    ) -> Result<(Conn, Standing), ConnectError> {
        let explain = |error| self.explain(address, error);
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
        let standing = servers::standing(&mut conn).await.map_err(explain)?;
        Ok((conn, standing))
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

    pub(super) fn explain(&self, address: &Address, error: Error) -> ConnectError {
        let address = address.to_string();
        match error {
            Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                ConnectError::NoTls { address }
            }
            Error::Driver(DriverError::UnknownAuthPlugin { name }) => ConnectError::Plugin {
                address,
                plugin: name.chars().filter(|c| !c.is_control()).take(60).collect(),
            },
            Error::Driver(DriverError::CleartextPluginDisabled) => {
                ConnectError::Plugin { address, plugin: "mysql_clear_password".into() }
            }
            Error::Driver(DriverError::MysqlOldPasswordDisabled) => {
                ConnectError::Plugin { address, plugin: "mysql_old_password".into() }
            }
            Error::Io(IoError::Tls(source)) => {
                ConnectError::Tls { address, source: Box::new(source) }
            }
            Error::Io(IoError::Io(source)) => {
                if source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
                    return ConnectError::Tls { address, source: Box::new(source) };
                }
                ConnectError::Unreachable { address, source: Box::new(source) }
            }
            Error::Server(source) => match source.code {
                code if FULL.contains(&code) => {
                    ConnectError::Full { address, source: Box::new(source) }
                }
                ACCESS_DENIED => ConnectError::Refused { address, source: Box::new(source) },
                DATABASE_ACCESS_DENIED | UNKNOWN_DATABASE => ConnectError::NoDatabase {
                    database: self.target.database.clone(),
                    address,
                    source: Box::new(source),
                },
                _ => ConnectError::Server { address, source: Box::new(source) },
            },
            source => ConnectError::Server { address, source: Box::new(source) },
        }
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
