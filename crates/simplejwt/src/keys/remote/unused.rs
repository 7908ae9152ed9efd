//! The keys of a set that aren't used, in messages and in the log.

use crate::keys::UnusedJwk;
use crate::logging::cut;

/// Returns why none of the keys of a set is used.
pub(super) fn reasons(unused: &[UnusedJwk]) -> String {
    /// The maximum number of reasons in one message.
    const REASONS: usize = 5;
    let mut each: Vec<_> = unused
        .iter()
        .take(REASONS)
        .map(|jwk| match &jwk.kid {
            Some(kid) => format!("{kid:?}: {}", jwk.reason),
            None => format!("number {}: {}", jwk.position, jwk.reason),
        })
        .collect();
    match unused.len().checked_sub(REASONS) {
        _ if each.is_empty() => each.push("it is empty".into()),
        None | Some(0) => {}
        Some(more) => each.push(format!("and {more} more")),
    }
    each.join("; ")
}

/// Logs the unused keys, except those that `told` already contains.
pub(super) fn log(source: &str, unused: &[UnusedJwk], told: &[UnusedJwk]) {
    /// The maximum number of log lines for one set.
    const LINES: usize = 50;
    let known = |jwk: &&UnusedJwk| {
        told.iter().any(|other| other.kid == jwk.kid && other.reason == jwk.reason)
    };
    let mut new = unused.iter().filter(|jwk| !known(jwk));
    for UnusedJwk { position, kid, reason } in new.by_ref().take(LINES) {
        let kid = kid.as_deref().map(cut);
        tracing::warn!(
            event = "key_unused",
            source,
            position,
            kid = kid.as_deref(),
            error = %reason,
            "a key behind JWK_URL is not used"
        );
    }
    let more = new.count();
    if more > 0 {
        tracing::warn!(
            event = "more_keys_unused",
            source,
            more,
            "more keys behind JWK_URL are not used"
        );
    }
}
