//! A value and its origin.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

/// A value and its origin.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) value: Value,
    pub(crate) origin: String,
    /// The file that holds nothing but the value.
    pub(crate) file: Option<PathBuf>,
}

impl Given {
    /// Returns a value that isn't in a file of its own.
    pub(crate) fn new(value: Value, origin: String) -> Self {
        Self { value, origin, file: None }
    }
}

/// Leaves out the value, which may be a secret.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("origin", &self.origin).finish_non_exhaustive()
    }
}
