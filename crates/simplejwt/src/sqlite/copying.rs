//! Copying the log into the file beside the writing thread.
//!
//! SQLite has the commit that makes the log too long copy it, which takes as long as many commits:
//! in a large file, nearly each page of the log belongs somewhere else. Any other connection can do
//! it just as well, while the writing thread goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::database::connect_reader;

/// The number of writes after which the log is copied. The log then has a few hundred pages.
const WRITES: u32 = 64;

/// The time from the end of a copy to the next, so that its flushes to the disk don't hold up the
/// commits of a server with much to do. The writing thread copies what is too long even so.
const PAUSE: Duration = Duration::from_millis(200);

/// Copies of a file's log, of which there is one at a time.
#[derive(Debug)]
pub(super) struct Copying {
    path: PathBuf,
    busy_timeout: Duration,
    writes: AtomicU32,
    is_under_way: AtomicBool,
}

impl Copying {
    pub(super) fn new(path: &Path, busy_timeout: Duration) -> Arc<Self> {
        let (writes, is_under_way) = (AtomicU32::new(0), AtomicBool::new(false));
        Arc::new(Self { path: path.to_owned(), busy_timeout, writes, is_under_way })
    }

    /// Counts writes that are committed; after enough of them, the log is copied on a thread of its
    /// own.
    pub(super) fn committed(self: &Arc<Self>, writes: usize) {
        let writes = u32::try_from(writes).unwrap_or(WRITES);
        let all = self.writes.fetch_add(writes, Ordering::Relaxed).saturating_add(writes);
        if all < WRITES || self.is_under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        self.writes.store(0, Ordering::Relaxed);
        let under_way = UnderWay(Arc::clone(self));
        // Without a thread or if it fails, the writing thread copies the log when it is long.
        let _ = thread::Builder::new().name("sqlite-copy".into()).spawn(move || {
            let _ = under_way.0.copy();
            thread::park_timeout(PAUSE);
        });
    }

    /// Copies what no reader needs any longer, and waits for nobody.
    fn copy(&self) -> rusqlite::Result<()> {
        let connection = connect_reader(&self.path, self.busy_timeout)?;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
    }
}

/// A copy under way.
struct UnderWay(Arc<Copying>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.is_under_way.store(false, Ordering::Release);
    }
}
