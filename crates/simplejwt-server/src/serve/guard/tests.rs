//! The guard between two ends of a pipe, with input in pieces of every size.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

fn guarded(limit: usize) -> (Guard<DuplexStream>, DuplexStream) {
    let (client, server) = duplex(1 << 20);
    (Guard::new(server, limit), client)
}

/// Returns the output, read by read, for input in pieces of this size.
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
        // The request within the body also begins with GET.
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
            // Bytes after the head don't count.
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

/// hyper considers the connection idle until it has seen the request.
#[tokio::test]
async fn a_request_is_on_its_way_until_it_begins() {
    let (mut guard, mut client) = guarded(8192);
    let seen = guard.seen();
    assert!(futures_poll(seen.between_requests()).await.is_ready());
    for part in ["\r\nGET / HT", "TP/1.1\r\nHost: a\r\n\r\n"] {
        client.write_all(part.as_bytes()).await.unwrap();
        let _ = futures_poll(guard.version(true)).await;
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
        assert_eq!(guard.version(true).await.unwrap(), expected, "{sent:?}");
        if expected == Some(Version::Http2) {
            let mut out = String::new();
            guard.read_to_string(&mut out).await.unwrap();
            assert_eq!(out, preface);
        }
    }
}
