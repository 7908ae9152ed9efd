//! OAuth token revocation (RFC 7009) and introspection (RFC 7662).

use std::borrow::Cow;

use super::Auth;
use super::events::presented;
use crate::claims::Claims;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::event::{Event, PresentedToken};
use crate::settings::{RevocationMode, SESSION_CLAIM, TokenClass};
use crate::store::Blacklisting;
use crate::store::session::{AccessClaims, EndReason, Revocation, RevocationSubject};
use crate::token::{Refresh, Token, Untyped};
use crate::users::{User, UserId};

/// The answer of [`Auth::introspect`] about an active token.
#[derive(Clone, Debug)]
pub struct Introspected {
    /// The token, with its claims.
    pub token: Token<Untyped>,
    /// The id of its user.
    pub user_id: UserId,
    /// The user's login name, if there is a user store.
    pub username: Option<String>,
    /// `true` if protected routes accept it as it is, since its type is one of
    /// `AUTH_TOKEN_CLASSES`.
    pub opens_routes: bool,
    /// `true` if it is a refresh token.
    pub is_refresh: bool,
}

/// The outcome of [`Auth::revoke`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Revoking {
    /// The token is no longer valid.
    Revoked,
    /// It wasn't valid before: nothing had to be done.
    NotGood,
    /// Tokens of its type can't be revoked with these settings: an access token if
    /// [`revocation`](crate::settings::SessionSettings::revocation) is stateless, any token without
    /// a blacklist, and an application's own types.
    Unsupported,
}

/// The type of a token, according to the claim that `TOKEN_TYPE_CLAIM` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenKind {
    Known(TokenClass),
    /// The settings have no such claim: each token counts as any type.
    Any,
    /// An application's own type.
    Other,
}

impl TokenKind {
    /// Returns `true` if it can be blacklisted here. Others with access to the table can add any
    /// id.
    fn may_be_listed(self) -> bool {
        matches!(self, Self::Known(TokenClass::Refresh | TokenClass::Sliding) | Self::Any)
    }

    fn may_be_access(self) -> bool {
        matches!(self, Self::Known(TokenClass::Access) | Self::Any)
    }
}

impl Auth {
    /// Returns the state of a token at this moment (RFC 7662); `None` if it isn't active, for
    /// whatever reason: its form, signature or times are invalid, it is blacklisted or revoked, its
    /// session has ended, its user is inactive or gone, or it is of an application's own type.
    ///
    /// Always asks the database for the session and the user, even if `revocation` doesn't require
    /// that of each request, so that an ended session shows at once.
    ///
    /// # Errors
    /// Internal errors only.
    pub async fn introspect(&self, token: &str) -> Result<Option<Introspected>, Error> {
        let now = self.tokens.now();
        let Some((token, kind)) = self.read_any(token, now).await? else { return Ok(None) };
        if kind == TokenKind::Other {
            return Ok(None);
        }
        let Ok(user_id) = self.stateless_user_of(&token.clone().into_kind()) else {
            return Ok(None);
        };
        if self.is_listed(&token, now).await? {
            return Ok(None);
        }
        if kind.may_be_access() && self.is_ended(&token).await? {
            return Ok(None);
        }
        let username = match self.holder(&token).await? {
            Holder::Unknown => None,
            Holder::Good(user) => Some(user.username),
            Holder::Refused => return Ok(None),
        };
        let classes = &self.settings().auth_token_classes;
        let opens_routes = match kind {
            TokenKind::Known(class) => {
                classes.contains(&class) || classes.contains(&TokenClass::Untyped)
            }
            TokenKind::Any | TokenKind::Other => true,
        };
        let is_refresh = kind == TokenKind::Known(TokenClass::Refresh);
        Ok(Some(Introspected { token, user_id, username, opens_routes, is_refresh }))
    }

    /// Revokes a token (RFC 7009). A refresh or sliding token is blacklisted and its session ended,
    /// as by [`blacklist`](Self::blacklist); even one that was rotated away, since its holder means
    /// the session. An access token is revoked alone, and its session isn't ended.
    ///
    /// # Errors
    /// Internal errors only.
    pub async fn revoke(&self, token: &str) -> Result<Revoking, Error> {
        let now = self.tokens.now();
        let Some((untyped, kind)) = self.read_any(token, now).await? else {
            return Ok(Revoking::NotGood);
        };
        let mut outcome = Revoking::Unsupported;
        if kind.may_be_listed() && self.settings().token_blacklist {
            outcome = match self.revoke_listed(token, untyped.clone().into_kind(), now).await {
                // It has an id that the database can't hold.
                Err(Error::Token(_)) => return Ok(Revoking::NotGood),
                revoked => revoked?,
            };
        }
        if kind.may_be_access()
            && self.settings().sessions.revocation != RevocationMode::Stateless
            && let Some(jti) = self.tokens.jti(&untyped)
            && let Some(expires_at) = self.tokens.expires_at(&untyped)
        {
            let subject = RevocationSubject::Token(jti.clone());
            let revocation = Revocation { subject, revoked_at: now, expires_at };
            let token = PresentedToken {
                jti: Some(jti),
                session_id: untyped.claims().str(SESSION_CLAIM).map(Cow::into_owned),
                user_id: self.tokens.user_id(&untyped),
            };
            let act = self.act(Event::TokenRevoked { token, is_access: true }, now);
            let recorded = self.session_store()?.revoke(&revocation, &act).await?;
            self.tell_recorded(&recorded.events);
            outcome = Revoking::Revoked;
        }
        Ok(outcome)
    }

