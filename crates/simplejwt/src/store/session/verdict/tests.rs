//! Every possible case against the table of `conformance/verdict_table.rs`.

use super::*;
use crate::store::OutstandingToken;
use crate::store::conformance::verdict_table::{Case, cases, rows};
use crate::store::session::NextToken;

const OPENED: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);

fn refresh(case: &Case) -> SessionRefresh {
    let next = OutstandingToken {
        jti: "next".into(),
        token: String::new(),
        user_id: None,
        created_at: Case::at(),
        expires_at: Case::at(),
    };
    let next = NextToken::Rotated { token: next, access_jti: "access".into() };
    case.refresh("presented", "session", next)
}

fn descendant(jti: &str, is_spent: bool, is_good: bool) -> Descendant {
    let successor = Successor {
        jti: jti.into(),
        access_jti: "access".into(),
        created_at: OPENED,
        same_address: true,
    };
    Descendant { successor, used_at: OPENED, is_spent, is_good }
}

fn spent(case: &Case, refresh: &SessionRefresh) -> Spent {
    let first = match case.spent() {
        "no" => return Spent::No,
        "listed" => return Spent::Blacklisted(Some(OPENED)),
        "retried" => "next",
        _ => "child",
    };
    let mut lineage = Lineage::new(refresh, descendant(first, true, false), false);
    let mut number = 0;
    while lineage.wanted().is_some() {
        number += 1;
        let is_newest = number == 3 && case.newest() != "far";
        let jti = format!("descendant {number}");
        lineage.follow(Some(descendant(&jti, !is_newest, case.newest() == "good")));
    }
    Spent::Replaced(lineage)
}

fn state(case: &Case, refresh: &SessionRefresh) -> TokenState {
    let (new, joins) = (case.session() == "none", !case.is_in_session());
    TokenState {
        session_id: "session".into(),
        has_ended: ["ended", "closed"].contains(&case.session()),
        has_just_joined: joins,
        opened_at: if new { refresh.cause.at } else { OPENED },
        used_at: if joins { refresh.cause.at } else { OPENED },
        password: if new { refresh.session.password.clone() } else { Some("fingerprint".into()) },
        is_registered: joins || case.is_registered(),
        spent: spent(case, refresh),
    }
}

/// Returns what the function says, in the table's words.
fn said(case: &Case) -> (&'static str, &'static str) {
    let refresh = refresh(case);
    let mut said = None;
    if !case.is_in_session() {
        let owner = match case.session() {
            "none" => None,
            "foreign" => Some("2".into()),
            _ => Some("1".into()),
        };
        let found = Found::NoSession { owner, is_registered: case.is_registered() };
        said = Some(verdict(&refresh, &found)).filter(|said| *said != Verdict::Join);
    }
    let said = said.unwrap_or_else(|| verdict(&refresh, &Found::InSession(state(case, &refresh))));
    match said {
        Verdict::Join => panic!("{case:?}: it joins what it has joined"),
        Verdict::Refresh { register } => {
            assert_eq!(register, case.is_in_session() && !case.is_registered(), "{case:?}");
            ("Refreshed", "stores")
        }
        Verdict::Blacklist => ("Ended", "lists"),
        Verdict::Answer(outcome) => (word(&outcome), "nothing"),
        Verdict::End(reason, outcome) => {
            let expected = match outcome {
                RefreshOutcome::Reused => EndReason::Reuse,
                RefreshOutcome::Blacklisted => EndReason::Blacklisted,
                _ => EndReason::Expired,
            };
            assert_eq!(reason, expected, "{case:?}");
            (word(&outcome), "ends")
        }
    }
}

fn word(outcome: &RefreshOutcome) -> &'static str {
    if let RefreshOutcome::Repeated(successor) = outcome {
        assert_eq!(successor.jti, "descendant 3", "it isn't the newest");
    }
    crate::store::conformance::verdict_trials::word(outcome)
}

#[test]
fn every_case_comes_to_what_its_row_says() {
    let (rows, cases) = (rows(), cases());
    assert!(rows.len() == 24 && cases.len() > 2500, "{} rows, {} cases", rows.len(), cases.len());
    for case in &cases {
        let own: Vec<_> = rows.iter().filter(|row| row.is_of(case)).collect();
        let [row] = own.as_slice() else {
            panic!("{case:?} is of one row, and not of {own:?}");
        };
        assert_eq!(said(case), (row.outcome, row.done), "{case:?} as in {row:?}");
    }
    for row in &rows {
        assert!(cases.iter().any(|case| row.is_of(case)), "no case is of {row:?}");
    }
}

#[test]
fn a_time_of_blacklisting_that_cant_be_read_is_long_ago() {
    let cases = cases();
    let within = |case: &&Case| case.session() == "open" && case.spent() == "listed";
    for case in cases.iter().filter(within) {
        let refresh = refresh(case);
        let found = TokenState { spent: Spent::Blacklisted(None), ..state(case, &refresh) };
        let ends = Verdict::End(EndReason::Blacklisted, RefreshOutcome::Blacklisted);
        assert_eq!(verdict(&refresh, &Found::InSession(found)), ends, "{case:?}");
    }
}

#[test]
fn a_token_that_was_good_when_it_was_presented_was_spent_no_earlier() {
    let replaced = |case: &&Case| {
        let since_long = rows().iter().any(|row| row.is_of(case) && row.outcome == "Reused");
        since_long && case.newest() == "good"
    };
    let cases = cases();
    let case = cases.iter().find(replaced).expect("there is one");
    let refresh = refresh(case);
    let spent = |was_good| {
        let lineage = Lineage::new(&refresh, descendant("child", false, true), was_good);
        let found = TokenState { spent: Spent::Replaced(lineage), ..state(case, &refresh) };
        verdict(&refresh, &Found::InSession(found))
    };
    assert_eq!(spent(false), Verdict::End(EndReason::Reuse, RefreshOutcome::Reused));
    assert!(matches!(spent(true), Verdict::Answer(RefreshOutcome::Repeated(_))));
}

#[test]
fn a_lineage_is_followed_as_far_as_it_counts() {
    let cases = cases();
    let of = |outcome: &str| {
        let row = rows().into_iter().find(|row| row.outcome == outcome).expect("there is one");
        refresh(cases.iter().find(|case| row.is_of(case)).expect("there is one"))
    };
    let within = of("Repeated");
    let mut lineage = Lineage::new(&within, descendant("1", true, false), false);
    for number in 2..=Lineage::FARTHEST {
        assert_eq!(lineage.wanted(), Some((number - 1).to_string().as_str()));
        lineage.follow(Some(descendant(&number.to_string(), true, false)));
    }
    assert_eq!(lineage.wanted(), None, "it goes too far");
    // Gone before it could be read.
    let mut lineage = Lineage::new(&within, descendant("1", true, false), false);
    lineage.follow(None);
    assert_eq!(lineage.wanted(), None);
    // The newest would make no difference.
    let late = of("Reused");
    let late = SessionRefresh { grace: std::time::Duration::ZERO, ..late };
    assert_eq!(Lineage::new(&late, descendant("1", true, false), false).wanted(), None);
    assert_eq!(Lineage::new(&within, descendant("1", false, true), false).wanted(), None);
    assert_eq!(Lineage::new(&within, descendant("next", true, false), false).wanted(), None);
}
