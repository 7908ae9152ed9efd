//! The statements that will be run, each prepared by the server.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};

use super::Check;
use crate::mysql::database::Failure;
use crate::mysql::statements::{self, Sql};
use crate::mysql::{feed, flush, keys, rows, schema, throttle};
use crate::sql::check::{Lines, Uses, refused};
use crate::sql::column::UserColumns;
use crate::sql::schema::OUTSTANDING;
use crate::sql::table::UserTable;

impl Check<'_> {
    /// Has the server prepare each statement.
    pub(super) async fn statements(
        &mut self,
        conn: &mut Conn,
        users: &UserTable,
        checked: Option<UserColumns>,
    ) -> Result<(), Failure> {
        let Some(checked) = checked else { return Ok(()) };
        let mut statements = crate::mysql::users::statements(users, checked.clone(), self.uses);
        if self.uses.signing_keys {
            let used =
                keys::STATEMENTS.into_iter().filter(|(_, is_purge)| self.uses.purge || !is_purge);
            statements.extend(used.map(|(sql, _)| sql.to_owned()));
        }
        if self.uses.throttle {
            let used = throttle::statements().into_iter();
            let used = used.filter(|(_, is_purge)| self.uses.purge || !is_purge);
            statements.extend(used.map(|(sql, _)| sql));
        }
        let jti = schema::collation(conn, OUTSTANDING, "jti").await?;
        if let (Some(jti), Lines::Mysql { exact }) = (jti, &self.lines)
            && self.uses.tokens
        {
            statements.extend(every(&Sql::new(users, checked.user_id, &jti, exact), self.uses));
        }
        let mut refusals = Vec::new();
        for sql in statements {
            match conn.prep(sql.as_str()).await {
                Ok(statement) => conn.close(statement).await?,
                Err(Error::Server(error)) if matches!(error.code, 1290 | 1792 | 1836) => {}
                // The trials have reported it.
                Err(Error::Server(error)) if matches!(error.code, 1142 | 1143) => {}
                Err(Error::Server(error)) => {
                    refusals.extend(refused(&self.problems, &sql, &error.message));
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.problems.extend(refusals);
        Ok(())
    }
}

/// Returns all statements over the tables of tokens and sessions.
fn every(sql: &Sql, uses: &Uses) -> Vec<String> {
    let Sql {
        user_id: _,
        insert,
        is_registered,
        unlisted,
        is_blacklisted,
        are_blacklisted,
        jti_mark,
        theirs,
        others,
        succeed,
        state,
        successor,
        is_spent,
        is_live,
        of_sessions,
        rotations,
        known,
        moves,
    } = sql;
    let mut statements: Vec<String> =
        [insert, is_registered, unlisted, is_blacklisted, theirs, statements::BLACKLIST]
            .map(str::to_owned)
            .to_vec();
    statements.push(are_blacklisted.replace("{}", jti_mark));
    statements.extend(rotations.every(uses.sessions));
    if uses.purge {
        statements.extend(flush::statements());
    }
    if uses.sessions {
        let own = [others, succeed, state, successor, is_spent];
        statements.extend(own.map(String::clone));
        statements.push(of_sessions.replace("{}", "?"));
        statements.extend(feed::STATEMENTS.map(str::to_owned));
        statements.extend(statements::statements(is_live));
    }
    if uses.session_rows {
        let own = [known, &moves.leaves, &moves.count_tokens, &moves.others];
        statements.extend(own.map(String::clone));
        statements.extend(rows::statements());
    }
    statements
}
