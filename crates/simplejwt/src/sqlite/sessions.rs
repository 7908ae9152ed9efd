//! Sessions in an SQLite file. Each method is one job of the writing thread, and so one transaction
//! that no other interrupts.

mod end;
mod open;
mod refresh;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::statements::{
    FLUSH_SESSIONS, FLUSH_TOKENS, HEAD_OF, IS_SPENT, LEASE, REHASH, show_live, show_one,
};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::Recorded;
use crate::settings::Rows;
use crate::sql::check::{Lines, Uses, trials};
use crate::store::session::{
    Client, EndSessions, OpenOutcome, OpenSession, PINGED, RefreshOutcome, Session, SessionHead,
    SessionRefresh, SessionStore,
};
use crate::users::UserId;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn session_from_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        user_id: row.get::<_, String>(1)?.into(),
        created_at: at(row.get(2)?),
        ended_at: row.get::<_, Option<i64>>(3)?.map(at),
        refreshed_at: at(row.get(5)?),
        expires_at: at(row.get(6)?),
        client: Client { address: row.get(7)?, user_agent: row.get(4)? },
    })
}

fn head(row: &Row<'_>) -> rusqlite::Result<SessionHead> {
    Ok(SessionHead {
        id: row.get(0)?,
        user_id: row.get::<_, String>(1)?.into(),
        created_at: at(row.get(2)?),
        ended_at: row.get::<_, Option<i64>>(3)?.map(at),
        spent_at: row.get::<_, Option<i64>>(4)?.map(at),
    })
}

#[async_trait]
impl SessionStore for SqliteStore {
    fn rows(&self) -> Rows {
        Rows::Tokens
    }

    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
        let (sql, open) = (Arc::clone(&self.sql), open.clone());
        self.database.write("open", move |connection| sql.open(connection, &open)).await
    }

    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        let (sql, refresh) = (Arc::clone(&self.sql), refresh.clone());
        self.database.write("refresh", move |connection| sql.refresh(connection, &refresh)).await
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        self.database.read("session", |connection| {
            connection.prepare_cached(&show_one())?.query_row([id], session_from_row).optional()
        })
    }

    async fn session_of(
        &self,
        jti: &str,
        _: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError> {
        self.database.read("session_of", |connection| {
            connection.prepare_cached(HEAD_OF)?.query_row([jti], head).optional()
        })
    }

    async fn is_spent(&self, jti: &str, _: Option<&str>) -> Result<bool, StoreError> {
        self.database
            .read("is_spent", |connection| connection.prepare_cached(IS_SPENT)?.exists([jti]))
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.database.read("sessions", |connection| {
            connection
                .prepare_cached(&show_live())?
                .query_map(params![user_id.as_str(), at.as_micros()], session_from_row)?
                .collect()
        })
    }

    async fn end_sessions(&self, ending: &EndSessions) -> Result<Recorded<u64>, StoreError> {
        let mut before = 0;
        loop {
            let (sql, ending) = (Arc::clone(&self.sql), ending.clone());
            let batch = move |connection: &Connection| sql.end_batch(connection, &ending, before);
            match self.database.write("end_sessions", batch).await? {
                end::Batch::Last(ended) => return Ok(ended),
                end::Batch::Full(ended) => before += ended,
            }
        }
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let (user_id, old, new) = (user_id.clone(), old.to_owned(), new.to_owned());
        self.database
            .write("password_rehashed", move |connection| {
                rehashed(connection, &user_id, &old, &new)
            })
            .await
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let flush = move |connection: &Connection| {
            let run =
                |sql| connection.prepare_cached(sql)?.execute(params![before.as_micros(), batch]);
            let mut flushed = run(FLUSH_TOKENS)?;
            if flushed < batch as usize {
                for sql in FLUSH_SESSIONS {
                    flushed += run(sql)?;
                }
            }
            Ok(flushed as u64)
        };
        let flushed = self.database.write("flush_sessions", flush).await;
        self.database.has_flushed();
        flushed
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        let sessions = Uses { sessions: true, ..Uses::default() };
        let trials = trials(&sessions, &Lines::Sqlite);
        let ping = move |connection: &Connection| {
            super::tokens::run_all(connection, &trials)?;
            let at = at.as_micros();
            let values = params![PINGED, at.to_string(), at, 0];
            connection.prepare_cached(LEASE)?.execute(values).map(drop)
        };
        self.database.write("ping", ping).await
    }
}

