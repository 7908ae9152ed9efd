#![doc = include_str!("../README.md")]

mod convert;
mod cors;
mod endpoints;
mod extract;
mod middleware;
mod rejection;

pub use cors::{AllowedOrigins, AllowedOriginsService};
pub use endpoints::{configure, not_found, route};
pub use extract::{AccessToken, CurrentUser, OptionalToken, OptionalUser};
pub use middleware::{RequireAuth, RequireAuthService};
pub use rejection::Rejection;
#[doc(inline)]
pub use simplejwt::web::endpoint::RouterOptions;
