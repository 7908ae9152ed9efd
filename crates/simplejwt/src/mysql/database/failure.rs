//! MySQL's errors: which of them are transient, and the store's error for each.

use mysql_async::prelude::FromValue;
use mysql_async::{Error, Row};

use crate::error::StoreErrorKind;

/// The reason an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Mysql(#[from] Error),
    #[error("a column holds a value of another type than is expected")]
    Shape,
    #[error("the token's id is that of another token but for the case of its letters")]
    Collision,
    /// Something changed in the meantime: the operation is repeated.
    #[error("other transactions came between, again and again")]
    Again,
}

/// The way to deal with a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The connection is gone, or leads to a server that is no longer writable: repeat on another.
    Reconnect,
    /// The transaction lost to another: repeat.
    Repeat,
    /// There is none: the operation fails.
    GiveUp(StoreErrorKind),
}

impl Failure {
    pub(super) fn remedy(&self) -> Remedy {
        let error = match self {
            Self::Mysql(error) => error,
            Self::Again => return Remedy::Repeat,
            Self::Shape | Self::Collision => {
                return Remedy::GiveUp(StoreErrorKind::Incompatible);
            }
        };
        match error {
            Error::Server(error) => match error.code {
                // Deadlock (also over the next number of AUTO_INCREMENT), lock wait, a row that
                // changed, and a foreign key whose row has only just appeared or vanished (1216 and
                // 1217 for an account of MySQL 8.0 that lacks some rights).
                1213 | 1205 | 1020 | 1216 | 1217 | 1451 | 1452 | 1467 => Remedy::Repeat,
                // Shutdown, killed, the server's limits of idleness; read-only.
                1053
                | 1077
                | 1078
                | 1079
                | 1080
                | 1152..=1161
                | 1184
                | 1927
                | 4031
                | 1290
                | 1792
                | 1836
                | 3100
                | 1047
                // Something failed during the commit: its outcome is unknown.
                | 1180 => Remedy::Reconnect,
                // A text with a character that the column's charset lacks, stored or compared, or
                // one that is too long for it.
                1366 | 1406 | 1267 | 1270 | 1271 | 1977 | 3854 | 3988 => {
                    Remedy::GiveUp(StoreErrorKind::Unstorable)
                }
                // No such table or column, another number of values, a type that doesn't fit.
                1054 | 1064 | 1109 | 1146 | 1136 | 1364 | 1264 | 1265 | 1292 | 1048 | 1062 => {
                    Remedy::GiveUp(StoreErrorKind::Incompatible)
                }
                _ => Remedy::GiveUp(StoreErrorKind::Unavailable),
            },
            Error::Url(_) => Remedy::GiveUp(StoreErrorKind::Incompatible),
            _ => Remedy::Reconnect,
        }
    }

    /// Returns `true` if a failure of several may be due to one of them, so that the others would
    /// succeed without it.
    pub(crate) fn may_be_of_one(&self) -> bool {
        match self.remedy() {
            Remedy::Repeat => true,
            Remedy::Reconnect => false,
            Remedy::GiveUp(kind) => kind != StoreErrorKind::Unavailable || self.is_denied(),
        }
    }

    /// Returns `true` if the account lacks a right.
    fn is_denied(&self) -> bool {
        matches!(self, Self::Mysql(Error::Server(error)) if matches!(error.code, 1142 | 1143))
    }

    /// Returns `true` if a foreign key refused a row because it refers to none.
    pub(crate) fn is_of_the_user(&self) -> bool {
        matches!(self, Self::Mysql(Error::Server(error)) if matches!(error.code, 1216 | 1452))
    }

    /// Returns `true` if a unique key refused a row.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Mysql(Error::Server(error)) if error.code == 1062)
    }
}

/// Returns a row's column, without the panic of the driver's own conversion.
pub(crate) fn column<T: FromValue>(row: &Row, at: usize) -> Result<T, Failure> {
    match row.get_opt(at) {
        Some(Ok(value)) => Ok(value),
        _ => Err(Failure::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MySQL 8.0 reports another number to an account that lacks some rights.
    #[test]
    fn a_foreign_key_refuses_by_either_number() {
        for (code, is_of_the_user) in [(1216, true), (1452, true), (1217, false), (1451, false)] {
            let (message, state) = ("a foreign key constraint fails".into(), "23000".into());
            let error = mysql_async::ServerError { code, message, state };
            let failure = Failure::Mysql(Error::Server(error));
            assert_eq!(failure.remedy(), Remedy::Repeat, "{code}");
            assert_eq!(failure.is_of_the_user(), is_of_the_user, "{code}");
        }
    }
}
