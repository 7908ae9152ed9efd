//! The statements over the tables of tokens and sessions, except for rotations.

use super::schema::KeyType;
use super::{lookup, rotations};
use crate::sql::check::{Lines, Uses, trials};
use crate::sql::table::{UserTable, quoted, relation};

/// The statements that contain names of the users' table.
pub(super) struct Sql {
    pub(super) user_id: KeyType,
    pub(super) record: String,
    pub(super) rotations: rotations::Statements,
    pub(super) open: String,
    pub(super) blacklist_all: String,
    pub(super) blacklist_others: String,
    pub(super) blacklist_sessions: String,
}

// The unique keys decide. NOT EXISTS only saves the cost of a conflict: an id of the sequence, and
// so a write to the log.
pub(super) const BLACKLIST: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
    SELECT $1, o.id FROM token_blacklist_outstandingtoken AS o WHERE o.jti = $2 \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
    ON CONFLICT (token_id) DO NOTHING";
pub(super) const IS_BLACKLISTED: &str = "\
    SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = asked.key";
pub(super) const IS_REGISTERED: &str =
    "SELECT 1 FROM token_blacklist_outstandingtoken WHERE jti = $1";
pub(super) const NEWEST: &str = "\
    SELECT jti, token, created_at, expires_at FROM token_blacklist_outstandingtoken \
    WHERE isfinite(created_at) AND isfinite(expires_at) ORDER BY id DESC LIMIT $1";
/// Tries the accesses to these tables, and then runs `last`.
pub(super) fn trying(uses: &Uses, last: &str) -> String {
    let trials: String = trials(uses, &Lines::Postgres)
        .iter()
        .enumerate()
        .map(|(at, trial)| match trial.starts_with("SELECT") {
            true => format!("t{at} AS ({trial}), "),
            false => format!("t{at} AS ({trial} RETURNING 1), "),
        })
        .collect();
    format!("WITH {trials}last AS ({last}) SELECT 1 FROM last")
}

/// Draws a transaction id, which a read-only server refuses.
pub(super) fn ping() -> String {
    trying(&Uses { tokens: true, ..Uses::default() }, "SELECT txid_current()")
}

/// Blacklists the tokens that it finds; selects how many it found, and how many of them it
/// blacklisted. To be repeated until it finds none: a rotation that it had to wait for has a
/// successor.
pub(super) fn blacklist_each(tokens: &str) -> String {
    format!(
        "WITH tokens AS ({tokens} ORDER BY o.id), \
         added AS (INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
         SELECT $1, id FROM tokens ON CONFLICT (token_id) DO NOTHING RETURNING 1) \
         SELECT (SELECT count(*) FROM tokens), (SELECT count(*) FROM added)"
    )
}

impl Sql {
    pub(super) fn new(users: &UserTable, user_id: KeyType) -> Self {
        let key = |parameter: &str| {
            // If several users have the same value, none of them is meant.
            let (key, table) = (quoted(&users.primary_key), relation(&users.table));
            let id = quoted(users.user_id_column());
            let inherits = users.and_inherits(&table, quoted, relation);
            let same = format!("{id} = CAST({parameter}::text AS {}){inherits}", user_id.cast);
            if users.user_id_column() == users.primary_key {
                return format!("(SELECT {key} FROM {table} WHERE {same} LIMIT 1)");
            }
            format!(
                "(SELECT {key} FROM {table} WHERE {same} \
                 AND (SELECT count(*) FROM {table} WHERE {same}) = 1 LIMIT 1)"
            )
        };
        const REGISTER: &str = "INSERT INTO token_blacklist_outstandingtoken \
             (token, created_at, expires_at, user_id, jti)";
        let not_blacklisted = "NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b \
             WHERE b.token_id = o.id)";
        let theirs = format!(
            "SELECT o.id FROM token_blacklist_outstandingtoken AS o \
             WHERE o.user_id = {} AND {not_blacklisted}",
            key("$2")
        );
        Self {
            record: format!(
                "{REGISTER} VALUES ($1, $2, $3, {}, $5) ON CONFLICT (jti) DO NOTHING",
                key("$4")
            ),
            rotations: rotations::Statements::new(key),
            open: format!(
                "WITH session AS (INSERT INTO simplejwt_session \
                 (id, user_id, created_at, expires_at, password, address, user_agent) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING), \
                 token AS ({REGISTER} VALUES ($8, $9, $10, {}, $12) \
                 ON CONFLICT (jti) DO NOTHING) \
                 INSERT INTO simplejwt_session_token \
                 (jti, session_id, created_at, used_at, expires_at, address) \
                 VALUES ($12, $1, $3, $3, $4, $6) ON CONFLICT (jti) DO NOTHING",
                key("$11")
            ),
            blacklist_others: blacklist_each(&format!(
                "{theirs} AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
                 WHERE t.jti = o.jti AND t.session_id = $3)"
            )),
            blacklist_all: blacklist_each(&theirs),
            blacklist_sessions: blacklist_each(&format!(
                "SELECT o.id FROM token_blacklist_outstandingtoken AS o \
                 JOIN simplejwt_session_token AS t ON t.jti = o.jti \
                 WHERE t.session_id = ANY ($2::text[]) AND {not_blacklisted}"
            )),
            user_id,
        }
    }
}

