//! Sessions as one row each, in memory: the reference implementation of [`SessionRows`].

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::rows::{Change, Changed, Known, RowEnd, SessionRow, SessionRows};
use crate::store::session::{Revocation, SessionLimit};
use crate::users::UserId;

impl State {
    /// Returns a user's rows that haven't ended, the oldest first.
    fn unended(&self, user_id: &UserId) -> Vec<SessionRow> {
        let rows = self.sessions.rows.values();
        let mut rows: Vec<_> =
            rows.filter(|row| row.user_id == *user_id && row.ended_at.is_none()).cloned().collect();
        rows.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        rows
    }

    /// Returns `false` if another change came first.
    fn carry_out(&mut self, change: Change) -> bool {
        let (row, revocation) = match change {
            Change::None => return true,
            Change::Insert { row, unless_listed, revocation } => {
                let is_listed = unless_listed.is_some_and(|jti| self.is_blacklisted(&jti));
                if is_listed || self.sessions.rows.contains_key(&row.id) {
                    return false;
                }
                (row, revocation)
            }
            Change::Replace { row, revocation } => {
                let found = self.sessions.rows.get(&row.id);
                if found.is_none_or(|found| found.generation + 1 != row.generation) {
                    return false;
                }
                (row, revocation)
            }
        };
        self.sessions.rows.insert(row.id.clone(), *row);
        if let Some(Revocation { subject, revoked_at, expires_at }) = revocation {
            self.revoke(subject, revoked_at, expires_at);
        }
        true
    }

    fn end_row(&mut self, row: &SessionRow, end: &RowEnd) {
        self.carry_out(Change::end(row.ended(end)));
    }
}

#[async_trait]
impl SessionRows for MemoryStore {
    async fn row(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        Ok(self.lock().sessions.rows.get(id).cloned())
    }

    async fn change<T, W>(
        &self,
        _: &'static str,
        id: &str,
        work: W,
    ) -> Result<Changed<T>, StoreError>
    where
        T: Send + 'static,
        W: Fn(Option<&SessionRow>) -> (Change, T) + Send + Sync + 'static,
    {
        let mut state = self.lock();
        let (change, outcome) = work(state.sessions.rows.get(id));
        Ok(match state.carry_out(change) {
            true => Changed::Done(outcome),
            false => Changed::Lost(outcome),
        })
    }

    async fn open_row(
        &self,
        row: &SessionRow,
        limit: SessionLimit,
        end: &RowEnd,
    ) -> Result<Option<u64>, StoreError> {
        let mut state = self.lock();
        let mut live = state.unended(&row.user_id);
        live.retain(|other| other.id != row.id && other.is_live(end.at));
        let Some(surplus) = limit.surplus(live.len()) else { return Ok(None) };
        live.truncate(surplus);
        for other in &live {
            state.end_row(other, end);
        }
        let id = row.id.clone();
        state.sessions.rows.entry(id).or_insert_with(|| row.clone());
        Ok(Some(live.len() as u64))
    }

    async fn live_rows(
        &self,
        user_id: &UserId,
        at: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let mut rows = self.lock().unended(user_id);
        rows.retain(|row| row.is_live(at));
        rows.sort_by_key(|row| std::cmp::Reverse(row.used_at));
        Ok(rows)
    }

    async fn end_rows(
        &self,
        user_id: &UserId,
        except: Option<&str>,
        end: &RowEnd,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut state = self.lock();
        let mut rows = state.unended(user_id);
        rows.retain(|row| Some(row.id.as_str()) != except);
        rows.truncate(limit as usize);
        for row in &rows {
            state.end_row(row, end);
        }
        Ok(rows.len() as u64)
    }

    async fn rehash_rows(&self, user_id: &UserId, old: &str, new: &str) -> Result<(), StoreError> {
        for row in self.lock().sessions.rows.values_mut() {
            if row.user_id == *user_id && row.password.as_deref() == Some(old) {
                row.password = Some(new.to_owned());
                row.generation += 1;
            }
        }
        Ok(())
    }

    async fn flush_rows(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let mut deleted = 0;
        self.lock().sessions.rows.retain(|_, row| {
            let goes = row.kept_until <= before && deleted < u64::from(batch);
            deleted += u64::from(goes);
            !goes
        });
        Ok(deleted)
    }

    async fn known(&self, jti: &str) -> Result<Known, StoreError> {
        let state = self.lock();
        let entry = state.tokens.get(jti);
        Ok(Known {
            is_registered: entry.is_some(),
            blacklisted: entry.and_then(|entry| entry.blacklisted_at).map(Some),
            session: state.sessions.session_with(jti),
        })
    }

    async fn ping_rows(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
