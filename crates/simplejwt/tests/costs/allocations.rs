//! How often a request allocates, which costs more than most of what is done with it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method};
use simplejwt::web::endpoint::{self, Endpoint, RouterOptions};
use simplejwt::{Access, Auth, Settings, Tokens};

use super::requests::head;

fn auth() -> Auth {
    let settings = Settings {
        signing_key: Some("a secret of at least thirty-two bytes".into()),
        ..Settings::default()
    };
    Auth::new(Tokens::new(settings).unwrap())
}

/// The status of the answer, and the number of allocations until it is there.
fn counted(auth: &Auth, endpoint: Endpoint, head: &Parts, body: &str) -> (u16, u64) {
    let options = RouterOptions::default();
    let once = || {
        let body = body.as_bytes().to_vec();
        let mut status = 0;
        let allocated = measure(|| {
            let read = || async { Ok(body) };
            let answer = pin!(endpoint::respond(auth, endpoint, &options, head, read));
            // Nothing here has to be waited for.
            match answer.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => status = answer.status().as_u16(),
                Poll::Pending => panic!("{endpoint:?} waits"),
            }
        });
        (status, allocated.count_total)
    };
    // The first one makes what is made once.
    once();
    once()
}

#[test]
fn a_verification_allocates_twelve_times_at_most() {
    let auth = auth();
    let token = auth.tokens().encode(&auth.tokens().issue::<Access>("1")).unwrap();
    let mut head = head();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(USER_AGENT, HeaderValue::from_static("curl/8.5.0"));
    let body = format!("{{\"token\":\"{token}\"}}");
    let (status, allocations) = counted(&auth, Endpoint::TokenVerify, &head, &body);
    assert_eq!(status, 200);
    assert!(allocations <= 12, "{allocations} allocations");
}

#[test]
fn a_protected_route_allocates_twelve_times_at_most() {
    let auth = auth();
    let token = auth.tokens().encode(&auth.tokens().issue::<Access>("1")).unwrap();
    let mut head = head();
    head.method = Method::GET;
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    head.headers.insert(AUTHORIZATION, value);
    let (status, allocations) = counted(&auth, Endpoint::ProtectedStateless, &head, "");
    assert_eq!(status, 200);
    assert!(allocations <= 12, "{allocations} allocations");
}