pub(super) const INSERT_SESSION: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
/// Selects whether the session has ended, and its user; keeps it from being ended until the end of
/// the transaction.
pub(super) const HOLD: &str = "\
    SELECT ended_at IS NOT NULL, user_id FROM simplejwt_session WHERE id = $1 FOR SHARE";
pub(super) const OWNER: &str = "SELECT user_id FROM simplejwt_session WHERE id = $1";
pub(super) const JOIN_SESSION: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, created_at, used_at, expires_at, address) \
    VALUES ($1, $2, $3, $3, $4, $5) ON CONFLICT (jti) DO NOTHING";
pub(super) const STATE: &str = "\
    SELECT t.session_id, s.ended_at IS NOT NULL, s.created_at, t.used_at, s.password, \
    o.id IS NOT NULL, b.blacklisted_at, EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    LEFT JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
    LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE t.jti = $1";
pub(super) const SUCCESSOR: &str = "\
    SELECT c.jti, c.access_jti, c.created_at, c.address, c.used_at, \
    EXISTS (SELECT 1 FROM simplejwt_session_token AS g WHERE g.parent_jti = c.jti), \
    c.expires_at > $2 AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = c.jti) \
    FROM simplejwt_session_token AS c WHERE c.parent_jti = $1";
pub(super) const NOTE_USE: &str = "\
    UPDATE simplejwt_session_token SET used_at = $2, address = $3 WHERE jti = $1 AND used_at < $4";
pub(super) const SHOW: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, s.user_agent, \
    coalesce(n.used_at, s.created_at) AS refreshed_at, coalesce(n.expires_at, s.expires_at), \
    coalesce(n.address, s.address) FROM simplejwt_session AS s LEFT JOIN LATERAL (\
    SELECT used_at, max(expires_at) OVER () AS expires_at, address \
    FROM simplejwt_session_token WHERE session_id = s.id ORDER BY used_at DESC LIMIT 1) AS n \
    ON true";
/// Reads three rows, however many tokens the session has had.
pub(super) const HEAD_OF: &str = "\
    SELECT s.id, s.user_id, s.created_at, s.ended_at, (\
    SELECT c.created_at FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) AS spent_at \
    FROM simplejwt_session_token AS t JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = asked.key";
/// Finds a row if the token is no longer valid, by the blacklist or by its session.
pub(super) const IS_SPENT: &str = "\
    SELECT 1 WHERE EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = asked.key) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = asked.key) \
    OR EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    JOIN simplejwt_session AS s ON s.id = t.session_id \
    WHERE t.jti = asked.key AND s.ended_at IS NOT NULL)";
/// A token of the session `s` can still be refreshed.
pub(super) const IS_LIVE: &str = "\
    s.ended_at IS NULL AND EXISTS (SELECT 1 FROM simplejwt_session_token AS t \
    WHERE t.session_id = s.id AND t.expires_at > $2 \
    AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    AND NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken AS o \
    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = t.jti))";
/// One at a time for each user.
pub(super) const LOCK_USER: &str = "\
    INSERT INTO simplejwt_user (user_id) VALUES ($1) \
    ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id";
