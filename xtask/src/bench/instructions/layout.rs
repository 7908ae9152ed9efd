//! `cargo xtask layout`: which functions a server executes, for the linker. They are a ninth of its
//! code and lie all over it. Linux maps the 16 pages around each that is used, which is most of
//! the program; beside each other they need few.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::callgrind::Counts;
use super::site::Site;
use crate::process::{cargo, command, output, root, run as run_command};

const USAGE: &str = "\
usage: cargo xtask layout [--program FILE]

Builds the server for release, lets it answer requests under valgrind, and writes patterns of the
functions that it executes to crates/simplejwt-server/layout.ld. The linker puts them beside each
other, so that the server needs less memory. --program looks at a program that is there.";

const FILE: &str = "crates/simplejwt-server/layout.ld";
/// The number of bytes that are mapped around one that is used. A function that would bring more
/// code that isn't executed, of the same name with other types, is better left where it is.
const AROUND: u64 = 64 * 1024;

/// The number of bytes for which a pattern may be saved, by a coarser one in place of two. Fewer are
/// linked sooner, and coarse ones fit what other compilers make functions of.
const FOR_ONE_LESS: u64 = 2048;
/// Functions for instructions of the processor that valgrind hides.
const HIDDEN: [&str; 1] = ["_ZN4sha2*x86*"];

/// Writes the file.
///
/// # Errors
/// The server can't be built or started, or a request isn't answered as it should be.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let program = match words {
        [] => {
            run_command(cargo(&["build", "--release", "-p", "simplejwt-server"]))?;
            super::built("release")?
        }
        ["--program", file] => PathBuf::from(file),
        _ => bail!("{USAGE}"),
    };
    let sizes = sizes(&program)?;
    let executed = Site::new(program)?.executed()?;
    let mut idle = patterns(&executed.idle, &sizes);
    idle.extend(HIDDEN.map(str::to_owned));
    let asked: BTreeSet<_> = &patterns(&executed.asked, &sizes) - &idle;
    fs::write(root().join(FILE), script(&idle, &asked))
        .with_context(|| format!("can't write {FILE}"))?;
    let (idle, asked) = (idle.len(), asked.len());
    println!("wrote {FILE}: {idle} patterns for an idle server, {asked} more for requests");
    Ok(())
}

/// Returns the size of each of the program's functions, by the names that the linker has used.
fn sizes(program: &Path) -> Result<BTreeMap<String, u64>> {
    let mut nm = command("nm", &["--defined-only", "--print-size"]);
    nm.arg(program.canonicalize().context("no such program")?);
    Ok(functions(&output(nm)?))
}

fn functions(symbols: &str) -> BTreeMap<String, u64> {
    let function = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let size = u64::from_str_radix(words.next()?, 16).ok()?;
        let is_code = matches!(words.next()?, "t" | "T" | "w" | "W");
        is_code.then_some((words.next()?.to_owned(), size))
    };
    symbols.lines().filter_map(function).collect()
}

/// Returns patterns for the functions of the program that were executed.
fn patterns(executed: &Counts, sizes: &BTreeMap<String, u64>) -> BTreeSet<String> {
    let mut all = Branch::default();
    for (name, size) in sizes {
        all.add(&paths(name), *size, executed.contains_key(name));
    }
    let mut patterns = BTreeSet::new();
    for (pattern, branch) in &all.finer {
        patterns.extend(branch.patterns(pattern).0);
    }
    patterns
}

/// The functions whose names begin alike.
#[derive(Default)]
struct Branch {
    size: u64,
    unused: u64,
    executed: u64,
    finer: BTreeMap<String, Branch>,
}

impl Branch {
    fn add(&mut self, paths: &[String], size: u64, is_executed: bool) {
        let mut branch = self;
        for path in paths {
            branch = branch.finer.entry(path.clone()).or_default();
            branch.size += size;
            branch.unused += if is_executed { 0 } else { size };
            branch.executed += u64::from(is_executed);
        }
    }

    /// Returns patterns for those that were executed, and the size of all that the patterns fit.
    fn patterns(&self, own: &str) -> (Vec<String>, u64) {
        if self.executed == 0 {
            return (Vec::new(), 0);
        }
        let (mut finer, mut size) = (Vec::new(), 0);
        for (pattern, branch) in &self.finer {
            let (patterns, fitting) = branch.patterns(pattern);
            finer.extend(patterns);
            size += fitting;
        }
        let more = self.size - size;
        if finer.is_empty() && self.unused >= AROUND * self.executed {
            return (Vec::new(), 0);
        }
        if finer.is_empty() || more <= FOR_ONE_LESS * (finer.len() as u64 - 1) {
            return (vec![own.to_owned()], self.size);
        }
        (finer, size)
    }
}

/// Returns patterns for a function, from the coarsest, for its crate, to one that only other types
/// fit. They fit whatever compiler and profile: without the hash of its types, those of its crates,
/// and what the optimizer appends.
fn paths(name: &str) -> Vec<String> {
    let name = name.split_once(".llvm.").map_or(name, |(name, _)| name);
    match name.strip_prefix("_ZN") {
        Some(mangled) => of_legacy_name(mangled),
        None if name.starts_with("_R") => vec![without_crates(name)],
        None => vec![name.to_owned()],
    }
}

