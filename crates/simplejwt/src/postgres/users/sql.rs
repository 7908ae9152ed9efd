//! The statements over a users' table, and reading its rows.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use crate::postgres::encoding::Text;
use crate::postgres::lookup;
use crate::postgres::schema::{Checked, KeyType};
use crate::sql::check::Uses;
use crate::sql::column::{ColumnType, Flag};
use crate::sql::fields::{Field, FieldType};
use crate::sql::rights::{Dialect, Rights};
use crate::sql::schema::SchemaError;
use crate::sql::table::{UserTable, quoted, relation};
use crate::users::User;
use crate::users::login::Found;

/// The statements, with the table's names in them.
pub(super) struct Sql {
    pub(super) table: UserTable,
    pub(super) key: ColumnType,
    pub(super) user_id: KeyType,
    pub(super) login: KeyType,
    pub(super) fields: Vec<Field>,
    pub(super) rights: Rights,
    pub(super) by_login: String,
    pub(super) by_user_id: String,
    pub(super) page: String,
    pub(super) replace_hash: String,
    pub(super) last_login: Option<String>,
    pub(super) set_password: String,
    pub(super) set_active: Option<String>,
}

/// The sessions that are tied to passwords.
#[derive(Clone, Copy)]
pub(super) struct Tied {
    /// Those with a row for each token.
    pub(super) tokens: bool,
    /// Those with one row each.
    pub(super) rows: bool,
}

impl Tied {
    /// Returns a statement that runs `replace_hash` and ties the sessions of the user `$4` from the
    /// fingerprint `$5` to `$6`: both change, or neither.
    fn and_replace(self, replace_hash: &str) -> String {
        let tie = |name: &str, update: &str| {
            format!(
                ", {name} AS ({update} WHERE user_id = $4 AND password = $5 \
                 AND EXISTS (SELECT 1 FROM replaced))"
            )
        };
        let mut all = format!("WITH replaced AS ({replace_hash} RETURNING 1)");
        if self.tokens {
            all += &tie("tied", "UPDATE simplejwt_session SET password = $6");
        }
        if self.rows {
            all += &tie(
                "tied_rows",
                "UPDATE simplejwt_refresh_session SET generation = generation + 1, password = $6",
            );
        }
        // Each parameter has to occur.
        all + " SELECT count(*) FROM replaced WHERE $4::text IS NOT NULL AND $5::text IS NOT NULL \
               AND $6::text IS NOT NULL"
    }
}

/// The number of columns before the further ones.
const FIXED: usize = 7;

/// Returns a further column as text in the form that [`FieldType::json`] takes.
fn further(table: &UserTable, field: &Field) -> String {
    let column = table.expression(&field.name, quoted, relation);
    // Years before the first count backwards, and only the era distinguishes them from the others.
    let dated = |moment: &str, pattern: &str| {
        format!(
            "to_char({moment}, '{pattern}' || CASE WHEN {moment} < '0001-01-01' THEN ' BC' ELSE '' END)"
        )
    };
    match field.kind {
        FieldType::Moment => {
            dated(&format!("({column} AT TIME ZONE 'UTC')"), "YYYY-MM-DD HH24:MI:SS.US")
        }
        FieldType::Local => dated(&column, "YYYY-MM-DD HH24:MI:SS.US"),
        FieldType::Date => dated(&column, "YYYY-MM-DD"),
        FieldType::Time => format!("to_char({column}, 'HH24:MI:SS.US')"),
        FieldType::Text if field.declared == "inet" => format!("host({column})"),
        _ => format!("{column}::text"),
    }
}

