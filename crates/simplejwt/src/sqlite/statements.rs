//! The statements over the tables of tokens and sessions.

use crate::sql::column::ColumnType;
use crate::sql::table::{UserTable, quoted};

/// The statements that contain names of the users' table.
pub(super) struct Sql {
    pub(super) user_id: ColumnType,
    pub(super) record: String,
    pub(super) blacklist_all: String,
    /// Blacklists a user's tokens, except those in one session.
    pub(super) blacklist_others: String,
}

// The unique keys decide. NOT EXISTS, or a look beforehand, only saves the cost of a conflict:
// AUTOINCREMENT uses up an id, so every replay would write to the disk.
//
// What a rotation runs reads no table that it inserts into: SQLite would put the rows into a
// temporary table first, which costs more than the insertion.
pub(super) const BLACKLIST: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
    SELECT ?1, o.id FROM token_blacklist_outstandingtoken AS o WHERE o.jti = ?2 \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    ON CONFLICT (token_id) DO NOTHING";
pub(super) const IS_BLACKLISTED: &str = "\
    SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = ?1";
pub(super) const NEWEST: &str = "\
    SELECT jti, token, created_at, expires_at FROM token_blacklist_outstandingtoken \
    ORDER BY id DESC LIMIT ?1";

impl Sql {
    pub(super) fn new(users: &UserTable, user_id: ColumnType) -> Self {
        // If several users have the same value, none of them is meant.
        let (key, table) = (quoted(&users.primary_key), quoted(&users.table));
        let id = quoted(users.user_id_column());
        let inherits = users.and_inherits(&table, quoted, quoted);
        let key = match users.user_id_column() == users.primary_key {
            true => format!("(SELECT {key} FROM {table} WHERE {id} = {{}}{inherits} LIMIT 1)"),
            false => format!(
                "(SELECT {key} FROM {table} WHERE {id} = {{}}{inherits} \
                 AND (SELECT count(*) FROM {table} WHERE {id} = {{}}) = 1)"
            ),
        };
        Self {
            user_id,
            record: format!(
                "INSERT INTO token_blacklist_outstandingtoken \
                 (token, created_at, expires_at, user_id, jti) VALUES (?1, ?2, ?3, {}, ?5) \
                 ON CONFLICT (jti) DO NOTHING",
                key.replace("{}", "?4")
            ),
            blacklist_all: format!(
                "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
                 SELECT ?1, o.id FROM token_blacklist_outstandingtoken AS o \
                 WHERE o.user_id = {} AND NOT EXISTS (\
                 SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
                 ON CONFLICT (token_id) DO NOTHING",
                key.replace("{}", "?2")
            ),
            blacklist_others: format!(
                "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
                 SELECT ?1, o.id FROM token_blacklist_outstandingtoken AS o \
                 WHERE o.user_id = {} AND NOT EXISTS (\
                 SELECT 1 FROM simplejwt_session_token AS t \
                 WHERE t.jti = o.jti AND t.session_id = ?3) AND NOT EXISTS (\
                 SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
                 ON CONFLICT (token_id) DO NOTHING",
                key.replace("{}", "?2")
            ),
        }
    }
}

pub(super) const INSERT_SESSION: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
pub(super) const JOIN_SESSION: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, created_at, used_at, expires_at, address) \
    VALUES (?1, ?2, ?3, ?3, ?4, ?5) ON CONFLICT (jti) DO NOTHING";
/// Finds a token that can be rotated: one of a valid session that isn't spent.
pub(super) const ROTATABLE: &str = "\
    SELECT o.id, t.session_id FROM token_blacklist_outstandingtoken AS o \
    JOIN simplejwt_session_token AS t ON t.jti = o.jti \
    JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE o.jti = ?1 AND s.ended_at IS NULL AND s.created_at > ?2 AND t.used_at > ?3 \
    AND (s.password IS NULL OR ?4 IS NULL OR s.password = ?4) \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti)";
/// Spends it. The unique key on `token_id` decides.
pub(super) const SPEND: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) VALUES (?1, ?2) \
    ON CONFLICT (token_id) DO NOTHING";
pub(super) const SUCCEED: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at, address) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)";
pub(super) const STATE: &str = "\
    SELECT t.session_id, s.ended_at, s.created_at, t.used_at, s.password, o.id IS NOT NULL, \
    b.blacklisted_at, EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE t.jti = ?1";
pub(super) const SUCCESSOR: &str = "\
    SELECT c.jti, c.access_jti, c.created_at, c.address, c.used_at, \
    EXISTS (SELECT 1 FROM simplejwt_session_token AS g WHERE g.parent_jti = c.jti), \
    c.expires_at > ?2 AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = c.jti) \
    FROM simplejwt_session_token AS c WHERE c.parent_jti = ?1";
