//! The selection of rows for a sample of a table's password hashes: a few hundred, however many
//! there are, each found by the primary key's index.

use std::collections::HashSet;

use super::table::{hyphenated, uuid_digits};
use crate::random;
use crate::users::login::PasswordSample;

/// The number of rows with the greatest keys: with Django's keys, the newest users.
pub(crate) const NEWEST: u32 = 96;
/// The number of rows with the smallest keys.
pub(crate) const OLDEST: u32 = 32;
/// The number of points in between.
const POINTS: usize = 8;
/// The number of rows from each point.
pub(crate) const AT_EACH_POINT: u32 = 8;

/// The name of `migrate`'s step that creates Django's users' table.
pub(crate) const MADE_USERS: &str = "0001_auth_user";
/// The table in which `migrate` records what it created.
pub(crate) const OUR_RECORD: &str = "simplejwt_migrations";
/// The table in which Django records its migrations.
pub(crate) const DJANGOS_RECORD: &str = "django_migrations";

/// The rows that were read, without duplicates.
#[derive(Default)]
pub(crate) struct Rows {
    keys: HashSet<String>,
    hashes: Vec<String>,
}

impl Rows {
    /// Adds a row: its key as text, and its password column.
    pub(crate) fn add(&mut self, key: String, hash: String) {
        if self.keys.insert(key) {
            self.hashes.push(hash);
        }
    }

    pub(crate) fn into_sample(self, made_here: bool) -> PasswordSample {
        PasswordSample { hashes: self.hashes, made_here }
    }
}

/// Returns keys between two others, in the same form.
pub(crate) fn points(oldest: &str, newest: &str) -> Vec<String> {
    let point: Box<dyn Fn() -> String> = match (oldest.parse::<i64>(), newest.parse::<i64>()) {
        (Ok(oldest), Ok(newest)) => Box::new(move || between(oldest, newest).to_string()),
        _ if uuid_digits(oldest).is_some() && oldest.contains('-') => {
            Box::new(|| hyphenated(&random::uuid4_hex()))
        }
        _ if uuid_digits(oldest).is_some() => Box::new(random::uuid4_hex),
        _ => Box::new(|| random::alphanumeric(2)),
    };
    (0..POINTS).map(|_| point()).collect()
}

/// Returns a random number from an inclusive range. A slight bias doesn't matter here.
fn between(least: i64, most: i64) -> i64 {
    let mut bytes = [0; 8];
    random::fill(&mut bytes);
    let span = i128::from(most) - i128::from(least) + 1;
    let offset = i128::from(u64::from_le_bytes(bytes)) % span.max(1);
    i64::try_from(i128::from(least) + offset).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_keys_of_the_same_form() {
        for point in points("-3", "9") {
            assert!((-3..=9).contains(&point.parse::<i64>().unwrap()), "{point}");
        }
        assert_eq!(points("5", "5"), ["5"; POINTS]);
        let (min, max) = (i64::MIN.to_string(), i64::MAX.to_string());
        assert_eq!(points(&min, &max).len(), POINTS);
        assert_eq!(points("9", "-3").len(), POINTS, "a table that changes meanwhile");
        let hex = "0123456789abcdef0123456789abcdef";
        for point in points(hex, hex) {
            assert!(!point.contains('-') && uuid_digits(&point).is_some(), "{point}");
        }
        for point in points(&hyphenated(hex), &hyphenated(hex)) {
            assert!(point.contains('-') && uuid_digits(&point).is_some(), "{point}");
        }
        assert!(points("alice", "zoe").iter().all(|point| point.len() == 2));
    }

    #[test]
    fn a_row_counts_once() {
        let mut rows = Rows::default();
        for (key, hash) in [("2", "b"), ("1", "a"), ("2", "b"), ("3", "a")] {
            rows.add(key.into(), hash.into());
        }
        assert_eq!(rows.into_sample(true).hashes, ["b", "a", "a"]);
    }
}
