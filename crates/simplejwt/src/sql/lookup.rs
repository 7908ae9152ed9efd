//! The result of looking for a user by a text.

use crate::error::{StoreError, StoreErrorKind};

/// Turns the error that the database can't hold the text into an empty result: nobody has it.
pub(crate) fn nothing_of<T: Default>(
    text: &str,
    outcome: Result<T, StoreError>,
) -> Result<T, StoreError> {
    match outcome {
        Err(error) if error.is_of(text) => Ok(T::default()),
        outcome => outcome,
    }
}

/// Returns the only row.
///
/// # Errors
/// [`StoreErrorKind::Incompatible`] if there are several: it is unknown who is meant, and the first
/// is as wrong as the others. The column was unique when the table was opened.
pub(crate) fn only<T>(operation: &'static str, rows: Vec<T>) -> Result<Option<T>, StoreError> {
    let mut rows = rows.into_iter();
    match (rows.next(), rows.next()) {
        (found, None) => Ok(found),
        (_, Some(_)) => {
            let cause = "several users have the same value in the column that they are found by, \
                         which isn't unique any more";
            Err(StoreError::new(operation, StoreErrorKind::Incompatible, cause))
        }
    }
}
