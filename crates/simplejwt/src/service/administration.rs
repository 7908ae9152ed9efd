//! Actions of staff and operators, on users and on tokens of others. Events name the actor that
//! [`Auth::acting_as`] sets.

use super::Auth;
use super::events::presented;
use crate::error::{Error, TokenError};
use crate::event::{Event, EventRecord, UserChange};
use crate::store::Blacklisting;
use crate::store::session::{EndReason, SessionSelector};
use crate::token::{Refresh, Untyped};
use crate::users::UserId;

impl Auth {
    /// To be called after a user's stored password was changed: ends the user's sessions, and
    /// returns their number; `None` if none are kept.
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
    /// [`Error::NoSuchUser`] if there is no such user, nor a session of one; internal errors.
    pub async fn password_changed(&self, user_id: &UserId) -> Result<Option<u64>, Error> {
        let user_id = self.canonical(user_id).await?;
        self.user_recorded(&[self.cause().record(Event::PasswordChanged { user_id })]).await
    }

    /// To be called after a user was added or changed. Ends the sessions of one who was disabled or
    /// deleted, and returns their number; `None` if none are kept, or none had to end.
    ///
    /// Before you delete a user, disable the user: otherwise a session opened meanwhile would stay.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`] if a user was disabled who doesn't exist; internal errors.
    pub async fn user_changed(
        &self,
        user_id: &UserId,
        change: UserChange,
    ) -> Result<Option<u64>, Error> {
        let user_id = self.canonical(user_id).await?;
        self.user_recorded(&[self.cause().record(Event::UserChanged { user_id, change })]).await
    }

    /// To be called with the records of a change, if the code that changed the row has made them,
    /// as `ManageUsers` of the feature `sql` does. Ends the sessions that have to end, and then
    /// reports the change. Returns the number of sessions; `None` if none are kept, or none had to
    /// end.
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

    /// Ends the sessions that have to end because of this event.
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

    /// Blacklists a token of somebody else, of any type, and ends its session. The token may be one
    /// that hasn't been seen here before, and its user may no longer exist.
    /// [`blacklist`](Self::blacklist) is for the holder of a token.
    ///
    /// If the token names a session of another user, that session isn't ended.
    ///
    /// # Errors
    /// [`Error::Token`] for an invalid token; [`Error::BlacklistDisabled`]; internal errors.
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
