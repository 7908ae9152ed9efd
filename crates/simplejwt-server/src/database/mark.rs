//! The mark of a realm on its tables, so that no other uses them by mistake.

use simplejwt::{Clock as _, SystemClock, Timestamp};

use super::{Database, failed};
use crate::config::{Config, KeyStorage};
use crate::failure::Failure;

/// The lease that a realm has for good.
const NAME: &str = "realm";
/// In the year 9000: before the end of time of every database.
const FOR_GOOD: Timestamp = Timestamp::from_secs(221_845_392_000);

impl Database {
    /// Marks the tables of tokens, sessions and keys as the realm's, if there are several realms.
    ///
    /// # Errors
    /// They are another realm's.
    pub(crate) async fn mark(&self, config: &Config) -> Result<(), Failure> {
        let has_tables =
            config.settings.token_blacklist || config.keys.store == KeyStorage::Database;
        let Some(mark) = config.realm.mark().filter(|_| has_tables) else { return Ok(()) };
        let store = self.store().await?;
        let marked = store.lease(NAME, mark, SystemClock.now(), FOR_GOOD).await;
        match marked.map_err(|error| failed(&error))? {
            true => Ok(()),
            false => Err(Failure::Database(format!(
                "the tables in its database are another realm's, with which its tokens and sessions \
                 must not be mixed: name its own in {}: a url with another database (for \
                 PostgreSQL, another ?schema=NAME is enough), or a path with another file. If the \
                 realm was renamed, delete the row of simplejwt_lease whose name is 'realm'",
                config.realm.table("database")
            ))),
        }
    }
}
