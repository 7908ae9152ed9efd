//! Who is told of what happens, and by whom it was done.

use super::Auth;
use crate::clock::Timestamp;
use crate::event::{Act, Actor, Cause, Event, EventRecord, PresentedToken, Target, TokenRefusal};
use crate::store::OutstandingToken;
use crate::token::Token;

impl Auth {
    /// Has `listener` told of every [event](crate::event), once it has happened and its log line is
    /// written. It may be called more than once; listeners are told one after the other, in the order
    /// in which they were added.
    ///
    /// A listener is called while a request is waiting: what takes long goes into a channel. It can't
    /// refuse anything ([`Hooks`](crate::Hooks) can), and a process that dies beforehand has told it
    /// nothing.
    ///
    /// ```
    /// use simplejwt::{Auth, Event, EventRecord, Settings, Tokens};
    ///
    /// let tokens = Tokens::new(Settings {
    ///     signing_key: Some("a secret of at least thirty-two bytes".into()),
    ///     ..Settings::default()
    /// })?;
    /// let (sender, events) = std::sync::mpsc::channel::<EventRecord>();
    /// let auth = Auth::new(tokens).on_event(move |record| {
    ///     if let Event::SpentTokenPresented { .. } = record.event {
    ///         // An error means that nobody listens any more.
    ///         let _ = sender.send(record.clone());
    ///     }
    /// });
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&EventRecord) + Send + Sync + 'static) -> Self {
        std::sync::Arc::make_mut(&mut self.listeners).add(listener);
        self
    }

    /// The same flows, for what this actor does: events say so. Without it, that is the user whom they
    /// are about.
    ///
    /// ```
    /// # use simplejwt::event::Actor;
    /// # use simplejwt::store::session::{EndReason, SessionSelector};
    /// # async fn close(auth: &simplejwt::Auth) -> Result<(), simplejwt::Error> {
    /// let by_bob = auth.acting_as(Actor::Staff { user_id: "2".into() });
    /// let all_of_alice = SessionSelector::All { user_id: "1".into(), except: None };
    /// by_bob.end_sessions(all_of_alice, EndReason::Staff).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// Who does at this moment what is asked of these flows, and from where: for what isn't done by a flow
    /// and has to be told of all the same, as a change of a user is.
    pub fn cause(&self) -> Cause {
        self.cause_at(self.tokens.now())
    }

    pub(super) fn cause_at(&self, at: Timestamp) -> Cause {
        let request_id = self.request_id.as_deref().map(str::to_owned);
        Cause { at, actor: self.actor.clone(), client: self.client(), request_id }
    }

    /// What is told by this event, if a store does it.
    pub(super) fn act(&self, event: Event, at: Timestamp) -> Act {
        Act { event: Some(event), cause: self.cause_at(at) }
    }

    /// Tells of what a store has recorded.
    pub(super) fn tell_recorded(&self, records: &[EventRecord]) {
        for record in records {
            self.listeners.tell(record);
        }
    }

    /// Tells of what changes nothing in a store, or nothing of ours.
    pub(super) fn tell(&self, event: Event) {
        self.tell_of(Target::default(), event);
    }

    /// The same, where the log line has the name of one module of several.
    pub(super) fn tell_of(&self, target: Target, event: Event) {
        let record = self.cause().record(event);
        self.listeners.tell(&EventRecord { target, ..record });
    }

    /// A token that isn't in a session was refreshed.
    pub(super) fn refreshed_event<T>(&self, token: &Token<T>) -> Event {
        let (jti, user_id) = (self.tokens.jti(token), self.tokens.user_id(token));
        Event::Refreshed { token: PresentedToken { jti, session_id: None, user_id } }
    }

    /// A token that is on the blacklist was presented.
    pub(super) fn tell_blacklisted(&self, target: Target, jti: &str) {
        self.tell_of(target, blacklisted_presented(jti));
    }
}

/// A token that is on the blacklist was presented.
pub(super) fn blacklisted_presented(jti: &str) -> Event {
    let token = PresentedToken { jti: Some(jti.to_owned()), ..PresentedToken::default() };
    Event::TokenRefused { token, reason: TokenRefusal::Blacklisted }
}

/// The names of a token whose session isn't asked for.
pub(super) fn presented(token: &OutstandingToken) -> PresentedToken {
    PresentedToken::outside_of_sessions(token)
}
