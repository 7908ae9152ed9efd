//! What staff and operators do: with users, and with tokens that aren't theirs. Events say who it was, where
//! the flows are [theirs](Auth::acting_as).

use super::Auth;
use super::events::presented;
use crate::error::{Error, TokenError};
use crate::event::{Event, EventRecord, UserChange};
use crate::store::Blacklisting;
use crate::store::session::{EndReason, SessionSelector};
use crate::token::{Refresh, Untyped};
use crate::users::UserId;

impl Auth {
    /// To be called once a user's stored password is another: ends the user's sessions. How many there
    /// were; `None` where none are kept.
    ///
    /// ```
    /// # async fn change(auth: &simplejwt::Auth) -> Result<(), simplejwt::Error> {
    /// let id = "1".into();
    /// // … the row has the new hash …
    /// auth.password_changed(&id).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchUser`] where there is no such user, nor any session of one; internal errors.
    pub async fn password_changed(&self, user_id: &UserId) -> Result<Option<u64>, Error> {
        let user_id = self.canonical(user_id).await?;
        self.user_recorded(&[self.cause().record(Event::PasswordChanged { user_id })]).await
    }

    /// To be called once a user was added, or is another than before. Sessions of one who was disabled
    /// or deleted end: how many there were; `None` where none are kept, or none had to end.
    ///
    /// Before a user is deleted, disable the user: a session that is opened meanwhile would stay.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`] where a user was disabled who isn't there; internal errors.
    pub async fn user_changed(
        &self,
        user_id: &UserId,
        change: UserChange,
    ) -> Result<Option<u64>, Error> {
        let user_id = self.canonical(user_id).await?;
        self.user_recorded(&[self.cause().record(Event::UserChanged { user_id, change })]).await
    }

    /// To be called with the records of a change, where whoever changed the row has made them (as
    /// `ManageUsers` of the feature `sql` does): ends the sessions that have to end by it, and then tells of
    /// it. How many sessions; `None` where none are kept, or none had to end.
    ///
    /// # Errors
    /// As [`password_changed`](Self::password_changed) and [`user_changed`](Self::user_changed).
    pub async fn user_recorded(&self, records: &[EventRecord]) -> Result<Option<u64>, Error> {
        let mut ended = None;
        for record in records {
            ended = self.end_for(&record.event).await?;
            self.tell_recorded(std::slice::from_ref(record));
        }
        Ok(ended)
    }

    /// Ends the sessions that have to end by what has happened to a user.
    async fn end_for(&self, event: &Event) -> Result<Option<u64>, Error> {
        Ok(match event {
            Event::PasswordChanged { user_id } => {
                self.end_all(user_id, EndReason::Password).await?
            }
            Event::UserChanged { user_id, change: UserChange::Disabled } => {
                self.end_all(user_id, EndReason::User).await?
            }
            Event::UserChanged { user_id, change: UserChange::Deleted } => {
                match self.known_user(user_id).await {
                    Ok(_) => self.end_all(user_id, EndReason::User).await?,
                    // There is nothing left to end.
                    Err(Error::NoSuchUser) => Some(0),
                    Err(Error::SessionsDisabled) => None,
                    Err(error) => return Err(error),
                }
            }
            _ => None,
        })
    }

    async fn end_all(&self, user_id: &UserId, reason: EndReason) -> Result<Option<u64>, Error> {
        let which = SessionSelector::All { user_id: user_id.clone(), except: None };
        match self.end_sessions(which, reason).await {
            Ok(ended) => Ok(Some(ended)),
            Err(Error::SessionsDisabled) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a token on the blacklist that is none of the caller's, be it a refresh or a sliding token or
    /// of any other kind, and ends its session. It needn't have been seen here, and its user needn't be
    /// there any more. [`blacklist`](Self::blacklist) is for whoever has the token.
    ///
    /// Where it names a session of another user, that goes on.
    ///
    /// # Errors
    /// [`Error::Token`] for a token that isn't good; [`Error::BlacklistDisabled`]; internal errors.
    pub async fn blacklist_any(&self, token: &str) -> Result<Blacklisting, Error> {
        self.blacklist_store()?;
        let now = self.tokens.now();
        let claims = self.decode_claims(token, now).await?;
        let verified = self.tokens.accept::<Untyped>(claims)?;
        self.tokens.jti(&verified).ok_or(TokenError::MissingId)?;
        let listed = self.outstanding(&verified, token, now)?;
        let event = |token| Event::TokenBlacklisted { token };
        let mut ended = false;
        if let Some(sessions) = self.sessions() {
            let verified = verified.into_kind::<Refresh>();
            let reason = EndReason::Blacklisted;
            let end = self.end_session_for(sessions, &verified, &listed, reason, event, now);
            ended = match end.await {
                Err(Error::Token(_)) => false,
                ended => ended?,
            };
        }
        let outcome = self.list(&listed, (!ended).then(|| event(presented(&listed))), now).await?;
        Ok(if ended { Blacklisting::Blacklisted } else { outcome })
    }
}
