//! `JWK_URL`: the verifying keys, fetched over HTTP.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use simplejwt::Auth;
use simplejwt::jwk::JwkSet;
use simplejwt::keys::KeySource;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::failure::Failure;

/// How often the keys are looked at, so that requests rarely wait for them. They are fetched anew
/// when the library finds them old.
const INTERVAL: Duration = Duration::from_secs(60);
/// For connecting, sending and reading together.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A set of a hundred RSA keys has about 50 KiB.
const LARGEST: u64 = 1024 * 1024;

/// Where a JWK set is fetched from.
pub(super) struct JwkUrl {
    agent: Agent,
    url: Arc<str>,
}

impl JwkUrl {
    /// # Errors
    /// The URL is none that can be fetched.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let parsed: http::Uri = url
            .parse()
            .map_err(|_| Failure::config("JWK_URL is not a URL: write https://…/jwks.json"))?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none() {
            return Err(Failure::config("JWK_URL is not a URL: write https://…/jwks.json"));
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .build();
        let agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(3)
            .user_agent("simplejwt")
            .tls_config(tls)
            .build()
            .into();
        Ok(Self { agent, url: url.into() })
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for JwkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwkUrl").finish_non_exhaustive()
    }
}

#[async_trait]
impl KeySource for JwkUrl {
    async fn fetch(&self) -> Result<JwkSet, Box<dyn Error + Send + Sync>> {
        let (agent, url) = (self.agent.clone(), Arc::clone(&self.url));
        tokio::task::spawn_blocking(move || {
            let mut response = agent.get(&*url).header("Accept", "application/json").call()?;
            let body = response.body_mut().with_config().limit(LARGEST).read_to_vec()?;
            Ok(JwkSet::from_json(&body)?)
        })
        .await?
    }
}

/// Fetches the keys now, before anything is served, and whenever they are old. A source that fails
/// leaves them as they are; while there are none, every token is refused.
pub(super) async fn keep_fresh(auth: Auth) {
    auth.refresh_keys().await;
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            auth.refresh_keys().await;
        }
    });
}
