//! A program under callgrind, and what callgrind writes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Instructions by function.
pub(super) type Counts = BTreeMap<String, u64>;

/// Where callgrind writes, and where it is asked to.
pub(super) struct Callgrind {
    out: PathBuf,
    pipes: PathBuf,
    /// The number of times it has written.
    parts: u32,
}

impl Callgrind {
    pub(super) fn new(folder: &Path) -> Self {
        Self { out: folder.join("callgrind"), pipes: folder.join("vgdb"), parts: 0 }
    }

    /// Returns the command that runs a program under it.
    pub(super) fn command(&self, program: &Path) -> Command {
        let option = |name: &str, path: &Path| {
            let mut option = OsString::from(name);
            option.push(path);
            option
        };
        let mut command = Command::new("valgrind");
        command
            .args(["-q", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
            .arg(option("--callgrind-out-file=", &self.out))
            .arg(option("--vgdb-prefix=", &self.pipes))
            .arg(program);
        command
    }

    /// Returns the instructions since the last call, or since the start.
    ///
    /// # Errors
    /// The process doesn't answer, or what it has written can't be read.
    pub(super) fn counts(&mut self, pid: u32) -> Result<Counts> {
        let mut prefix = OsString::from("--vgdb-prefix=");
        prefix.push(&self.pipes);
        let mut vgdb = Command::new("vgdb");
        vgdb.arg(prefix).arg(format!("--pid={pid}")).arg("dump").stdin(Stdio::null());
        let output = vgdb.output().context("can't start `vgdb`, which comes with valgrind")?;
        if !output.status.success() {
            bail!("`vgdb dump` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        self.parts += 1;
        let mut part = self.out.clone().into_os_string();
        part.push(format!(".{}", self.parts));
        let text = fs::read_to_string(&part).with_context(|| format!("can't read {part:?}"))?;
        Ok(parse(&text))
    }
}

/// Adds up a profile by function, without what the functions call.
fn parse(text: &str) -> Counts {
    let mut counts = Counts::new();
    let (mut function, mut cost) = (None::<String>, 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("fn=") {
            if let Some(function) = function.replace(plain(name).to_owned()) {
                *counts.entry(function).or_default() += std::mem::take(&mut cost);
            }
        } else if line.starts_with("calls=") {
            // The next line is what the callee cost.
            lines.next();
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let instructions = line.split(' ').nth(1).and_then(|number| number.parse().ok());
            cost += instructions.unwrap_or(0);
        }
    }
    if let Some(function) = function {
        *counts.entry(function).or_default() += cost;
    }
    counts
}

/// Returns the name without what differs from build to build and from call to call: the hash, and
/// the depth of a recursion.
fn plain(name: &str) -> &str {
    let is_depth = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match name.rsplit_once('\'') {
        Some((name, depth)) if is_depth(depth) => name,
        _ => name,
    };
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 => path,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_its_own_instructions_under_one_name() {
        let profile = "\
version: 1
positions: line
events: Ir
summary: 1117

ob=/usr/bin/simplejwt
fl=???
fn=simplejwt::web::respond::h0123456789abcdef
12 100
13 10
cfn=memcpy
calls=3 0
13 900
fi=other.rs
7 1

fn=simplejwt::web::respond::hfedcba9876543210'2
12 5
fn=memcpy
0 1
";
        let expected = [("memcpy", 1), ("simplejwt::web::respond", 116)];
        assert_eq!(parse(profile), expected.map(|(name, count)| (name.to_owned(), count)).into());
    }
}
