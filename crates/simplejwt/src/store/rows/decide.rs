//! The change that a presented refresh token makes to the row that it names.

use super::{Change, InRow, Known, RowEnd, SessionRow, SpentTokens, whole_days};
use crate::clock::Timestamp;
use crate::event::{EndReason, Recorded};
use crate::store::session::verdict::{
    Descendant, Found, Lineage, Spent, TokenState, Verdict, verdict,
};
use crate::store::session::{NextToken, RefreshOutcome, SessionRefresh, Successor};

/// What became of a presented token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is no row.
    Missing,
    /// The outcome.
    Done(Recorded<RefreshOutcome>),
    /// It is valid, but its successor was to be added beside it, for which there is no place.
    NoPlace,
}

/// Decides on a token by the row that it names. `was_good` is `true` if it is known not to have been
/// spent when it was presented.
pub(super) fn refreshed(
    refresh: &SessionRefresh,
    row: &SessionRow,
    was_good: bool,
) -> (Change, Step) {
    let found = found(refresh, row, was_good);
    let done = |outcome| Step::Done(refresh.recorded(outcome, Some(&row.id)));
    match verdict(refresh, &found) {
        Verdict::Answer(outcome) => (Change::None, done(outcome)),
        Verdict::End(reason, outcome) => {
            let end = end(refresh, reason);
            (Change::end(row.ended(&end)), done(outcome))
        }
        Verdict::Refresh { .. } => match gone_on(refresh, row) {
            Some(None) => (Change::None, done(RefreshOutcome::Refreshed)),
            Some(Some(row)) => (Change::replace(row), done(RefreshOutcome::Refreshed)),
            None => (Change::None, Step::NoPlace),
        },
        // Can't be: it is in the session, or names another user's.
        Verdict::Join | Verdict::Blacklist => (Change::None, done(RefreshOutcome::Ended)),
    }
}

/// Decides on a token that names no row, by what the tables of tokens know of it.
pub(super) fn joined(refresh: &SessionRefresh, known: &Known) -> (Change, Step) {
    let done = |outcome| Step::Done(refresh.recorded(outcome, None));
    let no_session = Found::NoSession { owner: None, is_registered: known.is_registered };
    if let Verdict::Answer(outcome) = verdict(refresh, &no_session) {
        return (Change::None, done(outcome));
    }
    let row = joining(refresh);
    let spent = known.blacklisted.map_or(Spent::No, Spent::Blacklisted);
    let found = Found::InSession(state(&row, spent));
    let insert = |row: SessionRow, revocation, unless_listed| Change::Insert {
        row: Box::new(row),
        unless_listed,
        revocation,
    };
    match verdict(refresh, &found) {
        Verdict::Answer(outcome) => (Change::None, done(outcome)),
        Verdict::End(reason, outcome) => {
            let (row, revocation) = row.ended(&end(refresh, reason));
            (insert(row, Some(revocation), None), done(outcome))
        }
        Verdict::Refresh { .. } => match gone_on(refresh, &row) {
            Some(next) => {
                let unless_listed = Some(refresh.token.jti.clone());
                let change = insert(next.unwrap_or(row), None, unless_listed);
                (change, done(RefreshOutcome::Refreshed))
            }
            None => (Change::None, Step::NoPlace),
        },
        // Can't be: its session hasn't ended.
        Verdict::Join | Verdict::Blacklist => (Change::None, done(RefreshOutcome::Ended)),
    }
}

fn end(refresh: &SessionRefresh, reason: EndReason) -> RowEnd {
    RowEnd { reason, at: refresh.cause.at, retain_until: refresh.retain_until }
}

