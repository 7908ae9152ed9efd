//! Any service of tower's, behind the layer.
// dependency: tower-layer

use simplejwt::Auth;
use simplejwt::web::layer::{RequireAuth, RequireAuthLayer};
use tower_layer::Layer;

pub fn protected<S>(auth: Auth, service: S) -> RequireAuth<S> {
    RequireAuthLayer::new(auth).layer(service)
}
