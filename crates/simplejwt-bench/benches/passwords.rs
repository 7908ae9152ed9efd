//! Password hashes beside the libraries in C that Django calls: OpenSSL's PBKDF2 and scrypt, and the
//! reference implementation of Argon2.
//!
//! Run with `cargo xtask bench passwords`, which names a Python that has them. Both sides verify the
//! same hashes, in turn; each figure is the median processor time of one verification.

#![allow(missing_docs, reason = "a benchmark")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may fail")]

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use simplejwt::users::password::Hashers;

const PYTHON: &str = "SIMPLEJWT_BENCH_PYTHON";
const PASSWORD: &str = "correct horse battery staple";
const ROUNDS: usize = 9;

/// Verifies each hash that it reads, by the function that Django's hasher calls, and prints the
/// seconds that it took.
const THEIRS: &str = r#"
import base64, hashlib, sys, time
import argon2
for line in sys.stdin:
    password, encoded = line.rstrip("\n").split("\t")
    password = password.encode()
    name, *rest = encoded.split("$")
    before = time.process_time()
    if name == "pbkdf2_sha256":
        iterations, salt, hash = rest
        is_right = hashlib.pbkdf2_hmac("sha256", password, salt.encode(), int(iterations)) == base64.b64decode(hash)
    elif name == "argon2":
        is_right = argon2.PasswordHasher().verify("$" + "$".join(rest), password)
    else:
        n, salt, r, p, hash = rest
        cost = {"n": int(n), "r": int(r), "p": int(p), "maxmem": 2**30, "dklen": 64}
        is_right = hashlib.scrypt(password, salt=salt.encode(), **cost) == base64.b64decode(hash)
    took = time.process_time() - before
    assert is_right, encoded
    print(took, flush=True)
"#;

/// Returns the processor time that this process has used.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() {
    let Some(python) = env::var_os(PYTHON) else {
        panic!("{PYTHON} isn't set: run `cargo xtask bench passwords`");
    };
    let mut theirs = Command::new(python)
        .args(["-c", THEIRS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = theirs.stdin.take().unwrap();
    let mut answers = BufReader::new(theirs.stdout.take().unwrap()).lines();
    println!("{:16}{:>12}{:>12}{:>14}", "", "here, ms", "in C, ms", "here / in C");
    for name in ["pbkdf2_sha256", "argon2", "scrypt"] {
        let hashers = Hashers::from_setting([name]).unwrap();
        let encoded = hashers.encode(PASSWORD).unwrap();
        let (mut here, mut in_c) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let before = used();
            assert!(hashers.verify(PASSWORD, &encoded).is_correct());
            here.push((used() - before).as_secs_f64());
            writeln!(asked, "{PASSWORD}\t{encoded}").unwrap();
            in_c.push(answers.next().unwrap().unwrap().parse().unwrap());
        }
        let (here, in_c) = (1e3 * median(here), 1e3 * median(in_c));
        println!("{name:16}{here:>12.1}{in_c:>12.1}{:>14.2}", here / in_c);
    }
    drop(asked);
    assert!(theirs.wait().unwrap().success());
}
