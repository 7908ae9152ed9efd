//! Failures to connect to PostgreSQL, in sentences that say what to do.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, SqlState};

use super::probe;
use super::url::Target;
use crate::sql::network;
use crate::sql::tls::sentence;

type Cause = Box<dyn StdError + Send + Sync>;

/// The reason a PostgreSQL database can't be connected to. Says what to do, and never contains the
/// password.
///
/// ```
/// use simplejwt::postgres::{PostgresDatabase, PostgresOptions};
/// # async fn example(url: &str) -> Result<(), Box<dyn std::error::Error>> {
/// match PostgresDatabase::connect(url, PostgresOptions::default()).await {
///     Ok(database) => drop(database),
///     Err(error) if error.is_transient() => eprintln!("trying again: {error}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is invalid.
    #[error("the database's URL {0}")]
    Url(String),
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
    /// The server refuses the user.
    #[error("the server at {server} refuses the user: {advice}")]
    Refused {
        /// The server.
        server: String,
        /// Advice on what to do.
        advice: &'static str,
        /// The server's error.
        source: Cause,
    },
    /// There is no such database.
    #[error("the server at {server} has no such database: create it, or check its name")]
    NoDatabase {
        /// The server.
        server: String,
        /// The server's error.
        source: Cause,
    },
    /// The server can't be reached.
    #[error("can't connect to {server}: {advice}")]
    Unreachable {
        /// The server.
        server: String,
        /// Advice on what to do.
        advice: &'static str,
        /// The cause.
        source: Cause,
    },
    /// The server is there but takes no connections at the moment: it is starting, stopping,
    /// recovering, full or read-only.
    #[error("the server at {server} takes no connections now: {advice}")]
    NotNow {
        /// The server.
        server: String,
        /// Advice on what to do.
        advice: &'static str,
        /// The server's error.
        source: Cause,
    },
    /// The connection can't be secured, or not as the URL demands.
    #[error("can't secure the connection to {server}: {advice}")]
    Tls {
        /// The server.
        server: String,
        /// The fault, and what to do.
        advice: String,
    },
    /// Another kind of server listens there, which doesn't speak PostgreSQL's protocol.
    #[error("what listens at {server} is {what}, and no PostgreSQL: check host and port")]
    NotPostgres {
        /// The server.
        server: String,
        /// Its kind, as far as it reveals it.
        what: &'static str,
    },
    /// The server reports another error.
    #[error("the server at {server} can't be used")]
    Server {
        /// The server.
        server: String,
        /// The server's error.
        source: Cause,
    },
    /// There is a pooler in transaction mode before the server that keeps no prepared statements.
    #[error("{server} can't be used: {}", super::pooler::WITHOUT_STATEMENTS)]
    Unprepared {
        /// The server.
        server: String,
    },
    /// The pool or TLS can't be set up.
    #[error("can't set up connections")]
    Setup(#[source] Cause),
}

impl ConnectError {
    /// Returns `true` if the error may be transient, so that trying again makes sense: nobody
    /// listens, the name isn't known yet, the server is starting or full. Returns `false` for a
    /// wrong password, a database that doesn't exist or an invalid certificate.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotNow { .. })
    }

    /// Returns the error of the first connection, for which it is worth finding out what answers.
    pub(super) async fn of_first(target: &Target, error: PoolError) -> Self {
        let error = Self::of(target, error);
        let may_be_another =
            matches!(error, Self::Unreachable { .. } | Self::Tls { .. } | Self::NotPostgres { .. });
        match may_be_another.then(|| probe::stranger(&target.config)) {
            Some(asked) => match asked.await {
                Some(what) => Self::NotPostgres { server: target.server(), what },
                None => error,
            },
            None => error,
        }
    }

    pub(super) fn of(target: &Target, error: PoolError) -> Self {
        let server = target.server();
        match error {
            PoolError::Backend(error) => Self::of_driver(target, error),
            PoolError::Timeout(_) => {
                let source = io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
                let advice = network::advice(&source);
                Self::Unreachable { server, advice, source: source.into() }
            }
            error => Self::Setup(error.into()),
        }
    }

    fn of_driver(target: &Target, error: Error) -> Self {
        let server = target.server();
        if let Some(said) = error.as_db_error() {
            return match of_server(target, said) {
                Said::Refused(advice) => Self::Refused { server, advice, source: error.into() },
                Said::NoDatabase => Self::NoDatabase { server, source: error.into() },
                Said::NotNow(advice) => Self::NotNow { server, advice, source: error.into() },
                Said::Other => Self::Server { server, source: error.into() },
            };
        }
        if error.is_closed() {
            let source = io::Error::from(io::ErrorKind::UnexpectedEof);
            let advice = network::advice(&source);
            return Self::Unreachable { server, advice, source: source.into() };
        }
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        // The driver reveals the kind of its error only in its text.
        match error.to_string().as_str() {
            "error performing TLS handshake" => of_handshake(server, error),
            "invalid configuration" if cause == "password missing" => Self::Refused {
                server,
                advice: "it asks for a password, and the URL has none: write \
                         postgres://user:password@host/database",
                source: error.into(),
            },
            "authentication error" => {
                Self::Refused { server, advice: of_authentication(&cause), source: error.into() }
            }
            "error parsing response from server" | "unexpected message from server" => {
                Self::NotPostgres { server, what: "something else" }
            }
            _ => match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
                Some(source) if source.to_string() == "database does not allow writes" => {
                    Self::NotNow {
                        server,
                        advice: "it only reads, and target_session_attrs asks for one that writes",
                        source: error.into(),
                    }
                }
                Some(source) if source.to_string() == "database is not read only" => Self::NotNow {
                    server,
                    advice: "it writes, and target_session_attrs asks for one that only reads",
                    source: error.into(),
                },
                // A server that refuses the client's certificate does so after the handshake.
                Some(source)
                    if source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) =>
                {
                    Self::Tls { server, advice: sentence(source) }
                }
                Some(source) => {
                    let advice = network::advice(source);
                    Self::Unreachable { server, advice, source: error.into() }
                }
                None => Self::Server { server, source: error.into() },
            },
        }
    }
}

