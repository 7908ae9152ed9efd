//! Checks whether the answers to a history of requests are consistent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet};

use simplejwt::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Login,
    Refresh,
    Logout,
}

/// A request and its outcome. Sessions are numbered by the clients.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) session: usize,
    pub(crate) asked: Asked,
    /// The refresh token that was presented.
    pub(crate) token: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// `None`: the answer was lost, so the outcome is unknown.
    pub(crate) status: Option<u16>,
    /// The refresh token that was issued.
    pub(crate) next: Option<String>,
}

/// Returns all inconsistencies in a history, or nothing if there are none.
///
/// Clients present a spent token only if they haven't used its successor and the grace isn't over,
/// so no session should ever be lost.
pub(crate) fn faults(events: &[Event]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut successors: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut parents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in events {
        if let Some(status) = event.status
            && !matches!(status, 200 | 401 | 503)
        {
            faults.push(format!("status {status}: {event:?}"));
        }
        if let (Asked::Refresh, Some(next)) = (event.asked, &event.next) {
            successors.entry(&event.token).or_default().insert(next);
            parents.entry(next).or_default().insert(&event.token);
        }
    }
    for (token, next) in successors.iter().filter(|(_, next)| next.len() > 1) {
        faults.push(format!("{} successors of one parent: {token}", next.len()));
    }
    for (token, _) in parents.iter().filter(|(_, parents)| parents.len() > 1) {
        faults.push(format!("a successor of several parents: {token}"));
    }
    let mut sessions: BTreeMap<usize, Vec<&Event>> = BTreeMap::new();
    for event in events {
        sessions.entry(event.session).or_default().push(event);
    }
    for events in sessions.values() {
        check_session(events, &mut faults);
    }
    faults
}

fn check_session(events: &[&Event], faults: &mut Vec<String>) {
    let logouts = || events.iter().filter(|event| event.asked == Asked::Logout);
    let logged_out = logouts().filter(|event| event.status == Some(200)).map(|event| event.end);
    let acknowledged = logged_out.min();
    let asked = logouts().map(|event| event.start).min();
    for event in events.iter().filter(|event| event.asked == Asked::Refresh) {
        let accepted = event.status == Some(200);
        if accepted && acknowledged.is_some_and(|at| event.start > at) {
            faults.push(format!("accepted after it was revoked: {event:?}"));
        }
        if event.status == Some(401) && asked.is_none_or(|at| event.end < at) {
            faults.push(format!("a session was lost: {event:?}"));
        }
    }
    // Nothing before the first logout to be answered could have ended the session, except requests
    // whose answers were lost.
    let mut done = false;
    for event in logouts() {
        if event.status == Some(401) && !done {
            faults.push(format!("a session was lost before its logout: {event:?}"));
        }
        done |= matches!(event.status, None | Some(200 | 503));
    }
}

/// Returns the last refresh token of each session that the clients know, and how it ended: `None`
/// if a logout was requested and its outcome is unknown.
pub(crate) fn ends(events: &[Event]) -> BTreeMap<usize, (String, Option<bool>)> {
    let mut ends = BTreeMap::new();
    for event in events {
        let end = ends.entry(event.session).or_insert_with(|| (String::new(), Some(false)));
        if let Some(next) = &event.next {
            end.0.clone_from(next);
        }
        if event.asked == Asked::Logout && end.1 != Some(true) {
            end.1 = (event.status == Some(200)).then_some(true);
        }
    }
    ends.retain(|_, (token, _)| !token.is_empty());
    ends
}

/// Tests the checker with inconsistent histories.
#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, asked: Asked, token: &str, status: Option<u16>, next: &str) -> Event {
        Event {
            session: 0,
            asked,
            token: token.to_owned(),
            start: Timestamp::from_secs(at),
            end: Timestamp::from_secs(at + 1),
            status,
            next: (!next.is_empty()).then(|| next.to_owned()),
        }
    }

    fn good() -> Vec<Event> {
        vec![
            event(0, Asked::Login, "", Some(200), "a"),
            event(2, Asked::Refresh, "a", None, ""),
            event(4, Asked::Refresh, "a", Some(503), ""),
            event(6, Asked::Refresh, "a", Some(200), "b"),
            event(8, Asked::Refresh, "a", Some(200), "b"),
            event(10, Asked::Logout, "b", None, ""),
            event(12, Asked::Logout, "b", Some(401), ""),
            event(14, Asked::Refresh, "b", Some(401), ""),
        ]
    }

    #[test]
    fn a_good_history_is_good() {
        assert_eq!(faults(&good()), [""; 0]);
        assert_eq!(ends(&good()), BTreeMap::from([(0, ("b".to_owned(), None))]));
    }

    #[test]
    fn each_fault_is_found() {
        let found = |change: &dyn Fn(&mut Vec<Event>)| {
            let mut events = good();
            change(&mut events);
            faults(&events).join("\n")
        };
        let fork = found(&|events| events[4].next = Some("c".into()));
        assert!(fork.contains("2 successors"), "{fork}");
        let merge = found(&|events| events.push(event(7, Asked::Refresh, "x", Some(200), "b")));
        assert!(merge.contains("several parents"), "{merge}");
        let late = found(&|events| {
            events[6].status = Some(200);
            events[7].status = Some(200);
        });
        assert!(late.contains("after it was revoked"), "{late}");
        let lost = found(&|events| events[4].status = Some(401));
        assert!(lost.contains("a session was lost"), "{lost}");
        let lost = found(&|events| events[5].status = Some(401));
        assert!(lost.contains("before its logout"), "{lost}");
        let broken = found(&|events| events[2].status = Some(500));
        assert!(broken.contains("status 500"), "{broken}");
    }
}
