//! The statements about sessions as one row each.

/// With `{}` for a list of ids.
pub(super) const READ: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE id IN ({})";
// An existing row stays as it is.
pub(super) const INSERT: &str = "\
    INSERT INTO simplejwt_refresh_session \
    (id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, spent, \
    password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until) VALUES \
    (:id, :user, :created_at, :generation, :jti, :issued_at, :used_at, :expires_at, :access_jti, \
    :spent, :password, :address, :user_agent, :ended_at, :end_reason, :blacklisted_at, \
    :kept_until) ON DUPLICATE KEY UPDATE id = simplejwt_refresh_session.id";
pub(super) const REPLACE: &str = "\
    UPDATE simplejwt_refresh_session SET generation = :generation, jti = :jti, \
    issued_at = :issued_at, used_at = :used_at, expires_at = :expires_at, \
    access_jti = :access_jti, spent = :spent, password = :password, address = :address, \
    ended_at = :ended_at, end_reason = :end_reason, blacklisted_at = :blacklisted_at, \
    kept_until = :kept_until WHERE id = :id AND generation = :generation - 1";
pub(super) const LIVE: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE user_id = :user AND ended_at IS NULL \
    AND blacklisted_at IS NULL AND expires_at > :at ORDER BY used_at DESC, id";
pub(super) const LIVE_BUT_ONE: &str = "\
    SELECT id FROM simplejwt_refresh_session WHERE user_id = :user AND ended_at IS NULL \
    AND blacklisted_at IS NULL AND expires_at > :at AND id <> :but ORDER BY created_at, id";
// The rows stay locked until the end of the transaction.
pub(super) const UNENDED_BUT_ONE: &str = "\
    SELECT id FROM simplejwt_refresh_session WHERE user_id = :user AND ended_at IS NULL \
    AND id <> coalesce(:except, '') ORDER BY id LIMIT :limit FOR UPDATE";
pub(super) const REHASH: &str = "\
    UPDATE simplejwt_refresh_session SET generation = generation + 1, password = :new \
    WHERE user_id = :user AND password = :old";
pub(super) const FLUSH: &str = "\
    DELETE FROM simplejwt_refresh_session WHERE kept_until <= :before \
    ORDER BY kept_until LIMIT :batch";

// For moving sessions.
pub(super) const SESSIONS_AFTER: &str = "\
    SELECT id FROM simplejwt_session WHERE id > :after AND ended_at IS NULL ORDER BY id \
    LIMIT :batch FOR UPDATE";
pub(super) const FORGET_MOVED: &str =
    "DELETE FROM simplejwt_refresh_session WHERE id = :id AND end_reason = :moved";
pub(super) const REMOVE_SESSION: &str = "DELETE FROM simplejwt_session WHERE id = :id";
pub(super) const ROWS_AFTER: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE id > :after AND ended_at IS NULL ORDER BY id \
    LIMIT :batch FOR UPDATE";
pub(super) const PUT_TOKEN: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at, address) \
    VALUES (:jti, :session, :parent, :access, :created_at, :used_at, :expires_at, :address) \
    ON DUPLICATE KEY UPDATE jti = simplejwt_session_token.jti";
/// Selects the number of live sessions, and of those that were moved.
pub(super) const COUNT_ROWS: &str = "\
    SELECT count(CASE WHEN ended_at IS NULL AND blacklisted_at IS NULL AND expires_at > :at \
    THEN 1 END), count(CASE WHEN end_reason = :moved THEN 1 END) FROM simplejwt_refresh_session";

/// The statements that compare the ids of Django's table and ours.
pub(in crate::mysql) struct Moves {
    /// Selects the tokens that nothing has replaced, of the sessions between two ids.
    pub(in crate::mysql) leaves: String,
    /// Selects the number of live sessions, and of those with several valid tokens.
    pub(in crate::mysql) count_tokens: String,
    /// Selects the registered tokens of a session that aren't blacklisted, but for the current one.
    pub(in crate::mysql) others: String,
}

impl Moves {
    /// `o_is_t` matches the registered token `o` with the session's token `t`, and
    /// `is_blacklisted` tells whether `t` is blacklisted.
    pub(in crate::mysql) fn new(o_is_t: &str, is_blacklisted: &str) -> Self {
        Self {
            leaves: format!(
                "SELECT s.id, s.user_id, s.created_at, s.password, coalesce(t.address, s.address), \
                 s.user_agent, s.expires_at, t.jti, t.parent_jti, t.access_jti, t.created_at, \
                 t.used_at, t.expires_at, b.id IS NOT NULL, \
                 TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', b.blacklisted_at) \
                 FROM simplejwt_session AS s \
                 JOIN simplejwt_session_token AS t ON t.session_id = s.id \
                 LEFT JOIN token_blacklist_outstandingtoken AS o ON {o_is_t} \
                 LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id \
                 WHERE s.id > :after AND s.id <= :last AND s.ended_at IS NULL AND NOT EXISTS (\
                 SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
                 ORDER BY s.id"
            ),
            count_tokens: format!(
                "SELECT count(*), count(CASE WHEN n > 1 THEN 1 END) FROM (\
                 SELECT count(*) AS n FROM simplejwt_session AS s \
                 JOIN simplejwt_session_token AS t ON t.session_id = s.id \
                 WHERE s.ended_at IS NULL AND t.expires_at > :at AND NOT EXISTS (\
                 SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
                 AND NOT {is_blacklisted} GROUP BY s.id) AS live"
            ),
            others: format!(
                "SELECT o.id FROM simplejwt_session_token AS t \
                 JOIN token_blacklist_outstandingtoken AS o ON {o_is_t} \
                 WHERE t.session_id = :session AND t.jti <> :jti AND NOT EXISTS (\
                 SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id)"
            ),
        }
    }
}

/// Returns the statement that selects what the tables know of the token `:jti`. `o_is_jti` finds
/// the registered token `o`.
pub(in crate::mysql) fn known(o_is_jti: &str) -> String {
    format!(
        "SELECT o.id IS NOT NULL, b.id IS NOT NULL, \
         TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', b.blacklisted_at), (\
         SELECT t.session_id FROM simplejwt_session_token AS t WHERE t.jti = :jti) \
         FROM (SELECT 1 AS one) AS one \
         LEFT JOIN token_blacklist_outstandingtoken AS o ON {o_is_jti} \
         LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id"
    )
}

pub(super) fn unended(marks: &str) -> String {
    format!(
        "SELECT id FROM simplejwt_refresh_session WHERE id IN ({marks}) AND ended_at IS NULL \
         FOR UPDATE"
    )
}

pub(super) fn set_ended(marks: &str) -> String {
    format!(
        "UPDATE simplejwt_refresh_session SET generation = generation + 1, ended_at = ?, \
         end_reason = ?, kept_until = greatest(kept_until, ?) \
         WHERE id IN ({marks}) AND ended_at IS NULL"
    )
}

/// All statements, except for those of [`Moves`] and [`known`].
pub(in crate::mysql) fn statements() -> Vec<String> {
    let own = [
        INSERT,
        REPLACE,
        LIVE,
        LIVE_BUT_ONE,
        UNENDED_BUT_ONE,
        REHASH,
        FLUSH,
        SESSIONS_AFTER,
        FORGET_MOVED,
        REMOVE_SESSION,
        ROWS_AFTER,
        PUT_TOKEN,
        COUNT_ROWS,
    ];
    let made = [READ.replace("{}", "?"), unended("?"), set_ended("?")];
    own.map(str::to_owned).into_iter().chain(made).collect()
}
