//! Checks, before anything is created, that the account may create what is missing, by trying
//! statements that can't succeed. The server checks rights before anything else about a statement,
//! whichever role or pattern they come from.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row};

use super::check::spelt;
use super::database::{Failure, column};
use super::migrate::{RECORD_NAME, is_missing, statements};
use crate::sql::schema::{EXPIRES_AT_INDEX, MissingRight, OUTSTANDING, SchemaError, Step};
use crate::sql::table::backticked;

const WHO: &str = "SELECT CURRENT_USER(), DATABASE()";
/// A Galera cluster runs definitions on every node, and logs those that fail.
const IS_GALERA: &str = "SHOW VARIABLES WHERE Variable_name = 'wsrep_on' AND Value = 'ON'";

/// A right on a table, and a statement that is denied without it.
#[derive(Debug, PartialEq, Eq)]
struct Trial {
    word: &'static str,
    table: String,
    sql: String,
}

/// # Errors
/// [`SchemaError::MayNot`] names everything that is missing.
pub(super) async fn check(conn: &mut Conn, steps: &[Step]) -> Result<(), SchemaError> {
    let row: Option<Row> = conn.query_first(WHO).await.map_err(Failure::from)?;
    let row = row.ok_or(Failure::Shape)?;
    let (account, database): (String, String) = (column(&row, 0)?, column(&row, 1)?);
    let (account, database) = (spelt(&account), backticked(&database));
    let galera: Option<Row> = conn.query_first(IS_GALERA).await.map_err(Failure::from)?;
    let mut denied: Vec<(String, Vec<&str>)> = Vec::new();
    for Trial { word, table, sql } in trials(steps) {
        let is_definition = matches!(word, "CREATE" | "REFERENCES" | "ALTER");
        if galera.is_some() && is_definition || !is_denied(conn, &sql).await? {
            continue;
        }
        match denied.iter_mut().find(|(other, _)| *other == table) {
            Some((_, words)) if words.contains(&word) => {}
            Some((_, words)) => words.push(word),
            None => denied.push((table, vec![word])),
        }
    }
    let mut missing = Vec::new();
    for (table, mut words) in denied {
        let name = backticked(&table);
        let what = format!("the account {account} may not {} on {name}", words.join(", "));
        // Without CREATE, nothing can be granted on a table that doesn't exist.
        if !words.contains(&"CREATE") && is_missing(conn, &table).await? {
            words.insert(0, "CREATE");
        }
        let remedy = format!("GRANT {} ON {database}.{name} TO {account};", words.join(", "));
        missing.push(MissingRight { what, remedy });
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(SchemaError::MayNot { missing }),
    }
}

async fn is_denied(conn: &mut Conn, sql: &str) -> Result<bool, Failure> {
    match conn.query_drop(sql).await {
        Ok(()) => Ok(false),
        // The actual statement will report any other obstacle.
        Err(Error::Server(error)) => Ok(matches!(error.code, 1044 | 1142 | 1143 | 1227)),
        Err(error) => Err(error.into()),
    }
}

fn trials(steps: &[Step]) -> Vec<Trial> {
    let mut trials = vec![trial("CREATE", RECORD_NAME)];
    trials.extend(["SELECT", "INSERT", "UPDATE"].map(|word| trial(word, RECORD_NAME)));
    for statement in steps.iter().flat_map(|step| statements(&step.sql)) {
        let Some(table) = statement.split('`').nth(1) else { continue };
        if statement.starts_with("CREATE TABLE") {
            trials.push(trial("CREATE", table));
            let parents = tables_behind(statement, "REFERENCES ");
            trials.extend(parents.map(|parent| trial("REFERENCES", parent)));
        } else if statement.starts_with("INSERT") {
            // An existing row is set to its present value, which is read for that.
            trials.extend(["SELECT", "INSERT", "UPDATE"].map(|word| trial(word, table)));
            trials.extend(tables_behind(statement, "FROM ").map(|table| trial("SELECT", table)));
        }
    }
    if steps.iter().any(|step| step.table == EXPIRES_AT_INDEX) {
        trials.push(trial("ALTER", OUTSTANDING));
    }
    trials
}

/// It touches no row, and no table has two columns of the same name.
fn trial(word: &'static str, table: &str) -> Trial {
    let name = backticked(table);
    let sql = match word {
        "CREATE" => format!("CREATE TABLE IF NOT EXISTS {name} (`a` int, `a` int)"),
        "REFERENCES" => format!(
            "CREATE TABLE IF NOT EXISTS {} (`a` int, `a` int, FOREIGN KEY (`a`) REFERENCES {name} \
             (`a`))",
            backticked(OUTSTANDING)
        ),
        "ALTER" => format!("ALTER TABLE {name} ADD INDEX `a` (`no such column`)"),
        "INSERT" => format!("INSERT INTO {name} (`name`) SELECT '' FROM DUAL WHERE FALSE"),
        "UPDATE" => format!("UPDATE {name} SET `name` = '' WHERE FALSE"),
        _ => format!("SELECT 1 FROM {name} WHERE FALSE"),
    };
    Trial { word, table: table.to_owned(), sql }
}

/// Returns the names that follow a word.
fn tables_behind<'a>(statement: &'a str, word: &'static str) -> impl Iterator<Item = &'a str> {
    let rests = statement.split(word).skip(1).filter_map(|rest| rest.strip_prefix('`'));
    rests.filter_map(|rest| rest.split_once('`').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_needs_is_read_out_of_its_statements() {
        let sql = "-- Locks\nCREATE TABLE IF NOT EXISTS `t` (`id` int, FOREIGN KEY (`id`) REFERENCES `u` \
                   (`id`));\nINSERT INTO `s` (`name`) SELECT '' FROM `t` ON DUPLICATE KEY UPDATE \
                   `name` = '';\n";
        let step = |table, sql: &str| Step { name: "a", table, sql: sql.to_owned() };
        let of = |step| {
            let trials = trials(&[step]).into_iter().skip(4);
            trials.map(|trial| (trial.word, trial.table)).collect::<Vec<_>>()
        };
        let pair = |word, table: &str| (word, table.to_owned());
        let made = [pair("CREATE", "t"), pair("REFERENCES", "u")];
        let filled = [pair("SELECT", "s"), pair("INSERT", "s"), pair("UPDATE", "s")];
        let expected = [&made[..], &filled, &[pair("SELECT", "t")]].concat();
        assert_eq!(of(step("t", sql)), expected);
        assert_eq!(of(step(EXPIRES_AT_INDEX, "ALTER TABLE `x`;")), [pair("ALTER", OUTSTANDING)]);
    }
}
