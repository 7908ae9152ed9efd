//! Revoked access tokens, which are refused before they expire.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::Auth;
use crate::clock::Timestamp;
use crate::error::{Error, StoreError};
use crate::logging::with_causes;
use crate::panics;
use crate::revocation::RevocationStatus;
use crate::settings::{FeedLost, RevocationMode, SESSION_CLAIM};
use crate::store::session::AccessClaims;
use crate::token::Token;
use crate::users::{User, UserId};

/// The time between two queries for new revocations, if the database doesn't send notices.
const INTERVAL: Duration = Duration::from_millis(200);

impl Auth {
    /// Reads new revocations of access tokens, if the setting `revocation` is `Feed`.
    ///
    /// # Errors
    /// The store's.
    pub async fn poll_revocations(&self) -> Result<(), Error> {
        if self.settings().sessions.revocation == RevocationMode::Feed {
            // Taken before the query: the answer is at least this recent.
            let now = self.tokens.now();
            self.revoked.poll(self.session_store()?, now, self.retention.due(now)).await?;
        }
        Ok(())
    }

    /// Keeps reading revocations, and never returns: to be run beside the requests, if the setting
    /// `revocation` is `Feed`. `sleep` is the runtime's, as in
    /// `auth.follow_revocations(tokio::time::sleep)`. A store that fails or panics only interrupts
    /// it, as [`is_feed_current`](Self::is_feed_current) shows.
    pub async fn follow_revocations<S: Future<Output = ()>>(&self, sleep: impl Fn(Duration) -> S) {
        if self.settings().sessions.revocation != RevocationMode::Feed {
            return std::future::pending().await;
        }
        let mut failing = false;
        loop {
            match self.poll_caught().await {
                Ok(()) if failing => {
                    tracing::info!(event = "feed_back", "the feed of revocations is back");
                }
                Ok(()) => {}
                Err(error) if !failing => {
                    tracing::warn!(
                        event = "feed_interrupted",
                        error = with_causes(&error),
                        "the feed of revocations is interrupted"
                    );
                }
                Err(_) => {}
            }
            failing = !self.is_feed_current();
            let told = match self.session_store() {
                Ok(sessions) => {
                    first(panics::caught(sessions.revocation_notice()), sleep(INTERVAL)).await
                }
                Err(_) => return std::future::pending().await,
            };
            if matches!(told, Some(Ok(Err(_)) | Err(_))) {
                sleep(INTERVAL).await;
            }
        }
    }

    /// A driver that panics interrupts the feed, but doesn't end it.
    async fn poll_caught(&self) -> Result<(), Error> {
        panics::caught(self.poll_revocations())
            .await
            .unwrap_or_else(|panic| Err(StoreError::unavailable("revocations", panic).into()))
    }

    /// Returns `true` if this process knows all revocations up to at most `feed_max_age` ago, or
    /// doesn't use a feed.
    pub fn is_feed_current(&self) -> bool {
        let settings = &self.settings().sessions;
        settings.revocation != RevocationMode::Feed
            || self
                .revoked
                .current_at()
                .is_some_and(|at| at + settings.feed_max_age >= self.tokens.now())
    }

    /// Returns the number of revocations in memory.
    pub fn revocations_known(&self) -> usize {
        self.revoked.len()
    }

    /// Returns `true` if a token whose signature and times are valid has been revoked.
    pub(super) async fn is_revoked<T>(&self, token: &Token<T>) -> Result<bool, Error> {
        let settings = &self.settings().sessions;
        match settings.revocation {
            RevocationMode::Stateless => Ok(false),
            RevocationMode::Strict => self.ask_whether_revoked(token, true).await,
            RevocationMode::Feed => {
                if settings.feed_lost == FeedLost::Refuse && !self.is_feed_current() {
                    return Err(Error::FeedLost);
                }
                let claims = token.claims();
                let user_id = self.tokens.user_id(token);
                let known = self.revoked.status(
                    claims.str(SESSION_CLAIM).as_deref(),
                    self.tokens.jti(token).as_deref(),
                    user_id.as_ref().map(UserId::as_str),
                    self.issued_at(token),
                );
                match known {
                    // The database knows more about a token that outlives its revocation.
                    RevocationStatus::NotRevoked if self.may_be_forgotten(token) => {
                        self.ask_whether_revoked(token, false).await
                    }
                    RevocationStatus::NotRevoked => Ok(false),
                    RevocationStatus::Revoked => Ok(true),
                    RevocationStatus::Unknown => self.ask_whether_revoked(token, false).await,
                }
            }
        }
    }

    fn may_be_forgotten<T>(&self, token: &Token<T>) -> bool {
        self.retention.may_be_forgotten(self.issued_at(token), self.tokens.expires_at(token))
    }

    async fn ask_whether_revoked<T>(
        &self,
        token: &Token<T>,
        and_user: bool,
    ) -> Result<bool, Error> {
        let user_id = self.tokens.user_id(token);
        let user = match (&self.users, &user_id) {
            (Some(users), Some(id)) => Some(users.find(id).await?),
            _ => None,
        };
        let found = user.as_ref().and_then(Option::as_ref);
        let access = AccessClaims {
            session: token.claims().str(SESSION_CLAIM).map(std::borrow::Cow::into_owned),
            jti: self.tokens.jti(token),
            // The id as it is in sessions and revocations.
            user_id: found.map(|user| user.id.clone()).or(user_id),
            issued_at: self.issued_at(token),
        };
        if self.session_store()?.is_revoked(&access, self.due()).await? {
            return Ok(true);
        }
        let may = |user: &User| self.hooks.may_authenticate(self.settings(), user);
        Ok(and_user && user.is_some_and(|user| !user.as_ref().is_some_and(may)))
    }

    pub(super) fn issued_at<T>(&self, token: &Token<T>) -> Option<Timestamp> {
        token.claims().numeric_date("iat").ok().flatten().map(Timestamp::from_secs)
    }
}

/// Returns the output of the first future, if it is ready before the second.
async fn first<A: Future, B: Future>(a: A, b: B) -> Option<A::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|context| match a.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => b.as_mut().poll(context).map(|_| None),
    })
    .await
}
