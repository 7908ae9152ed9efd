//! One connection, from its first byte to its last, for any version of HTTP.

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use super::body::Answered;
use super::guard::{Guard, Version};
use super::header_timer::HeaderTimer;
use super::phase::{Phase, Stage};
use super::write_timeout::WriteTimeout;
use super::{Limits, answer, http1};
use crate::listening::Io;
use crate::realms::Sites;
use crate::supervisor;
use crate::tls::Tls;

/// The time that a new connection has to send something when the server stops.
const FIRST_WORDS: Duration = Duration::from_secs(1);
/// The maximum number of concurrent requests on one HTTP/2 connection.
const STREAMS: u32 = 100;
/// The maximum number of bytes that the bodies of one HTTP/2 connection may send before they are
/// read.
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// The smallest initial window of HTTP/2.
const STREAM_WINDOW: u32 = 65_535;

/// The reason why a connection broke.
pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

/// The settings shared by all connections.
pub(super) struct ConnectionSettings {
    pub(super) sites: Sites,
    pub(super) limits: Limits,
    pub(super) tls: Option<Tls>,
    /// The connections whose requests are being answered, or were just now.
    pub(super) held: http1::Held,
}

/// Serves a connection to its end.
///
/// # Errors
/// The error that broke it.
pub(super) async fn serve(
    stream: Box<dyn Io>,
    peer: Option<IpAddr>,
    settings: &Arc<ConnectionSettings>,
    stage: &Stage,
) -> Result<(), Error> {
    let stream = WriteTimeout::new(stream, settings.limits.write_time);
    let limit = settings.limits.header;
    let Some(tls) = &settings.tls else {
        let guard = Box::new(Guard::new(stream, limit));
        return Box::pin(spoken(guard, peer, settings, stage)).await;
    };
    // On the heap, because a handshake takes more memory than anything after it.
    let Some((stream, is_http2)) = Box::pin(handshake(tls, stream, settings, stage)).await? else {
        return Ok(());
    };
    let mut guard = Box::new(Guard::new(stream, limit));
    if is_http2 {
        guard.open();
    }
    Box::pin(spoken(guard, peer, settings, stage)).await
}

/// Performs the handshake. Returns `None` if the server stops before it has begun.
async fn handshake<S>(
    tls: &Tls,
    stream: S,
    settings: &ConnectionSettings,
    stage: &Stage,
) -> Result<Option<(TlsStream<S>, bool)>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let accepting = tokio::time::timeout(settings.limits.header_time, tls.accept(stream));
    tokio::select! {
        accepted = accepting => Ok(Some(accepted??)),
        () = silence(stage) => Ok(None),
    }
}

/// Completes when the server stops and the client has sent nothing for a while.
async fn silence(stage: &Stage) {
    stage.reaches(Phase::Closing).await;
    tokio::time::sleep(FIRST_WORDS).await;
}

/// Serves the version of HTTP that the client speaks. Whenever nothing is being said, this is all
/// that there is of the connection.
pub(super) async fn spoken<S>(
    mut guard: Box<Guard<S>>,
    peer: Option<IpAddr>,
    settings: &Arc<ConnectionSettings>,
    stage: &Stage,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let timer = HeaderTimer::new(settings.limits.header_time, http1::IDLE);
    let (seen, mut is_first) = (guard.seen(), true);
    loop {
        let leaving = async {
            match is_first {
                true => silence(stage).await,
                false => http1::closing(stage, &seen).await,
            }
        };
        let version = tokio::select! {
            biased;
            version = guard.version(is_first) => version?,
            () = leaving => None,
            () = timer.deadline() => return Err("no request has come in time".into()),
        };
        match version {
            // A connection only holds what its own version of HTTP needs.
            Some(Version::Http1) => {
                let served = Box::pin(http1::serve(guard, &timer, peer, settings, stage)).await?;
                let Some(idle) = served else { return Ok(()) };
                guard = idle;
                is_first = false;
            }
            Some(Version::Http2) => {
                return Box::pin(http2(guard, peer, settings, stage.clone())).await;
            }
            None if is_first => return Ok(()),
            // hyper would say the same to the client.
            None => return guard.shutdown().await.map_err(Into::into),
        }
    }
}

