//! `JWK_URL`: the verifying keys, fetched over HTTP or read from files.

mod file;
mod freshness;
mod http;
mod web;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use simplejwt::Auth;
use simplejwt::keys::{FetchError, Fetched, KeySource};

use self::file::File;
pub(super) use self::http::{Answer, LARGEST, MEDIA_TYPES};
use self::http::{Client, TIMEOUT};
use self::web::Web;
use super::proxy::Proxies;
use crate::config::{Config, KeyPlace};
use crate::failure::{Failure, chain};
use crate::supervisor::{Need, Supervisor};

/// The interval at which the age of the keys is checked, so that requests rarely wait for them.
/// They are fetched when the library finds them old, and soon after a failure.
const INTERVAL: Duration = Duration::from_secs(10);

/// Returns the configured sources.
///
/// # Errors
/// A URL, or its proxy's, can't be fetched from, or the file with authorities can't be read.
pub(super) fn sources(config: &Config) -> Result<Vec<Arc<dyn KeySource>>, Failure> {
    let client = Client {
        proxies: Proxies::of_process(),
        ca: config.jwk_url.ca.clone(),
        allow_http: config.jwk_url.allow_http,
        timeout: TIMEOUT,
    };
    let source = |url: &String| {
        let place = KeyPlace::parse(url)
            .map_err(|problem| Failure::config(format!("JWK_URL {problem}")))?;
        if let Some(url) = place.url() {
            let checked = client.check(url);
            checked.map_err(|error| Failure::config(format!("JWK_URL: {}", chain(&*error))))?;
        }
        Ok(match place {
            KeyPlace::File(path) => Arc::new(File(path)) as Arc<dyn KeySource>,
            KeyPlace::Set(url) => Arc::new(Web::new(client.clone(), url, None)),
            KeyPlace::Metadata { url, issuer } => {
                Arc::new(Web::new(client.clone(), url, Some(issuer)))
            }
        })
    };
    config.settings.jwk_url.iter().map(source).collect()
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

/// Returns a line for each key behind `JWK_URL` that isn't used, and one for each source with the
/// number of those that are.
///
/// # Errors
/// What each source failed by.
pub(super) fn report(fetched: &[(String, Result<Fetched, FetchError>)]) -> Result<String, Failure> {
    let (mut text, mut failures) = (String::new(), Vec::new());
    for (name, result) in fetched {
        let source = match fetched.len() {
            1 => "JWK_URL".to_owned(),
            _ => format!("JWK_URL: {name}"),
        };
        match result {
            Ok(fetched) => text.push_str(&of_source(&source, fetched)),
            Err(error) => failures.push(Failure::Failed(format!("{source}: {}", chain(error)))),
        }
    }
    Failure::all(failures).map(|()| text)
}

fn of_source(source: &str, fetched: &Fetched) -> String {
    let mut text = String::new();
    for jwk in &fetched.unused {
        let name = match &jwk.kid {
            Some(kid) => format!("{kid:?}"),
            None => format!("number {}", jwk.position),
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{source}: the key {name} is not used: {}", jwk.reason);
    }
    let keys =
        if fetched.usable == 1 { "1 key".to_owned() } else { format!("{} keys", fetched.usable) };
    let _ = writeln!(text, "{source}: {keys} to verify with");
    text
}

/// Turns a failed fetch into the failure of a command.
pub(super) fn failed(error: &FetchError) -> Failure {
    Failure::Failed(format!("JWK_URL: {}", chain(error)))
}