/// The meaning of an error of the server's.
enum Said {
    Refused(&'static str),
    NoDatabase,
    NotNow(&'static str),
    Other,
}

/// Judges by the code: the text is in the server's language, except for the names in it.
fn of_server(target: &Target, error: &DbError) -> Said {
    let code = error.code();
    let names_rules = error.message().contains("pg_hba.conf");
    let starts = |class| code.code().starts_with(class);
    if names_rules && target.config.get_ssl_mode() == SslMode::Disable {
        return Said::Refused(
            "its pg_hba.conf has no line for this user, database, address and a connection \
             without TLS: add one, or take sslmode=disable out of the URL",
        );
    }
    if names_rules {
        return Said::Refused(
            "its pg_hba.conf has no line that lets this user into this database from here: add \
             one, and reload the server",
        );
    }
    if *code == SqlState::INVALID_PASSWORD {
        return Said::Refused("check the name and the password");
    }
    if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        return Said::Refused(match error.routine() {
            Some("InitializeSessionUserId") => {
                "there is no such role, or it may not log in: CREATE ROLE … LOGIN, or check the \
                 name"
            }
            Some("ClientAuthentication") => {
                "it wants a client's certificate: name it with sslcert and sslkey"
            }
            _ => "check the name and the password, and the method in its pg_hba.conf",
        });
    }
    if *code == SqlState::INVALID_CATALOG_NAME || error.message().starts_with("no such database") {
        return Said::NoDatabase;
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return Said::Refused("it may not use this database: GRANT CONNECT ON DATABASE");
    }
    if *code == SqlState::TOO_MANY_CONNECTIONS {
        return Said::NotNow(
            "all its connections are in use: lower the pool's size here, or raise \
             max_connections there",
        );
    }
    if starts("57P") {
        return Said::NotNow("it is starting, stopping or recovering");
    }
    if starts("53") {
        return Said::NotNow("it is short of memory, disk or something else");
    }
    if starts("08") || starts("58") {
        return of_pooler(error.message());
    }
    if starts("55") {
        return Said::NotNow("the database isn't open for connections");
    }
    Said::Other
}

/// PgBouncer uses one code for nearly everything, and its texts are always in English.
fn of_pooler(message: &str) -> Said {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["SSL required"]) {
        return Said::Refused("it takes no connection without TLS: take sslmode=disable out");
    }
    if says(&["authentication failed", "no such user", "auth failed", "login rejected"]) {
        return Said::Refused("check the name and the password, and the pooler's auth_file");
    }
    if says(&["no more connections allowed"]) {
        return Said::NotNow("the pooler is full: raise its max_client_conn");
    }
    Said::NotNow("a pooler or proxy stands there that can't reach its own server")
}

fn of_authentication(cause: &str) -> &'static str {
    if cause.starts_with("server did not use channel binding") {
        return "channel_binding=require needs TLS, a password kept as scram-sha-256, no pooler between, \
                and a certificate whose signature has a hash (RSA or ECDSA, not Ed25519)";
    }
    if cause.starts_with("unsupported") {
        return "it asks for an authentication that isn't supported (GSSAPI, SSPI, OAuth): use \
                scram-sha-256 or cert in its pg_hba.conf";
    }
    "the server doesn't prove that it knows the password: check the password, and that this is \
     the right server"
}

fn of_handshake(server: String, error: Error) -> ConnectError {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    if cause == "server does not support TLS" {
        let advice = "it has no TLS, which the URL's sslmode demands: turn ssl on there, or write \
                      sslmode=prefer";
        return ConnectError::Tls { server, advice: advice.into() };
    }
    ConnectError::Tls { server, advice: cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pooler_says_is_told_apart() {
        let told = |message| match of_pooler(message) {
            Said::Refused(advice) => (false, advice),
            Said::NotNow(advice) => (true, advice),
            Said::NoDatabase | Said::Other => (false, ""),
        };
        for (message, transient, part) in [
            ("SSL required", false, "sslmode=disable"),
            ("SASL authentication failed", false, "password"),
            ("password authentication failed", false, "password"),
            ("no such user: nobody", false, "name"),
            ("no more connections allowed (max_client_conn)", true, "max_client_conn"),
            ("query_wait_timeout", true, "its own server"),
            ("server login has been failing, cached error: connect failed", true, "its own server"),
        ] {
            let (may_pass, advice) = told(message);
            assert!(may_pass == transient && advice.contains(part), "{message}: {advice}");
        }
    }

    #[test]
    fn what_the_driver_says_of_logging_in_is_told_apart() {
        for (cause, part) in [
            ("server did not use channel binding", "channel_binding=require"),
            ("unsupported authentication method", "GSSAPI"),
            ("unsupported SASL mechanism", "OAuth"),
            ("invalid server signature", "right server"),
        ] {
            assert!(of_authentication(cause).contains(part), "{cause}");
        }
    }
}
