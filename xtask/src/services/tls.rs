//! A certificate for the servers, issued by an authority that exists only for that.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::account::Account;
use crate::packages;
use crate::process::{command, quiet, succeeds};

/// The configuration of openssl. The certificate is for the name `localhost` and no address, so
/// that a test can connect to `localhost`, which matches, and to `127.0.0.1`, which doesn't.
const CONFIG: &str = "\
[req]
distinguished_name = name
prompt = no
[name]
CN = simplejwt test
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
";

/// The authority's certificate and the servers' files.
pub(super) struct Tls {
    folder: PathBuf,
}

impl Tls {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.join("tls") }
    }

    /// Returns the certificate that clients trust.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Creates all files anew.
    ///
    /// # Errors
    /// There is no `openssl`, or it failed.
    pub(super) fn make(&self) -> Result<()> {
        let found = || quiet("openssl", &["version"]);
        if !found() {
            packages::install("there is no openssl", &["openssl"])?;
        }
        if !found() {
            bail!(
                "the tests need openssl: install it (on Debian and Ubuntu: sudo apt-get install \
                 openssl) and run this again"
            );
        }
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("can't make {}", self.folder.display()))?;
        fs::write(self.folder.join("openssl.cnf"), CONFIG)?;
        self.openssl(
            "req -config openssl.cnf -x509 -extensions authority -days 3650 -newkey ec -pkeyopt \
             ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem",
        )?;
        self.openssl(
            "req -config openssl.cnf -subj /CN=localhost -newkey ec -pkeyopt \
             ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr",
        )?;
        self.openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 1 -days 3650 -extfile \
             openssl.cnf -extensions server -out server.pem",
        )
    }

    fn openssl(&self, arguments: &str) -> Result<()> {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let mut openssl = command("openssl", &words);
        openssl.current_dir(&self.folder);
        if !succeeds(openssl) {
            bail!("`openssl {arguments}` failed in {}", self.folder.display());
        }
        Ok(())
    }

    /// Copies `server.pem`, `server.key` and `ca.pem` to the directory, readable only by the
    /// account.
    ///
    /// # Errors
    /// A file can't be written.
    pub(super) fn give(&self, folder: &Path, account: &Account) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        for name in ["server.pem", "server.key", "ca.pem"] {
            let copy = folder.join(name);
            fs::copy(self.folder.join(name), &copy)
                .with_context(|| format!("can't write {}", copy.display()))?;
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
            account.own(&copy)?;
        }
        Ok(())
    }
}
