//! A token's claims: an ordered JSON object (RFC 7519 section 4) that is carried over exactly.
//!
//! Numbers, strings and nested values keep the text they came with, and members keep their
//! order, so a claim that nobody here understands reaches the next token unchanged.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::error::TokenError;
use crate::settings::Settings;
use crate::users::UserId;

/// How deep arrays and objects may be nested in a claim.
const MAX_DEPTH: usize = 64;
/// The first second of the year 10000, which neither Python's datetimes nor SQL's can hold.
const YEAR_10000: i64 = 253_402_300_800;

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
    /// What the spans point into: the payload as it came, and what was set since.
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

impl Claims {
    /// Reads a JWT's payload. Doubled names, trailing data, NaN, invalid UTF-8 and nesting deeper
    /// than 64 are refused.
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
        for (i, member) in claims.members.iter().enumerate() {
            let name = claims.bytes(member.name);
            let value = claims.bytes(member.value);
            if claims.members.iter().take(i).any(|other| claims.bytes(other.name) == name)
                || (matches!(value, [b'[' | b'{', ..]) && depth(value) > MAX_DEPTH)
            {
                return Err(TokenError::Invalid);
            }
        }
        Ok(claims)
    }

    /// The claims in order: name, and value as JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|member| (self.slice(member.name), self.slice(member.value)))
    }

    /// How many claims there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the claim is there, be it null.
    pub fn contains(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The claim's value as JSON text.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let at = self.position(name)?;
        self.members.get(at).map(|member| self.slice(member.value))
    }

    /// The claim's value, read as a `T`; `None` if the claim is missing.
    ///
    /// # Errors
    /// If the claim is there and isn't a `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.raw(name).map(serde_json::from_str).transpose()
    }

    /// The claim's value, if it is a string.
    pub fn str(&self, name: &str) -> Option<Cow<'_, str>> {
        string(self.raw(name)?)
    }

    /// Sets a claim: in its place if it is there, at the end if not.
    ///
    /// # Errors
    /// If the value can't be written as JSON (a map whose keys aren't strings).
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

    /// `json` has to be JSON.
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

    /// Removes a claim; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        self.position(name).map(|at| self.members.remove(at)).is_some()
    }

    /// The claims as compact JSON, non-ASCII characters as `\uXXXX`: the form upstream signs.
    pub fn to_json(&self) -> String {
        self.to_json_with(&[])
    }

    /// As [`to_json`](Self::to_json), with these values (JSON) in place of the claims' own, or at
    /// the end.
    pub(crate) fn to_json_with(&self, replaced: &[(&str, &str)]) -> String {
        let mut json = String::with_capacity(self.text.len() + 64);
        json.push('{');
        for (name, value) in self.iter() {
            let value = replaced.iter().find(|(other, _)| *other == name).map_or(value, |r| r.1);
            push_member(&mut json, name, value);
        }
        for (name, value) in replaced {
            if !self.contains(name) {
                push_member(&mut json, name, value);
            }
        }
        json.push('}');
        json
    }

    /// The value of the user claim. A number is taken in its canonical text form, as releases
    /// before 5.5.1 wrote it.
    pub(crate) fn user_id(&self, claim: &str) -> UserClaim {
        let Some(value) = self.raw(claim) else {
            return UserClaim::Missing;
        };
        if value.starts_with('"') {
            return match self.str(claim) {
                Some(id) => UserClaim::Id(UserId::from(id.into_owned())),
                None => UserClaim::Malformed,
            };
        }
        let digits = value.strip_prefix('-').unwrap_or(value);
        let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_integer { UserClaim::Id(UserId::from(value)) } else { UserClaim::Malformed }
    }

    /// A NumericDate (RFC 7519 section 2) in whole seconds, fractions cut off.
    pub(crate) fn numeric_date(&self, name: &str) -> Result<Option<i64>, TokenError> {
        self.raw(name).map(numeric_date).transpose()
    }

    /// What PyJWT checks of claims, in its order: `iat`, `nbf`, `exp`, `iss`, `aud`, `sub`,
    /// `jti`.
    pub(crate) fn check_registered(
        &self,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let mut claims = Registered::default();
        for member in &self.members {
            let claim = match self.bytes(member.name) {
                b"iat" => &mut claims.iat,
                b"nbf" => &mut claims.nbf,
                b"exp" => &mut claims.exp,
                b"sub" => &mut claims.sub,
                b"jti" => &mut claims.jti,
                _ => continue,
            };
            *claim = Some(self.slice(member.value));
        }
        let latest = (now + settings.leeway).as_secs();
        for claim in [claims.iat, claims.nbf].into_iter().flatten() {
            if numeric_date(claim)? > latest {
                return Err(TokenError::Invalid);
            }
        }
        if let Some(exp) = claims.exp {
            let exp = numeric_date(exp)?;
            if has_passed(exp, now, settings.leeway) {
                return Err(TokenError::Expired);
            }
            if exp >= YEAR_10000 {
                return Err(TokenError::Invalid);
            }
        }
        if let Some(issuer) = &settings.issuer
            && self.str("iss").as_deref() != Some(issuer)
        {
            return Err(TokenError::Invalid);
        }
        if let Some(audience) = &settings.audience {
            let in_token = self.audience().ok_or(TokenError::Invalid)?;
            if !audience.iter().any(|name| in_token.iter().any(|other| other == name)) {
                return Err(TokenError::Invalid);
            }
        }
        if [claims.sub, claims.jti].into_iter().flatten().any(|claim| string(claim).is_none()) {
            return Err(TokenError::Invalid);
        }
        Ok(())
    }

    fn audience(&self) -> Option<Vec<String>> {
        match self.str("aud") {
            Some(name) => Some(vec![name.into_owned()]),
            None => self.get::<Vec<String>>("aud").ok().flatten(),
        }
    }

    /// Refuses once the time in `claim` has passed, and if there is none.
    pub(crate) fn check_expiry(
        &self,
        claim: &str,
        now: Timestamp,
        leeway: Duration,
    ) -> Result<(), TokenError> {
        match self.numeric_date(claim)? {
            None => Err(TokenError::MissingClaim(claim.to_owned())),
            Some(time) if has_passed(time, now, leeway) => {
                Err(TokenError::ClaimExpired(claim.to_owned()))
            }
            Some(time) if time >= YEAR_10000 => Err(TokenError::Invalid),
            Some(_) => Ok(()),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| self.bytes(member.name) == name.as_bytes())
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

/// The registered claims that are checked, as JSON.
#[derive(Default)]
struct Registered<'a> {
    iat: Option<&'a str>,
    nbf: Option<&'a str>,
    exp: Option<&'a str>,
    sub: Option<&'a str>,
    jti: Option<&'a str>,
}

