//! Settings from a dictionary, through serde: JSON, TOML or any other format with names and values.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::keys::{further_keys, key_id};
use super::value::{boolean, choice, count, duration, list, optional_text, parsed, shown, text};
use super::{
    AtLimit, Audience, CookieSettings, FeedLost, NOT_APPLICABLE, Profile, RevocationMode, SameSite,
    SessionSettings, Settings, TokenAtRest, TokenClass, Transport, Typ, WwwAuthenticate,
};

/// Puts a value into its field, or returns what is wrong with it.
type Set<T> = fn(&mut T, &Value) -> Result<(), String>;

const SETTINGS: &[(&str, Set<Settings>)] = &[
    ("access_token_lifetime", |s, v| put(&mut s.access_token_lifetime, duration(v))),
    ("refresh_token_lifetime", |s, v| put(&mut s.refresh_token_lifetime, duration(v))),
    ("rotate_refresh_tokens", |s, v| put(&mut s.rotate_refresh_tokens, boolean(v))),
    ("blacklist_after_rotation", |s, v| put(&mut s.blacklist_after_rotation, boolean(v))),
    ("update_last_login", |s, v| put(&mut s.update_last_login, boolean(v))),
    ("algorithm", |s, v| {
        put(&mut s.algorithm, parsed(v, "an algorithm: write one such as HS256, RS256 or ES256"))
    }),
    ("signing_key", |s, v| match v {
        Value::Null => put(&mut s.signing_key, Ok(None)),
        Value::String(key) => put(&mut s.signing_key, Ok(Some(key.as_str().into()))),
        // Not shown, since it may still be the key.
        _ => Err("is not a string".into()),
    }),
    ("verifying_key", |s, v| put(&mut s.verifying_key, optional_text(v))),
    ("kid", |s, v| put(&mut s.kid, key_id(v))),
    ("fully_specified_algorithms", |s, v| put(&mut s.fully_specified_algorithms, boolean(v))),
    ("verifying_keys", |s, v| put(&mut s.verifying_keys, further_keys(v))),
    ("signing_key_passphrase", |s, v| match v {
        Value::Null => put(&mut s.signing_key_passphrase, Ok(None)),
        Value::String(text) => {
            let passphrase = (!text.is_empty()).then(|| text.as_str().into());
            put(&mut s.signing_key_passphrase, Ok(passphrase))
        }
        _ => Err("is not a string".into()),
    }),
    ("audience", |s, v| put(&mut s.audience, audience(v))),
    ("refresh_audience", |s, v| put(&mut s.refresh_audience, optional_text(v))),
    ("typ", |s, v| put(&mut s.typ, choice(v, &[("JWT", Typ::Jwt), ("by_kind", Typ::ByKind)]))),
    ("profile", |s, v| {
        let choices = [("simplejwt", Profile::Simplejwt), ("rfc9068", Profile::Rfc9068)];
        put(&mut s.profile, choice(v, &choices))
    }),
    ("client_id", |s, v| put(&mut s.client_id, optional_text(v))),
    ("ensure_ascii", |s, v| put(&mut s.ensure_ascii, boolean(v))),
    ("issuer", |s, v| put(&mut s.issuer, optional_text(v))),
    ("jwk_url", |s, v| put(&mut s.jwk_url, one_or_several(v))),
    ("jwk_url_max_stale", |s, v| {
        let is_unlimited = v.as_str() == Some("unlimited");
        let time = if is_unlimited { Ok(None) } else { optional(v, duration) };
        put(&mut s.jwk_url_max_stale, time)
    }),
    ("jwk_url_without_kid", |s, v| put(&mut s.jwk_url_without_kid, boolean(v))),
    ("leeway", |s, v| match v {
        // Upstream accepts None for no leeway.
        Value::Null => put(&mut s.leeway, Ok(std::time::Duration::ZERO)),
        _ => put(&mut s.leeway, duration(v)),
    }),
    ("auth_header_types", |s, v| put(&mut s.auth_header_types, list(v))),
    ("www_authenticate", |s, v| {
        let choices =
            [("simplejwt", WwwAuthenticate::Simplejwt), ("rfc6750", WwwAuthenticate::Rfc6750)];
        put(&mut s.www_authenticate, choice(v, &choices))
    }),
    ("auth_header_name", |s, v| put(&mut s.auth_header_name, text(v))),
    ("user_id_field", |s, v| put(&mut s.user_id_field, text(v))),
    ("user_id_claim", |s, v| put(&mut s.user_id_claim, text(v))),
    ("auth_token_classes", |s, v| {
        let classes = list(v)?;
        let classes = classes.iter().map(|path| {
            TokenClass::from_dotted_path(path).ok_or_else(|| {
                format!(
                    "names {path:?}, a class that isn't upstream's own: write AccessToken, \
                     RefreshToken, SlidingToken or UntypedToken"
                )
            })
        });
        put(&mut s.auth_token_classes, classes.collect())
    }),
    ("token_type_claim", |s, v| put(&mut s.token_type_claim, optional_text(v))),
    ("jti_claim", |s, v| put(&mut s.jti_claim, optional_text(v))),
    ("sliding_token_refresh_exp_claim", |s, v| {
        put(&mut s.sliding_token_refresh_exp_claim, text(v))
    }),
    ("sliding_token_lifetime", |s, v| put(&mut s.sliding_token_lifetime, duration(v))),
    ("sliding_token_refresh_lifetime", |s, v| {
        put(&mut s.sliding_token_refresh_lifetime, duration(v))
    }),
    ("check_revoke_token", |s, v| put(&mut s.check_revoke_token, boolean(v))),
    ("revoke_token_claim", |s, v| put(&mut s.revoke_token_claim, text(v))),
    ("check_user_is_active", |s, v| put(&mut s.check_user_is_active, boolean(v))),
    ("token_blacklist", |s, v| put(&mut s.token_blacklist, boolean(v))),
    ("allow_weak_key", |s, v| put(&mut s.allow_weak_key, boolean(v))),
    ("sessions", |s, v| table(&mut s.sessions, v, SESSIONS)),
    ("cookies", |s, v| table(&mut s.cookies, v, COOKIES)),
    ("transport", |s, v| {
        let choices = [
            ("header", Transport::Header),
            ("cookie", Transport::Cookie),
            ("both", Transport::Both),
        ];
        put(&mut s.transport, choice(v, &choices))
    }),
    ("allowed_origins", |s, v| put(&mut s.allowed_origins, list(v))),
];

