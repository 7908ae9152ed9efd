//! The endpoints by their paths. A table finds what nearly all requests ask for; the router has the
//! rest: redirects, paths with parameters, encoded characters.

use std::collections::HashMap;

use axum::body::Body;
use http::request::Parts;
use http::{Method, Response};
use simplejwt::Auth;
use simplejwt::web::endpoint::{self, Endpoint, ReadError, RouterOptions, Target};

/// The endpoints that can be answered without the router.
pub(crate) struct Endpoints {
    auth: Auth,
    options: RouterOptions,
    by_path: HashMap<String, Endpoint>,
}

impl Endpoints {
    /// Creates the table of the endpoints that the router with these options has.
    pub(crate) fn new(auth: Auth, options: RouterOptions) -> Self {
        // For other origins, the router has a layer around it.
        let has_origins = !auth.settings().allowed_origins.is_empty();
        let routes = if has_origins { Vec::new() } else { options.routes() };
        let is_plain = |path: &str| !path.contains(['{', '%']);
        let by_path = routes.into_iter().filter_map(|route| match route.target {
            Target::Endpoint(endpoint) if is_plain(&route.path) => Some((route.path, endpoint)),
            Target::Endpoint(_) | Target::RedirectToSlash => None,
        });
        Self { by_path: by_path.collect(), auth, options }
    }

    /// Returns the endpoint that a request is for; `None` if only the router can tell.
    pub(crate) fn find(&self, head: &Parts) -> Option<Endpoint> {
        // To `HEAD`, the router answers without the body.
        if head.method == Method::HEAD {
            return None;
        }
        self.by_path.get(head.uri.path()).copied()
    }

    /// Answers a request.
    pub(crate) async fn answer<F>(
        &self,
        endpoint: Endpoint,
        head: &Parts,
        read_body: impl FnOnce() -> F,
    ) -> Response<Body>
    where
        F: Future<Output = Result<Vec<u8>, ReadError>>,
    {
        let answer = endpoint::respond(&self.auth, endpoint, &self.options, head, read_body);
        answer.await.map(Body::from)
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

    fn found(endpoints: &Endpoints, method: Method, target: &str) -> Option<Endpoint> {
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
            (Method::GET, "/healthz", None),
        ] {
            assert_eq!(found(&here, method.clone(), target), expected, "{method} {target}");
        }
        let allowed_origins = vec!["https://app.example.com".into()];
        let here = endpoints(Settings { allowed_origins, ..Settings::default() });
        assert_eq!(found(&here, Method::POST, "/api/token/verify/"), None);
    }
}
