//! Creating and changing users, for the command line.

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Row, Value, params};

use super::delete::{NotThere, UserFound};
use crate::error::{StoreError, StoreErrorKind};
use crate::event::{Cause, Recorded, UserChange};
use crate::mysql::MysqlUsers;
use crate::mysql::database::changed;
use crate::mysql::database::{Failure, attempt, begin, commit};
use crate::mysql::datetime::datetime;
use crate::mysql::schema;
use crate::sql::check::{Access, Lines, trial};
use crate::sql::lookup::nothing_of;
use crate::sql::manage::{
    Change, Field, ManageError, ManageUsers, NewUser, Reference, added, field_of, longest_name,
};
use crate::sql::naming::as_django;
use crate::sql::table::backticked;
use crate::users::login::LoginRows as _;
use crate::users::{User, UserId};

#[async_trait]
impl ManageUsers for MysqlUsers {
    async fn ping(&self, writes_last_login: bool) -> Result<(), StoreError> {
        let (sql, key) = (&self.sql, self.sql.login.any());
        let lines = Lines::Mysql { exact: String::new() };
        let trial =
            sql.table.last_login.as_deref().filter(|_| writes_last_login).map(|column| {
                trial(&backticked(&sql.table.table), Access::Update, &[column], &lines)
            });
        attempt!(self.database.attempts("ping"), |conn| async {
            sql.all(conn, &sql.by_login, &key).await?;
            match &trial {
                Some(trial) => Ok(conn.exec_drop(trial, ()).await?),
                None => Ok(()),
            }
        })
    }

    async fn create_user(
        &self,
        user: NewUser,
        cause: &Cause,
    ) -> Result<Recorded<User>, ManageError> {
        let user = as_django(user, &self.sql.table)?;
        let created = attempt!(self.database.attempts("create_user"), |conn| async {
            match self.create(conn, &user, cause).await {
                Err(failure) if failure.is_duplicate() => {
                    conn.query_drop("ROLLBACK").await?;
                    Ok(Err(ManageError::AlreadyExists { username: user.username.clone() }))
                }
                other => other,
            }
        });
        match created {
            Err(error) if error.is_of(&user.username) => {
                Err(ManageError::of_name(&self.sql.table, &user.username))
            }
            created => created?,
        }
    }

    async fn set_password(
        &self,
        username: &str,
        hash: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let (statement, change) = (&self.sql.set_password, Change::Password);
        self.change("set_password", statement, username, hash.into(), change, cause).await
    }

    async fn set_active(
        &self,
        username: &str,
        active: bool,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let Some(statement) = &self.sql.set_active else {
            let table = self.sql.table.table.clone();
            return Err(ManageError::NoColumn { table, setting: "is_active" });
        };
        let change = Change::active(active);
        self.change("set_active", statement, username, active.into(), change, cause).await
    }

    async fn references(&self, username: &str) -> Result<Vec<Reference>, ManageError> {
        let found = self.delete("references", username, false).await?;
        found.map(|found| found.references).map_err(|_| unknown(username))
    }

    async fn delete_user(
        &self,
        username: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        match self.delete("delete_user", username, true).await? {
            Err(NotThere) => Err(unknown(username)),
            Ok(UserFound { user_id, references }) if references.is_empty() => {
                Ok(Change::User(UserChange::Deleted).recorded(user_id, cause))
            }
            Ok(UserFound { references, .. }) => {
                Err(ManageError::Referred { username: username.to_owned(), references })
            }
        }
    }

    async fn by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        Ok(self.by_login(username).await?.map(|found| found.user))
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError> {
        let after = match after.map(|after| self.sql.login.parse_login(after)) {
            None => None,
            Some(Some(key)) => Some(key),
            // No user comes after a name that no user can have.
            Some(None) => return Ok(Vec::new()),
        };
        attempt!(self.database.attempts("list"), |conn| async {
            let rows: Vec<Row> = match &after {
                None => conn.exec(&self.sql.first_page, params! { "limit" => limit }).await?,
                Some(after) => {
                    let values = params! { "after" => Value::from(after), "limit" => limit };
                    conn.exec(&self.sql.next_page, values).await?
                }
            };
            rows.iter().map(|row| Ok(self.sql.found(row)?.user)).collect()
        })
    }
}

impl MysqlUsers {
    async fn change(
        &self,
        operation: &'static str,
        statement: &str,
        username: &str,
        value: Value,
        change: Change,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let Some(key) = self.sql.login.parse_login(username) else {
            return Err(ManageError::NoSuchUser { username: username.to_owned() });
        };
        let recorded = attempt!(self.database.attempts(operation), |conn| async {
            let values = params! { "value" => value.clone(), "key" => Value::from(&key) };
            begin(conn).await?;
            // A row that had the value already counts as not changed.
            changed(conn, statement, values).await?;
            let found = self.sql.all(conn, &self.sql.by_login, &key).await?.into_iter().next();
            let recorded = found.map(|found| change.recorded(found.user.id, cause));
            commit(conn).await?;
            Ok(recorded)
        });
        nothing_of(username, recorded)?.ok_or_else(|| unknown(username))
    }

    async fn create(
        &self,
        conn: &mut Conn,
        user: &NewUser,
        cause: &Cause,
    ) -> Result<Result<Recorded<User>, ManageError>, Failure> {
        let table = &self.sql.table;
        let columns = schema::columns(conn, &table.table).await?;
        let max = schema::find(&columns, &table.login)
            .map_or(usize::MAX, |column| longest_name(self.sql.login, &column.declared));
        if user.username.is_empty() || user.username.chars().count() > max {
            return Ok(Err(ManageError::BadUsername { max }));
        }
        let Some(key) = self.sql.login.parse_login(&user.username) else {
            return Ok(Err(ManageError::of_name(table, &user.username)));
        };
        let mut names = Vec::new();
        let mut values = Vec::new();
        let mut unknown = Vec::new();
        for column in &columns {
            match field_of(table, self.sql.key, &column.name, user, cause.at) {
                Some(field) => {
                    names.push(backticked(&column.name));
                    values.push(match column.name.eq_ignore_ascii_case(&table.login) {
                        true => Value::from(&key),
                        false => stored(field),
                    });
                }
                None if column.must_be_filled() => unknown.push(column.name.clone()),
                None => {}
            }
        }
        if !unknown.is_empty() {
            let table = table.table.clone();
            return Ok(Err(ManageError::UnknownColumns { table, columns: unknown }));
        }
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            backticked(&table.table),
            names.join(", "),
            vec!["?"; names.len()].join(", "),
        );
        begin(conn).await?;
        conn.exec_drop(insert, Params::Positional(values)).await?;
        let found = self.sql.all(conn, &self.sql.by_login, &key).await?;
        commit(conn).await?;
        Ok(match found.into_iter().next() {
            Some(found) => Ok(added(found.user, cause)),
            None => {
                let cause = "the new user isn't found by its name";
                let kind = StoreErrorKind::Incompatible;
                Err(StoreError::new("create_user", kind, cause).into())
            }
        })
    }
}

fn unknown(username: &str) -> ManageError {
    ManageError::NoSuchUser { username: username.to_owned() }
}

/// Returns the value as Django's MySQL backend stores it.
fn stored(field: Field) -> Value {
    match field {
        Field::Text(text) => text.into(),
        Field::Flag(flag) => flag.into(),
        Field::Uuid(digits) => digits.into(),
        Field::Time(at) => datetime(at),
    }
}
