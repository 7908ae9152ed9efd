//! The statements about sessions as one row each.

use crate::postgres::lookup;
use crate::postgres::statements::trying;
use crate::sql::check::Uses;

pub(super) const READ: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE id = asked.key";
pub(super) const INSERT: &str = "\
    INSERT INTO simplejwt_refresh_session \
    (id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, spent, \
    password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until) \
    SELECT $1::varchar, $2::varchar, $3::bigint, $4::bigint, $5::varchar, $6::bigint, $7::bigint, \
    $8::bigint, $9::varchar, $10::text, $11::varchar, $12::varchar, $13::varchar, $14::bigint, \
    $15::varchar, $16::bigint, $17::bigint WHERE NOT EXISTS (\
    SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = $18::text) \
    ON CONFLICT (id) DO NOTHING";
pub(super) const REPLACE: &str = "\
    UPDATE simplejwt_refresh_session AS s SET generation = n.generation, jti = n.jti, \
    issued_at = n.issued_at, used_at = n.used_at, expires_at = n.expires_at, \
    access_jti = n.access_jti, spent = n.spent, password = n.password, address = n.address, \
    ended_at = n.ended_at, end_reason = n.end_reason, blacklisted_at = n.blacklisted_at, \
    kept_until = n.kept_until FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], \
    $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], \
    $12::text[], $13::bigint[], $14::bigint[]) WITH ORDINALITY AS n (id, generation, jti, \
    issued_at, used_at, expires_at, access_jti, spent, password, address, ended_at, end_reason, \
    blacklisted_at, kept_until, number) \
    WHERE s.id = n.id AND s.generation = n.generation - 1 RETURNING n.number";
pub(super) const END: &str = "\
    UPDATE simplejwt_refresh_session SET generation = generation + 1, ended_at = $2, \
    end_reason = $3, kept_until = greatest(kept_until, $4) WHERE ended_at IS NULL AND id IN (\
    SELECT id FROM simplejwt_refresh_session WHERE id = ANY ($1) ORDER BY id FOR UPDATE) \
    RETURNING id";
pub(super) const END_OF_USER: &str = "\
    UPDATE simplejwt_refresh_session SET generation = generation + 1, ended_at = $4, \
    end_reason = $5, kept_until = greatest(kept_until, $6) WHERE ended_at IS NULL AND id IN (\
    SELECT id FROM simplejwt_refresh_session WHERE user_id = $1 AND ended_at IS NULL \
    AND id IS DISTINCT FROM $2 ORDER BY id LIMIT $3 FOR UPDATE) RETURNING id";
pub(super) const LIVE: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE user_id = $1 AND ended_at IS NULL \
    AND blacklisted_at IS NULL AND expires_at > $2 ORDER BY used_at DESC, id";
pub(super) const LIVE_BUT_ONE: &str = "\
    SELECT id FROM simplejwt_refresh_session WHERE user_id = $1 AND ended_at IS NULL \
    AND blacklisted_at IS NULL AND expires_at > $2 AND id <> $3 ORDER BY created_at, id";
pub(super) const REHASH: &str = "\
    UPDATE simplejwt_refresh_session SET generation = generation + 1, password = $3 \
    WHERE user_id = $1 AND password = $2";
pub(super) const FLUSH: &str = "\
    DELETE FROM simplejwt_refresh_session WHERE id = ANY (ARRAY(\
    SELECT id FROM simplejwt_refresh_session WHERE kept_until <= $1 \
    ORDER BY kept_until LIMIT $2 FOR UPDATE SKIP LOCKED))";
pub(super) const KNOWN: &str = "\
    SELECT o.id IS NOT NULL, b.blacklisted_at, (\
    SELECT t.session_id FROM simplejwt_session_token AS t WHERE t.jti = $1::text) \
    FROM (SELECT 1) AS one LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = $1::text \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id";

