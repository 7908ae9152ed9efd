//! Refreshing a token: reads what [`verdict`] needs, and carries out its decision.

use deadpool_postgres::{GenericClient, Object, Transaction};
use jiff::Timestamp as Moment;

use super::at;
use super::end::end_one;
use super::open::insert_session;
use crate::event::Recorded;
use crate::postgres::rotations::Rotating;
use crate::postgres::statements::{
    BLACKLIST, HOLD, IS_REGISTERED, NOTE_USE, OWNER, STATE, SUCCESSOR, Sql,
};
use crate::postgres::tokens::{PgResult, moment};
use crate::store::session::verdict::{
    Descendant, Found, Lineage, Spent, TokenState, Verdict, verdict,
};
use crate::store::session::{NextToken, RefreshOutcome, SessionRefresh, Successor};

/// The number of times that a token is looked at again, after it has joined a session, was
/// registered again, or was released by another transaction.
const MAX_STEPS: u32 = 5;

/// The verdict on a token about which nothing is unusual.
const USUAL: Verdict = Verdict::Refresh { register: false };

/// The outcome for a token that couldn't simply be spent.
enum Step {
    /// It has joined a session, and has to be looked at again.
    Again,
    Done(Recorded<RefreshOutcome>),
}

impl Sql {
    /// Returns `None` if others interfered repeatedly.
    pub(in crate::postgres) async fn refresh(
        &self,
        client: &mut Object,
        refresh: &SessionRefresh,
        mut was_good: bool,
    ) -> PgResult<Option<Recorded<RefreshOutcome>>> {
        for _ in 0..MAX_STEPS {
            let jti = &refresh.token.jti;
            if refresh.next == NextToken::None
                && let Some(state) = state(client, jti).await?
                && let (used_at, session_id) = (state.used_at, state.session_id.clone())
                && verdict(refresh, &Found::InSession(state)) == USUAL
            {
                if used_at + SessionRefresh::USE_INTERVAL < refresh.cause.at {
                    note_use(client, refresh).await?;
                }
                return Ok(Some(refresh.recorded(RefreshOutcome::Refreshed, Some(&session_id))));
            }
            if let NextToken::Rotated { token, access_jti } = &refresh.next {
                // The rotation waits for another one of this token in progress.
                was_good |= state(client, jti).await?.is_some_and(|s| !s.is_spent());
                let rotating = Rotating::in_session(self, refresh, token, access_jti);
                if let Some(spent) = self.rotations.rotate(&*client, &rotating).await? {
                    let session_id = spent.session_id.as_deref();
                    return Ok(Some(refresh.recorded(RefreshOutcome::Refreshed, session_id)));
                }
            }
            let transaction = client.transaction().await?;
            let step = self.unusual(&transaction, refresh, was_good).await?;
            transaction.commit().await?;
            if let Step::Done(outcome) = step {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    async fn unusual(
        &self,
        transaction: &Transaction<'_>,
        refresh: &SessionRefresh,
        was_good: bool,
    ) -> PgResult<Step> {
        let found = match look_up(transaction, refresh, was_good).await? {
            Some(state) => Found::InSession(state),
            None => return self.join_named(transaction, refresh).await,
        };
        match (verdict(refresh, &found), found) {
            (Verdict::Answer(outcome), found) => {
                Ok(Step::Done(refresh.recorded(outcome, found.session_id())))
            }
            (Verdict::End(reason, outcome), Found::InSession(state)) => {
                let (now, until) = (refresh.cause.at, refresh.retain_until);
                let id = state.session_id;
                let ended = end_one(self, transaction, id.clone(), reason, now, until).await?;
                // Another transaction may have been quicker.
                let outcome = if ended { outcome } else { RefreshOutcome::Ended };
                Ok(Step::Done(refresh.recorded(outcome, Some(&id))))
            }
            (Verdict::Refresh { register }, Found::InSession(state)) => {
                self.carry_on(transaction, refresh, &state.session_id, register).await
            }
            // It is in a session and hasn't just joined it.
            _ => Ok(Step::Again),
        }
    }

    /// Makes a token that is in no session join the one that the call names.
    async fn join_named(
        &self,
        transaction: &Transaction<'_>,
        refresh: &SessionRefresh,
    ) -> PgResult<Step> {
        let (token, now, new) = (&refresh.token, refresh.cause.at, &refresh.session);
        if refresh.has_expired() {
            let owner = transaction.prepare_cached(OWNER).await?;
            let owner = transaction.query_opt(&owner, &[&new.id]).await?;
            let owner: Option<String> = owner.map(|row| row.try_get(0)).transpose()?;
            let registered = transaction.prepare_cached(IS_REGISTERED).await?;
            let is_registered = transaction.query_opt(&registered, &[&token.jti]).await?.is_some();
            let found = Found::NoSession { owner: owner.map(Into::into), is_registered };
            if let Verdict::Answer(outcome) = verdict(refresh, &found) {
                return Ok(Step::Done(refresh.recorded(outcome, None)));
            }
        }
        insert_session(transaction, new, &refresh.cause, token.expires_at).await?;
        // Held until whoever ends the session can see that the token is in it.
        let (ended, owner) = match hold(transaction, &new.id).await? {
            Some((ended, owner)) => (ended, Some(owner.into())),
            None => (true, None),
        };
        if let Verdict::Answer(outcome) =
            verdict(refresh, &Found::NoSession { owner, is_registered: true })
        {
            return Ok(Step::Done(refresh.recorded(outcome, None)));
        }
        self.join(transaction, &new.id, token, token.expires_at, &refresh.cause).await?;
        if !ended {
            return Ok(Step::Again);
        }
        // The consequence of `Verdict::Blacklist` for a token that has just joined an ended
        // session.
        let blacklist = transaction.prepare_cached(BLACKLIST).await?;
        transaction.execute(&blacklist, &[&moment(now), &token.jti]).await?;
        Ok(Step::Done(refresh.recorded(RefreshOutcome::Ended, Some(&new.id))))
    }

    /// Stores what follows a valid token.
    async fn carry_on(
        &self,
        transaction: &Transaction<'_>,
        refresh: &SessionRefresh,
        session_id: &str,
        register: bool,
    ) -> PgResult<Step> {
        // Whoever ends the session has to find its tokens registered.
        let has_to_hold = register || matches!(refresh.next, NextToken::Added(_));
        if has_to_hold && hold(transaction, session_id).await?.is_none_or(|(ended, _)| ended) {
            return Ok(Step::Done(refresh.recorded(RefreshOutcome::Ended, Some(session_id))));
        }
        if register {
            self.record(transaction, &refresh.token).await?;
        }
        match &refresh.next {
            NextToken::None => note_use(transaction, refresh).await?,
            NextToken::Added(next) => {
                self.join(transaction, session_id, next, next.expires_at, &refresh.cause).await?;
            }
            // It was registered again, or was valid in between: another transaction was rolled
            // back.
            NextToken::Rotated { .. } => return Ok(Step::Again),
        }
        Ok(Step::Done(refresh.recorded(RefreshOutcome::Refreshed, Some(session_id))))
    }
}

/// Updates a token's time of use.
async fn note_use(client: &impl GenericClient, refresh: &SessionRefresh) -> PgResult<()> {
    let statement = client.prepare_cached(NOTE_USE).await?;
    let before = (refresh.cause.at - SessionRefresh::USE_INTERVAL).as_micros();
    let (now, address) = (refresh.cause.at.as_micros(), &refresh.cause.client.address);
    client.execute(&statement, &[&refresh.token.jti, &now, address, &before]).await?;
    Ok(())
}

/// Looks up the state of a token that is in a session. Doesn't look for successors of a spent one.
async fn state(client: &impl GenericClient, jti: &str) -> PgResult<Option<TokenState>> {
    let statement = client.prepare_cached(STATE).await?;
    let Some(row) = client.query_opt(&statement, &[&jti]).await? else { return Ok(None) };
    let since: Option<Moment> = row.try_get(6)?;
    let has_successor: bool = row.try_get(7)?;
    Ok(Some(TokenState {
        session_id: row.try_get(0)?,
        has_ended: row.try_get(1)?,
        has_just_joined: false,
        opened_at: at(row.try_get(2)?),
        used_at: at(row.try_get(3)?),
        password: row.try_get(4)?,
        is_registered: row.try_get(5)?,
        spent: match since.is_some() || has_successor {
            true => Spent::Blacklisted(since.map(|moment| at(moment.as_microsecond()))),
            false => Spent::No,
        },
    }))
}

/// Looks up the state, including successors.
async fn look_up(
    client: &impl GenericClient,
    refresh: &SessionRefresh,
    was_good: bool,
) -> PgResult<Option<TokenState>> {
    let jti = &refresh.token.jti;
    let Some(mut state) = state(client, jti).await? else { return Ok(None) };
    if state.is_spent()
        && let Some(child) = descendant(client, jti, refresh).await?
    {
        let mut lineage = Lineage::new(refresh, child, was_good);
        while let Some(jti) = lineage.wanted() {
            let next = descendant(client, jti, refresh).await?;
            lineage.follow(next);
        }
        state.spent = Spent::Replaced(lineage);
    }
    Ok(Some(state))
}

/// Keeps a session from being ended; returns whether it has ended, and its user.
async fn hold(transaction: &Transaction<'_>, id: &str) -> PgResult<Option<(bool, String)>> {
    let statement = transaction.prepare_cached(HOLD).await?;
    let Some(row) = transaction.query_opt(&statement, &[&id]).await? else { return Ok(None) };
    Ok(Some((row.try_get(0)?, row.try_get(1)?)))
}

/// Returns the immediate successor of a token.
async fn descendant(
    client: &impl GenericClient,
    jti: &str,
    refresh: &SessionRefresh,
) -> PgResult<Option<Descendant>> {
    let statement = client.prepare_cached(SUCCESSOR).await?;
    let row = client.query_opt(&statement, &[&jti, &refresh.cause.at.as_micros()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Descendant {
        successor: Successor {
            jti: row.try_get(0)?,
            access_jti: row.try_get::<_, Option<String>>(1)?.unwrap_or_default(),
            created_at: at(row.try_get(2)?),
            same_address: row.try_get::<_, Option<String>>(3)? == refresh.cause.client.address,
        },
        used_at: at(row.try_get(4)?),
        is_spent: row.try_get(5)?,
        is_good: row.try_get(6)?,
    }))
}