const SESSIONS: &[(&str, Set<SessionSettings>)] = &[
    ("enabled", |s, v| put(&mut s.enabled, boolean(v))),
    ("session_claim", |s, v| put(&mut s.session_claim, boolean(v))),
    ("rotation_grace", |s, v| put(&mut s.rotation_grace, duration(v))),
    ("reuse_tolerance", |s, v| put(&mut s.reuse_tolerance, duration(v))),
    ("lifetime", |s, v| put(&mut s.lifetime, optional(v, duration))),
    ("idle_lifetime", |s, v| put(&mut s.idle_lifetime, optional(v, duration))),
    ("max_per_user", |s, v| put(&mut s.max_per_user, optional(v, count))),
    ("at_limit", |s, v| {
        let choices = [("evict_oldest", AtLimit::EvictOldest), ("refuse", AtLimit::Refuse)];
        put(&mut s.at_limit, choice(v, &choices))
    }),
    ("revocation", |s, v| {
        let choices = [
            ("stateless", RevocationMode::Stateless),
            ("feed", RevocationMode::Feed),
            ("strict", RevocationMode::Strict),
        ];
        put(&mut s.revocation, choice(v, &choices))
    }),
    ("feed_lost", |s, v| {
        let choices = [("refuse", FeedLost::Refuse), ("accept", FeedLost::Accept)];
        put(&mut s.feed_lost, choice(v, &choices))
    }),
    ("feed_max_age", |s, v| put(&mut s.feed_max_age, duration(v))),
    ("feed_max_entries", |s, v| put(&mut s.feed_max_entries, count(v))),
    ("token_at_rest", |s, v| {
        let choices = [("full", TokenAtRest::Full), ("redacted", TokenAtRest::Redacted)];
        put(&mut s.token_at_rest, choice(v, &choices))
    }),
];

