//! Accepts connections, and stops on a signal.

mod body;
mod connection;
mod framing;
mod guard;
mod head;
mod header_timer;
mod host;
mod http1;
mod memory;
mod phase;
mod signals;
mod write_timeout;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use simplejwt::web::client::ClientAddress;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;

use crate::config::{Config, Server};
use crate::endpoints::Found;
use crate::failure::{Failure, chain};
use crate::limits::json;
use crate::listening::{self, Accepted, Listener};
use crate::realms::{Site, Sites};
use crate::reload::Reload;
use crate::request_log::RequestLog;
use crate::tls::Tls;
use crate::{client, supervisor, telemetry};
use body::{BodyLimits, BodyState, lazy};
use connection::{ConnectionSettings, close};
use http1::Held;
use memory::BodyMemory;
use phase::{Phase, Phases};
pub(crate) use signals::{Signal, Signals};

/// Serves until a signal arrives, then finishes the requests in flight.
///
/// # Errors
/// Only at the start.
pub(crate) async fn serve(
    listeners: Vec<Listener>,
    sites: Sites,
    tls: Option<Tls>,
    config: &Config,
    reload: Reload<'_>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let server = &config.server;
    raise_file_limit(server.max_connections);
    for listener in &listeners {
        telemetry::listening(&listener.url(tls.is_some())?, &config.log);
    }
    let limits = Limits::new(server, config.log.requests);
    let settings = Arc::new(ConnectionSettings { sites, limits, tls, held: Held::default() });
    let phases = Phases::new();
    let permits = Arc::new(Semaphore::new(server.max_connections));

    {
        let mut accepting = pin!(accept(&listeners, &settings, &permits, &phases));
        let first = tokio::select! {
            () = &mut accepting => Signal::Interrupt,
            () = reload.follow() => Signal::Interrupt,
            signal = signals.next() => signal,
        };
        settings.sites.stopping.begin();
        phases.enter(Phase::Draining);
        if first == Signal::Terminate && !server.drain_delay.is_zero() {
            let seconds = server.drain_delay.as_secs_f32();
            tracing::info!(
                event = "draining",
                seconds,
                "stopping: new requests are taken for a while"
            );
            tokio::select! {
                () = &mut accepting => {}
                () = tokio::time::sleep(server.drain_delay) => {}
                _ = signals.next() => {}
            }
        }
    }
    for accepted in listeners.into_iter().flat_map(Listener::close) {
        start(accepted, None, &settings, &phases);
    }

    tracing::info!(event = "stopping", "stopping: finishing the requests in flight");
    phases.enter(Phase::Closing);
    tokio::select! {
        () = phases.all_ended() => tracing::info!(event = "stopped", "stopped"),
        () = tokio::time::sleep(server.shutdown_timeout) => {
            tracing::warn!(event = "stopped", "stopped; some requests took longer than \
                shutdown_timeout");
        }
        _ = signals.next() => {
            tracing::warn!(event = "stopped", "stopped at once, because the signal came again");
        }
    }
    Ok(())
}

struct Limits {
    header: usize,
    header_time: Duration,
    write_time: Duration,
    body: BodyLimits,
    log_requests: bool,
    proxies: client::Proxies,
}

impl Limits {
    fn new(server: &Server, log_requests: bool) -> Self {
        let body = BodyLimits {
            size: server.body_limit,
            time: server.body_timeout,
            memory: BodyMemory::new(server.max_body_memory),
        };
        Self {
            header: server.header_limit,
            header_time: server.header_timeout,
            write_time: server.write_timeout,
            body,
            log_requests,
            proxies: client::Proxies { count: server.num_proxies, header: server.proxy_header },
        }
    }
}

