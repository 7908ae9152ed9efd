//! Files that hold a single value.

use std::fs;
use std::path::Path;

use simplejwt::keys::KeyError;

use super::given::Given;
use super::item::{FileHolds, Spec};

/// The maximum size of a value's file, in bytes: nothing larger is a configuration or a key.
const LARGEST: u64 = 1024 * 1024;

/// Returns the value in a file, without the line break at its end.
pub(super) fn from_file(
    item: &Spec,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Given, String> {
    let value = match item.file {
        Some(FileHolds::Key) => read_key(path),
        _ => read_secret(path),
    };
    let value = value.map_err(|error| format!("can't read {}: {error}", path.display()))?;
    if item.secret {
        warn_if_open(path, warnings);
    }
    let origin = format!("file {}", path.display());
    Ok(Given { value: value.into(), origin, file: Some(path.to_owned()) })
}

/// Returns the content of a file, without the line break at its end.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    Ok(without_last_line_end(read_text(path)?))
}

/// Reads a key's file, of which only the PEM blocks have to be text: bytes around them aren't part
/// of the key.
pub(crate) fn read_key(path: &Path) -> Result<String, String> {
    let bytes = read_small(path)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(without_last_line_end(text)),
        Err(error) => match KeyError::in_place_of_pem(error.as_bytes()) {
            None => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            Some(KeyError::NoPem) => Err(NOT_TEXT.into()),
            Some(known) => Err(known.to_string()),
        },
    }
}

fn without_last_line_end(mut text: String) -> String {
    for end in ['\n', '\r'] {
        if text.ends_with(end) {
            text.pop();
        }
    }
    text
}

const NOT_TEXT: &str = "it is not UTF-8 text";

pub(super) fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read_small(path)?).map_err(|_| NOT_TEXT.into())
}

/// Reads a file of at most 1 MiB.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, String> {
    let describe = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "permission denied: make it readable for the user that runs simplejwt".to_owned()
        }
        _ => error.to_string(),
    };
    let metadata = fs::metadata(path).map_err(describe)?;
    if metadata.is_dir() {
        return Err("it is a directory".into());
    }
    if metadata.len() > LARGEST {
        return Err("it is larger than 1 MiB".into());
    }
    fs::read(path).map_err(describe)
}

/// Warns if every user of the machine can read a secret.
pub(super) fn warn_if_open(path: &Path, warnings: &mut Vec<String>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if let Ok(metadata) = fs::metadata(path)
            && metadata.permissions().mode() & 0o007 != 0
        {
            warnings.push(format!(
                "{} holds a secret, but every user of this machine can open it: chmod 600 {}",
                path.display(),
                path.display(),
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, warnings);
}
