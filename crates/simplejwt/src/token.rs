//! Tokens: either minted here or fully verified.

mod kind;
mod length;
mod marks;
mod origin;
#[cfg(feature = "web")]
mod publication;
mod read;
#[cfg(feature = "web")]
mod told;

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, PoisonError, RwLock};

use crate::claims::{self, Claims};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::{Error, TokenError};
use crate::keys::{KeySet, MAX_TOKEN_BYTES};
use crate::random;
use crate::settings::{Settings, SettingsError};
use crate::users::UserId;
pub use kind::{Access, Refresh, Sliding, TokenType, Untyped};
use marks::Marks;

/// The claims of a token of kind `T` that was minted here or fully verified.
///
/// There is no public constructor and no `Deserialize`: holding a `Token<Access>` is proof of that.
pub struct Token<T> {
    claims: Claims,
    /// The identity of the [`Tokens`] that vouch for it.
    origin: Arc<()>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Token<T> {
    fn new(claims: Claims, origin: Arc<()>) -> Self {
        Self { claims, origin, kind: PhantomData }
    }

    /// Returns all claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Returns the same claims as a token of another kind. Callers have made sure that it counts as
    /// one.
    pub(crate) fn into_kind<U>(self) -> Token<U> {
        Token::new(self.claims, self.origin)
    }
}

impl<T> Clone for Token<T> {
    fn clone(&self) -> Self {
        Self::new(self.claims.clone(), Arc::clone(&self.origin))
    }
}

impl<T: TokenType> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("kind", &T::NAME).field("claims", &self.claims).finish()
    }
}

/// Issues, encodes and decodes tokens. Pure and synchronous, with no store and no network: all that
/// a resource server needs.
///
/// ```
/// use simplejwt::{Access, Settings, Tokens};
///
/// let tokens = Tokens::new(Settings {
///     signing_key: Some("a secret of at least thirty-two bytes".into()),
///     ..Settings::default()
/// })?;
/// let token = tokens.issue::<Access>("1");
/// let encoded = tokens.encode(&token)?;
/// let verified = tokens.decode::<Access>(&encoded)?;
/// assert_eq!(tokens.user_id(&verified).unwrap().as_str(), "1");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    /// Shared with the tokens that were issued or verified here, and compared by address.
    identity: Arc<()>,
    settings: Settings,
    keys: RwLock<Arc<KeySet>>,
    clock: Arc<dyn Clock>,
    marks: Marks,
    /// The time of the last log line about a long token, in seconds.
    length_warned_at: AtomicI64,
    #[cfg(feature = "web")]
    publication: publication::Publication,
    #[cfg(feature = "web")]
    told: told::Told,
}

