//! `/healthz`: the process answers. `/readyz`: the database does what a login needs, there are keys
//! to verify with, the feed of revocations is up to date, and the tasks behind this are running.

mod probe;
mod told;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::CACHE_CONTROL;
use http::{HeaderName, StatusCode};
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
    pub(crate) auth: Auth,
    pub(crate) probe: Probe,
    pub(crate) tasks: Supervisor,
    pub(crate) stopping: Stopping,
    told: ReadinessLog,
}

impl Health {
    pub(crate) fn new(auth: Auth, probe: Probe, tasks: Supervisor) -> Self {
        Self { auth, probe, tasks, stopping: Stopping::default(), told: ReadinessLog::default() }
    }

    /// Returns the reason why the server isn't ready, for the client.
    pub(crate) async fn state(&self) -> Option<Cow<'static, str>> {
        self.trouble().await.map(|(sentence, _)| sentence)
    }

    /// Returns the reason why the server isn't ready: for the client, and for the log.
    async fn trouble(&self) -> Option<(Cow<'static, str>, String)> {
        if let Err(trouble) = self.probe.ask().await {
            return Some((trouble.sentence.into(), trouble.cause));
        }
        if !self.auth.is_feed_current() {
            let sentence = "the feed of revocations is lost";
            return Some((sentence.into(), sentence.to_owned()));
        }
        if let Some(error) = self.auth.why_keys_are_missing() {
            let sentence =
                "the keys behind JWK_URL could not be fetched, and tokens can't be verified";
            return Some((sentence.into(), format!("there are no keys to verify with: {error:?}")));
        }
        let troubles = self.tasks.troubles();
        let essential = troubles.iter().find(|trouble| trouble.need == Need::Essential)?;
        Some((essential.to_string().into(), essential.to_string()))
    }
}

type Answer = (StatusCode, [(HeaderName, &'static str); 1], Cow<'static, str>);

/// Returns the two routes.
pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { alive() }))
        .route("/readyz", get(move || ready(health.clone())))
}

/// Returns the answer of `/healthz`.
pub(crate) fn alive() -> Response {
    answer(StatusCode::OK, "ok\n").into_response()
}

async fn ready(health: Health) -> Answer {
    // Nothing is wrong, but the client should send its requests elsewhere.
    if health.stopping.has_begun() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if let Some((sentence, cause)) = health.trouble().await {
        health.told.trouble(&cause);
        return answer(StatusCode::SERVICE_UNAVAILABLE, format!("{sentence}\n"));
    }
    health.told.none();
    let mut text = "ready\n".to_owned();
    for trouble in health.tasks.troubles() {
        text.push_str(&format!("{trouble}\n"));
    }
    answer(StatusCode::OK, text)
}

fn answer(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Answer {
    (status, [(CACHE_CONTROL, "no-store")], text.into())
}
