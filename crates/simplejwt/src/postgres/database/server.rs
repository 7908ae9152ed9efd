//! Properties of the server: whether a pooler shares its sessions, whether it reports its timeline.

use std::sync::atomic::Ordering;

use deadpool_postgres::{Object, PoolError};
use tokio_postgres::Client;

use super::PostgresDatabase;
use crate::postgres::explain::ConnectError;
use crate::postgres::pooler::{Pooling, pooling};
use crate::postgres::servers::TIMELINE;
use crate::postgres::tokens::PgResult;

const TELLS_TIMELINE: u8 = 1;
const TELLS_NO_TIMELINE: u8 = 2;

impl PostgresDatabase {
    /// Finds out whether a pooler shares sessions; if not, sets up those that are open already.
    pub(super) async fn look_at_sessions(&self, settings: &str) -> Result<(), ConnectError> {
        let shared = &self.shared;
        let refused = |error| ConnectError::of(&shared.target, error);
        let first = match shared.pool.get().await {
            Ok(first) => first,
            Err(error) => return Err(ConnectError::of_first(&shared.target, error).await),
        };
        let several = shared.options.max_connections > 1;
        // A lack of connections is no reason to fail: an operation that gets one checks again.
        let second = if several { shared.pool.get().await.ok() } else { None };
        let pooling = match &second {
            Some(second) => pooling(&first, second).await,
            None => match self.alone(None).await {
                Ok(second) => pooling(&first, &second).await,
                Err(_) => Ok(Pooling::Session),
            },
        };
        let pooling = pooling.map_err(|error| refused(PoolError::Backend(error)))?;
        let _ = shared.pooling.set(pooling);
        match pooling {
            Pooling::Unprepared => {
                return Err(ConnectError::Unprepared { server: shared.target.server() });
            }
            Pooling::Transaction => {
                tracing::info!(
                    event = "pooler_found",
                    "a pooler gives each transaction another connection to PostgreSQL: settings of \
                     sessions and LISTEN aren't used, and revocations are only asked for"
                );
            }
            Pooling::Session => {
                for client in [Some(first), second].into_iter().flatten() {
                    let set = client.batch_execute(settings).await;
                    set.map_err(|error| refused(PoolError::Backend(error)))?;
                }
            }
        }
        Ok(())
    }

    /// Returns `true` if a connection has a session of its own, so that the server can notify it.
    pub(in crate::postgres) async fn has_sessions(&self, client: &Client) -> PgResult<bool> {
        let pooling = match self.shared.pooling.get() {
            Some(known) => *known,
            None => {
                let found = pooling(client, &self.alone(None).await?).await?;
                *self.shared.pooling.get_or_init(|| found)
            }
        };
        Ok(pooling == Pooling::Session)
    }

    /// Returns `true` if the server reports its timeline, which managed ones may not.
    pub(in crate::postgres) async fn tells_timeline(&self) -> bool {
        match self.shared.timeline.load(Ordering::Relaxed) {
            TELLS_TIMELINE => return true,
            TELLS_NO_TIMELINE => return false,
            _ => {}
        }
        let attempts = self.attempts("revocations");
        let Ok(client) = attempts.client().await else { return false };
        let sql = format!("SELECT {TIMELINE}");
        let told = match attempts.limited(client.simple_query(&sql)).await {
            Some(Ok(_)) => TELLS_TIMELINE,
            Some(Err(error)) if error.code().is_some() => TELLS_NO_TIMELINE,
            // Unknown; and no answer may be taken for that to another request.
            _ => {
                drop(Object::take(client));
                return false;
            }
        };
        self.shared.timeline.store(told, Ordering::Relaxed);
        told == TELLS_TIMELINE
    }
}