/// The string that this JSON is, if it is one.
pub(crate) fn string(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(value).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

fn numeric_date(value: &str) -> Result<i64, TokenError> {
    if let Ok(seconds) = value.parse() {
        return Ok(seconds);
    }
    let number: f64 = serde_json::from_str(value).map_err(|_| TokenError::Invalid)?;
    // The cast saturates; what is out of range is past or future all the same.
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    if number.is_finite() { Ok(number.trunc() as i64) } else { Err(TokenError::Invalid) }
}

/// What a token says about its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserClaim {
    Missing,
    /// Neither a string nor an integer.
    Malformed,
    Id(UserId),
}

/// The last second is not part of the lifetime: `exp <= now - leeway` has passed.
fn has_passed(time: i64, now: Timestamp, leeway: Duration) -> bool {
    time <= (now - leeway).as_secs()
}

fn span(start: usize, end: usize) -> Span {
    // Tokens are limited to kilobytes, and what hooks add has to fit into a token.
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: narrow(start), end: narrow(end) }
}

fn append(text: &mut String, part: &str) -> Span {
    let start = text.len();
    text.push_str(part);
    span(start, text.len())
}

fn push_member(json: &mut String, name: &str, value: &str) {
    if json.len() > 1 {
        json.push(',');
    }
    push_string(json, name);
    json.push(':');
    push_ascii(json, value);
}

fn push_string(json: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        json.push('"');
        json.push_str(text);
        json.push('"');
        return;
    }
    // A string can always be written as JSON.
    push_ascii(json, &serde_json::to_string(text).unwrap_or_default());
}

/// Appends JSON with every character outside printable ASCII as `\uXXXX` and no space between
/// tokens: such characters can stand in strings only.
fn push_ascii(json: &mut String, value: &str) {
    if value.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
        json.push_str(value);
        return;
    }
    let (mut in_string, mut escaped) = (false, false);
    for c in value.chars() {
        match c {
            ' ' | '\t' | '\n' | '\r' if !in_string => {}
            ' '..='~' => json.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    json.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = c == '\\' && !escaped;
    }
}

/// How deep arrays and objects are nested in this JSON.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    deepest
}

