//! The outcomes for a presented refresh token as a table: each case belongs to one row.
//!
//! The pure function is tested with every case, a store with some of every row.

use std::time::Duration;

use super::{after, cause, session, token};
use crate::clock::Timestamp;
use crate::store::session::{NextToken, SessionRefresh};

/// The words of a case, by the table's columns:
///
/// - session: the token is in one that is `open` or has `ended`; or in none yet, and the one that
///   it names doesn't exist (`none`), is its user's (`own`), is its user's and has ended
///   (`closed`), or is another user's (`foreign`).
/// - spent: `no`; blacklisted by somebody else (`listed`); `replaced` by a successor; `retried`,
///   with the very successor of this call.
/// - since: it was spent within the grace and the tolerance (`both`), within one of them, or a
///   `long` time ago.
/// - newest: its newest descendant is `good`, blacklisted (`listed`), `expired`, or too `far` away
///   to be found.
/// - limits: the session keeps `within` its limits, was `idle` too long, or is past its `lifetime`.
/// - password: the session's is the `same` as the user's, an `other`, or the user's is `untold`.
/// - row: the token is registered (`kept`), also past its expiry (`late`); or its row is `gone`,
///   also past its expiry (`lost`).
///
/// The action: `nothing`; it `ends` the session; it `stores` the successor; it `lists` the token.
pub(crate) const TABLE: &str = "
session          spent     since           newest          limits         password     row            | outcome          done
foreign          *         *               *               *              *            *              | Foreign          nothing
none/own/closed  no        *               *               *              *            lost           | Forgotten        nothing
closed           no        *               *               *              *            kept/late/gone | Ended            lists
closed           listed    *               *               *              *            *              | Ended            lists
ended            *         *               *               *              *            *              | Ended            nothing
open             retried   *               *               *              *            *              | Refreshed        nothing
open             replaced  both/grace      far             *              *            *              | Replayed         nothing
open             replaced  both/grace      good            idle/lifetime  *            *              | Expired          ends
open             replaced  both/grace      good            within         other        *              | PasswordChanged  nothing
open             replaced  both/grace      good            within         same/untold  *              | Repeated         nothing
open             replaced  both            listed/expired  *              *            *              | Replayed         nothing
open             replaced  grace           listed/expired  *              *            *              | Reused           ends
open             replaced  tolerance       *               *              *            *              | Replayed         nothing
open             replaced  long            *               *              *            *              | Reused           ends
none/own/open    listed    both/tolerance  *               *              *            *              | Replayed         nothing
none/own/open    listed    grace/long      *               *              *            *              | Blacklisted      ends
none             no        *               *               *              *            kept/late/gone | Refreshed        stores
own              no        *               *               lifetime       *            kept/late/gone | Expired          ends
own              no        *               *               within/idle    other        kept/late/gone | PasswordChanged  nothing
own              no        *               *               within/idle    same/untold  kept/late/gone | Refreshed        stores
open             no        *               *               idle/lifetime  *            *              | Expired          ends
open             no        *               *               within         other        *              | PasswordChanged  nothing
open             no        *               *               within         same/untold  lost           | Forgotten        nothing
open             no        *               *               within         same/untold  kept/late/gone | Refreshed        stores
";

const COLUMNS: usize = 7;

/// The words that a column can have; `-` if nothing is spent.
const WORDS: [&[&str]; COLUMNS] = [
    &["open", "ended", "none", "own", "closed", "foreign"],
    &["no", "listed", "replaced", "retried"],
    &["-", "both", "grace", "tolerance", "long"],
    &["-", "good", "listed", "expired", "far"],
    &["within", "idle", "lifetime"],
    &["same", "other", "untold"],
    &["kept", "late", "gone", "lost"],
];

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    words: [&'static str; COLUMNS],
    pub(crate) outcome: &'static str,
    pub(crate) done: &'static str,
}

impl Row {
    pub(crate) fn is_of(&self, case: &Case) -> bool {
        let fits = |(row, word): (&&str, &&str)| *row == "*" || row.split('/').any(|w| w == *word);
        self.words.iter().zip(&case.0).all(fits)
    }
}

/// Returns the rows.
pub(crate) fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let mut words = line.split_whitespace().filter(|word| *word != "|");
        let mut next = || words.next().unwrap_or_default();
        Row { words: std::array::from_fn(|_| next()), outcome: next(), done: next() }
    };
    TABLE.trim().lines().skip(1).map(row).collect()
}

/// A case: a word for each column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case([&'static str; COLUMNS]);

impl Case {
    pub(crate) fn session(&self) -> &'static str {
        self.0[0]
    }

    pub(crate) fn spent(&self) -> &'static str {
        self.0[1]
    }

    pub(crate) fn newest(&self) -> &'static str {
        self.0[3]
    }

    /// Returns `true` if the token is in a session before it is presented.
    pub(crate) fn is_in_session(&self) -> bool {
        ["open", "ended"].contains(&self.session())
    }

    pub(crate) fn is_registered(&self) -> bool {
        ["kept", "late"].contains(&self.0[6])
    }

    /// Returns `true` if there can be such a case.
    fn is_possible(&self) -> bool {
        let [_, spent, since, newest, ..] = self.0;
        match spent {
            "no" => since == "-" && newest == "-",
            // An entry of the blacklist refers to the token's row.
            "listed" => since != "-" && newest == "-" && self.is_registered(),
            _ => since != "-" && newest != "-" && self.is_in_session(),
        }
    }

    /// The time at which it is presented. Everything before was at `after(0)`.
    pub(crate) const AT: i64 = 5;

    /// Returns the call for a token `jti` that names the session `session_id`.
    pub(crate) fn refresh(&self, jti: &str, session_id: &str, next: NextToken) -> SessionRefresh {
        const SHORT: Duration = Duration::from_secs(3);
        const LONG: Duration = Duration::from_secs(10);
        let [_, _, since, _, limits, password, row] = self.0;
        let long_if = |is_long: bool| if is_long { LONG } else { SHORT };
        let mut presented = token(jti);
        if ["late", "lost"].contains(&row) {
            presented.expires_at = after(Self::AT);
        }
        let mut session = session(session_id);
        match password {
            "other" => session.password = Some("another".into()),
            "untold" => session.password = None,
            _ => {}
        }
        SessionRefresh {
            token: presented,
            next,
            session,
            grace: long_if(["both", "grace"].contains(&since)),
            tolerance: long_if(["both", "tolerance"].contains(&since)),
            idle: Some(long_if(limits != "idle")),
            lifetime: Some(long_if(limits != "lifetime")),
            cause: cause(Self::at()),
            retain_until: super::retain_until(),
        }
    }

    pub(crate) fn at() -> Timestamp {
        after(Self::AT)
    }
}

/// Returns every possible case.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![Case([""; COLUMNS])];
    for (column, words) in WORDS.iter().enumerate() {
        cases = cases
            .iter()
            .flat_map(|case| {
                words.iter().map(move |&word| {
                    let mut longer = *case;
                    if let Some(place) = longer.0.get_mut(column) {
                        *place = word;
                    }
                    longer
                })
            })
            .collect();
    }
    cases.retain(Case::is_possible);
    cases
}
