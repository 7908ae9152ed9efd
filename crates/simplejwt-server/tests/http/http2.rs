//! HTTP/2 as hyper's client speaks it, and as an attacker does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::future::Future;
use std::io::{Read as _, Write as _};

use crate::support::databases::DatabaseKind;
use crate::support::process::{PATIENCE, Server};
use crate::support::site::Site;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;

fn site(settings: &[(&str, &str)]) -> Site {
    Site::new(DatabaseKind::Sqlite, 1, 0, settings)
}

/// Opens a connection; the task ends with it.
async fn connect(server: &Server) -> (SendRequest<Body>, JoinHandle<()>) {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let made = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = made.unwrap();
    (sender, tokio::spawn(async move { drop(connection.await) }))
}

fn get(path: &str, host: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().uri(format!("http://a.example{path}"));
    if let Some(host) = host {
        request = request.header("host", host);
    }
    request.body(Body::empty()).unwrap()
}

async fn answered(sender: &SendRequest<Body>, request: Request<Body>) -> (StatusCode, String) {
    let response = sender.clone().send_request(request).await.unwrap();
    assert!(!response.headers().contains_key("connection"));
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

#[tokio::test]
async fn sigterm_sends_connections_elsewhere() {
    let site = site(&[("SIMPLEJWT_DRAIN_DELAY", "50s")]);
    let server = &site.servers[0];
    let (sender, ended) = connect(server).await;
    assert_eq!(answered(&sender, get("/readyz", None)).await.0, StatusCode::OK);
    server.signal("-TERM");
    in_time(ended).await.unwrap();
    // A request made in the meantime is answered, and then the connection ends.
    let (sender, ended) = connect(server).await;
    let (status, body) = answered(&sender, get("/readyz", None)).await;
    assert_eq!((status, &*body), (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"));
    in_time(ended).await.unwrap();
}

#[tokio::test]
async fn many_requests_at_once_and_one_too_many_for_nobody() {
    let site = site(&[]);
    let (sender, _ended) = connect(&site.servers[0]).await;
    let asked: Vec<_> = (0..300)
        .map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move { answered(&sender, get("/healthz", None)).await.0 })
        })
        .collect();
    for one in asked {
        assert_eq!(in_time(one).await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_connection_that_asks_nothing_ends() {
    let site = site(&[("SIMPLEJWT_HEADER_TIMEOUT", "300ms")]);
    let (_sender, ended) = connect(&site.servers[0]).await;
    in_time(ended).await.unwrap();
    let (sender, ended) = connect(&site.servers[0]).await;
    assert_eq!(answered(&sender, get("/healthz", None)).await.0, StatusCode::OK);
    in_time(ended).await.unwrap();
}

#[tokio::test]
async fn a_host_that_isnt_the_targets_is_refused() {
    let site = site(&[]);
    let (sender, _ended) = connect(&site.servers[0]).await;
    for (host, status) in [(None, 200), (Some("A.example"), 200), (Some("b.example"), 400)] {
        let (told, _) = answered(&sender, get("/healthz", host)).await;
        assert_eq!(told, status, "{host:?}");
    }
}

/// A request's head and its cancellation, thousands of times (CVE-2023-44487).
#[test]
fn requests_that_are_given_up_at_once_end_the_connection() {
    const GO_AWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: u8 = 11;
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    let site = site(&[]);
    let server = &site.servers[0];
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for number in 0..5000 {
        let stream = 2 * number + 1;
        // GET / of http://a, without a body, cancelled at once.
        bytes.extend(frame(1, 5, stream, &[0x82, 0x86, 0x84, 0x41, 1, b'a']));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut stream = server.connect();
    // The connection ends before everything is sent.
    let _ = stream.write_all(&bytes);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    let mut rest = said.as_slice();
    let mut code = None;
    while let [a, b, c, kind, _, _, _, _, _, more @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (payload, more) = more.split_at(length.min(more.len()));
        if *kind == GO_AWAY {
            code = payload.get(7).copied();
        }
        rest = more;
    }
    assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{said:?}");
    assert_eq!(server.get("/healthz").status, 200);
}
