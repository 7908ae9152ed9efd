//! What OAuth's systems ask of tokens: to revoke one (RFC 7009), and what it is worth (RFC 7662).

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

/// What [`Auth::introspect`] says of a token that is good.
#[derive(Clone, Debug)]
pub struct Introspected {
    /// Its claims.
    pub token: Token<Untyped>,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's login name, where there are users to ask.
    pub username: Option<String>,
    /// Whether protected routes take it as it is: whether its kind is one of
    /// `AUTH_TOKEN_CLASSES`.
    pub opens_routes: bool,
}

/// How [`Auth::revoke`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Revoking {
    /// The token is good no longer.
    Revoked,
    /// It wasn't good before: nothing had to be done.
    NotGood,
    /// Tokens of its kind can't be revoked, as the settings are: an access token where
    /// [`revocation`](crate::settings::SessionSettings::revocation) is stateless, any token
    /// without a blacklist, and kinds of an application's own.
    Unsupported,
}

/// What a token is, by the claim that `TOKEN_TYPE_CLAIM` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenKind {
    Known(TokenClass),
    /// There is no such claim, by the settings: each token counts as any kind.
    Any,
    /// An application's own.
    Other,
}

impl TokenKind {
    /// Whether it can be put on the blacklist here; whoever has the table can put any id there.
    fn may_be_listed(self) -> bool {
        matches!(self, Self::Known(TokenClass::Refresh | TokenClass::Sliding) | Self::Any)
    }

    fn may_be_access(self) -> bool {
        matches!(self, Self::Known(TokenClass::Access) | Self::Any)
    }
}

impl Auth {
    /// What a token is worth at this moment (RFC 7662); `None` if it isn't good, for whatever
    /// reason: form, signature or times, blacklisted or revoked, its session has ended or its
    /// user is inactive or gone, or it is of a kind of an application's own.
    ///
    /// Asks the database for sessions and the user also where `revocation` doesn't have each
    /// request do so: an ended session shows at once.
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
        Ok(Some(Introspected { token, user_id, username, opens_routes }))
    }

    /// Revokes a token (RFC 7009). A refresh or sliding token is blacklisted and its session
    /// ended, as by [`blacklist`](Self::blacklist); also by one that was rotated away, since its
    /// holder means the session. An access token is revoked by itself, its session goes on.
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
                    // It names another user's session: no good anywhere.
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

    /// A token of any kind whose form, signature and times are good, and which can be found by
    /// its id where that matters; `None` for any other.
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

    /// `None` for a token that doesn't say what it is.
    fn kind_of(&self, token: &Token<Untyped>) -> Option<TokenKind> {
        let Some(claim) = &self.settings().token_type_claim else { return Some(TokenKind::Any) };
        let name = token.claims().str(claim)?;
        let class = TokenClass::ALL.into_iter().find(|class| class.token_type() == name);
        let class = class.filter(|class| *class != TokenClass::Untyped);
        Some(class.map_or(TokenKind::Other, TokenKind::Known))
    }

    /// Whether a token's id is on the blacklist, whatever kind it is of, or the session of a
    /// refresh or sliding token is over.
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
            _ => self.is_spent(&jti).await,
        }
    }

    /// Whether a refresh or sliding token is on the blacklist, or its session is over.
    async fn is_over(&self, token: &Token<Untyped>, now: Timestamp) -> Result<bool, Error> {
        if !self.settings().token_blacklist {
            return Ok(false);
        }
        let jti = self.tokens.jti(token).ok_or(TokenError::MissingId)?;
        if self.is_spent(&jti).await? {
            return Ok(true);
        }
        let Some(sessions) = self.sessions() else { return Ok(false) };
        let (id, is_in_it) = match sessions.session_of(&jti).await? {
            Some(session) if session.spent_at.is_some() => return Ok(true),
            Some(session) => (session.id, true),
            // It joins the session that it names once it is refreshed.
            None => match self.session_claim(token) {
                Some(id) => (id, false),
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

    /// Whether an access token was revoked or its session has ended, as the database has it.
    async fn is_ended(&self, token: &Token<Untyped>) -> Result<bool, Error> {
        let Some(sessions) = self.sessions() else { return Ok(false) };
        let user_id = match self.tokens.user_id(token) {
            Some(user_id) => Some(self.canonical(&user_id).await?),
            None => None,
        };
        let access = AccessClaims {
            session: self.session_claim(token),
            jti: self.tokens.jti(token),
            user_id,
            issued_at: self.issued_at(token),
        };
        Ok(sessions.is_revoked(&access, self.due()).await?)
    }

    /// The session that the token names, where it is we who write that claim.
    fn session_claim(&self, token: &Token<Untyped>) -> Option<String> {
        let claim =
            token.claims().str(SESSION_CLAIM).filter(|_| self.settings().sessions.session_claim);
        claim.map(std::borrow::Cow::into_owned)
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
    /// There are no users here to ask.
    Unknown,
    Good(Box<User>),
    /// Inactive, gone, or with another password.
    Refused,
}