// For moving sessions.
pub(super) const SESSIONS_AFTER: &str = "\
    SELECT id FROM simplejwt_session WHERE id > $1 AND ended_at IS NULL ORDER BY id LIMIT $2 \
    FOR UPDATE";
/// Selects the tokens that nothing has replaced, of these sessions.
pub(super) const LEAVES: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.password, coalesce(t.address, s.address), \
    s.user_agent, s.expires_at, t.jti, t.parent_jti, t.access_jti, t.created_at, t.used_at, \
    t.expires_at, b.blacklisted_at \
    FROM simplejwt_session AS s JOIN simplejwt_session_token AS t ON t.session_id = s.id \
    LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id \
    WHERE s.id = ANY ($1) AND NOT EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) ORDER BY s.id";
pub(super) const FORGET_MOVED: &str =
    "DELETE FROM simplejwt_refresh_session WHERE id = $1 AND end_reason = $2";
pub(super) const REMOVE_SESSION: &str = "DELETE FROM simplejwt_session WHERE id = $1";
pub(super) const ROWS_AFTER: &str = "\
    SELECT id, user_id, created_at, generation, jti, issued_at, used_at, expires_at, access_jti, \
    spent, password, address, user_agent, ended_at, end_reason, blacklisted_at, kept_until \
    FROM simplejwt_refresh_session WHERE id > $1 AND ended_at IS NULL ORDER BY id LIMIT $2 \
    FOR UPDATE";
pub(super) const PUT_TOKEN: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at, address) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (jti) DO NOTHING";
/// Blacklists the tokens of a session that are still registered, but for the current one.
pub(super) const SPEND_OTHERS: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
    SELECT $1, o.id FROM token_blacklist_outstandingtoken AS o \
    JOIN simplejwt_session_token AS t ON t.jti = o.jti \
    WHERE t.session_id = $2 AND t.jti <> $3 AND NOT EXISTS (\
    SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    ON CONFLICT (token_id) DO NOTHING";
/// Selects the number of live sessions, and of those with several valid tokens.
pub(super) const COUNT_TOKENS: &str = "\
    SELECT count(*), count(*) FILTER (WHERE n > 1) FROM (\
    SELECT count(*) AS n FROM simplejwt_session AS s \
    JOIN simplejwt_session_token AS t ON t.session_id = s.id \
    WHERE s.ended_at IS NULL AND t.expires_at > $1 AND NOT EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) AND NOT EXISTS (\
    SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = t.jti) \
    GROUP BY s.id) AS live";
/// Selects the number of live sessions, and of those that were moved.
pub(super) const COUNT_ROWS: &str = "\
    SELECT count(*) FILTER (WHERE ended_at IS NULL AND blacklisted_at IS NULL \
    AND expires_at > $1), count(*) FILTER (WHERE end_reason = $2) FROM simplejwt_refresh_session";

/// Tries the accesses to the table.
pub(in crate::postgres) fn ping_rows() -> String {
    trying(&Uses { session_rows: true, ..Uses::default() }, "SELECT 1")
}

/// Returns all statements, each with `true` if only the purge or a move runs it.
pub(in crate::postgres) fn statements() -> Vec<(String, bool)> {
    let always = [
        INSERT,
        REPLACE,
        END,
        END_OF_USER,
        LIVE,
        LIVE_BUT_ONE,
        REHASH,
        KNOWN,
        LEAVES,
        PUT_TOKEN,
        SPEND_OTHERS,
        COUNT_TOKENS,
        COUNT_ROWS,
        SESSIONS_AFTER,
        ROWS_AFTER,
    ];
    let always =
        always.map(str::to_owned).into_iter().chain([lookup::statement(READ), ping_rows()]);
    let purge = [FLUSH, FORGET_MOVED, REMOVE_SESSION].map(str::to_owned);
    always.map(|sql| (sql, false)).chain(purge.map(|sql| (sql, true))).collect()
}
