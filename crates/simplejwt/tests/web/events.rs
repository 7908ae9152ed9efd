//! What events know of the request that they come of.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use simplejwt::EventRecord;
use simplejwt::web::axum::router;
use simplejwt::web::client::ClientAddress;
use simplejwt::web::request_id::RequestId;
use tower::ServiceExt as _;

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn an_event_names_the_request_and_its_client() {
    let world = World::new(|_| ());
    let told = Arc::new(Mutex::new(Vec::<EventRecord>::new()));
    let kept = Arc::clone(&told);
    let auth = world.auth.clone().on_event(move |record| kept.lock().unwrap().push(record.clone()));
    for id in [None, Some("7f3c-22")] {
        let body = format!(r#"{{"username":"test_user","password":"{PASSWORD}"}}"#);
        let mut request = Request::post("/api/token/")
            .header("content-type", "application/json")
            .header("user-agent", "browser")
            // Only what whoever accepts the request has made of it counts.
            .header("x-request-id", "7f3c-22")
            .body(Body::from(body))
            .unwrap();
        request.extensions_mut().insert(ClientAddress("192.0.2.7".parse().unwrap()));
        if id.is_some() {
            let id = RequestId::of(request.headers());
            request.extensions_mut().insert(id);
        }
        let response = router(auth.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let record = told.lock().unwrap().pop().unwrap();
        assert_eq!(record.request_id.as_deref(), id);
        assert_eq!(record.client.address.as_deref(), Some("192.0.2.7"));
        assert_eq!(record.client.user_agent.as_deref(), Some("browser"));
    }
}