    async fn revoke_listed(
        &self,
        encoded: &str,
        token: Token<Refresh>,
        now: Timestamp,
    ) -> Result<Revoking, Error> {
        let spent = self.outstanding(&token, encoded, now)?;
        let event = |token| Event::TokenRevoked { token, is_access: false };
        let outcome = match self.sessions() {
            Some(sessions) => {
                let reason = EndReason::Logout;
                match self.end_session_of(sessions, &token, &spent, reason, event, now).await {
                    // It names another user's session, so it isn't valid anywhere.
                    Err(Error::Token(_)) => return Ok(Revoking::NotGood),
                    outcome => outcome?.0,
                }
            }
            None => self.list(&spent, Some(event(presented(&spent))), now).await?,
        };
        Ok(match outcome {
            Blacklisting::Blacklisted => Revoking::Revoked,
            Blacklisting::AlreadyBlacklisted => Revoking::NotGood,
        })
    }

    /// Decodes a token of any type; `None` if its form, signature or times are invalid, or if it
    /// needs an id and has none.
    async fn read_any(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<(Token<Untyped>, TokenKind)>, Error> {
        match self.decode_claims(token, now).await {
            Ok(claims) => Ok(self.sort(claims)),
            Err(error) if error.is_internal() => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn sort(&self, claims: Claims) -> Option<(Token<Untyped>, TokenKind)> {
        let token = self.tokens.accept::<Untyped>(claims).ok()?;
        let kind = self.kind_of(&token)?;
        let needs_id = kind.may_be_listed() && self.settings().token_blacklist;
        (!needs_id || self.tokens.jti(&token).is_some()).then_some((token, kind))
    }

    /// Returns the token's type; `None` if it doesn't name one.
    fn kind_of(&self, token: &Token<Untyped>) -> Option<TokenKind> {
        let Some(claim) = &self.settings().token_type_claim else { return Some(TokenKind::Any) };
        let name = token.claims().str(claim)?;
        let class = TokenClass::ALL.into_iter().find(|class| class.token_type() == name);
        let class = class.filter(|class| *class != TokenClass::Untyped);
        Some(class.map_or(TokenKind::Other, TokenKind::Known))
    }

    /// Returns `true` if a token of any type is blacklisted, or the session of a refresh or sliding
    /// token is over.
    pub(super) async fn is_listed(
        &self,
        token: &Token<Untyped>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if !self.settings().token_blacklist {
            return Ok(false);
        }
        let Some(jti) = self.tokens.jti(token) else { return Ok(false) };
        match self.kind_of(token) {
            Some(kind) if kind.may_be_listed() => self.is_over(token, now).await,
            // An access token isn't the refresh token of the session that it names.
            _ => self.is_spent(&jti, None).await,
        }
    }

    /// Returns `true` if a refresh or sliding token is blacklisted, or its session is over.
    async fn is_over(&self, token: &Token<Untyped>, now: Timestamp) -> Result<bool, Error> {
        if !self.settings().token_blacklist {
            return Ok(false);
        }
        let jti = self.tokens.jti(token).ok_or(TokenError::MissingId)?;
        let named = self.named_session(token.claims());
        if self.is_spent(&jti, named.as_deref()).await? {
            return Ok(true);
        }
        let Some(sessions) = self.sessions() else { return Ok(false) };
        let (id, is_in_it) = match sessions.session_of(&jti, named.as_deref()).await? {
            Some(session) if session.spent_at.is_some() => return Ok(true),
            Some(session) => (session.id, true),
            // It will join the session that it names when it is refreshed.
            None => match named {
                Some(id) => (id.into_owned(), false),
                None => return Ok(false),
            },
        };
        let Some(session) = sessions.session(&id).await? else { return Ok(false) };
        if !is_in_it
            && let Some(user_id) = self.tokens.user_id(token)
            && self.canonical(&user_id).await? != session.user_id
        {
            self.foreign(&jti, &id, user_id.as_str());
            return Ok(true);
        }
        let settings = &self.settings().sessions;
        let is_over = |since: Timestamp, time| since + time <= now;
        Ok(session.ended_at.is_some()
            || settings.lifetime.is_some_and(|time| is_over(session.created_at, time))
            || settings.idle_lifetime.is_some_and(|time| is_over(session.refreshed_at, time)))
    }

    /// Returns `true` if, according to the database, an access token was revoked or its session has
    /// ended.
    async fn is_ended(&self, token: &Token<Untyped>) -> Result<bool, Error> {
        let Some(sessions) = self.sessions() else { return Ok(false) };
        let user_id = match self.tokens.user_id(token) {
            Some(user_id) => Some(self.canonical(&user_id).await?),
            None => None,
        };
        let access = AccessClaims {
            session: self.named_session(token.claims()).map(Cow::into_owned),
            jti: self.tokens.jti(token),
            user_id,
            issued_at: self.issued_at(token),
        };
        Ok(sessions.is_revoked(&access, self.due()).await?)
    }

    async fn holder(&self, token: &Token<Untyped>) -> Result<Holder, Error> {
        if self.users.is_none() {
            return Ok(Holder::Unknown);
        }
        match self.check_user(token).await {
            Ok(user) => Ok(Holder::Good(Box::new(user))),
            Err(Error::NoActiveAccountForToken | Error::NoUserClaim | Error::PasswordChanged) => {
                Ok(Holder::Refused)
            }
            Err(error) => Err(error),
        }
    }
}

enum Holder {
    /// There is no user store.
    Unknown,
    Good(Box<User>),
    /// Inactive, gone, or with another password.
    Refused,
}
