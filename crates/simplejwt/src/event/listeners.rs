//! The listeners for events.

use std::fmt;
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

    /// Writes the log line, then calls the listeners in the order in which they were added.
    pub(crate) fn tell(&self, record: &EventRecord) {
        log(record);
        for listener in &self.0 {
            listener(record);
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listeners").field(&self.0.len()).finish()
    }
}