const COOKIES: &[(&str, Set<CookieSettings>)] = &[
    ("access_name", |s, v| put(&mut s.access_name, optional_text(v))),
    ("refresh_name", |s, v| put(&mut s.refresh_name, optional_text(v))),
    ("secure", |s, v| put(&mut s.secure, boolean(v))),
    ("same_site", |s, v| {
        let choices =
            [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
        put(&mut s.same_site, choice(v, &choices))
    }),
    ("domain", |s, v| put(&mut s.domain, optional_text(v))),
    ("refresh_path", |s, v| put(&mut s.refresh_path, optional_text(v))),
];

/// Upstream's settings that hold the dotted path of a Python object, with the path whose behaviour
/// is built in.
const DONE_ANYWAY: [(&str, Option<&str>); 11] = [
    ("JSON_ENCODER", None),
    ("ON_LOGIN_SUCCESS", Some("serializers.default_on_login_success")),
    ("ON_LOGIN_FAILED", Some("serializers.default_on_login_failed")),
    ("TOKEN_USER_CLASS", Some("models.TokenUser")),
    ("USER_AUTHENTICATION_RULE", Some("authentication.default_user_authentication_rule")),
    ("TOKEN_OBTAIN_SERIALIZER", Some("serializers.TokenObtainPairSerializer")),
    ("TOKEN_REFRESH_SERIALIZER", Some("serializers.TokenRefreshSerializer")),
    ("TOKEN_VERIFY_SERIALIZER", Some("serializers.TokenVerifySerializer")),
    ("TOKEN_BLACKLIST_SERIALIZER", Some("serializers.TokenBlacklistSerializer")),
    ("SLIDING_TOKEN_OBTAIN_SERIALIZER", Some("serializers.TokenObtainSlidingSerializer")),
    ("SLIDING_TOKEN_REFRESH_SERIALIZER", Some("serializers.TokenRefreshSlidingSerializer")),
];

fn put<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

/// Reads null as none.
fn optional<T>(
    value: &Value,
    read: impl Fn(&Value) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

/// Reads a string, a list of them, or null or the empty string for none.
fn one_or_several(value: &Value) -> Result<Vec<String>, String> {
    let is_list = value.is_array() || value.as_str().is_some_and(|text| text.starts_with('['));
    if is_list { list(value) } else { Ok(optional_text(value)?.into_iter().collect()) }
}

fn audience(value: &Value) -> Result<Option<Audience>, String> {
    let is_list = value.is_array() || value.as_str().is_some_and(|text| text.starts_with('['));
    if is_list {
        list(value).map(|names| Some(Audience::Many(names)))
    } else {
        Ok(optional_text(value)?.map(Audience::One))
    }
}

/// Reads a table within the dictionary.
fn table<T>(target: &mut T, value: &Value, known: &[(&str, Set<T>)]) -> Result<(), String> {
    let Value::Object(members) = value else {
        return Err(format!("is {}, not a table", shown(value)));
    };
    let problems: Vec<String> = members
        .iter()
        .filter_map(|(name, value)| match known.iter().find(|(known, _)| known == name) {
            Some((_, set)) => set(target, value).err().map(|problem| format!("{name} {problem}")),
            None => Some(format!("{name} is not one of {}", names(known))),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(format!("has problems: {}", problems.join("; "))) }
}

fn names<T>(known: &[(&str, Set<T>)]) -> String {
    known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Checks a name that has no field: accepted if its value requests built-in behaviour.
fn without_field(upper: &str, value: &Value) -> Result<(), String> {
    let Some((_, done)) = DONE_ANYWAY.iter().find(|(name, _)| *name == upper) else {
        return Err(format!("{upper} is not a setting: the names are {}", names(SETTINGS)));
    };
    let path = done.map(|done| format!("rest_framework_simplejwt.{done}"));
    if value.as_str() == path.as_deref() && (value.is_null() || value.is_string()) {
        return Ok(());
    }
    let instead = NOT_APPLICABLE.iter().find(|(name, _)| *name == upper).map_or("", |(_, why)| why);
    let only = path.map_or_else(|| "null".to_owned(), |path| format!("{path:?}"));
    Err(format!("{upper} is {}, and only {only} can be served: {instead}", shown(value)))
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Dictionary)
    }
}

struct Dictionary;

impl<'de> Visitor<'de> for Dictionary {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary of settings, as SIMPLE_JWT is")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Settings::default();
        let mut seen = Vec::new();
        let mut problems = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let upper = name.to_ascii_uppercase();
            if seen.contains(&upper) {
                problems.push(format!("{upper} is given twice: remove one"));
                continue;
            }
            let field = SETTINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
            let set = match field {
                Some((_, set)) => {
                    set(&mut settings, &value).map_err(|problem| format!("{upper} {problem}"))
                }
                None => without_field(&upper, &value),
            };
            problems.extend(set.err());
            seen.push(upper);
        }
        if problems.is_empty() { Ok(settings) } else { Err(A::Error::custom(problems.join("\n"))) }
    }
}

#[cfg(test)]
mod tests;
