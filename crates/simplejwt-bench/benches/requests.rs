//! The cost of the largest possible request without an account: processor time, and memory held
//! besides the body, at the endpoint where each form costs most.
//!
//! Run with `cargo xtask bench`, or `cargo bench -p simplejwt-bench --bench requests`.

#![allow(missing_docs, reason = "a benchmark")]

#[path = "../../simplejwt/tests/costs/requests.rs"]
mod requests;

use std::time::Duration;

use allocation_counter::measure;
use requests::{BODIES, ENDPOINTS, HEADERS, ask, auth, head, options, value};
use simplejwt::web::endpoint::Endpoint;

/// The default of `body_limit`.
const BODY: usize = 64 * 1024;
/// The default of `header_limit`.
const HEADER: usize = 32 * 1024;
const ROUNDS: usize = 51;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

/// Returns the median time and the peak memory of the work, on input made anew for each round.
fn measured<T>(mut make: impl FnMut() -> T, mut work: impl FnMut(T)) -> (Duration, u64) {
    let (mut times, mut held) = (Vec::with_capacity(ROUNDS), 0);
    for _ in 0..ROUNDS {
        let made = make();
        let allocated = measure(|| times.push(timed(|| work(made))));
        held = held.max(allocated.bytes_max);
    }
    times.sort_unstable();
    (times.get(ROUNDS / 2).copied().unwrap_or_default(), held)
}

fn row(name: &str, bytes: usize, endpoint: Endpoint, (time, held): (Duration, u64)) {
    println!("{name:<46} {bytes:>6} {:>6} {held:>8}  {endpoint:?}", time.as_micros());
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (auth, options) = (auth(), options());
    println!("{:<46} {:>6} {:>6} {:>8}  dearest at", "request", "bytes", "us", "held");
    for form in &BODIES {
        let head = form.head();
        let each = ENDPOINTS.into_iter().map(|endpoint| {
            let work = |body| {
                ask(&runtime, (&auth, &options), endpoint, &head, body);
            };
            (measured(|| form.body(BODY), work), endpoint)
        });
        let dearest = each.max_by_key(|((time, _), _)| *time);
        if let Some((measured, endpoint)) = dearest {
            row(form.name, form.body(BODY).len(), endpoint, measured);
        }
    }
    for (name, begin, part) in &HEADERS {
        let value = value(begin, part, HEADER);
        let made = || {
            let mut head = head();
            head.headers.insert(name, value.clone());
            head
        };
        let each = ENDPOINTS.into_iter().chain([Endpoint::Authenticate]).map(|endpoint| {
            let work = |head| {
                ask(&runtime, (&auth, &options), endpoint, &head, b"{}".to_vec());
            };
            (measured(made, work), endpoint)
        });
        if let Some((measured, endpoint)) = each.max_by_key(|((time, _), _)| *time) {
            row(&format!("{name}: {begin}{part}…"), value.len(), endpoint, measured);
        }
    }
    Ok(())
}
