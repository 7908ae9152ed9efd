//! `simplejwt health`: asks the server that runs by this configuration whether it is ready, for
//! Docker's HEALTHCHECK and for scripts.

use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

use super::reachable::reachable;
use crate::config::Loaded;
use crate::failure::{Failure, chain};
use crate::output;

/// What the server needs beside the time that its database is given.
const MARGIN: Duration = Duration::from_secs(2);
/// What is in the way is a few lines.
const LONGEST: usize = 64 * 1024;

/// Prints what the server says.
///
/// # Errors
/// It isn't ready, or doesn't answer: what it says, or why it couldn't be asked.
pub(super) fn run(loaded: &Loaded) -> Result<ExitCode, Failure> {
    let config = &loaded.config;
    let limit = config.database.operation_timeout + MARGIN;
    let text = super::block_on(async {
        match tokio::time::timeout(limit, ask(&config.server.bind)).await {
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

async fn ask(bind: &str) -> Result<String, Failure> {
    let addresses = lookup_host(bind)
        .await
        .map_err(|error| Failure::Failed(format!("{bind} can't be asked: {error}")))?;
    let mut failure = Failure::Failed(format!("{bind} has no address"));
    for address in addresses.map(reachable) {
        if address.port() == 0 {
            return Err(Failure::Failed(format!(
                "the server listens on {bind}, a port that only it knows: name one in bind"
            )));
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return ready(address, stream).await,
            Err(error) => {
                failure = Failure::Failed(format!("nobody answers at {address}: {error}"));
            }
        }
    }
    Err(failure)
}

async fn ready(address: SocketAddr, stream: TcpStream) -> Result<String, Failure> {
    let broken = |error: hyper::Error| {
        Failure::Failed(format!("{address} doesn't answer: {}", chain(&error)))
    };
    let request = Request::get("/readyz")
        .header(HOST, address.to_string())
        .header(USER_AGENT, "simplejwt health")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut asking = pin!(async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| {
            Failure::Failed(format!("{address} doesn't answer to the end: {error}"))
        })?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        match head.status {
            StatusCode::OK => Ok(text),
            status => Err(Failure::Failed(format!(
                "{address} isn't ready: {}: {}",
                status.as_u16(),
                shown(&text)
            ))),
        }
    });
    // The connection is driven by whoever waits for the answer.
    tokio::select! {
        answer = &mut asking => answer,
        ended = connection => {
            ended.map_err(broken)?;
            asking.await
        }
    }
}

/// One line of another program's answer, which may be any program's.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|character| !character.is_control()).take(300).collect()
}
