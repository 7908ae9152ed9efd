//! The flows: one method per view of upstream's. No HTTP, no SQL.

mod claims;
mod oauth;
mod presented;
mod refresh;
mod revocation;
mod sessions;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::claims::{Claims, UserClaim};
use crate::clock::Timestamp;
use crate::error::{Error, TokenError, TokenMessage};
use crate::hooks::{DefaultHooks, Hooks};
use crate::keys::{JwsError, RemoteKeys};
use crate::logging::cut;
use crate::revocation::Revoked;
use crate::settings::{
    AtLimit, Revocation, SESSION_CLAIM, Settings, SettingsError, TokenAtRest, TokenClass,
};
use crate::store::retention::{Retention, Times};
use crate::store::session::{
    Client, EndReason, NewSession, OpenOutcome, OpenSession, RetainUntil, SessionLimit,
    SessionStore,
};
use crate::store::{Blacklisting, OutstandingToken, TokenStore};
use crate::token::{Access, Refresh, Sliding, Token, TokenType, Tokens, Untyped};
use crate::users::{Credentials, User, UserId, UserStore, password_fingerprint, revoke_claim};

pub use oauth::{Introspected, Revoking};
pub use sessions::{Caller, Scope};

/// What a login answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPair {
    /// The encoded refresh token.
    pub refresh: String,
    /// The encoded access token.
    pub access: String,
}

/// What a refresh answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The new encoded access token.
    pub access: String,
    /// The new encoded refresh token, with `ROTATE_REFRESH_TOKENS`.
    pub refresh: Option<String>,
}

/// Logs in, refreshes, verifies, blacklists and authenticates. Cheap to clone.
///
/// ```
/// use simplejwt::{Auth, Settings, Tokens};
///
/// let tokens = Tokens::new(Settings {
///     signing_key: Some("a secret of at least thirty-two bytes".into()),
///     ..Settings::default()
/// })?;
/// let auth = Auth::new(tokens);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Auth {
    tokens: Tokens,
    users: Option<Arc<dyn UserStore>>,
    store: Option<Arc<dyn TokenStore>>,
    sessions: Option<Arc<dyn SessionStore>>,
    hooks: Arc<dyn Hooks>,
    revoked: Arc<Revoked>,
    retention: Arc<Retention>,
    client: Option<Arc<Client>>,
    /// What an edge keeps with the flows that it hands around; nothing to the flows themselves.
    edge: Option<Arc<dyn Any + Send + Sync>>,
}

impl Auth {
    /// Flows that issue and verify tokens. Login needs [`with_users`](Self::with_users); with the
    /// blacklist on, everything but stateless authentication needs
    /// [`with_store`](Self::with_store).
    pub fn new(tokens: Tokens) -> Self {
        let revoked = Arc::new(Revoked::new(tokens.settings().sessions.feed_max_entries));
        let retention = Arc::new(Retention::of(tokens.settings()));
        Self {
            tokens,
            users: None,
            store: None,
            sessions: None,
            hooks: Arc::new(DefaultHooks),
            revoked,
            retention,
            client: None,
            edge: None,
        }
    }

    /// With these users: a store, or an `Arc` of one that is shared with others.
    #[must_use]
    pub fn with_users(mut self, users: impl UserStore) -> Self {
        self.users = Some(Arc::new(users));
        self
    }

    /// With this store, or the one behind this `Arc`, which is used if `token_blacklist` is on, and
    /// without sessions.
    #[must_use]
    pub fn with_store(mut self, store: impl TokenStore) -> Self {
        self.store = Some(Arc::new(store));
        self.sessions = None;
        self
    }

    /// With this store, or the one behind this `Arc`, which is used if `token_blacklist` is on, and
    /// with sessions unless the settings switch them off.
    #[must_use]
    pub fn with_sessions(mut self, store: impl SessionStore) -> Self {
        let store: Arc<dyn SessionStore> = Arc::new(store);
        self.store = Some(Arc::clone(&store) as Arc<dyn TokenStore>);
        self.sessions = Some(store);
        self
    }

    /// As [`with_users`](Self::with_users), which takes an `Arc` as well.
    #[must_use]
    pub fn with_shared_users(mut self, users: Arc<dyn UserStore>) -> Self {
        self.users = Some(users);
        self
    }

    /// As [`with_sessions`](Self::with_sessions), which takes an `Arc` as well.
    #[must_use]
    pub fn with_shared_sessions(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.store = Some(Arc::clone(&store) as Arc<dyn TokenStore>);
        self.sessions = Some(store);
        self
    }

