//! `/healthz`: the process answers. `/readyz`: the database does, too, there are keys to verify
//! with, the feed of revocations comes in, and the tasks that this needs are running.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::header::CACHE_CONTROL;
use http::{HeaderName, StatusCode};
use simplejwt::{Auth, SessionStore, StoreError, UserId, UserStore};

use crate::failure::chain;
use crate::supervisor::{self, Need, Supervisor};

/// What has to work for requests to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) auth: Auth,
    pub(crate) users: Arc<dyn UserStore>,
    /// Where there is a blacklist.
    pub(crate) store: Option<Arc<dyn SessionStore>>,
    pub(crate) tasks: Supervisor,
}

impl Health {
    async fn database(&self) -> Result<(), StoreError> {
        match &self.store {
            // It can be written.
            Some(store) => store.ping().await,
            None => self.users.find(&UserId::from("0")).await.map(drop),
        }
    }
}

type Answer = (StatusCode, [(HeaderName, &'static str); 1], Cow<'static, str>);

/// The two routes.
pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { answer(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(move || ready(health.clone())))
}

async fn ready(health: Health) -> Answer {
    let database = supervisor::caught(health.database()).await;
    let database = database.map_err(|_| "a panic".to_owned());
    if let Err(error) = database.and_then(|done| done.map_err(|error| chain(&error))) {
        tracing::warn!(error, "not ready");
        return answer(StatusCode::SERVICE_UNAVAILABLE, "the database can't be used\n");
    }
    if !health.auth.is_feed_current() {
        tracing::warn!("not ready: the feed of revocations is lost");
        return answer(StatusCode::SERVICE_UNAVAILABLE, "the feed of revocations is lost\n");
    }
    if let Some(error) = health.auth.why_keys_are_missing() {
        tracing::warn!(?error, "not ready: there are no keys to verify tokens with");
        return answer(
            StatusCode::SERVICE_UNAVAILABLE,
            "the keys behind JWK_URL could not be fetched, and tokens can't be verified\n",
        );
    }
    let troubles = health.tasks.troubles();
    if let Some(trouble) = troubles.iter().find(|trouble| trouble.need == Need::Essential) {
        tracing::warn!("not ready: {trouble}");
        return answer(StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n"));
    }
    let mut text = "ready\n".to_owned();
    for trouble in troubles {
        text.push_str(&format!("{trouble}\n"));
    }
    answer(StatusCode::OK, text)
}

fn answer(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Answer {
    (status, [(CACHE_CONTROL, "no-store")], text.into())
}
