//! Actor, client and time of an event, and the records that a store makes in its transaction.

use super::{Actor, Client, Event, EventRecord};
use crate::clock::Timestamp;
use crate::logging::without_tokens;

/// Actor, client, request and time: what an [`EventRecord`] says besides its [`Event`].
///
/// A verb of a store takes it with what is asked for, and makes the records of what came of it in the
/// transaction that the verb is.
///
/// ```
/// use simplejwt::event::{Actor, Cause};
/// use simplejwt::{Clock as _, Event, SystemClock};
///
/// let now = SystemClock.now();
/// let cause = Cause { actor: Actor::Staff { user_id: "2".into() }, ..Cause::at(now) };
/// let record = cause.record(Event::PasswordChanged { user_id: "1".into() });
/// assert_eq!((record.at, record.actor), (now, cause.actor));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The current time, which is also the time of whatever the verb stores.
    pub at: Timestamp,
    /// The one who does it.
    pub actor: Actor,
    /// The origin of the request; empty without one.
    pub client: Client,
    /// The request's id in the log.
    pub request_id: Option<String>,
}

impl Cause {
    /// At this time, by the user whom it is about, without a request.
    pub fn at(at: Timestamp) -> Self {
        Self { at, actor: Actor::default(), client: Client::default(), request_id: None }
    }

    /// The record of an event with this cause.
    pub fn record(&self, event: Event) -> EventRecord {
        let record = EventRecord::new(event, self.at, self.actor.clone(), &self.client);
        let request_id = self.request_id.as_deref().map(|id| without_tokens(id).into_owned());
        EventRecord { request_id, ..record }
    }
}

/// A [`Cause`] with the event that is told if the verb changes something: for verbs whose caller knows the
/// event beforehand.
///
/// ```
/// # use simplejwt::event::{Act, Cause, PresentedToken};
/// # use simplejwt::{Event, Timestamp};
/// # let now = Timestamp::from_secs(0);
/// let token = PresentedToken { jti: Some("t".into()), ..PresentedToken::default() };
/// let act = Act { event: Some(Event::LoggedOut { token }), cause: Cause::at(now) };
/// assert_eq!(act.recorded(()).events, [act.cause.record(act.event.clone().unwrap())]);
/// // A part of what another event tells.
/// assert!(Act::at(now).recorded(()).events.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The event; `None` where another one tells of it already.
    pub event: Option<Event>,
    /// Actor, client and time.
    pub cause: Cause,
}

impl Act {
    /// One at this time that no event tells of, as [`Cause::at`].
    pub fn at(at: Timestamp) -> Self {
        Self::untold(Cause::at(at))
    }

    /// One that no event of its own tells of.
    pub fn untold(cause: Cause) -> Self {
        Self { event: None, cause }
    }

    /// This outcome of a verb that has done what it was asked for, with the record of the event.
    pub fn recorded<T>(&self, outcome: T) -> Recorded<T> {
        let events = self.event.iter().map(|event| self.cause.record(event.clone())).collect();
        Recorded { outcome, events }
    }
}

/// The outcome of a verb, with the records that were made in its transaction: what a store that keeps
/// events has written, and what listeners are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<T> {
    /// The outcome.
    pub outcome: T,
    /// The records, in the order in which it happened.
    pub events: Vec<EventRecord>,
}

impl<T> Recorded<T> {
    /// An outcome of which there is nothing to tell.
    pub fn nothing(outcome: T) -> Self {
        Self { outcome, events: Vec::new() }
    }
}
