//! A token's claims: an ordered JSON object (RFC 7519 section 4) that is carried over exactly.
//!
//! Numbers, strings and nested values keep their original text and members keep their order, so a
//! claim unknown to this library reaches the next token unchanged.

mod check;
mod read;
mod write;

use std::borrow::Cow;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::settings::Settings;
use crate::users::UserId;
use write::{push_member, push_string};

/// The claims of a token, in order.
///
/// ```
/// use simplejwt::Claims;
///
/// let mut claims = Claims::default();
/// claims.set("name", "Zoë")?;
/// claims.set("groups", ["staff", "editors"])?;
/// assert_eq!(claims.to_json(), r#"{"name":"Zo\u00eb","groups":["staff","editors"]}"#);
/// assert_eq!(claims.get::<Vec<String>>("groups")?.unwrap().len(), 2);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Claims {
    /// The text that the spans point into: the original payload, followed by the values set since.
    text: String,
    members: Vec<Member>,
}

#[derive(Clone, Copy)]
struct Member {
    /// The name, without quotes and escapes.
    name: Span,
    /// The value, as JSON.
    value: Span,
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }
}

impl Claims {
    /// Returns an iterator over the claims in order: the name, and the value as JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|member| (self.slice(member.name), self.slice(member.value)))
    }

    /// Returns the number of claims.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// `true` if there are no claims.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// `true` if the claim is present, even if it is null.
    pub fn contains(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Returns the claim's value as JSON text.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let at = self.position(name)?;
        self.members.get(at).map(|member| self.slice(member.value))
    }

    /// Reads the claim's value as a `T`; `None` if the claim is missing.
    ///
    /// # Errors
    /// The claim is present and isn't a `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.raw(name).map(serde_json::from_str).transpose()
    }

    /// Returns the claim's value, if it is a string.
    pub fn str(&self, name: &str) -> Option<Cow<'_, str>> {
        string(self.raw(name)?)
    }

    /// Sets a claim: in its place if it is present, otherwise at the end.
    ///
    /// # Errors
    /// The value can't be written as JSON (a map whose keys aren't strings).
    pub fn set(&mut self, name: &str, value: impl Serialize) -> Result<(), serde_json::Error> {
        let json = serde_json::to_string(&value)?;
        self.set_raw(name, &json);
        Ok(())
    }

    pub(crate) fn set_str(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        push_string(&mut self.text, value);
        let value = span(start, self.text.len());
        self.put(name, value);
    }

    pub(crate) fn set_int(&mut self, name: &str, value: i64) {
        self.set_raw(name, &value.to_string());
    }

    /// Sets a claim; `json` must be valid JSON.
    pub(crate) fn set_raw(&mut self, name: &str, json: &str) {
        let value = append(&mut self.text, json);
        self.put(name, value);
    }

    fn put(&mut self, name: &str, value: Span) {
        match self.position(name).and_then(|at| self.members.get_mut(at)) {
            Some(member) => member.value = value,
            None => {
                let name = append(&mut self.text, name);
                self.members.push(Member { name, value });
            }
        }
    }

    /// Removes a claim. Returns `true` if it was present.
    pub fn remove(&mut self, name: &str) -> bool {
        self.position(name).map(|at| self.members.remove(at)).is_some()
    }

    /// Returns the claims as compact JSON with non-ASCII characters as `\uXXXX`: the form that
    /// upstream signs.
    pub fn to_json(&self) -> String {
        self.to_json_with(&[], true)
    }

    /// As [`to_json`](Self::to_json), with these values (JSON) in place of the claims' own, or
    /// appended, and without `\uXXXX` unless everything has to be ASCII.
    pub(crate) fn to_json_with(&self, replaced: &[(&str, &str)], ensure_ascii: bool) -> String {
        let mut json = String::with_capacity(self.text.len() + 64);
        json.push('{');
        for (name, value) in self.iter() {
            let value = replaced.iter().find(|(other, _)| *other == name).map_or(value, |r| r.1);
            push_member(&mut json, name, value, ensure_ascii);
        }
        for (name, value) in replaced {
            if !self.contains(name) {
                push_member(&mut json, name, value, ensure_ascii);
            }
        }
        json.push('}');
        json
    }

    /// Returns the value of a claim that identifies the token: a string, or an integer in canonical
    /// text form.
    pub(crate) fn id(&self, claim: &str) -> Option<String> {
        id(self.raw(claim)?).map(Cow::into_owned)
    }

    /// Returns the token's type, if it names one.
    pub(crate) fn token_type(&self, settings: &Settings) -> Option<Cow<'_, str>> {
        self.str(settings.token_type_claim.as_deref()?)
    }

    /// Returns the value of the user claim. A number is accepted in canonical text form, as
    /// upstream wrote it before 5.5.1.
    pub(crate) fn user_id(&self, claim: &str) -> UserClaim {
        let Some(value) = self.raw(claim) else {
            return UserClaim::Missing;
        };
        if value.starts_with('"') {
            return match string(value) {
                Some(id) => UserClaim::Id(UserId::from(id.into_owned())),
                None => UserClaim::Malformed,
            };
        }
        if is_integer(value) { UserClaim::Id(UserId::from(value)) } else { UserClaim::Malformed }
    }

    fn position(&self, name: &str) -> Option<usize> {
        // The length alone tells most names apart.
        self.members.iter().position(|member| {
            member.name.len() == name.len() && self.bytes(member.name) == name.as_bytes()
        })
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.text.as_bytes().get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Equal if the same claims stand in the same order with the same text.
impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            let value: &RawValue =
                serde_json::from_str(value).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// `true` if this JSON is a number without fraction and exponent.
fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the value of a JSON string; `None` for any other JSON.
pub(crate) fn string(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(value).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Returns the value of a JSON string, or the text of an integer; `None` for any other JSON.
fn id(value: &str) -> Option<Cow<'_, str>> {
    string(value).or_else(|| is_integer(value).then_some(Cow::Borrowed(value)))
}

/// The user claim of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserClaim {
    Missing,
    /// Neither a string nor an integer.
    Malformed,
    Id(UserId),
}

fn span(start: usize, end: usize) -> Span {
    // Tokens are limited to kilobytes, and the claims added by hooks must fit into a token.
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: narrow(start), end: narrow(end) }
}

fn append(text: &mut String, part: &str) -> Span {
    let start = text.len();
    text.push_str(part);
    span(start, text.len())
}

#[cfg(test)]
mod tests;
