//! Private files that appear completely or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use simplejwt::users::password::random_password;

use crate::failure::Failure;

/// Creates a directory that only its owner can enter, unless it exists.
pub(crate) fn private_directory(path: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|error| cannot("make the directory", path, &error))
}

/// Creates a file that only its owner can read. Returns `false` if it already exists, and leaves
/// that file unchanged.
///
/// The file appears under its name with its whole content or not at all, whatever happens in
/// between, and if two processes create it at the same time, exactly one succeeds.
pub(crate) fn create_private(path: &Path, content: &[u8]) -> Result<bool, Failure> {
    if path.try_exists().map_err(|error| cannot("look at", path, &error))? {
        return Ok(false);
    }
    let temporary = beside(path);
    let outcome = write_new(&temporary, content).and_then(|()| publish(&temporary, path));
    // A leftover file is harmless, and nothing can be done about it here.
    let _ = fs::remove_file(&temporary);
    outcome.map_err(|error| cannot("make", path, &error))
}

/// Replaces a file by one that only its owner can read, or creates it. It has its whole old or new
/// content, whatever happens in between.
pub(crate) fn replace_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let temporary = beside(path);
    let outcome = write_new(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_directory(path));
    if outcome.is_err() {
        // A leftover file is harmless, and nothing can be done about it here.
        let _ = fs::remove_file(&temporary);
    }
    outcome.map_err(|error| cannot("write", path, &error))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A link, unlike a rename, doesn't replace an existing file.
fn publish(temporary: &Path, path: &Path) -> io::Result<bool> {
    match fs::hard_link(temporary, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        // File systems without links.
        Err(_) => fs::rename(temporary, path)?,
    }
    sync_directory(path)?;
    Ok(true)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(random_password(12).as_str());
    path.with_file_name(name)
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied: choose a directory that the user \
                                            who runs simplejwt can write to"
            .to_owned(),
        io::ErrorKind::NotFound => "the directory doesn't exist: create it first".to_owned(),
        _ => error.to_string(),
    };
    Failure::Failed(format!("can't {verb} {}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        private_directory(&inner).unwrap();
        private_directory(&inner).unwrap();
        let path = inner.join("key");
        assert!(create_private(&path, b"one").unwrap());
        assert!(!create_private(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "no temporary file is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&inner), mode(&path)), (0o700, 0o600));
        }
    }

    #[test]
    fn of_many_at_once_one_makes_it_and_all_see_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let made: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|i| {
                    scope.spawn({
                        let path = &path;
                        move || create_private(path, &[i; 100]).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(made, 1);
        assert_eq!(fs::read(&path).unwrap().len(), 100);
    }
}
