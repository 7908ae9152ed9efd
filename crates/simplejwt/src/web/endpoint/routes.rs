//! The routes of a router: its paths, and their targets.

use super::issuer::Issuer;
use super::{Base, Endpoint, Protocol, RouterOptions};
use crate::settings::Settings;

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
    /// Returns the routes of a router with these options, whose flows have these settings. No two
    /// have the same path. For framework adapters.
    ///
    /// ```
    /// use simplejwt::Settings;
    /// use simplejwt::web::endpoint::{Endpoint, RouterOptions, Target};
    ///
    /// let routes = RouterOptions::default().routes(&Settings::default());
    /// let refresh = routes.iter().find(|route| route.path == "/api/token/refresh/").unwrap();
    /// assert_eq!(refresh.target, Target::Endpoint(Endpoint::TokenRefresh));
    /// ```
    pub fn routes(&self, settings: &Settings) -> Vec<Route> {
        let (root, prefix) = (self.normal_root(), self.normal_prefix());
        let demo = format!("{root}api/");
        let mut routes: Vec<Route> = Vec::new();
        for &endpoint in Endpoint::ALL {
            let spec = endpoint.spec();
            let base = match spec.base {
                Base::Prefix => prefix.as_str(),
                Base::Demo if self.demo => demo.as_str(),
                Base::Root if self.well_known => root.as_str(),
                Base::Demo | Base::Root => continue,
            };
            if spec.protocol == Protocol::OAuth && self.clients.is_empty() {
                continue;
            }
            let path = format!("{base}{}", spec.path);
            let path = match endpoint {
                Endpoint::ServerMetadata => {
                    let issuer = settings.issuer.as_deref().and_then(Issuer::parse);
                    let Some(issuer) = issuer else { continue };
                    let target = Target::Endpoint(endpoint);
                    if root != "/" && !routes.iter().any(|route| route.path == path) {
                        routes.push(Route { path, with_subpaths: false, target });
                    }
                    issuer.metadata_path()
                }
                _ => path,
            };
            // A strange prefix can be the path of a document.
            if routes.iter().any(|route| route.path == path) {
                continue;
            }
            let without_slash = path.trim_end_matches('/').to_owned();
            let target = Target::Endpoint(endpoint);
            let of_bare_path = match spec.protocol {
                Protocol::Rest => self.append_slash.then_some(Target::RedirectToSlash),
                // A gateway treats a redirect as a failure, and OAuth's clients follow it with a
                // GET.
                Protocol::Gateway | Protocol::OAuth => Some(target),
                Protocol::Document => None,
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
        options.routes(&Settings::default()).into_iter().map(|route| route.path).collect()
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
        assert_eq!(bare, ["/api/token/authenticate", "/.well-known/jwks.json"]);

        let client = OAuthClient::new("a", &"s".repeat(OAuthClient::SHORTEST_SECRET)).unwrap();
        let clients = OAuthClients::new([client]).unwrap();
        let more = RouterOptions { demo: true, clients, ..options };
        let more = paths(&more);
        for path in ["/api/protected/", "/api/protected-stateless", "/api/token/revoke"] {
            assert!(more.iter().any(|other| other == path), "{path}");
        }
    }

    #[test]
    fn metadata_are_where_the_issuer_says_and_documents_only_once() {
        let of = |options: &RouterOptions, issuer: &str| {
            let issuer = Some(issuer.to_owned()).filter(|issuer| !issuer.is_empty());
            let routes = options.routes(&Settings { issuer, ..Settings::default() });
            let is_document = |route: &Route| route.path.starts_with("/.well-known/");
            let paths = routes.into_iter().filter(is_document).map(|route| route.path);
            paths.collect::<Vec<_>>()
        };
        let jwks = "/.well-known/jwks.json";
        let options = RouterOptions::default();
        assert_eq!(of(&options, ""), [jwks]);
        assert_eq!(of(&options, "our-issuer"), [jwks]);
        let metadata = "/.well-known/oauth-authorization-server/a";
        assert_eq!(of(&options, "https://a.example/a/"), [jwks, metadata]);
        let without = RouterOptions { well_known: false, ..RouterOptions::default() };
        assert!(of(&without, "https://a.example").is_empty());
        for prefix in ["/.well-known/jwks.json/", "/.well-known/oauth-authorization-server"] {
            let options = RouterOptions { prefix: prefix.into(), ..RouterOptions::default() };
            let mut paths = of(&options, "https://a.example");
            paths.sort_unstable();
            let count = paths.len();
            paths.dedup();
            assert_eq!(paths.len(), count, "{paths:?}");
        }
    }

    #[test]
    fn a_root_path_is_before_all_but_the_metadata_of_the_host() {
        let issuer = Some("https://a.example/acme".to_owned());
        let settings = Settings { issuer, ..Settings::default() };
        for root_path in ["/acme", "acme/", "/acme/"] {
            let root_path = root_path.to_owned();
            let options = RouterOptions { root_path, demo: true, ..RouterOptions::default() };
            let routes = options.routes(&settings);
            let has = |path: &str| routes.iter().any(|route| route.path == path);
            for path in [
                "/acme/api/token/",
                "/acme/api/token",
                "/acme/api/token/authenticate",
                "/acme/api/protected/",
                "/acme/.well-known/jwks.json",
                "/acme/.well-known/oauth-authorization-server",
                "/.well-known/oauth-authorization-server/acme",
            ] {
                assert!(has(path), "{path}");
            }
            let outside = routes.iter().filter(|route| !route.path.starts_with("/acme/"));
            assert_eq!(outside.count(), 1);
        }
        let root_path = "/.well-known/oauth-authorization-server".to_owned();
        let options = RouterOptions { root_path, prefix: "/".into(), ..RouterOptions::default() };
        let mut paths = paths(&options);
        let count = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), count, "{paths:?}");
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