fn of_legacy_name(mangled: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = mangled;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit())
        && let Ok(length) = rest.get(..end).unwrap_or_default().parse::<usize>()
        && let Some(word) = rest.get(end..end + length)
    {
        words.push((rest.get(..end + length).unwrap_or_default(), word));
        rest = rest.get(end + length..).unwrap_or_default();
    }
    // The last word is the hash.
    words.pop();
    let mut paths = Vec::new();
    // The type of an implementation: `_$LT$simplejwt..config..list..Place$LT$…`.
    if let Some((_, word)) = words.first()
        && let Some((before, path)) = word.split_once("$LT$")
        && before.len() <= 1
    {
        let is_module =
            |word: &&str| word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_' | b'0'..=b'9'));
        let mut modules = format!("_ZN*{before}$LT$");
        for (number, module) in path.split("..").take_while(is_module).enumerate() {
            modules.push_str(if number > 0 { ".." } else { "" });
            modules.push_str(module);
            paths.push(format!("{modules}*"));
        }
    }
    let mut path = "_ZN".to_owned();
    for (number, (with_length, _)) in words.iter().enumerate() {
        path.push_str(with_length);
        let end = if number + 1 == words.len() { "17h*" } else { "*" };
        paths.push(format!("{path}{end}"));
    }
    paths
}

/// Returns a pattern without the hashes of crates.
fn without_crates(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("Cs") {
        let hash = after.split_once('_').filter(|(hash, _)| {
            (8..=13).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        let (hash, next) = hash.map_or(("", after), |(_, next)| ("*_", next));
        pattern.extend([before, "Cs", hash]);
        rest = next;
    }
    format!("{pattern}{rest}*")
}

fn script(idle: &BTreeSet<String>, asked: &BTreeSet<String>) -> String {
    let mut script = "\
/* Generated by `cargo xtask layout`. The functions that a server executes: first those of its start
   and of an idle one, then those of requests. */
SECTIONS {
  .text.used : {
"
    .to_owned();
    for (number, patterns) in [idle, asked].into_iter().enumerate() {
        if number > 0 {
            script.push('\n');
        }
        for pattern in patterns {
            script.push_str(&format!("    *(.text.{pattern})\n"));
        }
    }
    // Functions that the compiler takes for rare. They are few, and some of them aren't.
    script.push_str("\n    *(.text.unlikely.*)\n  }\n}\nINSERT BEFORE .text;\n");
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whatever_compiler() {
        for (name, expected) in [
            ("sqlite3VdbeExec", &["sqlite3VdbeExec"][..]),
            (
                "_ZN5hyper5proto2h14conn4idle17h2e6b79380bfd10e1E.llvm.7967603378",
                &[
                    "_ZN5hyper*",
                    "_ZN5hyper5proto*",
                    "_ZN5hyper5proto2h1*",
                    "_ZN5hyper5proto2h14conn*",
                    "_ZN5hyper5proto2h14conn4idle17h*",
                ],
            ),
            (
                "_ZN32_$LT$a..list..Place$LT$S$GT$$GT$4idle17h2e6b79380bfd10e1E",
                &[
                    "_ZN*_$LT$a*",
                    "_ZN*_$LT$a..list*",
                    "_ZN32_$LT$a..list..Place$LT$S$GT$$GT$*",
                    "_ZN32_$LT$a..list..Place$LT$S$GT$$GT$4idle17h*",
                ],
            ),
            (
                "_RNvXs_NtNtCsgEmfK2I1SDS_4core3str7patternNtB4_12CharSearcher.llvm.1",
                &["_RNvXs_NtNtCs*_4core3str7patternNtB4_12CharSearcher*"],
            ),
        ] {
            assert_eq!(paths(name), expected);
        }
    }

    #[test]
    fn what_is_cheap_is_taken_together() {
        let function = |path: &str, hash: u8| format!("_ZN{path}17h{hash:016x}E");
        let used = [function("1m1a", 1), function("1m1b", 2), function("1n1a", 3)];
        let executed = used.iter().map(|name| (name.clone(), 1)).collect();
        for (unused, expected) in [
            (FOR_ONE_LESS, &["_ZN1m*", "_ZN1n1a17h*"][..]),
            (FOR_ONE_LESS + 1, &["_ZN1m1a17h*", "_ZN1m1b17h*", "_ZN1n1a17h*"]),
        ] {
            let mut sizes: BTreeMap<_, _> = used.iter().map(|name| (name.clone(), 9)).collect();
            sizes.insert(function("1m1c", 4), unused);
            sizes.insert(function("1n1b", 5), AROUND);
            assert!(patterns(&executed, &sizes).iter().eq(expected), "{unused}");
        }
    }

    #[test]
    fn what_brings_too_much_is_left_out() {
        let symbols = |unused: u64| {
            format!(
                "00000000000005d0 0000000000000026 T _ZN1a17h0000000000000001E\n\
                 00000000000005f0 0000000000000026 t _ZN1a17h0000000000000002E\n\
                 0000000000000600 {unused:016x} t _ZN1a17h0000000000000003E\n\
                 0000000000000700 0000000000000026 r _ZN1a17h0000000000000004E\n\
                 0000000000000800 T end\n"
            )
        };
        let counts = |names: &[&str]| -> Counts {
            names.iter().map(|name| ((*name).to_owned(), 1)).collect()
        };
        let once = counts(&["_ZN1a17h0000000000000001E", "memcpy"]);
        let twice = counts(&["_ZN1a17h0000000000000001E", "_ZN1a17h0000000000000002E"]);
        for (executed, unused, expected) in
            [(&once, AROUND - 0x27, 1), (&once, AROUND - 0x26, 0), (&twice, AROUND, 1)]
        {
            let sizes = functions(&symbols(unused));
            assert_eq!(patterns(executed, &sizes).len(), expected, "{unused}");
        }
    }
}
