//! Checks, before anything is created, that the role may create what is missing.

use tokio_postgres::Client;

use super::migrate::RECORD_NAME;
use crate::sql::check::Lines;
use crate::sql::schema::{EXPIRES_AT_INDEX, MissingRight, OUTSTANDING, SchemaError, Step};
use crate::sql::table::quoted;

/// Selects the role and the schema in which it creates tables; null if no schema of the search path
/// exists for it.
const WHERE: &str = "SELECT current_user::text, quote_ident(current_user), current_schema()::text, \
    quote_ident(current_schema()), has_schema_privilege(current_schema(), 'CREATE')";
/// Selects rights on an existing table, its owner and its schema.
const ON_TABLE: &str = "SELECT quote_ident(pg_get_userbyid(c.relowner)), \
    pg_has_role(c.relowner, 'USAGE'), quote_ident(n.nspname), \
    has_schema_privilege(n.oid, 'CREATE') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";
/// Selects nothing if the column or the table doesn't exist.
const MAY_REFER: &str = "SELECT has_column_privilege(a.attrelid, a.attnum, 'REFERENCES') \
    FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attname = $2";
const MAY_RECORD: &str = "SELECT p.word FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) \
    WITH ORDINALITY AS p (word, n) WHERE NOT has_table_privilege(to_regclass($1), p.word) \
    ORDER BY p.n";

/// # Errors
/// [`SchemaError::MayNot`] names everything that is missing.
pub(super) async fn check(client: &Client, steps: &[Step]) -> Result<(), SchemaError> {
    let mut missing: Vec<MissingRight> = Vec::new();
    let mut lacks = |what: String, remedy: String| {
        let right = MissingRight { what, remedy };
        if !missing.contains(&right) {
            missing.push(right);
        }
    };
    let row = client.query_one(WHERE, &[]).await?;
    let (role, to): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let record = quoted(RECORD_NAME);
    let denied = client.query(MAY_RECORD, &[&record]).await?;
    match (row.try_get::<_, Option<String>>(2)?, row.try_get::<_, Option<bool>>(4)?) {
        (Some(_), Some(true)) => {}
        (Some(schema), _) => {
            let of: String = row.try_get(3)?;
            lacks(
                format!("the role \"{role}\" may not CREATE in the schema \"{schema}\""),
                format!("GRANT CREATE ON SCHEMA {of} TO {to};"),
            );
        }
        (None, _) => lacks(
            format!("the role \"{role}\" may use no schema of its search_path"),
            format!("GRANT USAGE, CREATE ON SCHEMA public TO {to};"),
        ),
    }
    for row in &denied {
        let word: &str = row.try_get(0)?;
        lacks(
            format!("the role \"{role}\" may not {word} on \"{RECORD_NAME}\""),
            format!("GRANT {word} ON {record} TO {to};"),
        );
    }
    for (table, column) in steps.iter().flat_map(|step| references(&step.sql)) {
        let name = column.trim_matches('"').replace("\"\"", "\"");
        let row = client.query_opt(MAY_REFER, &[&table, &name]).await?;
        if row.is_some_and(|row| row.try_get(0).unwrap_or(Some(true)) == Some(false)) {
            lacks(
                format!("the role \"{role}\" may not refer to {table} ({column})"),
                format!("GRANT REFERENCES ({column}) ON {table} TO {to};"),
            );
        }
    }
    if steps.iter().any(|step| step.table == EXPIRES_AT_INDEX)
        && let Some(row) = client.query_opt(ON_TABLE, &[&quoted(OUTSTANDING)]).await?
    {
        let owner: String = row.try_get(0)?;
        let line = Lines::Postgres.index(OUTSTANDING, "expires_at", EXPIRES_AT_INDEX);
        if !row.try_get::<_, bool>(1)? {
            lacks(
                format!("the role \"{role}\" may make no index on \"{OUTSTANDING}\""),
                format!("as {owner}, who owns it: {line}"),
            );
        } else if !row.try_get::<_, bool>(3)? {
            let schema: String = row.try_get(2)?;
            lacks(
                format!("the role \"{role}\" may not CREATE in the schema {schema}"),
                format!("GRANT CREATE ON SCHEMA {schema} TO {to};"),
            );
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(SchemaError::MayNot { missing }),
    }
}

/// Returns the tables and columns that foreign keys of these statements refer to, as in SQL.
fn references(sql: &str) -> impl Iterator<Item = (&str, &str)> {
    sql.split("REFERENCES ").skip(1).filter_map(|rest| {
        let (table, rest) = rest.split_once(" (")?;
        Some((table, rest.split_once(')')?.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_keys_are_read_out_of_their_statements() {
        let sql = "ALTER TABLE \"a\" ADD CONSTRAINT \"c\" FOREIGN KEY (\"x\") REFERENCES \
                   \"s\".\"t\" (\"id\") DEFERRABLE; REFERENCES \"u\" (\"k\");\n";
        let found: Vec<_> = references(sql).collect();
        assert_eq!(found, [("\"s\".\"t\"", "\"id\""), ("\"u\"", "\"k\"")]);
    }
}
