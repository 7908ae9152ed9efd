//! The listening sockets. They are bound at once, so that an unusable address is reported before
//! anything else is done, and start listening when requests can be answered.

#[cfg(unix)]
mod inherited;
#[cfg(unix)]
mod unix;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

use crate::config::{Server, UNIX};
use crate::failure::Failure;

/// The number of connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Any connection.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

/// A connection, and the address of its other end.
pub(crate) type Accepted = (Box<dyn Io>, Option<IpAddr>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for S {}

/// An address that is bound by this process, and refuses connections until it listens.
#[derive(Debug)]
pub(crate) enum Place {
    Tcp {
        socket: TcpSocket,
        bind: String,
    },
    #[cfg(unix)]
    Unix(unix::Place),
    /// Sockets that another process listens on and passed to this one.
    #[cfg(unix)]
    Inherited(Vec<Listener>),
}

/// A source of connections.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp {
        listener: TcpListener,
        /// `true` if the socket ends with this process.
        is_own: bool,
    },
    #[cfg(unix)]
    Unix(unix::Listener),
}

/// Binds the configured address, or takes the sockets passed by systemd.
///
/// # Errors
/// The address can't be used: why, and what to do about it.
pub(crate) async fn take(server: &Server) -> Result<Place, Failure> {
    #[cfg(unix)]
    if let Some(listeners) = inherited::take()? {
        return Ok(Place::Inherited(listeners));
    }
    let bind = &server.bind;
    if let Some(path) = bind.strip_prefix(UNIX) {
        #[cfg(unix)]
        return unix::take(path.as_ref(), server.socket_mode).map(Place::Unix);
        #[cfg(not(unix))]
        return Err(Failure::Listen(format!("{path}: this system has no Unix sockets")));
    }
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host(bind).await.map_err(|error| explain(bind, &error))? {
        match bound(address) {
            Ok(socket) => return Ok(Place::Tcp { socket, bind: bind.to_owned() }),
            Err(error) => failed = error,
        }
    }
    Err(explain(bind, &failed))
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of a process that has just ended are no obstacle.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Place {
    /// Starts listening.
    ///
    /// # Errors
    /// Another process listens on the address already.
    pub(crate) fn listen(self) -> Result<Vec<Listener>, Failure> {
        match self {
            Self::Tcp { socket, bind } => {
                let listener = socket.listen(BACKLOG).map_err(|error| explain(&bind, &error))?;
                Ok(vec![Listener::Tcp { listener, is_own: true }])
            }
            #[cfg(unix)]
            Self::Unix(place) => Ok(vec![Listener::Unix(place.listen(BACKLOG)?)]),
            #[cfg(unix)]
            Self::Inherited(listeners) => Ok(listeners),
        }
    }
}

impl Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp { listener, .. } => {
                let (stream, peer) = ready!(listener.poll_accept(context))?;
                Poll::Ready(Ok(accepted(stream, peer)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let stream = ready!(listener.poll_accept(context))?;
                Poll::Ready(Ok((Box::new(stream), None)))
            }
        }
    }

    /// Stops listening. Connections that wait to be accepted would be reset, so they are accepted
    /// and returned, unless another process continues to listen.
    pub(crate) fn close(self) -> Vec<Accepted> {
        let mut last = Vec::new();
        match self {
            Self::Tcp { listener, is_own: true } => {
                // Connections that came since the runtime last looked are accepted too.
                let Ok(listener) = listener.into_std() else { return last };
                while let Ok((stream, peer)) = listener.accept() {
                    let stream =
                        stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    last.extend(stream.ok().map(|stream| accepted(stream, peer)));
                }
            }
            Self::Tcp { .. } => {}
            #[cfg(unix)]
            Self::Unix(listener) => {
                for stream in listener.close() {
                    last.push((Box::new(stream), None));
                }
            }
        }
        last
    }

    /// Returns the URL for clients: `http://127.0.0.1:8000`, or `unix:/run/simplejwt.sock`.
    ///
    /// # Errors
    /// The socket is unusable.
    pub(crate) fn url(&self, with_tls: bool) -> Result<String, Failure> {
        match self {
            Self::Tcp { listener, .. } => {
                let scheme = if with_tls { "https" } else { "http" };
                local(listener).map(|address| format!("{scheme}://{address}"))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(listener.name()),
        }
    }

    /// Returns the address, or `None` for a Unix socket.
    ///
    /// # Errors
    /// The socket is unusable.
    pub(crate) fn address(&self) -> Result<Option<SocketAddr>, Failure> {
        match self {
            Self::Tcp { listener, .. } => local(listener).map(Some),
            #[cfg(unix)]
            Self::Unix(_) => Ok(None),
        }
    }
}

/// Returns the next connection to any of them, with the address of its other end if there is one.
///
/// # Errors
/// Errors of the operating system, most of them temporary.
pub(crate) async fn accept(listeners: &[Listener]) -> io::Result<Accepted> {
    std::future::poll_fn(|context| {
        let mut polled = listeners.iter().map(|listener| listener.poll_accept(context));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

fn accepted(stream: TcpStream, peer: SocketAddr) -> Accepted {
    // Answers are small, so waiting for more data to send gains nothing.
    let _ = stream.set_nodelay(true);
    (Box::new(stream), Some(peer.ip().to_canonical()))
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    let address = listener.local_addr();
    address.map_err(|error| Failure::Listen(format!("the listening socket is unusable: {error}")))
}

fn explain(bind: &str, error: &io::Error) -> Failure {
    Failure::Listen(match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{bind} is in use by another program: stop it, or choose another address (bind in \
             [server], or SIMPLEJWT_BIND)"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "not allowed to listen on {bind}: choose a port above 1023 (bind in [server], or \
             SIMPLEJWT_BIND)"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "{bind} is not an address of this machine: write 0.0.0.0 for all of its addresses \
             (bind in [server], or SIMPLEJWT_BIND)"
        ),
        _ => format!(
            "can't listen on {bind}: {error}: write an address of this machine (bind in [server], \
             or SIMPLEJWT_BIND)"
        ),
    })
}
