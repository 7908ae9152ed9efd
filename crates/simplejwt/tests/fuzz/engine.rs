//! Inputs from examples: proptest draws the changes, and makes what fails as small as it can.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// Inputs of a target in a run of `cargo test`.
const CASES: u32 = 3000;
/// For how many seconds each target goes on instead, with inputs that are others every time.
const SECONDS: &str = "SIMPLEJWT_TEST_FUZZ";
/// Nothing longer is made of an example.
const LONGEST: usize = 1 << 16;

/// A change of an input.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, &'static [u8]),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    /// From here on as another example from there on.
    Splice(Index, Index, Index),
    End(Index),
}

/// What parsers trip over.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\udfff\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b";",
    b"=",
    b"==",
    b"&",
    b"%",
    b"%00",
    b"%ff",
    b"%2F",
    b"+",
    b"-",
    b"_",
    b"/",
    b".",
    b"..",
    b"$",
    b"@",
    b"#",
    b"?",
    b"*",
    b"<",
    b"--",
    b"--b",
    b"--b--\r\n",
    b"null",
    b"true",
    b"1e309",
    b"-0",
    b"0x",
    b"NaN",
    b"9223372036854775808",
    b"18446744073709551616",
    b"4294967296",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    "é".as_bytes(),
    "ﬀ".as_bytes(),
    "🦀".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    b"-----BEGIN ",
    b"-----END ",
    b"-----",
    b"AAAA",
];

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), prop::sample::select(PIECES)).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at(), 1..40usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), 1..20usize, 1..60usize)
            .prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        (at(), at(), at()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
        at().prop_map(Change::End),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change], examples: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        // One place more than there are bytes: the end.
        let place = |at: &Index| at.index(bytes.len() + 1);
        let until = |from: usize, length: usize| (from + length).min(bytes.len());
        match change {
            Change::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Change::Set(at, new) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *new;
                }
            }
            Change::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Change::Remove(at, length) => {
                let at = place(at);
                let end = until(at, *length);
                bytes.drain(at..end);
            }
            Change::Repeat(at, length, times) => {
                let at = place(at);
                let part = bytes[at..until(at, *length)].repeat(*times);
                bytes.splice(at..at, part);
            }
            Change::Splice(at, other, from) => {
                let at = place(at);
                let other = &examples[other.index(examples.len())];
                let from = from.index(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            Change::End(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// The examples of a target.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let path = folder.join(format!("{target}.txt"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(unescaped).collect()
}

/// A line with `\n`, `\r`, `\t`, `\\` and `\xNN` taken apart, as `escape_ascii` writes them.
fn unescaped(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, length) = match (first, after) {
            (b'\\', [b'n', ..]) => (b'\n', 1),
            (b'\\', [b'r', ..]) => (b'\r', 1),
            (b'\\', [b't', ..]) => (b'\t', 1),
            (b'\\', [b'x', high, low, ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                (u8::from_str_radix(digits, 16).unwrap(), 3)
            }
            (b'\\', [quoted @ (b'\\' | b'"' | b'\''), ..]) => (*quoted, 1),
            (other, _) => (other, 0),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes
}

/// Each example as it is, then changed ones. What `check` panics for fails the test.
pub(crate) fn run(target: &str, examples: &[Vec<u8>], check: impl Fn(&[u8])) {
    run_cases(target, CASES, examples, check);
}

/// As [`run`], for targets that take longer with an input.
pub(crate) fn run_cases(target: &str, cases: u32, examples: &[Vec<u8>], check: impl Fn(&[u8])) {
    assert!(!examples.is_empty(), "{target} has no examples");
    for example in examples {
        check(example);
    }
    let inputs =
        (any::<Index>(), prop::collection::vec(change(), 0..6)).prop_map(|(at, changes)| {
            changed(examples[at.index(examples.len())].clone(), &changes, examples)
        });
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let once = |runner: &mut TestRunner| {
        let outcome = runner.run(&inputs, |input| {
            check(&input);
            Ok(())
        });
        if let Err(TestError::Fail(reason, input)) = &outcome {
            panic!("{reason}\nas a line of corpus/{target}.txt:\n{}", input.escape_ascii());
        }
        outcome.unwrap();
    };
    match std::env::var(SECONDS).ok().map(|seconds| seconds.parse().unwrap()) {
        None => {
            let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            once(&mut TestRunner::new_with_rng(config, same));
        }
        Some(seconds) => {
            let (start, time) = (now(), Duration::from_secs(seconds));
            let mut inputs_so_far = 0u64;
            while start.elapsed() < time {
                once(&mut TestRunner::new(config.clone()));
                inputs_so_far += u64::from(cases);
            }
            println!("{target}: {inputs_so_far} inputs");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "for so long it goes on by the real clock")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn an_input_is_read_from_the_line_that_a_failure_prints() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(unescaped(&all.escape_ascii().to_string()), all);
}

/// Whoever looks for failures has to find one.
#[test]
fn what_fails_is_found_and_made_small() {
    let examples = [b"some words of no account".to_vec(), b"others".to_vec()];
    let found = std::panic::catch_unwind(|| {
        run("test", &examples, |input| assert!(!input.contains(&0xff), "found"));
    });
    let told = found.unwrap_err();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains("found") && told.contains("corpus/test.txt:\n"), "{told}");
    assert!(told.ends_with("\\xff") || told.contains("\\xff"), "{told}");
}
