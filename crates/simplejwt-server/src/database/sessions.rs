//! The store of tokens and sessions, which are kept as the configuration says or refused.

use std::sync::Arc;

use simplejwt::error::StoreErrorKind;
use simplejwt::mysql::MysqlStore;
use simplejwt::postgres::PostgresStore;
use simplejwt::settings::Rows;
use simplejwt::sql::schema::SchemaError;
use simplejwt::sqlite::SqliteStore;
use simplejwt::store::rows::{AfterRows, BySession, MoveSessions, RowSessions, TokenSessions};
use simplejwt::{Clock as _, SessionStore, StoreError, SystemClock, Timestamp};

use super::{Backend, Database, failed, schema};
use crate::commands::session::moving;
use crate::failure::Failure;

/// Runs the work on the store of this kind of database, which has to have the table of rows.
macro_rules! with_rows {
    ($database:expr, |$store:ident| $work:expr) => {
        match &$database.backend {
            Backend::Sqlite(database) => {
                let $store = SqliteStore::open(database, &$database.table);
                let $store = $store.map_err(|error| schema(&error))?;
                $store.check_session_rows().map_err(|error| schema(&error))?;
                $work
            }
            Backend::Postgres(database) => {
                let $store = PostgresStore::open(database, &$database.table).await;
                let $store = $store.map_err(|error| schema(&error))?;
                $store.check_session_rows().await.map_err(|error| schema(&error))?;
                $work
            }
            Backend::Mysql(database) => {
                let $store = MysqlStore::open(database, &$database.table).await;
                let $store = $store.map_err(|error| schema(&error))?;
                $store.check_session_rows().await.map_err(|error| schema(&error))?;
                $work
            }
        }
    };
}

impl Database {
    /// Returns the store of tokens, and of sessions if they are enabled.
    ///
    /// # Errors
    /// The sessions aren't kept as the configuration says.
    pub(crate) async fn store(&self) -> Result<Arc<dyn SessionStore>, Failure> {
        match &self.backend {
            Backend::Sqlite(database) => {
                let store = SqliteStore::open(database, &self.table).map_err(|e| schema(&e))?;
                if self.wants_sessions {
                    store.check_sessions().map_err(|e| schema(&e))?;
                }
                self.kept(store.clone(), store.check_session_rows()).await
            }
            Backend::Postgres(database) => {
                let store = PostgresStore::open(database, &self.table).await;
                let store = store.map_err(|error| schema(&error))?;
                if self.wants_sessions {
                    store.check_sessions().await.map_err(|error| schema(&error))?;
                }
                self.kept(store.clone(), store.check_session_rows().await).await
            }
            Backend::Mysql(database) => {
                let store = MysqlStore::open(database, &self.table).await;
                let store = store.map_err(|error| schema(&error))?;
                if self.wants_sessions {
                    store.check_sessions().await.map_err(|error| schema(&error))?;
                }
                self.kept(store.clone(), store.check_session_rows().await).await
            }
        }
    }

    /// Returns the store with sessions as they are configured.
    async fn kept<S: MoveSessions>(
        &self,
        store: S,
        has_rows: Result<(), SchemaError>,
    ) -> Result<Arc<dyn SessionStore>, Failure> {
        if !self.wants_sessions {
            return Ok(Arc::new(store));
        }
        let rows = self.settings.sessions.rows;
        if rows == Rows::Sessions {
            has_rows.as_ref().map_err(schema)?;
        }
        let (of_tokens, of_rows) = counted(&store, rows, has_rows.is_ok()).await?;
        if let Some(problem) = moving::misplaced(rows, of_tokens, of_rows) {
            return Err(Failure::Database(problem));
        }
        Ok(match rows {
            Rows::Sessions => Arc::new(BySession::new(store, &self.settings)),
            Rows::Tokens if of_rows.moved > 0 => Arc::new(AfterRows::new(store)),
            Rows::Tokens => Arc::new(store),
        })
    }

    /// Returns how many sessions are kept by a row for each token, and how many are one row.
    pub(crate) async fn sessions_kept(
        &self,
        at: Timestamp,
    ) -> Result<(TokenSessions, RowSessions), Failure> {
        with_rows!(self, |store| {
            let of_tokens = store.token_sessions(at).await.map_err(|error| failed(&error))?;
            let of_rows = store.row_sessions(at).await.map_err(|error| failed(&error))?;
            Ok((of_tokens, of_rows))
        })
    }

    /// Moves all sessions; returns how many.
    pub(crate) async fn move_sessions(&self, to: Rows) -> Result<u64, Failure> {
        with_rows!(self, |store| moved(&store, to).await.map_err(|error| failed(&error)))
    }
}

/// Returns how many sessions are kept otherwise than the configuration says, and how many were moved
/// away from rows.
async fn counted(
    store: &impl MoveSessions,
    rows: Rows,
    has_rows: bool,
) -> Result<(TokenSessions, RowSessions), Failure> {
    let at = SystemClock.now();
    match rows {
        Rows::Sessions => {
            let of_tokens = store.token_sessions(at).await.map_err(|error| failed(&error))?;
            Ok((of_tokens, RowSessions::default()))
        }
        Rows::Tokens if has_rows => match store.row_sessions(at).await {
            Ok(of_rows) => Ok((TokenSessions::default(), of_rows)),
            // An account that may not read the table has never written it.
            Err(error) if error.kind() == StoreErrorKind::Incompatible => Ok(Default::default()),
            Err(error) => Err(failed(&error)),
        },
        Rows::Tokens => Ok(Default::default()),
    }
}

/// Moves all sessions, in transactions of this many.
async fn moved(store: &impl MoveSessions, to: Rows) -> Result<u64, StoreError> {
    const BATCH: u32 = 500;
    let at = SystemClock.now();
    let (mut after, mut all) = (String::new(), 0);
    loop {
        let moved = match to {
            Rows::Sessions => store.move_to_rows(&after, at, BATCH).await?,
            Rows::Tokens => store.move_to_tokens(&after, at, BATCH).await?,
        };
        all += moved.sessions;
        match moved.next {
            Some(next) => after = next,
            None => return Ok(all),
        }
    }
}
