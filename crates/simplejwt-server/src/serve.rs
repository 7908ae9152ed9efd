//! Accepts connections, and ends when it is told to.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use simplejwt::web::client::ClientAddress;
use simplejwt::web::cors::AllowedOriginsLayer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::config::{Log, Server};
use crate::failure::{Failure, chain};
use crate::request_log::RequestLog;
use crate::{client, limits, supervisor, telemetry};

/// Serves until `stop`, then finishes the requests in flight.
///
/// # Errors
/// Only at the start.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    cors: Option<AllowedOriginsLayer>,
    server: &Server,
    log: &Log,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    raise_file_limit(server.max_connections);
    let address = listener
        .local_addr()
        .map_err(|error| Failure::Listen(format!("the listening socket is unusable: {error}")))?;
    telemetry::listening(address, log);

    let connections = GracefulShutdown::new();
    let limits = Limits {
        header: server.header_limit,
        header_time: server.header_timeout,
        body: server.body_limit,
        body_time: server.body_timeout,
        log_requests: log.requests,
        num_proxies: server.num_proxies,
    };
    let site = Site { router, cors: cors.map(Arc::new) };
    accept(listener, &site, limits, server.max_connections, &connections, stop).await;

    tracing::info!(event = "stopping", "stopping: finishing the requests in flight");
    let again = signal()?;
    tokio::select! {
        () = connections.shutdown() => tracing::info!(event = "stopped", "stopped"),
        () = tokio::time::sleep(server.shutdown_timeout) => {
            tracing::warn!(event = "stopped", "stopped, with requests that took longer than shutdown_timeout");
        }
        () = again => {
            tracing::warn!(event = "stopped", "stopped at once, because the signal came again");
        }
    }
    Ok(())
}

/// What answers.
#[derive(Clone)]
struct Site {
    router: Router,
    /// For what doesn't come from the router.
    cors: Option<Arc<AllowedOriginsLayer>>,
}

impl Site {
    /// An answer that pages of allowed origins may read, too.
    fn permitted(&self, asked: &HeaderMap, mut answer: Response<Body>) -> Response<Body> {
        if let Some(cors) = &self.cors {
            cors.permit(asked, answer.headers_mut());
        }
        answer
    }
}

#[derive(Clone, Copy)]
struct Limits {
    header: usize,
    header_time: Duration,
    body: usize,
    body_time: Duration,
    log_requests: bool,
    num_proxies: usize,
}

/// Takes connections until `stop`; the listening socket is closed then.
async fn accept(
    listener: TcpListener,
    site: &Site,
    limits: Limits,
    max_connections: usize,
    connections: &GracefulShutdown,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let permits = Arc::new(Semaphore::new(max_connections));
    loop {
        let permit = tokio::select! {
            Ok(permit) = Arc::clone(&permits).acquire_owned() => permit,
            () = &mut stop => return,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: some are free again in a moment.
                    tracing::warn!(event = "accept_failed", %error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => return,
        };
        // Answers are small: nothing is gained by waiting for more to send.
        let _ = stream.set_nodelay(true);
        let connection = connection(stream, peer, site.clone(), limits);
        let connection = connections.watch(connection);
        supervisor::spawn_short(async move {
            // A connection that breaks is the client's affair.
            if let Err(error) = connection.await {
                tracing::debug!(
                    event = "connection_failed",
                    client_address = %peer.ip().to_canonical(),
                    error = chain(&error),
                    "connection ended"
                );
            }
            drop(permit);
        });
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    site: Site,
    limits: Limits,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send,
    > + use<>,
> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(request, peer, site.clone(), limits)),
        )
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    site: Site,
    limits: Limits,
) -> Result<Response<Body>, Infallible> {
    let (mut head, body) = request.into_parts();
    let client = client::address(&head.headers, peer, limits.num_proxies);
    head.extensions.insert(ClientAddress(client));
    let log = RequestLog::begin(&head, client, limits.log_requests);
    let answering = respond(head, body, site, limits).instrument(log.span.clone());
    let mut response = answering.await?;
    log.answered(&mut response);
    Ok(response)
}

async fn respond(
    head: Parts,
    body: Incoming,
    site: Site,
    limits: Limits,
) -> Result<Response<Body>, Infallible> {
    Ok(match limits::read(body, limits.body, limits.body_time).await {
        Ok(body) => {
            let origin = head.headers.get(ORIGIN).cloned();
            let request = Request::from_parts(head, Body::from(body));
            let answering = site.router.clone().oneshot(request);
            match supervisor::caught(answering).await {
                Ok(response) => response?,
                // Logged where it was; the connection goes on.
                Err(supervisor::Panicked) => site.permitted(
                    &origin.into_iter().map(|origin| (ORIGIN, origin)).collect(),
                    limits::json(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        r#"{"detail":"Internal server error.","code":"error"}"#,
                    ),
                ),
            }
        }
        Err(refused) => site.permitted(&head.headers, refused.response()),
    })
}

/// A future that waits for the first of the signals that end a process politely.
///
/// # Errors
/// The operating system's.
pub(crate) fn signal() -> Result<impl Future<Output = ()>, Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error: io::Error| Failure::Failed(format!("can't wait for signals: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// A connection is an open file, and many systems start a process with 1024 of them.
fn raise_file_limit(max_connections: usize) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        /// For the database, the log, and the runtime.
        const OTHERS: u64 = 256;
        let wanted = max_connections as u64 + OTHERS;
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current.is_some_and(|current| current < wanted) {
            let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
            limit.current = Some(current);
            if let Err(error) = setrlimit(Resource::Nofile, limit) {
                tracing::warn!(event = "file_limit", %error, "can't raise the limit of open files");
            }
            if current < wanted {
                let message = format!(
                    "at most {current} files can be open, too few for max_connections = \
                     {max_connections}: raise it with `ulimit -n` or LimitNOFILE="
                );
                tracing::warn!(event = "file_limit", "{message}");
            }
        }
    }
    #[cfg(not(unix))]
    let _ = max_connections;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500_and_the_connection_goes_on() {
        async fn panics() -> &'static str {
            panic!("on purpose")
        }
        let router =
            Router::new().route("/panics", get(panics)).route("/works", get(|| async { "works" }));
        let limits = Limits {
            header: 16_384,
            header_time: Duration::from_secs(10),
            body: 1000,
            body_time: Duration::from_secs(10),
            log_requests: false,
            num_proxies: 0,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let connections = GracefulShutdown::new();
        let asking = async {
            let get =
                |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
            let both = get("/panics", "") + &get("/works", "Connection: close\r\n");
            stream.write_all(both.as_bytes()).await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            said
        };
        let (answered, stop) = tokio::sync::oneshot::channel();
        let asking = async {
            let said = asking.await;
            answered.send(()).unwrap();
            said
        };
        let stop = async { drop(stop.await) };
        let site = Site { router, cors: None };
        let accepting = accept(listener, &site, limits, 1, &connections, stop);
        let (said, ()) = tokio::join!(asking, accepting);
        assert!(said.starts_with("HTTP/1.1 500 "), "{said}");
        assert!(said.contains("Internal server error."), "{said}");
        assert!(said.contains("HTTP/1.1 200 OK") && said.ends_with("works"), "{said}");
    }
}
