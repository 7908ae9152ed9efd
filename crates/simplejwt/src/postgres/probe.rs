//! Finds out what listens there, if it isn't PostgreSQL; used once nothing else explains a failure.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The time to wait for the answer.
const LIMIT: Duration = Duration::from_secs(1);
/// Asks for TLS, which PostgreSQL answers with a letter.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Returns the kind of a configuration's only server, unless it is PostgreSQL or doesn't reveal it.
pub(super) async fn stranger(config: &Config) -> Option<&'static str> {
    let [Host::Tcp(host)] = config.get_hosts() else { return None };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let answer = tokio::time::timeout(LIMIT, answer(host, port)).await.ok()??;
    kind_of(&answer)
}

async fn answer(host: &str, port: u16) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect((host, port)).await.ok()?;
    stream.write_all(&TLS_REQUEST).await.ok()?;
    let mut answer = vec![0; 64];
    let mut length = 0;
    // A single letter is PostgreSQL's; any other server sends more at once.
    while length < 5 {
        let read = stream.read(answer.get_mut(length..)?).await.ok()?;
        length += read;
        if read == 0 || length == 1 && matches!(answer.first(), Some(b'S' | b'N')) {
            break;
        }
    }
    answer.truncate(length);
    Some(answer)
}

fn kind_of(answer: &[u8]) -> Option<&'static str> {
    match answer {
        [b'H', b'T', b'T', b'P', ..] => Some("a web server (HTTP)"),
        [b'S', b'S', b'H', b'-', ..] => Some("an SSH server"),
        // A packet's length and number, and the protocol's version or an error.
        [_, _, 0, 0, 0x0a | 0xff, ..] => Some("a MySQL or MariaDB"),
        // An alert: it speaks TLS from the first byte.
        [0x15, 3, ..] => Some("a server that begins with TLS"),
        [b'2' | b'4' | b'5', b'0'..=b'9', b'0'..=b'9', ..] => Some("a mail or file server"),
        [b'-' | b'+', ..] => Some("a Redis, or another server"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_by_their_first_words() {
        for (answer, told) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], Some("HTTP")),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Some("SSH")),
            (b"\x53\0\0\0\x0a11.8.9-MariaDB", Some("MySQL")),
            (b"\x45\0\0\0\xff\x6a\x04Host", Some("MySQL")),
            (b"\x15\x03\x01\x00\x02\x02\x28", Some("TLS")),
            (b"-ERR unknown command\r\n", Some("Redis")),
            (b"220 mail.example.org ESMTP\r\n", Some("mail")),
            (b"S", None),
            (b"N", None),
            (b"E\0\0\0\x81SFATAL", None),
            (b"", None),
        ] {
            assert_eq!(kind_of(answer).is_some(), told.is_some(), "{answer:?}");
            assert!(kind_of(answer).unwrap_or_default().contains(told.unwrap_or_default()));
        }
    }
}
