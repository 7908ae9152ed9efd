//! Times in RFC 3339 format: in UTC, with fractions of a second if there are any.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

use crate::clock::Timestamp;

pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).map_err(S::Error::custom)?;
    serializer.collect_str(&at)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
    Ok(Timestamp::from_micros(at.as_microsecond()))
}
