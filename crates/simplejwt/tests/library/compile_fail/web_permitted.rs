//! `Permitted<…>` names permissions that their type alone describes, and says so of others.

use simplejwt::Auth;
use simplejwt::web::axum::{HasAuth, Permitted};
use simplejwt::web::layer::RequireAuthLayer;
use simplejwt::web::permission::{HasClaim, HasPermission, IsAdminUser};

async fn by_type(_: Permitted<IsAdminUser>) {}

async fn with_a_value(_: Permitted<HasClaim>) {} //~ E0277 //? `HasClaim` can't be used in `Permitted<…>`

async fn another(_: Permitted<HasPermission>) {} //~ E0277 //? in `RequireAuthLayer::permission`

fn layer(auth: Auth) {
    RequireAuthLayer::new(auth).permission(Mine); //~ E0277 //? `Mine` is not a permission
}

fn extractors<State: HasAuth>() {}

struct Mine;

fn states() {
    extractors::<Auth>();
    extractors::<()>(); //~ E0277 //? the state `()` has no `simplejwt::Auth`
    extractors::<Mine>(); //~ E0277 //? `#[derive(FromRef)]`
}
