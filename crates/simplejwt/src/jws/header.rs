//! The JOSE header (RFC 7515 section 4), read strictly.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{JwsError, MAX_DEPTH, Typ, depth};

/// The members of a header that count. `jwk`, `jku`, `x5u`, `x5c`, `x5t` and unknown members are
/// skipped: no key is ever taken from a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Typ,
}

impl Header {
    /// Parses the decoded header segment.
    ///
    /// # Errors
    /// [`JwsError::Header`] unless it is a UTF-8 JSON object without duplicate member names and
    /// without nesting deeper than 64, whose `alg` and `kid` are strings; [`JwsError::Critical`]
    /// with any `crit`; [`JwsError::UnencodedPayload`] with `b64: false`.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, JwsError> {
        // The JSON reader doesn't check skipped values for UTF-8, so everything is checked first.
        let json = std::str::from_utf8(json).map_err(|_| JwsError::Header)?;
        if depth(json.as_bytes()) > 1 + MAX_DEPTH {
            return Err(JwsError::Header);
        }
        let members: Members = serde_json::from_str(json).map_err(|_| JwsError::Header)?;
        if members.crit {
            return Err(JwsError::Critical);
        }
        if members.b64 == Some(false) {
            return Err(JwsError::UnencodedPayload);
        }
        let alg = members.alg.ok_or(JwsError::Header)?;
        Ok(Self { alg, kid: members.kid, typ: members.typ.unwrap_or(Typ::Jwt) })
    }
}

#[derive(Default)]
struct Members {
    alg: Option<String>,
    kid: Option<String>,
    typ: Option<Typ>,
    b64: Option<bool>,
    crit: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "alg" => members.alg = Some(map.next_value()?),
                "kid" => members.kid = Some(map.next_value()?),
                // Of any type: upstream doesn't look at it.
                "typ" => {
                    let raw = map.next_value::<&RawValue>()?.get();
                    let name = serde_json::from_str::<String>(raw);
                    members.typ = Some(name.map_or(Typ::Other, |name| Typ::parse(&name)));
                }
                "b64" => members.b64 = Some(map.next_value()?),
                "crit" => {
                    members.crit = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if !seen.insert(name) {
                return Err(de::Error::custom("doubled member"));
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alg(json: &str) -> Result<String, JwsError> {
        Header::parse(json.as_bytes()).map(|header| header.alg)
    }

    #[test]
    fn unknown_members_of_any_type_are_skipped() {
        let json = r#" {"alg":"HS256","typ":7,"x":null,"jku":"https://a","y":{"alg":"none"}} "#;
        assert_eq!(alg(json).unwrap(), "HS256");
    }

    #[test]
    fn typ_is_read_whatever_it_is() {
        for (member, typ) in [
            ("", Typ::Jwt),
            (r#","typ":"JWT""#, Typ::Jwt),
            (r#","typ":"application/at+jwt""#, Typ::AccessToken),
            (r#","t\u0079p":"\u0061t+jwt""#, Typ::AccessToken),
            (r#","typ":null"#, Typ::Other),
            (r#","typ":1e999"#, Typ::Other),
            (r#","typ":["at+jwt"]"#, Typ::Other),
            (r#","typ":"\ud800""#, Typ::Other),
        ] {
            let json = format!(r#"{{"alg":"HS256"{member}}}"#);
            assert_eq!(Header::parse(json.as_bytes()).unwrap().typ, typ, "{member}");
        }
    }

    #[test]
    fn escapes_are_decoded_before_names_are_compared() {
        assert_eq!(alg(r#"{"\u0061lg":"HS256"}"#).unwrap(), "HS256");
        for doubled in [
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"alg":"HS256","\u0061lg":"none"}"#,
            r#"{"alg":"HS256","x":1,"x":1}"#,
        ] {
            assert_eq!(alg(doubled), Err(JwsError::Header), "{doubled}");
        }
    }

    #[test]
    fn what_is_no_object_with_a_string_alg_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            "\"alg\"",
            "{\"alg\":1}",
            "{\"alg\":null}",
            "{\"alg\":[\"HS256\"]}",
            "{\"alg\":\"HS256\"}x",
            "{\"alg\":\"HS256\"}{}",
            "{\"alg\":\"HS256\",}",
            "{'alg':'HS256'}",
            "\u{feff}{\"alg\":\"HS256\"}",
            "{\"alg\":\"HS256\",\"x\":NaN}",
            "{\"alg\":\"HS256\",\"kid\":1}",
            "{\"alg\":\"HS256\",\"kid\":null}",
            "{\"alg\":\"HS256\",\"b64\":\"false\"}",
        ] {
            assert_eq!(alg(bad), Err(JwsError::Header), "{bad:?}");
        }
        assert_eq!(Header::parse(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}"), Err(JwsError::Header));
    }

    #[test]
    fn crit_and_b64() {
        for crit in ["[]", "[\"b64\"]", "[\"exp\"]", "null", "\"b64\"", "{}"] {
            let json = format!("{{\"alg\":\"HS256\",\"crit\":{crit},\"b64\":true}}");
            assert_eq!(alg(&json), Err(JwsError::Critical), "{crit}");
        }
        assert_eq!(alg(r#"{"alg":"HS256","b64":false}"#), Err(JwsError::UnencodedPayload));
        assert!(alg(r#"{"alg":"HS256","b64":true}"#).is_ok());
    }

    #[test]
    fn depth_costs_no_stack() {
        let nested =
            |n: usize| format!("{{\"alg\":\"HS256\",\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(alg(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(alg(&nested(MAX_DEPTH + 1)), Err(JwsError::Header));
        assert_eq!(alg(&nested(8000)), Err(JwsError::Header));
        assert!(alg(&nested(8000).replace(']', "")).is_err());
        assert!(alg(&format!("{{\"alg\":\"HS256\",\"x\":\"{}\"}}", "[".repeat(100))).is_ok());
    }
}
