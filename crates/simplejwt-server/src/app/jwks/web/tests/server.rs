//! A web server that answers as a test wants it to, with TLS or without.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The heads of the requests.
pub(super) type Asked = Arc<Mutex<Vec<String>>>;

/// Answers each request with the whole answer that belongs to its path.
pub(super) fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (SocketAddr, Asked) {
    serve_in(None, answer)
}

/// The same, with TLS.
pub(super) fn serve_in(
    tls: Option<Arc<rustls::ServerConfig>>,
    answer: impl Fn(&str) -> Vec<u8> + Send + 'static,
) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let told = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            // A client that doesn't trust the certificate goes away.
            match &tls {
                None => drop(converse(stream, &told, &answer)),
                Some(config) => {
                    let session = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                    drop(converse(rustls::StreamOwned::new(session, stream), &told, &answer));
                }
            }
        }
    });
    (address, asked)
}

fn converse(
    stream: impl Read + Write,
    told: &Asked,
    answer: &impl Fn(&str) -> Vec<u8>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while stream.read_line(&mut head)? > 2 {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    told.lock().unwrap().push(head);
    stream.get_mut().write_all(&answer(&path))?;
    stream.get_mut().flush()
}

pub(super) fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub(super) fn redirect(to: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {to}\r\n\r\n"
    )
    .into_bytes()
}

/// Sends a byte now and then, so that the connection is never quiet for long.
pub(super) fn dribble(body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for byte in answer("X-Nothing: 1", body.as_bytes()) {
            if stream.write_all(&[byte]).is_err() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    address
}

/// Returns an address on which nobody listens.
pub(super) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