impl Tokens {
    /// Creates tokens with the keys that the settings describe and the system's clock.
    ///
    /// # Errors
    /// All contradictions in the settings, each with what to do about it.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let keys = settings.key_set()?;
        Self::with(settings, keys, Arc::new(SystemClock))
    }

    /// Creates tokens with these keys, whatever the settings say about keys, and this clock.
    ///
    /// # Errors
    /// All contradictions in the settings, each with what to do about it.
    pub fn with(
        settings: Settings,
        keys: KeySet,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        settings.validate()?;
        let marks = Marks::of(&settings);
        let length_warned_at = AtomicI64::new(i64::MIN);
        let keys = RwLock::new(Arc::new(keys));
        let inner = Inner {
            identity: Arc::default(),
            settings,
            keys,
            clock,
            marks,
            length_warned_at,
            #[cfg(feature = "web")]
            publication: publication::Publication::default(),
            #[cfg(feature = "web")]
            told: told::Told::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Returns the keys currently in use.
    pub fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.inner.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the keys, here and in every clone. Each signature is made, and each token verified,
    /// with either the old set or the new one, never with a mixture. The settings still describe
    /// the former keys.
    ///
    /// Tokens signed by a key that the new set doesn't verify become invalid at once;
    /// [`KeySet::also_verify`] keeps them valid.
    ///
    /// ```
    /// use simplejwt::{Access, Algorithm, KeySet, Settings, SigningKey, Tokens};
    ///
    /// let tokens = Tokens::new(Settings {
    ///     signing_key: Some("a secret of at least thirty-two bytes".into()),
    ///     ..Settings::default()
    /// })?;
    /// let before = tokens.encode(&tokens.issue::<Access>("1"))?;
    ///
    /// let new = SigningKey::from_secret(Algorithm::Hs256, b"another one of thirty-two bytes or more")?;
    /// let old = tokens.keys().verifying().to_vec();
    /// let both = old.into_iter().try_fold(KeySet::new(new.clone()), KeySet::also_verify)?;
    /// tokens.replace_keys(both);
    /// assert!(tokens.decode::<Access>(&before).is_ok());
    ///
    /// tokens.replace_keys(KeySet::new(new));
    /// assert!(tokens.decode::<Access>(&before).is_err());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace_keys(&self, keys: KeySet) {
        *self.inner.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Returns the current time of the clock that tokens are checked against.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Creates a new token for a user, with upstream's claims in upstream's order.
    pub fn issue<T: TokenType>(&self, user: impl Into<UserId>) -> Token<T> {
        self.issue_with(user, |_| ())
    }

    /// Creates a new token for a user, with the claims that `extra` adds.
    pub fn issue_with<T: TokenType>(
        &self,
        user: impl Into<UserId>,
        extra: impl FnOnce(&mut Claims),
    ) -> Token<T> {
        let mut claims = self.fresh::<T>(self.now());
        claims.set_str(&self.inner.settings.user_id_claim, user.into().as_str());
        extra(&mut claims);
        self.own(claims)
    }

    /// Returns the claims of every new token: type, `exp`, `iat`, id, and a sliding token's refresh
    /// expiry.
    pub(crate) fn fresh<T: TokenType>(&self, now: Timestamp) -> Claims {
        self.fresh_as::<T>(now, None)
    }

    fn fresh_as<T: TokenType>(&self, now: Timestamp, jti: Option<&str>) -> Claims {
        let settings = &self.inner.settings;
        let mut claims = Claims::default();
        if let Some(claim) = &settings.token_type_claim {
            claims.set_str(claim, T::NAME);
        }
        claims.set_int("exp", (now + T::lifetime(settings)).as_secs());
        claims.set_int("iat", now.as_secs());
        if let Some(claim) = &settings.jti_claim {
            match jti {
                Some(jti) => claims.set_str(claim, jti),
                None => claims.set_str(claim, &random::uuid4_hex()),
            }
        }
        if T::NAME == Sliding::NAME {
            claims.set_int(
                &settings.sliding_token_refresh_exp_claim,
                (now + settings.sliding_token_refresh_lifetime).as_secs(),
            );
        }
        claims
    }

    /// Derives an access token from a refresh token: new type, `exp`, `iat` and id, followed by the
    /// other claims of the refresh token in their order.
    pub fn access_from(&self, refresh: &Token<Refresh>) -> Token<Access> {
        self.access_from_at(refresh, self.now(), None)
    }

    /// As [`access_from`](Self::access_from), at the given time and with the given id, if any.
    pub(crate) fn access_from_at(
        &self,
        refresh: &Token<Refresh>,
        now: Timestamp,
        jti: Option<&str>,
    ) -> Token<Access> {
        let settings = &self.inner.settings;
        let mut claims = self.fresh_as::<Access>(now, jti);
        let renewed = |name: &str| {
            matches!(name, "exp" | "iat" | "jti")
                || name == "aud" && settings.refresh_audience.is_some()
                || Some(name) == settings.token_type_claim.as_deref()
                || Some(name) == settings.jti_claim.as_deref()
        };
        for (name, value) in refresh.claims.iter() {
            if !renewed(name) {
                claims.set_raw(name, value);
            }
        }
        self.own(claims)
    }

    /// Creates the successor of a refresh token: the same claims in the same order with a new `exp`
    /// and `iat`, and with the given id or a new one.
    pub(crate) fn rotated(
        &self,
        refresh: &Token<Refresh>,
        now: Timestamp,
        jti: Option<&str>,
    ) -> Token<Refresh> {
        let settings = &self.inner.settings;
        let mut claims = refresh.claims.clone();
        if let Some(claim) = &settings.jti_claim {
            match jti {
                Some(jti) => claims.set_str(claim, jti),
                None => claims.set_str(claim, &random::uuid4_hex()),
            }
        }
        claims.set_int("exp", (now + settings.refresh_token_lifetime).as_secs());
        claims.set_int("iat", now.as_secs());
        self.own(claims)
    }

    /// Returns the token with its `exp` limited to `end`.
    pub(crate) fn until<T>(&self, mut token: Token<T>, end: Timestamp) -> Token<T> {
        if self.expires_at(&token).is_some_and(|expires_at| expires_at > end) {
            token.claims.set_int("exp", end.as_secs());
        }
        token
    }

    /// Returns the token with a session's id.
    pub(crate) fn in_session<T>(&self, mut token: Token<T>, id: &str) -> Token<T> {
        token.claims.set_str(crate::settings::SESSION_CLAIM, id);
        token
    }

    /// Renews the `exp` and `iat` of a sliding token; its id and refresh expiry stay.
    pub(crate) fn slid(&self, token: &Token<Sliding>, now: Timestamp) -> Token<Sliding> {
        let mut claims = token.claims.clone();
        claims.set_int("exp", (now + self.inner.settings.sliding_token_lifetime).as_secs());
        claims.set_int("iat", now.as_secs());
        self.own(claims)
    }

    /// Signs a token and returns its compact form (RFC 7515 section 7.1), with `typ`, `aud`, `iss`
    /// and `client_id` as the settings require for its kind.
    ///
    /// # Errors
    /// [`Error::CannotSign`] without a signing key; [`Error::Signing`] if the signature can't be
    /// made; [`Error::TokenTooLong`] if it would be longer than this library accepts
    /// ([`MAX_TOKEN_BYTES`]).
    pub fn encode<T: TokenType>(&self, token: &Token<T>) -> Result<String, Error> {
        let keys = self.keys();
        if keys.signing().is_none() {
            return Err(Error::CannotSign);
        }
        let settings = &self.inner.settings;
        let own_type = if T::ANY_TYPE { token.claims.token_type(settings) } else { None };
        let mark = self.inner.marks.of_type(own_type.as_deref().unwrap_or(T::NAME));
        let marks: Vec<_> = mark.claims.iter().map(|(name, json)| (*name, json.as_str())).collect();
        let payload = token.claims.to_json_with(&marks, settings.ensure_ascii);
        let encoded = keys
            .sign_with_typ(mark.typ, payload.as_bytes())
            .map_err(|error| Error::Signing(error.into()))?;
        if encoded.len() > MAX_TOKEN_BYTES {
            return Err(self.too_long(token, encoded.len()));
        }
        self.warn_if_long(token, encoded.len());
        Ok(encoded)
    }

    /// Verifies a token in full: form, signature, times, audience, issuer, id and kind.
    ///
    /// # Errors
    /// [`TokenError`]: always the caller's fault.
    pub fn decode<T: TokenType>(&self, token: &str) -> Result<Token<T>, TokenError> {
        let now = self.now();
        let claims = self.decode_claims(token, now)?;
        self.accept(claims)
    }

    /// The first half of [`decode`](Self::decode): PyJWT's checks. Between the halves the blacklist
    /// is asked, as upstream does.
    pub(crate) fn decode_claims(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let claims = self.signed_claims(token)?;
        let settings = &self.inner.settings;
        claims.check_registered(settings, now)?;
        claims.check_ids(settings)?;
        Ok(claims)
    }

    /// The second half of [`decode`](Self::decode): the checks of upstream's `Token.verify`.
    pub(crate) fn accept<T: TokenType>(&self, claims: Claims) -> Result<Token<T>, TokenError> {
        let settings = &self.inner.settings;
        // Its value was checked when the token was decoded.
        if !claims.contains("exp") {
            return Err(TokenError::MissingClaim("exp".to_owned()));
        }
        if let Some(claim) = &settings.jti_claim
            && !claims.contains(claim)
        {
            return Err(TokenError::MissingId);
        }
        if let Some(claim) = &settings.token_type_claim
            && !T::ANY_TYPE
        {
            let token_type = claims.raw(claim).ok_or(TokenError::MissingType)?;
            if claims::string(token_type).as_deref() != Some(T::NAME) {
                return Err(TokenError::WrongType);
            }
        }
        Ok(self.own(claims))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
