//! Revocations in memory, numbered as they are made, and the leases.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Recorded};
use crate::store::feed::{
    self, AccessClaims, Revocation, RevocationFeed, RevocationSubject, Revocations,
};
use crate::store::leases::Leases;

impl State {
    pub(super) fn revoke(
        &mut self,
        subject: RevocationSubject,
        revoked_at: Timestamp,
        expires_at: Timestamp,
    ) {
        self.sessions.sequence += 1;
        let revocation = Revocation { subject, revoked_at, expires_at };
        self.sessions.revocations.insert(self.sessions.sequence, revocation);
    }
}

#[async_trait]
impl RevocationFeed for MemoryStore {
    async fn revoke(&self, revocation: &Revocation, act: &Act) -> Result<Recorded<()>, StoreError> {
        let Revocation { subject, revoked_at, expires_at } = revocation.clone();
        self.lock().revoke(subject, revoked_at, expires_at);
        Ok(act.recorded(()))
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        let state = self.lock();
        let (newest, rows) = (state.sessions.sequence, &state.sessions.revocations);
        let live = rows
            .range(after.saturating_add(1)..)
            .filter(|(_, revocation)| revocation.expires_at > at)
            .take(limit as usize);
        let ends = [after, newest].into_iter().filter_map(|number| rows.get_key_value(&number));
        let found: BTreeMap<_, _> = live.chain(ends).collect();
        let row = |(sequence, revocation): (&i64, &Revocation)| {
            let (kind, subject) = revocation.subject.words();
            feed::Row {
                sequence: *sequence,
                kind: kind.to_owned(),
                subject: subject.to_owned(),
                revoked_at: revocation.revoked_at,
                expires_at: revocation.expires_at,
            }
        };
        let asked = feed::Asked { after, limit, at };
        Ok(asked.answer(newest, found.into_iter().map(row)))
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        let state = self.lock();
        if let Some(id) = &access.session
            && state.sessions.sessions.get(id).is_none_or(|row| {
                let is_foreign = access.user_id.as_ref().is_some_and(|user| *user != row.user_id);
                row.ended_at.is_some() || is_foreign
            })
        {
            return Ok(true);
        }
        let live = state.sessions.revocations.values().filter(|entry| entry.expires_at > at);
        Ok(live.into_iter().any(|entry| access.is_covered_by(&entry.subject, entry.revoked_at)))
    }

    async fn revocation_notice(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }
}

#[async_trait]
impl Leases for MemoryStore {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let leases = &mut state.sessions.leases;
        match leases.get(name) {
            Some((other, expires_at)) if other != holder && *expires_at > at => Ok(false),
            _ => {
                leases.insert(name.to_owned(), (holder.to_owned(), until));
                Ok(true)
            }
        }
    }
}
