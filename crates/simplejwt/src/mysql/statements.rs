//! The statements, with the names of the users' table and the collations in them.
//!
//! Django's `jti` has the database's collation, which mostly ignores case and trailing spaces. The
//! index is searched in that collation, and then the bytes are compared.

use super::late::DATE;
use super::rotations;
use super::rows;
use super::schema::Collation;
use crate::sql::column::ColumnType;
use crate::sql::table::{UserTable, backticked};

pub(super) struct Sql {
    pub(super) user_id: ColumnType,
    pub(super) insert: String,
    pub(super) is_registered: String,
    /// Selects the registered token, unless it is blacklisted.
    pub(super) unlisted: String,
    pub(super) is_blacklisted: String,
    /// Selects those of several registered tokens that are blacklisted, with `{}` for a list of
    /// `jti_mark`.
    pub(super) are_blacklisted: String,
    pub(super) jti_mark: String,
    /// Selects a user's tokens that aren't blacklisted.
    pub(super) theirs: String,
    /// The same, except for those in one session.
    pub(super) others: String,
    /// Puts the successor of a live token into its session, if that is valid; [`found`] reads the
    /// result.
    pub(super) succeed: String,
    pub(super) state: String,
    pub(super) successor: String,
    /// Finds a row if the token is no longer valid, by the blacklist or by its session.
    pub(super) is_spent: String,
    /// A condition: a token of the session `s` can still be refreshed.
    pub(super) is_live: String,
    /// Selects the tokens of sessions, with `{}` for their ids.
    pub(super) of_sessions: String,
    pub(super) rotations: rotations::Statements,
    pub(super) known: String,
    pub(super) moves: rows::Moves,
}

// A duplicate key leaves the row as it is. `INSERT IGNORE` would hide other errors, too.
pub(super) const NOT_TWICE: &str = "ON DUPLICATE KEY UPDATE token_id = \
    token_blacklist_blacklistedtoken.token_id";
// Only saves the cost of a conflict: the number that AUTO_INCREMENT uses up.
const NOT_BLACKLISTED: &str = "NOT EXISTS (\
    SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id)";
const SELECT: &str = "SELECT o.id FROM token_blacklist_outstandingtoken AS o";
/// The unique key decides. An `INSERT … SELECT` would keep all other inserts waiting for as long as
/// it waits itself, since it holds the counter of AUTO_INCREMENT.
pub(super) const BLACKLIST: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) VALUES (:at, :id) \
    ON DUPLICATE KEY UPDATE token_id = token_blacklist_blacklistedtoken.token_id";

