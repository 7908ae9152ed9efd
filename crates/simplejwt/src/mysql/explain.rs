//! Failures to connect to MySQL or MariaDB, in sentences that say what to do.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::{DriverError, Error, IoError};

use super::url::{Address, Target, UrlError};
use crate::sql::network;
use crate::sql::tls::sentence;

type Cause = Box<dyn StdError + Send + Sync>;

/// The reason a MySQL or MariaDB server can't be connected to. Says what to do, and never contains
/// the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is invalid.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Nobody listens, or the name can't be resolved.
    #[error("can't reach MySQL at {address}: {advice}")]
    Unreachable {
        /// The server's address.
        address: String,
        /// Advice on what to do.
        advice: &'static str,
        /// The operating system's error.
        #[source]
        source: Cause,
    },
    /// The server didn't answer in time.
    #[error(
        "MySQL at {address} doesn't answer within {} seconds: is it a MySQL, and is it stuck?",
        within.as_secs_f32()
    )]
    Timeout {
        /// The server's address.
        address: String,
        /// The limit.
        within: Duration,
    },
    /// The account is unknown, has another password, or may not connect from here.
    #[error("MySQL at {address} refuses the user: {advice}")]
    Refused {
        /// The server's address.
        address: String,
        /// Advice on what to do.
        advice: &'static str,
        /// The server's error.
        #[source]
        source: Cause,
    },
    /// There is no such database, or the account may not use it.
    #[error(
        "there is no database \"{database}\" at {address}, or the user may not use it: CREATE \
         DATABASE and GRANT make one"
    )]
    NoDatabase {
        /// The database.
        database: String,
        /// The server's address.
        address: String,
        /// The server's error.
        #[source]
        source: Cause,
    },
    /// The server is there but takes no connections at the moment: it is stopping.
    #[error("MySQL at {address} takes no connections now: {advice}")]
    NotNow {
        /// The server's address.
        address: String,
        /// Advice on what to do.
        advice: &'static str,
        /// The server's error.
        #[source]
        source: Cause,
    },
    /// The server has no connection left, at all or for this user.
    #[error(
        "MySQL at {address} has no connection left for us: lower the pool's size here \
         (max_connections), or raise max_connections (max_user_connections) there"
    )]
    Full {
        /// The server's address.
        address: String,
        /// The server's error.
        #[source]
        source: Cause,
    },
    /// The URL demands TLS, which the server lacks.
    #[error(
        "MySQL at {address} has no TLS, which ssl-mode demands: give it a certificate, or write \
         ssl-mode=preferred"
    )]
    NoTls {
        /// The server's address.
        address: String,
    },
    /// The connection can't be secured, or not as the URL demands.
    #[error("can't secure the connection to MySQL at {address}: {advice}")]
    Tls {
        /// The server's address.
        address: String,
        /// The fault, and what to do.
        advice: String,
    },
    /// The file of certificate authorities can't be used.
    #[error("can't read the certificate authorities in {}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Cause,
    },
    /// The client's own certificate or its key can't be used.
    #[error("can't use the client's certificate: check {}", .path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Cause,
    },
    /// Another kind of server listens there, which doesn't speak MySQL's protocol.
    #[error("what listens at {address} is no MySQL: check host and port")]
    NotMysql {
        /// The server's address.
        address: String,
    },
    /// The driver doesn't support the account's authentication plugin.
    #[error(
        "MySQL at {address} wants the user authenticated by {plugin}, which isn't supported: check \
         the name, since MySQL asks this of unknown users, too, or ALTER USER to one of \
         caching_sha2_password, mysql_native_password, ed25519 or parsec"
    )]
    Plugin {
        /// The server's address.
        address: String,
        /// The plugin, by the client's name for it.
        plugin: String,
    },
    /// The driver panicked at an answer from the server.
    #[error(
        "the driver failed at what MySQL at {address} said: check the server's version and the \
         user's authentication plugin"
    )]
    Driver {
        /// The server's address.
        address: String,
    },
    /// None of several hosts is writable.
    #[error("none of the hosts can be written (@@read_only is set on those that answer)")]
    ReadOnly,
    /// None of several hosts of a Galera cluster is in touch with the others.
    #[error(
        "none of the hosts is a synced member of its Galera cluster's primary component: look at \
         SHOW STATUS LIKE 'wsrep_%' there"
    )]
    NotSynced,
    /// TLS can't be set up.
    #[error("can't set up connections")]
    Setup(#[source] Cause),
    /// Any other error.
    #[error("MySQL at {address} can't be used")]
    Server {
        /// The server's address.
        address: String,
        /// The server's error.
        #[source]
        source: Cause,
    },
}

