//! Who is told of what happens, and by whom it was done.

use super::Auth;
use crate::event::{Actor, Client, Event, EventRecord, PresentedToken, Target, TokenRefusal};
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

    pub(super) fn tell(&self, event: Event) {
        self.tell_of(Target::default(), event);
    }

    /// The same, where the log line has the name of one module of several.
    pub(super) fn tell_of(&self, target: Target, event: Event) {
        let none = Client::default();
        let client = self.client.as_deref().unwrap_or(&none);
        let record = EventRecord::new(event, self.tokens.now(), self.actor.clone(), client);
        self.listeners.tell(&EventRecord { target, ..record });
    }

    /// A token that isn't in a session was refreshed.
    pub(super) fn tell_refreshed<T>(&self, token: &Token<T>) {
        let (jti, user_id) = (self.tokens.jti(token), self.tokens.user_id(token));
        self.tell(Event::Refreshed { token: PresentedToken { jti, session_id: None, user_id } });
    }

    /// A token that is on the blacklist was presented.
    pub(super) fn tell_blacklisted(&self, target: Target, jti: &str) {
        let token = PresentedToken { jti: Some(jti.to_owned()), ..PresentedToken::default() };
        self.tell_of(target, Event::TokenRefused { token, reason: TokenRefusal::Blacklisted });
    }
}

/// The names of a token whose session isn't asked for.
pub(super) fn presented(token: &OutstandingToken) -> PresentedToken {
    presented_of(token, None)
}

/// The names of a token, and of the session that it was in.
pub(super) fn presented_of(token: &OutstandingToken, session_id: Option<String>) -> PresentedToken {
    let (jti, user_id) = (Some(token.jti.clone()), token.user_id.clone());
    PresentedToken { jti, session_id, user_id }
}
