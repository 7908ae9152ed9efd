//! The processor time of a refused login, by the stored hash of the user: without any knowledge of
//! the table, and with a sample of it.
//!
//! Run with `cargo xtask bench`, or `cargo bench -p simplejwt-bench --bench refusals`. The kinds
//! take turns; each figure is the median of several rounds on one thread.

#![allow(missing_docs, reason = "a benchmark")]

use std::time::Duration;

use simplejwt::users::password::{Hasher, Hashers, Parameters, PasswordSurvey};

const ROUNDS: usize = 7;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

/// Returns a hash by this hasher with this cost, for which no password is known.
fn stored(hasher: Hasher, parameters: Parameters) -> Result<String, Box<dyn std::error::Error>> {
    Ok(Hashers::new([hasher])?.with_parameters(parameters)?.encode("the right one")?)
}

/// Returns the median time of a wrong password for each hash.
fn refusals(hashers: &Hashers, hashes: &[(String, Option<String>)]) -> Vec<Duration> {
    let mut times = vec![Vec::new(); hashes.len()];
    for _ in 0..ROUNDS {
        for ((_, hash), times) in hashes.iter().zip(&mut times) {
            times.push(timed(|| match hash {
                Some(hash) => drop(hashers.verify("a wrong one", hash).is_correct()),
                None => hashers.dummy_work("a wrong one"),
            }));
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times.get(ROUNDS / 2).copied().unwrap_or_default()
    };
    times.into_iter().map(median).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usual = Parameters::default();
    let iterations = |pbkdf2_iterations| Parameters { pbkdf2_iterations, ..usual };
    let accepted = Hasher::ALL;
    let mut hashes = vec![("no such user".to_owned(), None)];
    for (hasher, parameters) in [
        (Hasher::Md5, usual),
        (Hasher::Pbkdf2Sha256, iterations(600_000)),
        (Hasher::Pbkdf2Sha256, usual),
        (Hasher::Pbkdf2Sha256, iterations(1_500_000)),
        (Hasher::Argon2, usual),
        (Hasher::Scrypt, usual),
        (Hasher::BcryptSha256, usual),
    ] {
        let hash = stored(hasher, parameters)?;
        hashes.push((Hashers::new(accepted)?.kind_of(&hash).to_string(), Some(hash)));
    }
    // With the minimum limit, a refusal depends on the hash alone.
    let mut alone = Vec::new();
    for (_, hash) in &hashes {
        let kind = [("".to_owned(), hash.clone())];
        let hashers = Hashers::new(accepted)?.with_max_refusal_work(Duration::ZERO);
        alone.extend(refusals(&hashers, &kind));
    }
    let hashers = Hashers::new(accepted)?;
    let kinds = hashes.iter().filter_map(|(_, hash)| Some(hashers.kind_of(hash.as_deref()?)));
    let survey = PasswordSurvey::of(kinds, false);
    hashers.calibrate(&survey);
    let (kind, target) = hashers.refusal_work();
    println!("the costliest is {kind}: {} ms\n", target.as_millis());
    println!("| stored | no sample | with a sample |\n|---|---|---|");
    for (((name, _), alone), padded) in hashes.iter().zip(alone).zip(refusals(&hashers, &hashes)) {
        println!("| {name} | {} ms | {} ms |", alone.as_millis(), padded.as_millis());
    }
    Ok(())
}
