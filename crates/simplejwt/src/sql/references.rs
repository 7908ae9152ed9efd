//! Other tables' foreign keys that lead to registered tokens, and their consequences for the purge.
//!
//! Django's own constraints don't express `on_delete`, which it handles in Python: the database
//! only refuses to delete rows that are referred to.

use super::schema::{BLACKLISTED, OUTSTANDING};

/// The largest number of tables on a foreign key's path. Rows beyond it stay, and are reported.
const MAX_LENGTH: usize = 6;
const MAX_PATHS: usize = 64;

/// The database's action when the row that is referred to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDelete {
    /// It refuses: `NO ACTION` and `RESTRICT`.
    Refuse,
    /// It also deletes the referring row.
    Cascade,
    /// It sets the column to something else.
    Clear,
}

impl OnDelete {
    /// Parses its name in SQL.
    pub(crate) fn parse(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "CASCADE" => Self::Cascade,
            "SET NULL" | "SET DEFAULT" => Self::Clear,
            _ => Self::Refuse,
        }
    }
}

/// A table's name, plain and in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) name: String,
    pub(crate) sql: String,
}

/// A foreign key. Columns are as in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    /// The constraint's name, for messages.
    pub(crate) name: String,
    pub(crate) table: TableName,
    pub(crate) parent: TableName,
    /// The columns, each with the one that it refers to.
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) on_delete: OnDelete,
}

/// A foreign key that keeps tokens from being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keeping {
    pub(crate) constraint: String,
    pub(crate) table: String,
    /// The condition that it keeps the registered token `o`.
    pub(crate) condition: String,
}

/// What a purge needs to know about the tables that refer to tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// Keys that keep a token if rows of other tables aren't deleted.
    pub(crate) keeping: Vec<Keeping>,
    /// Keys that keep a token even if they are: rows of Django's own tables, and users.
    pub(crate) always_keeping: Vec<Keeping>,
    /// The paths to rows that are deleted first, in this order.
    cascade: Vec<Vec<ForeignKey>>,
}

impl References {
    /// `keys` are those of the whole database, or of the part that leads to tokens. Rows of the
    /// tables `never` aren't deleted.
    pub(crate) fn new(keys: &[ForeignKey], never: &[&str]) -> Self {
        let mut found = Self::default();
        let mut path = Vec::new();
        found.follow(keys, never, OUTSTANDING, &mut path);
        found
    }

    fn follow<'a>(
        &mut self,
        keys: &'a [ForeignKey],
        never: &[&str],
        parent: &str,
        path: &mut Vec<&'a ForeignKey>,
    ) {
        let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        for key in keys {
            if !is(&key.parent.name, parent) || key.on_delete == OnDelete::Clear {
                continue;
            }
            // Its rows are deleted with the tokens.
            let is_blacklist = is(&key.table.name, BLACKLISTED) && path.is_empty();
            let is_guarded = !is_blacklist
                && [OUTSTANDING, BLACKLISTED].iter().chain(never).any(|t| is(&key.table.name, t));
            let is_free = path.iter().enumerate().all(|(at, before)| {
                before.on_delete == OnDelete::Cascade
                    || (at == 0 && is(&before.table.name, BLACKLISTED))
            });
            path.push(key);
            if !is_blacklist {
                let refuses = key.on_delete == OnDelete::Refuse;
                if (refuses && is_free) || is_guarded {
                    let keeping = Keeping {
                        constraint: key.name.clone(),
                        table: key.table.name.clone(),
                        condition: condition(path),
                    };
                    if refuses && is_free {
                        self.keeping.push(keeping.clone());
                    }
                    if is_guarded {
                        self.always_keeping.push(keeping);
                    }
                }
            }
            if !is_guarded && path.len() < MAX_LENGTH && self.cascade.len() < MAX_PATHS {
                self.follow(keys, never, &key.table.name, path);
                if !is_blacklist {
                    self.cascade.push(path.iter().copied().cloned().collect());
                }
            }
            path.pop();
        }
    }

    /// Returns the keys that keep tokens.
    pub(crate) fn keeping(&self, cascade: bool) -> &[Keeping] {
        if cascade { &self.always_keeping } else { &self.keeping }
    }

    /// Returns an expression for the one that keeps the registered token `o`: its index, or null.
    pub(crate) fn kept_by(&self, cascade: bool) -> String {
        let keeping = self.keeping(cascade);
        if keeping.is_empty() {
            return "NULL".to_owned();
        }
        let when = |(at, key): (usize, &Keeping)| format!(" WHEN {} THEN {at}", key.condition);
        format!("CASE{} END", keeping.iter().enumerate().map(when).collect::<String>())
    }

    /// Returns the statements that delete rows referring to the registered tokens that `ids`
    /// selects, with nested queries as conditions.
    pub(crate) fn nested_deletes(&self, ids: &str) -> Vec<String> {
        self.cascade.iter().map(|path| nested_delete(path, ids)).collect()
    }

    /// Returns the same with joins.
    pub(crate) fn joined_deletes(&self, ids: &str) -> Vec<String> {
        self.cascade.iter().map(|path| joined_delete(path, ids)).collect()
    }
}

