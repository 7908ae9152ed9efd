//! Putting refresh tokens on the blacklist.

use super::Auth;
use super::events::{blacklisted_presented, presented};
use crate::error::{Error, TokenError};
use crate::event::{Event, Target};
use crate::store::Blacklisting;
use crate::store::session::EndReason;
use crate::token::Refresh;

impl Auth {
    /// Puts a refresh token on the blacklist. Upstream: `TokenBlacklistView`.
    ///
    /// With sessions, the token's session ends, even if the token is a spent one.
    ///
    /// # Errors
    /// [`Error::Token`] for an invalid token, or for a blacklisted one if there is no session left
    /// to end; [`Error::BlacklistDisabled`]; internal errors.
    pub async fn blacklist(&self, token: &str) -> Result<(), Error> {
        let now = self.tokens.now();
        let Some(sessions) = self.sessions() else {
            let refresh = self.decode_listed::<Refresh>(token, now).await?;
            let spent = self.outstanding(&refresh, token, now)?;
            let event = Event::TokenBlacklisted { token: presented(&spent) };
            return match self.list(&spent, Some(event), now).await? {
                Blacklisting::Blacklisted => Ok(()),
                Blacklisting::AlreadyBlacklisted => {
                    self.tell_blacklisted(Target::Service, &spent.jti);
                    Err(TokenError::Blacklisted.into())
                }
            };
        };
        let (refresh, jti) = self.decode_spent_too(token, now).await?;
        let spent = self.outstanding(&refresh, token, now)?;
        // Blacklisted otherwise than by a rotation here, which would have left a successor.
        let named = self.named_session(refresh.claims());
        let is_over = self.is_spent(&jti, named.as_deref()).await?
            && sessions
                .session_of(&jti, named.as_deref())
                .await?
                .is_none_or(|session| session.spent_at.is_none());
        let reason = EndReason::Blacklisted;
        let event = |token| match is_over {
            true => blacklisted_presented(&jti),
            false => Event::TokenBlacklisted { token },
        };
        let (outcome, is_told) =
            self.end_session_of(sessions, &refresh, &spent, reason, event, now).await?;
        if outcome == Blacklisting::Blacklisted && !is_over {
            return Ok(());
        }
        if !is_told {
            self.tell_blacklisted(Target::Service, &jti);
        }
        Err(TokenError::Blacklisted.into())
    }
}
