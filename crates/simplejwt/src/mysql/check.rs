//! Everything that is wrong in a MySQL or MariaDB database.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row, params};

use super::database::{Failure, attempt, column};
use super::schema::{self, described};
use super::statements::{self, Sql};
use super::{MysqlDatabase, feed, flush};
use crate::clock::{Clock as _, SystemClock};
use crate::error::StoreError;
use crate::sql::check::{
    Access, FoundTable, Lines, Needed, Problem, Problems, Relation, Severity, Uses, judge, needed,
    of_the_clock, of_users, refused, rights, trial,
};
use crate::sql::column::{Dialect, UserColumns};
use crate::sql::schema::{OUTSTANDING, SchemaError, Table, found_by};
use crate::sql::table::{UserTable, backticked};

const RELATION: &str = "\
    SELECT TABLE_TYPE, coalesce(ENGINE, '') FROM information_schema.TABLES \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table";
const INDEXES: &str = "\
    SELECT s.COLUMN_NAME, s.INDEX_NAME, s.NON_UNIQUE = 0, s.SEQ_IN_INDEX, s.SUB_PART IS NOT NULL, \
    (SELECT COUNT(*) FROM information_schema.STATISTICS AS o WHERE o.TABLE_SCHEMA = DATABASE() \
    AND o.TABLE_NAME = s.TABLE_NAME AND o.INDEX_NAME = s.INDEX_NAME) \
    FROM information_schema.STATISTICS AS s \
    WHERE s.TABLE_SCHEMA = DATABASE() AND s.TABLE_NAME = :table";
const REFERS: &str = "\
    SELECT COLUMN_NAME, REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table AND REFERENCED_TABLE_NAME IS NOT NULL";
const SERVER: &str = "\
    SELECT CURRENT_USER(), DATABASE(), @@read_only, @@max_connections, @@max_user_connections, \
    CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED), @@innodb_flush_log_at_trx_commit";
const HAS_SEQUENCE: &str = "SELECT 1 FROM simplejwt_sequence WHERE name = 'revocation'";

/// What is wrong in the database, for these users and uses; nothing where every request will find
/// what it needs. What it tries to write is undone.
///
/// # Errors
/// The database can't be asked.
pub async fn check(
    database: &MysqlDatabase,
    users: &UserTable,
    uses: &Uses,
) -> Result<Problems, StoreError> {
    let pool = database.max_connections();
    let found = attempt!(database.attempts("check"), |conn| async {
        let check = Check {
            lines: Lines::Mysql { exact: schema::exact_collation(conn).await? },
            uses,
            problems: Vec::new(),
            account: String::new(),
            database: String::new(),
            is_read_only: false,
        };
        check.run(conn, users, pool).await
    })?;
    Ok(Problems::new(found))
}

struct Check<'a> {
    lines: Lines,
    uses: &'a Uses,
    problems: Vec<Problem>,
    /// As GRANT spells it.
    account: String,
    database: String,
    is_read_only: bool,
}

/// What the server made of a statement.
enum Tried {
    Done,
    Denied,
    /// It takes no writes.
    ReadOnly,
    Failed,
}

