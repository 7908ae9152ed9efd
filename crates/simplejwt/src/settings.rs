//! The `SIMPLE_JWT` settings: one field per upstream key, upstream's defaults, and the checks
//! that make a setting either work or refuse to start.
//!
//! Settings that hold dotted paths upstream are hooks here: see [`NOT_APPLICABLE`].

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::keys::{Algorithm, KeyError, KeySet, KeySource, RemoteKeys, SigningKey, VerifyingKey};

/// Upstream keys that have no field here: each with the reason and what serves instead.
pub const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("JSON_ENCODER", "a Python class; claims are any `serde::Serialize` value"),
    ("TOKEN_USER_CLASS", "a Python class; `Token<Access>` is the stateless user"),
    ("USER_AUTHENTICATION_RULE", "a Python function; `Hooks::may_authenticate`"),
    ("TOKEN_OBTAIN_SERIALIZER", "a Python class; `Hooks::extra_claims` and `Auth::obtain_pair`"),
    ("TOKEN_REFRESH_SERIALIZER", "a Python class; `Hooks` and `Auth::refresh`"),
    ("TOKEN_VERIFY_SERIALIZER", "a Python class; `Auth::verify`"),
    ("TOKEN_BLACKLIST_SERIALIZER", "a Python class; `Auth::blacklist`"),
    ("SLIDING_TOKEN_OBTAIN_SERIALIZER", "a Python class; `Auth::obtain_sliding`"),
    ("SLIDING_TOKEN_REFRESH_SERIALIZER", "a Python class; `Auth::refresh_sliding`"),
];

/// The settings, named as upstream's keys in lower case.
///
/// ```
/// use simplejwt::Settings;
/// use std::time::Duration;
///
/// let settings = Settings {
///     access_token_lifetime: Duration::from_secs(15 * 60),
///     ..Settings::default()
/// };
/// assert!(settings.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long an access token is good for. Default: 5 minutes.
    #[doc(alias = "ACCESS_TOKEN_LIFETIME")]
    pub access_token_lifetime: Duration,
    /// How long a refresh token is good for. Default: 1 day.
    #[doc(alias = "REFRESH_TOKEN_LIFETIME")]
    pub refresh_token_lifetime: Duration,
    /// Whether a refresh answers with a new refresh token too. Default: off.
    #[doc(alias = "ROTATE_REFRESH_TOKENS")]
    pub rotate_refresh_tokens: bool,
    /// Whether rotation blacklists the old refresh token, and whether `verify` looks at the
    /// blacklist. Needs [`token_blacklist`](Self::token_blacklist). Default: off.
    #[doc(alias = "BLACKLIST_AFTER_ROTATION")]
    pub blacklist_after_rotation: bool,
    /// Whether a login writes the user's `last_login`. Default: off.
    #[doc(alias = "UPDATE_LAST_LOGIN")]
    pub update_last_login: bool,
    /// The signature algorithm (RFC 7518 section 3.1). Default: HS256.
    #[doc(alias = "ALGORITHM")]
    pub algorithm: Algorithm,
    /// The HMAC secret, or the private key as PEM. With an asymmetric algorithm and none here,
    /// this instance only verifies. Default: none, in the server Django's `SECRET_KEY`.
    #[doc(alias = "SIGNING_KEY")]
    pub signing_key: Option<Secret>,
    /// The public key as PEM, OpenSSH line or certificate; not used by HS*. Default: none.
    #[doc(alias = "VERIFYING_KEY")]
    pub verifying_key: Option<String>,
    /// The `aud` claim written, and demanded (RFC 7519 section 4.1.3). Default: none.
    #[doc(alias = "AUDIENCE")]
    pub audience: Option<Audience>,
    /// The `iss` claim written, and demanded (RFC 7519 section 4.1.1). Default: none.
    #[doc(alias = "ISSUER")]
    pub issuer: Option<String>,
    /// Where the verifying keys are fetched from, as a JWK set (RFC 7517). Not used by HS*.
    /// Default: none.
    #[doc(alias = "JWK_URL")]
    pub jwk_url: Option<String>,
    /// How far clocks may be apart when `exp`, `nbf` and `iat` are checked. Default: 0.
    #[doc(alias = "LEEWAY")]
    pub leeway: Duration,
    /// The authentication schemes taken; the first is the one in `WWW-Authenticate`.
    /// Default: `Bearer`.
    #[doc(alias = "AUTH_HEADER_TYPES")]
    pub auth_header_types: Vec<String>,
    /// The request header that holds the token, spelt as in Django's `request.META`.
    /// Default: `HTTP_AUTHORIZATION`.
    #[doc(alias = "AUTH_HEADER_NAME")]
    pub auth_header_name: String,
    /// The user's field that identifies it in tokens. Default: `id`.
    #[doc(alias = "USER_ID_FIELD")]
    pub user_id_field: String,
    /// The claim that holds it. Default: `user_id`.
    #[doc(alias = "USER_ID_CLAIM")]
    pub user_id_claim: String,
    /// The kinds of token that a protected route takes, in the order they are tried.
    /// Default: access tokens.
    #[doc(alias = "AUTH_TOKEN_CLASSES")]
    pub auth_token_classes: Vec<TokenClass>,
    /// The claim that holds the kind of token. `None` neither writes nor checks it.
    /// Default: `token_type`.
    #[doc(alias = "TOKEN_TYPE_CLAIM")]
    pub token_type_claim: Option<String>,
    /// The claim that holds the token's id. `None` neither writes nor checks it. Default: `jti`.
    #[doc(alias = "JTI_CLAIM")]
    pub jti_claim: Option<String>,
    /// The claim that says until when a sliding token can be refreshed. Default: `refresh_exp`.
    #[doc(alias = "SLIDING_TOKEN_REFRESH_EXP_CLAIM")]
    pub sliding_token_refresh_exp_claim: String,
    /// How long a sliding token is good for. Default: 5 minutes.
    #[doc(alias = "SLIDING_TOKEN_LIFETIME")]
    pub sliding_token_lifetime: Duration,
    /// How long a sliding token can be refreshed. Default: 1 day.
    #[doc(alias = "SLIDING_TOKEN_REFRESH_LIFETIME")]
    pub sliding_token_refresh_lifetime: Duration,
    /// Whether tokens carry a fingerprint of the password hash and are refused once it has
    /// changed. Default: off.
    #[doc(alias = "CHECK_REVOKE_TOKEN")]
    pub check_revoke_token: bool,
    /// The claim that holds that fingerprint. Default: `hash_password`.
    #[doc(alias = "REVOKE_TOKEN_CLAIM")]
    pub revoke_token_claim: String,
    /// Whether inactive users are refused. Default: on.
    #[doc(alias = "CHECK_USER_IS_ACTIVE")]
    pub check_user_is_active: bool,

    /// Whether refresh and sliding tokens are registered and can be blacklisted: what
    /// `rest_framework_simplejwt.token_blacklist` in `INSTALLED_APPS` decides upstream.
    /// Default: off.
    pub token_blacklist: bool,
    /// Takes an HMAC secret shorter than its hash (RFC 7518 section 3.2). Default: off.
    pub allow_weak_key: bool,
}

