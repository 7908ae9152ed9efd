//! PostgreSQL's errors: which of them are transient, and the store's error for each.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{WasNull, WrongType};

use crate::error::{StoreError, StoreErrorKind};
use crate::postgres::pooler::{WITHOUT_STATEMENTS, is_of_statements};
use crate::postgres::refusal::Refusal;

/// Returns `true` if the server has no connection left: at all, for this role or for this database.
pub(super) fn is_full(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

/// Returns `true` if the transaction lost to another and has to be repeated. So has one whose user
/// was deleted in the meantime: the next attempt finds none.
pub(in crate::postgres) fn is_conflict(state: Option<&SqlState>) -> bool {
    const CONFLICTS: [&SqlState; 4] = [
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::FOREIGN_KEY_VIOLATION,
    ];
    state.is_some_and(|state| CONFLICTS.contains(&state))
}

/// Returns `true` if a value isn't of the type that it is read as.
pub(super) fn is_of_a_value(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| {
        source.is::<WrongType>() || source.is::<WasNull>() || source.is::<std::str::Utf8Error>()
    })
}

/// Returns `true` if another connection will do: the server is shutting down or has become
/// read-only; or a prepared statement is for a table that has been changed since (0A000), or is on
/// another server behind a pooler (26000).
pub(super) fn is_of_the_connection(state: Option<&SqlState>) -> bool {
    const GONE: [&SqlState; 5] = [
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::READ_ONLY_SQL_TRANSACTION,
        &SqlState::FEATURE_NOT_SUPPORTED,
    ];
    is_of_statements(state)
        || state.is_some_and(|state| GONE.contains(&state) || state.code().starts_with("08"))
}

/// A pooler without prepared statements that wasn't noticed when connecting.
#[derive(Debug, thiserror::Error)]
#[error("{}", WITHOUT_STATEMENTS)]
struct Unprepared(#[source] Refusal);

/// Returns the store's error for one of PostgreSQL's, without the values that it shows.
pub(in crate::postgres) fn store_error(
    operation: &'static str,
    error: tokio_postgres::Error,
) -> StoreError {
    // Too long for its column, with a NUL, or with a character that the database's encoding lacks.
    const UNSTORABLE: [&SqlState; 3] = [
        &SqlState::STRING_DATA_RIGHT_TRUNCATION,
        &SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        &SqlState::UNTRANSLATABLE_CHARACTER,
    ];
    if error.code().is_some_and(|state| UNSTORABLE.contains(&state)) {
        return StoreError::new(operation, StoreErrorKind::Unstorable, Refusal(error));
    }
    if is_of_statements(error.code()) {
        let cause = Unprepared(Refusal(error));
        return StoreError::unavailable(operation, cause);
    }
    let incompatible = is_of_a_value(&error)
        || error.code().is_some_and(|state| {
            // Syntax and names, unsuitable data, constraints: these aren't transient.
            ["42", "22", "23", "0A"].iter().any(|class| state.code().starts_with(class))
                && *state != SqlState::INSUFFICIENT_PRIVILEGE
        });
    let kind =
        if incompatible { StoreErrorKind::Incompatible } else { StoreErrorKind::Unavailable };
    StoreError::new(operation, kind, Refusal(error))
}
