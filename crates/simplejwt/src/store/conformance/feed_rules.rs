//! What a page of the feed tells of the history that it belongs to.

use super::{NOW, after, good};
use crate::store::session::{Mark, Revocation, SessionStore, Subject};

async fn revoke(store: &impl SessionStore, name: &str, seconds: i64) {
    let subject = Subject::Session(name.to_owned());
    let revocation = Revocation { subject, revoked_at: NOW, expires_at: after(seconds) };
    good(store.revoke(&revocation).await);
}

/// Two databases that were one until the first revocation: a standby took over without the rest.
/// The second is made when the first is done with: it may be the same, emptied.
pub(super) async fn another_history_is_noticed<S, Made>(make: &impl Fn() -> Made)
where
    S: SessionStore,
    Made: Future<Output = S>,
{
    let lost = &make().await;
    for name in ["shared", "lost"] {
        revoke(lost, name, 50).await;
    }
    let heard = good(lost.revocations(0, 10, NOW).await);
    assert_eq!(heard.before, None, "nothing stands at 0");
    assert_eq!(heard.last, Some(Mark::new("session", "lost", NOW)));
    // Nothing new: the same stands there, also when it has expired.
    for at in [NOW, after(50), after(1000)] {
        let same = good(lost.revocations(heard.sequence, 10, at).await);
        assert_eq!((&same.before, &same.last), (&heard.last, &heard.last));
    }
    let promoted = &make().await;
    revoke(promoted, "shared", 50).await;
    let behind = good(promoted.revocations(heard.sequence, 10, NOW).await);
    assert!(behind.sequence < heard.sequence, "the number says it");
    for name in ["missed", "other"] {
        revoke(promoted, name, 50).await;
    }
    let beyond = good(promoted.revocations(heard.sequence, 10, NOW).await);
    assert!(beyond.sequence > heard.sequence && beyond.complete);
    assert_eq!(beyond.before, Some(Mark::new("session", "missed", NOW)));
    assert_ne!(beyond.before, heard.last);
    // A page that is full ends with what it holds, not with the newest.
    let page = good(promoted.revocations(0, 2, NOW).await);
    assert!(!page.complete);
    assert_eq!(page.last, Some(Mark::new("session", "missed", NOW)));
    let next = good(promoted.revocations(page.sequence, 2, NOW).await);
    assert_eq!((&next.before, next.entries.len()), (&page.last, 1));
}
