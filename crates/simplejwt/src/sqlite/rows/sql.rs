//! The statements about sessions as one row each.

pub(super) const READ: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE id = ?1";
pub(super) const INSERT: &str = "\
    INSERT INTO simplejwt_refresh_session \
    (id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, spent, \
    password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) \
    ON CONFLICT (id) DO NOTHING";
/// Names no column that an index has.
pub(super) const REPLACE: &str = "\
    UPDATE simplejwt_refresh_session SET generation = ?2, jti = ?3, issued_at = ?4, used_at = ?5, \
    expires_at = ?6, access_jti = ?7, spent = ?8, password = ?9, address = ?10, ended_at = ?11, \
    end_reason = ?12, blacklisted_at = ?13 WHERE id = ?1 AND generation = ?2 - 1";
pub(super) const KEEP: &str = "UPDATE simplejwt_refresh_session SET kept_until = ?2 WHERE id = ?1";
pub(super) const END: &str = "\
    UPDATE simplejwt_refresh_session SET generation = generation + 1, ended_at = ?2, \
    end_reason = ?3, kept_until = max(kept_until, ?4) WHERE id = ?1 AND ended_at IS NULL";
pub(super) const LIVE: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE user_id = ?1 AND ended_at IS NULL \
    AND blacklisted_at IS NULL AND expires_at > ?2 ORDER BY used_at DESC, id";
pub(super) const LIVE_BUT_ONE: &str = "\
    SELECT id FROM simplejwt_refresh_session WHERE user_id = ?1 AND ended_at IS NULL \
    AND blacklisted_at IS NULL AND expires_at > ?2 AND id <> ?3 ORDER BY created_at, id";
pub(super) const UNENDED_BUT_ONE: &str = "\
    SELECT id FROM simplejwt_refresh_session WHERE user_id = ?1 AND ended_at IS NULL \
    AND id <> coalesce(?2, '') LIMIT ?3";
pub(super) const REHASH: &str = "\
    UPDATE simplejwt_refresh_session SET generation = generation + 1, password = ?3 \
    WHERE user_id = ?1 AND password = ?2";
pub(super) const FLUSH: &str = "\
    DELETE FROM simplejwt_refresh_session WHERE id IN (\
    SELECT id FROM simplejwt_refresh_session WHERE kept_until <= ?1 ORDER BY kept_until LIMIT ?2)";
pub(super) const KNOWN: &str = "\
    SELECT o.id IS NOT NULL, b.id IS NOT NULL, b.blacklisted_at, (\
    SELECT t.session_id FROM simplejwt_session_token AS t WHERE t.jti = ?1) \
    FROM (SELECT 1) LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = ?1 \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id";

// For moving sessions.
pub(super) const SESSIONS_AFTER: &str = "\
    SELECT id FROM simplejwt_session WHERE id > ?1 AND ended_at IS NULL ORDER BY id LIMIT ?2";
/// Selects the tokens that nothing has replaced, of the sessions between two ids.
pub(super) const LEAVES: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.password, coalesce(t.address, s.address), \
    s.user_agent, s.expires_at, t.jti, t.parent_jti, t.access_jti, t.created_at, t.used_at, \
    t.expires_at, b.id IS NOT NULL, b.blacklisted_at \
    FROM simplejwt_session AS s JOIN simplejwt_session_token AS t ON t.session_id = s.id \
    LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id \
    WHERE s.id > ?1 AND s.id <= ?2 AND s.ended_at IS NULL AND NOT EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) ORDER BY s.id";
pub(super) const FORGET_MOVED: &str =
    "DELETE FROM simplejwt_refresh_session WHERE id = ?1 AND end_reason = ?2";
pub(super) const REMOVE_SESSION: &str = "DELETE FROM simplejwt_session WHERE id = ?1";
pub(super) const ROWS_AFTER: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE id > ?1 AND ended_at IS NULL ORDER BY id LIMIT ?2";
pub(super) const PUT_SESSION: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
pub(super) const PUT_TOKEN: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at, address) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (jti) DO NOTHING";
/// Blacklists the tokens of a session that are still registered, but for the current one.
pub(super) const SPEND_OTHERS: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
    SELECT ?1, o.id FROM token_blacklist_outstandingtoken AS o \
    JOIN simplejwt_session_token AS t ON t.jti = o.jti \
    WHERE t.session_id = ?2 AND t.jti <> ?3 AND NOT EXISTS (\
    SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    ON CONFLICT (token_id) DO NOTHING";
/// Selects the number of live sessions, and of those with several valid tokens.
pub(super) const COUNT_TOKENS: &str = "\
    SELECT count(*), count(CASE WHEN n > 1 THEN 1 END) FROM (\
    SELECT count(*) AS n FROM simplejwt_session AS s \
    JOIN simplejwt_session_token AS t ON t.session_id = s.id \
    WHERE s.ended_at IS NULL AND t.expires_at > ?1 AND NOT EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) AND NOT EXISTS (\
    SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = t.jti) \
    GROUP BY s.id)";
/// Selects the number of live sessions, and of those that were moved.
pub(super) const COUNT_ROWS: &str = "\
    SELECT count(CASE WHEN ended_at IS NULL AND blacklisted_at IS NULL AND expires_at > ?1 \
    THEN 1 END), count(CASE WHEN end_reason = ?2 THEN 1 END) FROM simplejwt_refresh_session";

/// All statements.
pub(in crate::sqlite) const STATEMENTS: [&str; 21] = [
    READ,
    INSERT,
    REPLACE,
    KEEP,
    END,
    LIVE,
    LIVE_BUT_ONE,
    UNENDED_BUT_ONE,
    REHASH,
    FLUSH,
    KNOWN,
    SESSIONS_AFTER,
    LEAVES,
    FORGET_MOVED,
    REMOVE_SESSION,
    ROWS_AFTER,
    PUT_SESSION,
    PUT_TOKEN,
    SPEND_OTHERS,
    COUNT_TOKENS,
    COUNT_ROWS,
];
