//! The page `/` for people: what this server is, its endpoints, and whether it is ready. Programs,
//! which don't ask for HTML, get the same answer as for any unknown path.

use std::borrow::Cow;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::header::{REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, Method};
use simplejwt::web::axum::{RouterOptions, not_found};
use simplejwt::web::endpoint::{Endpoint, Target};

use crate::config::Config;
use crate::health::Health;

/// The content security policy: no scripts, nothing from elsewhere, and no frame around the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;\
                     padding:0 1rem;color-scheme:light dark}td{padding:.1rem 1rem .1rem 0;\
                     vertical-align:top}code{font-size:.95em}";

/// Returns the route, unless an endpoint has this path.
pub(crate) fn router(health: Health, config: &Config) -> Router {
    if config.server.prefix.trim_matches('/').is_empty() {
        return Router::new();
    }
    let places = places(config);
    Router::new().route(
        "/",
        any(move |request: Request| {
            let (health, places) = (health.clone(), places.clone());
            async move {
                let reads = matches!(*request.method(), Method::GET | Method::HEAD);
                if reads && takes_html(request.headers()) {
                    page(&places, health.state().await.as_deref())
                } else {
                    not_found().await.into_response()
                }
            }
        }),
    )
}

/// Returns `true` if HTML is explicitly accepted: browsers name it, and programs that accept
/// anything don't.
fn takes_html(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_html = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("text/html"));
            // A weight of zero is a refusal (RFC 9110 section 12.4.2).
            let refused = |part: &str| {
                let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
                weight.is_some_and(|weight| weight.trim().parse() == Ok(0.0))
            };
            is_html && !parts.any(refused)
        })
    })
}

fn page(places: &str, trouble: Option<&str>) -> Response {
    let state = match trouble {
        None => "<strong>ready</strong>".to_owned(),
        Some(trouble) => format!("<strong>not ready</strong>: {}", escaped(trouble)),
    };
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>simplejwt</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>simplejwt</h1>\n\
         <p>This server logs users in and gives programs access and refresh tokens, as \
         djangorestframework-simplejwt does. It speaks JSON; there is nothing to click on but \
         this.</p>\n<p>State: {state} (<a href=\"/readyz\">readyz</a>, \
         <a href=\"/healthz\">healthz</a>)</p>\n<table>\n{places}</table>\n\
         <p>Each is described in <code>docs/http-api.md</code>, and every setting by \
         <code>simplejwt config example</code>.</p>\n</body>\n</html>\n"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (VARY, "Accept"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, text).into_response()
}

/// Returns the rows of the table: the endpoints that exist under these settings.
fn places(config: &Config) -> String {
    let (prefix, settings) = (&config.server.prefix, &config.settings);
    let with_sessions = settings.has_sessions();
    let with_clients = !config.oauth_clients.is_empty();
    let rows = [
        (true, "POST", "", "log in: an access token and a refresh token"),
        (true, "POST", "refresh/", "a new access token for a refresh token"),
        (true, "POST", "verify/", "check whether a token is valid"),
        (settings.token_blacklist, "POST", "blacklist/", "blacklist a refresh token"),
        (with_sessions, "POST", "logout/", "end one session, or all of a user's"),
        (with_sessions, "GET", "sessions/", "list and end your own sessions"),
        (true, "GET", "authenticate/", "for gateways: the user who sends a request"),
        (with_clients, "POST", "introspect/", "for OAuth clients: describe a token"),
        (with_clients, "POST", "revoke/", "for OAuth clients: revoke a token"),
    ];
    let here = rows.iter().filter(|(is_here, ..)| *is_here);
    let mut table: String =
        here.map(|(_, method, path, what)| row(method, &format!("{prefix}{path}"), what)).collect();
    if config.server.demo {
        table.push_str(&row("GET", "/api/protected/", "for trying out a token"));
    }
    table.push_str(&documents(config));
    table
}

/// Returns the rows of the documents at the host's root.
fn documents(config: &Config) -> String {
    let well_known = config.server.well_known;
    let options = RouterOptions { well_known, ..RouterOptions::default() };
    let rows = options.routes(&config.settings).into_iter().filter_map(|route| {
        let Target::Endpoint(endpoint) = route.target else { return None };
        let what = match endpoint {
            Endpoint::Jwks => "the public keys, for whoever checks tokens",
            Endpoint::ServerMetadata => "what programs find out about the issuer",
            _ => return None,
        };
        Some(row("GET", &route.path, what))
    });
    rows.collect()
}

fn row(method: &str, path: &str, what: &str) -> String {
    format!("<tr><td><code>{method} {}</code></td><td>{what}</td></tr>\n", escaped(path))
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;").into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn browsers_ask_for_html_and_programs_do_not() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, TEXT/HTML ; q=0.1", true),
            ("text/html;level=1;q=0.5", true),
            ("text/html;q=0", false),
            ("text/html; Q=0.000", false),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
            ("text/htmlx", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(takes_html(&headers), expected, "{accept}");
        }
        assert!(!takes_html(&HeaderMap::new()));
    }

    #[test]
    fn the_table_has_what_there_is() {
        let mut config = Config::default();
        config.server.prefix = "/a&<b>/".into();
        let table = places(&config);
        assert!(table.contains("POST /a&amp;&lt;b&gt;/verify/"), "{table}");
        assert!(table.contains("GET /.well-known/jwks.json"), "{table}");
        let metadata = "/.well-known/oauth-authorization-server/a";
        for missing in ["blacklist/", "sessions/", "introspect/", "/api/protected/", metadata] {
            assert!(!table.contains(missing), "{missing} in {table}");
        }
        config.settings.token_blacklist = true;
        config.server.demo = true;
        config.settings.issuer = Some("https://a.example/a".into());
        let table = places(&config);
        for there in ["blacklist/", "/api/protected/", metadata] {
            assert!(table.contains(there), "{there} in {table}");
        }
        config.server.well_known = false;
        assert!(!places(&config).contains(".well-known"));
    }

    #[tokio::test]
    async fn what_is_in_the_way_is_text() {
        let page = page("", Some("no \"<script>\" & 'more'"));
        assert_eq!(page.headers()[VARY], "Accept");
        let body = axum::body::to_bytes(page.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let said = "not ready</strong>: no &quot;&lt;script&gt;&quot; &amp; &#39;more&#39;";
        assert!(text.contains(said), "{text}");
    }
}
