//! Files that hold one value.

use std::fs;
use std::path::Path;

use simplejwt::keys::KeyError;

use super::given::Given;
use super::item::{FileHolds, Spec};

/// Larger is not a configuration, and not a key.
const LARGEST: u64 = 1024 * 1024;

/// The value that a file holds. A line break at its end isn't part of it.
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
    Ok(Given { value: value.into(), origin: format!("file {}", path.display()) })
}

/// What a file holds, without the line break at its end.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    Ok(without_last_line_end(read_text(path)?))
}

/// A key's file, of which only the PEM blocks have to be text: what stands around them is no part
/// of the key, whatever its bytes.
fn read_key(path: &Path) -> Result<String, String> {
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

fn read_small(path: &Path) -> Result<Vec<u8>, String> {
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

/// A secret that every user of the machine can read is none.
pub(super) fn warn_if_open(path: &Path, warnings: &mut Vec<String>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if let Ok(metadata) = fs::metadata(path)
            && metadata.permissions().mode() & 0o007 != 0
        {
            warnings.push(format!(
                "{} holds a secret and is open to every user of this machine: chmod 600 {}",
                path.display(),
                path.display(),
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, warnings);
}
