//! Throttling: what is refused because of the failures before it.

use std::net::IpAddr;
use std::sync::Arc;

use super::Auth;
use crate::error::{Error, ThrottleScope, Throttled, TokenError};
use crate::event::Event;
use crate::store::throttle::CounterId;
use crate::throttle::Throttle;
use crate::throttle::login::{Attempt, Login, Refused};
use crate::token::{Refresh, Sliding, Token};
use crate::users::Credentials;

impl Auth {
    /// Sets the throttle against brute force. Without one, nothing is throttled.
    ///
    /// It needs the client's address ([`from_client`](Self::from_client), which adapters call): the
    /// failures of clients without one are counted by account only.
    #[must_use]
    pub fn with_throttle(mut self, throttle: Throttle) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// Returns the same flows for a device that presents these refresh or sliding tokens with a
    /// login. If one of them is valid and the account's, failures of others with that account don't
    /// concern the login.
    ///
    /// ```
    /// # use simplejwt::Credentials;
    /// # async fn log_in(auth: &simplejwt::Auth, former: String) -> Result<(), simplejwt::Error> {
    /// let credentials = Credentials::new("alice", "open sesame");
    /// let pair = auth.from_device([former]).obtain_pair(&credentials).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_device(&self, tokens: impl IntoIterator<Item = String>) -> Self {
        Self { device_tokens: tokens.into_iter().collect(), ..self.clone() }
    }

    /// Returns `true` if logins are throttled, and a device's tokens are of use.
    #[cfg(feature = "web")]
    pub(crate) fn has_throttle(&self) -> bool {
        self.throttle.is_some()
    }

    /// Begins to attempt a login, before its password is looked at; `None` without a throttle.
    ///
    /// # Errors
    /// [`Error::Throttled`]; errors of the throttle's store.
    pub(super) async fn begin_attempt(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Attempt>, Error> {
        let Some(throttle) = &self.throttle else { return Ok(None) };
        let mut login =
            Login { name: &credentials.username, address: credentials.address(), device: None };
        let now = || self.tokens.now();
        let (throttled, id) = match throttle.begin(&login, now).await {
            Ok(attempt) => return Ok(Some(attempt)),
            Err(Refused::Store(error)) => return Err(Error::Store(error)),
            Err(Refused::Throttled(throttled, id)) => (throttled, id),
        };
        let device = match throttled.scope() {
            ThrottleScope::LoginAddress => None,
            _ => self.known_device(credentials).await?,
        };
        let (throttled, id) = match &device {
            None => (throttled, id),
            Some(device) => {
                login.device = Some(device);
                match throttle.begin(&login, now).await {
                    Ok(attempt) => return Ok(Some(attempt)),
                    Err(Refused::Store(error)) => return Err(Error::Store(error)),
                    Err(Refused::Throttled(throttled, id)) => (throttled, id),
                }
            }
        };
        Err(self.throttled(throttle, (throttled, id), Some(&credentials.username)))
    }

    /// Counts a token that isn't genuine, and refuses it as throttled if there were too many before.
    /// Expired and blacklisted ones are nobody's guesses.
    pub(super) fn counted<T>(
        &self,
        scope: ThrottleScope,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        match outcome {
            Err(Error::Token(TokenError::Invalid)) => {
                self.count_failure(scope)?;
                Err(TokenError::Invalid.into())
            }
            outcome => outcome,
        }
    }

    /// Counts a failure of this client that isn't a login's.
    ///
    /// # Errors
    /// [`Error::Throttled`]
    pub(crate) fn count_failure(&self, scope: ThrottleScope) -> Result<(), Error> {
        let Some(throttle) = &self.throttle else { return Ok(()) };
        let outcome = throttle.count(scope, self.client_address(), self.tokens.now());
        outcome.map_err(|full| self.throttled(throttle, full, None))
    }

    fn throttled(
        &self,
        throttle: &Throttle,
        (throttled, id): (Throttled, CounterId),
        username: Option<&str>,
    ) -> Error {
        if throttle.is_news(&throttled, id, self.tokens.now()) {
            self.tell(Event::throttled(&throttled, username));
        }
        Error::Throttled(throttled)
    }

    pub(super) fn client_address(&self) -> Option<IpAddr> {
        self.client().address?.parse().ok()
    }

    /// Returns the id of the device, if one of the presented tokens is valid and the account's: the
    /// session that it is in, or else the token's id.
    async fn known_device(&self, credentials: &Credentials) -> Result<Option<Arc<str>>, Error> {
        for token in self.device_tokens.iter() {
            let found = match self.device_of::<Refresh>(token, credentials).await {
                Ok(None) => self.device_of::<Sliding>(token, credentials).await,
                found => found,
            };
            match found {
                Ok(None) => {}
                Ok(Some(device)) => return Ok(Some(device)),
                Err(error) if error.is_internal() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    async fn device_of<T: crate::token::TokenType>(
        &self,
        encoded: &str,
        credentials: &Credentials,
    ) -> Result<Option<Arc<str>>, Error> {
        let Ok(claims) = self.decode_claims(encoded, self.tokens.now()).await else {
            return Ok(None);
        };
        let session = self.named_session(&claims).map(|session| session.into_owned());
        let Ok(token) = self.tokens.accept::<T>(claims) else { return Ok(None) };
        let token: Token<T> = token;
        let Some(jti) = self.tokens.jti(&token) else { return Ok(None) };
        let listed = self.settings().token_blacklist;
        if listed && self.is_spent(&jti, session.as_deref()).await? {
            return Ok(None);
        }
        let user = self.check_user(&token).await?;
        let is_theirs = crate::throttle::is_same_account(&user.username, &credentials.username);
        Ok(is_theirs.then(|| session.unwrap_or(jti).into()))
    }
}
