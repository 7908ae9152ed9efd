//! A Unix socket whose file belongs to this server.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::config::UNIX;
use crate::failure::Failure;

/// A socket that is bound, and refuses connections until it listens.
#[derive(Debug)]
pub(crate) struct Place {
    socket: UnixSocket,
    file: File,
}

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: UnixListener,
    /// The socket's file; `None` if it belongs to another process.
    file: Option<File>,
}

/// The socket's file, removed when dropped.
#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Device and inode: a file found there later may be another server's.
    identity: (u64, u64),
}

/// Creates the socket's file, and replaces one that a dead server has left behind.
///
/// # Errors
/// The socket can't be created: why, and what to do about it.
pub(super) fn take(path: &Path, mode: u32) -> Result<Place, Failure> {
    remove_stale(path)?;
    let failed = |error: io::Error| explain(path, &error);
    let socket = UnixSocket::new_stream().map_err(failed)?;
    socket.bind(path).map_err(failed)?;
    let file = File::at(path).map_err(failed)?;
    // The mode is set before the socket listens, so nobody can connect earlier.
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    Ok(Place { socket, file })
}

/// Removes a socket on which nobody listens: it is a dead server's.
fn remove_stale(path: &Path) -> Result<(), Failure> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(explain(path, &error)),
    };
    if !there.file_type().is_socket() {
        return Err(Failure::Listen(format!(
            "{} exists and is not a socket: remove it, or choose another path (bind in [server], \
             or SIMPLEJWT_BIND)",
            path.display()
        )));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| explain(path, &error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(explain(path, &error)),
        Ok(_) => Err(Failure::Listen(format!(
            "{} is in use by another program: stop it, or choose another path (bind in [server], \
             or SIMPLEJWT_BIND)",
            path.display()
        ))),
    }
}

impl Place {
    /// Starts listening.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub(super) fn listen(self, backlog: u32) -> Result<Listener, Failure> {
        let Self { socket, file } = self;
        let listener = socket.listen(backlog).map_err(|error| explain(&file.path, &error))?;
        Ok(Listener { listener, file: Some(file) })
    }
}

impl Listener {
    /// A socket that another process has created and will remove.
    pub(super) fn of_others(listener: UnixListener) -> Self {
        Self { listener, file: None }
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.listener.poll_accept(context).map_ok(|(stream, _)| stream)
    }

    /// Returns the connections that wait to be accepted, unless the socket is another process's.
    pub(super) fn close(self) -> Vec<UnixStream> {
        let Self { listener, file } = self;
        let mut last = Vec::new();
        if file.is_some()
            && let Ok(listener) = listener.into_std()
        {
            while let Ok((stream, _)) = listener.accept() {
                let stream =
                    stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
                last.extend(stream.ok());
            }
        }
        last
    }

    pub(super) fn name(&self) -> String {
        let own = self.file.as_ref().map(|file| file.path.clone());
        let path = own.or_else(|| self.listener.local_addr().ok()?.as_pathname().map(Into::into));
        path.map_or_else(|| UNIX.to_owned(), |path| format!("{UNIX}{}", path.display()))
    }
}

impl File {
    fn at(path: &Path) -> io::Result<Self> {
        let identity = identity(path)?;
        Ok(Self { path: path.to_owned(), identity })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|there| there == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(
                event = "socket_left",
                %error,
                file = %self.path.display(),
                "can't remove the socket"
            );
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let there = fs::symlink_metadata(path)?;
    Ok((there.dev(), there.ino()))
}

fn explain(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Listen(match error.kind() {
        io::ErrorKind::NotFound => {
            format!(
                "can't create {path}: its directory doesn't exist: create it, writable for \
                this user"
            )
        }
        io::ErrorKind::PermissionDenied => format!(
            "not allowed to create {path}: choose a directory that this user can write to (bind \
             in [server], or SIMPLEJWT_BIND)"
        ),
        _ => format!(
            "can't listen on {path}: {error}: choose another path (bind in [server], or \
             SIMPLEJWT_BIND)"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_dead_server_left_is_taken_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s.sock");
        let refused = |told: &str| {
            let failure = take(&path, 0o660).unwrap_err();
            assert!(failure.to_string().contains(told), "{failure}");
        };
        fs::write(&path, "somebody's").unwrap();
        refused("is not a socket");
        fs::remove_file(&path).unwrap();

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let taken = take(&path, 0o606).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o606);
        let listener = taken.listen(5).unwrap();
        assert_eq!(listener.name(), format!("unix:{}", path.display()));
        refused("in use by another program");

        // The file is another server's by now.
        fs::remove_file(&path).unwrap();
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(listener);
        assert!(path.exists());
        drop(other);
        drop(take(&path, 0o660).unwrap().listen(5).unwrap());
        assert!(!path.exists());

        let nowhere = take(&place.path().join("no/s.sock"), 0o660).unwrap_err();
        assert!(nowhere.to_string().contains("directory doesn't exist"), "{nowhere}");
    }
}
