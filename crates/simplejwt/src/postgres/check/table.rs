//! A table as PostgreSQL describes it, and whether the role can see its rows.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::{Check, Role, is_for_tokens};
use crate::postgres::schema;
use crate::postgres::tokens::PgResult;
use crate::sql::check::{FoundTable, Problem, Relation};
use crate::sql::table::relation;

const RELATION: &str = "\
    SELECT c.relkind::text, c.relpersistence::text, row_security_active(c.oid), \
    c.oid::regclass::text FROM pg_class AS c WHERE c.oid = to_regclass($1)";
/// The schemas that have a table of this name, and whether each may be used.
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
/// Selects `true` if the policies let everything through.
const POLICIES: &str = "\
    SELECT count(*) FILTER (WHERE polpermissive AND polcmd = '*' \
    AND pg_get_expr(polqual, polrelid) = 'true' \
    AND coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true') > 0 \
    AND count(*) FILTER (WHERE NOT polpermissive) = 0 \
    FROM pg_policy WHERE polrelid = to_regclass($1)";

impl Check<'_> {
    /// Returns the server's description of a table.
    pub(super) async fn found(&mut self, name: &str) -> PgResult<FoundTable> {
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
            "row level security hides rows of the table \"{name}\" from {}",
            self.role.grantee.who
        );
        let (is_ours, line) = (
            is_for_tokens(name),
            format!(
                "CREATE POLICY simplejwt ON {shown} TO {} USING (true) WITH CHECK (true);",
                self.role.grantee.name
            ),
        );
        self.problems.push(match is_ours {
            true => Problem::error(name, what, line),
            // It may be intended, to hide another tenant's users for example.
            false => Problem::warning(name, what, line),
        });
        Ok(())
    }

    /// Returns `true` if a table that the search path doesn't find is in another schema, which is
    /// reported as a problem.
    pub(super) async fn elsewhere(&mut self, name: &str, is_users: bool) -> PgResult<bool> {
        let (schema, bare) = match name.split_once("\".\"") {
            Some((schema, bare)) => (Some(schema), bare),
            None => (None, name),
        };
        let rows = self.client.query(ELSEWHERE, &[&bare, &schema]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let (found, may_use, quoted): (String, bool, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let Role { grantee, search_path } = &self.role;
        if !may_use {
            let what = format!(
                "{} may not use the schema \"{found}\", which the table \"{bare}\" is in",
                grantee.who
            );
            let line = format!("GRANT USAGE ON SCHEMA {quoted} TO {};", grantee.name);
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
        let line = format!("ALTER ROLE {} SET search_path = {path};", grantee.name);
        let line = match is_users {
            true => format!("name {found}.{bare} as the users' table, or {line}"),
            false => line,
        };
        self.problems.push(Problem::error(name, what, line));
        Ok(true)
    }
}
