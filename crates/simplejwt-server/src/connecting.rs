//! What it means for a command that a database can't be connected to.

use simplejwt::sqlite::OpenError;
use simplejwt::{mysql, postgres};

use crate::failure::{Failure, chain};

/// A URL or a file that it names is the configuration's; the rest is the database's, and may pass.
pub(crate) fn postgres(error: &postgres::ConnectError) -> Failure {
    use postgres::ConnectError::{Certificates, Identity, Url};

    match error {
        Url(_) | Certificates { .. } | Identity { .. } => Failure::config(chain(error)),
        error if error.is_transient() => Failure::Unreachable(chain(error)),
        error => Failure::Database(chain(error)),
    }
}

/// The same of MySQL and MariaDB.
pub(crate) fn mysql(error: &mysql::ConnectError) -> Failure {
    use mysql::ConnectError::Url;

    match error {
        Url(_) => Failure::config(chain(error)),
        error if error.is_transient() => Failure::Unreachable(chain(error)),
        error => Failure::Database(chain(error)),
    }
}

/// The same of a file, with what is to be said of it.
pub(crate) fn sqlite(error: &OpenError, said: String) -> Failure {
    match error {
        OpenError::Locked { .. } => Failure::Unreachable(said),
        _ => Failure::Database(said),
    }
}
