//! Standard output.

use std::io::{ErrorKind, Write as _};

use crate::failure::Failure;

/// Writes `text` as it is. A reader that has closed the pipe (`| head`) is not a failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("can't write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
