//! Fetches what is behind a URL of the web: with proxies, redirections and authorities of one's own.

use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION,
};
use http::{HeaderMap, StatusCode, Uri};
use simplejwt::logging::cut;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy, ProxyProtocol};

use crate::app::forward;
use crate::app::proxy::{self, Proxies};
use crate::config::{is_this_machine, is_web};

/// The time limit for connecting, sending and reading one answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 3;
/// The maximum size of a JWK set, in bytes. A set of a hundred RSA keys has about 50 KiB.
pub(in crate::app) const LARGEST: u64 = 1024 * 1024;
/// The media types asked for: a JWK set (RFC 7517 section 8.5), or JSON.
pub(in crate::app) const MEDIA_TYPES: &str = "application/json, application/jwk-set+json";

/// How URLs are fetched.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) proxies: Proxies,
    /// The file with the certificates of authorities, in place of the system's.
    pub(super) ca: Option<PathBuf>,
    /// `true` if http is allowed for other hosts than this machine.
    pub(super) allow_http: bool,
    /// The time limit for connecting, sending and reading one answer.
    pub(super) timeout: Duration,
}

/// The reason why a fetch failed, and the host that failed it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFailure {
    #[error("asking {host}")]
    Host {
        host: String,
        #[source]
        source: Cause,
    },
    #[error("asking {host} through the proxy {proxy} ({variable})")]
    Proxy {
        host: String,
        proxy: String,
        variable: &'static str,
        #[source]
        source: Cause,
    },
    #[error("{0} is not the URL of a proxy: write http://host:port")]
    NotAProxy(&'static str),
    #[error("{host} redirects to an address that can't be followed")]
    Redirect { host: String },
    #[error("{host} answers with the status {status}, which has no content")]
    Status { host: String, status: u16 },
    #[error("the request was redirected from https to http, where anybody could answer it")]
    Downgrade,
    #[error(
        "{host} is to be asked by http, where anybody could answer: write \
         jwk_url_allow_http = true if the network is trusted"
    )]
    Http { host: String },
    #[error("the request was redirected more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
}

/// The reason why authorities or a body can't be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the authorities in {0} (jwk_url_ca) can't be read")]
    Authorities(String, #[source] Cause),
    #[error("{0} (jwk_url_ca) contains no certificate in PEM")]
    NoAuthority(String),
    #[error("the answer is encoded as {0:?}, though only gzip is understood")]
    Encoding(String),
    #[error("the answer has more than {LARGEST} bytes")]
    TooLarge,
}

type Cause = Box<dyn Error + Send + Sync>;

/// An answer that isn't an error.
pub(in crate::app) struct Answer {
    pub(in crate::app) status: StatusCode,
    pub(in crate::app) headers: HeaderMap,
    pub(in crate::app) body: Vec<u8>,
}

impl Answer {
    /// `true` if the content is the one that is known (RFC 9110 section 15.4.5).
    pub(super) fn is_unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }

    pub(super) fn etag(&self) -> Option<String> {
        self.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
    }

    pub(super) fn content_type(&self) -> Option<String> {
        let value = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(cut(value).into_owned())
    }

    /// Returns the body as it was before it was compressed.
    ///
    /// # Errors
    /// It is encoded otherwise, is not what it says it is, or is too large.
    pub(super) fn into_body(self) -> Result<Vec<u8>, Cause> {
        let encoding = self.headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
        let encoding = encoding.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        match encoding.as_slice() {
            b"" | b"identity" => Ok(self.body),
            b"gzip" | b"x-gzip" => {
                let mut body = Vec::new();
                MultiGzDecoder::new(&*self.body).take(LARGEST + 1).read_to_end(&mut body)?;
                if body.len() as u64 > LARGEST {
                    return Err(Unusable::TooLarge.into());
                }
                Ok(body)
            }
            other => {
                let other = String::from_utf8_lossy(other);
                Err(Unusable::Encoding(cut(&other).into_owned()).into())
            }
        }
    }
}

impl Client {
    /// Checks what doesn't depend on an answer: the proxy, and the file with authorities.
    ///
    /// # Errors
    /// What can't be used.
    pub(super) fn check(&self, url: &Uri) -> Result<(), Cause> {
        if let Some(proxy) = self.proxies.for_url(url) {
            parse(proxy)?;
        }
        self.check_scheme(url)?;
        self.authorities().map(drop)
    }

