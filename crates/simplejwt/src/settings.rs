//! The `SIMPLE_JWT` settings: one field for each upstream key, upstream's defaults, and the checks
//! that make a setting either work or be refused at startup.
//!
//! Settings that hold dotted paths upstream are hooks here: see [`NOT_APPLICABLE`].

mod challenge;
mod dictionary;
mod key_set;
pub mod keys;
mod marks;
mod origins;
mod sessions;
mod transport;
mod validate;
pub mod value;
mod values;

use std::fmt;
use std::time::Duration;

pub use challenge::WwwAuthenticate;
pub use marks::{Profile, Typ};
#[cfg(feature = "web")]
pub(crate) use origins::is_allowed;
pub use sessions::{
    AtLimit, FeedLost, RevocationMode, Rows, SESSION_CLAIM, SessionSettings, TokenAtRest,
};
pub use transport::{CookieSettings, SameSite, Transport};
#[cfg(feature = "web")]
pub(crate) use transport::{has_prefix, is_cookie_path};
pub use values::{Audience, FurtherKey, KeyId, Secret, TokenClass};

use crate::keys::Algorithm;

/// Upstream keys that have no field here, each with the reason and the replacement.
pub const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("JSON_ENCODER", "a Python class; claims are any `serde::Serialize` value"),
    ("TOKEN_USER_CLASS", "a Python class; `Token<Access>` is the stateless user"),
    ("USER_AUTHENTICATION_RULE", "a Python function; `Hooks::may_authenticate`"),
    (
        "TOKEN_OBTAIN_SERIALIZER",
        "a Python class; the claims it adds are `[claims]` in the server, `Hooks::extra_claims` in the library; `Auth::obtain_pair`",
    ),
    (
        "TOKEN_REFRESH_SERIALIZER",
        "a Python class; `claims_on_refresh` in the server, `Hooks` and `Auth::refresh` in the library",
    ),
    ("TOKEN_VERIFY_SERIALIZER", "a Python class; `Auth::verify`"),
    ("TOKEN_BLACKLIST_SERIALIZER", "a Python class; `Auth::blacklist`"),
    (
        "SLIDING_TOKEN_OBTAIN_SERIALIZER",
        "a Python class; the claims it adds are `[claims]` in the server, `Hooks::extra_claims` in the library; `Auth::obtain_sliding`",
    ),
    (
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        "a Python class; `claims_on_refresh` in the server, `Hooks` and `Auth::refresh_sliding` in the library",
    ),
    ("ON_LOGIN_SUCCESS", "a Python function of the next release; `Hooks::on_login_success`"),
    ("ON_LOGIN_FAILED", "a Python function of the next release; `Hooks::on_login_failed`"),
];

