//! TLS for the driver, provided by this library.
//!
//! The driver does its TLS by itself, and accepts no certificate that webpki can't read. But it can
//! connect to a Unix socket: it is given one that leads here, and its bytes are passed on to the
//! server over a connection that is secured as the URL demands. During the handshake of the
//! protocol, the server gets one more packet, the request for TLS, so that the numbers of those
//! after it differ by one. From then on, bytes are copied.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mysql_async::{Conn, Error, OptsBuilder};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use crate::sql::tls::sentence;

/// The reason the connection behind the driver's failed.
#[derive(Debug)]
pub(super) enum Broken {
    /// An error of the network.
    Io(io::Error),
    /// An error of the handshake, as a sentence.
    Tls(String),
    /// The server has no TLS.
    NoTls,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The parameters of a secured connection.
pub(super) struct Secured<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) name: ServerName<'static>,
    pub(super) config: Arc<ClientConfig>,
    /// The time limit for the handshakes.
    pub(super) limit: Duration,
}

/// Returns a connection of the driver's whose bytes go through our TLS.
pub(super) async fn connect(
    secured: Secured<'_>,
    opts: OptsBuilder,
) -> Result<Conn, (Option<Broken>, Option<Error>)> {
    let broken = |error: io::Error| (Some(Broken::Io(error)), None);
    let server = TcpStream::connect((secured.host, secured.port)).await.map_err(broken)?;
    server.set_nodelay(true).map_err(broken)?;
    let (path, listener) = listen().map_err(broken)?;
    let (tell, told) = oneshot::channel();
    let (name, config, limit) = (secured.name, secured.config, secured.limit);
    tokio::spawn(async move {
        // The driver's user learns of it when the connection ends.
        match tokio::time::timeout(limit, introduce(listener, server, name, config)).await {
            Ok(Ok((driver, server))) => {
                drop(tell);
                relay(driver, server).await;
            }
            Ok(Err(error)) => drop(tell.send(error)),
            Err(_) => {}
        }
    });
    match Conn::new(opts.socket(Some(path))).await {
        Ok(conn) => Ok(conn),
        Err(error) => Err((told.await.ok(), Some(error))),
    }
}

/// Returns a socket that has no file and is unknown to others, and the path by which the driver
/// finds it.
fn listen() -> io::Result<(String, UnixListener)> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener as Listener};
    let name = format!("simplejwt-{}", crate::random::uuid4_hex());
    let listener = Listener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    listener.set_nonblocking(true)?;
    Ok((format!("\0{name}"), UnixListener::from_std(listener)?))
}

/// `CLIENT_SSL` among the capabilities.
const TLS: u32 = 0x800;
/// The length of the beginning of a client's answer, which is also its request for TLS:
/// capabilities, the longest packet, the character set, and reserved bytes.
const REQUEST: usize = 32;
const OK: u8 = 0x00;
const ERROR: u8 = 0xff;
/// "Authenticated": the server continues.
const FAST: [u8; 2] = [0x01, 0x03];

type Server = tokio_rustls::client::TlsStream<TcpStream>;