pub(super) const NOTE_USE: &str = "\
    UPDATE simplejwt_session_token SET used_at = ?2, address = ?3 WHERE jti = ?1 AND used_at < ?4";
pub(super) const SHOW: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, s.user_agent, \
    coalesce((SELECT max(used_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.created_at), \
    coalesce((SELECT max(expires_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.expires_at), \
    coalesce((SELECT address FROM simplejwt_session_token WHERE session_id = s.id \
    ORDER BY used_at DESC LIMIT 1), s.address) \
    FROM simplejwt_session AS s";
/// Reads three rows, however many tokens the session has had.
pub(super) const HEAD_OF: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, (\
    SELECT c.created_at FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = ?1";
/// Finds a row if the token is no longer valid, by the blacklist or by its session.
pub(super) const IS_SPENT: &str = "\
    SELECT 1 WHERE EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = ?1) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = ?1) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = ?1 AND s.ended_at IS NOT NULL)";
/// A token of the session `s` can still be refreshed.
pub(super) const IS_LIVE: &str = "\
    s.ended_at IS NULL AND EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    WHERE t.session_id = s.id AND t.expires_at > ?2 \
    AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = t.jti))";
pub(super) const END_SESSION: &str = "\
    UPDATE simplejwt_session SET ended_at = ?2, end_reason = ?3, \
    expires_at = max(expires_at, ?4) WHERE id = ?1 AND ended_at IS NULL";
pub(super) const BLACKLIST_SESSION: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
    SELECT ?1, o.id FROM token_blacklist_outstandingtoken AS o \
    JOIN simplejwt_session_token AS t ON t.jti = o.jti WHERE t.session_id = ?2 \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    ON CONFLICT (token_id) DO NOTHING";
pub(super) const UNENDED: &str = "\
    SELECT id FROM simplejwt_session WHERE user_id = ?1 AND ended_at IS NULL \
    AND id <> coalesce(?2, '') LIMIT ?3";
pub(super) const OWNER: &str = "SELECT user_id FROM simplejwt_session WHERE id = ?1";
pub(super) const IS_REGISTERED: &str =
    "SELECT 1 FROM token_blacklist_outstandingtoken WHERE jti = ?1";
pub(super) const REHASH: &str = "\
    UPDATE simplejwt_session SET password = ?3 WHERE user_id = ?1 AND password = ?2";
pub(super) const FLUSH_TOKENS: &str = "\
    DELETE FROM simplejwt_session_token WHERE jti IN (\
    SELECT jti FROM simplejwt_session_token WHERE expires_at <= ?1 LIMIT ?2)";
/// Sessions that still have tokens are put off until those expire; otherwise each batch would meet
/// all of them again.
pub(super) const FLUSH_SESSIONS: [&str; 3] = [
    "UPDATE simplejwt_session AS s SET expires_at = (SELECT max(t.expires_at) \
     FROM simplejwt_session_token AS t WHERE t.session_id = s.id) WHERE s.id IN (\
     SELECT id FROM simplejwt_session WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) \
     AND EXISTS (SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_session AS s WHERE s.id IN (\
     SELECT id FROM simplejwt_session WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) \
     AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_revocation WHERE sequence IN (\
     SELECT sequence FROM simplejwt_revocation WHERE expires_at <= ?1 LIMIT ?2)",
];
pub(super) const LEASE: &str = "\
    INSERT INTO simplejwt_lease (name, holder, expires_at) VALUES (?1, ?2, ?4) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
    WHERE holder = excluded.holder OR expires_at <= ?3";

/// Selects a user's live sessions in the order in which they were opened.
pub(super) fn live_by_age() -> String {
    format!(
        "SELECT s.id FROM simplejwt_session AS s WHERE s.user_id = ?1 AND {IS_LIVE} \
         ORDER BY s.created_at, s.id"
    )
}

pub(super) fn show_one() -> String {
    format!("{SHOW} WHERE s.id = ?1")
}

pub(super) fn show_live() -> String {
    format!("{SHOW} WHERE s.user_id = ?1 AND {IS_LIVE} ORDER BY 6 DESC, s.id")
}

/// All statements.
pub(super) fn statements() -> Vec<String> {
    [
        INSERT_SESSION,
        JOIN_SESSION,
        ROTATABLE,
        SPEND,
        SUCCEED,
        STATE,
        SUCCESSOR,
        NOTE_USE,
        HEAD_OF,
        IS_SPENT,
        END_SESSION,
        BLACKLIST_SESSION,
        UNENDED,
        OWNER,
        REHASH,
        FLUSH_TOKENS,
        LEASE,
    ]
    .into_iter()
    .chain(FLUSH_SESSIONS)
    .map(str::to_owned)
    .chain([live_by_age(), show_one(), show_live()])
    .collect()
}
