//! `simplejwt health`: asks the server with this configuration whether it is ready, for Docker's
//! HEALTHCHECK and for scripts.

mod tls;

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use super::reachable::reachable;
#[cfg(unix)]
use crate::config::UNIX;
use crate::config::{Config, Loaded};
use crate::failure::{Failure, chain};
use crate::output;

/// The time that the server gets beyond the database's time limit.
const MARGIN: Duration = Duration::from_secs(2);
/// The maximum size of an answer, in bytes. Answers are a few lines.
const LONGEST: usize = 64 * 1024;

/// Prints the server's answer.
///
/// # Errors
/// The server isn't ready or doesn't answer: its answer, or the reason why it can't be reached.
pub(super) fn run(loaded: &Loaded) -> Result<ExitCode, Failure> {
    let config = &loaded.config;
    let limit = config.database.operation_timeout + MARGIN;
    let text = super::block_on(async {
        match tokio::time::timeout(limit, ask(config)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Failed(format!(
                "the server at {} did not answer within {} seconds",
                config.server.bind,
                limit.as_secs()
            ))),
        }
    })?;
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(config: &Config) -> Result<String, Failure> {
    let bind = &config.server.bind;
    #[cfg(unix)]
    if let Some(path) = bind.strip_prefix(UNIX) {
        return match tokio::net::UnixStream::connect(path).await {
            Ok(stream) => talk(config, bind, "localhost", stream).await,
            Err(error) => Err(Failure::Failed(format!("can't connect to {bind}: {error}"))),
        };
    }
    let addresses = lookup_host(bind)
        .await
        .map_err(|error| Failure::Failed(format!("can't look up {bind}: {error}")))?;
    let mut failure = Failure::Failed(format!("{bind} has no address"));
    for address in addresses.map(reachable) {
        if address.port() == 0 {
            return Err(Failure::Failed(format!(
                "bind is {bind}, so the server has chosen its port itself: write a fixed port in \
                bind"
            )));
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let place = address.to_string();
                return talk(config, &place, &place, stream).await;
            }
            Err(error) => {
                failure = Failure::Failed(format!("can't connect to {address}: {error}"));
            }
        }
    }
    Err(failure)
}

/// Sends the request over a connection to `place`, with TLS if the server has a certificate.
async fn talk<S>(config: &Config, place: &str, host: &str, stream: S) -> Result<String, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let path = match config.realm.name() {
        Some(name) => format!("/readyz?realm={name}"),
        None => "/readyz".to_owned(),
    };
    match &config.tls.certificate {
        None => ready(place, host, &path, stream).await,
        Some(file) => ready(place, host, &path, tls::open(place, stream, file).await?).await,
    }
}

/// Sends the request over a connection to `place`, with this `Host`.
async fn ready<S>(place: &str, host: &str, path: &str, stream: S) -> Result<String, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken =
        |error: hyper::Error| Failure::Failed(format!("{place} doesn't answer: {}", chain(&error)));
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, "simplejwt health")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut asking = pin!(async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| {
            Failure::Failed(format!("{place} didn't finish its answer: {error}"))
        })?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        match head.status {
            StatusCode::OK => Ok(text),
            status => Err(Failure::Failed(format!(
                "{place} isn't ready: {}: {}",
                status.as_u16(),
                first_line(&text)
            ))),
        }
    });
    // Waiting for the answer also drives the connection.
    tokio::select! {
        answer = &mut asking => answer,
        ended = connection => {
            ended.map_err(broken)?;
            asking.await
        }
    }
}

/// Returns the first line of an answer, without control characters: any program may have sent it.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|character| !character.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// The result for a server that sends this answer.
    async fn told(answer: &'static str) -> Result<String, Failure> {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let serving = async move {
            let mut asked = [0; 1024];
            let length = theirs.read(&mut asked).await.unwrap();
            theirs.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        };
        let (told, asked) = tokio::join!(ready("there", "localhost", "/readyz", ours), serving);
        assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("host: localhost\r\n"), "{asked}");
        told
    }

    #[tokio::test]
    async fn what_is_said_is_one_line_without_control_characters() {
        let ready = told("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n").await;
        assert_eq!(ready.unwrap(), "ready\n");
        let answer = "HTTP/1.1 503 Unavailable\r\n\r\n\x1b[2Jthe database is away\nmore\n";
        assert_eq!(
            told(answer).await.unwrap_err().to_string(),
            "there isn't ready: 503: [2Jthe database is away"
        );
        let cut = told("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nready\n").await;
        assert!(cut.unwrap_err().to_string().starts_with("there didn't finish its answer"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_of_a_file_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let bind = format!("unix:{}", path.display());
        let mut config = Config::default();
        config.server.bind = bind.clone();
        let failure = ask(&config).await.unwrap_err().to_string();
        assert!(failure.starts_with(&format!("can't connect to {bind}: ")), "{failure}");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nready\n").await.unwrap();
        };
        let (said, ()) = tokio::join!(ask(&config), serving);
        assert_eq!(said.unwrap(), "ready\n");
    }
}