impl Sql {
    pub(super) fn new(table: UserTable, checked: Checked, tied: Tied) -> Result<Self, SchemaError> {
        let Checked { user_id, key: key_type, login: login_type, columns } = checked;
        let name = relation(&table.table);
        let key = quoted(&table.primary_key);
        let id = quoted(table.user_id_column());
        let login = quoted(&table.login);
        let password = quoted(&table.password);
        let flag = |column: &Option<String>, without: &str| {
            let Some(name) = column else { return Ok(without.to_owned()) };
            let column = quoted(name);
            Ok::<_, SchemaError>(match columns.flag(&table, name)? {
                Flag::Boolean => format!("coalesce({column}, false)"),
                Flag::Number => format!("coalesce({column} <> 0, false)"),
                Flag::Bits => format!("coalesce({column}::text LIKE '%1%', false)"),
            })
        };
        let is_active = flag(&table.is_active, "true")?;
        let is_superuser = flag(&table.is_superuser, "false")?;
        let fields = columns.fields.clone();
        let further: String =
            fields.iter().map(|field| format!(", {}", further(&table, field))).collect();
        let inherits = table.and_inherits(&name, quoted, relation);
        let select = format!(
            "SELECT {key}::text, {id}::text, {login}::text, {}, {}, {}, {password}::text{further} \
             FROM {name}",
            is_active,
            flag(&table.is_staff, "false")?,
            is_superuser,
        );
        let dialect = Dialect {
            quote: relation,
            is_the_user: format!("{id} = CAST($1::text AS {})", user_id.cast),
            is_active,
            is_superuser,
        };
        // A user without an id can't have tokens: they would be those of every user without one.
        let has_id = match table.user_id_column() == table.primary_key {
            true => String::new(),
            false => format!(" AND {id} IS NOT NULL"),
        };
        let update = |column: &str| format!("UPDATE {name} SET {} = $1", quoted(column));
        let is_named =
            |parameter: &str| format!("{login} = CAST({parameter}::text AS {})", login_type.cast);
        let replace_hash = format!(
            "{} WHERE {key} = CAST($2::text AS {}) AND {password} = $3",
            update(&table.password),
            key_type.cast
        );
        Ok(Self {
            // Two rows reveal a value that isn't unique.
            by_login: format!("{select} WHERE {}{has_id}{inherits} LIMIT 2", is_named("$1")),
            by_user_id: format!(
                "{select} WHERE {id} = CAST(asked.key AS {}){inherits}",
                user_id.cast
            ),
            page: format!(
                "{select} WHERE ($1::text IS NULL OR {login} > CAST($1::text AS {})){inherits} \
                 ORDER BY {login} LIMIT $2",
                login_type.cast
            ),
            replace_hash: tied.and_replace(&replace_hash),
            last_login: table.last_login.as_deref().map(|column| {
                let moment = "CAST($1 AS timestamp with time zone)";
                let is_local = columns
                    .column(column)
                    .is_some_and(|column| column.kind.ends_with("without time zone"));
                let value = match is_local {
                    true => format!("{moment} AT TIME ZONE 'UTC'"),
                    false => moment.to_owned(),
                };
                format!(
                    "UPDATE {name} SET {} = {value} WHERE {id} = CAST($2::text AS {})",
                    quoted(column),
                    user_id.cast
                )
            }),
            set_password: format!("{} WHERE {}{inherits}", update(&table.password), is_named("$2")),
            set_active: table.is_active.as_deref().map(|name_of_flag| {
                let declared = columns.column(name_of_flag).map_or("boolean", |c| &c.declared);
                format!(
                    "UPDATE {name} SET {} = CAST($1::text AS {declared}) WHERE {}{inherits}",
                    quoted(name_of_flag),
                    is_named("$2")
                )
            }),
            key: key_type.kind,
            user_id,
            login: login_type,
            fields,
            rights: Rights::new(&table, dialect),
            table,
        })
    }

    /// Returns the user of this name, or the first of several.
    pub(super) async fn by_login(
        &self,
        client: &impl GenericClient,
        key: &str,
    ) -> Result<Option<Found<String>>, tokio_postgres::Error> {
        let statement = client.prepare_cached(&self.by_login).await?;
        let rows = client.query(&statement, &[&key]).await?;
        rows.first().map(|row| self.found(row)).transpose()
    }

    pub(super) fn found(&self, row: &Row) -> Result<Found<String>, tokio_postgres::Error> {
        let text = |at: usize| {
            let text: Option<Text> = row.try_get(at)?;
            Ok(text.map(|text| text.0).unwrap_or_default())
        };
        let user = User {
            id: self.user_id.kind.id_of(text(1)?),
            username: self.login.kind.canonical(text(2)?),
            is_active: row.try_get(3)?,
            is_staff: row.try_get(4)?,
            is_superuser: row.try_get(5)?,
            password: text(6)?,
            rehashed_from: None,
            fields: self.fields_of(row)?,
        };
        Ok(Found { key: text(0)?, user })
    }

    pub(super) fn fields_of(
        &self,
        row: &Row,
    ) -> Result<BTreeMap<String, serde_json::Value>, tokio_postgres::Error> {
        let json = |(at, field): (usize, &Field)| {
            let text: Option<Text> = row.try_get(FIXED + at)?;
            let value = text.map_or(serde_json::Value::Null, |text| field.kind.json(text.0));
            Ok((field.name.clone(), value))
        };
        self.fields.iter().enumerate().map(json).collect()
    }
}

/// Returns all statements that requests run over the table.
pub(crate) fn statements(
    table: &UserTable,
    checked: Checked,
    uses: &Uses,
) -> Result<Vec<String>, SchemaError> {
    let Sql {
        table: _,
        key: _,
        user_id: _,
        login: _,
        fields: _,
        rights: _,
        by_login,
        by_user_id,
        page: _,
        replace_hash,
        last_login,
        set_password: _,
        set_active: _,
    } = Sql::new(table.clone(), checked, Tied { tokens: uses.sessions, rows: uses.session_rows })?;
    let mut statements = vec![by_login, lookup::statement(&by_user_id)];
    statements.extend(uses.rehash.then_some(replace_hash));
    statements.extend(last_login.filter(|_| uses.last_login));
    Ok(statements)
}
