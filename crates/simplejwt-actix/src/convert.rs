//! Conversion between two versions of the crate `http`: actix-web uses 0.2, the library 1. The only
//! file that names both.

use actix_web::http::header::{
    HeaderMap as ActixHeaders, HeaderName as ActixName, HeaderValue as ActixValue,
};
use actix_web::http::{Method as ActixMethod, StatusCode as ActixStatus, Uri as ActixUri};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use simplejwt::web::client::ClientAddress;

/// Returns a request without its body. The client is the one that the application put into the
/// request's extensions as [`ClientAddress`], or else the other end of the connection.
pub(crate) fn parts(request: &HttpRequest) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method(request.method());
    parts.uri = uri(request.uri());
    parts.headers = headers(request);
    let stated = request.extensions().get::<ClientAddress>().copied();
    let peer = || request.peer_addr().map(|peer| ClientAddress(peer.ip().to_canonical()));
    if let Some(address) = stated.or_else(peer) {
        parts.extensions.insert(address);
    }
    parts
}

pub(crate) fn method(method: &ActixMethod) -> Method {
    // Both versions accept the same methods: RFC 9110's tokens.
    Method::from_bytes(method.as_str().as_bytes()).unwrap_or_default()
}

/// The syntax is the same in both.
pub(crate) fn uri(uri: &ActixUri) -> Uri {
    uri.to_string().parse().unwrap_or_default()
}

/// Returns a request's headers, keeping the order of repeated ones.
fn headers(request: &HttpRequest) -> HeaderMap {
    let sent = request.headers();
    let mut headers = HeaderMap::with_capacity(sent.len());
    for (name, value) in sent {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

/// Converts one of the library's answers to actix-web's type.
pub(crate) fn response(response: http::Response<Vec<u8>>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    let mut builder = HttpResponse::build(status(parts.status));
    for (name, value) in &parts.headers {
        builder.append_header((name.as_str(), value.as_bytes()));
    }
    builder.body(body)
}

/// Adds headers to an actix-web answer.
pub(crate) fn append(headers: &HeaderMap, answer: &mut ActixHeaders) {
    for (name, value) in headers {
        let name = ActixName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, ActixValue::from_bytes(value.as_bytes())) {
            answer.append(name, value);
        }
    }
}

pub(crate) fn status(status: http::StatusCode) -> ActixStatus {
    // Both versions accept 100 to 999.
    ActixStatus::from_u16(status.as_u16()).unwrap_or(ActixStatus::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_request_keeps_method_target_and_headers() {
        let request = TestRequest::default()
            .method(ActixMethod::from_bytes(b"BREW").unwrap())
            .uri("/a%20b/?c=%C3%A9&d")
            .append_header(("X-Twice", "one"))
            .append_header(("x-twice", "two"))
            .append_header(("x-bytes", b"\xff".as_slice()))
            .to_http_request();
        let parts = parts(&request);
        assert_eq!(parts.method.as_str(), "BREW");
        assert_eq!(parts.uri.to_string(), "/a%20b/?c=%C3%A9&d");
        assert_eq!(parts.headers.get_all("x-twice").iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(parts.headers["x-bytes"].as_bytes(), b"\xff");
    }

    #[test]
    fn an_answer_keeps_status_headers_and_body() {
        let mut sent = http::Response::new(b"body".to_vec());
        *sent.status_mut() = http::StatusCode::IM_A_TEAPOT;
        sent.headers_mut().append("x-twice", HeaderValue::from_static("one"));
        sent.headers_mut().append("x-twice", HeaderValue::from_static("two"));
        let answer = response(sent);
        assert_eq!(answer.status().as_u16(), 418);
        assert_eq!(answer.headers().get_all("x-twice").count(), 2);
        let body = actix_web::body::MessageBody::try_into_bytes(answer.into_body()).unwrap();
        assert_eq!(body.as_ref(), b"body");
    }

    #[test]
    fn the_client_is_whom_the_application_names_or_else_the_connections_other_end() {
        let peer = "[::ffff:192.0.2.1]:4000".parse().unwrap();
        let request = TestRequest::default().peer_addr(peer).to_http_request();
        let address = |request| parts(request).extensions.get::<ClientAddress>().copied();
        assert_eq!(address(&request), Some(ClientAddress([192, 0, 2, 1].into())));
        let stated = ClientAddress([198, 51, 100, 7].into());
        request.extensions_mut().insert(stated);
        assert_eq!(address(&request), Some(stated));
    }
}