/// Accepts connections for as long as it is polled.
async fn accept(
    listeners: &[Listener],
    settings: &Arc<ConnectionSettings>,
    permits: &Arc<Semaphore>,
    phases: &Phases,
) {
    while let Ok(permit) = Arc::clone(permits).acquire_owned().await {
        match listening::accept(listeners).await {
            Ok(accepted) => start(accepted, Some(permit), settings, phases),
            Err(error) => {
                // Usually there are no file descriptors left; some will be free again in a moment.
                tracing::warn!(event = "accept_failed", %error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn start(
    (stream, peer): Accepted,
    permit: Option<OwnedSemaphorePermit>,
    settings: &Arc<ConnectionSettings>,
    phases: &Phases,
) {
    let (settings, stage) = (Arc::clone(settings), phases.stage());
    supervisor::spawn_short(async move {
        // A connection that breaks is the client's problem.
        if let Err(error) = connection::serve(stream, peer, &settings, &stage).await {
            tracing::debug!(
                event = "connection_failed",
                client_address = peer.map(|peer| peer.to_canonical().to_string()),
                error = chain(&*error),
                "connection ended"
            );
        }
        drop(permit);
    });
}

async fn answer(
    request: Request<Incoming>,
    refused: Option<head::Refused>,
    peer: Option<std::net::IpAddr>,
    sites: &Sites,
    limits: &Limits,
) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let settled = refused.map_or_else(|| host::settle(&mut head), Err);
    let client = client::address(&head.headers, peer, limits.proxies);
    client::warn_of_uncounted(&head.headers, peer, limits.proxies);
    let site = if settled.is_ok() { sites.find(&head) } else { sites.rest() };
    let (is_known, realm) = (refused.is_none(), site.realm.clone());
    let log = RequestLog::begin(&head, is_known, client, realm, limits.log_requests);
    let found = site.endpoints.as_ref().and_then(|endpoints| endpoints.find(&head));
    // Who asks whether the process lives doesn't matter.
    if found != Some(Found::Alive) {
        head.extensions.insert(log.id().clone());
        if let Some(client) = client {
            head.extensions.insert(ClientAddress(client));
        }
    }
    // Pinned here, because a future takes twice the memory if another moves it.
    let answering = pin!(async {
        match settled {
            Ok(()) => routed(head, found, body, site, limits).await,
            Err(refused) => site.permitted(&head.headers, refused.response()),
        }
    });
    let mut response = log.scope.run(answering).await;
    log.answered(&mut response);
    response
}

/// Returns the answer of what was found, or else of the router, unless the body can't be read.
async fn routed(
    head: Parts,
    found: Option<Found>,
    body: Incoming,
    site: &Site,
    limits: &Limits,
) -> Response<Body> {
    let origin = head.headers.get(ORIGIN).cloned();
    let asked: HeaderMap = origin.into_iter().map(|origin| (ORIGIN, origin)).collect();
    let state = BodyState::new(body);
    let answering = pin!(async {
        if let (Some(found), Some(endpoints)) = (found, &site.endpoints) {
            let read = || state.read_whole(&limits.body);
            return endpoints.answer(found, &head, read).await;
        }
        let request = Request::from_parts(head, lazy(&state, &limits.body));
        match site.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    });
    let answered = match supervisor::caught(answering).await {
        Ok(response) => response,
        // The panic was logged where it happened; the connection stays open.
        Err(supervisor::Panicked) => site.permitted(
            &asked,
            json(
                StatusCode::INTERNAL_SERVER_ERROR,
                r#"{"detail":"Internal server error.","code":"error"}"#,
            ),
        ),
    };
    // Only the reader of the body knows why there is none.
    let mut response = match state.refused() {
        Some(refused) => refused.in_place_of(answered),
        None => answered,
    };
    if state.is_unread(limits.body.size).await {
        close(&mut response);
    }
    response
}

/// Raises the limit of open files. Every connection is an open file, and many systems start a
/// process with a limit of 1024.
fn raise_file_limit(max_connections: usize) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        /// The number of files for the database, the log and the runtime.
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
                    "at most {current} files can be open, which is too few for max_connections = \
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
    use axum::Router;
    use axum::routing::get;
    use simplejwt::web::endpoint::RouterOptions;
    use simplejwt::{Auth, Settings, Tokens};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::endpoints::Endpoints;

    /// Returns the default settings for connections to this router.
    pub(super) fn settings(router: Router) -> Arc<ConnectionSettings> {
        let limits = Limits::new(&Config::default().server, false);
        let signing_key = Some("a secret of at least thirty-two bytes".into());
        let tokens = Tokens::new(Settings { signing_key, ..Settings::default() }).unwrap();
        let endpoints = Some(Endpoints::new(Auth::new(tokens), RouterOptions::default()));
        let sites = Sites::of(Site { realm: None, endpoints, router, cors: None });
        Arc::new(ConnectionSettings { sites, limits, tls: None, held: Held::default() })
    }

    #[tokio::test]
    async fn a_panic_is_a_500_and_the_connection_goes_on() {
        async fn panics() -> &'static str {
            panic!("on purpose")
        }
        let router =
            Router::new().route("/panics", get(panics)).route("/works", get(|| async { "works" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let asking = async {
            let get =
                |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
            let both = get("/panics", "") + &get("/works", "Connection: close\r\n");
            stream.write_all(both.as_bytes()).await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            said
        };
        let settings = settings(router);
        let (permits, phases) = (Arc::new(Semaphore::new(1)), Phases::new());
        let listeners = [Listener::Tcp { listener, is_own: true }];
        let said = tokio::select! {
            said = asking => said,
            () = accept(&listeners, &settings, &permits, &phases) => String::new(),
        };
        assert!(said.starts_with("HTTP/1.1 500 "), "{said}");
        assert!(said.contains("Internal server error."), "{said}");
        assert!(said.contains("HTTP/1.1 200 OK") && said.ends_with("works"), "{said}");
    }
}
