//! Stores against the table of `verdict_table.rs`: some cases of each row are made and tried.

use super::verdict_table::{Case, Row, cases, rows};
use super::{act, after, broken, cause, done, flush, good, open, refresh, token};
use crate::settings::Rows;
use crate::store::OutstandingToken;
use crate::store::session::{
    EndEvent, EndReason, EndSessions, NextToken, OpenSession, RefreshOutcome, SessionSelector,
    SessionStore, verdict::Lineage,
};

/// The number of cases of a row that are tried with a rotation.
const OF_A_ROW: usize = 4;

/// Returns the table's word for an outcome.
pub(crate) fn word(outcome: &RefreshOutcome) -> &'static str {
    match outcome {
        RefreshOutcome::Refreshed => "Refreshed",
        RefreshOutcome::Repeated(_) => "Repeated",
        RefreshOutcome::Replayed => "Replayed",
        RefreshOutcome::Reused => "Reused",
        RefreshOutcome::Blacklisted => "Blacklisted",
        RefreshOutcome::Forgotten => "Forgotten",
        RefreshOutcome::Foreign => "Foreign",
        RefreshOutcome::Ended => "Ended",
        RefreshOutcome::Expired => "Expired",
        RefreshOutcome::PasswordChanged => "PasswordChanged",
    }
}

/// The successor of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Rotated,
    Added,
    Nothing,
}

/// Returns cases of a row from its first to its last, and those two also without a rotation.
fn of_row(row: &Row, cases: &[Case]) -> Vec<(Case, Next)> {
    let own: Vec<Case> = cases.iter().filter(|case| row.is_of(case)).copied().collect();
    let few = |case: &Case| if case.newest() == "far" { 1 } else { OF_A_ROW };
    let count = own.first().map_or(0, few).min(own.len());
    let at = |number: usize| number * (own.len() - 1) / (count - 1).max(1);
    let chosen: Vec<Case> = (0..count).filter_map(|number| own.get(at(number))).copied().collect();
    let mut trials: Vec<_> = chosen.iter().map(|case| (*case, Next::Rotated)).collect();
    for case in [chosen.first(), chosen.last()].into_iter().flatten() {
        // Without a successor none can be this call's own.
        if case.spent() != "retried" && case.newest() != "far" {
            trials.extend([(*case, Next::Added), (*case, Next::Nothing)]);
        }
    }
    trials
}

pub(super) async fn every_row_of_the_table_is_kept(store: &impl SessionStore) {
    let mut cases = cases();
    if store.rows() == Rows::Sessions {
        // A session's row is about its token: that can't be gone, nor can another token join. And it
        // lists so many spent tokens.
        cases.retain(|case| {
            let joins = ["own", "closed"].contains(&case.session());
            let is_long_retried = case.spent() == "retried" && case.newest() == "far";
            !joins && !is_long_retried && (case.is_registered() || !case.is_in_session())
        });
    }
    for (row_number, row) in rows().iter().enumerate() {
        for (number, (case, next)) in of_row(row, &cases).into_iter().enumerate() {
            if store.rows() == Rows::Sessions && next == Next::Added && row.done == "stores" {
                continue;
            }
            let trial = Trial { case, next, jti: format!("trial{row_number}-{number}") };
            trial.made(store).await;
            trial.tried(store, row).await;
        }
    }
}

struct Trial {
    case: Case,
    next: Next,
    /// The id of the token, and of its session if it is in one.
    jti: String,
}

impl Trial {
    /// Returns the id of the session that the token is in or names.
    fn session_id(&self) -> String {
        match self.case.session() {
            "own" | "closed" | "foreign" => format!("{}-session", self.jti),
            _ => self.jti.clone(),
        }
    }

    fn descendant(&self, number: usize) -> String {
        format!("{}-{number}", self.jti)
    }

    /// Returns the number of rotations that lead to the newest.
    fn rotations(&self) -> usize {
        if self.case.newest() == "far" { Lineage::FARTHEST + 1 } else { 2 }
    }