/// Relays packets until the server has accepted or refused the user.
async fn introduce(
    listener: UnixListener,
    mut server: TcpStream,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<(UnixStream, Server), Broken> {
    let mut driver = loop {
        let (stream, _) = listener.accept().await?;
        // Any process on this machine can try a socket without a file.
        if stream.peer_cred()?.pid() == i32::try_from(std::process::id()).ok() {
            break stream;
        }
    };
    drop(listener);
    let (number, greeting) = packet(&mut server).await?;
    write(&mut driver, number, &greeting).await?;
    match capabilities(&greeting) {
        Some(known) if known & TLS != 0 => {}
        Some(_) => return Err(Broken::NoTls),
        // An error, or not MySQL: the driver has received it and reports it.
        None => return Err(unreadable().into()),
    }
    let (number, mut answer) = packet(&mut driver).await?;
    let flags = answer.first_chunk_mut::<4>().ok_or_else(unreadable)?;
    *flags = (u32::from_le_bytes(*flags) | TLS).to_le_bytes();
    let request = answer.get(..REQUEST).ok_or_else(unreadable)?;
    write(&mut server, number, request).await?;
    let mut server = TlsConnector::from(config)
        .connect(name, server)
        .await
        .map_err(|error| Broken::Tls(sentence(&error)))?;
    write(&mut server, number.wrapping_add(1), &answer).await?;
    loop {
        // A client certificate that isn't accepted is refused only now.
        let (number, said) = packet(&mut server).await.map_err(|error| {
            let of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            if of_tls { Broken::Tls(sentence(&error)) } else { Broken::Io(error) }
        })?;
        write(&mut driver, number.wrapping_sub(1), &said).await?;
        if matches!(said.first(), Some(&OK | &ERROR)) {
            return Ok((driver, server));
        }
        if said != FAST {
            let (number, answer) = packet(&mut driver).await?;
            write(&mut server, number.wrapping_add(1), &answer).await?;
        }
    }
}

/// Returns the server's capabilities, from the greeting of protocol version 10.
fn capabilities(greeting: &[u8]) -> Option<u32> {
    let (10, rest) = greeting.split_first()? else { return None };
    let end = rest.iter().position(|&byte| byte == 0)?;
    // The connection's number, eight bytes of salt and a filler.
    let rest = rest.get(end + 1 + 4 + 8 + 1..)?;
    let low = u16::from_le_bytes(*rest.first_chunk()?);
    // The character set and the status are between the two halves.
    let high = rest.get(2 + 1 + 2..).and_then(|rest| rest.first_chunk());
    Some(u32::from(low) | high.map_or(0, |bytes| u32::from(u16::from_le_bytes(*bytes))) << 16)
}

fn unreadable() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// The longest packet before the user is authenticated.
const LONGEST: usize = 1 << 16;

async fn packet(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    from.read_exact(&mut header).await?;
    let [low, middle, high, number] = header;
    let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
    if length > LONGEST {
        return Err(unreadable());
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).await?;
    Ok((number, payload))
}

async fn write(to: &mut (impl AsyncWrite + Unpin), number: u8, payload: &[u8]) -> io::Result<()> {
    let [low, middle, high, _] = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut whole = Vec::with_capacity(4 + payload.len());
    whole.extend([low, middle, high, number]);
    whole.extend(payload);
    to.write_all(&whole).await?;
    to.flush().await
}

/// The time limit for telling the server that the driver has hung up.
const GOODBYE: Duration = Duration::from_secs(1);

/// Copies until either of them hangs up.
async fn relay(driver: UnixStream, server: Server) {
    let (mut from_driver, mut to_driver) = driver.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let there = async {
        let _ = tokio::io::copy(&mut from_driver, &mut to_server).await;
        let _ = tokio::time::timeout(GOODBYE, to_server.shutdown()).await;
    };
    let back = tokio::io::copy(&mut from_server, &mut to_driver);
    let (mut there, mut back) = (pin!(there), pin!(back));
    poll_fn(|context| {
        let ended =
            there.as_mut().poll(context).is_ready() || back.as_mut().poll(context).is_ready();
        if ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capabilities_of_a_greeting_are_found() {
        let mut greeting = b"\x0a11.8.9-MariaDB\0".to_vec();
        greeting.extend([1, 0, 0, 0]);
        greeting.extend(b"salt5678\0");
        assert_eq!(capabilities(&greeting), None);
        greeting.extend([0x02, 0x0a]);
        assert_eq!(capabilities(&greeting), Some(0x0a02));
        greeting.extend([45, 2, 0, 0x0f, 0x80]);
        assert_eq!(capabilities(&greeting), Some(0x800f_0a02));
        assert_eq!(capabilities(b"\xff\x15\x04Too many connections"), None);
        assert_eq!(capabilities(b"SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(capabilities(b"\x0a"), None);
    }

    #[tokio::test]
    async fn packets_are_as_long_as_they_say_and_not_too_long() {
        let mut sent = Vec::new();
        write(&mut sent, 7, b"abc").await.unwrap();
        assert_eq!(sent, b"\x03\0\0\x07abc");
        assert_eq!(packet(&mut sent.as_slice()).await.unwrap(), (7, b"abc".to_vec()));
        for bad in [&b"HTTP/1.1 400 Bad Request"[..], b"\x04\0\0\x07abc", b"\x03\0"] {
            packet(&mut &*bad).await.unwrap_err();
        }
    }
}
