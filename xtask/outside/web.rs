//! An adapter for a framework.
// dependency: http

use simplejwt::Auth;
use simplejwt::web::endpoint::{self, Endpoint, RouterOptions};

pub async fn answered(auth: &Auth, request: http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
    let (parts, body) = request.into_parts();
    let options = RouterOptions::default();
    let read = async || Ok(body);
    endpoint::respond(auth, Endpoint::TokenObtainPair, &options, &parts, read).await
}
