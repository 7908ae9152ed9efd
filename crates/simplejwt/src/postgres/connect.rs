//! Connecting to one server of several, and the error of one that doesn't respond.
//!
//! The driver limits the time that a server may take to accept a connection, but not the time to
//! respond: for a process that is stopped, the kernel still accepts connections. So the servers are
//! tried one by one ([`Servers`](super::servers::Servers)), each for a limited time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, Error, NoTls};

/// Returns the configuration with only one of its servers.
pub(super) fn alone(config: &Config, at: usize) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(database) = config.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    match config.get_hosts().get(at) {
        Some(tokio_postgres::config::Host::Tcp(host)) => drop(one.host(host)),
        #[cfg(unix)]
        Some(tokio_postgres::config::Host::Unix(path)) => drop(one.host_path(path)),
        None => {}
    }
    if let Some(address) = config.get_hostaddrs().get(at) {
        one.hostaddr(*address);
        if config.get_hosts().is_empty() {
            // The name for TLS.
            one.host(address.to_string());
        }
    }
    if let Some(port) = config.get_ports().get(at).or(config.get_ports().first()) {
        one.port(*port);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    one.keepalives(config.get_keepalives()).keepalives_idle(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    one
}

/// Returns the driver's error for a server that doesn't respond.
pub(super) async fn silence() -> Option<Error> {
    told("the server takes connections but doesn't answer").await
}

/// Returns a driver's error with this cause. Only the driver can create one, so it is given a
/// failing connection.
pub(super) async fn told(cause: &'static str) -> Option<Error> {
    let mut config = Config::new();
    config.user("nobody").ssl_mode(SslMode::Disable);
    config.connect_raw(Failing(cause), NoTls).await.err()
}

struct Failing(&'static str);

impl Failing {
    fn error(&self) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, self.0)
    }
}

impl AsyncRead for Failing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.error()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.error()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.error()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn each_server_has_everything_but_the_others() {
        let url = "postgres://ann:s3cret@a:1,b:2/db?connect_timeout=3&application_name=x\
                   &target_session_attrs=read-write&keepalives_idle=7&keepalives_retries=2\
                   &options=-c%20a%3Db&channel_binding=disable&tcp_user_timeout=9";
        let both: Config = url.parse().unwrap();
        for (at, one) in [(0, "a:1"), (1, "b:2")] {
            let expected: Config = url.replace("a:1,b:2", one).parse().unwrap();
            assert_eq!(alone(&both, at), expected);
        }
        let shared: Config = "host=a,b hostaddr=192.0.2.1,192.0.2.2 port=7".parse().unwrap();
        assert_eq!(alone(&shared, 1), "host=b hostaddr=192.0.2.2 port=7".parse().unwrap());
    }

    #[tokio::test]
    async fn silence_is_told_as_such() {
        let error = silence().await.unwrap();
        assert!(error.source().unwrap().to_string().contains("doesn't answer"), "{error:?}");
    }
}
