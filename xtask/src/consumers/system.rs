//! A Debian system with the programs, in a folder: they run there by chroot, each in a namespace of
//! its own, so that nothing of this machine is changed and nothing goes on running.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::packages;
use crate::process::{announce, command, quiet, run};

/// Debian's stable release, whose versions stay.
pub(super) const STABLE: &str = "trixie";
const PACKAGES: [&str; 18] = [
    "apache2",
    "caddy",
    "dovecot-imapd",
    "ejabberd",
    "golang-github-golang-jwt-jwt-v5-dev",
    "golang-go",
    "haproxy",
    "influxdb",
    "libapache2-mod-auth-openidc",
    "libapache2-mod-oauth2",
    "nginx-light",
    "rabbitmq-server",
    "ruby",
    "ruby-jwt",
    "slurm-client",
    "slurm-wlm-basic-plugins",
    "slurm-wlm-jwt-plugin",
    "slurmctld",
];

/// Makes a system of this release, if it isn't there with these packages.
///
/// # Errors
/// This isn't root, or the packages can't be had.
pub(super) fn make(suite: &str, folder: &Path) -> Result<()> {
    let wanted = format!("{suite}\n{}\n", PACKAGES.join("\n"));
    // Written last, so that an interrupted installation isn't mistaken for a finished one.
    let installed = folder.join("installed-packages");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        announce(&format!("{} has the programs", folder.display()));
        return Ok(());
    }
    if !packages::is_root() {
        bail!(
            "programs in a Debian system of their own need root: name the consumers that need none"
        );
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("can't remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    if !quiet("debootstrap", &["--version"]) {
        packages::install("there is no debootstrap", &["debootstrap"])?;
    }
    let mut bootstrap = command("debootstrap", &["--variant=minbase", suite]);
    bootstrap.arg(folder);
    run(bootstrap)?;
    fs::write(folder.join("etc/hosts"), "127.0.0.1\tlocalhost\n")?;
    let policy = folder.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o755))?;
    let mut install = command("unshare", &["--pid", "--fork", "--kill-child"]);
    install.arg(format!("--mount-proc={}", folder.join("proc").display()));
    install.arg("chroot").arg(folder);
    install.args(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]);
    install.args(PACKAGES).env("DEBIAN_FRONTEND", "noninteractive");
    run(install)?;
    fs::write(&installed, wanted).with_context(|| format!("can't write {}", installed.display()))
}
