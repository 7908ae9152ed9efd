//! HTTP/1. hyper keeps about 17 kB for each connection between two requests, most of it empty
//! buffers. So a connection that is idle is taken from it, and given to it again with the next
//! request.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{ConnectionSettings, Error, answered};
use super::guard::{Guard, Seen};
use super::header_timer::HeaderTimer;
use super::phase::{Phase, Stage};

/// The time after which a connection without requests is idle. Those of a busy proxy never are.
pub(super) const IDLE: Duration = Duration::from_millis(100);
/// The number of connections that may wait that long. If there are more, each is idle as soon as it
/// has been answered: memory that all of them needed at one moment wouldn't be returned to the system.
pub(super) const WAITING: usize = 256;

/// The number of connections that hyper has.
#[derive(Debug, Default)]
pub(super) struct Held(AtomicUsize);

struct Holding<'a>(&'a Held);

impl Held {
    fn hold(&self) -> Holding<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Holding(self)
    }

    fn are_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) > WAITING
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves the request that is due, and those that follow it, until the connection is idle. Returns
/// the guard then, and `None` at the connection's end.
///
/// # Errors
/// The error that broke the connection.
pub(super) async fn serve<S>(
    guard: Box<Guard<S>>,
    timer: &HeaderTimer,
    peer: Option<IpAddr>,
    settings: &Arc<ConnectionSettings>,
    stage: &Stage,
) -> Result<Option<Box<Guard<S>>>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _holding = settings.held.hold();
    let seen = guard.seen();
    let service = service_fn({
        let (settings, seen, stage) = (Arc::clone(settings), Arc::clone(&seen), stage.clone());
        move |request: Request<Incoming>| {
            // Taken now, because later values belong to the next request.
            let refused = seen.begin();
            answered(request, refused, peer, Arc::clone(&settings), stage.clone())
        }
    });
    let mut connection = http1::Builder::new()
        .timer(timer.clone())
        .header_read_timeout(settings.limits.header_time)
        // Answers are short: copying one behind its head costs less than sending two pieces.
        .writev(false)
        // The guard is exact; this limit only has to be larger than a head.
        .max_buf_size(settings.limits.header + 8192)
        .serve_connection(TokioIo::new(guard), service);
    let is_idle = || timer.is_idle() || timer.is_waiting() && settings.held.are_many();
    let until_idle =
        std::future::poll_fn(|context| match Pin::new(&mut connection).poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if is_idle() && seen.is_quiet() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
    let ended = tokio::select! {
        biased;
        ended = until_idle => ended,
        () = closing(stage, &seen) => {
            Pin::new(&mut connection).graceful_shutdown();
            Some((&mut connection).await)
        }
    };
    match ended {
        Some(ended) => ended.map(|()| None).map_err(Into::into),
        None => {
            // To hyper, this is the end.
            Pin::new(&mut connection).graceful_shutdown();
            let parts = connection.without_shutdown().await?;
            // Only whole requests are passed on, so there is nothing left.
            Ok(parts.read_buf.is_empty().then(|| parts.io.into_inner()))
        }
    }
}

/// Completes when no more requests are accepted and none is on its way through the guard. To hyper
/// such a connection is idle, and it would close it.
pub(super) async fn closing(stage: &Stage, seen: &Seen) {
    stage.reaches(Phase::Closing).await;
    seen.between_requests().await;
}
