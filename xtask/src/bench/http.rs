//! A minimal HTTP client for a load generator: one connection, kept alive if the server keeps it,
//! and answers with a Content-Length.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection, opened when it is needed.
pub(super) struct Connection {
    address: String,
    stream: Option<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    pub(super) fn to(address: &str) -> Self {
        let address = address.to_owned();
        Self { address, stream: None, request: Vec::new(), answer: Vec::new() }
    }

    /// Posts a JSON body and returns the status and the body of the answer.
    ///
    /// # Errors
    /// There is no connection, or no valid answer.
    pub(super) fn post(&mut self, path: &str, json: &str) -> Result<(u16, &str)> {
        self.ask("POST", path, "Content-Type: application/json\r\n", json)
    }

    /// Sends a request with an access token.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub(super) fn get(&mut self, path: &str, token: &str) -> Result<(u16, &str)> {
        self.ask("GET", path, &format!("Authorization: Bearer {token}\r\n"), "")
    }

    /// Sends a request with these header lines, and a body unless it is empty.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub(super) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Result<(u16, &str)> {
        self.request.clear();
        write!(self.request, "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}", self.address)?;
        if !body.is_empty() {
            write!(self.request, "Content-Length: {}\r\n", body.len())?;
        }
        write!(self.request, "\r\n{body}")?;
        self.send()
    }

    fn send(&mut self) -> Result<(u16, &str)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.address)?,
        };
        stream.write_all(&self.request).context("can't send a request")?;
        self.answer.clear();
        let mut chunk = [0; 4096];
        let (head, body_length) = loop {
            if let Some(end) = find(&self.answer, b"\r\n\r\n") {
                let head = Head::parse(self.answer.get(..end).unwrap_or_default())?;
                if self.answer.len() >= end + 4 + head.length {
                    break (head, end + 4);
                }
            }
            match stream.read(&mut chunk) {
                Ok(0) => bail!("the server closed the connection before it answered"),
                Ok(read) => self.answer.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("can't read an answer"),
            }
        };
        if head.keeps_alive {
            self.stream = Some(stream);
        }
        let body = self.answer.get(body_length..).unwrap_or_default();
        Ok((head.status, std::str::from_utf8(body).context("an answer that isn't UTF-8")?))
    }
}

fn connect(address: &str) -> Result<TcpStream> {
    let stream =
        TcpStream::connect(address).with_context(|| format!("can't connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: usize,
    keeps_alive: bool,
}

impl Head {
    fn parse(head: &[u8]) -> Result<Self> {
        let head = std::str::from_utf8(head).context("a head that isn't UTF-8")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let mut parsed =
            Self { status: status.context("no status line")?, length: 0, keeps_alive: true };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                parsed.length = value.parse().context("no Content-Length")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("the answer has a Transfer-Encoding, but no Content-Length");
            } else if name.eq_ignore_ascii_case("connection") {
                parsed.keeps_alive = !value.eq_ignore_ascii_case("close");
            }
        }
        Ok(parsed)
    }
}

/// Returns a string member of a JSON object that contains no escapes, as tokens don't.
pub(super) fn text_of<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{name}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\ncontent-length: 12";
        let parsed = Head::parse(head).unwrap();
        assert_eq!(parsed, Head { status: 200, length: 12, keeps_alive: true });
        let head = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0";
        let parsed = Head::parse(head).unwrap();
        assert_eq!(parsed, Head { status: 503, length: 0, keeps_alive: false });
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked").is_err());
        assert!(Head::parse(b"nonsense").is_err());
    }

    #[test]
    fn members_are_found() {
        let json = r#"{"access": "a.b.c","refresh":"d.e.f"}"#;
        assert_eq!(text_of(json, "access"), Some("a.b.c"));
        assert_eq!(text_of(json, "refresh"), Some("d.e.f"));
        assert_eq!(text_of(json, "detail"), None);
    }
}