/// The settings. Fields are named as upstream's keys, in lower case.
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
///
/// Serde reads them from JSON, TOML or any other format, as a `SIMPLE_JWT` dictionary: names in
/// upper or lower case, values as in the server's `[simple_jwt]` ([`value`]). A setting that is
/// unknown, of the wrong type or given twice is an error that says what to write. A setting that is
/// absent has its default. `sessions` and `cookies` are tables within the dictionary, with the
/// names used in the server's sections.
///
/// ```
/// use std::time::Duration;
///
/// let settings: simplejwt::Settings = serde_json::from_str(
///     r#"{"ACCESS_TOKEN_LIFETIME": "15m", "ROTATE_REFRESH_TOKENS": true, "AUDIENCE": ["a", "b"]}"#,
/// )?;
/// assert_eq!(settings.access_token_lifetime, Duration::from_secs(900));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The lifetime of an access token. Default: 5 minutes.
    #[doc(alias = "ACCESS_TOKEN_LIFETIME")]
    pub access_token_lifetime: Duration,
    /// The lifetime of a refresh token. Default: 1 day.
    #[doc(alias = "REFRESH_TOKEN_LIFETIME")]
    pub refresh_token_lifetime: Duration,
    /// Makes a refresh return a new refresh token as well. Default: off.
    #[doc(alias = "ROTATE_REFRESH_TOKENS")]
    pub rotate_refresh_tokens: bool,
    /// Makes a rotation blacklist the old refresh token, and `verify` check the blacklist. Needs
    /// [`token_blacklist`](Self::token_blacklist). Default: off.
    #[doc(alias = "BLACKLIST_AFTER_ROTATION")]
    pub blacklist_after_rotation: bool,
    /// Makes a login update the user's `last_login`. Default: off.
    #[doc(alias = "UPDATE_LAST_LOGIN")]
    pub update_last_login: bool,
    /// The signature algorithm (RFC 7518 section 3.1). Default: HS256.
    #[doc(alias = "ALGORITHM")]
    pub algorithm: Algorithm,
    /// The HMAC secret, or the private key as PEM. With an asymmetric algorithm and no signing key,
    /// this instance only verifies. Default: none; in the server, Django's `SECRET_KEY`.
    #[doc(alias = "SIGNING_KEY")]
    pub signing_key: Option<Secret>,
    /// The public key as PEM, OpenSSH line or certificate. Not used by HS*. Default: none.
    #[doc(alias = "VERIFYING_KEY")]
    pub verifying_key: Option<String>,
    /// The key id in the headers of tokens, by which others choose among several keys. Tokens
    /// without one stay valid. Default: none, as upstream.
    pub kid: KeyId,
    /// Names algorithms as RFC 9864 does, in headers and JWKs: `Ed25519` in place of `EdDSA`. Tokens
    /// with either name are accepted in any case. Default: off, since few libraries know the name.
    pub fully_specified_algorithms: bool,
    /// Further keys that verify: those that signed before, as Django's `SECRET_KEY_FALLBACKS`, or
    /// will sign later. Default: none.
    pub verifying_keys: Vec<FurtherKey>,
    /// The passphrase of the signing key, if that is encrypted (PKCS#8, `ENCRYPTED PRIVATE KEY`).
    /// Default: none.
    pub signing_key_passphrase: Option<Secret>,
    /// The `aud` claim that is written and required (RFC 7519 section 4.1.3). Default: none.
    #[doc(alias = "AUDIENCE")]
    pub audience: Option<Audience>,
    /// The `aud` claim of refresh tokens, in place of [`audience`](Self::audience), which is then
    /// that of all others. Programs that check `aud` don't accept refresh tokens by mistake. A
    /// refresh token without it is accepted if it has the `aud` that it would have without this
    /// setting; its successor has the new one. Not for use beside a Django that refreshes these
    /// tokens: it refuses them, or copies this `aud` into access tokens. Default: none.
    pub refresh_audience: Option<String>,
    /// The `typ` of the JOSE header (RFC 7515 section 4.1.9). Default: [`Typ::Jwt`].
    pub typ: Typ,
    /// The profile of access tokens. Default: [`Profile::Simplejwt`].
    pub profile: Profile,
    /// The `client_id` claim of access tokens with [`Profile::Rfc9068`] (RFC 8693 section 4.3).
    /// Default: none.
    pub client_id: Option<String>,
    /// Writes characters outside ASCII as `\uXXXX`, as Python's `json.dumps` does by default. Without
    /// it they are UTF-8, which is shorter, and which programs understand that don't decode such
    /// escapes. Verifying is the same with both. Default: on.
    pub ensure_ascii: bool,
    /// The `iss` claim that is written and required (RFC 7519 section 4.1.1). Default: none.
    #[doc(alias = "ISSUER")]
    pub issuer: Option<String>,
    /// The URL of a JWK set (RFC 7517) from which the verifying keys are fetched, or several, whose
    /// keys all count. Not used by HS*. Default: none.
    #[doc(alias = "JWK_URL")]
    pub jwk_url: Vec<String>,
    /// The time for which fetched keys are used after the last fetch that succeeded; `None`:
    /// unlimited. After it, tokens can't be checked. At least a minute. Default: one day.
    pub jwk_url_max_stale: Option<Duration>,
    /// Tokens without `kid` (RFC 7515 section 4.1.4) are also tried with fetched keys that have
    /// one. With fetched keys that have none, they always are. Default: off.
    pub jwk_url_without_kid: bool,
    /// The clock skew allowed when `exp`, `nbf` and `iat` are checked. Default: 0.
    #[doc(alias = "LEEWAY")]
    pub leeway: Duration,
    /// The accepted authentication schemes; the first one is sent in `WWW-Authenticate`. Default:
    /// `Bearer`.
    #[doc(alias = "AUTH_HEADER_TYPES")]
    pub auth_header_types: Vec<String>,
    /// What a 401 says of its reason in `WWW-Authenticate`. Default: nothing, as upstream.
    pub www_authenticate: WwwAuthenticate,
    /// The request header that holds the token, spelt as in Django's `request.META`.
    /// Default: `HTTP_AUTHORIZATION`.
    #[doc(alias = "AUTH_HEADER_NAME")]
    pub auth_header_name: String,
    /// The field of the user that identifies it in tokens. Default: `id`.
    #[doc(alias = "USER_ID_FIELD")]
    pub user_id_field: String,
    /// The claim that holds the value of that field. Default: `user_id`.
    #[doc(alias = "USER_ID_CLAIM")]
    pub user_id_claim: String,
    /// The kinds of token that a protected route accepts, in the order in which they are tried.
    /// Default: access tokens.
    #[doc(alias = "AUTH_TOKEN_CLASSES")]
    pub auth_token_classes: Vec<TokenClass>,
    /// The claim that holds the kind of token. With `None` it is neither written nor checked.
    /// Default: `token_type`.
    #[doc(alias = "TOKEN_TYPE_CLAIM")]
    pub token_type_claim: Option<String>,
    /// The claim that holds the token's id. With `None` it is neither written nor checked. Default:
    /// `jti`.
    #[doc(alias = "JTI_CLAIM")]
    pub jti_claim: Option<String>,
    /// The claim that holds the time until which a sliding token can be refreshed. Default:
    /// `refresh_exp`.
    #[doc(alias = "SLIDING_TOKEN_REFRESH_EXP_CLAIM")]
    pub sliding_token_refresh_exp_claim: String,
    /// The lifetime of a sliding token. Default: 5 minutes.
    #[doc(alias = "SLIDING_TOKEN_LIFETIME")]
    pub sliding_token_lifetime: Duration,
    /// The time within which a sliding token can be refreshed. Default: 1 day.
    #[doc(alias = "SLIDING_TOKEN_REFRESH_LIFETIME")]
    pub sliding_token_refresh_lifetime: Duration,
    /// Puts a fingerprint of the password hash into tokens, which are refused once the hash has
    /// changed. Default: off.
    #[doc(alias = "CHECK_REVOKE_TOKEN")]
    pub check_revoke_token: bool,
    /// The claim that holds that fingerprint. Default: `hash_password`.
    #[doc(alias = "REVOKE_TOKEN_CLAIM")]
    pub revoke_token_claim: String,
    /// Refuses inactive users. Default: on.
    #[doc(alias = "CHECK_USER_IS_ACTIVE")]
    pub check_user_is_active: bool,

    /// Registers refresh and sliding tokens, so that they can be blacklisted: the equivalent of
    /// `rest_framework_simplejwt.token_blacklist` in `INSTALLED_APPS`. Default: off.
    pub token_blacklist: bool,
    /// Allows an HMAC secret shorter than its hash (RFC 7518 section 3.2). Default: off.
    pub allow_weak_key: bool,
    /// Sessions, reuse detection and revocation; a section of its own in the server's
    /// configuration. Default: see [`SessionSettings`].
    pub sessions: SessionSettings,
    /// The way tokens travel: in headers and bodies, or in cookies. Default: headers and bodies.
    pub transport: Transport,
    /// The cookies, if the transport uses them; a section of its own in the server's configuration.
    /// Default: see [`CookieSettings`].
    pub cookies: CookieSettings,
    /// The origins of single-page applications that are served from elsewhere, each as browsers
    /// write it: `https://app.example.com`. Apps and extensions have schemes of their own:
    /// `capacitor://localhost`, `tauri://localhost`, `chrome-extension://ID`.
    /// `https://*.example.com` matches every sub-domain at any depth, but not the domain itself:
    /// use it only if you control all of them. These origins may read answers and send credentials
    /// (CORS), and with cookies their unsafe requests are treated as same-origin: the equivalent of
    /// django-cors-headers' `CORS_ALLOWED_ORIGINS` and Django's `CSRF_TRUSTED_ORIGINS`. Default:
    /// none.
    pub allowed_origins: Vec<String>,
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
            kid: KeyId::None,
            fully_specified_algorithms: false,
            verifying_keys: Vec::new(),
            signing_key_passphrase: None,
            audience: None,
            refresh_audience: None,
            typ: Typ::Jwt,
            profile: Profile::Simplejwt,
            client_id: None,
            ensure_ascii: true,
            issuer: None,
            jwk_url: Vec::new(),
            jwk_url_max_stale: Some(Duration::from_secs(DAY)),
            jwk_url_without_kid: false,
            leeway: Duration::ZERO,
            auth_header_types: vec!["Bearer".into()],
            www_authenticate: WwwAuthenticate::Simplejwt,
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
            sessions: SessionSettings::default(),
            transport: Transport::Header,
            cookies: CookieSettings::default(),
            allowed_origins: Vec::new(),
        }
    }
}