    /// Fetches the content behind the URL, following redirections, each by its own proxy, or none.
    /// Returns the URL that it was found at. `etag` returns the tag of the content that is known of
    /// a URL.
    pub(super) async fn get(
        &self,
        mut url: Uri,
        etag: impl Fn(&Uri) -> Option<String>,
    ) -> Result<(Uri, Answer), FetchFailure> {
        for _ in 0..=MAX_REDIRECTS {
            self.check_scheme(&url)?;
            let answer = self.get_once(&url, etag(&url)).await?;
            if answer.status.is_success() || answer.is_unchanged() {
                return Ok((url, answer));
            }
            let host = place(&url);
            if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Err(FetchFailure::Status { host, status: answer.status.as_u16() });
            }
            let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| target(&url, location));
            let next = next.ok_or(FetchFailure::Redirect { host })?;
            if url.scheme_str() == Some("https") && next.scheme_str() == Some("http") {
                return Err(FetchFailure::Downgrade);
            }
            url = next;
        }
        Err(FetchFailure::TooManyRedirects)
    }

    /// Refuses http, except where nobody else could answer.
    fn check_scheme(&self, url: &Uri) -> Result<(), FetchFailure> {
        let stays_here = is_this_machine(url) && self.proxies.for_url(url).is_none();
        if url.scheme_str() == Some("https") || self.allow_http || stays_here {
            return Ok(());
        }
        Err(FetchFailure::Http { host: place(url) })
    }

    async fn get_once(&self, url: &Uri, etag: Option<String>) -> Result<Answer, FetchFailure> {
        let named = self.proxies.for_url(url);
        let proxy = named.map(parse).transpose()?;
        let host = place(url);
        let outcome = match &proxy {
            Some(proxy)
                if url.scheme_str() == Some("http") && proxy.protocol() == ProxyProtocol::Http =>
            {
                forward::get(proxy, url, etag).await
            }
            _ => {
                let (client, url, proxy) = (self.clone(), url.clone(), proxy.clone());
                let asking = move || client.ask(url, proxy, etag);
                let asking = tokio::task::spawn_blocking(asking).await;
                asking.map_err(Into::into).and_then(|answer| answer)
            }
        };
        outcome.map_err(|source| match (named, &proxy) {
            (Some(named), Some(proxy)) => FetchFailure::Proxy {
                host,
                proxy: format!("{}:{}", proxy.host(), proxy.port()),
                variable: named.variable,
                source,
            },
            _ => FetchFailure::Host { host, source },
        })
    }

    /// Sends the request directly or through a tunnel.
    fn ask(&self, url: Uri, proxy: Option<Proxy>, etag: Option<String>) -> Result<Answer, Cause> {
        let mut request = self
            .agent(proxy)?
            .get(url)
            .header(ACCEPT, MEDIA_TYPES)
            // Some servers compress even so.
            .header(ACCEPT_ENCODING, "identity");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = request.call()?;
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.body_mut().with_config().limit(LARGEST).read_to_vec()?,
        })
    }

    /// Builds an agent for each request, because the trusted authorities may have changed.
    fn agent(&self, proxy: Option<Proxy>) -> Result<Agent, Cause> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(self.authorities()?)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        Ok(Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent("simplejwt")
            .tls_config(tls)
            .build()
            .into())
    }

    fn authorities(&self) -> Result<RootCerts, Cause> {
        let Some(path) = &self.ca else { return Ok(RootCerts::PlatformVerifier) };
        let shown = || path.display().to_string();
        let unreadable = |error: Cause| Unusable::Authorities(shown(), error);
        let pem = std::fs::read(path).map_err(|error| unreadable(error.into()))?;
        let mut certificates: Vec<Certificate<'static>> = Vec::new();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) =
                item.map_err(|error| unreadable(error.into()))?
            {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(Unusable::NoAuthority(shown()).into());
        }
        Ok(RootCerts::new_with_certs(&certificates))
    }
}

fn parse(proxy: &proxy::Proxy) -> Result<Proxy, FetchFailure> {
    let is_http = ["http://", "https://"].iter().any(|scheme| proxy.url.starts_with(scheme));
    let parsed = Proxy::new(&proxy.url).ok().filter(|_| is_http);
    parsed.ok_or(FetchFailure::NotAProxy(proxy.variable))
}

/// Returns the host and port, without path and password.
pub(super) fn place(url: &Uri) -> String {
    let port = match (url.port_u16(), url.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https")) => 443,
        (None, _) => 80,
    };
    format!("{}:{port}", url.host().unwrap_or_default())
}

/// Returns the target of a redirection (RFC 9110 section 10.2.2).
fn target(from: &Uri, location: &str) -> Option<Uri> {
    if let Some(url) = location.parse().ok().filter(is_web) {
        return Some(url);
    }
    // A scheme other than those of the web.
    let start = location.split(['/', '?']).next().unwrap_or_default();
    if start.contains(':') {
        return None;
    }
    let scheme = from.scheme_str()?;
    let text = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = match location {
            path if path.starts_with('/') => path.to_owned(),
            relative => format!("{folder}/{relative}"),
        };
        format!("{scheme}://{}{path}", from.authority()?)
    };
    text.parse().ok().filter(is_web)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_followed_as_browsers_do() {
        let from: Uri = "https://user:secret@a.example:8443/b/c/jwks.json?x=1".parse().unwrap();
        let to = |location| target(&from, location).map(|url| url.to_string());
        assert_eq!(to("https://b.example/k").as_deref(), Some("https://b.example/k"));
        assert_eq!(to("//b.example/k").as_deref(), Some("https://b.example/k"));
        assert_eq!(to("/k").as_deref(), Some("https://user:secret@a.example:8443/k"));
        assert_eq!(to("k?y").as_deref(), Some("https://user:secret@a.example:8443/b/c/k?y"));
        for bad in ["ftp://b.example/", "https://", "a b"] {
            assert_eq!(to(bad), None, "{bad}");
        }
        assert_eq!(place(&from), "a.example:8443");
    }
}