impl Check<'_> {
    async fn run(
        mut self,
        conn: &mut Conn,
        users: &UserTable,
        pool: usize,
    ) -> Result<Vec<Problem>, Failure> {
        self.server(conn, pool).await?;
        conn.query_drop("START TRANSACTION").await?;
        let users = &schema::resolved(conn, users).await?;
        let checked = self.users(conn, users).await?;
        let has_users = found(conn, &users.table).await?.0.relation != Relation::Missing;
        for needed in needed(self.uses) {
            let (found, engine) = found(conn, needed.name).await?;
            let denied = self.trials(conn, needed).await?;
            // Without a right on them, columns aren't shown.
            let is_whole = needed
                .columns
                .iter()
                .all(|column| schema::find(&found.table.columns, column.name).is_some());
            if denied && !is_whole {
                continue;
            }
            self.problems.extend(judge(needed, &found, &self.lines));
            if found.relation != Relation::Table {
                continue;
            }
            self.engine(needed.name, &engine);
            if needed.name == OUTSTANDING && has_users {
                self.owners(conn, users, &found, checked.as_ref()).await?;
            }
            if !needed.is_djangos {
                self.collations(conn, needed).await?;
            }
            if needed.name == "simplejwt_sequence" {
                self.sequence(conn).await?;
            }
        }
        if self.is_read_only {
            self.problems.push(Problem::general(
                Severity::Passing,
                "the server takes no writes (read_only is set, or it is a replica)",
                "name the primary in the URL, or all of them with commas: the first that takes \
                 writes is used",
            ));
        }
        self.statements(conn, users, checked).await?;
        conn.query_drop("ROLLBACK").await?;
        Ok(self.problems)
    }

    /// The server as a whole.
    async fn server(&mut self, conn: &mut Conn, pool: usize) -> Result<(), Failure> {
        let row: Option<Row> = conn.query_first(SERVER).await?;
        let asked = SystemClock.now().as_micros();
        let row = row.ok_or(Failure::Shape)?;
        let account: String = column(&row, 0)?;
        self.account = spelt(&account);
        self.database = column(&row, 1)?;
        self.is_read_only = column::<i64>(&row, 2)? != 0;
        for (at, name) in [(3, "max_connections"), (4, "max_user_connections")] {
            let limit: u64 = column(&row, at)?;
            if limit > 0 && limit < pool as u64 {
                self.problems.push(Problem::general(
                    Severity::Warning,
                    format!("{name} of the server is {limit}, and each process may open {pool}"),
                    format!("set max_connections = {limit} in [database], or less for several"),
                ));
            }
        }
        self.problems.extend(of_the_clock(column(&row, 5)?, asked));
        if column::<i64>(&row, 6)? != 1 {
            self.problems.push(Problem::general(
                Severity::Warning,
                "innodb_flush_log_at_trx_commit isn't 1: a crash of the server can bring spent \
                 tokens to life",
                "set innodb_flush_log_at_trx_commit = 1",
            ));
        }
        Ok(())
    }

    async fn tried(&mut self, conn: &mut Conn, sql: &str) -> Result<Tried, Failure> {
        match conn.query_drop(sql).await {
            Ok(()) => Ok(Tried::Done),
            Err(Error::Server(error)) => Ok(match error.code {
                1044 | 1142 | 1143 | 1227 => Tried::Denied,
                1290 | 1792 | 1836 => Tried::ReadOnly,
                _ => Tried::Failed,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Tries everything that is done with a table; whether something may not be.
    async fn trials(&mut self, conn: &mut Conn, needed: &Needed) -> Result<bool, Failure> {
        let mut any = false;
        for (access, is_purge) in rights(needed.name, self.uses, true) {
            let sql = needed.trial(access, &self.lines.clone());
            any |= self.tried_on(conn, needed.name, access, &sql, None, is_purge).await?;
        }
        Ok(any)
    }

    /// Whether it may not be done.
    async fn tried_on(
        &mut self,
        conn: &mut Conn,
        table: &str,
        access: Access,
        sql: &str,
        columns: Option<&[&str]>,
        is_optional: bool,
    ) -> Result<bool, Failure> {
        match self.tried(conn, sql).await? {
            Tried::Done | Tried::Failed => return Ok(false),
            Tried::ReadOnly => {
                self.is_read_only = true;
                return Ok(false);
            }
            Tried::Denied => {}
        }
        let word = access.word();
        let of = match columns {
            None => word.to_owned(),
            Some(columns) => {
                let names: Vec<_> = columns.iter().map(|name| backticked(name)).collect();
                format!("{word} ({})", names.join(", "))
            }
        };
        let mut what = format!("the account {} may not {of} on \"{table}\"", self.account);
        let line = format!(
            "GRANT {of} ON {}.{} TO {};",
            backticked(&self.database),
            backticked(table),
            self.account
        );
        what.push_str(match (is_optional, access) {
            (false, _) => "",
            (true, Access::Delete) => ", and what has expired stays",
            (true, _) => ", and outdated password hashes stay",
        });
        self.problems.push(match is_optional {
            true => Problem::warning(table, what, line),
            false => Problem::error(table, what, line),
        });
        Ok(true)
    }

    fn engine(&mut self, table: &str, engine: &str) {
        if !engine.eq_ignore_ascii_case("InnoDB") {
            let what = format!("the table \"{table}\" is kept by {engine}, without transactions");
            let line = format!("ALTER TABLE {} ENGINE = InnoDB;", backticked(table));
            self.problems.push(Problem::error(table, what, line));
        }
    }

    /// Texts of our own are compared by their bytes.
    async fn collations(&mut self, conn: &mut Conn, needed: &Needed) -> Result<(), Failure> {
        for (found, collation) in described(conn, needed.name).await? {
            let Some(collation) = collation else { continue };
            let Some(column) =
                needed.columns.iter().find(|one| one.name.eq_ignore_ascii_case(&found.name))
            else {
                continue;
            };
            if collation.charset != "utf8mb4" || !collation.name.ends_with("_bin") {
                let what = format!(
                    "the column \"{}\" of the table \"{}\" has the collation {}, which doesn't \
                     compare by bytes",
                    found.name, needed.name, collation.name
                );
                let line = self.lines.retype(needed, column, &found.declared);
                self.problems.push(Problem::error(needed.name, what, line));
            }
        }
        Ok(())
    }

    async fn sequence(&mut self, conn: &mut Conn) -> Result<(), Failure> {
        match conn.query_first::<Row, _>(HAS_SEQUENCE).await {
            Ok(Some(_)) | Err(Error::Server(_)) => {}
            Ok(None) => {
                let what = "the table \"simplejwt_sequence\" has no row named revocation";
                let line = self.lines.sequence();
                self.problems.push(Problem::error("simplejwt_sequence", what, line));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// What the users' table is, where it can be used.
    async fn users(
        &mut self,
        conn: &mut Conn,
        users: &UserTable,
    ) -> Result<Option<UserColumns>, Failure> {
        let name = users.table.as_str();
        if let Err(error) = users.validate() {
            self.problems.push(of_users(name, &error.into(), &self.lines));
            return Ok(None);
        }
        let every: Vec<&str> = {
            let own = users.every_column().filter(|column| !users.is_childs(column));
            let mut every: Vec<&str> = own.collect();
            every.sort_unstable();
            every.dedup();
            every
        };
        let (found, engine) = found(conn, name).await?;
        // Of a table on which it has no right at all, nothing is shown.
        let is_hidden = found.relation == Relation::Missing;
        let is_shown = |name: &&str| schema::find(&found.table.columns, name).is_some();
        let there = every;
        let updated = |column: Option<&'_ str>, is_used: bool| {
            column.filter(|name| is_used && there.contains(name)).map(str::to_owned)
        };
        let read = there.iter().map(|name| (*name).to_owned()).collect();
        let mut wanted: Vec<(Access, Vec<String>, bool)> = vec![(Access::Select, read, false)];
        if let Some(column) = updated(users.last_login.as_deref(), self.uses.last_login) {
            wanted.push((Access::Update, vec![column], false));
        }
        // A login goes on without.
        if let Some(column) = updated(Some(&users.password), self.uses.rehash) {
            wanted.push((Access::Update, vec![column], true));
        }
        let mut denied = false;
        for (access, columns, is_optional) in wanted {
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let sql = trial(&backticked(name), access, &columns, &self.lines);
            let columns = Some(columns.as_slice());
            denied |= self.tried_on(conn, name, access, &sql, columns, is_optional).await?;
        }
        if is_hidden {
            if !denied {
                let error = schema::check_users(conn, users).await.err();
                let problem = error.map(|error| of_users(name, &error, &self.lines));
                self.problems.extend(problem);
            }
            return Ok(None);
        }
        if found.relation == Relation::Table && !engine.eq_ignore_ascii_case("InnoDB") {
            let what = format!("the table \"{name}\" is kept by {engine}, without transactions");
            let line = format!("ALTER TABLE {} ENGINE = InnoDB;", backticked(name));
            self.problems.push(Problem::warning(name, what, line));
        }
        // Without a right on them, columns aren't shown.
        if denied && !there.iter().all(is_shown) {
            return Ok(None);
        }
        let shown = schema::columns_of(conn, users).await?;
        let mut errors = UserColumns::every_error(users, &shown, Dialect::Strict);
        if let Some(parent) = found.table.parent()
            && errors.iter().any(|error| matches!(error, SchemaError::MissingColumn { .. }))
        {
            let (child, parent) = (name.to_owned(), parent.to_owned());
            errors = vec![SchemaError::InheritedUsers { child, parent }];
        }
        let is_there = |name: &str| schema::find(&found.table.columns, name).is_some();
        for by in found_by(users).iter().filter(|by| is_there(by.0)) {
            match schema::check_unique(conn, users, &[*by]).await {
                Ok(()) | Err(SchemaError::Database(_)) => {}
                Err(error) => errors.push(error),
            }
        }
        let problems = errors.iter().map(|error| of_users(name, error, &self.lines));
        self.problems.extend(problems.collect::<Vec<_>>());
        match errors.is_empty() {
            true => Ok(schema::check_users(conn, users).await.ok()),
            false => Ok(None),
        }
    }

    /// Whose tokens they are.
    async fn owners(
        &mut self,
        conn: &mut Conn,
        users: &UserTable,
        found: &FoundTable,
        columns: Option<&UserColumns>,
    ) -> Result<(), Failure> {
        let error = match schema::check_outstanding(conn, users).await {
            Err(error @ (SchemaError::OtherUsers { .. } | SchemaError::InheritedUsers { .. })) => {
                Some(error)
            }
            Ok(()) => columns.and_then(|columns| {
                let user_id = schema::find(&found.table.columns, "user_id");
                columns.check_reference(users, user_id, Dialect::Strict).err()
            }),
            // Told by its columns.
            Err(_) => None,
        };
        let problem = error.map(|error| of_users(OUTSTANDING, &error, &self.lines));
        self.problems.extend(problem);
        Ok(())
    }

    /// Has each statement prepared.
    async fn statements(
        &mut self,
        conn: &mut Conn,
        users: &UserTable,
        checked: Option<UserColumns>,
    ) -> Result<(), Failure> {
        let Some(checked) = checked else { return Ok(()) };
        let mut statements = crate::mysql::users::statements(users, checked.clone(), self.uses);
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
                // Told by the trials.
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

/// The server's description of a table, and its engine.
async fn found(conn: &mut Conn, name: &str) -> Result<(FoundTable, String), Failure> {
    let row: Option<Row> = conn.exec_first(RELATION, params! { "table" => name }).await?;
    let Some(row) = row else { return Ok((FoundTable::default(), String::new())) };
    let (kind, engine): (String, String) = (column(&row, 0)?, column(&row, 1)?);
    let relation = match kind.as_str() {
        "BASE TABLE" => Relation::Table,
        "VIEW" => Relation::Other("a view"),
        _ => Relation::Other("no table of the database's"),
    };
    let columns = schema::columns(conn, name).await?;
    let mut table = Table { columns, ..Table::default() };
    let (mut nearly_unique, mut indexed) = (BTreeMap::new(), Vec::new());
    let rows: Vec<Row> = conn.exec(INDEXES, params! { "table" => name }).await?;
    for row in &rows {
        // An expression has no column.
        let Some(of) = column::<Option<String>>(row, 0)? else { continue };
        let index: String = column(row, 1)?;
        let (is_unique, place): (bool, u64) = (column(row, 2)?, column(row, 3)?);
        let (is_prefix, count): (bool, u64) = (column(row, 4)?, column(row, 5)?);
        if place == 1 {
            indexed.push(of.clone());
        }
        match (is_unique, count, is_prefix) {
            (true, 1, false) => table.unique.push(of),
            (true, 1, true) => {
                nearly_unique.insert(of, format!("{index} is on its first characters"));
            }
            (true, ..) => {
                nearly_unique.insert(of, format!("{index} is on several columns"));
            }
            (false, ..) => {}
        }
    }
    let rows: Vec<Row> = conn.exec(REFERS, params! { "table" => name }).await?;
    for row in &rows {
        table.refers.push((column(row, 0)?, column(row, 1)?));
    }
    Ok((FoundTable { relation, table, nearly_unique, indexed }, engine))
}

/// Each statement over the tables of tokens and sessions.
fn every(sql: &Sql, uses: &Uses) -> Vec<String> {
    let Sql {
        user_id: _,
        insert,
        is_registered,
        unlisted,
        is_blacklisted,
        theirs,
        others,
        succeed,
        state,
        successor,
        is_spent,
        is_live,
        of_sessions,
    } = sql;
    let mut statements: Vec<String> =
        [insert, is_registered, unlisted, is_blacklisted, theirs, statements::BLACKLIST]
            .map(str::to_owned)
            .to_vec();
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
    statements
}

/// An account as GRANT spells it.
pub(super) fn spelt(account: &str) -> String {
    let (name, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    format!("{}@{}", quoted(name), quoted(host))
}
