//! The guard between a socket and hyper. It passes on a request's head as a whole, once the head
//! has been checked, and the body up to its end. So the limit for heads is exact, whatever the
//! pieces, and no request begins within another.

#[cfg(test)]
mod tests;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::framing::Framing;
use super::head::{self, Refused};

/// The number of bytes read at once. Below 8 KB, hyper's buffer keeps its small initial size.
const PIECE: usize = 4096;
/// The beginning of HTTP/2's preface, which looks like a head.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";
/// The head that replaces a refused one, so that the refusal is answered in its turn.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n";
/// The number of bytes that a client may still send after the answer that ends its connection, and
/// get to see it.
const LINGERED: usize = 8 * 1024 * 1024;
/// The time that a client has to send them.
const LINGERING: Duration = Duration::from_secs(2);

/// The version of HTTP that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// The guard's findings, for the other side of hyper.
#[derive(Debug, Default)]
pub(super) struct Seen {
    refused: Mutex<Option<Refused>>,
    /// `true` from the first bytes of a head until its request begins.
    is_on_its_way: AtomicBool,
    changed: Notify,
}

impl Seen {
    /// Records that the request that was passed on has begun. Returns the reason if it was refused.
    pub(super) fn begin(&self) -> Option<Refused> {
        self.is_on_its_way.store(false, Ordering::Release);
        self.changed.notify_waiters();
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until no request is on its way.
    pub(super) async fn between_requests(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.is_on_its_way.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }
}

#[derive(Debug)]
enum State {
    /// Waiting for a head, of which this number of bytes has been examined.
    Head(usize),
    /// In the body of the head that was passed on.
    Body(Framing),
    /// Nothing more is read.
    Refused,
    /// Not HTTP/1: everything is passed on.
    Open,
}

/// A socket whose requests are passed on one by one.
pub(super) struct Guard<S> {
    inner: S,
    limit: usize,
    state: State,
    /// Bytes that have arrived, and are not examined or not due yet.
    pending: BytesMut,
    /// Bytes to pass on next.
    due: Bytes,
    seen: Arc<Seen>,
    /// The remaining time and bytes of a client that is still sending.
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    /// Creates a guard that refuses heads of more than `limit` bytes.
    pub(super) fn new(inner: S, limit: usize) -> Self {
        Self {
            inner,
            limit,
            state: State::Head(0),
            pending: BytesMut::new(),
            due: Bytes::new(),
            seen: Arc::default(),
            lingering: None,
        }
    }

    /// Returns its findings, which change as requests arrive.
    pub(super) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }

    /// Waits for the first head. Returns the version of HTTP, or `None` if the connection ends without one.
    pub(super) async fn version(&mut self) -> io::Result<Option<Version>> {
        std::future::poll_fn(|context| self.poll_head(context, true)).await?;
        Ok(match self.state {
            State::Open => Some(Version::Http2),
            State::Head(_) => None,
            State::Body(_) | State::Refused => Some(Version::Http1),
        })
    }

    /// Passes everything on, because HTTP/2 was negotiated.
    pub(super) fn open(&mut self) {
        self.state = State::Open;
    }

