//! One connection, from its first byte to its last, for any version of HTTP.

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::body::Answered;
use super::guard::{Guard, Seen, Version};
use super::header_timer::HeaderTimer;
use super::phase::{Phase, Stage};
use super::write_timeout::WriteTimeout;
use super::{Limits, Site, answer};
use crate::listening::Io;
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

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The settings shared by all connections.
pub(super) struct ConnectionSettings {
    pub(super) site: Site,
    pub(super) limits: Limits,
    pub(super) tls: Option<Tls>,
}

/// Serves a connection to its end.
///
/// # Errors
/// The error that broke it.
pub(super) async fn serve(
    stream: Box<dyn Io>,
    peer: Option<IpAddr>,
    settings: &Arc<ConnectionSettings>,
    stage: Stage,
) -> Result<(), Error> {
    let stream = WriteTimeout::new(stream, settings.limits.write_time);
    let time = settings.limits.header_time;
    let Some(tls) = &settings.tls else {
        let guard = Guard::new(stream, settings.limits.header);
        return Box::pin(spoken(guard, peer, settings, stage)).await;
    };
    let accepting = tokio::time::timeout(time, tls.accept(stream));
    let accepted = tokio::select! {
        accepted = accepting => accepted,
        () = silence(&stage) => return Ok(()),
    };
    let (stream, is_http2) = accepted??;
    let mut guard = Guard::new(stream, settings.limits.header);
    if is_http2 {
        guard.open();
    }
    Box::pin(spoken(guard, peer, settings, stage)).await
}

/// Completes when the server stops and the client has sent nothing for a while.
async fn silence(stage: &Stage) {
    stage.reaches(Phase::Closing).await;
    tokio::time::sleep(FIRST_WORDS).await;
}

/// Serves the version of HTTP that the client speaks.
async fn spoken<S>(
    mut guard: Guard<S>,
    peer: Option<IpAddr>,
    settings: &Arc<ConnectionSettings>,
    stage: Stage,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let first = tokio::time::timeout(settings.limits.header_time, guard.version());
    let version = tokio::select! {
        version = first => version,
        () = silence(&stage) => return Ok(()),
    };
    match version {
        Ok(version) => match version? {
            // A connection only holds what its own version of HTTP needs.
            Some(Version::Http1) => Box::pin(http1(guard, peer, settings, stage)).await,
            Some(Version::Http2) => Box::pin(http2(guard, peer, settings, stage)).await,
            None => Ok(()),
        },
        Err(elapsed) => Err(elapsed.into()),
    }
}

async fn http1<S>(
    guard: Guard<S>,
    peer: Option<IpAddr>,
    settings: &Arc<ConnectionSettings>,
    stage: Stage,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let seen = guard.seen();
    let ending = stage.clone();
    let service = service_fn({
        let (settings, seen) = (Arc::clone(settings), Arc::clone(&seen));
        move |request: Request<Incoming>| {
            // Taken now, because later values belong to the next request.
            let refused = seen.begin();
            answered(request, refused, peer, Arc::clone(&settings), stage.clone())
        }
    });
    let connection = http1::Builder::new()
        .timer(HeaderTimer::default())
        .header_read_timeout(settings.limits.header_time)
        // Answers are short: copying one behind its head costs less than sending two pieces.
        .writev(false)
        // The guard is exact; this limit only has to be larger than a head.
        .max_buf_size(settings.limits.header + 8192)
        .serve_connection(TokioIo::new(guard), service);
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended.map_err(Into::into),
        () = closing(&ending, &seen) => connection.as_mut().graceful_shutdown(),
    }
    connection.await.map_err(Into::into)
}

/// Completes when no more requests are accepted and none is on its way through the guard. To hyper
/// such a connection is idle, and it would close it.
async fn closing(stage: &Stage, seen: &Seen) {
    stage.reaches(Phase::Closing).await;
    seen.between_requests().await;
}

async fn http2<S>(
    guard: Guard<S>,
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
fn answered(
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
            answer(request, refused, peer, &settings.site, &settings.limits).await;
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