/// Returns the row that a token opens which has none.
fn joining(refresh: &SessionRefresh) -> SessionRow {
    let (session, at) = (&refresh.session, refresh.cause.at);
    SessionRow {
        id: session.id.clone(),
        user_id: session.user_id.clone(),
        created_at: at,
        generation: 0,
        jti: refresh.token.jti.clone(),
        issued_at: at,
        used_at: at,
        expires_at: refresh.token.expires_at,
        access_jti: None,
        spent: SpentTokens::default(),
        password: session.password.clone(),
        client: refresh.cause.client.clone(),
        ended_at: None,
        end_reason: None,
        blacklisted_at: None,
        kept_until: whole_days(refresh.token.expires_at),
    }
}

/// Returns the row after a valid token was refreshed: `Some(None)` if it stays as it is, `None` if
/// it has no place for the successor.
fn gone_on(refresh: &SessionRefresh, row: &SessionRow) -> Option<Option<SessionRow>> {
    let now = refresh.cause.at;
    let address = refresh.cause.client.address.clone();
    let mut next = row.changed();
    next.client.address = address;
    next.used_at = now;
    match &refresh.next {
        NextToken::None => {
            let is_new = row.used_at + SessionRefresh::USE_INTERVAL < now;
            Some(is_new.then_some(next))
        }
        NextToken::Added(_) => None,
        NextToken::Rotated { token, access_jti } => {
            next.spent.add(&row.jti, now, refresh.grace);
            next.jti.clone_from(&token.jti);
            next.issued_at = now;
            next.expires_at = token.expires_at;
            next.access_jti = Some(access_jti.clone());
            next.kept_until = row.kept_until.max(whole_days(token.expires_at));
            Some(Some(next))
        }
    }
}

/// Returns the state of the presented token, as its row has it.
fn found(refresh: &SessionRefresh, row: &SessionRow, was_good: bool) -> Found {
    let spent = match row.state_of(&refresh.token.jti) {
        InRow::Current => row.blacklisted_at.map_or(Spent::No, |at| Spent::Blacklisted(Some(at))),
        // Only its claim says that it is in this session.
        InRow::Spent(_, false) if row.user_id != refresh.session.user_id => {
            return Found::NoSession { owner: Some(row.user_id.clone()), is_registered: true };
        }
        InRow::Spent(at, is_recent) => {
            Spent::Replaced(lineage(refresh, row, at, is_recent, was_good))
        }
    };
    Found::InSession(state(row, spent))
}

fn state(row: &SessionRow, spent: Spent) -> TokenState {
    TokenState {
        session_id: row.id.clone(),
        has_ended: row.ended_at.is_some(),
        has_just_joined: false,
        opened_at: row.created_at,
        used_at: row.used_at,
        password: row.password.clone(),
        // That is what the row does.
        is_registered: true,
        spent,
    }
}

/// Returns the descendants of a spent token: the immediate one, and the current token.
fn lineage(
    refresh: &SessionRefresh,
    row: &SessionRow,
    spent_at: Timestamp,
    is_recent: bool,
    was_good: bool,
) -> Lineage {
    let newest = Descendant {
        successor: Successor {
            jti: row.jti.clone(),
            access_jti: row.access_jti.clone().unwrap_or_default(),
            created_at: row.issued_at,
            same_address: row.client.address == refresh.cause.client.address,
        },
        used_at: row.used_at,
        is_spent: false,
        is_good: row.blacklisted_at.is_none() && row.expires_at > refresh.cause.at,
    };
    let next = row.spent.successor_of(&refresh.token.jti);
    if is_recent && next.is_none() {
        return Lineage::new(refresh, newest, was_good);
    }
    let child = Descendant {
        successor: Successor {
            jti: next.unwrap_or_default().to_owned(),
            access_jti: String::new(),
            created_at: spent_at,
            same_address: true,
        },
        used_at: spent_at,
        is_spent: true,
        is_good: false,
    };
    let mut lineage = Lineage::new(refresh, child, was_good);
    if lineage.wanted().is_some() {
        // The way from a token that isn't kept is too long.
        lineage.follow(is_recent.then_some(newest));
    }
    lineage
}