    /// The same flows for a request from this client, which the list of sessions shows.
    #[must_use]
    pub fn from_client(&self, client: Client) -> Self {
        Self { client: Some(Arc::new(client)), ..self.clone() }
    }

    /// Whether the settings ask for what this instance has no store for: to be called once, when
    /// all of it is put together.
    ///
    /// # Errors
    /// Each such setting, with what to do about it.
    pub fn check(&self) -> Result<(), SettingsError> {
        let settings = self.settings();
        let mut problems = Vec::new();
        if settings.token_blacklist && self.store.is_none() {
            problems.push(
                "token_blacklist is on, but there is no store: call with_store or with_sessions",
            );
        }
        let asks = settings.sessions != crate::settings::SessionSettings::default();
        if settings.has_sessions() && asks && self.sessions.is_none() {
            problems.push(
                "sessions are configured, but the store keeps none: call with_sessions with a \
                 SessionStore",
            );
        }
        SettingsError::of(problems)
    }

    /// With these hooks in place of Django's behaviour.
    #[must_use]
    pub fn with_hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks = Arc::new(hooks);
        self
    }

    pub(crate) fn with_edge(mut self, kept: impl Any + Send + Sync) -> Self {
        self.edge = Some(Arc::new(kept));
        self
    }

    pub(crate) fn edge<T: Any>(&self) -> Option<&T> {
        self.edge.as_deref()?.downcast_ref()
    }

    /// The tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        self.tokens.settings()
    }

    /// A new refresh and access token for whoever these credentials belong to. Upstream:
    /// `TokenObtainPairView`.
    ///
    /// # Errors
    /// [`Error::NoActiveAccount`], whatever the reason; internal errors.
    pub async fn obtain_pair(&self, credentials: &Credentials) -> Result<TokenPair, Error> {
        let user = self.log_in(credentials).await?;
        let now = self.tokens.now();
        let refresh = self.issue_for::<Refresh>(TokenClass::Refresh, &user, now).await?;
        let refresh = self.within_lifetime(refresh, now, now);
        let encoded = self.tokens.encode(&refresh)?;
        let access = self.tokens.access_from_at(&refresh, now, None);
        let access = self.tokens.encode(&self.within_lifetime(access, now, now))?;
        self.begin_login(credentials, &refresh, &encoded, &user, now).await?;
        self.logged_in(&user, now).await?;
        Ok(TokenPair { refresh: encoded, access })
    }

    /// A new sliding token for whoever these credentials belong to. Upstream:
    /// `TokenObtainSlidingView`.
    ///
    /// # Errors
    /// As [`obtain_pair`](Self::obtain_pair).
    pub async fn obtain_sliding(&self, credentials: &Credentials) -> Result<String, Error> {
        let user = self.log_in(credentials).await?;
        let now = self.tokens.now();
        let token = self.issue_for::<Sliding>(TokenClass::Sliding, &user, now).await?;
        let token = self.within_lifetime(token, now, now);
        let encoded = self.tokens.encode(&token)?;
        self.begin_login(credentials, &token, &encoded, &user, now).await?;
        self.logged_in(&user, now).await?;
        Ok(encoded)
    }

    /// A sliding token with its lifetime renewed. Upstream: `TokenRefreshSlidingView`.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub async fn refresh_sliding(&self, token: &str) -> Result<String, Error> {
        let now = self.tokens.now();
        let token = self.decode_listed::<Sliding>(token, now).await?;
        let settings = self.settings();
        token.claims().check_expiry(
            &settings.sliding_token_refresh_exp_claim,
            now,
            settings.leeway,
        )?;
        let user = self.check_user(&token).await?;
        let token = self.with_refreshed_claims(TokenClass::Sliding, &user, token).await?;
        let slid = self.tokens.slid(&token, now);
        let slid = match &self.sessions() {
            Some(sessions) => self.slide_in_session(*sessions, slid, now).await?,
            None => slid,
        };
        self.tokens.encode(&slid)
    }

    /// Whether a token of any kind is good. Upstream: `TokenVerifyView`, which looks at the
    /// blacklist only where `BLACKLIST_AFTER_ROTATION` is on.
    ///
    /// # Errors
    /// [`Error::Token`], [`Error::VerifiedBlacklisted`]; internal errors.
    pub async fn verify(&self, token: &str) -> Result<Token<Untyped>, Error> {
        let now = self.tokens.now();
        let claims = self.decode_claims(token, now).await?;
        let token = self.tokens.accept::<Untyped>(claims)?;
        let revocation = self.settings().sessions.revocation;
        if revocation != Revocation::Stateless && self.is_revoked(&token).await? {
            return Err(Error::VerifiedBlacklisted);
        }
        let settings = self.settings();
        // Access tokens too: whoever put one on the blacklist means it.
        if (settings.blacklist_after_rotation || revocation != Revocation::Stateless)
            && self.is_listed(&token, now).await?
        {
            return Err(Error::VerifiedBlacklisted);
        }
        Ok(token)
    }

    /// Puts a refresh token on the blacklist. Upstream: `TokenBlacklistView`.
    ///
    /// With sessions, the token's session ends; also by a spent token, for as long as the session
    /// goes on.
    ///
    /// # Errors
    /// [`Error::Token`] for a token that isn't good, also where it is blacklisted and there is no
    /// session left to end; [`Error::BlacklistDisabled`]; internal errors.
    pub async fn blacklist(&self, token: &str) -> Result<(), Error> {
        let now = self.tokens.now();
        let Some(sessions) = self.sessions() else {
            let refresh = self.decode_listed::<Refresh>(token, now).await?;
            let spent = self.outstanding(&refresh, token, now)?;
            let outcome = self.blacklist_store()?.blacklist(&spent, now).await?;
            return self.blacklisted(&spent, outcome);
        };
        let (refresh, jti) = self.decode_spent_too(token, now).await?;
        let spent = self.outstanding(&refresh, token, now)?;
        // Not by a rotation here: it has no successor, whose session might go on without an answer.
        let is_over = self.blacklist_store()?.is_blacklisted(&jti).await?
            && sessions.session_of(&jti).await?.is_none_or(|session| session.spent_at.is_none());
        let reason = EndReason::Blacklisted;
        let outcome = self.end_session_of(sessions, &refresh, &spent, reason, now).await?;
        self.blacklisted(&spent, if is_over { Blacklisting::AlreadyBlacklisted } else { outcome })
    }

    fn blacklisted(&self, spent: &OutstandingToken, outcome: Blacklisting) -> Result<(), Error> {
        let (jti, user_id) = (&spent.jti, spent.user_id.as_ref().map_or("", |id| id.as_str()));
        match outcome {
            Blacklisting::Blacklisted => {
                tracing::info!(
                    event = "token_blacklisted",
                    client_address = self.client_address(),
                    user_agent = self.user_agent(),
                    jti,
                    user_id,
                    "token blacklisted"
                );
                Ok(())
            }
            Blacklisting::AlreadyBlacklisted => {
                tracing::warn!(
                    event = "blacklisted_token_presented",
                    client_address = self.client_address(),
                    user_agent = self.user_agent(),
                    jti,
                    "blacklisted token presented"
                );
                Err(TokenError::Blacklisted.into())
            }
        }
    }

    /// The token of a request, given as one of `AUTH_TOKEN_CLASSES`. Upstream:
    /// `JWTAuthentication.get_validated_token`.
    ///
    /// # Errors
    /// [`Error::TokenNotValid`] with one message per class; internal errors.
    pub async fn authenticate(&self, token: &str) -> Result<Token<Access>, Error> {
        let now = self.tokens.now();
        let mut messages = Vec::new();
        for &class in &self.settings().auth_token_classes {
            let outcome = match class {
                TokenClass::Access => self.decode_unrevoked::<Access>(token, now).await,
                TokenClass::Untyped => {
                    self.decode_unrevoked::<Untyped>(token, now).await.map(Token::into_kind)
                }
                TokenClass::Refresh => {
                    self.decode_listed::<Refresh>(token, now).await.map(Token::into_kind)
                }
                TokenClass::Sliding => {
                    self.decode_listed::<Sliding>(token, now).await.map(Token::into_kind)
                }
            };
            match outcome {
                Ok(token) => return Ok(token),
                Err(Error::Token(error)) => messages.push(TokenMessage {
                    token_class: class.class_name(),
                    token_type: class.token_type(),
                    error,
                }),
                Err(error) => return Err(error),
            }
        }
        Err(Error::TokenNotValid(messages))
    }

    /// Whether the token says who its user is: what upstream's
    /// `JWTStatelessUserAuthentication` asks.
    ///
    /// # Errors
    /// [`Error::NoUserClaim`]
    pub fn stateless_user_of(&self, token: &Token<Access>) -> Result<UserId, Error> {
        match self.tokens.user_claim(token) {
            UserClaim::Id(id) => Ok(id),
            UserClaim::Missing | UserClaim::Malformed => Err(Error::NoUserClaim),
        }
    }

    /// The row of the token's user. Upstream: `JWTAuthentication.get_user`.
    ///
    /// # Errors
    /// [`Error::NoUserClaim`], [`Error::UserNotFound`], [`Error::UserInactive`],
    /// [`Error::PasswordChanged`]; internal errors.
    pub async fn user_of(&self, token: &Token<Access>) -> Result<User, Error> {
        let id = match self.tokens.user_claim(token) {
            UserClaim::Id(id) => id,
            UserClaim::Missing => return Err(Error::NoUserClaim),
            UserClaim::Malformed => return Err(Error::UserNotFound),
        };
        let user = self.user_store()?.find(&id).await?.ok_or(Error::UserNotFound)?;
        if self.settings().check_user_is_active && !user.is_active {
            return Err(Error::UserInactive);
        }
        self.check_password_fingerprint(token.claims(), &user)?;
        Ok(user)
    }

    /// Whether the user has this permission (`app_label.codename`), by Django's rule: an inactive
    /// user has none and a superuser every one, be there one of that name or not; all others have
    /// those that the user store knows of. Upstream: `user.has_perm`.
    ///
    /// ```
    /// # async fn change(auth: &simplejwt::Auth, user: &simplejwt::User) -> Result<(), simplejwt::Error> {
    /// if !auth.has_permission(user, "blog.change_post").await? {
    ///     return Err(simplejwt::Error::PermissionDenied);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Internal errors.
    pub async fn has_permission(&self, user: &User, permission: &str) -> Result<bool, Error> {
        if !user.is_active || user.is_superuser {
            return Ok(user.is_active);
        }
        Ok(self.user_store()?.permissions(&user.id).await?.contains(permission))
    }

    /// The names of the user's groups, sorted; none without a user store that has groups.
    ///
    /// # Errors
    /// Internal errors.
    pub async fn groups_of(&self, user: &User) -> Result<Vec<String>, Error> {
        Ok(self.user_store()?.groups(&user.id).await?)
    }

    async fn log_in(&self, credentials: &Credentials) -> Result<User, Error> {
        match self.user_store()?.authenticate(credentials).await? {
            Some(user) if self.hooks.may_authenticate(self.settings(), &user) => Ok(user),
            _ => {
                tracing::warn!(
                    event = "login_refused",
                    client_address = self.client_address(),
                    user_agent = self.user_agent(),
                    username = &*cut(&credentials.username),
                    "login refused"
                );
                self.hooks.on_login_failed(credentials).await;
                Err(Error::NoActiveAccount)
            }
        }
    }

    /// As [`begin`](Self::begin); a login that is one too many counts as refused.
    async fn begin_login<T: TokenType>(
        &self,
        credentials: &Credentials,
        token: &Token<T>,
        encoded: &str,
        user: &User,
        now: Timestamp,
    ) -> Result<(), Error> {
        let begun = self.begin(token, encoded, user, now).await;
        if matches!(begun, Err(Error::TooManySessions)) {
            tracing::warn!(
                event = "session_limit_reached",
                client_address = self.client_address(),
                user_agent = self.user_agent(),
                user_id = user.id.as_str(),
                "login refused: too many sessions"
            );
            self.hooks.on_login_failed(credentials).await;
        }
        begun
    }

    async fn logged_in(&self, user: &User, now: Timestamp) -> Result<(), Error> {
        if self.settings().update_last_login {
            self.user_store()?.update_last_login(&user.id, now).await?;
        }
        tracing::info!(
            event = "login",
            client_address = self.client_address(),
            user_agent = self.user_agent(),
            user_id = user.id.as_str(),
            "logged in"
        );
        self.hooks.on_login_success(user).await;
        Ok(())
    }

    async fn issue_for<T: TokenType>(
        &self,
        class: TokenClass,
        user: &User,
        now: Timestamp,
    ) -> Result<Token<T>, Error> {
        let settings = self.settings();
        let mut claims = self.tokens.fresh::<T>(now);
        claims.set_str(&settings.user_id_claim, user.id.as_str());
        if settings.check_revoke_token {
            claims.set_str(&settings.revoke_token_claim, &revoke_claim(&user.password));
        }
        if settings.has_sessions()
            && settings.sessions.session_claim
            && let Some(jti) = self.tokens.jti_of(&claims)
        {
            claims.set_str(SESSION_CLAIM, &jti);
        }
        Ok(self.tokens.mint(self.with_extra_claims(class, user, claims).await?))
    }

    /// Fetches the verifying keys where `JWK_URL` says where from and they are due: for calling
    /// every few seconds, so that no request has to wait for it.
    pub async fn refresh_keys(&self) {
        if let Some(remote) = self.tokens.keys().remote() {
            remote.keep_fresh(self.tokens.now()).await;
        }
    }

    /// Why no token can be verified, where the keys behind `JWK_URL` were never there: each check
    /// is [`Error::KeysUnavailable`] then. `None` where there are keys, be they old.
    pub fn why_keys_are_missing(&self) -> Option<Arc<str>> {
        self.tokens.keys().remote().and_then(RemoteKeys::why_missing)
    }

    async fn decode_claims(&self, token: &str, now: Timestamp) -> Result<Claims, Error> {
        if let Some(remote) = self.tokens.keys().remote() {
            let lacks_key =
                || self.tokens.keys().verify_compact(token) == Err(JwsError::UnknownKey);
            let missing = remote.why_missing().is_some() || lacks_key();
            remote.refresh(now, missing).await;
            // What a key that can't be had would say of the token, nobody knows.
            if remote.why_missing().is_some() || missing && remote.may_lack_one() && lacks_key() {
                return Err(Error::KeysUnavailable);
            }
        }
        Ok(self.tokens.decode_claims(token, now)?)
    }

    async fn decode_unrevoked<T: TokenType>(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Token<T>, Error> {
        let token = self.tokens.accept(self.decode_claims(token, now).await?)?;
        if self.settings().sessions.revocation != Revocation::Stateless
            && self.is_revoked(&token).await?
        {
            return Err(TokenError::Blacklisted.into());
        }
        Ok(token)
    }

    /// Verifies a token of a kind that can be blacklisted. As upstream does, the blacklist is
    /// asked once the signature and the times are known to be good, before the rest is looked at.
    async fn decode_listed<T: TokenType>(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Token<T>, Error> {
        let claims = self.decode_claims(token, now).await?;
        if self.settings().token_blacklist {
            let jti = self.tokens.jti_of(&claims).ok_or(TokenError::MissingId)?;
            if self.is_spent(&jti).await? {
                tracing::warn!(
                    event = "blacklisted_token_presented",
                    client_address = self.client_address(),
                    user_agent = self.user_agent(),
                    jti,
                    "blacklisted token presented"
                );
                return Err(TokenError::Blacklisted.into());
            }
        }
        Ok(self.tokens.accept(claims)?)
    }

    /// Whether a token is blacklisted or, as its session knows, was spent or ended with it.
    async fn is_spent(&self, jti: &str) -> Result<bool, Error> {
        let store = self.blacklist_store()?;
        Ok(match self.sessions() {
            Some(sessions) => sessions.is_spent(jti).await?,
            None => store.is_blacklisted(jti).await?,
        })
    }

    /// The token's user, who has to exist still and may have tokens.
    async fn check_user<T>(&self, token: &Token<T>) -> Result<User, Error> {
        let id = match self.tokens.user_claim(token) {
            UserClaim::Id(id) => id,
            UserClaim::Missing => return Err(Error::NoUserClaim),
            UserClaim::Malformed => return Err(Error::NoActiveAccountForToken),
        };
        match self.user_store()?.find(&id).await? {
            Some(user) if self.hooks.may_authenticate(self.settings(), &user) => {
                self.check_password_fingerprint(token.claims(), &user)?;
                Ok(user)
            }
            _ => Err(Error::NoActiveAccountForToken),
        }
    }

    fn check_password_fingerprint(&self, claims: &Claims, user: &User) -> Result<(), Error> {
        let settings = self.settings();
        if !settings.check_revoke_token {
            return Ok(());
        }
        let current = revoke_claim(&user.password);
        let in_token = claims.str(&settings.revoke_token_claim).unwrap_or_default();
        if bool::from(in_token.as_bytes().ct_eq(current.as_bytes())) {
            Ok(())
        } else {
            Err(Error::PasswordChanged)
        }
    }

    /// Registers a new token where the blacklist is on.
    async fn register<T>(
        &self,
        token: &Token<T>,
        encoded: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        if self.settings().token_blacklist {
            let token = self.outstanding(token, encoded, now)?;
            self.blacklist_store()?.record(&token).await.map_err(Error::Store)?;
        }
        Ok(())
    }

    /// Registers a login's first token, which opens a session where there are sessions.
    async fn begin<T: TokenType>(
        &self,
        token: &Token<T>,
        encoded: &str,
        user: &User,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(sessions) = self.sessions() else {
            return self.register(token, encoded, now).await;
        };
        let settings = self.settings();
        let first = self.outstanding(token, encoded, now)?;
        let fingerprint = |hash: &str| (!hash.is_empty()).then(|| password_fingerprint(hash));
        if let Some(old) = user.rehashed_from.as_deref().and_then(fingerprint)
            && let Some(new) = fingerprint(&user.password)
        {
            sessions.password_rehashed(&user.id, &old, &new).await?;
        }
        let open = OpenSession {
            session: NewSession {
                id: first.jti.clone(),
                user_id: user.id.clone(),
                client: self.client(),
                password: fingerprint(&user.password),
            },
            expires_at: self.retention.last_exp(self.times(token), first.expires_at),
            token: first,
            limit: settings.sessions.max_per_user.map(|limit| match settings.sessions.at_limit {
                AtLimit::EvictOldest => SessionLimit::EvictOldest(limit),
                AtLimit::Refuse => SessionLimit::Refuse(limit),
            }),
            at: now,
            retain_until: self.retain_until(now),
        };
        match sessions.open(&open).await.map_err(Error::Store)? {
            OpenOutcome::Opened { evicted: 0 } => {}
            OpenOutcome::Opened { evicted } => {
                tracing::info!(
                    event = "sessions_evicted",
                    client_address = self.client_address(),
                    user_agent = self.user_agent(),
                    user_id = user.id.as_str(),
                    ended = evicted,
                    "sessions ended to make room"
                );
            }
            OpenOutcome::TooMany => return Err(Error::TooManySessions),
        }
        Ok(())
    }

    fn times<T>(&self, token: &Token<T>) -> Times {
        let seconds = |claim: &str| token.claims().numeric_date(claim).ok().flatten();
        Times {
            exp: seconds("exp"),
            iat: seconds("iat"),
            refresh_exp: seconds(&self.settings().sliding_token_refresh_exp_claim),
        }
    }

    fn client(&self) -> Client {
        self.client.as_deref().cloned().unwrap_or_default()
    }

    /// The client's address for the log, where it is known.
    fn client_address(&self) -> Option<&str> {
        self.client.as_deref()?.address.as_deref()
    }

    /// What the client calls itself, for the log.
    fn user_agent(&self) -> Option<&str> {
        self.client.as_deref()?.user_agent.as_deref()
    }

    /// How long the end of a session that ends now has to be remembered.
    fn retain_until(&self, now: Timestamp) -> RetainUntil {
        RetainUntil::of(self.settings(), now)
    }

    /// What counts no longer: to be asked with, where revocations are.
    fn due(&self) -> Timestamp {
        self.retention.due(self.tokens.now())
    }

    fn outstanding<T>(
        &self,
        token: &Token<T>,
        encoded: &str,
        now: Timestamp,
    ) -> Result<OutstandingToken, Error> {
        Ok(OutstandingToken {
            jti: self.tokens.jti(token).ok_or(TokenError::MissingId)?,
            token: match self.settings().sessions.token_at_rest {
                TokenAtRest::Full => encoded.to_owned(),
                TokenAtRest::Redacted => redacted(encoded),
            },
            user_id: self.tokens.user_id(token),
            created_at: now,
            expires_at: self
                .tokens
                .expires_at(token)
                .ok_or_else(|| TokenError::MissingClaim("exp".into()))?,
        })
    }

    /// The store, if there are sessions.
    fn sessions(&self) -> Option<&dyn SessionStore> {
        self.sessions.as_deref().filter(|_| self.settings().has_sessions())
    }

    fn user_store(&self) -> Result<&dyn UserStore, Error> {
        self.users.as_deref().ok_or(Error::NoUserStore)
    }

    fn blacklist_store(&self) -> Result<&dyn TokenStore, Error> {
        if !self.settings().token_blacklist {
            return Err(Error::BlacklistDisabled);
        }
        self.store.as_deref().ok_or(Error::BlacklistDisabled)
    }
}

/// A token without its signature: readable, and no longer a token.
fn redacted(encoded: &str) -> String {
    let end = encoded.rfind('.').map_or(0, |dot| dot + 1);
    encoded.get(..end).unwrap_or_default().to_owned()
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("tokens", &self.tokens)
            .field("users", &self.users.is_some())
            .field("store", &self.store.is_some())
            .field("sessions", &self.sessions.is_some())
            .finish_non_exhaustive()
    }
}
