//! The tokens of a session that were spent last, as they are stored in its row.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::store::session::verdict::Lineage;

/// The tokens of a session that were spent last, the oldest first.
///
/// The one before the current token is always among them, so that a refresh whose answer got lost
/// is recognised. Others are kept for the grace, since they are answered for as long; of all that
/// aren't kept, it is only known when the last of them was spent.
///
/// ```
/// use simplejwt::Timestamp;
/// use simplejwt::store::rows::SpentTokens;
/// use std::time::Duration;
///
/// let at = Timestamp::from_secs;
/// let mut spent = SpentTokens::default();
/// for (jti, second) in [("a", 1), ("b", 2), ("c", 13)] {
///     spent.add(jti, at(second), Duration::from_secs(10));
/// }
/// assert_eq!(spent.spent_at("c"), Some(at(13)));
/// assert_eq!((spent.spent_at("b"), spent.others_until()), (None, Some(at(2))));
/// assert_eq!(SpentTokens::parse(&spent.to_text()), spent);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpentTokens {
    recent: Vec<(String, Timestamp)>,
    others_until: Option<Timestamp>,
}

impl SpentTokens {
    /// The maximum number of tokens.
    pub const MOST: usize = Lineage::FARTHEST;
    /// The maximum length of the text, in bytes, if there is more than one token.
    const LONGEST: usize = 16_000;

    /// Creates the list with one token that was spent at this time.
    pub fn of(jti: &str, at: Timestamp) -> Self {
        Self { recent: vec![(jti.to_owned(), at)], others_until: None }
    }

    /// Adds the token that is spent now, and drops those that were spent longer than `grace` ago.
    pub fn add(&mut self, jti: &str, now: Timestamp, grace: Duration) {
        let mut length = 0;
        let mut keep = 0;
        for (jti, at) in self.recent.iter().rev() {
            length += jti.len() + 24;
            if *at + grace <= now || keep + 1 >= Self::MOST || length > Self::LONGEST {
                break;
            }
            keep += 1;
        }
        for (_, at) in self.recent.drain(..self.recent.len() - keep) {
            self.others_until = self.others_until.max(Some(at));
        }
        self.recent.push((jti.to_owned(), now));
    }

    /// Returns the time at which the token was spent, if it is among them.
    pub fn spent_at(&self, jti: &str) -> Option<Timestamp> {
        self.recent.iter().find(|(recent, _)| recent == jti).map(|(_, at)| *at)
    }

    /// Returns the id of the token that replaced this one, if that is spent, too.
    pub(crate) fn successor_of(&self, jti: &str) -> Option<&str> {
        let place = self.recent.iter().position(|(recent, _)| recent == jti)?;
        self.recent.get(place + 1).map(|(next, _)| next.as_str())
    }

    /// Returns the time at which the last of all other spent tokens was spent; `None` if there is
    /// no other.
    pub fn others_until(&self) -> Option<Timestamp> {
        self.others_until
    }

    /// Returns an iterator over the tokens and the times at which they were spent, the oldest
    /// first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.recent.iter().map(|(jti, at)| (jti.as_str(), *at))
    }

    /// Returns the text that is stored: a list in JSON, of the time of all others or null, and then
    /// of ids and times in turn, in microseconds since 1970.
    pub fn to_text(&self) -> String {
        let time = |at: Timestamp| Value::from(at.as_micros());
        let recent = self.recent.iter().flat_map(|(jti, at)| [Value::from(&**jti), time(*at)]);
        let others = self.others_until.map_or(Value::Null, time);
        Value::Array([others].into_iter().chain(recent).collect()).to_string()
    }

    /// Reads what [`to_text`](Self::to_text) has returned. Any other text is an empty list: then
    /// every token but the current one was spent long ago.
    pub fn parse(text: &str) -> Self {
        let Ok(list) = serde_json::from_str::<Vec<Value>>(text) else { return Self::default() };
        let time = |value: &Value| value.as_i64().map(Timestamp::from_micros);
        let Some((others, recent)) = list.split_first() else { return Self::default() };
        let pair = |pair: &[Value]| match pair {
            [jti, at] => Some((jti.as_str()?.to_owned(), time(at)?)),
            _ => None,
        };
        let recent = recent.chunks(2).map(pair).collect::<Option<_>>();
        recent.map_or_else(Self::default, |recent| Self { recent, others_until: time(others) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    #[test]
    fn the_last_one_stays_whatever_the_grace_is() {
        let mut spent = SpentTokens::default();
        assert_eq!((spent.to_text().as_str(), spent.others_until()), ("[null]", None));
        for second in 0..3 {
            spent.add(&second.to_string(), at(second), Duration::ZERO);
            assert_eq!(spent.iter().count(), 1);
            assert_eq!(spent.spent_at(&second.to_string()), Some(at(second)));
            assert_eq!(spent.others_until(), (second > 0).then(|| at(second - 1)));
        }
    }

    #[test]
    fn so_many_are_kept() {
        let mut spent = SpentTokens::default();
        for second in 0..250 {
            spent.add(&second.to_string(), at(second), Duration::from_secs(1000));
        }
        assert_eq!(spent.iter().count(), SpentTokens::MOST);
        assert_eq!(spent.others_until(), Some(at(149)));
        assert_eq!(spent.successor_of("200"), Some("201"));
        assert_eq!((spent.successor_of("249"), spent.successor_of("149")), (None, None));
        let long = "\u{1f511}".repeat(255);
        for second in 0..100 {
            spent.add(&long, at(second), Duration::from_secs(1000));
        }
        assert!(spent.to_text().len() < 2 * SpentTokens::LONGEST);
        assert!(spent.iter().count() > 10);
    }

    #[test]
    fn a_text_is_read_or_is_no_list() {
        let mut spent = SpentTokens::of("\"odd\" \u{1f511}", at(5));
        spent.add("b", at(6), Duration::from_secs(9));
        assert_eq!(SpentTokens::parse(&spent.to_text()), spent);
        for text in ["", "[]", "{}", "null", "[null,1]", "[null,\"a\"]", "[1,\"a\",\"b\"]", "[1"] {
            assert_eq!(SpentTokens::parse(text).iter().count(), 0, "{text}");
        }
    }
}
