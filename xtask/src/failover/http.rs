//! A minimal HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The time limit for a request, longer than a server may take.
const PATIENCE: Duration = Duration::from_secs(12);

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    body: serde_json::Value,
}

impl Answer {
    /// Returns a string member of the JSON body.
    pub(super) fn text(&self, name: &str) -> String {
        self.body.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    }
}

/// Sends a request over its own connection.
///
/// # Errors
/// There is no answer.
pub(super) fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    bearer: Option<&str>,
    body: &str,
) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let authorization =
        bearer.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{authorization}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has no head")?;
    let status = head.split(' ').nth(1).context("the answer has no status")?.parse()?;
    Ok(Answer { status, body: serde_json::from_str(body).unwrap_or_default() })
}

/// Returns the `jti` of a token.
pub(super) fn jti(token: &str) -> Option<String> {
    let claims: serde_json::Value =
        serde_json::from_slice(&unbase64(token.split('.').nth(1)?)?).ok()?;
    Some(claims.get("jti")?.as_str()?.to_owned())
}

/// Decodes base64url without padding.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_its_id() {
        // {"jti":"a?b"}
        assert_eq!(jti("x.eyJqdGkiOiJhP2IifQ.y").as_deref(), Some("a?b"));
        assert_eq!(jti("x.!.y"), None);
    }
}
