//! A value and its origin.

use std::fmt;

use serde_json::Value;

/// A value and its origin.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) value: Value,
    pub(crate) origin: String,
}

/// Leaves out the value, which may be a secret.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("origin", &self.origin).finish_non_exhaustive()
    }
}
