//! The parts that answer requests, found by the host and the path of a request.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use simplejwt::web::axum::{PlainPathsLayer, not_found};
use simplejwt::web::cors::AllowedOriginsLayer;
use tower::Layer as _;

use crate::config::{Place, Realm, host_of};
use crate::endpoints::Endpoints;
use crate::health::{self, Health, Stopping};
use crate::limits::json;

/// The parts that answer the requests for a realm.
pub(crate) struct Site {
    /// The name of the realm, if there are several.
    pub(crate) realm: Option<Arc<str>>,
    /// What is found by its whole path.
    pub(crate) endpoints: Option<Endpoints>,
    /// For requests that aren't for one of them.
    pub(crate) router: Router,
    /// The headers for answers that don't come from the router.
    pub(crate) cors: Option<AllowedOriginsLayer>,
}

/// Those of all realms.
pub(crate) struct Sites {
    by_host: HashMap<String, Site>,
    /// The prefixes, none of which is inside another.
    by_prefix: Vec<(String, Site)>,
    /// Paths at the root that belong to a prefix, with its place in the list.
    by_path: HashMap<String, usize>,
    /// For all other requests.
    rest: Site,
    /// The state that `/readyz` reports.
    pub(crate) stopping: Stopping,
}

impl Sites {
    /// Puts sites together, each with the paths that aren't below its prefix.
    pub(crate) fn new<'a>(
        realms: impl Iterator<Item = (&'a Realm, (Site, Vec<String>))>,
        health: Health,
        stopping: Stopping,
    ) -> Self {
        let (mut by_host, mut by_prefix) = (HashMap::new(), Vec::new());
        let (mut by_path, mut rest) = (HashMap::new(), None);
        for (realm, (site, outside)) in realms {
            match realm {
                Realm::Only | Realm::Top | Realm::Common => rest = Some(site),
                Realm::Named { place: Place::Host(host), .. } => {
                    by_host.insert(host.clone(), site);
                }
                Realm::Named { place: Place::Prefix(prefix), .. } => {
                    by_path.extend(outside.into_iter().map(|path| (path, by_prefix.len())));
                    by_prefix.push((prefix.clone(), site));
                }
            }
        }
        let rest = rest.unwrap_or_else(|| nobodys(health, !by_host.is_empty()));
        Self { by_host, by_prefix, by_path, rest, stopping }
    }

    /// Returns those of a process without `[realms]`.
    #[cfg(test)]
    pub(crate) fn of(site: Site) -> Self {
        let (by_host, by_path) = (HashMap::new(), HashMap::new());
        let stopping = Stopping::default();
        Self { by_host, by_prefix: Vec::new(), by_path, rest: site, stopping }
    }

    /// Returns the site for requests that couldn't be read, among others.
    pub(crate) fn rest(&self) -> &Site {
        &self.rest
    }

    /// Returns the site that a request is for: that of its host, or else that of its path. The host
    /// is that of the target or the header `Host`, which have been compared.
    pub(crate) fn find(&self, head: &Parts) -> &Site {
        if !self.by_host.is_empty()
            && let Some(host) = head.headers.get(HOST).and_then(|host| host.to_str().ok())
            && let Some(site) = self.by_host.get(&host_of(host.trim()))
        {
            return site;
        }
        if self.by_prefix.is_empty() {
            return &self.rest;
        }
        let path = head.uri.path();
        if let Some((_, site)) = self.by_path.get(path).and_then(|at| self.by_prefix.get(*at)) {
            return site;
        }
        let found = self.by_prefix.iter().find(|(prefix, _)| is_below(path, prefix));
        found.map_or(&self.rest, |(_, site)| site)
    }
}

impl Site {
    /// Returns an answer that pages of allowed origins may read too.
    pub(crate) fn permitted(
        &self,
        asked: &HeaderMap,
        mut answer: Response<Body>,
    ) -> Response<Body> {
        if let Some(cors) = &self.cors {
            cors.permit(asked, answer.headers_mut());
        }
        answer
    }
}

/// Returns the site for requests that are for no realm: what is the process's own, and a refusal.
/// With realms by host, the request was for another server (RFC 9110 section 15.5.20).
fn nobodys(health: Health, has_hosts: bool) -> Site {
    let router = health::router(health).fallback(move || async move {
        match has_hosts {
            true => json(
                StatusCode::MISDIRECTED_REQUEST,
                r#"{"detail":"This server doesn't know the host.","code":"unknown_host"}"#,
            ),
            false => not_found().await.into_response(),
        }
    });
    let router = Router::new().fallback_service(PlainPathsLayer.layer(router));
    Site { realm: None, endpoints: None, router, cors: None }
}

/// Returns `true` if a path is `prefix` or below it. Letters, digits and `-._~` may be
/// percent-encoded, as the routers take them (RFC 3986 section 6.2.2.2).
fn is_below(path: &str, prefix: &str) -> bool {
    let (mut sent, mut wanted) = (path.as_bytes(), prefix.as_bytes());
    while let Some((byte, rest)) = wanted.split_first() {
        let Some(left) = without(sent, *byte) else { return false };
        (sent, wanted) = (left, rest);
    }
    sent.first().is_none_or(|byte| *byte == b'/')
}

/// Removes a byte, plain or encoded, from the beginning.
fn without(sent: &[u8], byte: u8) -> Option<&[u8]> {
    match sent {
        [first, rest @ ..] if *first == byte => Some(rest),
        [b'%', high, low, rest @ ..] if byte != b'/' => {
            let digits = [*high, *low];
            let digits = std::str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'))?;
            (u8::from_str_radix(digits, 16).ok()? == byte).then_some(rest)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_prefix() {
        for (path, expected) in [
            ("/acme", true),
            ("/acme/", true),
            ("/acme/api/token/", true),
            ("/%61cme/x", true),
            ("/acm%65", true),
            ("/%61%63%6D%6d/x", false),
            ("/%61%63%6D%65/x", true),
            ("/acmes/x", false),
            ("/acm", false),
            ("/acme%2Fx", false),
            ("%2Facme/x", false),
            ("/acm%+65/", false),
            ("/acm%", false),
            ("//acme/", false),
            ("/ACME/", false),
            ("/x/acme/", false),
            ("", false),
            ("*", false),
        ] {
            assert_eq!(is_below(path, "/acme"), expected, "{path}");
        }
    }
}