impl Default for Settings {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        Self {
            access_token_lifetime: Duration::from_secs(5 * MINUTE),
            refresh_token_lifetime: Duration::from_secs(DAY),
            rotate_refresh_tokens: false,
            blacklist_after_rotation: false,
            update_last_login: false,
            algorithm: Algorithm::Hs256,
            signing_key: None,
            verifying_key: None,
            audience: None,
            issuer: None,
            jwk_url: None,
            leeway: Duration::ZERO,
            auth_header_types: vec!["Bearer".into()],
            auth_header_name: "HTTP_AUTHORIZATION".into(),
            user_id_field: "id".into(),
            user_id_claim: "user_id".into(),
            auth_token_classes: vec![TokenClass::Access],
            token_type_claim: Some("token_type".into()),
            jti_claim: Some("jti".into()),
            sliding_token_refresh_exp_claim: "refresh_exp".into(),
            sliding_token_lifetime: Duration::from_secs(5 * MINUTE),
            sliding_token_refresh_lifetime: Duration::from_secs(DAY),
            check_revoke_token: false,
            revoke_token_claim: "hash_password".into(),
            check_user_is_active: true,
            token_blacklist: false,
            allow_weak_key: false,
        }
    }
}

impl Settings {
    /// Finds every contradiction, so that none of them is found by a user instead.
    ///
    /// # Errors
    /// All of them at once, each with what to do about it.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let mut problems = Vec::new();
        let mut problem = |when: bool, text: &str| {
            if when {
                problems.push(text.to_owned());
            }
        };

