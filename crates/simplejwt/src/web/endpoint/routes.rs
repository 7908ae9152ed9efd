//! The routes of a router: its paths, and their targets.

use super::{Base, Endpoint, Protocol, RouterOptions};

/// One path of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The path, with the names of its parameters in braces.
    pub path: String,
    /// `true` if the route includes all paths below it.
    pub with_subpaths: bool,
    /// The target for every method.
    pub target: Target,
}

/// The target of a route. An adapter must support every variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This endpoint.
    Endpoint(Endpoint),
    /// A redirect to the same path with a trailing slash:
    /// [`redirect_to_slash`](crate::web::request::redirect_to_slash).
    RedirectToSlash,
}

impl RouterOptions {
    /// Returns the routes of a router with these options. For framework adapters.
    ///
    /// ```
    /// use simplejwt::web::endpoint::{Endpoint, RouterOptions, Target};
    ///
    /// let routes = RouterOptions::default().routes();
    /// let refresh = routes.iter().find(|route| route.path == "/api/token/refresh/").unwrap();
    /// assert_eq!(refresh.target, Target::Endpoint(Endpoint::TokenRefresh));
    /// ```
    pub fn routes(&self) -> Vec<Route> {
        let prefix = self.normal_prefix();
        let mut routes = Vec::new();
        for &endpoint in Endpoint::ALL {
            let spec = endpoint.spec();
            let base = match spec.base {
                Base::Prefix => prefix.as_str(),
                Base::Demo if self.demo => "/api/",
                Base::Demo => continue,
            };
            if spec.protocol == Protocol::OAuth && self.clients.is_empty() {
                continue;
            }
            let path = format!("{base}{}", spec.path);
            let without_slash = path.trim_end_matches('/').to_owned();
            let target = Target::Endpoint(endpoint);
            let of_bare_path = match spec.protocol {
                Protocol::Rest => self.append_slash.then_some(Target::RedirectToSlash),
                // A gateway treats a redirect as a failure, and OAuth's clients follow it with a
                // GET.
                Protocol::Gateway | Protocol::OAuth => Some(target),
            };
            if let Some(target) = of_bare_path.filter(|_| !without_slash.is_empty()) {
                routes.push(Route { path: without_slash, with_subpaths: false, target });
            }
            // Envoy appends the path of the request that it asks about.
            let with_subpaths = spec.protocol == Protocol::Gateway;
            routes.push(Route { path, with_subpaths, target });
        }
        routes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::endpoint::{OAuthClient, OAuthClients};

    fn paths(options: &RouterOptions) -> Vec<String> {
        options.routes().into_iter().map(|route| route.path).collect()
    }

    #[test]
    fn options_decide_what_is_there() {
        let options = RouterOptions::default();
        let all = paths(&options);
        for path in ["/api/token/", "/api/token", "/api/token/sessions/{id}/"] {
            assert!(all.iter().any(|other| other == path), "{path}");
        }
        assert!(!all.iter().any(|path| path.contains("protected") || path.contains("revoke")));

        let without = RouterOptions { append_slash: false, ..options.clone() };
        let bare: Vec<_> =
            paths(&without).into_iter().filter(|path| !path.ends_with('/')).collect();
        assert_eq!(bare, ["/api/token/authenticate"]);

        let client = OAuthClient::new("a", &"s".repeat(OAuthClient::SHORTEST_SECRET)).unwrap();
        let clients = OAuthClients::new([client]).unwrap();
        let more = RouterOptions { demo: true, clients, ..options };
        let more = paths(&more);
        for path in ["/api/protected/", "/api/protected-stateless", "/api/token/revoke"] {
            assert!(more.iter().any(|other| other == path), "{path}");
        }
    }

    #[test]
    fn a_prefix_has_one_slash_at_either_end() {
        for (prefix, expected) in [("/", "/"), ("", "/"), ("auth", "/auth/"), ("/a/b//", "/a/b/")] {
            let options = RouterOptions { prefix: prefix.into(), ..RouterOptions::default() };
            let routes = paths(&options);
            assert!(routes.contains(&expected.to_owned()), "{prefix:?}: {routes:?}");
            assert!(!routes.iter().any(String::is_empty), "{prefix:?}: {routes:?}");
        }
    }
}