/// Where the members of a JSON object stand in its text.
#[derive(Default)]
struct Object {
    members: Vec<Member>,
    /// The names that have escapes, so that they don't stand in the text as they are.
    escaped: Vec<(usize, String)>,
}

impl Object {
    /// The form that nearly every token has, at a third of the cost: strings without escapes and
    /// integers, without white space. `None` for anything else, be it JSON or not.
    fn parse_plain(text: &str) -> Option<Self> {
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

    fn parse(text: &str) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::Audience;

    fn parse(json: &str) -> Result<Claims, TokenError> {
        Claims::parse(json.as_bytes().to_vec())
    }

    fn checked(json: &str, settings: &Settings) -> Result<(), TokenError> {
        parse(json)?.check_registered(settings, Timestamp::from_secs(1000))
    }

    #[test]
    fn unknown_values_keep_their_text_and_order() {
        let json =
            r#"{"b":1.50,"a":123456789012345678901234567890,"c":"\ud800","d":{"x":[1e400]}}"#;
        assert_eq!(parse(json).unwrap().to_json(), json);
    }

    #[test]
    fn values_are_written_in_ascii_without_spaces() {
        let claims = parse("{\"n\": [1, \"a b\\\\\", {\"é\": \"😀\u{7f}\"}] }").unwrap();
        assert_eq!(claims.to_json(), r#"{"n":[1,"a b\\",{"\u00e9":"\ud83d\ude00\u007f"}]}"#);
    }

    #[test]
    fn doubled_names_are_refused_however_they_are_spelt() {
        for json in [
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":1,"\u0065xp":2}"#,
            r#"{"\u0065xp":1,"exp":2}"#,
            r#"{"\u0065xp":1,"e\u0078p":2}"#,
        ] {
            assert_eq!(parse(json), Err(TokenError::Invalid), "{json}");
        }
        assert_eq!(parse(r#"{"\u0065xp":7}"#).unwrap().raw("exp"), Some("7"));
    }

    #[test]
    fn what_is_not_a_json_object_is_refused() {
        for json in ["", "[]", "1", "null", "{} ", "{", "{\"a\":NaN}", "{\"a\":1}x", "\u{feff}{}"] {
            let refused = parse(json) == Err(TokenError::Invalid);
            assert_eq!(refused, json != "{} ", "{json:?}");
        }
        assert_eq!(Claims::parse(vec![b'{', 0xff, b'}']), Err(TokenError::Invalid));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(parse(&nested(MAX_DEPTH + 1)), Err(TokenError::Invalid));
        assert!(parse(&format!("{{\"a\":[\"{}\"]}}", "[".repeat(100))).is_ok());
    }

    #[test]
    fn set_replaces_in_place_or_appends() {
        let mut claims = parse(r#"{"a":1,"b":2}"#).unwrap();
        claims.set("a", "x").unwrap();
        claims.set_int("c", -3);
        claims.set_str("d", "quote\" and é");
        assert!(claims.remove("b"));
        assert!(!claims.remove("b"));
        assert_eq!(claims.to_json(), r#"{"a":"x","c":-3,"d":"quote\" and \u00e9"}"#);
    }

    #[test]
    fn the_boundary_second_is_expired() {
        let strict = Settings::default();
        assert_eq!(checked(r#"{"exp":1000}"#, &strict), Err(TokenError::Expired));
        assert_eq!(checked(r#"{"exp":1001}"#, &strict), Ok(()));
        assert_eq!(checked(r#"{"exp":1000.9}"#, &strict), Err(TokenError::Expired));
        assert_eq!(checked(r#"{"exp":1001.5}"#, &strict), Ok(()));
        let lenient = Settings { leeway: Duration::from_secs(10), ..Settings::default() };
        assert_eq!(checked(r#"{"exp":991}"#, &lenient), Ok(()));
        assert_eq!(checked(r#"{"exp":990}"#, &lenient), Err(TokenError::Expired));
        assert_eq!(checked(r#"{"nbf":1010,"iat":1010}"#, &lenient), Ok(()));
        assert_eq!(checked(r#"{"nbf":1011}"#, &lenient), Err(TokenError::Invalid));
    }

    #[test]
    fn dates_of_a_wrong_type_or_out_of_range_are_invalid() {
        for date in ["\"2000\"", "null", "true", "[]", "1e400", "253402300800", "1e300"] {
            let json = format!("{{\"exp\":{date}}}");
            assert_eq!(checked(&json, &Settings::default()), Err(TokenError::Invalid), "{json}");
        }
        for date in ["-1", "-1e300", "0", "-9223372036854775809"] {
            let json = format!("{{\"exp\":{date}}}");
            assert_eq!(checked(&json, &Settings::default()), Err(TokenError::Expired), "{json}");
        }
        assert_eq!(checked(r#"{"nbf":"1"}"#, &Settings::default()), Err(TokenError::Invalid));
        assert_eq!(checked(r#"{"iat":1001}"#, &Settings::default()), Err(TokenError::Invalid));
        assert_eq!(checked(r#"{"iat":null}"#, &Settings::default()), Err(TokenError::Invalid));
    }

    #[test]
    fn audience_and_issuer() {
        let settings = Settings {
            audience: Some(Audience::Many(vec!["a".into(), "b".into()])),
            issuer: Some("me".into()),
            ..Settings::default()
        };
        for good in [r#"{"aud":"b","iss":"me"}"#, r#"{"aud":["x","a"],"iss":"me"}"#] {
            assert_eq!(checked(good, &settings), Ok(()), "{good}");
        }
        for bad in [
            r#"{"iss":"me"}"#,
            r#"{"aud":"ab","iss":"me"}"#,
            r#"{"aud":["a",1],"iss":"me"}"#,
            r#"{"aud":null,"iss":"me"}"#,
            r#"{"aud":"a"}"#,
            r#"{"aud":"a","iss":["me"]}"#,
            r#"{"aud":"a","iss":"me2"}"#,
        ] {
            assert_eq!(checked(bad, &settings), Err(TokenError::Invalid), "{bad}");
        }
        assert_eq!(checked(r#"{"aud":5,"iss":5}"#, &Settings::default()), Ok(()));
    }

    #[test]
    fn sub_and_jti_are_strings() {
        assert_eq!(checked(r#"{"sub":"1","jti":"x"}"#, &Settings::default()), Ok(()));
        assert_eq!(checked(r#"{"sub":1}"#, &Settings::default()), Err(TokenError::Invalid));
        assert_eq!(checked(r#"{"jti":null}"#, &Settings::default()), Err(TokenError::Invalid));
    }

    #[test]
    fn the_user_claim_is_a_string_or_an_integer() {
        let id = |json: &str| parse(json).unwrap().user_id("user_id");
        assert_eq!(id(r#"{"user_id":"1"}"#), UserClaim::Id("1".into()));
        assert_eq!(id(r#"{"user_id":12}"#), UserClaim::Id("12".into()));
        assert_eq!(id("{}"), UserClaim::Missing);
        for bad in ["1.0", "1e0", "true", "null", "[1]", r#""\ud800""#] {
            assert_eq!(id(&format!("{{\"user_id\":{bad}}}")), UserClaim::Malformed, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>) {
            let _ = Claims::parse(bytes);
        }

        /// What the shortcut takes, the long way takes with the same result.
        #[test]
        fn plain_objects_are_read_alike(
            json in r#"\{("[a-c\\\\\u00e9]{0,2}":("[x \\\\\u{1}]{0,2}"|-?[0-9]{0,3}|1\.5|null|\[\]) ?,?){0,4}\}?"#,
        ) {
            if let Some(plain) = Object::parse_plain(&json) {
                let long = Object::parse(&json).expect("is JSON");
                let spans = |object: &Object| -> Vec<_> {
                    let spans = object.members.iter().map(|m| (m.name, m.value));
                    spans.map(|(n, v)| (n.start, n.end, v.start, v.end)).collect()
                };
                prop_assert_eq!(spans(&plain), spans(&long));
            }
        }

        #[test]
        fn what_serde_writes_comes_back(map: std::collections::BTreeMap<String, (String, i64, f32)>) {
            let json = serde_json::to_string(&map).unwrap();
            let claims = parse(&json).unwrap();
            for (name, value) in &map {
                if value.2.is_finite() {
                    let read: Option<(String, i64, f32)> = claims.get(name).unwrap();
                    prop_assert_eq!(read.as_ref(), Some(value));
                }
            }
            let ascii = claims.to_json();
            prop_assert!(ascii.is_ascii());
            let back = parse(&ascii).unwrap();
            prop_assert_eq!(back.len(), claims.len());
            for (name, value) in claims.iter() {
                let same: serde_json::Value = serde_json::from_str(value).unwrap();
                prop_assert_eq!(back.get::<serde_json::Value>(name).unwrap(), Some(same));
            }
        }
    }
}
