//! Everything that is wrong in a PostgreSQL database.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Row};

use super::rotations::DATE;
use super::schema::{self, Checked};
use super::statements::{self, BLACKLIST, IS_BLACKLISTED, IS_REGISTERED, NEWEST, Sql};
use super::tokens::PgResult;
use super::{PostgresDatabase, feed, flush, lookup};
use crate::clock::{Clock as _, SystemClock};
use crate::error::StoreError;
use crate::sql::check::{
    Access, FoundTable, Lines, Problem, Problems, Relation, Severity, Uses, judge, needed,
    of_the_clock, of_users, refused, rights,
};
use crate::sql::column::{Dialect, UserColumns};
use crate::sql::schema::{BLACKLISTED, OUTSTANDING, SchemaError, found_by};
use crate::sql::table::{UserTable, relation};

const RELATION: &str = "\
    SELECT c.relkind::text, c.relpersistence::text, row_security_active(c.oid), \
    c.oid::regclass::text FROM pg_class AS c WHERE c.oid = to_regclass($1)";
/// Where else there is a table of this name, and whether its schema may be used.
const ELSEWHERE: &str = "\
    SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE'), quote_ident(n.nspname) \
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' \
    AND ($2::text IS NULL OR n.nspname = $2) ORDER BY 1";
const INDEXED: &str = "\
    SELECT DISTINCT a.attname::text FROM pg_index AS i \
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
    WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL";
const NEARLY_UNIQUE: &str = "\
    SELECT a.attname::text, i.indexrelid::regclass::text, i.indisvalid, i.indimmediate, \
    i.indpred IS NOT NULL, i.indnkeyatts FROM pg_index AS i \
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
    WHERE i.indrelid = to_regclass($1) AND i.indisunique";
/// Which of these rights the role hasn't, on a column or the whole table.
const DENIED: &str = "\
    SELECT r.n FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS r (privilege, name, n) \
    LEFT JOIN pg_attribute AS a ON a.attrelid = to_regclass($1) AND a.attname = r.name \
    AND NOT a.attisdropped \
    WHERE CASE WHEN r.name IS NULL THEN NOT has_table_privilege(to_regclass($1), r.privilege) \
    WHEN a.attnum IS NULL THEN false \
    ELSE NOT has_column_privilege(to_regclass($1), a.attnum, r.privilege) END ORDER BY r.n";
/// Sequences that defaults of the table draw from, and that the role may not. Identity columns need
/// no right.
const SEQUENCES: &str = "\
    SELECT s.oid::regclass::text FROM pg_attrdef AS d JOIN pg_depend AS p \
    ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid \
    AND p.refclassid = 'pg_class'::regclass \
    JOIN pg_class AS s ON s.oid = p.refobjid WHERE d.adrelid = to_regclass($1) \
    AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') \
    ELSE false END";
/// Commands of policies that let everything through.
const POLICIES: &str = "\
    SELECT count(*) FILTER (WHERE polpermissive AND polcmd = '*' \
    AND pg_get_expr(polqual, polrelid) = 'true' \
    AND coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true') > 0 \
    AND count(*) FILTER (WHERE NOT polpermissive) = 0 \
    FROM pg_policy WHERE polrelid = to_regclass($1)";
const SERVER: &str = "\
    SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
    current_setting('max_connections')::int \
    - current_setting('superuser_reserved_connections')::int, \
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), \
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()), \
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
    current_setting('fsync') = 'on', current_setting('synchronous_commit') <> 'off', \
    quote_ident(current_user), current_user::text, \
    array_to_string(current_schemas(false), ', ')";
const HAS_SEQUENCE: &str =
    "SELECT EXISTS (SELECT 1 FROM simplejwt_sequence WHERE name = 'revocation')";

