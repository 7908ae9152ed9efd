//! What stands between a socket and hyper: hands out a request's head whole, once it has been
//! judged, and its body to where it ends. So the limit of heads is exact whatever the pieces, and
//! no request begins within another.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::framing::Framing;
use super::head::{self, Refused};

/// Read at once. With less than 8 KB hyper's buffer stays as small as it is at first.
const PIECE: usize = 4096;
/// What HTTP/2 begins with looks like a head, as far as this.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";
/// In place of a head that was refused, so that it is answered in its turn.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n";
/// A client that is still sending gets to see the answer, if it doesn't send more than this
const LINGERED: usize = 8 * 1024 * 1024;
/// or for longer.
const LINGERING: Duration = Duration::from_secs(2);

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// What the other side of hyper wants to know of the guard.
#[derive(Debug, Default)]
pub(super) struct Seen {
    refused: Mutex<Option<Refused>>,
    /// Whether some of a head has come, and its request hasn't begun.
    is_on_its_way: AtomicBool,
    changed: Notify,
}

impl Seen {
    /// The request that was handed out has begun: why it isn't one, if it isn't.
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
    /// Looked through so far.
    Head(usize),
    Body(Framing),
    /// Nothing more is read.
    Refused,
    /// Not HTTP/1: everything is passed on.
    Open,
}

pub(super) struct Guard<S> {
    inner: S,
    limit: usize,
    state: State,
    /// Came, and not yet looked at or not yet due.
    pending: BytesMut,
    /// Due.
    due: Bytes,
    seen: Arc<Seen>,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    /// Heads have `limit` bytes at most.
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

    pub(super) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }

    /// Waits for the first head, and says which HTTP it is; `None` if none comes.
    pub(super) async fn version(&mut self) -> io::Result<Option<Version>> {
        std::future::poll_fn(|context| self.poll_head(context, true)).await?;
        Ok(match self.state {
            State::Open => Some(Version::Http2),
            State::Head(_) => None,
            State::Body(_) | State::Refused => Some(Version::Http1),
        })
    }

    /// What comes is HTTP/2, as was agreed upon.
    pub(super) fn open(&mut self) {
        self.state = State::Open;
    }

    /// Reads until a head is due, or the connection's end.
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
                // Empty lines are left over from the request before (RFC 9112, section 2.2).
                let head = head.slice(leading_lines(&head)..);
                match head::judge(&head) {
                    Ok(framing) => {
                        self.due = head;
                        self.state = State::Body(framing);
                    }
                    Err(refused) => self.refuse(refused),
                }
            } else {
                let mut piece = [0; PIECE];
                let mut piece = ReadBuf::new(&mut piece);
                ready!(Pin::new(&mut self.inner).poll_read(context, &mut piece))?;
                if piece.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.pending.extend_from_slice(piece.filled());
            }
        }
        Poll::Ready(Ok(()))
    }

    fn refuse(&mut self, refused: Refused) {
        *self.seen.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
        self.due = Bytes::from_static(STAND_IN);
        self.pending = BytesMut::new();
        self.state = State::Refused;
    }

    /// Whether a client may be sending what nobody will read.
    fn is_within_request(&self) -> bool {
        match self.state {
            State::Refused => true,
            State::Body(framing) => !framing.is_done(),
            State::Head(_) | State::Open => false,
        }
    }
}

/// The length of the head that the bytes begin with, once all of it is there, and up to where
/// there is nothing to look for again.
fn end_of_head(bytes: &[u8], looked_at: usize) -> (Option<usize>, usize) {
    let begin = leading_lines(bytes);
    if begin == bytes.len() {
        return (None, 0);
    }
    let mut at = looked_at.max(begin);
    while let Some(lf) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\n')) {
        let line_end = at + lf + 1;
        match bytes.get(line_end..) {
            Some([b'\n', ..]) => return (Some(line_end + 1), at),
            Some([b'\r', b'\n', ..]) => return (Some(line_end + 2), at),
            // Not known yet: the line's end is looked at again.
            Some([] | [b'\r']) | None => return (None, line_end - 1),
            Some(_) => at = line_end,
        }
    }
    (None, bytes.len())
}

