//! Password hashes as a table may hold them.

use simplejwt::users::password::{Hashers, Rehash, StoredKind, is_usable};

use crate::engine::{corpus, run};

/// What can't be computed isn't called a hash, and what is rewritten can be logged in with.
#[test]
fn hash() {
    let hashers = Hashers::default();
    run("hash", &corpus("hash"), |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let kind = hashers.kind_of(text);
        assert!(!kind.to_string().contains(['\n', '\0']), "{kind}");
        let has_none = text.is_empty() || !is_usable(text);
        assert_eq!(matches!(kind, StoredKind::Unusable), has_none, "{text:?}: {kind}");
        if hashers.should_rewrite(text, Rehash::Always) {
            assert!(matches!(kind, StoredKind::Accepted(_)), "{text:?}: {kind}");
        }
    });
}