impl Sql {
    /// `jti` is the collation of Django's column, `exact` that of ours.
    pub(super) fn new(
        users: &UserTable,
        user_id: ColumnType,
        jti: &Collation,
        exact: &str,
    ) -> Self {
        let same = jti.name == exact;
        // Finds the registered token whose id is `value`.
        let o_is = |value: &str| match same {
            true => format!("o.jti = {value}"),
            false => {
                let Collation { charset, name } = jti;
                format!(
                    "o.jti = CONVERT({value} USING {charset}) COLLATE {name} \
                     AND CAST(CONVERT(o.jti USING utf8mb4) AS BINARY) = CAST({value} AS BINARY)"
                )
            }
        };
        // Matches the session's token with the registered token `o`.
        let t_is_o = match same {
            true => "t.jti = o.jti".to_owned(),
            false => format!("t.jti = CONVERT(o.jti USING utf8mb4) COLLATE {exact}"),
        };
        let o_is_jti = o_is(":jti");
        let is_key = users.user_id_column() == users.primary_key;
        // If several users have the same value, none of them is meant.
        let (key, table) = (backticked(&users.primary_key), backticked(&users.table));
        let id = backticked(users.user_id_column());
        let inherits = users.and_inherits("u", backticked, backticked);
        let key = match is_key {
            true => {
                format!("(SELECT u.{key} FROM {table} AS u WHERE u.{id} = :user{inherits} LIMIT 1)")
            }
            false => format!(
                "(SELECT u.{key} FROM {table} AS u WHERE u.{id} = :user{inherits} \
                 AND (SELECT COUNT(*) FROM {table} AS v WHERE v.{id} = :user) = 1)"
            ),
        };
        let is_blacklisted = |value: &str| {
            format!(
                "EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
                 JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE {})",
                o_is(value)
            )
        };
        let theirs = format!("o.user_id = {key} AND {NOT_BLACKLISTED}");
        let others = format!(
            "{theirs} AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
             WHERE {t_is_o} AND t.session_id = :except)"
        );
        Self {
            user_id,
            insert: format!(
                "INSERT INTO token_blacklist_outstandingtoken \
                 (token, created_at, expires_at, user_id, jti) \
                 VALUES (:token, :created_at, :expires_at, {}, :jti) ON DUPLICATE KEY UPDATE \
                 jti = token_blacklist_outstandingtoken.jti",
                // A statement with a query in it makes all others wait for the next number of
                // AUTO_INCREMENT.
                if is_key { ":user" } else { &key }
            ),
            is_registered: format!(
                "SELECT 1 FROM token_blacklist_outstandingtoken AS o WHERE {o_is_jti}"
            ),
            unlisted: format!("{SELECT} WHERE {o_is_jti} AND {NOT_BLACKLISTED}"),
            is_blacklisted: format!(
                "SELECT 1 FROM token_blacklist_outstandingtoken AS o \
                 JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id \
                 WHERE {o_is_jti}"
            ),
            are_blacklisted: "SELECT o.jti FROM token_blacklist_outstandingtoken AS o \
                 JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id \
                 WHERE o.jti IN ({})"
                .to_owned(),
            jti_mark: match same {
                true => "?".to_owned(),
                false => format!("CONVERT(? USING {}) COLLATE {}", jti.charset, jti.name),
            },
            theirs: format!(
                "SELECT o.id FROM token_blacklist_outstandingtoken AS o WHERE {theirs}"
            ),
            others: format!(
                "SELECT o.id FROM token_blacklist_outstandingtoken AS o WHERE {others}"
            ),
            // This table has no AUTO_INCREMENT whose counter the query could hold. The argument of
            // LAST_INSERT_ID comes back with the answer: the registered token, and whether the
            // session is the one named, without another query.
            succeed: format!(
                "INSERT INTO simplejwt_session_token \
                 (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at, \
                 address) SELECT :next, IF(LAST_INSERT_ID(2 * o.id + (t.session_id = :session)), \
                 t.session_id, NULL), :jti, \
                 :access, :at, :at, :expires_at, :address \
                 FROM token_blacklist_outstandingtoken AS o \
                 JOIN simplejwt_session_token AS t ON {t_is_o} \
                 JOIN simplejwt_session AS s ON s.id = t.session_id \
                 WHERE {o_is_jti} AND s.ended_at IS NULL AND s.created_at > :opened_after \
                 AND t.used_at > :used_after \
                 AND (s.password IS NULL OR :password IS NULL OR s.password = :password) \
                 AND {NOT_BLACKLISTED} \
                 ON DUPLICATE KEY UPDATE jti = simplejwt_session_token.jti"
            ),
            state: format!(
                "SELECT t.session_id, s.ended_at, s.created_at, t.used_at, s.password, \
                 o.id IS NOT NULL, \
                 TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', b.blacklisted_at), EXISTS (\
                 SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
                 FROM simplejwt_session_token AS t \
                 JOIN simplejwt_session AS s ON s.id = t.session_id \
                 LEFT JOIN token_blacklist_outstandingtoken AS o ON {} \
                 LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id \
                 WHERE t.jti = :jti",
                o_is("t.jti")
            ),
            successor: format!(
                "SELECT c.jti, c.access_jti, c.created_at, c.address, c.used_at, EXISTS (\
                 SELECT 1 FROM simplejwt_session_token AS g WHERE g.parent_jti = c.jti), \
                 c.expires_at > :at AND NOT {} \
                 FROM simplejwt_session_token AS c WHERE c.parent_jti = :jti",
                is_blacklisted("c.jti")
            ),
            is_spent: format!(
                "SELECT 1 FROM DUAL WHERE {} \
                 OR EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = :jti) \
                 OR EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
                 JOIN simplejwt_session AS s ON s.id = t.session_id \
                 WHERE t.jti = :jti AND s.ended_at IS NOT NULL)",
                is_blacklisted(":jti")
            ),
            is_live: format!(
                "s.ended_at IS NULL AND EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
                 WHERE t.session_id = s.id AND t.expires_at > :at \
                 AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c \
                 WHERE c.parent_jti = t.jti) AND NOT {})",
                is_blacklisted("t.jti")
            ),
            of_sessions: format!(
                "SELECT o.id FROM simplejwt_session_token AS t \
                 JOIN token_blacklist_outstandingtoken AS o ON {} \
                 WHERE t.session_id IN ({{}}) AND {NOT_BLACKLISTED}",
                o_is("t.jti")
            ),
            rotations: rotations::Statements::new(users, jti, exact),
            known: rows::known(&o_is_jti),
            moves: rows::Moves::new(&o_is("t.jti"), &is_blacklisted("t.jti")),
        }
    }
}

