//! `/healthz`: the process answers. `/readyz`: the database does, too.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::header::CACHE_CONTROL;
use http::{HeaderName, StatusCode};
use simplejwt::TokenStore;

type Answer = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

/// The two routes.
pub(crate) fn router(store: Arc<dyn TokenStore>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { answer(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(move || ready(Arc::clone(&store))))
}

async fn ready(store: Arc<dyn TokenStore>) -> Answer {
    match store.ping().await {
        Ok(()) => answer(StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(error = %crate::failure::chain(&error), "not ready");
            answer(StatusCode::SERVICE_UNAVAILABLE, "the database can't be used\n")
        }
    }
}

const fn answer(status: StatusCode, text: &'static str) -> Answer {
    (status, [(CACHE_CONTROL, "no-store")], text)
}
