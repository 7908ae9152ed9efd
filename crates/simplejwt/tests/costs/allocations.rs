//! How often a request allocates, which costs more than most of what is done with it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method};
use simplejwt::web::endpoint::{self, Endpoint, RouterOptions};
use simplejwt::{Access, Algorithm, Auth, KeySet, Settings, SigningKey, SystemClock, Tokens};

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

/// A key id leads to one key, however many there are, and only that one is tried.
#[test]
fn a_token_with_a_kid_allocates_as_often_with_sixteen_keys_as_with_one() {
    let key = |number: usize| {
        let secret = format!("the secret number {number:02}, which is long enough");
        let key = SigningKey::from_secret(Algorithm::Hs256, secret.as_bytes()).unwrap();
        key.with_kid(&format!("key-{number}"))
    };
    let counted = |keys: usize| {
        let set = (1..keys).map(|number| key(number).verifying_key());
        // The one that signs is the last that verifies.
        let mut verifying: Vec<_> = set.chain([key(0).verifying_key()]).collect();
        let set = KeySet::verify_only(verifying.clone()).unwrap();
        let clock = Arc::new(SystemClock);
        let decoding = Tokens::with(Settings::default(), set, clock.clone()).unwrap();
        let signing = Tokens::with(Settings::default(), KeySet::new(key(0)), clock).unwrap();
        let token = signing.encode(&signing.issue::<Access>("1")).unwrap();
        verifying.pop();
        if let Ok(others) = KeySet::verify_only(verifying) {
            assert!(others.verify_compact(&token).is_err(), "no other key fits");
        }
        decoding.decode::<Access>(&token).unwrap();
        measure(|| assert!(decoding.decode::<Access>(&token).is_ok())).count_total
    };
    assert_eq!([1, 4, 16].map(counted), [counted(1); 3]);
}
