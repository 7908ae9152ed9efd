//! Choosing one of several cookies with the same name, some of which a sibling host may have set
//! (RFC 6265bis section 8.6).

use std::time::Duration;

use super::Auth;
use crate::claims::{Claims, UserClaim};
use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::jws::Compact;
use crate::settings::SESSION_CLAIM;
use crate::token::{Access, Token, TokenType};
use crate::users::UserId;

/// The maximum time for which the answer that replaces an expiring token can be in transit.
const UNDER_WAY: Duration = Duration::from_secs(60);

/// The content of a token that was signed here, expired or not.
struct Recognized<'a> {
    token: &'a str,
    claims: Claims,
    has_expired: bool,
    issued_at: i64,
}

/// The rank of a token among others, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It has expired, its session has ended, or it is of another type.
    Dead,
    /// It was spent, but its session hasn't ended.
    Spent,
    /// It is valid, as far as can be told without using it.
    Good,
}

impl Auth {
    /// Verifies several tokens that were sent in cookies, as [`authenticate`](Self::authenticate)
    /// does, and returns the valid one; of several of one user, the newest. Invalid tokens beside a
    /// valid one don't matter.
    ///
    /// # Errors
    /// [`Error::AmbiguousCookies`] for valid tokens of two users, [`Error::NotAuthenticated`] if
    /// there is no token; otherwise those of [`authenticate`](Self::authenticate).
    pub async fn authenticate_any(&self, sent: &[String]) -> Result<Token<Access>, Error> {
        let mut good: Vec<Token<Access>> = Vec::new();
        let mut refusal = Error::NotAuthenticated;
        for token in sent {
            match self.authenticate(token).await {
                Ok(token) => good.push(token),
                Err(error) if error.is_internal() => return Err(error),
                // The refusal of an expired token of ours says more than that of a foreign token.
                Err(error) if says_more(&error, &refusal) => refusal = error,
                Err(_) => {}
            }
        }
        let mut of = good.iter().map(|token| self.tokens.user_id(token));
        let first = of.next();
        if of.any(|user| Some(&user) != first.as_ref()) {
            return Err(Error::AmbiguousCookies);
        }
        let newest = good.into_iter().reduce(|a, b| match issued_at(b.claims()) {
            of_b if of_b > issued_at(a.claims()) => b,
            _ => a,
        });
        newest.ok_or(refusal)
    }

    /// Chooses one of several tokens of this type that were sent in cookies; `None` if there are
    /// none. The choice doesn't use up any token. A token that was signed here is preferred to
    /// others, a live one to a dead one, and the newest to others of the same user. If two users
    /// have live ones, the access tokens sent `beside` them decide, even expired ones: theirs is
    /// the cookie that a sibling host can't set by default. A live token of a user whom they don't
    /// name isn't chosen, even if it is the only one.
    ///
    /// # Errors
    /// [`Error::AmbiguousCookies`] if that leaves two users, or none of those named by the access
    /// tokens; internal errors.
    pub async fn choose<T: TokenType>(
        &self,
        sent: &[String],
        beside: &[String],
    ) -> Result<Option<String>, Error> {
        if sent.is_empty() || sent.len() == 1 && beside.is_empty() {
            return Ok(sent.first().cloned());
        }
        let now = self.tokens.now();
        let mut best = Worth::Dead;
        let mut rivals: Vec<Recognized<'_>> = Vec::new();
        for token in sent {
            let Some(token) = self.recognize(token, now).await? else { continue };
            let worth = self.worth::<T>(&token).await?;
            if worth > best || rivals.is_empty() {
                best = worth;
                rivals.clear();
            }
            if worth == best {
                rivals.push(token);
            }
        }
        if best != Worth::Dead {
            self.keep_those_beside(&mut rivals, beside, now).await?;
            let mut users = rivals.iter().map(|token| self.named_user(token));
            let user = users.next();
            if users.any(|other| Some(&other) != user.as_ref()) {
                return Err(Error::AmbiguousCookies);
            }
        }
        let newest =
            rivals.into_iter().reduce(|a, b| if b.issued_at > a.issued_at { b } else { a });
        Ok(newest.map(|token| token.token.to_owned()).or_else(|| sent.first().cloned()))
    }

    /// Returns `true` if refresh tokens that were sent in cookies are dead, and so are any that
    /// might have replaced them: they aren't tokens at all, their sessions have ended or expired,
    /// or they expired without a successor. Then the cookies can be removed without losing a newer
    /// one of another tab.
    ///
    /// A token that was signed elsewhere is ignored: another server may know the key.
    ///
    /// # Errors
    /// Internal errors.
    pub async fn are_over(&self, sent: &[String]) -> Result<bool, Error> {
        let now = self.tokens.now();
        let mut are_over = false;
        for token in sent {
            if Compact::split(token).and_then(|token| token.parse_header()).is_err() {
                are_over = true;
            } else if let Some(token) = self.recognize(token, now).await? {
                if !self.is_dead(&token, now).await? {
                    return Ok(false);
                }
                are_over = true;
            }
        }
        Ok(are_over)
    }

