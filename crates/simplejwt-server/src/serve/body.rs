//! The body of a request: read completely when it is first polled, and stored without spare
//! capacity.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use simplejwt::web::endpoint::ReadError;

use super::memory::{BodyMemory, NoMemory, Share};
use crate::limits::BodyRefusal;

/// The filler that stands for a body that is too long, piece by piece, for a reader that counts
/// bytes.
static FILLING: [u8; 4096] = [0; 4096];

/// The limits for a client that sends a body.
#[derive(Clone, Debug)]
pub(super) struct BodyLimits {
    pub(super) size: usize,
    pub(super) time: Duration,
    pub(super) memory: Arc<BodyMemory>,
}

/// The state of a request's body, for use after the request is answered; `None` without a body.
#[derive(Clone)]
pub(super) struct BodyState(Option<Arc<Mutex<Inside>>>);

struct Inside {
    incoming: Option<Incoming>,
    refused: Option<BodyRefusal>,
    /// `true` if more of the body is still on the connection.
    is_cut: bool,
    share: Option<Share>,
}

/// A body that is read on the first poll.
pub(super) struct LazyBody {
    reading: Option<Reading>,
    state: BodyState,
    limit: usize,
    /// The number of bytes delivered in place of a body that is too long.
    filled: usize,
}

type Reading = Pin<Box<dyn Future<Output = Result<Bytes, BodyRefusal>> + Send>>;

/// There is no body; [`BodyState`] knows why.
#[derive(Debug)]
pub(super) struct NoBody;

impl fmt::Display for NoBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body couldn't be read")
    }
}

impl std::error::Error for NoBody {}

/// Returns the body for the router.
pub(super) fn lazy(state: &BodyState, limits: &BodyLimits) -> Body {
    if state.0.is_none() {
        return Body::empty();
    }
    let (limit, limits, reading) = (limits.size, limits.clone(), state.clone());
    let reading = Box::pin(async move { reading.read(&limits).await });
    Body::new(LazyBody { reading: Some(reading), state: state.clone(), limit, filled: 0 })
}

impl BodyState {
    /// Begins with a body that isn't read yet.
    pub(super) fn new(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            return Self(None);
        }
        let incoming = Some(incoming);
        let inside = Inside { incoming, refused: None, is_cut: false, share: None };
        Self(Some(Arc::new(Mutex::new(inside))))
    }

    /// The lock can't be poisoned: nothing fails while it is held.
    fn inside(&self) -> Option<MutexGuard<'_, Inside>> {
        Some(self.0.as_deref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the reason why the body was refused, if it was read.
    pub(super) fn refused(&self) -> Option<BodyRefusal> {
        self.inside()?.refused
    }

    /// Returns `true` if there is, or may be, more of the body on the connection. Data of a body
    /// that nobody has read is dropped, up to `limit` bytes.
    pub(super) async fn is_unread(&self, limit: usize) -> bool {
        let (incoming, is_cut) = {
            let Some(mut inside) = self.inside() else { return false };
            (inside.incoming.take(), inside.is_cut)
        };
        match incoming {
            None => is_cut,
            Some(incoming) => !has_come(incoming, limit).await,
        }
    }

    /// Reads the whole body for an endpoint.
    ///
    /// # Errors
    /// There is none, or it is too long.
    pub(super) async fn read_whole(&self, limits: &BodyLimits) -> Result<Vec<u8>, ReadError> {
        self.read(limits).await.map(Vec::from).map_err(|refused| match refused {
            BodyRefusal::TooLarge => ReadError::TooLarge,
            BodyRefusal::TooSlow | BodyRefusal::Broken | BodyRefusal::NoMemory => {
                ReadError::Incomplete
            }
        })
    }

    /// Reads the whole body within its time limit.
    async fn read(&self, limits: &BodyLimits) -> Result<Bytes, BodyRefusal> {
        let incoming = self.inside().and_then(|mut inside| {
            let incoming = inside.incoming.take();
            inside.is_cut |= incoming.is_some();
            incoming
        });
        let Some(mut incoming) = incoming else { return Ok(Bytes::new()) };
        let mut share = limits.memory.share();
        let given_up = Arc::clone(&share.given_up);
        let collecting = collect(&mut incoming, limits.size, &share);
        // A body that has arrived already is read before anything waits for the rest.
        let outcome = tokio::select! {
            biased;
            outcome = collecting => outcome,
            () = given_up.notified() => Err(BodyRefusal::NoMemory),
            () = tokio::time::sleep(limits.time) => Err(BodyRefusal::TooSlow),
        };
        let Some(mut inside) = self.inside() else { return outcome };
        match outcome {
            Ok(body) => {
                share.complete();
                inside.share = Some(share);
                inside.is_cut = false;
                Ok(body)
            }
            Err(refused) => {
                inside.refused = Some(refused);
                Err(refused)
            }
        }
    }
}

/// Drops the data of a body that has arrived, without waiting. Returns `true` if that was all.
async fn has_come(mut incoming: Incoming, limit: usize) -> bool {
    let mut length = 0;
    std::future::poll_fn(|context| {
        Poll::Ready(loop {
            match Pin::new(&mut incoming).poll_frame(context) {
                Poll::Ready(None) => break true,
                Poll::Ready(Some(Ok(frame))) => {
                    length += frame.data_ref().map_or(0, Bytes::len);
                    if length > limit {
                        break false;
                    }
                }
                Poll::Ready(Some(Err(_))) | Poll::Pending => break incoming.is_end_stream(),
            }
        })
    })
    .await
}

async fn collect(
    incoming: &mut Incoming,
    limit: usize,
    share: &Share,
) -> Result<Bytes, BodyRefusal> {
    let declared = incoming.size_hint();
    if declared.lower() > limit as u64 {
        return Err(BodyRefusal::TooLarge);
    }
    let most = declared.upper().and_then(|upper| usize::try_from(upper).ok()).unwrap_or(limit);
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(|_| BodyRefusal::Broken)?.into_data() else { continue };
        let length = body.len() + data.len();
        if length > limit {
            return Err(BodyRefusal::TooLarge);
        }
        if length > body.capacity() {
            // The buffer grows in steps, with at most a quarter too much.
            let wanted = length.saturating_add(length / 4).min(most.max(length));
            share.grow(wanted - body.capacity()).map_err(|NoMemory| BodyRefusal::NoMemory)?;
            body.reserve_exact(wanted - body.len());
        }
        body.extend_from_slice(&data);
    }
    Ok(body.into())
}

impl hyper::body::Body for LazyBody {
    type Data = Bytes;
    type Error = NoBody;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoBody>>> {
        let this = self.get_mut();
        if let Some(reading) = &mut this.reading {
            let outcome = std::task::ready!(reading.as_mut().poll(context));
            this.reading = None;
            match outcome {
                Ok(body) => return Poll::Ready(Some(Ok(Frame::data(body)))),
                Err(BodyRefusal::TooLarge) => {}
                Err(_) => return Poll::Ready(Some(Err(NoBody))),
            }
        }
        // The reader finds the body too long, and reports it in its own way.
        if this.state.refused() == Some(BodyRefusal::TooLarge) && this.filled <= this.limit {
            this.filled += FILLING.len();
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&FILLING)))));
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The result of services that can't fail.
pub(super) type Answered = Result<http::Response<Body>, Infallible>;
