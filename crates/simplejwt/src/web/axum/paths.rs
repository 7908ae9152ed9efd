//! Normalization of paths: `/api/%74oken/` is `/api/token/` (RFC 3986 section 6.2.2.2).

use std::task::{Context, Poll};

use ::axum::extract::OriginalUri;
use http::{Request, Uri};
use tower_layer::Layer;
use tower_service::Service;

/// Decodes percent-encoded letters, digits and `-._~` in a request's path, before a whole router.
/// Other encoded characters are kept: `%2F` isn't a slash.
///
/// axum compares its routes with the path as sent, and a router's layers run after routing, so this
/// layer has to wrap the router:
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use simplejwt::web::axum::PlainPathsLayer;
/// use tower_layer::Layer as _;
///
/// let routes = Router::new().route("/a", get(async || "found"));
/// let app: Router = Router::new().fallback_service(PlainPathsLayer.layer(routes));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainPathsLayer;

/// The service that [`PlainPathsLayer`] creates.
#[derive(Clone, Debug)]
pub struct PlainPaths<S>(S);

impl<S> Layer<S> for PlainPathsLayer {
    type Service = PlainPaths<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PlainPaths(inner)
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for PlainPaths<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(plain) = plain(request.uri()) {
            // The endpoints use this if another router is around this one.
            request.extensions_mut().insert(OriginalUri(plain.clone()));
            *request.uri_mut() = plain;
        }
        self.0.call(request)
    }
}

/// Returns the URI with its path normalized; `None` if it already is.
fn plain(uri: &Uri) -> Option<Uri> {
    let path = decoded(uri.path())?;
    let mut parts = uri.clone().into_parts();
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Also returns `None` if a `%` doesn't begin an encoding, since decoding the following characters
/// could make it one.
fn decoded(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut plain = pieces.next()?.to_owned();
    let mut is_changed = false;
    for piece in pieces {
        let (digits, rest) = (piece.get(..2)?, piece.get(2..)?);
        // A sign isn't a hexadecimal digit, but `from_str_radix` accepts one.
        let digits = Some(digits).filter(|digits| !digits.starts_with('+'))?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            plain.push(char::from(byte));
            plain.push_str(rest);
            is_changed = true;
        } else {
            plain.push('%');
            plain.push_str(piece);
        }
    }
    is_changed.then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_needs_no_encoding_is_decoded_and_nothing_else() {
        for (sent, expected) in [
            ("/api/%74oken/", Some("/api/token/")),
            ("/%61%70%69/token/?a=%74", Some("/api/token/?a=%74")),
            ("/%7E%2d%5F%2e%39", Some("/~-_.9")),
            ("/api/token/", None),
            ("/api%2Ftoken/", None),
            ("/%25%20%C3%A9%3F", None),
            ("/%2574oken", None),
            ("/%+4/%7/%", None),
            ("/%%30a", None),
            ("/%74/%", None),
            ("/%2574%74", Some("/%2574t")),
            ("https://host.example/%74", Some("https://host.example/t")),
        ] {
            let plain = plain(&sent.parse().unwrap()).map(|uri| uri.to_string());
            assert_eq!(plain.as_deref(), expected, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn decoding_twice_changes_nothing(path in "/[%0-9a-fA-F+/x]{0,20}") {
            if let Some(once) = decoded(&path) {
                prop_assert_eq!(super::super::super::form::unquote_path(once.as_bytes()),
                    super::super::super::form::unquote_path(path.as_bytes()));
            }
        }
    }
}
