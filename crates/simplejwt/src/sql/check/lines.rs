//! Statements that repair a table, in each database's SQL, to be pasted.

use crate::sql::schema::Column;

use super::needed::{Holds, Needed};

/// A database, with its SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    Sqlite,
    Postgres,
    Mysql {
        /// The collation that compares texts by their bytes.
        exact: String,
    },
}

impl Lines {
    /// Quotes a name as in SQL.
    pub(crate) fn quote(&self, name: &str) -> String {
        match self {
            Self::Mysql { .. } => format!("`{}`", name.replace('`', "``")),
            Self::Sqlite | Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// Returns the table's name in SQL. In PostgreSQL it may include a schema.
    pub(crate) fn table(&self, name: &str) -> String {
        match self {
            Self::Postgres => {
                name.split("\".\"").map(|part| self.quote(part)).collect::<Vec<_>>().join(".")
            }
            Self::Sqlite | Self::Mysql { .. } => self.quote(name),
        }
    }

    /// Returns the type that `migrate` uses.
    pub(crate) fn type_of(&self, holds: Holds, is_djangos: bool) -> String {
        match (self, holds) {
            (_, Holds::Id | Holds::Number | Holds::Micros) => "bigint".to_owned(),
            (_, Holds::User) => "varchar(255)".to_owned(),
            // Django's may have any collation; `jti` is compared by its bytes in any case.
            (Self::Mysql { exact }, Holds::Text(most)) if !is_djangos => {
                format!("varchar({most}) CHARACTER SET utf8mb4 COLLATE {exact}")
            }
            (_, Holds::Text(most)) => format!("varchar({most})"),
            (Self::Mysql { exact }, Holds::Token) if !is_djangos => {
                format!("longtext CHARACTER SET utf8mb4 COLLATE {exact}")
            }
            (Self::Mysql { .. }, Holds::Token) => "longtext".to_owned(),
            (_, Holds::Token) => "text".to_owned(),
            (Self::Postgres, Holds::Moment) => "timestamp with time zone".to_owned(),
            (Self::Mysql { .. }, Holds::Moment) => "datetime(6)".to_owned(),
            (Self::Sqlite, Holds::Moment) => "datetime".to_owned(),
        }
    }

    /// Changes a column's type to the one needed; `declared` is its present type.
    pub(crate) fn retype(
        &self,
        needed: &Needed,
        column: &super::needed::Column,
        declared: &str,
    ) -> String {
        let (table, name) = (self.table(needed.name), self.quote(column.name));
        let kind = self.type_of(column.holds, needed.is_djangos);
        match self {
            // SQLite can't alter columns like this.
            Self::Sqlite => anew(needed),
            Self::Postgres => {
                let using = match column.holds {
                    Holds::Moment if declared.starts_with("timestamp") => {
                        format!("{name} AT TIME ZONE 'UTC'")
                    }
                    // The unit is unknown.
                    Holds::Moment if is_number(declared) => return format!("make it {kind}"),
                    _ => format!("{name}::{kind}"),
                };
                format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind} USING {using};")
            }
            Self::Mysql { .. } => {
                let rest = match (column.holds, column.null) {
                    (Holds::Id, _) => "NOT NULL AUTO_INCREMENT",
                    (_, true) => "NULL",
                    (_, false) => "NOT NULL",
                };
                format!("ALTER TABLE {table} MODIFY {name} {kind} {rest};")
            }
        }
    }

    /// Adds a column that isn't there.
    pub(crate) fn add(&self, needed: &Needed, column: &super::needed::Column) -> String {
        if needed.is_djangos {
            return DJANGOS_MIGRATIONS.to_owned();
        }
        let (table, name) = (self.table(needed.name), self.quote(column.name));
        let kind = self.type_of(column.holds, false);
        let null = match (column.null, column.holds) {
            (true, _) => "NULL",
            (false, Holds::Micros) => "NOT NULL DEFAULT 0",
            (false, _) => "NOT NULL DEFAULT ''",
        };
        format!("ALTER TABLE {table} ADD COLUMN {name} {kind} {null};")
    }

    /// Allows null in a column.
    pub(crate) fn nullable(&self, table: &str, column: &Column) -> String {
        let (table, name) = (self.table(table), self.quote(&column.name));
        match self {
            Self::Sqlite => "make the table anew without NOT NULL".to_owned(),
            Self::Postgres => format!("ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL;"),
            Self::Mysql { .. } => {
                format!("ALTER TABLE {table} MODIFY {name} {} NULL;", column.declared)
            }
        }
    }

    /// Makes the database generate the ids.
    pub(crate) fn number(&self, table: &str, name: &str) -> String {
        let (table, column) = (self.table(table), self.quote(name));
        match self {
            Self::Sqlite => "make the table anew with INTEGER PRIMARY KEY".to_owned(),
            Self::Postgres => format!(
                "ALTER TABLE {table} ALTER COLUMN {column} ADD GENERATED BY DEFAULT AS IDENTITY; \
                 SELECT setval(pg_get_serial_sequence('{}', '{}'), \
                 coalesce(max({column}), 0) + 1, false) FROM {table};",
                table.replace('\'', "''"),
                name.replace('\'', "''"),
            ),
            Self::Mysql { .. } => {
                format!("ALTER TABLE {table} MODIFY {column} bigint NOT NULL AUTO_INCREMENT;")
            }
        }
    }

    /// Makes a column unique.
    pub(crate) fn unique(&self, table: &str, column: &str) -> String {
        let (name, quoted) = (self.table(table), self.quote(column));
        match self {
            Self::Sqlite => format!("CREATE UNIQUE INDEX {} ON {name} ({quoted});", {
                self.quote(&format!("{table}_{column}_unique"))
            }),
            Self::Postgres | Self::Mysql { .. } => {
                format!("ALTER TABLE {name} ADD UNIQUE ({quoted});")
            }
        }
    }

    /// Creates an index.
    pub(crate) fn index(&self, table: &str, column: &str, index: &str) -> String {
        let concurrently = if *self == Self::Postgres { " CONCURRENTLY" } else { "" };
        format!(
            "CREATE INDEX{concurrently} {} ON {} ({});",
            self.quote(index),
            self.table(table),
            self.quote(column)
        )
    }

    /// Creates the row that counts revocations, continuing where they ended.
    pub(crate) fn sequence(&self) -> String {
        let quote = |name: &str| self.quote(name);
        format!(
            "INSERT INTO {} ({}, {}) SELECT 'revocation', coalesce(max({}), 0) FROM {};",
            quote("simplejwt_sequence"),
            quote("name"),
            quote("value"),
            quote("sequence"),
            quote("simplejwt_revocation"),
        )
    }
}

/// The command that brings the tables of an older `token_blacklist` up to date.
pub(super) const DJANGOS_MIGRATIONS: &str = "python manage.py migrate token_blacklist";

fn is_number(declared: &str) -> bool {
    ["int", "numeric", "double", "real"].iter().any(|part| declared.contains(part))
}

/// Returns the remedy for a table in SQLite.
fn anew(needed: &Needed) -> String {
    match needed.is_djangos {
        true => DJANGOS_MIGRATIONS.to_owned(),
        false => format!(
            "ALTER TABLE \"{0}\" RENAME TO \"{0}_old\"; and run `migrate`, which makes it anew",
            needed.name
        ),
    }
}

/// The result of comparing a column's type with what it has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    TooShort,
    /// It loses fractions of seconds.
    Coarse,
    Other,
}

