//! Actor, client and time of an event, and the records that a store makes in its transaction.

use super::{Actor, Client, Event, EventRecord};
use crate::clock::Timestamp;
use crate::logging::without_tokens;

/// The actor, client, request and time of an [`Event`], as in its [`EventRecord`].
///
/// A store's method takes it with the request, and makes the records of the outcome in its
/// transaction.
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
    /// The current time, which is also the time of everything that the method stores.
    pub at: Timestamp,
    /// The actor.
    pub actor: Actor,
    /// The origin of the request; empty without one.
    pub client: Client,
    /// The request's id in the log.
    pub request_id: Option<String>,
}

impl Cause {
    /// Creates a cause at this time, by the user whom the event is about, without a request.
    pub fn at(at: Timestamp) -> Self {
        Self { at, actor: Actor::default(), client: Client::default(), request_id: None }
    }

    /// Creates the record of an event with this cause.
    pub fn record(&self, event: Event) -> EventRecord {
        let record = EventRecord::new(event, self.at, self.actor.clone(), &self.client);
        let request_id = self.request_id.as_deref().map(|id| without_tokens(id).into_owned());
        EventRecord { request_id, ..record }
    }
}

/// A [`Cause`] with the event to record if something is changed: for methods whose caller knows the
/// event beforehand.
///
/// ```
/// # use simplejwt::event::{Act, Cause, PresentedToken};
/// # use simplejwt::{Event, Timestamp};
/// # let now = Timestamp::from_secs(0);
/// let token = PresentedToken { jti: Some("t".into()), ..PresentedToken::default() };
/// let act = Act { event: Some(Event::LoggedOut { token }), cause: Cause::at(now) };
/// assert_eq!(act.recorded(()).events, [act.cause.record(act.event.clone().unwrap())]);
/// // Another event covers it.
/// assert!(Act::at(now).recorded(()).events.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The event; `None` if another one covers it.
    pub event: Option<Event>,
    /// Actor, client and time.
    pub cause: Cause,
}

impl Act {
    /// Creates an act without an event at this time, as [`Cause::at`].
    pub fn at(at: Timestamp) -> Self {
        Self::untold(Cause::at(at))
    }

    /// Creates an act without an event of its own.
    pub fn untold(cause: Cause) -> Self {
        Self { event: None, cause }
    }

    /// Returns this outcome of a method that did what was requested, with the record of the event.
    pub fn recorded<T>(&self, outcome: T) -> Recorded<T> {
        let events = self.event.iter().map(|event| self.cause.record(event.clone())).collect();
        Recorded { outcome, events }
    }
}

/// The outcome of a store's method, with the records made in its transaction: a store that keeps
/// events has written them, and listeners receive them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<T> {
    /// The outcome.
    pub outcome: T,
    /// The records, in the order of events.
    pub events: Vec<EventRecord>,
}

impl<T> Recorded<T> {
    /// Creates an outcome with nothing to report.
    pub fn nothing(outcome: T) -> Self {
        Self { outcome, events: Vec::new() }
    }
}
