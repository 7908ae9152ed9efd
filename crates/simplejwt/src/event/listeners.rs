//! The listeners for events.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::EventRecord;
use super::log::log;

type Listener = Arc<dyn Fn(&EventRecord) + Send + Sync>;

/// The log, and the listeners that an application has added.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Vec<Listener>);

impl Listeners {
    pub(crate) fn add(&mut self, listener: impl Fn(&EventRecord) + Send + Sync + 'static) {
        self.0.push(Arc::new(listener));
    }

    /// Writes the log line, then calls the listeners in the order in which they were added. What
    /// they are told has happened, so a listener that panics changes neither the answer nor what
    /// the others are told.
    pub(crate) fn tell(&self, record: &EventRecord) {
        log(record);
        for listener in &self.0 {
            if catch_unwind(AssertUnwindSafe(|| listener(record))).is_err() {
                tracing::error!(event = "listener_panicked", "a listener for events panicked");
            }
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listeners").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::Timestamp;
    use crate::event::{Cause, Event};

    #[test]
    fn a_listener_that_panics_affects_nobody_else() {
        let told = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&told);
        let mut listeners = Listeners::default();
        listeners.add(|_| panic!("on purpose"));
        listeners.add(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let event = Event::LoggedIn { user_id: "1".into(), session_id: None };
        let record = Cause::at(Timestamp::from_secs(1)).record(event);
        listeners.tell(&record);
        listeners.tell(&record);
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