/// Ties sessions to another fingerprint of the same password.
pub(crate) fn rehashed(
    connection: &Connection,
    user_id: &UserId,
    old: &str,
    new: &str,
) -> rusqlite::Result<()> {
    connection.prepare_cached(REHASH)?.execute(params![user_id.as_str(), old, new])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::event::Cause;
    use crate::sql::table::UserTable;
    use crate::sqlite::statements::{ROTATABLE, SHOW, SPEND, SUCCEED};
    use crate::sqlite::{SqliteDatabase, migrate};
    use crate::store::OutstandingToken;
    use crate::store::session::{NewSession, NextToken, RetainUntil};

    /// Returns the cost of a query, in instructions of SQLite's virtual machine.
    fn steps(connection: &Connection, sql: &str, value: &str) -> i32 {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_row([value], |_| Ok(())).unwrap();
        statement.get_status(StatementStatus::VmStep)
    }

    #[test]
    fn a_session_is_found_without_its_other_tokens() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../migrations/sqlite/0005_session.sql")).unwrap();
        let sql = "INSERT INTO simplejwt_session (id, user_id, created_at, expires_at) \
                   VALUES ('0', '1', 0, 1)";
        connection.execute(sql, []).unwrap();
        let measure = |tokens: u32| {
            let sql = "WITH RECURSIVE n (n) AS (VALUES (coalesce(\
                       (SELECT max(rowid) FROM simplejwt_session_token), 0)) \
                       UNION ALL SELECT n + 1 FROM n WHERE n < ?1 - 1) \
                       INSERT INTO simplejwt_session_token \
                       (jti, session_id, parent_jti, created_at, used_at, expires_at) \
                       SELECT n, '0', nullif(n - 1, -1), n, n, n FROM n";
            connection.execute(sql, [tokens]).unwrap();
            let newest = (tokens - 1).to_string();
            let list = format!("{SHOW} WHERE s.id = ?1");
            (steps(&connection, HEAD_OF, &newest), steps(&connection, &list, "0"))
        };
        let (head_before, list_before) = measure(10);
        let (head_after, list_after) = measure(10_000);
        assert_eq!(head_before, head_after);
        assert!(list_after > 100 * list_before, "the measure tells: {list_before} {list_after}");
    }

    /// The instructions of a statement, by name.
    fn opcodes(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
        // Parameters without a value are null, which is enough for an EXPLAIN.
        let rows = statement.raw_query().mapped(|row| row.get("opcode"));
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[tokio::test]
    async fn a_rotation_compiles_nothing_anew_and_makes_no_temporary_table() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db.sqlite3");
        let database = SqliteDatabase::open_or_create(path, Default::default()).unwrap();
        let users = UserTable::default();
        let now = Timestamp::from_secs(1_767_323_045);
        migrate::apply(&database, &users, now).await.unwrap();
        let store = SqliteStore::open(&database, &users).unwrap();
        let later = now + std::time::Duration::from_secs(3600);
        let token = |n: u8| OutstandingToken {
            jti: n.to_string(),
            token: format!("{n}.token"),
            user_id: Some("1".into()),
            created_at: now,
            expires_at: later,
        };
        for n in 0..5 {
            let refresh = SessionRefresh {
                token: token(n),
                next: NextToken::Rotated { token: token(n + 1), access_jti: format!("{n}-access") },
                session: NewSession { id: "0".into(), user_id: "1".into(), password: None },
                grace: std::time::Duration::ZERO,
                tolerance: std::time::Duration::ZERO,
                idle: None,
                lifetime: None,
                cause: Cause::at(now + std::time::Duration::from_secs(n.into())),
                retain_until: RetainUntil { refresh: later, access: later },
            };
            let refreshed = store.refresh(&refresh).await.unwrap();
            assert_eq!(refreshed.outcome, RefreshOutcome::Refreshed);
        }
        let record = store.sql.record.clone();
        let compiled_anew = database.write("count", move |connection| {
            let mut counts = Vec::new();
            for sql in [ROTATABLE, SPEND, SUCCEED, &record] {
                let statement = connection.prepare_cached(sql)?;
                assert!(statement.get_status(StatementStatus::Run) > 4, "{sql}");
                let opcodes = opcodes(connection, sql);
                assert!(!opcodes.iter().any(|name| name == "OpenEphemeral"), "{sql}: {opcodes:?}");
                counts.push(statement.get_status(StatementStatus::RePrepare));
            }
            Ok(counts)
        });
        assert_eq!(compiled_anew.await.unwrap(), [0; 4]);
    }
}
