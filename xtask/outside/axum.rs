//! An application of axum's.
// dependency: axum

use axum::Router;
use axum::routing::get;
use simplejwt::web::axum::{CurrentUser, router};
use simplejwt::web::layer::RequireAuthLayer;
use simplejwt::{Access, Auth, Token};

pub fn app(auth: Auth) -> Router {
    Router::new()
        .route("/claims", get(async |token: Token<Access>| token.claims().to_json()))
        .layer(RequireAuthLayer::new(auth.clone()))
        .route("/me", get(async |CurrentUser(user): CurrentUser| user.username))
        .merge(router(auth.clone()))
        .with_state(auth)
}
