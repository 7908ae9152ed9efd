//! The Python environments of `compat/`: Django and the package that this project is compatible
//! with, in the versions pinned in `compat/requirements.txt`, and an older Django.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::packages;
use crate::process::{announce, command, quiet, root, run};

const OLDEST: (u32, u32) = (3, 10);

/// A script that exits with 0 if Python is new enough and can create virtual environments.
const PROBE: &str =
    "import sys, venv, ensurepip; sys.exit(sys.version_info < tuple(map(int, sys.argv[1:])))";

/// An environment: its directory, and the file that pins its packages.
struct Environment {
    folder: &'static str,
    requirements: &'static str,
}

/// The environment of the tests.
const CURRENT: Environment =
    Environment { folder: "compat/.venv", requirements: "compat/requirements.txt" };
/// An older Django with a lower cost of password hashes.
const DJANGO_4_2: Environment = Environment {
    folder: "compat/.venv-django42",
    requirements: "compat/requirements-django42.txt",
};

/// The programs of `xtask/tools.txt`.
const TOOLS: Environment = Environment { folder: ".cache/tools", requirements: "xtask/tools.txt" };

/// The environment of the programs that read our tokens.
const CONSUMERS: Environment = Environment {
    folder: ".cache/consumers/venv",
    requirements: "xtask/consumers/requirements.txt",
};

/// Returns the Python with the libraries that `xtask/consumers/requirements.txt` names.
///
/// # Errors
/// As [`environment`].
pub(crate) fn consumers() -> Result<PathBuf> {
    CONSUMERS.make()
}

/// Returns the directory of the programs that `xtask/tools.txt` names.
///
/// # Errors
/// As [`environment`].
pub(crate) fn tools() -> Result<PathBuf> {
    let python = TOOLS.make()?;
    python.parent().map(Path::to_path_buf).context("a program lies in a folder")
}

/// Returns the Python with the packages in `compat/requirements.txt`.
///
/// # Errors
/// There is no suitable Python and none can be installed, or the packages can't be fetched.
pub(crate) fn environment() -> Result<PathBuf> {
    CURRENT.make()
}

/// Returns the Python with Django 4.2.
///
/// # Errors
/// As [`environment`].
pub(crate) fn django_4_2() -> Result<PathBuf> {
    DJANGO_4_2.make()
}

impl Environment {
    /// Returns the environment's Python. It is created if it doesn't exist or the file has changed.
    fn make(&self) -> Result<PathBuf> {
        let Self { folder, requirements } = self;
        let python = root().join(folder).join("bin/python");
        let wanted_file = root().join(requirements);
        let wanted = fs::read(&wanted_file)
            .with_context(|| format!("can't read {}", wanted_file.display()))?;
        // Written last, so that an interrupted installation isn't mistaken for a finished one.
        let installed_file = root().join(folder).join("installed-requirements.txt");
        if fs::read(&installed_file).is_ok_and(|installed| installed == wanted) && works(&python) {
            announce(&format!("{folder} has what {requirements} says"));
            return Ok(python);
        }

        let system_python = system_python()?;
        announce(&format!("creating {folder} with {}", system_python.display()));
        run(command(&system_python, &["-m", "venv", "--clear", folder]))?;
        run(command(
            &python,
            &[
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
                "--quiet",
                "--requirement",
                requirements,
            ],
        ))?;
        fs::write(&installed_file, wanted)
            .with_context(|| format!("can't write {}", installed_file.display()))?;
        Ok(python)
    }
}

fn system_python() -> Result<PathBuf> {
    if let Some(python) = find() {
        return Ok(python);
    }
    let (major, minor) = OLDEST;
    let why = format!("there is no Python {major}.{minor} or newer with venv");
    if packages::install(&why, &["python3-venv"])?
        && let Some(python) = find()
    {
        return Ok(python);
    }
    bail!(
        "the tests need Python {major}.{minor} or newer with its venv module: install it (on \
         Debian and Ubuntu: sudo apt-get install python3-venv) and run this again"
    )
}

fn find() -> Option<PathBuf> {
    ["python3", "python"].into_iter().map(PathBuf::from).find(|python| works(python))
}

fn works(python: &Path) -> bool {
    let (major, minor) = OLDEST;
    quiet(python, &["-c", PROBE, &major.to_string(), &minor.to_string()])
}
