//! `RequireAuthLayer` around a plain hyper service: no framework, and only the feature `tower`.
//!
//! ```sh
//! cargo run -p simplejwt --no-default-features --features tower --example hyper_server
//! ```
//!
//! It prints two `curl` commands: one is answered, the other refused.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use simplejwt::web::layer::RequireAuthLayer;
use simplejwt::{Access, Auth, Settings, Token, Tokens};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let tokens = Tokens::new(Settings {
        // A server that only checks tokens shares this secret with Django, or has its public key.
        signing_key: Some("a secret of at least thirty-two bytes".into()),
        ..Settings::default()
    })?;
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    let token = tokens.encode(&tokens.issue::<Access>("1"))?;
    println!("curl -i -H 'Authorization: Bearer {token}' http://127.0.0.1:8000/");
    println!("curl -i http://127.0.0.1:8000/");
    serve(listener, Auth::new(tokens)).await
}

/// Serves every connection until accepting one fails.
pub async fn serve(listener: TcpListener, auth: Auth) -> Result<(), Box<dyn Error>> {
    let service = ServiceBuilder::new().layer(RequireAuthLayer::new(auth)).service_fn(hello);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("a connection broke off: {error}");
            }
        });
    }
}

/// Runs only for requests with a valid access token, which the layer puts into the extensions.
async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let claims = request.extensions().get::<Token<Access>>().map(|token| token.claims().to_json());
    Ok(Response::new(claims.unwrap_or_default().into()))
}