pub(super) const END_SESSIONS: &str = "\
    UPDATE simplejwt_session SET ended_at = $2, end_reason = $3, \
    expires_at = greatest(expires_at, $4) WHERE ended_at IS NULL AND id IN (\
    SELECT id FROM simplejwt_session WHERE id = ANY ($1) ORDER BY id FOR UPDATE) RETURNING id";
pub(super) const UNENDED: &str = "\
    SELECT id FROM simplejwt_session WHERE user_id = $1 AND ended_at IS NULL \
    AND id IS DISTINCT FROM $2 ORDER BY id LIMIT $3";
pub(super) const UNENDED_ONE: &str = "\
    SELECT id FROM simplejwt_session WHERE id = $1 AND ended_at IS NULL \
    AND ($2::text IS NULL OR user_id = $2)";
pub(super) const REHASH: &str = "\
    UPDATE simplejwt_session SET password = $3 WHERE user_id = $1 AND password = $2";
pub(super) const FLUSH_TOKENS: &str = "\
    WITH due AS MATERIALIZED (SELECT jti, expires_at FROM simplejwt_session_token \
    WHERE expires_at <= $1 AND expires_at >= $3 \
    AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off' \
    ORDER BY expires_at LIMIT $2), \
    deleted AS (DELETE FROM simplejwt_session_token WHERE jti = ANY (ARRAY(SELECT jti FROM due))) \
    SELECT count(*), max(expires_at) FROM due";
/// Sessions that still have tokens are put off until those expire; otherwise each batch would meet
/// all of them again.
pub(super) const FLUSH_SESSIONS: [&str; 3] = [
    "UPDATE simplejwt_session AS s SET expires_at = (SELECT max(t.expires_at) \
     FROM simplejwt_session_token AS t WHERE t.session_id = s.id) WHERE s.id = ANY (ARRAY(\
     SELECT id FROM simplejwt_session WHERE expires_at <= $1 \
     AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off' \
     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) AND EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_session AS s WHERE s.id = ANY (ARRAY(\
     SELECT id FROM simplejwt_session WHERE expires_at <= $1 \
     AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off' \
     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) AND NOT EXISTS (\
     SELECT 1 FROM simplejwt_session_token AS t WHERE t.session_id = s.id)",
    "DELETE FROM simplejwt_revocation WHERE sequence = ANY (ARRAY(\
     SELECT sequence FROM simplejwt_revocation WHERE expires_at <= $1 \
     AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off' \
     ORDER BY expires_at LIMIT $2))",
];
pub(super) const LEASE: &str = "\
    INSERT INTO simplejwt_lease AS l (name, holder, expires_at) VALUES ($1, $2, $4) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
    WHERE l.holder = excluded.holder OR l.expires_at <= $3";

/// Selects a user's live sessions but one, in the order in which they were opened.
pub(super) fn live_but_one() -> String {
    format!(
        "SELECT s.id FROM simplejwt_session AS s WHERE s.user_id = $1 AND s.id <> $3 \
         AND {IS_LIVE} ORDER BY s.created_at, s.id"
    )
}

pub(super) fn show_one() -> String {
    format!("{SHOW} WHERE s.id = $1")
}

pub(super) fn show_live() -> String {
    format!("{SHOW} WHERE s.user_id = $1 AND {IS_LIVE} ORDER BY refreshed_at DESC, s.id")
}

/// Tries the accesses to the tables, and writes a row of the leases.
pub(super) fn ping_sessions() -> String {
    let lease = format!("{LEASE} RETURNING 1");
    trying(&Uses { sessions: true, ..Uses::default() }, &lease)
}

/// Returns all statements, each with `true` if only the purge runs it.
pub(super) fn statements() -> Vec<(String, bool)> {
    let always = [
        INSERT_SESSION,
        HOLD,
        OWNER,
        JOIN_SESSION,
        STATE,
        SUCCESSOR,
        NOTE_USE,
        LOCK_USER,
        END_SESSIONS,
        UNENDED,
        UNENDED_ONE,
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([REHASH, LEASE].map(str::to_owned))
    .chain([HEAD_OF, IS_SPENT].map(lookup::statement))
    .chain([live_but_one(), show_one(), show_live()]);
    let purge = [FLUSH_TOKENS].into_iter().chain(FLUSH_SESSIONS).map(str::to_owned);
    always.map(|sql| (sql, false)).chain(purge.map(|sql| (sql, true))).collect()
}
