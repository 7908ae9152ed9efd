//! What a request costs without an account: time in proportion to its bytes, and memory too, at
//! every endpoint, whatever it is filled with.
//!
//! Time is the processor's for this thread, and compared with itself: sixteen requests of a length
//! against one that is sixteen times as long. What grows with the square takes sixteen times as
//! long for the latter.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod allocations;
mod requests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use allocation_counter::measure;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use requests::{BODIES, ENDPOINTS, HEADERS, ask, auth, head, options, value};
use rustix::time::{ClockId, clock_gettime};
use simplejwt::web::endpoint::Endpoint;
use simplejwt::{Access, Auth, Refresh, Settings, Tokens};

const SHORT: usize = 8 * 1024;
const TIMES: usize = 16;
/// As far as two runs of the same work may differ, and far below [`TIMES`].
const SLACK: f64 = 4.0;

/// Time is compared, which others would take.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn spent(work: impl FnOnce()) -> f64 {
    let start = processor_time();
    work();
    (processor_time() - start).as_secs_f64()
}

/// `work` with a request of so many bytes takes time in proportion to them.
fn assert_linear(what: &str, short: usize, mut work: impl FnMut(usize)) {
    // The least of a few: what else the machine does only adds.
    let mut least = |bytes: usize, times: usize| {
        let tries = (0..3).map(|_| spent(|| (0..times).for_each(|_| work(bytes))));
        tries.fold(f64::INFINITY, f64::min)
    };
    let (many, one) = (least(short, TIMES), least(short * TIMES, 1));
    assert!(one < many * SLACK, "{what}: {TIMES} short ones {many} s, one long one {one} s");
}

#[test]
fn bodies_take_time_in_proportion_to_their_bytes() {
    let _alone = alone();
    let (runtime, auth, options) = (runtime(), auth(), options());
    for form in &BODIES {
        let head = form.head();
        let (short, long) = (form.body(SHORT), form.body(SHORT * TIMES));
        assert!((SHORT - 200..=SHORT + 100).contains(&short.len()), "{}", form.name);
        for endpoint in [Endpoint::TokenRefresh, Endpoint::Introspect] {
            assert_linear(&format!("{} at {endpoint:?}", form.name), SHORT, |bytes| {
                let body = if bytes == SHORT { short.clone() } else { long.clone() };
                let status = ask(&runtime, (&auth, &options), endpoint, &head, body);
                assert_ne!(status, 500, "{}", form.name);
            });
        }
    }
}

#[test]
fn bodies_hold_memory_in_proportion_to_their_bytes() {
    let _alone = alone();
    let (runtime, auth, options) = (runtime(), auth(), options());
    let body_limit = 64 * 1024;
    for form in &BODIES {
        let head = form.head();
        for endpoint in ENDPOINTS {
            let body = form.body(body_limit);
            let work = || ask(&runtime, (&auth, &options), endpoint, &head, body);
            let held = measure(|| _ = work()).bytes_max;
            assert!(held < 6 * body_limit as u64, "{} at {endpoint:?}: {held} bytes", form.name);
        }
    }
}

#[test]
fn headers_take_time_in_proportion_to_their_bytes() {
    let _alone = alone();
    let (runtime, auth, options) = (runtime(), auth(), options());
    for (name, begin, part) in &HEADERS {
        for endpoint in [Endpoint::TokenRefresh, Endpoint::Authenticate, Endpoint::Introspect] {
            assert_linear(&format!("{name}: {begin}{part} at {endpoint:?}"), SHORT, |bytes| {
                let mut head = head();
                head.headers.insert(name, value(begin, part, bytes));
                ask(&runtime, (&auth, &options), endpoint, &head, b"{}".to_vec());
            });
        }
    }
    for query in ["format=&", "%66ormat=json&"] {
        assert_linear(query, SHORT, |bytes| {
            let mut head = head();
            // As long as a URI may be in the crate http is less than the long one here.
            let query = query.repeat(bytes / 8 / query.len());
            head.uri = format!("/api/token/?{query}").parse().unwrap();
            ask(&runtime, (&auth, &options), Endpoint::TokenRefresh, &head, b"{}".to_vec());
        });
    }
}

