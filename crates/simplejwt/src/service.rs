//! The flows: one method for each of upstream's views. No HTTP, no SQL.

mod administration;
mod authenticate;
mod blacklist;
mod claims;
mod decode;
mod events;
mod issued;
mod login;
mod logout;
mod oauth;
mod presented;
mod refresh;
mod revocation;
mod sessions;
mod throttling;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::event::{Actor, Event, EventRecord, Listeners};
use crate::hooks::{DefaultHooks, Hooks};
use crate::revocation::Revoked;
use crate::settings::{Rows, Settings, SettingsError, TokenAtRest};
use crate::store::retention::Retention;
use crate::store::session::{Client, RetainUntil, SessionStore};
use crate::store::{OutstandingToken, TokenStore};
use crate::throttle::Throttle;
use crate::token::{Token, Tokens};
use crate::users::UserStore;

pub use issued::{Issued, Refreshed, TokenPair};
pub use logout::{Caller, Scope};
pub use oauth::{Introspected, Revoking};

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
    /// Makes the client, which only events and sessions name.
    client: Option<Arc<dyn Fn() -> Client + Send + Sync>>,
    request_id: Option<Arc<str>>,
    actor: Actor,
    listeners: Arc<Listeners>,
    throttle: Option<Throttle>,
    /// The tokens that a device presents with a login.
    device_tokens: Arc<[String]>,
    /// Data that an adapter attaches to the flows, which don't use it themselves.
    edge: Option<Arc<dyn Any + Send + Sync>>,
}

impl Auth {
    /// Creates flows that issue and verify tokens. Login needs [`with_users`](Self::with_users).
    /// With the blacklist on, everything but stateless authentication needs
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
            request_id: None,
            actor: Actor::default(),
            listeners: Arc::default(),
            throttle: None,
            device_tokens: Arc::default(),
            edge: None,
        }
    }

    /// Sets the store of users, or an `Arc` of one that is shared.
    #[must_use]
    pub fn with_users(mut self, users: impl UserStore) -> Self {
        self.users = Some(Arc::new(users));
        self
    }

    /// Sets the store of tokens, or an `Arc` of one that is shared. It is used if `token_blacklist`
    /// is on, and without sessions.
    #[must_use]
    pub fn with_store(mut self, store: impl TokenStore) -> Self {
        self.store = Some(Arc::new(store));
        self.sessions = None;
        self
    }

    /// Sets the store of tokens and sessions, or an `Arc` of one that is shared. It is used if
    /// `token_blacklist` is on, with sessions unless the settings switch them off.
    #[must_use]
    pub fn with_sessions(mut self, store: impl SessionStore) -> Self {
        let store: Arc<dyn SessionStore> = Arc::new(store);
        self.store = Some(Arc::clone(&store) as Arc<dyn TokenStore>);
        self.sessions = Some(store);
        self
    }

    /// As [`with_users`](Self::with_users), which also accepts an `Arc`.
    #[must_use]
    pub fn with_shared_users(mut self, users: Arc<dyn UserStore>) -> Self {
        self.users = Some(users);
        self
    }

    /// As [`with_sessions`](Self::with_sessions), which also accepts an `Arc`.
    #[must_use]
    pub fn with_shared_sessions(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.store = Some(Arc::clone(&store) as Arc<dyn TokenStore>);
        self.sessions = Some(store);
        self
    }

    /// Returns the same flows for a request from this client, which the list of sessions shows.
    #[must_use]
    pub fn from_client(&self, client: Client) -> Self {
        Self { client: Some(Arc::new(move || client.clone())), ..self.clone() }
    }

    /// Returns the same flows for the request with this id in the log, which events contain.
    #[must_use]
    pub fn for_request(&self, request_id: &str) -> Self {
        Self { request_id: Some(request_id.into()), ..self.clone() }
    }

    /// Returns the same flows for a request, from a client that is only made if something names it.
    #[cfg(feature = "web")]
    pub(crate) fn for_call(
        &self,
        client: impl Fn() -> Client + Send + Sync + 'static,
        request_id: Option<Arc<str>>,
    ) -> Self {
        let request_id = request_id.or_else(|| self.request_id.clone());
        Self { client: Some(Arc::new(client)), request_id, ..self.clone() }
    }

    /// Checks that there is a store for everything that the settings ask for. Call it once, when
    /// this instance is complete.
    ///
    /// # Errors
    /// Each setting that lacks its store, with what to do about it.
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
        if settings.has_sessions()
            && let Some(sessions) = &self.sessions
            && sessions.rows() != settings.sessions.rows
        {
            problems.push(match settings.sessions.rows {
                Rows::Sessions => {
                    "rows is \"sessions\", but the store keeps a row for each token: wrap it in \
                     store::rows::BySession"
                }
                Rows::Tokens => {
                    "the store keeps a row for each session: set rows = \"sessions\", so that the \
                     other settings are checked for it"
                }
            });
        }
        SettingsError::of(problems)
    }

    /// Sets hooks, which replace Django's behaviour.
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

    /// Returns the tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        self.tokens.settings()
    }

    /// Registers a new token if the blacklist is on. Returns the records to report.
    async fn register<T>(
        &self,
        token: &Token<T>,
        encoded: &str,
        event: Event,
        now: Timestamp,
    ) -> Result<Vec<EventRecord>, Error> {
        let act = self.act(event, now);
        if !self.settings().token_blacklist {
            return Ok(act.recorded(()).events);
        }
        let token = self.outstanding(token, encoded, now)?;
        let recorded = self.blacklist_store()?.record(&token, &act).await;
        Ok(recorded.map_err(Error::Store)?.events)
    }

    fn client(&self) -> Client {
        self.client.as_ref().map(|client| client()).unwrap_or_default()
    }

    /// Returns the times until which the end of a session that ends now is remembered.
    fn retain_until(&self, now: Timestamp) -> RetainUntil {
        RetainUntil::of(self.settings(), now)
    }

    /// Returns the time to query revocations with: those that expire by then no longer count.
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
            expires_at: self.expires_at(token)?,
        })
    }

    /// Returns the store, if there are sessions.
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

/// Returns a token without its signature: readable, but no longer valid.
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
