//! The statements that will be run, each prepared by the server.

use super::Check;
use crate::postgres::rotations::DATE;
use crate::postgres::schema::Checked;
use crate::postgres::statements::{self, BLACKLIST, IS_BLACKLISTED, IS_REGISTERED, NEWEST, Sql};
use crate::postgres::tokens::PgResult;
use crate::postgres::{feed, flush, keys, lookup, rows, throttle};
use crate::sql::check::{Lines, Uses, of_users, refused};
use crate::sql::table::UserTable;

impl Check<'_> {
    /// Has the server prepare each statement.
    pub(super) async fn statements(
        &mut self,
        users: &UserTable,
        checked: Option<Checked>,
    ) -> PgResult<()> {
        let Some(checked) = checked else { return Ok(()) };
        let mut statements = Vec::new();
        if self.uses.signing_keys {
            let used =
                keys::STATEMENTS.into_iter().filter(|(_, is_purge)| self.uses.purge || !is_purge);
            statements.extend(used.map(|(sql, _)| sql.to_owned()));
        }
        if self.uses.throttle {
            let used = throttle::STATEMENTS.into_iter();
            let used = used.filter(|(_, is_purge)| self.uses.purge || !is_purge);
            statements.extend(used.map(|(sql, _)| sql.to_owned()));
        }
        if self.uses.tokens {
            statements.extend(every(&Sql::new(users, checked.user_id.clone()), self.uses));
        }
        match crate::postgres::users::statements(users, checked, self.uses) {
            Ok(theirs) => statements.extend(theirs),
            Err(error) => self.problems.push(of_users(&users.table, &error, &Lines::Postgres)),
        }
        let mut refusals = Vec::new();
        for sql in statements {
            match self.client.prepare(&sql).await {
                Ok(_) => {}
                Err(error) => match error.as_db_error() {
                    Some(cause) => {
                        refusals.extend(refused(&self.problems, &sql, cause.message()));
                    }
                    None => return Err(error),
                },
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
        record,
        rotations,
        open,
        blacklist_all,
        blacklist_others,
        blacklist_sessions,
    } = sql;
    let [plain, in_session, opening] = rotations.every();
    let mut statements: Vec<String> =
        [BLACKLIST, IS_REGISTERED, NEWEST, record, blacklist_all, plain]
            .map(str::to_owned)
            .to_vec();
    statements.push(statements::ping());
    statements.push(lookup::statement(IS_BLACKLISTED));
    if uses.purge {
        statements.extend(flush::statements());
    }
    if uses.sessions {
        let own = [open, blacklist_others, blacklist_sessions, in_session, opening];
        statements.extend(own.map(str::to_owned));
        statements.push(statements::ping_sessions());
        statements.push(DATE.to_owned());
        statements.extend(feed::statements().map(str::to_owned));
        let theirs = statements::statements().into_iter();
        statements
            .extend(theirs.filter(|(_, is_purge)| uses.purge || !is_purge).map(|(sql, _)| sql));
    }
    if uses.session_rows {
        let rows = rows::statements().into_iter();
        statements.extend(rows.filter(|(_, is_purge)| uses.purge || !is_purge).map(|(sql, _)| sql));
    }
    statements
}
