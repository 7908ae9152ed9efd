//! Sockets that the parent process listens on and passes on (systemd's `LISTEN_FDS`).

use std::io;

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::{Listener, unix};
use crate::failure::Failure;

/// Returns all of them, or `None` if there are none.
///
/// # Errors
/// One of them is not a socket that accepts connections.
pub(super) fn take() -> Result<Option<Vec<Listener>>, Failure> {
    let mut passed = ListenFd::from_env();
    let count = passed.len();
    let listeners: Result<Vec<_>, _> =
        (0..count).map(|at| one(&mut passed, at).map_err(|error| explain(at, &error))).collect();
    match listeners? {
        listeners if listeners.is_empty() => Ok(None),
        listeners => Ok(Some(listeners)),
    }
}

fn one(passed: &mut ListenFd, at: usize) -> io::Result<Listener> {
    if let Ok(Some(listener)) = passed.take_tcp_listener(at) {
        listener.set_nonblocking(true)?;
        return TcpListener::from_std(listener)
            .map(|listener| Listener::Tcp { listener, is_own: false });
    }
    let taken = passed.take_unix_listener(at)?;
    let listener = taken.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
        .map(|listener| Listener::Unix(unix::Listener::of_others(listener)))
}

fn explain(at: usize, error: &io::Error) -> Failure {
    Failure::Listen(format!(
        "socket {at} of those passed on (LISTEN_FDS) can't be used: {error}: write ListenStream= \
         in the socket unit, and Accept=no"
    ))
}