    /// Reads until a head is due, or to the connection's end.
    fn poll_head(&mut self, context: &mut Context<'_>, is_first: bool) -> Poll<io::Result<()>> {
        while let State::Head(looked_at) = self.state {
            if leading_lines(&self.pending) < self.pending.len() {
                self.seen.is_on_its_way.store(true, Ordering::Release);
            }
            let (length, looked_at) = end_of_head(&self.pending, looked_at);
            self.state = State::Head(looked_at);
            if is_first && self.pending.starts_with(PREFACE) {
                self.state = State::Open;
            } else if length.unwrap_or(self.pending.len()) > self.limit {
                self.refuse(Refused::TooLarge);
            } else if let Some(length) = length {
                let head = self.pending.split_to(length).freeze();
                // Empty lines are left over from the previous request (RFC 9112, section 2.2).
                let head = head.slice(leading_lines(&head)..);
                match head::judge(&head) {
                    Ok(framing) => {
                        self.due = head;
                        self.state = State::Body(framing);
                    }
                    Err(refused) => self.refuse(refused),
                }
            } else {
                let mut piece = [const { MaybeUninit::uninit() }; PIECE];
                let mut piece = ReadBuf::uninit(&mut piece);
                ready!(Pin::new(&mut self.inner).poll_read(context, &mut piece))?;
                if piece.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.pending.extend_from_slice(piece.filled());
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Passes on the head at the beginning of the bytes that have come, with as much of its body as
    /// has come with it, and keeps the rest. Returns `false` and does nothing if the head isn't
    /// whole, or needs a closer look.
    fn pass_whole(&mut self, come: &[u8], buffer: &mut ReadBuf<'_>) -> bool {
        let (Some(length), _) = end_of_head(come, 0) else { return false };
        let (head, rest) = come.split_at_checked(length).unwrap_or_default();
        if length > self.limit.min(buffer.remaining()) || leading_lines(head) > 0 {
            return false;
        }
        let Ok(mut framing) = head::judge(head) else { return false };
        let room = rest.len().min(buffer.remaining() - length);
        let taken = framing.take(rest.get(..room).unwrap_or_default());
        let (body, next) = rest.split_at_checked(taken).unwrap_or_default();
        buffer.put_slice(head);
        buffer.put_slice(body);
        self.pending.extend_from_slice(next);
        self.seen.is_on_its_way.store(true, Ordering::Release);
        self.state = State::Body(framing);
        true
    }

    fn refuse(&mut self, refused: Refused) {
        *self.seen.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
        self.due = Bytes::from_static(STAND_IN);
        self.pending = BytesMut::new();
        self.state = State::Refused;
    }

    /// Returns `true` if a client may be sending something that nobody will read.
    fn is_within_request(&self) -> bool {
        match self.state {
            State::Refused => true,
            State::Body(framing) => !framing.is_done(),
            State::Head(_) | State::Open => false,
        }
    }
}

/// Returns the length of the head at the beginning of the bytes, if it is complete, and the offset
/// up to which nothing has to be examined again.
fn end_of_head(bytes: &[u8], looked_at: usize) -> (Option<usize>, usize) {
    let begin = leading_lines(bytes);
    if begin == bytes.len() {
        return (None, 0);
    }
    let mut at = looked_at.max(begin);
    while let Some(lf) = bytes.get(at..).and_then(|rest| memchr(b'\n', rest)) {
        let line_end = at + lf + 1;
        match bytes.get(line_end..) {
            Some([b'\n', ..]) => return (Some(line_end + 1), at),
            Some([b'\r', b'\n', ..]) => return (Some(line_end + 2), at),
            // Not known yet, so the line's end is examined again.
            Some([] | [b'\r']) | None => return (None, line_end - 1),
            Some(_) => at = line_end,
        }
    }
    (None, bytes.len())
}

/// Returns the length of the empty lines at the beginning of the bytes.
fn leading_lines(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len())
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.due.is_empty() {
                let length = this.due.len().min(buffer.remaining());
                buffer.put_slice(&this.due.split_to(length));
                return Poll::Ready(Ok(()));
            }
            match &mut this.state {
                // Nearly all requests come in one piece and one after the other: nothing of them
                // has to be kept.
                State::Head(0) if this.pending.is_empty() => {
                    let mut piece = [const { MaybeUninit::uninit() }; PIECE];
                    let mut piece = ReadBuf::uninit(&mut piece);
                    ready!(Pin::new(&mut this.inner).poll_read(context, &mut piece))?;
                    if piece.filled().is_empty() || this.pass_whole(piece.filled(), buffer) {
                        return Poll::Ready(Ok(()));
                    }
                    this.pending.extend_from_slice(piece.filled());
                }
                State::Head(_) => {
                    ready!(this.poll_head(context, false))?;
                    if matches!(this.state, State::Head(_)) {
                        return Poll::Ready(Ok(()));
                    }
                }
                State::Body(framing) if framing.is_done() => {
                    if this.pending.is_empty() {
                        this.pending = BytesMut::new();
                    }
                    this.state = State::Head(0);
                }
                // The beginning of the next request is unknown.
                State::Body(framing) if framing.is_broken() => return Poll::Ready(Ok(())),
                State::Body(framing) if !this.pending.is_empty() => {
                    let length = this.pending.len().min(buffer.remaining());
                    let taken = framing.take(this.pending.get(..length).unwrap_or_default());
                    buffer.put_slice(&this.pending.split_to(taken));
                    return Poll::Ready(Ok(()));
                }
                State::Body(framing) => {
                    let mut piece = [const { MaybeUninit::uninit() }; PIECE];
                    let length = PIECE.min(buffer.remaining());
                    let mut piece = ReadBuf::uninit(piece.get_mut(..length).unwrap_or_default());
                    ready!(Pin::new(&mut this.inner).poll_read(context, &mut piece))?;
                    let (body, next) = piece.filled().split_at(framing.take(piece.filled()));
                    buffer.put_slice(body);
                    this.pending.extend_from_slice(next);
                    return Poll::Ready(Ok(()));
                }
                // The answer ends the connection; the end of the client's side would cancel it.
                State::Refused => return Poll::Pending,
                State::Open if this.pending.is_empty() => {
                    return Pin::new(&mut this.inner).poll_read(context, buffer);
                }
                State::Open => {
                    let length = this.pending.len().min(buffer.remaining());
                    buffer.put_slice(this.pending.get(..length).unwrap_or_default());
                    this.pending.advance(length);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    /// If a socket is closed while bytes are unread, it is reset and the answer may be lost. So the
    /// client's data is read for a while.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
            if !this.is_within_request() {
                return Poll::Ready(Ok(()));
            }
        }
        let (deadline, left) =
            this.lingering.get_or_insert_with(|| (Box::pin(sleep(LINGERING)), LINGERED));
        let mut piece = [0; PIECE];
        while *left > 0 && deadline.as_mut().poll(context).is_pending() {
            let mut piece = ReadBuf::new(&mut piece);
            match ready!(Pin::new(&mut this.inner).poll_read(context, &mut piece)) {
                Ok(()) if !piece.filled().is_empty() => {
                    *left = left.saturating_sub(piece.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
