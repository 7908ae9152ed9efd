//! `JWK_URL`: the verifying keys, fetched over HTTP.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use http::header::LOCATION;
use simplejwt::Auth;
use simplejwt::jwk::JwkSet;
use simplejwt::keys::{FetchError, Fetched, KeySource};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy, ProxyProtocol};

use super::forward;
use super::proxy::{self, Proxies};
use crate::failure::{Failure, chain};
use crate::supervisor::{Need, Supervisor};

/// The interval at which the age of the keys is checked, so that requests rarely wait for them.
/// They are fetched when the library finds them old, and soon after a failure.
const INTERVAL: Duration = Duration::from_secs(10);
/// The time limit for connecting, sending and reading one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for the whole fetch, redirections included.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_REDIRECTS: usize = 3;
/// The maximum size of a JWK set, in bytes. A set of a hundred RSA keys has about 50 KiB.
pub(super) const LARGEST: u64 = 1024 * 1024;

/// The URL from which a JWK set is fetched.
pub(super) struct JwkUrl {
    url: Uri,
    proxies: Proxies,
}

impl JwkUrl {
    /// Creates the source.
    ///
    /// # Errors
    /// The URL, or the proxy's, can't be fetched from.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let url =
            url.parse().ok().filter(is_web).ok_or_else(|| {
                Failure::config("JWK_URL is not a URL: write https://…/jwks.json")
            })?;
        let proxies = Proxies::of_process();
        if let Some(proxy) = proxies.for_url(&url) {
            parse(proxy).map_err(|error| Failure::config(error.to_string()))?;
        }
        Ok(Self { url, proxies })
    }
}

/// Leaves out the URL, which may contain a password.
impl fmt::Debug for JwkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwkUrl").finish_non_exhaustive()
    }
}

/// The reason why a fetch failed, and the host that failed it.
#[derive(Debug, thiserror::Error)]
enum FetchFailure {
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
    #[error("the request was redirected from https to http, where anybody could answer it")]
    Downgrade,
    #[error("the request was redirected more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    #[error("no answer within {} seconds", WHOLE_TIMEOUT.as_secs())]
    Timeout,
}

type Cause = Box<dyn Error + Send + Sync>;

/// An answer that isn't an error.
pub(super) struct Answer {
    pub(super) is_redirection: bool,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

#[async_trait]
impl KeySource for JwkUrl {
    async fn fetch(&self) -> Result<JwkSet, Cause> {
        let getting = get(self.url.clone(), &self.proxies);
        let body = tokio::time::timeout(WHOLE_TIMEOUT, getting).await;
        Ok(JwkSet::from_json(&body.map_err(|_| FetchFailure::Timeout)??)?)
    }
}

fn is_web(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
}

fn parse(proxy: &proxy::Proxy) -> Result<Proxy, FetchFailure> {
    let is_http = ["http://", "https://"].iter().any(|scheme| proxy.url.starts_with(scheme));
    let parsed = Proxy::new(&proxy.url).ok().filter(|_| is_http);
    parsed.ok_or(FetchFailure::NotAProxy(proxy.variable))
}

/// Fetches the content behind the URL. Each redirection uses its own proxy, or none.
async fn get(mut url: Uri, proxies: &Proxies) -> Result<Vec<u8>, FetchFailure> {
    for _ in 0..=MAX_REDIRECTS {
        let named = proxies.for_url(&url);
        let proxy = named.map(parse).transpose()?;
        let host = place(&url);
        let outcome = match &proxy {
            Some(proxy)
                if url.scheme_str() == Some("http") && proxy.protocol() == ProxyProtocol::Http =>
            {
                forward::get(proxy, &url).await
            }
            _ => {
                let (url, proxy) = (url.clone(), proxy.clone());
                let asking = tokio::task::spawn_blocking(move || ask(url, proxy)).await;
                asking.map_err(Into::into).and_then(|answer| answer)
            }
        };
        let answer = outcome.map_err(|source| match (named, &proxy) {
            (Some(named), Some(proxy)) => FetchFailure::Proxy {
                host: host.clone(),
                proxy: format!("{}:{}", proxy.host(), proxy.port()),
                variable: named.variable,
                source,
            },
            _ => FetchFailure::Host { host: host.clone(), source },
        })?;
        if !answer.is_redirection {
            return Ok(answer.body);
        }
        let next = answer.location.and_then(|location| target(&url, &location));
        let next = next.ok_or(FetchFailure::Redirect { host })?;
        if url.scheme_str() == Some("https") && next.scheme_str() == Some("http") {
            return Err(FetchFailure::Downgrade);
        }
        url = next;
    }
    Err(FetchFailure::TooManyRedirects)
}

/// Sends the request directly or through a tunnel.
fn ask(url: Uri, proxy: Option<Proxy>) -> Result<Answer, Cause> {
    let mut response = agent(proxy).get(url).header("Accept", "application/json").call()?;
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    Ok(Answer {
        is_redirection: response.status().is_redirection(),
        location: location.map(str::to_owned),
        body: response.body_mut().with_config().limit(LARGEST).read_to_vec()?,
    })
}

/// Builds an agent for each request, because the authorities that the system trusts may have
/// changed.
fn agent(proxy: Option<Proxy>) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy)
        .user_agent("simplejwt")
        .tls_config(tls)
        .build()
        .into()
}

/// Returns the host and port, without path and password.
fn place(url: &Uri) -> String {
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

/// Fetches the keys now, before anything is served, and again whenever they are old. If a fetch
/// fails, the keys stay as they are; as long as there are none, no token is judged.
pub(super) async fn keep_fresh(auth: &Auth, tasks: &Supervisor) {
    auth.refresh_keys().await;
    let auth = auth.clone();
    tasks.start("keys", Need::Essential, move || {
        let auth = auth.clone();
        async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                auth.refresh_keys().await;
            }
        }
    });
}

/// Returns a line for each key behind `JWK_URL` that isn't used, and one with the number of those
/// that are.
pub(super) fn report(fetched: &Fetched) -> String {
    let mut text = String::new();
    for jwk in &fetched.unused {
        let name = match &jwk.kid {
            Some(kid) => format!("{kid:?}"),
            None => format!("number {}", jwk.position),
        };
        text.push_str(&format!("JWK_URL: the key {name} is not used: {}\n", jwk.reason));
    }
    text.push_str(&match fetched.usable {
        1 => "JWK_URL: 1 key to verify with\n".to_owned(),
        usable => format!("JWK_URL: {usable} keys to verify with\n"),
    });
    text
}

/// Turns a failed fetch into the failure of a command.
pub(super) fn failed(error: &FetchError) -> Failure {
    Failure::Failed(format!("JWK_URL: {}", chain(error)))
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
