//! Logging in: tokens for credentials.

use super::{Auth, Issued, TokenPair};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::event::{Event, EventRecord, LoginRefusal};
use crate::settings::{AtLimit, SESSION_CLAIM, TokenClass};
use crate::store::retention::Times;
use crate::store::session::{NewSession, OpenOutcome, OpenSession, SessionLimit};
use crate::token::{Refresh, Sliding, Token, TokenType};
use crate::users::{Credentials, User, password_fingerprint, revoke_claim};

impl Auth {
    /// Returns a new refresh and access token for the user with these credentials. Upstream:
    /// `TokenObtainPairView`.
    ///
    /// # Errors
    /// [`Error::NoActiveAccount`], whatever the reason; [`Error::Throttled`];
    /// [`Error::TooManySessions`]; internal errors.
    pub async fn obtain_pair(&self, credentials: &Credentials) -> Result<TokenPair, Error> {
        let user = self.log_in(credentials).await?;
        let now = self.tokens.now();
        let refresh = self.issue_for::<Refresh>(TokenClass::Refresh, &user, now).await?;
        let refresh = self.within_lifetime(refresh, now, now);
        let issued = self.issue(&refresh)?;
        let access = self.tokens.access_from_at(&refresh, now, None);
        let access = self.issue(&self.within_lifetime(access, now, now))?;
        let begun = self.begin_login(credentials, &refresh, &issued.token, &user, now).await?;
        self.logged_in(&user, &begun, now).await?;
        Ok(TokenPair { refresh: issued, access })
    }

    /// Returns a new sliding token for the user with these credentials. Upstream:
    /// `TokenObtainSlidingView`.
    ///
    /// # Errors
    /// As [`obtain_pair`](Self::obtain_pair).
    pub async fn obtain_sliding(&self, credentials: &Credentials) -> Result<Issued, Error> {
        let user = self.log_in(credentials).await?;
        let now = self.tokens.now();
        let token = self.issue_for::<Sliding>(TokenClass::Sliding, &user, now).await?;
        let token = self.within_lifetime(token, now, now);
        let issued = self.issue(&token)?;
        let begun = self.begin_login(credentials, &token, &issued.token, &user, now).await?;
        self.logged_in(&user, &begun, now).await?;
        Ok(issued)
    }

    async fn log_in(&self, credentials: &Credentials) -> Result<User, Error> {
        let users = self.user_store()?;
        let located = match credentials.address() {
            None => self.client_address().map(|at| credentials.clone().from_address(at)),
            Some(_) => None,
        };
        let credentials = located.as_ref().unwrap_or(credentials);
        let attempt = self.begin_attempt(credentials).await?;
        match users.authenticate(credentials).await? {
            Some(user) if self.hooks.may_authenticate(self.settings(), &user) => {
                if let Some(attempt) = attempt {
                    attempt.succeeded().await.map_err(Error::Store)?;
                }
                Ok(user)
            }
            refused => {
                if let Some(attempt) = attempt {
                    attempt.failed(self.tokens.now()).await.map_err(Error::Store)?;
                }
                let (user_id, reason) = match refused {
                    Some(user) => (Some(user.id), LoginRefusal::NotAllowed),
                    None => (None, LoginRefusal::Credentials),
                };
                self.tell(Event::login_refused(&credentials.username, user_id, reason));
                self.hooks.on_login_failed(credentials).await;
                Err(Error::NoActiveAccount)
            }
        }
    }

    /// As [`begin`](Self::begin), but reports a login beyond the limit as refused. Returns the
    /// record of the login, to be reported once it is complete.
    async fn begin_login<T: TokenType>(
        &self,
        credentials: &Credentials,
        token: &Token<T>,
        encoded: &str,
        user: &User,
        now: Timestamp,
    ) -> Result<Vec<EventRecord>, Error> {
        let begun = self.begin(token, encoded, user, now).await;
        if matches!(begun, Err(Error::TooManySessions)) {
            let (user_id, reason) = (Some(user.id.clone()), LoginRefusal::TooManySessions);
            self.tell(Event::login_refused(&credentials.username, user_id, reason));
            self.hooks.on_login_failed(credentials).await;
        }
        let is_login = |record: &EventRecord| matches!(record.event, Event::LoggedIn { .. });
        let (login, ended): (Vec<_>, Vec<_>) = begun?.into_iter().partition(is_login);
        self.tell_recorded(&ended);
        Ok(login)
    }

    async fn logged_in(
        &self,
        user: &User,
        begun: &[EventRecord],
        now: Timestamp,
    ) -> Result<(), Error> {
        if self.settings().update_last_login {
            self.user_store()?.update_last_login(&user.id, now).await?;
        }
        self.tell_recorded(begun);
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

    /// Registers a login's first token, which opens a session if there are sessions. Returns the
    /// records to report.
    async fn begin<T: TokenType>(
        &self,
        token: &Token<T>,
        encoded: &str,
        user: &User,
        now: Timestamp,
    ) -> Result<Vec<EventRecord>, Error> {
        let Some(sessions) = self.sessions() else {
            let event = Event::LoggedIn { user_id: user.id.clone(), session_id: None };
            return self.register(token, encoded, event, now).await;
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
                password: fingerprint(&user.password),
            },
            expires_at: self.retention.last_exp(self.times(token), first.expires_at),
            token: first,
            limit: settings.sessions.max_per_user.map(|limit| match settings.sessions.at_limit {
                AtLimit::EvictOldest => SessionLimit::EvictOldest(limit),
                AtLimit::Refuse => SessionLimit::Refuse(limit),
            }),
            cause: self.cause_at(now),
            retain_until: self.retain_until(now),
        };
        let recorded = sessions.open(&open).await.map_err(Error::Store)?;
        match recorded.outcome {
            OpenOutcome::Opened { .. } => Ok(recorded.events),
            OpenOutcome::TooMany => Err(Error::TooManySessions),
        }
    }

    fn times<T>(&self, token: &Token<T>) -> Times {
        let seconds = |claim: &str| token.claims().numeric_date(claim).ok().flatten();
        Times {
            exp: seconds("exp"),
            iat: seconds("iat"),
            refresh_exp: seconds(&self.settings().sliding_token_refresh_exp_claim),
        }
    }
}