/// Decodes the result of the statement for a successor: the registered token's id, and whether the
/// session is the one named.
pub(super) fn found(told: u64) -> (u64, bool) {
    (told / 2, told % 2 == 1)
}

// An existing session stays as it is, and is locked.
pub(super) const INSERT_SESSION: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) \
    VALUES (:id, :user, :at, :expires_at, :password, :address, :user_agent) \
    ON DUPLICATE KEY UPDATE id = simplejwt_session.id";
pub(super) const JOIN_SESSION: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, created_at, used_at, expires_at, address) \
    VALUES (:jti, :session, :at, :at, :expires_at, :address) \
    ON DUPLICATE KEY UPDATE jti = simplejwt_session_token.jti";
pub(super) const SHOW: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, s.user_agent, \
    coalesce((SELECT max(used_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.created_at), \
    coalesce((SELECT max(expires_at) FROM simplejwt_session_token WHERE session_id = s.id), \
    s.expires_at), \
    coalesce((SELECT address FROM simplejwt_session_token WHERE session_id = s.id \
    ORDER BY used_at DESC LIMIT 1), s.address) \
    FROM simplejwt_session AS s";
/// Reads three rows for a token, however many the session has had.
pub(super) const HEADS_OF: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, (\
    SELECT c.created_at FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti), t.jti \
    FROM simplejwt_session_token AS t \
    STRAIGHT_JOIN simplejwt_session AS s ON s.id = t.session_id WHERE t.jti IN ({})";
// One at a time for each user, also on different nodes of a Galera cluster, which know of each
// other's writes but not of each other's locks: so the row is written anew.
pub(super) const FREE_USER: &str = "DELETE FROM simplejwt_user WHERE user_id = :user";
pub(super) const LOCK_USER: &str = "INSERT INTO simplejwt_user (user_id) VALUES (:user)";
pub(super) const REHASH: &str = "\
    UPDATE simplejwt_session SET password = :new WHERE user_id = :user AND password = :old";
pub(super) const DUE_TOKENS: &str = "\
    SELECT max(due.expires_at) FROM (SELECT expires_at FROM simplejwt_session_token \
    WHERE expires_at >= :from AND expires_at <= :before \
    ORDER BY expires_at LIMIT :batch) AS due";
pub(super) const FLUSH_TOKENS: &str = "\
    DELETE FROM simplejwt_session_token WHERE expires_at >= :from AND expires_at <= :last \
    ORDER BY expires_at LIMIT :batch";
/// Sessions that still have tokens are put off until those expire; otherwise each batch would meet
/// all of them again.
pub(super) const FLUSH_SESSIONS: [&str; 3] = [
    "UPDATE simplejwt_session AS s JOIN (SELECT id FROM simplejwt_session \
     WHERE expires_at <= :before ORDER BY expires_at LIMIT :batch) AS due ON due.id = s.id \
     SET s.expires_at = (SELECT max(t.expires_at) FROM simplejwt_session_token AS t \
     WHERE t.session_id = s.id) WHERE s.expires_at <= :before AND EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE s FROM simplejwt_session AS s JOIN (SELECT id FROM simplejwt_session \
     WHERE expires_at <= :before ORDER BY expires_at LIMIT :batch) AS due ON due.id = s.id \
     WHERE s.expires_at <= :before AND NOT EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_revocation WHERE expires_at <= :before \
     ORDER BY expires_at LIMIT :batch",
];
// Assigned from left to right: the second condition sees the new holder of the lease.
pub(super) const LEASE: &str = "\
    INSERT INTO simplejwt_lease (name, holder, expires_at) VALUES (:name, :holder, :until) \
    ON DUPLICATE KEY UPDATE \
    holder = IF(simplejwt_lease.holder = :holder OR simplejwt_lease.expires_at <= :at, \
    :holder, simplejwt_lease.holder), \
    expires_at = IF(simplejwt_lease.holder = :holder, :until, simplejwt_lease.expires_at)";
pub(super) const HOLDS: &str = "\
    SELECT 1 FROM simplejwt_lease WHERE name = :name AND holder = :holder";

pub(super) fn show_one() -> String {
    format!("{SHOW} WHERE s.id = :id")
}

pub(super) fn show_live(is_live: &str) -> String {
    format!("{SHOW} WHERE s.user_id = :user AND {is_live} ORDER BY 6 DESC, 1")
}

pub(super) fn live_but_one(is_live: &str) -> String {
    format!(
        "SELECT s.id FROM simplejwt_session AS s WHERE s.user_id = :user AND s.id <> :but \
         AND {is_live} ORDER BY s.created_at, s.id"
    )
}
pub(super) const NOTE_USE: &str = "\
    UPDATE simplejwt_session_token SET used_at = :at, address = :address \
    WHERE jti = :jti AND used_at < :before";
pub(super) const SESSION_OF: &str =
    "SELECT session_id FROM simplejwt_session_token WHERE jti = :jti";
pub(super) const OWNER: &str = "SELECT user_id FROM simplejwt_session WHERE id = :id";
// The session can't be ended while this is held.
pub(super) const HOLD: &str = "\
    SELECT 1 FROM simplejwt_session WHERE id = :id AND ended_at IS NULL LOCK IN SHARE MODE";
// The rows stay locked until the end of the transaction.
pub(super) const UNENDED: &str = "\
    SELECT id FROM simplejwt_session WHERE user_id = :user AND ended_at IS NULL \
    AND id <> coalesce(:except, '') ORDER BY id LIMIT 1000 FOR UPDATE";
pub(super) const OWNER_OF_UNENDED: &str = "\
    SELECT user_id FROM simplejwt_session WHERE id = :id AND ended_at IS NULL FOR UPDATE";

pub(super) fn unended(marks: &str) -> String {
    format!(
        "SELECT id FROM simplejwt_session WHERE id IN ({marks}) AND ended_at IS NULL FOR UPDATE"
    )
}

pub(super) fn set_ended(marks: &str) -> String {
    format!(
        "UPDATE simplejwt_session SET ended_at = ?, end_reason = ?, \
         expires_at = greatest(expires_at, ?) WHERE id IN ({marks}) AND ended_at IS NULL"
    )
}

/// All statements.
pub(super) fn statements(is_live: &str) -> Vec<String> {
    [
        INSERT_SESSION,
        JOIN_SESSION,
        FREE_USER,
        LOCK_USER,
        REHASH,
        DUE_TOKENS,
        FLUSH_TOKENS,
        LEASE,
        HOLDS,
        NOTE_USE,
        SESSION_OF,
        OWNER,
        HOLD,
        UNENDED,
        OWNER_OF_UNENDED,
        DATE,
    ]
    .into_iter()
    .chain(FLUSH_SESSIONS)
    .map(str::to_owned)
    .chain([show_one(), show_live(is_live), live_but_one(is_live)])
    .chain([unended("?"), set_ended("?"), HEADS_OF.replace("{}", "?")])
    .collect()
}