    async fn is_dead(&self, token: &Recognized<'_>, now: Timestamp) -> Result<bool, Error> {
        let settings = self.settings();
        let Some(sessions) = self.sessions() else {
            let expiry = token.claims.numeric_date("exp").ok().flatten();
            let past = expiry.is_some_and(|at| Timestamp::from_secs(at) + UNDER_WAY <= now);
            return Ok(token.has_expired && (past || !settings.rotate_refresh_tokens));
        };
        let Some(jti) = self.tokens.jti_of(&token.claims) else { return Ok(token.has_expired) };
        let named = self.named_session(&token.claims);
        let Some(head) = sessions.session_of(&jti, named.as_deref()).await? else {
            // Django may have rotated it.
            return Ok(token.has_expired && !self.is_spent(&jti, named.as_deref()).await?);
        };
        if head.ended_at.is_some() {
            return Ok(true);
        }
        let limits = &settings.sessions;
        if limits.lifetime.is_some_and(|lifetime| head.created_at + lifetime <= now) {
            return Ok(true);
        }
        let Some(session) = sessions.session(&head.id).await? else { return Ok(token.has_expired) };
        let idle = limits.idle_lifetime.is_some_and(|idle| session.refreshed_at + idle <= now);
        Ok(idle || token.has_expired && session.expires_at + settings.leeway <= now)
    }

    /// Returns the content of a token that was signed here and is intended for this server, expired
    /// or not; `None` for any other.
    async fn recognize<'a>(
        &self,
        token: &'a str,
        now: Timestamp,
    ) -> Result<Option<Recognized<'a>>, Error> {
        let (claims, has_expired) = match self.decode_claims(token, now).await {
            Ok(claims) => (claims, false),
            Err(Error::Token(TokenError::Expired)) => match self.expired_claims(token, now) {
                Some(claims) => (claims, true),
                None => return Ok(None),
            },
            Err(Error::Token(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let issued_at = issued_at(&claims);
        Ok(Some(Recognized { token, claims, has_expired, issued_at }))
    }

    /// Returns the claims of an expired token, if nothing else is wrong with it.
    fn expired_claims(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let claims = self.tokens.signed_claims(token).ok()?;
        let mut without_expiry = claims.clone();
        without_expiry.remove("exp");
        without_expiry.check_registered(self.settings(), now).ok()?;
        Some(claims)
    }

    async fn worth<T: TokenType>(&self, token: &Recognized<'_>) -> Result<Worth, Error> {
        if token.has_expired || self.tokens.accept::<T>(token.claims.clone()).is_err() {
            return Ok(Worth::Dead);
        }
        let Some(jti) = self.tokens.jti_of(&token.claims) else { return Ok(Worth::Good) };
        if !self.settings().token_blacklist {
            return Ok(Worth::Good);
        }
        let named = self.named_session(&token.claims);
        let is_spent = self.is_spent(&jti, named.as_deref()).await?;
        let session = match self.sessions() {
            Some(sessions) => sessions.session_of(&jti, named.as_deref()).await?,
            None => None,
        };
        Ok(match (session, is_spent) {
            (Some(session), _) if session.ended_at.is_some() => Worth::Dead,
            (Some(_), true) => Worth::Spent,
            (None, true) => Worth::Dead,
            (Some(_) | None, _) => Worth::Good,
        })
    }

    /// Keeps only the tokens of users and sessions that the access tokens name, if there are any.
    ///
    /// # Errors
    /// [`Error::AmbiguousCookies`] if there is none of a user whom they name; internal errors.
    async fn keep_those_beside(
        &self,
        rivals: &mut Vec<Recognized<'_>>,
        beside: &[String],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut known = Vec::new();
        for token in beside {
            known.extend(self.recognize(token, now).await?);
        }
        let users: Vec<_> = known.iter().filter_map(|token| self.named_user(token)).collect();
        let is_beside = |token: &Recognized<'_>| {
            self.named_user(token).is_some_and(|user| users.contains(&user))
        };
        if !users.is_empty() && !rivals.iter().any(is_beside) {
            return Err(Error::AmbiguousCookies);
        }
        if !users.is_empty() {
            rivals.retain(is_beside);
        }
        let sessions: Vec<_> = known.iter().filter_map(session).collect();
        let is_beside =
            |token: &Recognized<'_>| session(token).is_some_and(|id| sessions.contains(&id));
        if rivals.iter().any(is_beside) {
            rivals.retain(is_beside);
        }
        Ok(())
    }

    fn named_user(&self, token: &Recognized<'_>) -> Option<UserId> {
        match token.claims.user_id(&self.settings().user_id_claim) {
            UserClaim::Id(id) => Some(id),
            UserClaim::Missing | UserClaim::Malformed => None,
        }
    }
}

fn session(token: &Recognized<'_>) -> Option<String> {
    token.claims.str(SESSION_CLAIM).map(std::borrow::Cow::into_owned)
}

fn issued_at(claims: &Claims) -> i64 {
    claims.numeric_date("iat").ok().flatten().unwrap_or(i64::MIN)
}

/// Returns `true` if a refusal is the first, or about a token of ours while the other isn't.
fn says_more(error: &Error, other: &Error) -> bool {
    let is_ours = |error: &Error| match error {
        Error::TokenNotValid(messages) => {
            messages.iter().any(|message| message.error != TokenError::Invalid)
        }
        _ => true,
    };
    matches!(other, Error::NotAuthenticated) || is_ours(error) && !is_ours(other)
}