        problem(
            self.blacklist_after_rotation && !self.token_blacklist,
            "BLACKLIST_AFTER_ROTATION is on, but there is no blacklist: set token_blacklist = true \
             (and run `simplejwt migrate` for its tables), or switch BLACKLIST_AFTER_ROTATION off",
        );
        problem(
            self.token_blacklist && self.jti_claim.is_none(),
            "token_blacklist finds tokens by their id, but JTI_CLAIM is null: name a claim, or set \
             token_blacklist = false",
        );
        problem(
            self.auth_header_types.is_empty(),
            "AUTH_HEADER_TYPES is empty: name at least one scheme, as in [\"Bearer\"]",
        );
        problem(
            self.auth_header_types.iter().any(|scheme| !is_http_token(scheme)),
            "AUTH_HEADER_TYPES holds a scheme that isn't one word of letters, digits and hyphens: \
             write \"Bearer\", without a colon or space",
        );
        problem(
            self.auth_header().is_none(),
            "AUTH_HEADER_NAME is not the name of a request header: write it as in Django's \
             request.META, for example HTTP_AUTHORIZATION or HTTP_X_ACCESS_TOKEN",
        );
        problem(
            self.auth_token_classes.is_empty(),
            "AUTH_TOKEN_CLASSES is empty, so no token would open a protected route: name at least \
             rest_framework_simplejwt.tokens.AccessToken",
        );
        problem(
            matches!(&self.audience, Some(Audience::Many(all)) if all.is_empty()),
            "AUDIENCE is an empty list, so no token would be accepted: name an audience, or leave \
             it out",
        );
        problem(
            self.jwk_url.is_some() && self.algorithm.is_symmetric(),
            "JWK_URL is set, but ALGORITHM is an HMAC, which has no public keys to fetch: choose \
             an RS, PS, ES or EdDSA algorithm, or remove JWK_URL",
        );
        for (name, lifetime) in [
            ("ACCESS_TOKEN_LIFETIME", self.access_token_lifetime),
            ("REFRESH_TOKEN_LIFETIME", self.refresh_token_lifetime),
            ("SLIDING_TOKEN_LIFETIME", self.sliding_token_lifetime),
            ("SLIDING_TOKEN_REFRESH_LIFETIME", self.sliding_token_refresh_lifetime),
        ] {
            problem(
                lifetime < Duration::from_secs(1),
                &format!(
                    "{name} is shorter than a second, so tokens would be issued expired: \
                          write a duration such as \"5m\" or 300"
                ),
            );
            problem(
                lifetime > LONGEST_LIFETIME,
                &format!("{name} is longer than 1000 years: write a duration such as \"1d\""),
            );
        }
        self.check_claim_names(&mut problem);

