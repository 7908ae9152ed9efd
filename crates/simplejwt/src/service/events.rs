//! Reporting events, and the cause of an event.

use super::Auth;
use crate::clock::Timestamp;
use crate::event::{Act, Actor, Cause, Event, EventRecord, PresentedToken, Target, TokenRefusal};
use crate::store::OutstandingToken;
use crate::token::Token;

impl Auth {
    /// Adds a listener, which is called with every [event](crate::event) once it has happened and
    /// its log line is written. Can be called more than once: listeners are called one after
    /// another, in the order in which they were added.
    ///
    /// A request waits while a listener runs, so slow work belongs in another task, behind a
    /// channel. A listener can't refuse anything ([`Hooks`](crate::Hooks) can), and isn't called if
    /// the process dies before. If it panics, that is logged, and the request and the other
    /// listeners go on.
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

    /// Returns the same flows for what this actor does, whom events name. Without it, that is the
    /// user whom the event is about.
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

    /// Returns the cause of what is done with these flows now: actor, client, request and time. For
    /// changes that have to be reported although no flow makes them, such as those of a user.
    pub fn cause(&self) -> Cause {
        self.cause_at(self.tokens.now())
    }

    pub(super) fn cause_at(&self, at: Timestamp) -> Cause {
        let request_id = self.request_id.as_deref().map(str::to_owned);
        Cause { at, actor: self.actor.clone(), client: self.client(), request_id }
    }

    /// Returns the act for a store, which records this event if it changes something.
    pub(super) fn act(&self, event: Event, at: Timestamp) -> Act {
        Act { event: Some(event), cause: self.cause_at(at) }
    }

    /// Reports what a store has recorded.
    pub(super) fn tell_recorded(&self, records: &[EventRecord]) {
        for record in records {
            self.listeners.tell(record);
        }
    }

    /// Reports an event that changed nothing in a store of ours.
    pub(super) fn tell(&self, event: Event) {
        self.tell_of(Target::default(), event);
    }

    /// As [`tell`](Self::tell), with the module that the log line names.
    pub(super) fn tell_of(&self, target: Target, event: Event) {
        let record = self.cause().record(event);
        self.listeners.tell(&EventRecord { target, ..record });
    }

    /// Returns the event of the refresh of a token that isn't in a session.
    pub(super) fn refreshed_event<T>(&self, token: &Token<T>) -> Event {
        let (jti, user_id) = (self.tokens.jti(token), self.tokens.user_id(token));
        Event::Refreshed { token: PresentedToken { jti, session_id: None, user_id } }
    }

    /// Reports that a blacklisted token was presented.
    pub(super) fn tell_blacklisted(&self, target: Target, jti: &str) {
        self.tell_of(target, blacklisted_presented(jti));
    }
}

/// Returns the event of a blacklisted token that was presented.
pub(super) fn blacklisted_presented(jti: &str) -> Event {
    let token = PresentedToken { jti: Some(jti.to_owned()), ..PresentedToken::default() };
    Event::TokenRefused { token, reason: TokenRefusal::Blacklisted }
}

/// Returns the ids of a token, without looking up its session.
pub(super) fn presented(token: &OutstandingToken) -> PresentedToken {
    PresentedToken::outside_of_sessions(token)
}