/// Who signs can be somebody else, and the header is read before the signature.
#[test]
fn tokens_take_time_in_proportion_to_their_bytes() {
    let _alone = alone();
    let settings = Settings {
        signing_key: Some("a secret of at least thirty-two bytes".into()),
        ..Settings::default()
    };
    let tokens = Tokens::new(settings).unwrap();
    let short = 700;
    let token = |bytes: usize| {
        let token = tokens.issue_with::<Access>("1", |claims| {
            for i in 0..bytes / 8 {
                claims.set(&format!("{i:x}"), 0).unwrap();
            }
        });
        tokens.encode(&token).unwrap()
    };
    let (small, large) = (token(short), token(short * TIMES));
    assert_linear("claims", short, |bytes| {
        for _ in 0..20 {
            tokens.decode::<Access>(if bytes == short { &small } else { &large }).unwrap();
        }
    });
    let header = |bytes: usize| {
        let members: String = (0..bytes / 8).map(|i| format!(",\"{i:x}\":0")).collect();
        let header = format!("{{\"alg\":\"HS256\"{members}}}");
        format!("{}.e30.e30", base64_simd::URL_SAFE_NO_PAD.encode_to_string(header))
    };
    let (small, large) = (header(short), header(short * TIMES));
    assert_linear("header", short, |bytes| {
        for _ in 0..20 {
            assert!(
                tokens.decode::<Refresh>(if bytes == short { &small } else { &large }).is_err()
            );
        }
    });
}

/// A body that isn't asked for.
async fn unread() -> Result<Vec<u8>, simplejwt::web::endpoint::ReadError> {
    panic!("the body was read")
}

/// Whoever is refused by the head, and what needs no body, doesn't make a body be read.
#[test]
fn what_the_head_decides_reads_no_body() {
    let _alone = alone();
    let (runtime, auth, options) = (runtime(), auth(), options());
    let status = |auth: &Auth, endpoint, change: &dyn Fn(&mut http::request::Parts)| {
        let mut head = head();
        change(&mut head);
        let answer = simplejwt::web::endpoint::respond(auth, endpoint, &options, &head, unread);
        runtime.block_on(answer).status().as_u16()
    };
    let token = auth.tokens().encode(&auth.tokens().issue::<Access>("1")).unwrap();
    let with = |name: http::HeaderName, value: &str| {
        let value = HeaderValue::try_from(value).unwrap();
        move |head: &mut http::request::Parts| {
            drop(head.headers.insert(name.clone(), value.clone()))
        }
    };
    assert_eq!(status(&auth, Endpoint::Authenticate, &|_| {}), 401);
    // Without users there is nobody to ask: a fault, found without the body.
    let bearer = with(AUTHORIZATION, &format!("Bearer {token}"));
    assert_eq!(status(&auth, Endpoint::Authenticate, &bearer), 500);
    for endpoint in [Endpoint::Revoke, Endpoint::Introspect] {
        assert_eq!(status(&auth, endpoint, &with(AUTHORIZATION, "Basic eDp5")), 401);
        assert_eq!(status(&auth, endpoint, &with(AUTHORIZATION, "Bearer x")), 401);
        assert_eq!(status(&auth, endpoint, &with(CONTENT_TYPE, "application/json")), 400);
        assert_eq!(status(&auth, endpoint, &|head| head.method = http::Method::GET), 405);
    }
    for endpoint in ENDPOINTS.into_iter().take(7) {
        let media_type = with(http::header::ACCEPT, "image/png");
        assert_eq!(status(&auth, endpoint, &media_type), 406, "{endpoint:?}");
        assert_eq!(status(&auth, endpoint, &|head| head.method = http::Method::PUT), 405);
        let foreign = with(http::header::ORIGIN, "https://evil.example");
        assert_eq!(status(&auth, endpoint, &foreign), 403, "{endpoint:?}");
        let twice = |head: &mut http::request::Parts| {
            for value in ["a.example", "b.example"] {
                head.headers.append(http::header::HOST, HeaderValue::from_static(value));
            }
        };
        assert_eq!(status(&auth, endpoint, &twice), 400, "{endpoint:?}");
    }
    assert_eq!(status(&auth, Endpoint::Protected, &|_| {}), 401);
    assert_eq!(status(&auth, Endpoint::Sessions, &|_| {}), 405);
}