/// Up to where there is nothing but empty lines.
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
                // Where the next request would begin isn't known.
                State::Body(framing) if framing.is_broken() => return Poll::Ready(Ok(())),
                State::Body(framing) if !this.pending.is_empty() => {
                    let length = this.pending.len().min(buffer.remaining());
                    let taken = framing.take(this.pending.get(..length).unwrap_or_default());
                    buffer.put_slice(&this.pending.split_to(taken));
                    return Poll::Ready(Ok(()));
                }
                State::Body(framing) => {
                    let mut piece = [0; PIECE];
                    let length = PIECE.min(buffer.remaining());
                    let mut piece = ReadBuf::new(piece.get_mut(..length).unwrap_or_default());
                    ready!(Pin::new(&mut this.inner).poll_read(context, &mut piece))?;
                    let (body, next) = piece.filled().split_at(framing.take(piece.filled()));
                    buffer.put_slice(body);
                    this.pending.extend_from_slice(next);
                    return Poll::Ready(Ok(()));
                }
                // The answer ends the connection; an end of the client's side would cancel it.
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

    /// A socket that is closed while bytes are unread is reset, and the answer may be lost with it:
    /// what the client is still sending is read for a while.
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    fn guarded(limit: usize) -> (Guard<DuplexStream>, DuplexStream) {
        let (client, server) = duplex(1 << 20);
        (Guard::new(server, limit), client)
    }

    /// What comes out, read by read, of what goes in by pieces of this size.
    async fn passed(bytes: &str, piece: usize, limit: usize) -> (Vec<String>, Option<Refused>) {
        let (mut guard, mut client) = guarded(limit);
        let mut out = vec![String::new()];
        let seen = guard.seen();
        let mut buffer = [0; 1 << 16];
        for piece in bytes.as_bytes().chunks(piece) {
            client.write_all(piece).await.unwrap();
            while let Poll::Ready(Ok(length)) = futures_poll(guard.read(&mut buffer)).await {
                assert_ne!(length, 0);
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                match text.starts_with("GET ") || text.starts_with("POST ") {
                    true => out.push(text),
                    false => out.last_mut().unwrap().push_str(&text),
                }
            }
        }
        out.remove(0);
        (out, seen.begin())
    }

    /// Polls once.
    async fn futures_poll<F: Future>(future: F) -> Poll<F::Output> {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn requests_come_one_by_one_whatever_the_pieces() {
        let requests = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n!",
            "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\r\n\r\r\n0\r\n\r\n",
            "GET /last HTTP/1.1\nHost: a\n\n",
        ];
        let all = requests.concat();
        for piece in 1..=all.len() {
            let (out, refused) = passed(&all, piece, 8192).await;
            // The request within the body begins with GET, too.
            let out: Vec<_> = out.concat().split_inclusive("\n\r\n").map(str::to_owned).collect();
            assert_eq!(out.concat(), all, "by {piece}");
            assert_eq!(refused, None);
        }
        let (out, _) = passed(&all, all.len(), 8192).await;
        assert_eq!(out[0], requests[0], "the first is handed out by itself");
        let (out, refused) =
            passed(&format!("\r\n\r\n{}\r\n{}", requests[0], requests[3]), 7, 8192).await;
        assert_eq!((out.len(), refused), (2, None));
    }

    #[tokio::test]
    async fn the_limit_of_heads_is_exact_whatever_the_pieces() {
        for (length, expected) in [(300, None), (301, Some(Refused::TooLarge))] {
            let bare = "GET / HTTP/1.1\r\nHost: a\r\nLong: \r\n\r\n";
            let long = "x".repeat(length - bare.len());
            let head = bare.replace("Long: ", &format!("Long: {long}"));
            assert_eq!(head.len(), length);
            for piece in [1, 2, 7, 299, 300, 301] {
                // What follows doesn't count.
                for more in ["", "GET / HTTP/1.1\r\n"] {
                    let (out, refused) = passed(&format!("{head}{more}"), piece, 300).await;
                    assert_eq!(refused, expected, "{length} by {piece}");
                    let first = out.first().map(String::as_bytes);
                    let of = if expected.is_none() { head.as_bytes() } else { STAND_IN };
                    assert_eq!(first, Some(of));
                }
            }
        }
        let (_, refused) = passed(&"\r\n".repeat(151), 10, 300).await;
        assert_eq!(refused, Some(Refused::TooLarge), "empty lines without end");
    }

    #[tokio::test]
    async fn nothing_comes_behind_what_was_refused() {
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        let bad = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n";
        let (out, refused) = passed(&format!("{bad}{smuggled}"), 9, 8192).await;
        assert_eq!((out.concat().as_bytes(), refused), (STAND_IN, Some(Refused::Length)));
        let broken = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n";
        let (mut guard, mut client) = guarded(8192);
        client.write_all(format!("{broken}{smuggled}").as_bytes()).await.unwrap();
        let mut out = String::new();
        guard.read_to_string(&mut out).await.unwrap();
        assert!(!out.contains("smuggled"), "{out}");
    }

    /// To hyper it is idle for as long as it hasn't seen it.
    #[tokio::test]
    async fn a_request_is_on_its_way_until_it_begins() {
        let (mut guard, mut client) = guarded(8192);
        let seen = guard.seen();
        assert!(futures_poll(seen.between_requests()).await.is_ready());
        for part in ["\r\nGET / HT", "TP/1.1\r\nHost: a\r\n\r\n"] {
            client.write_all(part.as_bytes()).await.unwrap();
            let _ = futures_poll(guard.version()).await;
            assert!(futures_poll(seen.between_requests()).await.is_pending(), "{part}");
        }
        assert_eq!(seen.begin(), None);
        assert!(futures_poll(seen.between_requests()).await.is_ready());
    }

    #[tokio::test]
    async fn http_2_begins_with_its_preface() {
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for (sent, expected) in [
            (preface, Some(Version::Http2)),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Version::Http1)),
            ("PRI * HTTP/2.0\r\nHost: a\r\n\r\n", Some(Version::Http1)),
            ("nonsense\r\n\r\n", Some(Version::Http1)),
            ("GET / HT", None),
            ("", None),
        ] {
            let (mut guard, mut client) = guarded(8192);
            client.write_all(sent.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
            assert_eq!(guard.version().await.unwrap(), expected, "{sent:?}");
            if expected == Some(Version::Http2) {
                let mut out = String::new();
                guard.read_to_string(&mut out).await.unwrap();
                assert_eq!(out, preface);
            }
        }
    }
}
