//! A newer Python with a newer Django beside the server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Done;
use super::suites::{Outcome, Suite, Suites, logs};
use crate::process::{command, root};
use crate::services::{ServerKind, Up};
use crate::tally::Tally;

const REQUIREMENTS: &str = "compat/requirements-django61.txt";
/// The tests that only need Django, Python and a database.
const TESTS: &[&str] =
    &["takeover", "schema", "together", "hashers", "sessions", "users", "columns"];
/// Mounts what the tests need at the same paths in the other system (the project, this machine's
/// host names and certificate authorities), and enters it.
const ENTER: &str = "\
    set -e; root=$1; project=$2; venv=$3; shift 3; \
    for place in \"$project\" \"$venv\" /dev /tmp /etc/ssl/certs; do \
    mkdir -p \"$root$place\"; mount --bind \"$place\" \"$root$place\"; done; \
    touch \"$root/etc/resolv.conf\"; mount --bind /etc/resolv.conf \"$root/etc/resolv.conf\"; \
    mount -t proc proc \"$root/proc\"; \
    exec chroot \"$root\" sh -c 'cd \"$0\" && exec \"$@\"' \"$project\" \"$@\"";

/// Where the programs lie, in both systems.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// Runs those tests of `compat/` that need nothing else.
///
/// # Errors
/// The packages can't be fetched.
pub(super) fn on(suites: &Suites, place: &Path) -> Result<Done> {
    let venv = place.with_file_name("django-6.1");
    fs::create_dir_all(&venv)?;
    let enter = |words: &[&str]| {
        let mut entering = command("unshare", &["--mount", "sh", "-c", ENTER, "sh"]);
        entering.arg(place).arg(root()).arg(&venv).args(words);
        entering
    };
    let python = venv.join("venv/bin/python");
    let python = python.to_str().context("the cache's path is UTF-8")?;
    let made = venv.join("installed-requirements.txt");
    let wanted = fs::read(root().join(REQUIREMENTS))?;
    if fs::read(&made).ok().as_ref() != Some(&wanted) {
        let folder = venv.join("venv").display().to_string();
        crate::process::run(enter(&["python3.14", "-m", "venv", "--clear", &folder]))?;
        let pip = ["-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS];
        crate::process::run(enter(&[&[python][..], &pip].concat()))?;
        fs::write(&made, wanted)?;
    }
    let databases = Up::of("matrix", &[ServerKind::Postgres, ServerKind::MariaDb])?;
    let (mut tally, mut failed) = (Tally::default(), Vec::new());
    for test in TESTS {
        let file = format!("compat/tests/test_{test}.py");
        let mut pytest =
            enter(&["timeout", "600", python, "-m", "pytest", "--color=no", "-rf", &file]);
        pytest.envs(databases.variables()?).env("SIMPLEJWT_BIN", suites.server()?);
        pytest.env("COMPAT_DJANGO42", python).env("PATH", PATH);
        let done = pytest.output().context("can't start pytest")?;
        let log: PathBuf = logs()?.join(format!("django-6.1-{test}"));
        fs::write(&log, [done.stdout.as_slice(), &done.stderr].concat())?;
        let before = failed.len();
        for line in String::from_utf8_lossy(&done.stdout).lines() {
            tally.pytest_line(line);
            if let Some(name) = line.strip_prefix("FAILED ") {
                failed.push(name.split(" - ").next().unwrap_or(name).to_owned());
            }
        }
        if !done.status.success() {
            println!("django-6.1: {test} failed: {}", log.display());
            if failed.len() == before {
                failed.push(format!("{test} ({})", done.status));
            }
        }
    }
    let outcome = match failed.is_empty() {
        true => Outcome::Passed(tally.passed),
        false => Outcome::Failed(failed),
    };
    Ok(Done {
        version: "6.1.3, Python 3.14".to_owned(),
        columns: BTreeMap::from([(Suite::Flows, outcome)]),
    })
}
