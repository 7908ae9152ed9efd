//! `/healthz`: the process answers. `/readyz`: the database does, too.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use http::header::CACHE_CONTROL;
use http::{HeaderName, StatusCode};
use simplejwt::{StoreError, TokenStore, UserId, UserStore};

/// Whether requests can be answered just now.
#[async_trait]
pub(crate) trait Ready: fmt::Debug + Send + Sync + 'static {
    async fn ready(&self) -> Result<(), StoreError>;
}

/// With a blacklist: it can be written.
#[derive(Debug)]
pub(crate) struct Tokens<T>(pub(crate) T);

#[async_trait]
impl<T: TokenStore> Ready for Tokens<T> {
    async fn ready(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

/// Without one: users can be looked up.
#[derive(Debug)]
pub(crate) struct Users<U>(pub(crate) U);

#[async_trait]
impl<U: UserStore> Ready for Users<U> {
    async fn ready(&self) -> Result<(), StoreError> {
        self.0.find(&UserId::from("0")).await.map(drop)
    }
}

type Answer = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

/// The two routes.
pub(crate) fn router(database: Arc<dyn Ready>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { answer(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(move || ready(Arc::clone(&database))))
}

async fn ready(database: Arc<dyn Ready>) -> Answer {
    match database.ready().await {
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
