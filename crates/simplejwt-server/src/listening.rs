//! The address that is listened on: taken at once, so that one that can't be had is told before
//! anything else is done, and listened on when there is something to answer with.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::failure::Failure;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// An address that is this process's, and that refuses connections until it is listened on.
#[derive(Debug)]
pub(crate) struct Place {
    socket: TcpSocket,
    bind: String,
}

/// Takes the configured address.
///
/// # Errors
/// What is in the way, and what to do about it.
pub(crate) async fn take(bind: &str) -> Result<Place, Failure> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host(bind).await.map_err(|error| explain(bind, &error))? {
        match bound(address) {
            Ok(socket) => return Ok(Place { socket, bind: bind.to_owned() }),
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
    /// Listens.
    ///
    /// # Errors
    /// Another process was quicker.
    pub(crate) fn listen(self) -> Result<TcpListener, Failure> {
        let Self { socket, bind } = self;
        socket.listen(BACKLOG).map_err(|error| explain(&bind, &error))
    }
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
