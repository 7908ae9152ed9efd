//! Connecting to one of several servers, of which some may be silent.
//!
//! The driver limits how long a server may take to accept a connection, and not how long to say
//! something: of a process that is stopped, the kernel goes on accepting. So the servers are
//! tried here, each for a limited time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio_postgres::config::{LoadBalanceHosts, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Socket};

use super::tls::{self, MakeTls};

type Stream = tls::Stream<Socket>;

/// The servers of a URL. Clones share which of them was good last.
#[derive(Clone)]
pub(super) struct Servers {
    /// One configuration each.
    each: Arc<[Config]>,
    tls: MakeTls,
    /// How long one may take.
    limit: Duration,
    /// The one to begin with.
    first: Arc<AtomicUsize>,
}

impl Servers {
    pub(super) fn new(config: &Config, tls: MakeTls, limit: Duration) -> Self {
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        let each = (0..count).map(|at| alone(config, at)).collect();
        Self { each, tls, limit, first: Arc::default() }
    }

    pub(super) fn count(&self) -> usize {
        self.each.len()
    }

    /// The first connection that one of them gives.
    pub(super) async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), Error> {
        let mut failed = None;
        for at in self.order() {
            let Some(config) = self.each.get(at) else { continue };
            match tokio::time::timeout(self.limit, tls::open(config, &self.tls)).await {
                Ok(Ok(connected)) => {
                    self.first.store(at, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = silence().await.or(failed),
            }
        }
        match failed {
            Some(error) => Err(error),
            // There is none: says so.
            None => Config::new().connect(self.tls.clone()).await,
        }
    }

    /// As they stand in the URL. Where only some of them will do, whichever did last comes
    /// first: nobody is to wait for the others at each connection.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        let Some(config) = self.each.first() else { return order };
        if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            order.sort_by_cached_key(|_| crate::random::uuid4_hex());
        }
        if config.get_target_session_attrs() != TargetSessionAttrs::Any {
            let first = self.first.load(Ordering::Relaxed);
            order.sort_by_key(|at| *at != first);
        }
        order
    }
}

impl deadpool_postgres::Connect for Servers {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async move {
            let (client, connection) = Self::connect(self).await?;
            let task = tokio::spawn(async move {
                // Whoever uses the client is told of an error.
                let _ = connection.await;
            });
            Ok((client, task))
        })
    }
}

/// The configuration with only one of its servers.
fn alone(config: &Config, at: usize) -> Config {
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
            // The name that TLS is told.
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

/// The driver's error for a server that says nothing. It makes its errors itself, so it is
/// shown one.
async fn silence() -> Option<Error> {
    let mut config = Config::new();
    config.user("nobody").ssl_mode(SslMode::Disable);
    config.connect_raw(Silent, NoTls).await.err()
}

fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the server takes connections but doesn't answer")
}

struct Silent;

impl AsyncRead for Silent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(no_answer()))
    }
}

impl AsyncWrite for Silent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(no_answer()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(no_answer()))
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
