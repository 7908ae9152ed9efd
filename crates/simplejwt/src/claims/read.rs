//! Reading a payload, strictly and without copying its contents.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Claims, Member, Span, append, span};
use crate::error::TokenError;
use crate::jws::{MAX_DEPTH, depth};

/// The number of names up to which comparing is faster than hashing.
const FEW: usize = 16;

impl Claims {
    /// Parses a JWT's payload. Duplicate names, trailing data, NaN, invalid UTF-8 and nesting
    /// deeper than 64 are refused.
    pub(crate) fn parse(payload: Vec<u8>) -> Result<Self, TokenError> {
        let mut text = String::from_utf8(payload).map_err(|_| TokenError::Invalid)?;
        let Object { members, escaped } = Object::parse_plain(&text)
            .or_else(|| Object::parse(&text))
            .ok_or(TokenError::Invalid)?;
        let mut claims = Self { text: String::new(), members };
        for (at, name) in escaped {
            if let Some(member) = claims.members.get_mut(at) {
                member.name = append(&mut text, &name);
            }
        }
        claims.text = text;
        for member in &claims.members {
            let value = claims.bytes(member.value);
            if matches!(value, [b'[' | b'{', ..]) && depth(value) > MAX_DEPTH {
                return Err(TokenError::Invalid);
            }
        }
        if claims.has_doubled_names() {
            return Err(TokenError::Invalid);
        }
        Ok(claims)
    }

    fn has_doubled_names(&self) -> bool {
        let names = || self.members.iter().map(|member| self.bytes(member.name));
        if self.members.len() > FEW {
            let mut seen = HashSet::with_capacity(self.members.len());
            return !names().all(|name| seen.insert(name));
        }
        names().enumerate().any(|(i, name)| names().take(i).any(|other| other == name))
    }
}

/// The positions of the members of a JSON object in its text.
#[derive(Default)]
pub(super) struct Object {
    pub(super) members: Vec<Member>,
    /// The names that contain escapes, with their indices.
    escaped: Vec<(usize, String)>,
}

impl Object {
    /// A fast path for the form of nearly all tokens, at a third of the cost: strings without
    /// escapes and integers, without white space. Returns `None` for anything else, valid JSON or
    /// not.
    pub(super) fn parse_plain(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let end_of_string = |start: usize| {
            let rest = bytes.get(start..)?;
            let length = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
            (rest.get(length) == Some(&b'"')).then_some(start + length)
        };
        let mut members = Vec::with_capacity(8);
        let mut at = 0;
        let mut before = b'{';
        loop {
            if bytes.get(at) != Some(&before) || bytes.get(at + 1) != Some(&b'"') {
                return None;
            }
            let name = at + 2;
            let name_end = end_of_string(name)?;
            let value = name_end + 2;
            if bytes.get(name_end + 1) != Some(&b':') {
                return None;
            }
            at = match bytes.get(value)? {
                b'"' => end_of_string(value + 1)? + 1,
                b'1'..=b'9' => {
                    let digits = bytes.get(value..)?;
                    value + digits.iter().position(|byte| !byte.is_ascii_digit())?
                }
                _ => return None,
            };
            members.push(Member { name: span(name, name_end), value: span(value, at) });
            before = b',';
            if bytes.get(at..) == Some(b"}") {
                return Some(Self { members, escaped: Vec::new() });
            }
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_str(text);
        let object = json.deserialize_map(Members { text }).ok()?;
        json.end().ok()?;
        Some(object)
    }
}

struct Members<'a> {
    text: &'a str,
}

impl Members<'_> {
    fn span_of(&self, part: &str) -> Span {
        let start = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        span(start, start.wrapping_add(part.len()))
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object { members: Vec::with_capacity(8), ..Object::default() };
        while let Some(Name(name)) = map.next_key()? {
            let value = self.span_of(map.next_value::<&RawValue>()?.get());
            let name = match name {
                Cow::Borrowed(name) => self.span_of(name),
                Cow::Owned(name) => {
                    object.escaped.push((object.members.len(), name));
                    span(0, 0)
                }
            };
            object.members.push(Member { name, value });
        }
        Ok(object)
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