/// What is wrong in the database, for these users and uses; nothing where every request will find
/// what it needs. Writes nothing.
///
/// # Errors
/// The database can't be asked.
pub async fn check(
    database: &PostgresDatabase,
    users: &UserTable,
    uses: &Uses,
) -> Result<Problems, StoreError> {
    let client = database.attempts("check").client().await?;
    let found = Check { client: &client, uses, problems: Vec::new(), role: Role::default() };
    let pool = database.max_connections();
    let failed = |error| super::database::store_error("check", error);
    found.run(users, pool).await.map(Problems::new).map_err(failed)
}

/// Who is connected.
#[derive(Default)]
struct Role {
    name: String,
    quoted: String,
    search_path: String,
}

struct Check<'a> {
    client: &'a Client,
    uses: &'a Uses,
    problems: Vec<Problem>,
    role: Role,
}

impl Check<'_> {
    async fn run(mut self, users: &UserTable, pool: usize) -> PgResult<Vec<Problem>> {
        self.server(pool).await?;
        if let Err(error) = users.validate() {
            self.problems.push(of_users(&users.table, &error.into(), &Lines::Postgres));
            return Ok(self.problems);
        }
        let users = &schema::resolved(self.client, users).await?;
        let (checked, has_users) = self.users(users).await?;
        for needed in needed(self.uses) {
            let found = self.found(needed.name).await?;
            if found.relation == Relation::Missing && self.elsewhere(needed.name, false).await? {
                continue;
            }
            self.problems.extend(judge(needed, &found, &Lines::Postgres));
            if found.relation == Relation::Missing {
                continue;
            }
            self.rights_on(needed.name, &{
                let of = |access, is_purge| {
                    let columns = needed.columns_of(access, false);
                    (access, columns.into_iter().map(str::to_owned).collect(), is_purge)
                };
                let rights = rights(needed.name, self.uses, false);
                rights
                    .into_iter()
                    .map(|(access, is_purge)| of(access, is_purge))
                    .collect::<Vec<_>>()
            })
            .await?;
            if needed.name == OUTSTANDING && has_users {
                self.owners(users, &found, checked.as_ref().map(|it| &it.columns)).await?;
            }
            if needed.name == "simplejwt_sequence" {
                self.sequence().await?;
            }
        }
        self.statements(users, checked).await?;
        Ok(self.problems)
    }

    /// The server as a whole.
    async fn server(&mut self, pool: usize) -> PgResult<()> {
        let row = self.client.query_one(SERVER, &[]).await?;
        let asked = SystemClock.now().as_micros();
        let (is_standby, reads_only): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
        self.role = Role {
            quoted: row.try_get(8)?,
            name: row.try_get(9)?,
            search_path: row.try_get::<_, Option<String>>(10)?.unwrap_or_default(),
        };
        if is_standby {
            self.problems.push(Problem::general(
                Severity::Passing,
                "the server is a standby, which takes no writes",
                "name the primary in the URL, or all of them with \
                 ?target_session_attrs=read-write",
            ));
        } else if reads_only {
            self.problems.push(Problem::general(
                Severity::Passing,
                "the server takes no writes (default_transaction_read_only is on)",
                format!("ALTER ROLE {} SET default_transaction_read_only = off;", self.role.quoted),
            ));
        }
        let limits: [(i32, &str); 3] = [
            (row.try_get(2)?, "max_connections of the server"),
            (row.try_get::<_, Option<i32>>(3)?.unwrap_or(-1), "the role's CONNECTION LIMIT"),
            (row.try_get::<_, Option<i32>>(4)?.unwrap_or(-1), "the database's CONNECTION LIMIT"),
        ];
        for (limit, name) in limits {
            if usize::try_from(limit).is_ok_and(|limit| limit < pool) {
                self.problems.push(Problem::general(
                    Severity::Warning,
                    format!("{name} leaves {limit} connections, and each process may open {pool}"),
                    format!("set max_connections = {limit} in [database], or less for several"),
                ));
            }
        }
        self.problems.extend(of_the_clock(row.try_get(5)?, asked));
        for (at, name) in [(6, "fsync"), (7, "synchronous_commit")] {
            if !row.try_get::<_, bool>(at)? {
                self.problems.push(Problem::general(
                    Severity::Warning,
                    format!("{name} is off: a crash of the server can bring spent tokens to life"),
                    format!("set {name} = on"),
                ));
            }
        }
        Ok(())
    }

    async fn found(&mut self, name: &str) -> PgResult<FoundTable> {
        let quoted = relation(name);
        let Some(row) = self.client.query_opt(RELATION, &[&quoted]).await? else {
            return Ok(FoundTable::default());
        };
        let (kind, persistence): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let shown: String = row.try_get(3)?;
        if persistence == "u" {
            let what =
                format!("the table \"{name}\" is unlogged: a crash of the server empties it");
            let line = format!("ALTER TABLE {shown} SET LOGGED;");
            self.problems.push(Problem::warning(name, what, line));
        }
        if row.try_get(2)? {
            self.row_security(name, &shown).await?;
        }
        let texts = |rows: Vec<Row>| rows.iter().map(|row| row.try_get(0)).collect::<PgResult<_>>();
        Ok(FoundTable {
            relation: match kind.as_str() {
                "r" | "p" => Relation::Table,
                "v" => Relation::Other("a view"),
                "m" => Relation::Other("a materialized view"),
                "f" => Relation::Other("a foreign table"),
                _ => Relation::Other("no table"),
            },
            table: schema::table(self.client, name, name).await?,
            nearly_unique: self.nearly_unique(&quoted).await?,
            indexed: texts(self.client.query(INDEXED, &[&quoted]).await?)?,
        })
    }

    async fn nearly_unique(&self, quoted: &str) -> PgResult<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for row in self.client.query(NEARLY_UNIQUE, &[&quoted]).await? {
            let (column, index): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let why = match () {
                () if !row.try_get(2)? => {
                    format!("the index {index} isn't valid: DROP INDEX CONCURRENTLY {index}; first")
                }
                () if row.try_get::<_, i16>(5)? > 1 => format!("{index} is on several columns"),
                () if row.try_get(4)? => format!("{index} has a condition"),
                () if !row.try_get(3)? => format!("{index} is deferrable"),
                () => continue,
            };
            found.insert(column, why);
        }
        Ok(found)
    }

    async fn row_security(&mut self, name: &str, shown: &str) -> PgResult<()> {
        let open = self.client.query_one(POLICIES, &[&relation(name)]).await?.try_get(0)?;
        if open {
            return Ok(());
        }
        let what = format!(
            "row level security hides rows of the table \"{name}\" from the role \"{}\"",
            self.role.name
        );
        let (is_ours, line) = (
            name.starts_with("simplejwt_") || name == OUTSTANDING || name == BLACKLISTED,
            format!(
                "CREATE POLICY simplejwt ON {shown} TO {} USING (true) WITH CHECK (true);",
                self.role.quoted
            ),
        );
        self.problems.push(match is_ours {
            true => Problem::error(name, what, line),
            // Users of another tenant, say: it may be meant.
            false => Problem::warning(name, what, line),
        });
        Ok(())
    }

    /// Whether a table that the search path doesn't find is somewhere else, which is told.
    async fn elsewhere(&mut self, name: &str, is_users: bool) -> PgResult<bool> {
        let (schema, bare) = match name.split_once("\".\"") {
            Some((schema, bare)) => (Some(schema), bare),
            None => (None, name),
        };
        let rows = self.client.query(ELSEWHERE, &[&bare, &schema]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let (found, may_use, quoted): (String, bool, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let Role { name: role, quoted: quoted_role, search_path } = &self.role;
        if !may_use {
            let what = format!(
                "the role \"{role}\" may not use the schema \"{found}\", which the table \
                 \"{bare}\" is in"
            );
            let line = format!("GRANT USAGE ON SCHEMA {quoted} TO {quoted_role};");
            self.problems.push(Problem::error(name, what, line));
            return Ok(true);
        }
        let what = format!(
            "the table \"{bare}\" is in the schema \"{found}\", which isn't searched (the \
             search_path is \"{search_path}\")"
        );
        let path = match search_path.is_empty() {
            true => quoted,
            false => format!("{search_path}, {quoted}"),
        };
        let line = format!("ALTER ROLE {quoted_role} SET search_path = {path};");
        let line = match is_users {
            true => format!("name {found}.{bare} as the users' table, or {line}"),
            false => line,
        };
        self.problems.push(Problem::error(name, what, line));
        Ok(true)
    }

    /// Rights on a table: what for, on which columns, and whether nothing but the purge needs it.
    async fn rights_on(
        &mut self,
        name: &str,
        wanted: &[(Access, Vec<String>, bool)],
    ) -> PgResult<()> {
        let (mut words, mut columns, mut of) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (access, names, _)) in wanted.iter().enumerate() {
            let names: Vec<Option<&str>> = match *access {
                Access::Delete => vec![None],
                _ => names.iter().map(|name| Some(name.as_str())).collect(),
            };
            for column in names {
                words.push(access.word());
                columns.push(column);
                of.push(at);
            }
        }
        let quoted = relation(name);
        let rows = self.client.query(DENIED, &[&quoted, &words, &columns]).await?;
        let mut denied: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for row in &rows {
            let at = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or_default();
            if let (Some(right), Some(column)) = (of.get(at), columns.get(at)) {
                denied.entry(*right).or_default().extend(column);
            }
        }
        for (at, missing) in denied {
            let Some((access, all, is_purge)) = wanted.get(at) else { continue };
            let word = access.word();
            // On our own tables and Django's for tokens nothing is worth keeping a column from.
            let is_part = !missing.is_empty()
                && (missing.len() < all.len() || !is_for_tokens(name) || *access == Access::Update);
            let quoted_columns: Vec<_> =
                missing.iter().map(|name| crate::sql::table::quoted(name)).collect();
            let of = match is_part {
                true => format!("{word} ({})", quoted_columns.join(", ")),
                false => word.to_owned(),
            };
            let what = format!("the role \"{}\" may not {of} on \"{name}\"", self.role.name);
            let line = format!("GRANT {of} ON {quoted} TO {};", self.role.quoted);
            self.problems.push(denied_right(name, what, line, *access, *is_purge));
        }
        if wanted.iter().any(|(access, ..)| *access == Access::Insert) {
            for row in self.client.query(SEQUENCES, &[&quoted]).await? {
                let sequence: String = row.try_get(0)?;
                let what = format!(
                    "the role \"{}\" may not draw numbers from the sequence {sequence}",
                    self.role.name
                );
                let line = format!("GRANT USAGE ON SEQUENCE {sequence} TO {};", self.role.quoted);
                self.problems.push(Problem::error(name, what, line));
            }
        }
        Ok(())
    }

    /// What the users' table is, where it can be used; whether there is one.
    async fn users(&mut self, users: &UserTable) -> PgResult<(Option<Checked>, bool)> {
        let name = users.table.as_str();
        let found = self.found(name).await?;
        if found.relation == Relation::Missing {
            if !self.elsewhere(name, true).await? {
                let error = found.table.require(name, []).err();
                let error = match error {
                    Some(error) => schema::with_tables(self.client, error).await,
                    None => return Ok((None, false)),
                };
                self.problems.push(of_users(name, &error, &Lines::Postgres));
            }
            return Ok((None, false));
        }
        let every = schema::columns_of(self.client, users).await?;
        let mut errors = UserColumns::every_error(users, &every, Dialect::Strict);
        if let Some(parent) = found.table.parent()
            && errors.iter().any(|error| matches!(error, SchemaError::MissingColumn { .. }))
        {
            let (child, parent) = (users.table.clone(), parent.to_owned());
            errors = vec![SchemaError::InheritedUsers { child, parent }];
        }
        let is_there = |column: &str| found.table.column(column).is_some();
        for by in found_by(users).iter().filter(|by| is_there(by.0)) {
            match schema::check_unique(self.client, users, &[*by]).await {
                Ok(()) => {}
                Err(SchemaError::Database(_)) => {}
                Err(error) => errors.push(error),
            }
        }
        let is_bad = !errors.is_empty();
        let problems = errors.iter().map(|error| of_users(name, error, &Lines::Postgres));
        self.problems.extend(problems.collect::<Vec<_>>());
        let own = users.every_column().filter(|column| !users.is_childs(column));
        let read: Vec<String> = own.map(str::to_owned).collect();
        let written = |column: Option<&String>, is_used: bool| {
            column.filter(|_| is_used).map(|name| vec![name.clone()])
        };
        let mut wanted = vec![(Access::Select, read, false)];
        wanted.extend(
            written(users.last_login.as_ref(), self.uses.last_login)
                .map(|columns| (Access::Update, columns, false)),
        );
        // A login goes on without.
        wanted.extend(
            written(Some(&users.password), self.uses.rehash)
                .map(|columns| (Access::Update, columns, true)),
        );
        self.rights_on(name, &wanted).await?;
        if let Some(child) = &users.child {
            let read = child.columns.iter().filter(|column| users.columns.contains(column));
            let read = read.chain([&child.pointer]).cloned().collect();
            self.rights_on(&child.table, &[(Access::Select, read, false)]).await?;
        }
        if is_bad {
            return Ok((None, true));
        }
        Ok((schema::check_users(self.client, users).await.ok(), true))
    }

    /// Whose tokens they are.
    async fn owners(
        &mut self,
        users: &UserTable,
        found: &FoundTable,
        columns: Option<&UserColumns>,
    ) -> PgResult<()> {
        let mut errors = Vec::new();
        match schema::check_outstanding(self.client, users).await {
            Err(error @ (SchemaError::OtherUsers { .. } | SchemaError::InheritedUsers { .. })) => {
                errors.push(error)
            }
            Ok(_) => errors.extend(columns.and_then(|columns| {
                let user_id = found.table.column("user_id");
                columns.check_reference(users, user_id, Dialect::Strict).err()
            })),
            // Told by its columns.
            Err(_) => {}
        }
        let problems = errors.iter().map(|error| of_users(OUTSTANDING, error, &Lines::Postgres));
        self.problems.extend(problems);
        Ok(())
    }

    async fn sequence(&mut self) -> PgResult<()> {
        let row = match self.client.query_one(HAS_SEQUENCE, &[]).await {
            Ok(row) => row,
            // What is wrong with the table is told already.
            Err(error) if error.code().is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        if !row.try_get::<_, bool>(0)? {
            let what = "the table \"simplejwt_sequence\" has no row named revocation";
            let problem = Problem::error("simplejwt_sequence", what, Lines::Postgres.sequence());
            self.problems.push(problem);
        }
        Ok(())
    }

    /// Has each statement prepared.
    async fn statements(&mut self, users: &UserTable, checked: Option<Checked>) -> PgResult<()> {
        let Some(checked) = checked else { return Ok(()) };
        let mut statements = Vec::new();
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

fn is_for_tokens(name: &str) -> bool {
    name.starts_with("simplejwt_") || name == OUTSTANDING || name == BLACKLISTED
}

fn denied_right(
    table: &str,
    what: String,
    line: String,
    access: Access,
    is_optional: bool,
) -> Problem {
    match (is_optional, access) {
        (false, _) => Problem::error(table, what, line),
        (true, Access::Delete) => {
            Problem::warning(table, format!("{what}, and what has expired stays"), line)
        }
        (true, _) => {
            Problem::warning(table, format!("{what}, and outdated password hashes stay"), line)
        }
    }
}

/// Each statement over the tables of tokens and sessions.
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
    let [plain, in_session] = rotations.every();
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
        let own = [open, blacklist_others, blacklist_sessions, in_session];
        statements.extend(own.map(str::to_owned));
        statements.push(statements::ping_sessions());
        statements.push(DATE.to_owned());
        statements.extend(feed::statements().map(str::to_owned));
        let theirs = statements::statements().into_iter();
        statements
            .extend(theirs.filter(|(_, is_purge)| uses.purge || !is_purge).map(|(sql, _)| sql));
    }
    statements
}
