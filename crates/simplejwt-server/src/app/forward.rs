//! Fetches a plain http URL through a proxy: the request names the whole URL (RFC 9112 section
//! 3.2.2), as with curl, Python and Go. Many proxies open tunnels only for https.

use std::error::Error;
use std::pin::pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, HOST, IF_NONE_MATCH, PROXY_AUTHORIZATION,
    USER_AGENT,
};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use ureq::Proxy;

use super::jwks::{Answer, LARGEST, MEDIA_TYPES};

/// Returns the proxy's answer. `etag` is that of the content that is known.
///
/// # Errors
/// It can't be reached, or its answer isn't HTTP, is too large, or has a status of 400 or above.
pub(super) async fn get(
    proxy: &Proxy,
    url: &Uri,
    etag: Option<String>,
) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect((proxy.host().trim_matches(['[', ']']), proxy.port())).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(format!("http://{host}{path}"))
        .header(HOST, host)
        .header(ACCEPT, MEDIA_TYPES)
        .header(ACCEPT_ENCODING, "identity")
        .header(USER_AGENT, "simplejwt")
        .header(CONNECTION, "close");
    if let Some(etag) = etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    if let Some(user) = user {
        request = request.header(AUTHORIZATION, basic(user));
    }
    if let Some(user) = proxy.username() {
        let user = format!("{user}:{}", proxy.password().unwrap_or_default());
        request = request.header(PROXY_AUTHORIZATION, basic(&user));
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let mut asking = pin!(async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        if head.status.is_client_error() || head.status.is_server_error() {
            return Err(format!("http status: {}", head.status.as_u16()).into());
        }
        let limit = usize::try_from(LARGEST).unwrap_or(usize::MAX);
        let body = Limited::new(body, limit).collect().await?.to_bytes().into();
        Ok::<_, Box<dyn Error + Send + Sync>>(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    });
    // The connection is driven by whoever waits for the answer.
    tokio::select! {
        answer = &mut asking => answer,
        ended = connection => {
            ended?;
            asking.await
        }
    }
}

fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}
