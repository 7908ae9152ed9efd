//! The statements that rotate.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::rotating::{InSession, Opens, Rotating, Spent};
use crate::postgres::tokens::PgResult;

/// The statements, for tokens outside of sessions, in their session, and in none yet.
pub(in crate::postgres) struct Statements {
    plain: String,
    in_session: String,
    opening: String,
}

impl Statements {
    /// `key` is the user's primary key, looked up by a parameter's name.
    pub(in crate::postgres) fn new(key: impl Fn(&str) -> String) -> Self {
        const GIVEN: &str = "set_config('lock_timeout', \
             coalesce($1::text, current_setting('lock_timeout')), true), \
             unnest($2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], \
             $7::text[]";
        const IN_SESSION: &str = ", $8::text[], $9::bigint[], $10::bigint[], $11::text[], \
             $12::text[], $13::bigint[], $14::bigint[]";
        const COLUMNS: &str = "at, spent, token, expires_at, user_id, jti";
        const SESSION_COLUMNS: &str =
            ", access_jti, created_after, used_after, password, address, now, expires";
        const NOT_BLACKLISTED: &str = "NOT EXISTS (SELECT 1 \
             FROM token_blacklist_blacklistedtoken AS b WHERE b.token_id = o.id)";
        let (user, spent_user) = (key("done.user_id"), key("given.spent_user_id"));
        let statement = |arrays: &str, columns: &str, found: &str, link: &str, spent: &str| {
            format!(
                "WITH given AS MATERIALIZED (SELECT g.*, ({found} AND {NOT_BLACKLISTED}) AS id \
                 FROM {GIVEN}{arrays}) AS g ({COLUMNS}{columns})), \
                 spent AS (INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
                 SELECT at, id FROM given WHERE id IS NOT NULL ORDER BY id \
                 ON CONFLICT (token_id) DO NOTHING RETURNING token_id), \
                 done AS MATERIALIZED (SELECT given.* FROM spent JOIN given ON given.id = token_id), \
                 next AS (INSERT INTO token_blacklist_outstandingtoken \
                 (token, created_at, expires_at, user_id, jti) \
                 SELECT token, at, expires_at, {user}, jti FROM done){link} \
                 {spent}"
            )
        };
        Self {
            plain: statement(
                "",
                "",
                "SELECT o.id FROM token_blacklist_outstandingtoken AS o WHERE o.jti = g.spent",
                "",
                "SELECT spent, NULL::text FROM done",
            ),
            in_session: statement(
                IN_SESSION,
                SESSION_COLUMNS,
                "SELECT o.id FROM token_blacklist_outstandingtoken AS o \
                 JOIN simplejwt_session_token AS t ON t.jti = o.jti \
                 JOIN simplejwt_session AS s ON s.id = t.session_id \
                 WHERE o.jti = g.spent AND s.ended_at IS NULL \
                 AND s.created_at > g.created_after AND t.used_at > g.used_after \
                 AND (s.password IS NULL OR g.password IS NULL OR s.password = g.password) \
                 AND NOT EXISTS (SELECT 1 FROM simplejwt_session_token AS c \
                 WHERE c.parent_jti = g.spent)",
                ", link AS (INSERT INTO simplejwt_session_token (jti, session_id, parent_jti, \
                 access_jti, created_at, used_at, expires_at, address) \
                 SELECT jti, (SELECT t.session_id FROM simplejwt_session_token AS t \
                 WHERE t.jti = done.spent), spent, access_jti, now, now, expires, address \
                 FROM done RETURNING parent_jti, session_id)",
                "SELECT parent_jti, session_id FROM link",
            ),
            // Only for a token that is in no session and not blacklisted, and whose session nobody has
            // opened. Of several that would open the same one, one does. The others go one by one.
            opening: format!(
                "WITH given AS MATERIALIZED (SELECT DISTINCT ON (session_id) g.*, \
                 (SELECT o.id FROM token_blacklist_outstandingtoken AS o \
                 WHERE o.jti = g.spent) AS registered_id \
                 FROM {GIVEN}{IN_SESSION}, $15::text[], $16::text[], $17::text[], $18::text[], \
                 $19::text[], $20::timestamptz[], $21::timestamptz[], $22::bigint[]) \
                 AS g ({COLUMNS}{SESSION_COLUMNS}, session_id, session_user_id, user_agent, \
                 spent_token, spent_user_id, spent_created_at, spent_expires_at, kept_until) \
                 WHERE now > created_after AND now > used_after AND NOT EXISTS (\
                 SELECT 1 FROM simplejwt_session_token AS t WHERE t.jti = g.spent) \
                 ORDER BY session_id), \
                 opened AS (INSERT INTO simplejwt_session \
                 (id, user_id, created_at, expires_at, password, address, user_agent) \
                 SELECT session_id, session_user_id, now, kept_until, password, address, \
                 user_agent FROM given WHERE NOT EXISTS (\
                 SELECT 1 FROM token_blacklist_blacklistedtoken AS b \
                 WHERE b.token_id = registered_id) ORDER BY session_id \
                 ON CONFLICT (id) DO NOTHING RETURNING id AS opened_id), \
                 registered AS (INSERT INTO token_blacklist_outstandingtoken \
                 (token, created_at, expires_at, user_id, jti) \
                 SELECT spent_token, spent_created_at, spent_expires_at, {spent_user}, spent \
                 FROM given JOIN opened ON opened_id = session_id WHERE registered_id IS NULL \
                 ORDER BY spent ON CONFLICT (jti) DO NOTHING RETURNING id, jti), \
                 joined AS (INSERT INTO simplejwt_session_token \
                 (jti, session_id, created_at, used_at, expires_at, address) \
                 SELECT spent, session_id, now, now, kept_until, address \
                 FROM given JOIN opened ON opened_id = session_id ORDER BY spent \
                 ON CONFLICT (jti) DO NOTHING RETURNING jti), \
                 found AS MATERIALIZED (SELECT given.*, coalesce(registered_id, \
                 (SELECT r.id FROM registered AS r WHERE r.jti = given.spent)) AS id \
                 FROM joined JOIN given ON given.spent = joined.jti), \
                 spent AS (INSERT INTO token_blacklist_blacklistedtoken \
                 (blacklisted_at, token_id) \
                 SELECT at, id FROM found WHERE id IS NOT NULL ORDER BY id \
                 ON CONFLICT (token_id) DO NOTHING RETURNING token_id), \
                 done AS MATERIALIZED (SELECT found.* FROM spent JOIN found ON found.id = token_id), \
                 next AS (INSERT INTO token_blacklist_outstandingtoken \
                 (token, created_at, expires_at, user_id, jti) \
                 SELECT token, at, expires_at, {user}, jti FROM done), \
                 link AS (INSERT INTO simplejwt_session_token (jti, session_id, parent_jti, \
                 access_jti, created_at, used_at, expires_at, address) \
                 SELECT jti, session_id, spent, access_jti, now, now, expires, address \
                 FROM done RETURNING parent_jti, session_id) \
                 SELECT parent_jti, session_id FROM link"
            ),
        }
    }

    /// Returns all statements.
    pub(in crate::postgres) fn every(&self) -> [&str; 3] {
        let Self { plain, in_session, opening } = self;
        [plain, in_session, opening]
    }

    /// Rotates one token, waiting for it. Returns `None` if the token is unknown or was spent
    /// before, or its session doesn't meet the conditions.
    pub(in crate::postgres) async fn rotate(
        &self,
        client: &impl GenericClient,
        rotating: &Rotating,
    ) -> PgResult<Option<Spent>> {
        Ok(self.run(client, std::slice::from_ref(rotating), None).await?.pop())
    }

    /// Returns the tokens that were spent. All items are of one kind: outside of sessions, in sessions,
    /// or opening theirs.
    pub(super) async fn run(
        &self,
        client: &impl GenericClient,
        items: &[Rotating],
        lock_timeout: Option<&str>,
    ) -> PgResult<Vec<Spent>> {
        fn each<'a, T>(items: &'a [Rotating], of: impl Fn(&'a Rotating) -> T) -> Vec<T> {
            items.iter().map(of).collect()
        }
        let at = each(items, |item| item.at);
        let spent = each(items, |item| item.spent.jti.as_str());
        let token = each(items, |item| item.next.token.as_str());
        let expires_at = each(items, |item| item.expires_at);
        let user = each(items, |item| item.user.as_deref());
        let jti = each(items, |item| item.next.jti.as_str());
        let mut values: Vec<&(dyn ToSql + Sync)> =
            vec![&lock_timeout, &at, &spent, &token, &expires_at, &user, &jti];

        let sessions: Vec<&InSession> =
            items.iter().filter_map(|item| item.in_session.as_ref()).collect();
        let access_jti: Vec<_> = sessions.iter().map(|s| s.access_jti.as_str()).collect();
        let created_after: Vec<_> = sessions.iter().map(|s| s.created_after).collect();
        let used_after: Vec<_> = sessions.iter().map(|s| s.used_after).collect();
        let password: Vec<_> = sessions.iter().map(|s| s.password.as_deref()).collect();
        let address: Vec<_> = sessions.iter().map(|s| s.address.as_deref()).collect();
        let now: Vec<_> = sessions.iter().map(|s| s.at).collect();
        let expires: Vec<_> = sessions.iter().map(|s| s.expires_at).collect();
        let opens: Vec<&Opens> = items.iter().filter_map(|item| item.opens.as_ref()).collect();
        let session_id: Vec<_> = opens.iter().map(|o| o.session_id.as_str()).collect();
        let session_user: Vec<_> = opens.iter().map(|o| o.user_id.as_str()).collect();
        let user_agent: Vec<_> = opens.iter().map(|o| o.user_agent.as_deref()).collect();
        let spent_token = each(items, |item| item.spent.token.as_str());
        let spent_user: Vec<_> = opens.iter().map(|o| o.user.as_deref()).collect();
        let spent_created: Vec<_> = opens.iter().map(|o| o.created_at).collect();
        let spent_expires: Vec<_> = opens.iter().map(|o| o.expires_at).collect();
        let kept_until: Vec<_> = opens.iter().map(|o| o.kept_until).collect();
        let in_session: [&(dyn ToSql + Sync); 7] =
            [&access_jti, &created_after, &used_after, &password, &address, &now, &expires];
        let opening: [&(dyn ToSql + Sync); 8] = [
            &session_id,
            &session_user,
            &user_agent,
            &spent_token,
            &spent_user,
            &spent_created,
            &spent_expires,
            &kept_until,
        ];
        let sql = match (sessions.is_empty(), opens.is_empty()) {
            (true, _) => &self.plain,
            (false, true) => {
                values.extend(in_session);
                &self.in_session
            }
            (false, false) => {
                values.extend(in_session);
                values.extend(opening);
                &self.opening
            }
        };
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &values).await?;
        let spent = |row: &Row| Ok(Spent { jti: row.try_get(0)?, session_id: row.try_get(1)? });
        rows.iter().map(spent).collect()
    }
}