impl ConnectError {
    /// Returns `true` if the error may be transient, so that trying again makes sense: nobody
    /// listens, the name isn't known yet, the server is stopping or full, all hosts are read-only.
    /// Returns `false` for a wrong password, a database that doesn't exist or an invalid
    /// certificate.
    ///
    /// ```
    /// use simplejwt::mysql::{MysqlDatabase, MysqlOptions};
    /// # async fn example(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// match MysqlDatabase::connect(url, MysqlOptions::default()).await {
    ///     Ok(database) => drop(database),
    ///     Err(error) if error.is_transient() => eprintln!("trying again: {error}"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::NotNow { .. }
                | Self::Full { .. }
                | Self::ReadOnly
                | Self::NotSynced
        )
    }

    pub(super) fn of(address: &Address, target: &Target, error: Error) -> Self {
        let address = address.to_string();
        match error {
            Error::Driver(error) => Self::of_driver(address, error),
            Error::Io(IoError::Tls(error)) => Self::Tls { address, advice: error.to_string() },
            Error::Io(IoError::Io(source)) => {
                if source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
                    return Self::Tls { address, advice: sentence(&source) };
                }
                // The driver's error for bytes that are no packets.
                let unreadable = source.kind() == std::io::ErrorKind::InvalidData
                    || source.to_string().starts_with("Packet");
                if unreadable {
                    return Self::NotMysql { address };
                }
                let advice = network::advice(&source);
                Self::Unreachable { address, advice, source: source.into() }
            }
            Error::Server(error) => of_server(address, target, error),
            source => Self::Server { address, source: source.into() },
        }
    }

    fn of_driver(address: String, error: DriverError) -> Self {
        match error {
            DriverError::NoClientSslFlagFromServer => Self::NoTls { address },
            DriverError::UnknownAuthPlugin { name } => Self::Plugin {
                address,
                plugin: name.chars().filter(|c| !c.is_control()).take(60).collect(),
            },
            DriverError::CleartextPluginDisabled => {
                Self::Plugin { address, plugin: "mysql_clear_password".into() }
            }
            DriverError::MysqlOldPasswordDisabled => {
                Self::Plugin { address, plugin: "mysql_old_password".into() }
            }
            DriverError::ConnectionClosed => {
                let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                let advice = network::advice(&source);
                Self::Unreachable { address, advice, source: source.into() }
            }
            DriverError::PacketOutOfOrder
            | DriverError::PacketTooLarge
            | DriverError::UnexpectedPacket { .. }
            | DriverError::CantParseServerVersion { .. } => Self::NotMysql { address },
            error => Self::Server { address, source: error.into() },
        }
    }
}

fn of_server(address: String, target: &Target, error: mysql_async::ServerError) -> ConnectError {
    let refused = |advice, error: mysql_async::ServerError| ConnectError::Refused {
        address: address.clone(),
        advice,
        source: error.into(),
    };
    let not_now = |advice, error: mysql_async::ServerError| ConnectError::NotNow {
        address: address.clone(),
        advice,
        source: error.into(),
    };
    match error.code {
        1045 | 1698 if target.password.as_ref().is_none_or(|password| password.is_empty()) => {
            refused(
                "it asks for a password and the URL has none, or the user may not come from here or \
             without TLS: write mysql://user:password@host/database",
                error,
            )
        }
        1045 | 1698 => refused(
            "check the name and the password in the URL, from which hosts the user may come, and \
             whether it has to use TLS (REQUIRE SSL, REQUIRE X509)",
            error,
        ),
        1044 | 1049 => ConnectError::NoDatabase {
            database: target.database.clone(),
            address,
            source: error.into(),
        },
        1130 => refused(
            "no user may come from this machine: CREATE USER 'name'@'%', or the address in place \
             of %",
            error,
        ),
        1129 => refused("it has blocked this machine after errors: FLUSH HOSTS there", error),
        1862 | 1820 => refused("the password has expired: ALTER USER … IDENTIFIED BY", error),
        3118 | 4151 => refused("the account is locked: ALTER USER … ACCOUNT UNLOCK", error),
        3159 => refused(
            "it takes no connection without TLS (require_secure_transport): take \
             ssl-mode=disabled out of the URL",
            error,
        ),
        1040 | 1203 | 1226 => ConnectError::Full { address, source: error.into() },
        1053 | 1077 | 1079 | 1080 => not_now("it is stopping", error),
        _ => ConnectError::Server { address, source: error.into() },
    }
}
