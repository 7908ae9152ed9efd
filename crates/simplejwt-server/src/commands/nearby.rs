//! The configuration file that is taken where none is named: the one that `quickstart` makes, or one of
//! that name in the working directory.

use std::path::{Path, PathBuf};

use crate::config::Environment;
use crate::failure::Failure;

/// Where it is looked for, the first first.
const PLACES: [&str; 2] = ["./simplejwt.toml", "./simplejwt-data/simplejwt.toml"];

/// The file that is there, told on standard error; none is taken where the environment names a
/// database, whose keys are there, too.
///
/// # Errors
/// It belongs to somebody else, who would otherwise decide what is done here.
pub(super) fn find(environment: &Environment) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = PLACES.map(Path::new).into_iter().find(|path| path.is_file()) else {
        return Ok(None);
    };
    if environment.names_database() {
        eprintln!(
            "note: {0} is not read, because the environment names the database: `--config {0}` \
             reads it as well",
            path.display()
        );
        return Ok(None);
    }
    if !is_trusted(path) {
        return Err(Failure::Failed(format!(
            "{0} belongs to another user, and is read only when it is named: `--config {0}`, if \
             that is what you mean",
            path.display()
        )));
    }
    eprintln!("note: the configuration is {}", path.display());
    Ok(Some(path.to_path_buf()))
}

/// Whether the file is this user's or root's.
#[cfg(unix)]
fn is_trusted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    // One that can't be looked at can't be read either, which is told then.
    path.metadata().map_or(true, |file| file.uid() == 0 || file.uid() == user)
}

#[cfg(not(unix))]
fn is_trusted(_: &Path) -> bool {
    true
}
