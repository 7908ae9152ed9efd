//! Failures to connect to a database, as failures of a command.

use simplejwt::sqlite::OpenError;
use simplejwt::{mysql, postgres};

use crate::failure::{Failure, chain};

/// A wrong URL or file is a fault of the configuration; everything else is the database's, and may
/// be temporary.
pub(crate) fn postgres(error: &postgres::ConnectError) -> Failure {
    use postgres::ConnectError::{Certificates, Identity, Url};

    match error {
        Url(_) | Certificates { .. } | Identity { .. } => Failure::config(chain(error)),
        error if error.is_transient() => Failure::Unreachable(chain(error)),
        error => Failure::Database(chain(error)),
    }
}

/// The same for MySQL and MariaDB.
pub(crate) fn mysql(error: &mysql::ConnectError) -> Failure {
    use mysql::ConnectError::Url;

    match error {
        Url(_) => Failure::config(chain(error)),
        error if error.is_transient() => Failure::Unreachable(chain(error)),
        error => Failure::Database(chain(error)),
    }
}

/// The same for a file, with the sentence for the user.
pub(crate) fn sqlite(error: &OpenError, said: String) -> Failure {
    match error {
        OpenError::Locked { .. } => Failure::Unreachable(said),
        _ => Failure::Database(said),
    }
}
