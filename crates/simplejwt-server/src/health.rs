//! `/healthz`: the process answers. `/readyz`: the database does what a login needs, there are keys
//! to verify with, the feed of revocations is up to date, and the tasks behind this are running.

mod probe;
mod told;

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::CACHE_CONTROL;
use http::{HeaderName, StatusCode, Uri};
use simplejwt::Auth;

use crate::supervisor::{Need, Supervisor};

pub(crate) use probe::{Probe, Probed};
use told::ReadinessLog;

/// `true` once the server is about to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The parts that must work for requests to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    realms: Arc<Vec<RealmHealth>>,
    tasks: Supervisor,
    stopping: Stopping,
    told: ReadinessLog,
}

/// Those of one realm.
#[derive(Debug)]
pub(crate) struct RealmHealth {
    /// Its name, if there are several.
    pub(crate) realm: Option<Arc<str>>,
    pub(crate) auth: Auth,
    pub(crate) probe: Probe,
}

/// The reason why something isn't ready: for the client, and for the log.
type Told = (Cow<'static, str>, String);

impl Health {
    pub(crate) fn new(realms: Vec<RealmHealth>, tasks: Supervisor, stopping: Stopping) -> Self {
        Self { realms: Arc::new(realms), tasks, stopping, told: ReadinessLog::default() }
    }

    /// Returns the reason why the server isn't ready, for the client.
    pub(crate) async fn state(&self) -> Option<Cow<'static, str>> {
        self.trouble(None).await.map(|(sentence, _)| sentence)
    }

    /// Returns the reason why the server isn't ready, or one of its realms.
    async fn trouble(&self, only: Option<&str>) -> Option<Told> {
        let asked = self.realms.iter().filter(|one| only.is_none_or(|only| one.has_name(only)));
        // At once, so that a database that doesn't answer costs its time only once.
        let found = together(asked.map(RealmHealth::trouble).collect()).await;
        let mut found: Vec<Told> = found.into_iter().flatten().collect();
        let troubles = self.tasks.troubles();
        let essential = troubles.iter().find(|trouble| {
            let is_asked = only.is_none_or(|only| trouble.realm.as_deref() == Some(only));
            trouble.need == Need::Essential && is_asked
        });
        if found.is_empty() {
            let essential = essential?;
            return Some((essential.to_string().into(), essential.to_string()));
        }
        if found.len() == 1 {
            return found.pop();
        }
        let (sentences, causes): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        Some((sentences.join("; ").into(), causes.join("; ")))
    }
}

impl RealmHealth {
    fn has_name(&self, name: &str) -> bool {
        self.realm.as_deref() == Some(name)
    }

    async fn trouble(&self) -> Option<Told> {
        let (sentence, cause) = self.reason().await?;
        Some(match &self.realm {
            None => (sentence, cause),
            Some(realm) => {
                (format!("realm {realm}: {sentence}").into(), format!("realm {realm}: {cause}"))
            }
        })
    }

    async fn reason(&self) -> Option<Told> {
        if let Err(trouble) = self.probe.ask().await {
            return Some((trouble.sentence.into(), trouble.cause));
        }
        if !self.auth.is_feed_current() {
            let sentence = "the feed of revocations is lost";
            return Some((sentence.into(), sentence.to_owned()));
        }
        let error = self.auth.why_keys_are_missing()?;
        let sentence = "the keys behind JWK_URL could not be fetched, and tokens can't be verified";
        Some((sentence.into(), format!("there are no keys to verify with: {error:?}")))
    }
}

/// Runs futures at the same time, and returns what each of them returned.
async fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).map(Some).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (slot, output) in waiting.iter_mut().zip(&mut done) {
            if let Some(future) = slot
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
                *slot = None;
            }
        }
        if waiting.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

type Answer = (StatusCode, [(HeaderName, &'static str); 1], Cow<'static, str>);

/// Returns the two routes.
pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { alive() }))
        .route("/readyz", get(move |uri: Uri| ready(health.clone(), uri)))
}

/// Returns the answer of `/healthz`.
pub(crate) fn alive() -> Response {
    answer(StatusCode::OK, "ok\n").into_response()
}

/// Answers for the whole process, or with `?realm=NAME` for one of its realms.
async fn ready(health: Health, uri: Uri) -> Answer {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    let only = pairs.find_map(|pair| pair.strip_prefix("realm="));
    let only = only.filter(|_| health.realms.iter().any(|one| one.realm.is_some()));
    if only.is_some_and(|only| !health.realms.iter().any(|one| one.has_name(only))) {
        return answer(StatusCode::NOT_FOUND, "there is no such realm\n");
    }
    // Nothing is wrong, but the client should send its requests elsewhere.
    if health.stopping.has_begun() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if let Some((sentence, cause)) = health.trouble(only).await {
        health.told.trouble(&cause);
        return answer(StatusCode::SERVICE_UNAVAILABLE, format!("{sentence}\n"));
    }
    if only.is_none() {
        health.told.none();
    }
    let mut text = "ready\n".to_owned();
    for trouble in health.tasks.troubles() {
        text.push_str(&format!("{trouble}\n"));
    }
    answer(StatusCode::OK, text)
}

fn answer(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Answer {
    (status, [(CACHE_CONTROL, "no-store")], text.into())
}
