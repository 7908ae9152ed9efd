//! Idle connections, on a clock that is advanced.

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, advance};

use super::*;
use crate::serve::connection::spoken;
use crate::serve::phase::Phases;
use crate::serve::tests::settings;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// The runtime's timers go by milliseconds.
const TICK: Duration = Duration::from_millis(2);

fn site() -> Arc<ConnectionSettings> {
    settings(Router::new().route("/", get(|| async { "answered" })))
}

fn guarded(capacity: usize) -> (Box<Guard<DuplexStream>>, DuplexStream) {
    let (client, server) = duplex(capacity);
    (Box::new(Guard::new(server, 8192)), client)
}

/// Returns this number of answers.
async fn answers(client: &mut DuplexStream, count: usize) -> String {
    let mut said = String::new();
    while said.matches("\r\n\r\nanswered").count() < count {
        let mut piece = [0; 1024];
        let length = client.read(&mut piece).await.unwrap();
        assert!(length > 0, "{said:?}");
        said.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    said
}

async fn ask(client: &mut DuplexStream, text: &str) -> String {
    client.write_all(text.as_bytes()).await.unwrap();
    answers(client, 1).await
}

/// Serves a connection while the client does something with it.
async fn with_client<T>(
    capacity: usize,
    client: impl AsyncFnOnce(DuplexStream, Phases) -> T,
) -> (Result<(), Error>, T) {
    let (guard, stream) = guarded(capacity);
    let (settings, phases) = (site(), Phases::new());
    let stage = phases.stage();
    tokio::join!(spoken(guard, None, &settings, &stage), client(stream, phases))
}

#[tokio::test(start_paused = true)]
async fn hyper_is_left_by_a_connection_that_is_idle_and_by_no_other() {
    let (mut guard, mut client) = guarded(1 << 16);
    let (settings, phases) = (site(), Phases::new());
    let stage = phases.stage();
    let timer = HeaderTimer::new(settings.limits.header_time, IDLE);
    for _ in 0..2 {
        let begin = Instant::now();
        let asking = async {
            for _ in 0..5 {
                ask(&mut client, GET).await;
                advance(IDLE * 3 / 4).await;
            }
            // The beginning of a head, which comes to nothing.
            client.write_all(b"\r\n").await.unwrap();
        };
        let serving = async {
            guard.version(true).await.unwrap();
            serve(guard, &timer, None, &settings, &stage).await
        };
        let (served, ()) = tokio::join!(serving, asking);
        guard = served.unwrap().expect("an idle connection");
        let took = begin.elapsed();
        assert!(took >= IDLE * 3 / 4 * 4 + IDLE && took <= IDLE * 5, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_answers_and_loses_nothing() {
    let (ended, ()) = with_client(1 << 16, async |mut client, _phases| {
        for _ in 0..3 {
            ask(&mut client, GET).await;
            advance(IDLE * 2).await;
        }
        // Several at once, and the last in pieces.
        let (first, second) = GET.split_at(9);
        client.write_all(format!("{GET}{GET}{first}").as_bytes()).await.unwrap();
        answers(&mut client, 2).await;
        advance(IDLE * 2).await;
        ask(&mut client, second).await;
        // A head in pieces that begins while the connection is idle.
        advance(IDLE * 2).await;
        for piece in GET.as_bytes().chunks(5) {
            client.write_all(piece).await.unwrap();
            advance(IDLE * 2).await;
        }
        answers(&mut client, 1).await;
        advance(IDLE * 2).await;
        // HTTP/2 only begins with a connection.
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 505 "), "{said}");
    })
    .await;
    ended.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_late_is_whole() {
    let (ended, said) = with_client(32, async |mut client, _phases| {
        client.write_all(GET.as_bytes()).await.unwrap();
        for _ in 0..5 {
            advance(IDLE).await;
            tokio::task::yield_now().await;
        }
        let first = answers(&mut client, 1).await;
        first + &ask(&mut client, GET).await
    })
    .await;
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 2, "{said}");
    ended.unwrap();
}

/// The time for the next head begins with the end of the answer, not with idleness.
#[tokio::test(start_paused = true)]
async fn the_time_for_a_head_is_the_same_for_an_idle_connection() {
    for begun in ["", "GET / HT"] {
        let limit = site().limits.header_time;
        let (ended, took) = with_client(1 << 16, async |mut client, _phases| {
            ask(&mut client, GET).await;
            let begin = Instant::now();
            advance(limit / 2).await;
            client.write_all(begun.as_bytes()).await.unwrap();
            assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
            begin.elapsed()
        })
        .await;
        assert!(ended.is_err());
        assert!(took + TICK >= limit && took <= limit + TICK, "{took:?} after {begun:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_ends_idle_connections_but_no_request() {
    for begun in ["", "GET / HT"] {
        let (ended, ()) = with_client(1 << 16, async |mut client, phases| {
            ask(&mut client, GET).await;
            advance(IDLE * 2).await;
            client.write_all(begun.as_bytes()).await.unwrap();
            advance(IDLE * 2).await;
            let begin = Instant::now();
            phases.enter(Phase::Draining);
            phases.enter(Phase::Closing);
            if !begun.is_empty() {
                advance(IDLE * 2).await;
                let said = ask(&mut client, GET.trim_start_matches(begun)).await;
                assert!(said.contains("connection: close"), "{said}");
            }
            assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
            assert!(begin.elapsed() <= IDLE * 2 + TICK, "{:?}", begin.elapsed());
        })
        .await;
        ended.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn draining_answers_an_idle_connection_once_more() {
    let (ended, ()) = with_client(1 << 16, async |mut client, phases| {
        ask(&mut client, GET).await;
        advance(IDLE * 2).await;
        phases.enter(Phase::Draining);
        advance(IDLE * 2).await;
        let said = ask(&mut client, GET).await;
        assert!(said.contains("connection: close"), "{said}");
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    })
    .await;
    ended.unwrap();
}

/// A connection beyond the number of those that may wait gives its memory back at once.
#[tokio::test(start_paused = true)]
async fn of_many_connections_each_is_idle_at_once() {
    let (settings, phases) = (site(), Phases::new());
    let stage = phases.stage();
    let others: Vec<_> = (0..WAITING).map(|_| settings.held.hold()).collect();
    let (mut guard, mut client) = guarded(1 << 16);
    let timer = HeaderTimer::new(settings.limits.header_time, IDLE);
    let begin = Instant::now();
    for _ in 0..3 {
        let serving = async {
            guard.version(true).await.unwrap();
            serve(guard, &timer, None, &settings, &stage).await
        };
        let (served, said) = tokio::join!(serving, ask(&mut client, GET));
        assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
        guard = served.unwrap().expect("an idle connection");
    }
    assert_eq!(begin.elapsed(), Duration::ZERO);
    drop(others);
    assert!(!settings.held.are_many());
}

/// Of each idle connection there is one of these, and the guard.
#[tokio::test]
async fn an_idle_connection_is_small() {
    let (guard, _client) = guarded(1 << 16);
    let (settings, phases) = (site(), Phases::new());
    let stage = phases.stage();
    let guard_size = size_of_val(&*guard);
    let idle = size_of_val(&spoken(guard, None, &settings, &stage));
    assert!(idle <= 1024 && guard_size <= 512, "{idle}, {guard_size}");
}
