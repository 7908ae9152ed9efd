//! `/healthz`: the process answers. `/readyz`: the database does, too, and the feed of
//! revocations comes in.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::header::CACHE_CONTROL;
use http::{HeaderName, StatusCode};
use simplejwt::{Auth, SessionStore, StoreError, UserId, UserStore};

/// What has to work for requests to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) auth: Auth,
    pub(crate) users: Arc<dyn UserStore>,
    /// Where there is a blacklist.
    pub(crate) store: Option<Arc<dyn SessionStore>>,
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

type Answer = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

/// The two routes.
pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { answer(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(move || ready(health.clone())))
}

async fn ready(health: Health) -> Answer {
    if let Err(error) = health.database().await {
        tracing::warn!(error = %crate::failure::chain(&error), "not ready");
        return answer(StatusCode::SERVICE_UNAVAILABLE, "the database can't be used\n");
    }
    if !health.auth.is_feed_current() {
        tracing::warn!("not ready: the feed of revocations is lost");
        return answer(StatusCode::SERVICE_UNAVAILABLE, "the feed of revocations is lost\n");
    }
    answer(StatusCode::OK, "ready\n")
}

const fn answer(status: StatusCode, text: &'static str) -> Answer {
    (status, [(CACHE_CONTROL, "no-store")], text)
}