        if problems.is_empty() { Ok(()) } else { Err(SettingsError { problems }) }
    }

    /// Two settings that write into one claim would silently overwrite each other.
    fn check_claim_names(&self, problem: &mut impl FnMut(bool, &str)) {
        let mut named = vec![("USER_ID_CLAIM", self.user_id_claim.as_str())];
        named.extend(self.token_type_claim.as_deref().map(|name| ("TOKEN_TYPE_CLAIM", name)));
        named.extend(self.jti_claim.as_deref().map(|name| ("JTI_CLAIM", name)));
        named.push((
            "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
            self.sliding_token_refresh_exp_claim.as_str(),
        ));
        if self.check_revoke_token {
            named.push(("REVOKE_TOKEN_CLAIM", self.revoke_token_claim.as_str()));
        }
        const REGISTERED: [&str; 5] = ["exp", "iat", "nbf", "aud", "iss"];
        for (i, (setting, claim)) in named.iter().enumerate() {
            problem(claim.is_empty(), &format!("{setting} is empty: name a claim"));
            problem(
                REGISTERED.contains(claim),
                &format!(
                    "{setting} is {claim:?}, a claim with a meaning of its own \
                          (RFC 7519 section 4.1): choose another name"
                ),
            );
            for (other, same) in named.iter().skip(i + 1) {
                problem(
                    claim == same && !claim.is_empty(),
                    &format!("{setting} and {other} are both {claim:?}: give them different names"),
                );
            }
        }
    }

    /// The keys that `algorithm`, `signing_key` and `verifying_key` describe. With
    /// [`jwk_url`](Self::jwk_url) it takes
    /// [`key_set_from`](Self::key_set_from) instead.
    ///
    /// # Errors
    /// A key that is missing, weak, or doesn't fit its algorithm or its counterpart, with what to
    /// do about it.
    pub fn key_set(&self) -> Result<KeySet, SettingsError> {
        match &self.jwk_url {
            None => self.local_key_set(),
            Some(_) => Err(SettingsError::one(
                "JWK_URL is set, but nothing fetches from it: hand a KeySource to \
                 Settings::key_set_from"
                    .into(),
            )),
        }
    }

    /// The keys, those that verify being fetched from `source`: what stands behind `JWK_URL`.
    ///
    /// # Errors
    /// As [`key_set`](Self::key_set).
    pub fn key_set_from(&self, source: impl KeySource) -> Result<KeySet, SettingsError> {
        self.validate()?;
        let signing = self.parse_signing_key()?;
        Ok(KeySet::with_remote(signing, RemoteKeys::new(self.algorithm, source)))
    }

    fn parse_signing_key(&self) -> Result<Option<SigningKey>, SettingsError> {
        self.signing_key
            .as_ref()
            .map(|key| SigningKey::parse(self.algorithm, key.as_bytes(), self.allow_weak_key))
            .transpose()
            .map_err(|error| SettingsError::one(format!("SIGNING_KEY: {error}")))
    }

    fn local_key_set(&self) -> Result<KeySet, SettingsError> {
        let algorithm = self.algorithm;
        let wrong =
            |setting: &str, error: KeyError| SettingsError::one(format!("{setting}: {error}"));
        let signing = self.parse_signing_key()?;
        if algorithm.is_symmetric() {
            return signing.map(KeySet::new).ok_or_else(|| {
                SettingsError::one(format!(
                    "SIGNING_KEY is missing: {algorithm} needs a secret (Django's SECRET_KEY, or \
                     one made by `simplejwt key generate`)"
                ))
            });
        }
        let verifying = self
            .verifying_key
            .as_ref()
            .filter(|key| !key.is_empty())
            .map(|key| VerifyingKey::parse(algorithm, key.as_bytes(), self.allow_weak_key))
            .transpose()
            .map_err(|error| wrong("VERIFYING_KEY", error))?;
        match (signing, verifying) {
            (Some(signing), Some(verifying)) => {
                KeySet::with_signing_and_verifying(signing, verifying)
                    .map_err(|error| wrong("SIGNING_KEY and VERIFYING_KEY", error))
            }
            (None, Some(verifying)) => {
                KeySet::verify_only([verifying]).map_err(|error| wrong("VERIFYING_KEY", error))
            }
            (_, None) => Err(SettingsError::one(format!(
                "VERIFYING_KEY is missing: {algorithm} verifies with a public key (print the one \
                 that belongs to a private key with `simplejwt key public`)"
            ))),
        }
    }

    /// The name of the request header that [`auth_header_name`](Self::auth_header_name) means:
    /// `HTTP_X_ACCESS_TOKEN` is `x-access-token`. `None` if it isn't one.
    pub fn auth_header(&self) -> Option<http::HeaderName> {
        let name = match self.auth_header_name.strip_prefix("HTTP_") {
            Some(name) => name,
            None if self.auth_header_name == "CONTENT_TYPE" => "CONTENT_TYPE",
            None => return None,
        };
        name.to_ascii_lowercase().replace('_', "-").parse().ok()
    }
}

const LONGEST_LIFETIME: Duration = Duration::from_secs(1000 * 366 * 24 * 60 * 60);

fn is_http_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The `aud` that is written and demanded: a string, or a list of which any one is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Written as a string.
    One(String),
    /// Written as an array.
    Many(Vec<String>),
}

impl Audience {
    /// Each of the names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(name) => std::slice::from_ref(name).iter().map(String::as_str),
            Self::Many(names) => names.iter().map(String::as_str),
        }
    }
}

/// A kind of token that a protected route may take: one entry of `AUTH_TOKEN_CLASSES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenClass {
    /// `rest_framework_simplejwt.tokens.AccessToken`
    Access,
    /// `rest_framework_simplejwt.tokens.RefreshToken`
    Refresh,
    /// `rest_framework_simplejwt.tokens.SlidingToken`
    Sliding,
    /// `rest_framework_simplejwt.tokens.UntypedToken`
    Untyped,
}

impl TokenClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Access, Self::Refresh, Self::Sliding, Self::Untyped];

    /// The name of upstream's class, as it stands in a protected route's `messages`.
    pub const fn class_name(self) -> &'static str {
        match self {
            Self::Access => "AccessToken",
            Self::Refresh => "RefreshToken",
            Self::Sliding => "SlidingToken",
            Self::Untyped => "UntypedToken",
        }
    }

    /// The value of the `token_type` claim.
    pub const fn token_type(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
            Self::Untyped => "untyped",
        }
    }

    /// The class behind upstream's dotted path or bare class name; `None` for any other.
    pub fn from_dotted_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix("rest_framework_simplejwt.tokens.").unwrap_or(path);
        Self::ALL.into_iter().find(|class| class.class_name() == name)
    }
}

