//! The configuration file that is used if none is named: the one that `quickstart` writes, or one
//! with that name in the working directory.

use std::path::{Path, PathBuf};

use crate::config::Environment;
use crate::failure::Failure;

/// The places that are searched, in this order.
const PLACES: [&str; 2] = ["./simplejwt.toml", "./simplejwt-data/simplejwt.toml"];

/// Finds the file and reports it on standard error. No file is used if the environment names a
/// database, because then the keys come from there too.
///
/// # Errors
/// The file belongs to another user, who could otherwise control this command.
pub(super) fn find(environment: &Environment) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = PLACES.map(Path::new).into_iter().find(|path| path.is_file()) else {
        return Ok(None);
    };
    if environment.names_database() {
        eprintln!(
            "note: {0} is not read, because the environment names a database: add `--config {0}` \
             to read it as well",
            path.display()
        );
        return Ok(None);
    }
    if !is_trusted(path) {
        return Err(Failure::Failed(format!(
            "{0} belongs to another user, and is only read if you name it: use `--config {0}` if \
             you trust it",
            path.display()
        )));
    }
    eprintln!("note: using the configuration {}", path.display());
    Ok(Some(path.to_path_buf()))
}

/// Returns `true` if the file belongs to this user or to root.
#[cfg(unix)]
fn is_trusted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    // A file that can't be examined can't be read either, and reading it reports that.
    path.metadata().map_or(true, |file| file.uid() == 0 || file.uid() == user)
}

#[cfg(not(unix))]
fn is_trusted(_: &Path) -> bool {
    true
}