impl Lines {
    pub(super) fn fit(&self, column: &Column, holds: Holds) -> Fit {
        let kind = column.kind.to_ascii_lowercase();
        let base = kind.split(['(', ' ']).next().unwrap_or_default();
        let length: Option<usize> = kind
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .and_then(|(length, _)| length.trim().parse().ok());
        let fits = |fits: bool| if fits { Fit::Fits } else { Fit::Other };
        let at_least = |least: usize| match length.is_some_and(|length| length < least) {
            true => Fit::TooShort,
            false => Fit::Fits,
        };
        // With an application's hooks, a token has up to 16 KiB.
        const LONGEST_TOKEN: usize = 16 * 1024;
        let least = match holds {
            Holds::Text(most) => most,
            _ => LONGEST_TOKEN,
        };
        match (self, holds) {
            (_, Holds::User) => Fit::Fits,
            (Self::Sqlite, _) => fits(sqlite_fits(&kind, holds)),
            (Self::Postgres, Holds::Id | Holds::Number) => {
                fits(matches!(base, "bigint" | "integer"))
            }
            (Self::Postgres, Holds::Micros) => fits(base == "bigint"),
            (Self::Postgres, Holds::Moment) => {
                fits(base == "timestamp" && kind.ends_with("with time zone"))
            }
            (Self::Postgres, Holds::Text(_) | Holds::Token) => match base {
                _ if kind.starts_with("character varying") => at_least(least),
                "text" => Fit::Fits,
                base => fits(base.ends_with("citext")),
            },
            (Self::Mysql { .. }, Holds::Id | Holds::Number) => {
                fits(matches!(base, "bigint" | "int" | "integer"))
            }
            (Self::Mysql { .. }, Holds::Micros) => fits(base == "bigint"),
            (Self::Mysql { .. }, Holds::Moment) => match (base, length) {
                ("datetime", Some(6)) => Fit::Fits,
                ("datetime", _) => Fit::Coarse,
                _ => Fit::Other,
            },
            (Self::Mysql { .. }, Holds::Text(_) | Holds::Token) => match base {
                "longtext" | "mediumtext" | "text" => Fit::Fits,
                "tinytext" if least > 255 => Fit::TooShort,
                "tinytext" => Fit::Fits,
                "varchar" | "char" => at_least(least),
                _ => Fit::Other,
            },
        }
    }
}