async fn http2<S>(
    guard: Box<Guard<S>>,
    peer: Option<IpAddr>,
    settings: &Arc<ConnectionSettings>,
    stage: Stage,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let streams = Arc::new(Streams::default());
    let ending = stage.clone();
    let service = service_fn({
        let (settings, streams) = (Arc::clone(settings), Arc::clone(&streams));
        move |request: Request<Incoming>| {
            let stream = streams.begin();
            let answered = answered(request, None, peer, Arc::clone(&settings), stage.clone());
            async move {
                let answered = answered.await;
                drop(stream);
                answered
            }
        }
    });
    let limits = &settings.limits;
    let list = u32::try_from(limits.header).unwrap_or(u32::MAX);
    let window = u32::try_from(limits.body.size).unwrap_or(u32::MAX).max(STREAM_WINDOW);
    let connection = http2::Builder::new(supervisor::ShortTasks)
        .timer(TokioTimer::new())
        .max_header_list_size(list)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(window.min(CONNECTION_WINDOW))
        .initial_connection_window_size(CONNECTION_WINDOW)
        // A client that has vanished is noticed, as with HTTP/1.
        .keep_alive_interval(limits.header_time)
        .keep_alive_timeout(limits.header_time)
        .serve_connection(TokioIo::new(guard), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(Into::into),
        () = streams.idle(limits.header_time) => {}
        () = draining(&ending, &streams) => {}
    }
    // GOAWAY: requests in flight are finished, and the client sends the others elsewhere.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection.as_mut() => ended.map_err(Into::into),
        // The client doesn't even read answers.
        () = streams.idle(limits.header_time + limits.write_time) => Ok(()),
    }
}

/// Completes when answers end their connections, and this one has been answered.
async fn draining(stage: &Stage, streams: &Streams) {
    let closing = stage.reaches(Phase::Closing);
    let drained = async {
        stage.reaches(Phase::Draining).await;
        streams.first().await;
    };
    tokio::select! {
        () = drained => {}
        () = closing => {
            // The connection was opened to be used, so a request on its way is accepted.
            let _ = tokio::time::timeout(FIRST_WORDS, streams.first()).await;
        }
    }
}

/// The requests of an HTTP/2 connection.
#[derive(Debug, Default)]
struct Streams {
    open: AtomicUsize,
    begun: AtomicU64,
    changed: Notify,
}

/// One request, while it is being answered.
struct Stream(Arc<Streams>);

impl Streams {
    fn begin(self: &Arc<Self>) -> Stream {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_waiters();
        Stream(Arc::clone(self))
    }

    /// Waits for the first request.
    async fn first(&self) {
        loop {
            let changed = self.changed.notified();
            if self.begun.load(Ordering::Acquire) > 0 {
                return;
            }
            changed.await;
        }
    }

    /// Waits until there have been no requests for this time.
    async fn idle(&self, time: Duration) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.open.load(Ordering::Acquire) > 0 {
                changed.await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(time) => return,
                () = changed => {}
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

/// Returns an answer, which ends its connection when the server is about to stop.
pub(super) fn answered(
    request: Request<Incoming>,
    refused: Option<super::head::Refused>,
    peer: Option<IpAddr>,
    settings: Arc<ConnectionSettings>,
    stage: Stage,
) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
    // On the heap, so that an idle connection takes little memory.
    Box::pin(async move {
        let is_http2 = request.version() == http::Version::HTTP_2;
        let mut response: Response<Body> =
            answer(request, refused, peer, &settings.sites, &settings.limits).await;
        if is_http2 {
            // HTTP/2 has its own way of closing, not this header.
            response.headers_mut().remove(http::header::CONNECTION);
        } else if stage.is(Phase::Draining) {
            close(&mut response);
        }
        Ok(response)
    })
}

/// Marks the connection to end with this answer.
pub(super) fn close(response: &mut Response<Body>) {
    let close = http::HeaderValue::from_static("close");
    response.headers_mut().insert(http::header::CONNECTION, close);
}