    /// Creates the situation of the case.
    async fn made(&self, store: &impl SessionStore) {
        let (case, jti) = (&self.case, self.jti.as_str());
        // Registered so that a purge deletes this one and nothing else.
        let short = OutstandingToken { expires_at: after(-1000), ..token(jti) };
        if case.is_in_session() {
            let registered = if case.is_registered() { token(jti) } else { short };
            let _ = done(store.open(&OpenSession { token: registered, ..open(jti) }).await);
        } else {
            if case.is_registered() {
                done(store.record(&token(jti), &act(after(0))).await);
            }
            if case.session() != "none" {
                let mut other = open(&self.session_id());
                if case.session() == "foreign" {
                    other.session.user_id = "2".into();
                    other.token.user_id = Some("2".into());
                }
                let _ = done(store.open(&other).await);
            }
        }
        match case.spent() {
            "no" => {}
            "listed" => {
                let _ = done(store.blacklist(&token(jti), &act(after(0))).await);
            }
            _ => self.rotated(store).await,
        }
        if case.is_in_session() && !case.is_registered() {
            let flushed = good(store.flush_expired(&flush(after(-500), 10)).await);
            assert_eq!(flushed.deleted, 1, "{case:?}: its row is still there");
        }
        if ["ended", "closed"].contains(&case.session()) {
            let which = SessionSelector::One { id: self.session_id(), user_id: None };
            let retain_until = super::retain_until();
            let end = EndSessions {
                which,
                reason: EndReason::Logout,
                event: EndEvent::SessionsEnded,
                cause: cause(after(0)),
                retain_until,
            };
            assert_eq!(done(store.end_sessions(&end).await), 1, "{case:?}: it hasn't ended");
        }
    }

    async fn rotated(&self, store: &impl SessionStore) {
        let mut spent = self.jti.clone();
        for number in 1..=self.rotations() {
            let descendant = self.descendant(number);
            let mut rotation = refresh(&spent, &descendant);
            rotation.grace = std::time::Duration::from_secs(10);
            if let NextToken::Rotated { token, .. } = &mut rotation.next
                && number == self.rotations()
                && self.case.newest() == "expired"
            {
                token.expires_at = Case::at();
            }
            assert_eq!(done(store.refresh(&rotation).await), RefreshOutcome::Refreshed);
            spent = descendant;
        }
        if self.case.newest() == "listed" {
            let _ = done(store.blacklist(&token(&spent), &act(after(0))).await);
        }
    }

    async fn tried(&self, store: &impl SessionStore, row: &Row) {
        let Self { case, next, jti } = self;
        let next_jti = match case.spent() {
            "retried" => self.descendant(1),
            _ => format!("{jti}-next"),
        };
        let stored = OutstandingToken { created_at: Case::at(), ..token(&next_jti) };
        let asked = match next {
            Next::Rotated => {
                NextToken::Rotated { token: stored, access_jti: format!("access of {next_jti}") }
            }
            Next::Added => NextToken::Added(stored),
            Next::Nothing => NextToken::None,
        };
        let session_id = self.session_id();
        let outcome = done(store.refresh(&case.refresh(jti, &session_id, asked)).await);
        if word(&outcome) != row.outcome {
            broken(&format!("{outcome:?} of {case:?}, next {next:?}, and not as in {row:?}"));
        }
        if let RefreshOutcome::Repeated(successor) = &outcome {
            let newest = self.descendant(self.rotations());
            assert_eq!(successor.jti, newest, "{case:?}");
            assert_eq!(successor.access_jti, format!("access of {newest}"), "{case:?}");
        }
        let ended = good(store.session(&session_id).await).and_then(|session| session.ended_at);
        let expected = match (row.done, case.session()) {
            ("ends", _) => Some(Case::at()),
            (_, "ended" | "closed") => Some(after(0)),
            _ => None,
        };
        assert_eq!(ended, expected, "{case:?}, next {next:?}: when its session was ended");
        if case.spent() != "retried" {
            let is_there = good(store.session_of(&next_jti, None).await).map(|head| head.id);
            let expected = (row.done == "stores" && *next != Next::Nothing).then_some(session_id);
            assert_eq!(is_there, expected, "{case:?}: where {next:?} is");
        }
        let listed = match (row.done, next) {
            ("stores", Next::Rotated) | ("lists", _) => Some(true),
            ("stores", _) => Some(false),
            ("nothing", _) if case.spent() == "no" && case.session() != "ended" => Some(false),
            _ => None,
        };
        if let Some(listed) = listed {
            let found = good(store.is_blacklisted(jti).await);
            assert_eq!(found, listed, "{case:?}, next {next:?}: on the blacklist");
        }
    }
}