/// Judges by the type's affinity (SQLite's datatypes, section 3.1): in a column of numbers, text
/// that looks like a number would become one, and in a column of text, a number would become text.
fn sqlite_fits(kind: &str, holds: Holds) -> bool {
    let is_integer = kind.contains("int");
    let is_text = !is_integer && ["char", "clob", "text"].iter().any(|part| kind.contains(part));
    let is_plain = !is_integer && !is_text && (kind.is_empty() || kind.contains("blob"));
    match holds {
        Holds::Text(_) | Holds::Token => is_text || is_plain,
        Holds::Id | Holds::Number | Holds::Micros => !is_text,
        Holds::Moment | Holds::User => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: &str) -> Column {
        Column {
            name: "c".into(),
            declared: kind.into(),
            kind: kind.into(),
            not_null: false,
            has_default: false,
        }
    }

    #[test]
    fn a_type_fits_what_it_can_hold() {
        use Holds::{Id, Micros, Moment, Number, Text, Token};
        let mysql = || Lines::Mysql { exact: "utf8mb4_0900_bin".into() };
        let (text, token) = (Text(255), Token);
        for (lines, kind, holds, expected) in [
            (Lines::Postgres, "character varying(255)", text, Fit::Fits),
            (Lines::Postgres, "character varying", text, Fit::Fits),
            (Lines::Postgres, "text", text, Fit::Fits),
            (Lines::Postgres, "public.citext", text, Fit::Fits),
            (Lines::Postgres, "character varying(254)", text, Fit::TooShort),
            (Lines::Postgres, "character varying(255)", token, Fit::TooShort),
            (Lines::Postgres, "character varying(16384)", token, Fit::Fits),
            (Lines::Postgres, "character(255)", text, Fit::Other),
            (Lines::Postgres, "uuid", text, Fit::Other),
            (Lines::Postgres, "bytea", token, Fit::Other),
            (Lines::Postgres, "integer", Id, Fit::Fits),
            (Lines::Postgres, "smallint", Number, Fit::Other),
            (Lines::Postgres, "integer", Micros, Fit::Other),
            (Lines::Postgres, "numeric", Micros, Fit::Other),
            (Lines::Postgres, "timestamp with time zone", Moment, Fit::Fits),
            (Lines::Postgres, "timestamp(3) with time zone", Moment, Fit::Fits),
            (Lines::Postgres, "timestamp without time zone", Moment, Fit::Other),
            (mysql(), "varchar(255)", text, Fit::Fits),
            (mysql(), "char(32)", text, Fit::TooShort),
            (mysql(), "tinytext", text, Fit::Fits),
            (mysql(), "tinytext", token, Fit::TooShort),
            (mysql(), "longtext", token, Fit::Fits),
            (mysql(), "uuid", text, Fit::Other),
            (mysql(), "int(11)", Micros, Fit::Other),
            (mysql(), "bigint(20) unsigned", Micros, Fit::Fits),
            (mysql(), "datetime(6)", Moment, Fit::Fits),
            (mysql(), "datetime", Moment, Fit::Coarse),
            (mysql(), "timestamp", Moment, Fit::Other),
            (Lines::Sqlite, "varchar(32)", text, Fit::Fits),
            (Lines::Sqlite, "char(32)", text, Fit::Fits),
            (Lines::Sqlite, "", text, Fit::Fits),
            (Lines::Sqlite, "integer", text, Fit::Other),
            (Lines::Sqlite, "uuid", text, Fit::Other),
            (Lines::Sqlite, "text", Micros, Fit::Other),
            (Lines::Sqlite, "bigint", Micros, Fit::Fits),
            (Lines::Sqlite, "datetime", Moment, Fit::Fits),
        ] {
            assert_eq!(lines.fit(&column(kind), holds), expected, "{lines:?} {kind} {holds:?}");
        }
    }
}