/// A secret in memory: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The secret itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Vec<u8>>> From<T> for Secret {
    fn from(secret: T) -> Self {
        Self(Zeroizing::new(secret.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Settings that contradict each other or can't be what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    problems: Vec<String>,
}

impl SettingsError {
    fn one(problem: String) -> Self {
        Self { problems: vec![problem] }
    }

    /// One sentence per problem: what is wrong, and what to do.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(settings: &Settings) -> String {
        settings.validate().map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn the_defaults_are_free_of_contradictions() {
        assert_eq!(problems(&Settings::default()), "");
    }

    /// Upstream 5.5.1's `DEFAULTS`: each key is a field or has a reason not to be.
    #[test]
    fn every_key_of_upstreams_has_its_place() {
        const KEYS: [&str; 34] = [
            "ACCESS_TOKEN_LIFETIME",
            "REFRESH_TOKEN_LIFETIME",
            "ROTATE_REFRESH_TOKENS",
            "BLACKLIST_AFTER_ROTATION",
            "UPDATE_LAST_LOGIN",
            "ALGORITHM",
            "SIGNING_KEY",
            "VERIFYING_KEY",
            "AUDIENCE",
            "ISSUER",
            "JSON_ENCODER",
            "JWK_URL",
            "LEEWAY",
            "AUTH_HEADER_TYPES",
            "AUTH_HEADER_NAME",
            "USER_ID_FIELD",
            "USER_ID_CLAIM",
            "USER_AUTHENTICATION_RULE",
            "AUTH_TOKEN_CLASSES",
            "TOKEN_TYPE_CLAIM",
            "JTI_CLAIM",
            "TOKEN_USER_CLASS",
            "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
            "SLIDING_TOKEN_LIFETIME",
            "SLIDING_TOKEN_REFRESH_LIFETIME",
            "TOKEN_OBTAIN_SERIALIZER",
            "TOKEN_REFRESH_SERIALIZER",
            "TOKEN_VERIFY_SERIALIZER",
            "TOKEN_BLACKLIST_SERIALIZER",
            "SLIDING_TOKEN_OBTAIN_SERIALIZER",
            "SLIDING_TOKEN_REFRESH_SERIALIZER",
            "CHECK_REVOKE_TOKEN",
            "REVOKE_TOKEN_CLAIM",
            "CHECK_USER_IS_ACTIVE",
        ];
        let source = include_str!("settings.rs");
        for key in KEYS {
            let field = source.contains(&format!("#[doc(alias = \"{key}\")]"));
            let excused = NOT_APPLICABLE.iter().any(|(name, _)| *name == key);
            assert!(field != excused, "{key}");
        }
    }

    #[test]
    fn a_blacklist_that_is_not_there_is_refused_with_the_fix() {
        let settings = Settings {
            rotate_refresh_tokens: true,
            blacklist_after_rotation: true,
            ..Settings::default()
        };
        assert!(problems(&settings).contains("token_blacklist = true"));
        let fixed = Settings { token_blacklist: true, ..settings };
        assert_eq!(problems(&fixed), "");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let settings = Settings {
            auth_header_types: vec![],
            auth_header_name: "Authorization".into(),
            auth_token_classes: vec![],
            access_token_lifetime: Duration::ZERO,
            jwk_url: Some("https://example.com/jwks.json".into()),
            user_id_claim: "exp".into(),
            jti_claim: Some("token_type".into()),
            ..Settings::default()
        };
        let told = problems(&settings);
        for word in [
            "AUTH_HEADER_TYPES",
            "AUTH_HEADER_NAME",
            "AUTH_TOKEN_CLASSES",
            "ACCESS_TOKEN_LIFETIME",
            "JWK_URL",
            "USER_ID_CLAIM",
            "JTI_CLAIM",
        ] {
            assert!(told.contains(word), "{word} is missing in:\n{told}");
        }
    }

    #[test]
    fn header_names_are_spelt_as_in_request_meta() {
        let named = |name: &str| {
            Settings { auth_header_name: name.into(), ..Settings::default() }.auth_header()
        };
        assert_eq!(named("HTTP_AUTHORIZATION").unwrap(), "authorization");
        assert_eq!(named("HTTP_X_ACCESS_TOKEN").unwrap(), "x-access-token");
        assert_eq!(named("Authorization"), None);
        assert_eq!(named("HTTP_"), None);
    }

    #[test]
    fn dotted_paths_of_token_classes() {
        assert_eq!(
            TokenClass::from_dotted_path("rest_framework_simplejwt.tokens.SlidingToken"),
            Some(TokenClass::Sliding),
        );
        assert_eq!(TokenClass::from_dotted_path("my.tokens.AccessToken"), None);
    }

    #[test]
    fn debug_shows_no_signing_key() {
        let settings =
            Settings { signing_key: Some("this-is-the-secret".into()), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("this-is-the-secret"));
    }
}
