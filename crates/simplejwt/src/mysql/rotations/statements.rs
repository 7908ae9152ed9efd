//! The statements that rotate.

use super::literals;
use crate::mysql::schema::Collation;
use crate::sql::table::{UserTable, backticked};

/// Those that depend on the users' table and on the collations. `{}` is the place of a list.
pub(in crate::mysql) struct Statements {
    /// Finds and locks registered tokens, except those that others have locked.
    tokens: String,
    /// Finds users' primary keys by their ids.
    users: String,
    /// The same, and keeps the users from being deleted; except those that others have locked.
    held_users: String,
    /// Finds registered tokens, locked or not.
    registered: String,
    /// The collation of the ids of registered tokens, unless it is that of the tables of sessions.
    jti: Option<Collation>,
    /// `true` if users are found by their primary key.
    pub(super) is_key: bool,
}

/// The states of tokens in sessions. The range is short, whatever the tables' sizes.
pub(super) const STATES: &str = "\
    SELECT t.jti, t.session_id, s.ended_at, s.created_at, t.used_at, s.password, EXISTS (\
    SELECT 1 FROM simplejwt_session_token AS c WHERE c.parent_jti = t.jti) \
    FROM simplejwt_session_token AS t \
    STRAIGHT_JOIN simplejwt_session AS s ON s.id = t.session_id WHERE t.jti IN ({})";
pub(super) const SESSIONS: &str = "SELECT id FROM simplejwt_session WHERE id IN ({})";
// A duplicate key is an error here, which leaves the COMMIT behind it undone.
pub(super) const OPEN: &str = "\
    INSERT INTO simplejwt_session \
    (id, user_id, created_at, expires_at, password, address, user_agent) VALUES ";
pub(super) const JOIN: &str = "\
    INSERT INTO simplejwt_session_token \
    (jti, session_id, parent_jti, access_jti, created_at, used_at, expires_at, address) VALUES ";
pub(super) const SPEND: &str = "\
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) VALUES ";
pub(super) const REGISTER_ALL: &str = "\
    INSERT INTO token_blacklist_outstandingtoken \
    (token, created_at, expires_at, user_id, jti) VALUES ";

impl Statements {
    /// `jti` is the collation of Django's column, `exact` that of ours.
    pub(in crate::mysql) fn new(users: &UserTable, jti: &Collation, exact: &str) -> Self {
        let (key, id) = (backticked(&users.primary_key), backticked(users.user_id_column()));
        let (table, password) = (backticked(&users.table), backticked(&users.password));
        let inherits = users.and_inherits("u", backticked, backticked);
        // With a column that is in no index, the row itself is locked, as a foreign key does it.
        let found = format!(
            "SELECT u.{key}, u.{id}, u.{password} IS NULL FROM {table} AS u \
             WHERE u.{id} IN ({{}}){inherits}"
        );
        // MariaDB and MySQL spell it differently; each has a collation of its own.
        let held = match exact {
            "utf8mb4_0900_bin" => "FOR SHARE SKIP LOCKED",
            _ => "LOCK IN SHARE MODE SKIP LOCKED",
        };
        let registered = "SELECT o.id, o.jti, EXISTS (\
             SELECT 1 FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id) \
             FROM token_blacklist_outstandingtoken AS o WHERE o.jti IN ({})";
        Self {
            tokens: format!("{registered} FOR UPDATE SKIP LOCKED"),
            held_users: format!("{found} {held}"),
            users: found,
            registered: registered.to_owned(),
            jti: (jti.name != exact).then(|| jti.clone()),
            is_key: users.user_id_column() == users.primary_key,
        }
    }

    /// Returns all statements, for one token each.
    pub(in crate::mysql) fn every(&self, with_sessions: bool) -> Vec<String> {
        let Self { tokens, users, held_users, registered, jti: _, is_key: _ } = self;
        let lists = [tokens, users, held_users, registered].map(|sql| sql.replace("{}", "?"));
        let rows = |insert: &str, columns: usize| {
            let marks = vec!["?".to_owned(); columns];
            format!("{insert}{}", literals::row(&marks))
        };
        let mut every = lists.to_vec();
        every.extend([rows(SPEND, 2), rows(REGISTER_ALL, 5)]);
        if with_sessions {
            every.extend([STATES, SESSIONS].map(|sql| sql.replace("{}", "?")));
            every.extend([rows(OPEN, 7), rows(JOIN, 8)]);
        }
        every
    }

    /// Returns the statement that finds and locks these registered tokens.
    pub(super) fn tokens<'a>(&self, jtis: impl Iterator<Item = &'a str>) -> String {
        self.tokens.replace("{}", &self.jtis(jtis))
    }

    /// Returns the statement that finds these registered tokens.
    pub(super) fn registered<'a>(&self, jtis: impl Iterator<Item = &'a str>) -> String {
        self.registered.replace("{}", &self.jtis(jtis))
    }

    /// Returns the statement that finds these users, by their ids as literals.
    pub(super) fn users(&self, ids: &str) -> String {
        self.users.replace("{}", ids)
    }

    /// Returns the statement that finds and holds these users.
    pub(super) fn held_users(&self, ids: &str) -> String {
        self.held_users.replace("{}", ids)
    }

    /// Lists ids in the collation of the column, by whose index they are found. It may consider
    /// others equal: the caller compares.
    fn jtis<'a>(&self, jtis: impl Iterator<Item = &'a str>) -> String {
        literals::list(jtis.map(|jti| {
            let literal = literals::text(jti);
            match &self.jti {
                None => literal,
                Some(Collation { charset, name }) => {
                    format!("CONVERT({literal} USING {charset}) COLLATE {name}")
                }
            }
        }))
    }
}