impl Settings {
    /// Returns the name of the request header that [`auth_header_name`](Self::auth_header_name)
    /// stands for: `x-access-token` for `HTTP_X_ACCESS_TOKEN`. `None` if it doesn't name a header.
    pub fn auth_header(&self) -> Option<http::HeaderName> {
        let name = self.auth_header_name.strip_prefix("HTTP_")?;
        // Each request asks for it.
        if name == "AUTHORIZATION" {
            return Some(http::header::AUTHORIZATION);
        }
        name.to_ascii_lowercase().replace('_', "-").parse().ok()
    }

    /// Returns the claims that identify or validate a token with these settings: `exp`, `iat`,
    /// `jti`, `aud`, `iss` and `client_id` if they are used, and those that the settings name. No
    /// [hook](crate::Hooks) can change them.
    ///
    /// ```
    /// let settings = simplejwt::Settings::default();
    /// assert!(settings.reserved_claims().contains(&"user_id"));
    /// assert!(!settings.reserved_claims().contains(&"email"));
    /// ```
    pub fn reserved_claims(&self) -> Vec<&str> {
        let mut claims = vec!["exp", "iat", "jti", &self.user_id_claim];
        claims.extend(self.token_type_claim.as_deref());
        claims.extend(self.jti_claim.as_deref());
        claims.push(&self.sliding_token_refresh_exp_claim);
        claims.extend(self.check_revoke_token.then_some(self.revoke_token_claim.as_str()));
        claims
            .extend((self.has_sessions() && self.sessions.session_claim).then_some(SESSION_CLAIM));
        let has_audience = self.audience.is_some() || self.refresh_audience.is_some();
        claims.extend(has_audience.then_some("aud"));
        claims.extend(self.issuer.is_some().then_some("iss"));
        claims.extend((self.profile == Profile::Rfc9068).then_some("client_id"));
        claims
    }
}

/// Settings that contradict each other, or that can't have been intended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    problems: Vec<String>,
}

impl SettingsError {
    pub(crate) fn one(problem: String) -> Self {
        Self { problems: vec![problem] }
    }

    /// Returns `Ok` if there are no problems.
    pub(crate) fn of(problems: Vec<&str>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        Err(Self { problems: problems.into_iter().map(str::to_owned).collect() })
    }

    /// Returns one sentence for each problem: what is wrong, and what to do about it.
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
mod tests;
