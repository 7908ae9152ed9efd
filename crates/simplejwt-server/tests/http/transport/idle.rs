//! Connections that are kept open between requests.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use super::{answer_from, one_answer, site};
use crate::support::process::{PATIENCE, Server};

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

/// Waits until connections that were just used are idle: they give their memory back, and the
/// server's settles.
fn wait_until_idle(server: &Server) -> usize {
    server.settled_memory()
}

#[test]
fn an_idle_connection_takes_little_memory() {
    const CONNECTIONS: usize = 400;
    let site = site(&[("SIMPLEJWT_HEADER_TIMEOUT", "50s")]);
    let server = &site.servers[0];
    let ask = |stream: &mut _| {
        Write::write_all(stream, GET).unwrap();
        assert!(one_answer(stream).ends_with("ok\n"));
    };
    let opened = || (0..CONNECTIONS).map(|_| server.connect()).collect::<Vec<_>>();
    // Memory that is allocated once.
    opened().iter_mut().take(20).for_each(ask);
    let before = wait_until_idle(server);
    let mut streams = opened();
    let silent = wait_until_idle(server).saturating_sub(before) / CONNECTIONS;
    streams.iter_mut().for_each(ask);
    let idle = wait_until_idle(server).saturating_sub(before) / CONNECTIONS;
    println!(
        "bytes held for each of {CONNECTIONS} connections: {silent} before the first request, \
         {idle} after it"
    );
    // hyper's buffers alone are 16 kB.
    assert!(silent < 10_000 && idle < 10_000, "{silent}, {idle}");
    streams.iter_mut().for_each(ask);
}

#[test]
fn idle_connections_are_answered_on_a_unix_socket_and_with_tls() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("s.sock");
    let bind = format!("unix:{}", path.display());
    let unix = site(&[("SIMPLEJWT_BIND", &bind)]);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..3 {
        stream.write_all(GET).unwrap();
        assert!(answer_from(&mut stream).ends_with("ok\n"));
        wait_until_idle(&unix.servers[0]);
    }

    let (certificate, key) = super::listeners::certificate(place.path(), "served");
    let tls = site(&[("SIMPLEJWT_TLS_CERTIFICATE", &certificate), ("SIMPLEJWT_TLS_KEY", &key)]);
    let server = &tls.servers[0];
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &server.address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
    for _ in 0..3 {
        to.write_all(GET).unwrap();
        assert!(answer_from(&mut from).ends_with("ok\n"));
        wait_until_idle(server);
    }
    server.signal("-INT");
    // The end is announced, and the client ends.
    let mut rest = Vec::new();
    from.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    server.expect_stderr("stopped");
    client.wait().unwrap();
}