/// Returns the condition that a row at the end of the path leads to the registered token `o`.
fn condition(path: &[&ForeignKey]) -> String {
    let mut sql = String::from("EXISTS (SELECT 1 FROM ");
    for (at, key) in path.iter().enumerate() {
        let alias = format!("{} AS r{at}", key.table.sql);
        let parent = if at == 0 { "o".to_owned() } else { format!("r{}", at - 1) };
        let on = on(key, &format!("r{at}"), &parent);
        if at == 0 {
            sql.push_str(&alias);
        } else {
            sql.push_str(&format!(" JOIN {alias} ON {on}"));
        }
    }
    if let Some(first) = path.first() {
        sql.push_str(&format!(" WHERE {}", on(first, "r0", "o")));
        if first.table.name.eq_ignore_ascii_case(OUTSTANDING) {
            // A row that refers to itself can be deleted.
            sql.push_str(" AND r0.id <> o.id");
        }
    }
    sql.push(')');
    sql
}

fn on(key: &ForeignKey, child: &str, parent: &str) -> String {
    let equal = |(column, other): &(String, String)| format!("{child}.{column} = {parent}.{other}");
    key.columns.iter().map(equal).collect::<Vec<_>>().join(" AND ")
}

fn nested_delete(path: &[ForeignKey], ids: &str) -> String {
    let list = |of: fn(&(String, String)) -> &String, key: &ForeignKey| {
        key.columns.iter().map(|pair| of(pair).as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut sql = format!("id IN ({ids})");
    for key in path {
        let (columns, others) = (list(|pair| &pair.0, key), list(|pair| &pair.1, key));
        sql = format!("({columns}) IN (SELECT {others} FROM {} WHERE {sql})", key.parent.sql);
    }
    let table = path.last().map_or("", |key| key.table.sql.as_str());
    format!("DELETE FROM {table} WHERE {sql}")
}

fn joined_delete(path: &[ForeignKey], ids: &str) -> String {
    let last = path.len().saturating_sub(1);
    let mut sql = format!("DELETE r{last} FROM {OUTSTANDING} AS o");
    for (at, key) in path.iter().enumerate() {
        let parent = if at == 0 { "o".to_owned() } else { format!("r{}", at - 1) };
        let on = on(key, &format!("r{at}"), &parent);
        sql.push_str(&format!(" JOIN {} AS r{at} ON {on}", key.table.sql));
    }
    format!("{sql} WHERE o.id IN ({ids})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(table: &str, column: &str, parent: &str, on_delete: OnDelete) -> ForeignKey {
        let name = |name: &str| TableName { name: name.into(), sql: name.into() };
        ForeignKey {
            name: format!("{table}_{column}"),
            table: name(table),
            parent: name(parent),
            columns: vec![(column.into(), "id".into())],
            on_delete,
        }
    }

    fn constraints(keeping: &[Keeping]) -> Vec<&str> {
        keeping.iter().map(|key| key.constraint.as_str()).collect()
    }

    #[test]
    fn what_keeps_a_token_and_what_goes_with_it() {
        use OnDelete::{Cascade, Clear, Refuse};
        let keys = [
            key(BLACKLISTED, "token_id", OUTSTANDING, Refuse),
            key("device", "token", OUTSTANDING, Refuse),
            key("reason", "entry", BLACKLISTED, Refuse),
            key("photo", "device", "device", Refuse),
            key("cache", "token", OUTSTANDING, Cascade),
            key("hit", "cache", "cache", Refuse),
            key("note", "token", OUTSTANDING, Clear),
            key("auth_user", "token", OUTSTANDING, Refuse),
            key(OUTSTANDING, "before", OUTSTANDING, Refuse),
            key("elsewhere", "id", "other", Refuse),
        ];
        let found = References::new(&keys, &["auth_user"]);
        assert_eq!(
            constraints(found.keeping(false)),
            [
                "reason_entry",
                "device_token",
                "hit_cache",
                "auth_user_token",
                "token_blacklist_outstandingtoken_before"
            ]
        );
        assert_eq!(
            constraints(found.keeping(true)),
            ["auth_user_token", "token_blacklist_outstandingtoken_before"]
        );
        let order: Vec<_> = found
            .cascade
            .iter()
            .map(|path| path.iter().map(|key| key.table.name.as_str()).collect::<Vec<_>>())
            .collect();
        assert_eq!(
            order,
            [
                vec![BLACKLISTED, "reason"],
                vec!["device", "photo"],
                vec!["device"],
                vec!["cache", "hit"],
                vec!["cache"]
            ]
        );
    }

    #[test]
    fn circles_come_to_an_end() {
        let keys = [
            key("a", "token", OUTSTANDING, OnDelete::Refuse),
            key("a", "parent", "a", OnDelete::Refuse),
            key("b", "a", "a", OnDelete::Refuse),
            key("a", "b", "b", OnDelete::Refuse),
        ];
        let found = References::new(&keys, &[]);
        assert!(found.cascade.len() <= MAX_PATHS + MAX_LENGTH, "{}", found.cascade.len());
        assert_eq!(constraints(found.keeping(false)), ["a_token"]);
    }
}
