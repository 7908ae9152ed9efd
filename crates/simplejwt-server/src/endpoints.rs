//! The endpoints and `/healthz` by their paths. A table finds what nearly all requests ask for; the
//! router has the rest: redirects, paths with parameters, encoded characters.

use std::collections::HashMap;

use axum::body::Body;
use http::request::Parts;
use http::{Method, Response};
use simplejwt::Auth;
use simplejwt::web::endpoint::{self, Endpoint, ReadError, RouterOptions, Target};

use crate::health;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Endpoint(Endpoint),
    /// `/healthz`.
    Alive,
}

/// The endpoints that can be answered without the router.
pub(crate) struct Endpoints {
    auth: Auth,
    options: RouterOptions,
    by_path: HashMap<String, Found>,
}

impl Endpoints {
    /// Creates the table of the endpoints that the router with these options has.
    pub(crate) fn new(auth: Auth, options: RouterOptions) -> Self {
        // For other origins, the router has a layer around it.
        let has_origins = !auth.settings().allowed_origins.is_empty();
        let routes = if has_origins { Vec::new() } else { options.routes(auth.settings()) };
        let is_plain = |path: &str| !path.contains(['{', '%']);
        let by_path = routes.into_iter().filter_map(|route| match route.target {
            Target::Endpoint(endpoint) if is_plain(&route.path) => {
                Some((route.path, Found::Endpoint(endpoint)))
            }
            Target::Endpoint(_) | Target::RedirectToSlash => None,
        });
        let mut by_path: HashMap<_, _> = by_path.collect();
        if !has_origins {
            by_path.insert("/healthz".to_owned(), Found::Alive);
        }
        Self { by_path, auth, options }
    }

    /// Returns what a request is for; `None` if only the router can tell.
    pub(crate) fn find(&self, head: &Parts) -> Option<Found> {
        // To `HEAD`, the router answers without the body.
        if head.method == Method::HEAD {
            return None;
        }
        let found = self.by_path.get(head.uri.path()).copied()?;
        // The router refuses the other methods.
        (found != Found::Alive || head.method == Method::GET).then_some(found)
    }

    /// Answers a request.
    pub(crate) async fn answer<F>(
        &self,
        found: Found,
        head: &Parts,
        read_body: impl FnOnce() -> F,
    ) -> Response<Body>
    where
        F: Future<Output = Result<Vec<u8>, ReadError>>,
    {
        let endpoint = match found {
            Found::Endpoint(endpoint) => endpoint,
            Found::Alive => return health::alive(),
        };
        // By itself on the heap, so that other requests, and the memory that is moved, are small.
        let answer = endpoint::respond(&self.auth, endpoint, &self.options, head, read_body);
        Box::pin(answer).await.map(Body::from)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use simplejwt::{Settings, Tokens};

    use super::*;

    fn endpoints(settings: Settings) -> Endpoints {
        let signing_key = Some("a secret of at least thirty-two bytes".into());
        let tokens = Tokens::new(Settings { signing_key, ..settings }).unwrap();
        Endpoints::new(Auth::new(tokens), RouterOptions::default())
    }

    fn found(endpoints: &Endpoints, method: Method, target: &str) -> Option<Found> {
        let request = Request::builder().method(method).uri(target).body(()).unwrap();
        endpoints.find(&request.into_parts().0)
    }

    #[test]
    fn whole_paths_are_found_and_the_rest_is_the_routers() {
        let here = endpoints(Settings::default());
        for (method, target, expected) in [
            (Method::POST, "/api/token/verify/", Some(Endpoint::TokenVerify)),
            (Method::DELETE, "/api/token/verify/?format=json", Some(Endpoint::TokenVerify)),
            (Method::GET, "/api/token/authenticate", Some(Endpoint::Authenticate)),
            (Method::HEAD, "/api/token/sessions/", None),
            (Method::POST, "/api/token/verify", None),
            (Method::POST, "/api/token/%76erify/", None),
            (Method::GET, "/api/token/authenticate/x", None),
            (Method::DELETE, "/api/token/sessions/1/", None),
            (Method::GET, "/api/protected/", None),
            (Method::POST, "/healthz", None),
            (Method::HEAD, "/healthz", None),
            (Method::GET, "/healthz/", None),
            (Method::GET, "/readyz", None),
        ] {
            let expected = expected.map(Found::Endpoint);
            assert_eq!(found(&here, method.clone(), target), expected, "{method} {target}");
        }
        assert_eq!(found(&here, Method::GET, "/healthz?a"), Some(Found::Alive));
        let allowed_origins = vec!["https://app.example.com".into()];
        let here = endpoints(Settings { allowed_origins, ..Settings::default() });
        assert_eq!(found(&here, Method::POST, "/api/token/verify/"), None);
        assert_eq!(found(&here, Method::GET, "/healthz"), None);
    }
}
