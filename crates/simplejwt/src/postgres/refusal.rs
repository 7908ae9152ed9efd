//! PostgreSQL's errors without the rows that they show.
//!
//! The detail of a violated constraint is the whole row (`Failing row contains (…)`), which may
//! contain a token or a password hash. The message already says what the error is about.

use std::error::Error;
use std::fmt;

/// An error that can be logged with either of its forms.
pub(crate) struct Refusal(pub(crate) tokio_postgres::Error);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.0.as_db_error() else { return self.0.fmt(f) };
        write!(f, "{}: {} ({})", said.severity(), said.message(), said.code().code())?;
        match said.hint() {
            Some(hint) => write!(f, " HINT: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({self})")
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.0.as_db_error() {
            Some(_) => None,
            None => self.0.source(),
        }
    }
}
