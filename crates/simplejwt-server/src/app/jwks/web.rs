//! A JWK set behind a URL, or behind the metadata of its issuer.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use serde_json::Value;
use simplejwt::clock::{Clock as _, SystemClock};
use simplejwt::jwk::JwkSet;
use simplejwt::keys::{KeySource, Published};

use super::freshness::fresh_for;
use super::http::{Client, place};
use crate::config::is_web;

type Cause = Box<dyn Error + Send + Sync>;

/// The time limit for the whole fetch, with redirections and metadata.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Web {
    client: Client,
    url: Uri,
    /// The issuer that the content of the URL has to name, if that is its metadata.
    issuer: Option<String>,
    known: Mutex<Option<Known>>,
}

/// A set that was fetched, and by what a server knows whether it is still the same.
#[derive(Clone, Debug)]
struct Known {
    url: Uri,
    etag: String,
    published: Published,
}

/// The reason why an answer has no keys.
#[derive(Debug, thiserror::Error)]
enum WrongContent {
    #[error("no answer within {} seconds", WHOLE_TIMEOUT.as_secs())]
    Timeout,
    #[error("the answer of {host} is not a JWK set{}", shown(.content_type))]
    NotASet { host: String, content_type: Option<String> },
    #[error("the answer of {host} is not an issuer's metadata{}", shown(.content_type))]
    NotMetadata { host: String, content_type: Option<String> },
    #[error(
        "the metadata is that of the issuer {found:?} and not of {expected:?}, to which the URL \
         belongs: write the URL of that issuer's metadata, or its jwks_uri, as JWK_URL"
    )]
    OtherIssuer { found: String, expected: String },
    #[error("the jwks_uri in the metadata is not a URL of the web")]
    NoUri,
    #[error("the metadata was fetched by https, but its jwks_uri is http")]
    Downgrade,
    #[error("{host} answered that nothing has changed (304), though it wasn't asked")]
    Unasked { host: String },
}

fn shown(content_type: &Option<String>) -> String {
    content_type.as_ref().map(|kind| format!(", but {kind:?}")).unwrap_or_default()
}

/// Returns the members `issuer` and `jwks_uri` of an issuer's metadata (RFC 8414 section 2).
fn metadata(json: &[u8]) -> Option<(String, String)> {
    let metadata: Value = serde_json::from_slice(json).ok()?;
    let text = |name: &str| metadata.get(name)?.as_str().map(str::to_owned);
    Some((text("issuer")?, text("jwks_uri")?))
}

impl Web {
    pub(super) fn new(client: Client, url: Uri, issuer: Option<String>) -> Self {
        Self { client, url, issuer, known: Mutex::default() }
    }

    async fn get(&self) -> Result<Published, Cause> {
        let url = match &self.issuer {
            Some(issuer) => self.jwks_uri(issuer).await?,
            None => self.url.clone(),
        };
        self.set(url).await
    }

    /// Returns the URL of the set, which the metadata names.
    async fn jwks_uri(&self, issuer: &str) -> Result<Uri, Cause> {
        let (url, answer) = self.client.get(self.url.clone(), |_| None).await?;
        let host = place(&url);
        if answer.is_unchanged() {
            return Err(WrongContent::Unasked { host }.into());
        }
        let content_type = answer.content_type();
        let body = answer.into_body()?;
        let (found, uri) =
            metadata(&body).ok_or(WrongContent::NotMetadata { host, content_type })?;
        if found.strip_suffix('/').unwrap_or(&found) != issuer {
            let expected = issuer.to_owned();
            return Err(WrongContent::OtherIssuer { found: cut(found), expected }.into());
        }
        let uri: Uri = uri.parse().map_err(|_| WrongContent::NoUri)?;
        if !is_web(&uri) {
            return Err(WrongContent::NoUri.into());
        }
        if url.scheme_str() == Some("https") && uri.scheme_str() == Some("http") {
            return Err(WrongContent::Downgrade.into());
        }
        Ok(uri)
    }

    async fn set(&self, url: Uri) -> Result<Published, Cause> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let etag = |url: &Uri| known.as_ref().filter(|k| k.url == *url).map(|k| k.etag.clone());
        let (url, answer) = self.client.get(url, etag).await?;
        let fresh_for = fresh_for(&answer.headers, SystemClock.now());
        if answer.is_unchanged() {
            let host = place(&url);
            let known = known.filter(|known| known.url == url);
            let mut published = known.ok_or(WrongContent::Unasked { host })?.published;
            published.fresh_for = fresh_for.or(published.fresh_for);
            return Ok(published);
        }
        let (etag, content_type) = (answer.etag(), answer.content_type());
        let set = JwkSet::from_json(&answer.into_body()?);
        let mut published: Published =
            set.map_err(|_| WrongContent::NotASet { host: place(&url), content_type })?.into();
        published.fresh_for = fresh_for;
        let known = etag.map(|etag| Known { url, etag, published: published.clone() });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(published)
    }
}

fn cut(text: String) -> String {
    simplejwt::logging::cut(&text).into_owned()
}

#[async_trait]
impl KeySource for Web {
    async fn fetch(&self) -> Result<Published, Cause> {
        let got = tokio::time::timeout(WHOLE_TIMEOUT, self.get()).await;
        got.map_err(|_| WrongContent::Timeout)?
    }

    fn name(&self) -> String {
        place(&self.url)
    }
}

#[cfg(test)]
mod tests;
