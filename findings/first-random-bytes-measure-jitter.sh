#!/usr/bin/env bash
# aws-lc-rs 1.19.0 (aws-lc-sys 0.47.0), ring 0.17.14, Cargo 1.95, on x86_64 Linux.
#
# The first random bytes that a process asks of aws-lc-rs cost tens of milliseconds of processor time, those of
# ring none: AWS-LC measures the jitter of the processor before it believes the operating system's randomness,
# with code that is compiled at -O0 in every profile, `--release` too. Whoever uses rustls pays it at the first
# connection of each process, and a command that asks a database one question mostly does this. With
# AWS_LC_SYS_NO_JITTER_ENTROPY=1 at compile time it is gone.
#
# Seen (milliseconds vary, the order doesn't):
#   aws-lc-rs: 10 ms or more: true
#   aws-lc-rs, compiled with AWS_LC_SYS_NO_JITTER_ENTROPY=1: 10 ms or more: false
#   ring: 10 ms or more: false
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "first"
version = "0.0.0"
edition = "2021"

[dependencies]
aws-lc-rs = { version = "=AWS_LC_RS", default-features = false, features = ["aws-lc-sys"] }
aws-lc-sys = "=0.47.0"
ring = "=0.17.14"
TOML
sed -i 's/AWS_LC_RS/1.19.0/' "$folder/Cargo.toml"
cat >"$folder/src/main.rs" <<'RUST'
/// The processor time of this process, in microseconds.
fn spent() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<u64>().unwrap() / 1000
}

fn main() {
    let mut bytes = [0; 32];
    let before = spent();
    match std::env::args().nth(1).as_deref() {
        Some("ring") => ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).unwrap(),
        _ => aws_lc_rs::rand::fill(&mut bytes).unwrap(),
    }
    let took = spent() - before;
    eprintln!("{took} microseconds");
    println!("10 ms or more: {}", took >= 10_000);
}
RUST

built() { # FOLDER
    (cd "$folder" && cargo build --quiet --release --target-dir "$folder/$1")
}
built usual
AWS_LC_SYS_NO_JITTER_ENTROPY=1 built without
{
    echo "aws-lc-rs: $("$folder/usual/release/first" aws)"
    echo "aws-lc-rs, compiled with AWS_LC_SYS_NO_JITTER_ENTROPY=1: $("$folder/without/release/first" aws)"
    echo "ring: $("$folder/usual/release/first" ring)"
} | tee "$folder/seen"

diff - "$folder/seen" <<'EXPECTED'
aws-lc-rs: 10 ms or more: true
aws-lc-rs, compiled with AWS_LC_SYS_NO_JITTER_ENTROPY=1: 10 ms or more: false
ring: 10 ms or more: false
EXPECTED
