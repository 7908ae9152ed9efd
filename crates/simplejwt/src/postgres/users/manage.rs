//! Creating and changing users, for the command line.

use async_trait::async_trait;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::delete::{NotThere, UserFound};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Cause, Recorded, UserChange};
use crate::postgres::PostgresUsers;
use crate::postgres::refusal::Refusal;
use crate::postgres::tokens::{moment, parameter};
use crate::postgres::{run, schema};
use crate::sql::check::{Access, Lines, trial};
use crate::sql::lookup::nothing_of;
use crate::sql::manage::{
    Change, Field, ManageError, ManageUsers, NewUser, Reference, added, field_of, longest_name,
};
use crate::sql::naming::as_django;
use crate::sql::table::{quoted, relation};
use crate::users::login::LoginRows as _;
use crate::users::{User, UserId};

/// Values for columns, cast from text to their types.
struct Filled {
    names: Vec<String>,
    values: Vec<String>,
    casts: Vec<String>,
}

impl PostgresUsers {
    async fn fill(&self, user: &NewUser, at: Timestamp) -> Result<Filled, ManageError> {
        let table = &self.sql.table;
        let found = run!(self.database, "create_user", |client| {
            schema::table(&client, &table.table, &table.table)
        })?;
        let login = self.sql.login.kind;
        let max = found.column(&table.login).map_or(usize::MAX, |c| longest_name(login, &c.kind));
        let bad = user.username.is_empty()
            || user.username.chars().count() > max
            || user.username.contains('\0');
        if bad {
            return Err(ManageError::BadUsername { max });
        }
        if self.sql.login.kind.parse_login(&user.username).is_none() {
            return Err(ManageError::of_name(table, &user.username));
        }
        let mut filled = Filled { names: Vec::new(), values: Vec::new(), casts: Vec::new() };
        let mut unknown = Vec::new();
        for column in &found.columns {
            match field_of(table, self.sql.key, &column.name, user, at) {
                Some(field) => {
                    filled.names.push(quoted(&column.name));
                    filled.values.push(text_of(field, &column.declared));
                    filled.casts.push(column.declared.clone());
                }
                None if column.must_be_filled() => unknown.push(column.name.clone()),
                None => {}
            }
        }
        match unknown.is_empty() {
            true => Ok(filled),
            false => {
                Err(ManageError::UnknownColumns { table: table.table.clone(), columns: unknown })
            }
        }
    }

    async fn change(
        &self,
        operation: &'static str,
        statement: &str,
        username: &str,
        value: &str,
        change: Change,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let Some(key) = self.sql.login.kind.parse_login(username).map(parameter) else {
            return Err(ManageError::NoSuchUser { username: username.to_owned() });
        };
        // A block of its own, which `?` leaves instead of this function.
        let changed = async {
            run!(self.database, operation, |client| async {
                let transaction = client.transaction().await?;
                let statement = transaction.prepare_cached(statement).await?;
                transaction.execute(&statement, &[&value, &key]).await?;
                let found = self.sql.by_login(&transaction, &key).await?;
                let recorded = found.map(|found| change.recorded(found.user.id, cause));
                transaction.commit().await?;
                Ok(recorded)
            })
        };
        nothing_of(&key, changed.await)?.ok_or_else(|| unknown(username))
    }
}

/// Returns a value as text that PostgreSQL casts to the column's type.
fn text_of(field: Field, declared: &str) -> String {
    match field {
        Field::Text(text) | Field::Uuid(text) => text,
        Field::Flag(flag) if declared == "boolean" => flag.to_string(),
        Field::Flag(flag) => u8::from(flag).to_string(),
        Field::Time(at) => moment(at).to_string(),
    }
}

fn is_duplicate(error: &StoreError) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<Refusal>())
        .and_then(|refusal| refusal.0.code())
        .is_some_and(|code| *code == SqlState::UNIQUE_VIOLATION)
}

fn unknown(username: &str) -> ManageError {
    ManageError::NoSuchUser { username: username.to_owned() }
}

#[async_trait]
impl ManageUsers for PostgresUsers {
    async fn ping(&self, writes_last_login: bool) -> Result<(), StoreError> {
        let (sql, key) = (&self.sql, parameter(self.sql.login.kind.any()));
        let trial = sql.table.last_login.as_deref().filter(|_| writes_last_login).map(|column| {
            trial(&relation(&sql.table.table), Access::Update, &[column], &Lines::Postgres)
        });
        run!(self.database, "ping", |client| async {
            let statement = client.prepare_cached(&sql.by_login).await?;
            client.query(&statement, &[&key]).await?;
            if let Some(trial) = &trial {
                let statement = client.prepare_cached(trial).await?;
                client.execute(&statement, &[]).await?;
            }
            Ok(())
        })
    }

    async fn create_user(
        &self,
        user: NewUser,
        cause: &Cause,
    ) -> Result<Recorded<User>, ManageError> {
        let user = as_django(user, &self.sql.table)?;
        let filled = self.fill(&user, cause.at).await?;
        let casts: Vec<_> = filled
            .casts
            .iter()
            .enumerate()
            .map(|(at, cast)| format!("CAST(${}::text AS {cast})", at + 1))
            .collect();
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            relation(&self.sql.table.table),
            filled.names.join(", "),
            casts.join(", "),
        );
        let values: Vec<&(dyn ToSql + Sync)> =
            filled.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let Some(key) = self.sql.login.kind.parse_login(&user.username).map(parameter) else {
            return Err(ManageError::of_name(&self.sql.table, &user.username));
        };
        // A block of its own, which `?` leaves instead of this function.
        let inserted = async {
            run!(self.database, "create_user", |client| async {
                let transaction = client.transaction().await?;
                transaction.execute(&insert, &values).await?;
                let found = self.sql.by_login(&transaction, &key).await?;
                let created = found.map(|found| added(found.user, cause));
                transaction.commit().await?;
                Ok(created)
            })
        };
        match inserted.await {
            Ok(Some(created)) => Ok(created),
            Ok(None) => Err(ManageError::NoSuchUser { username: user.username }),
            Err(error) if is_duplicate(&error) => {
                Err(ManageError::AlreadyExists { username: user.username })
            }
            Err(error) if error.is_of(&user.username) => {
                Err(ManageError::of_name(&self.sql.table, &user.username))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn set_password(
        &self,
        username: &str,
        hash: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let (statement, change) = (&self.sql.set_password, Change::Password);
        self.change("set_password", statement, username, hash, change, cause).await
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
        let (value, change) = (if active { "1" } else { "0" }, Change::active(active));
        self.change("set_active", statement, username, value, change, cause).await
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
        let after = match after.map(|after| self.sql.login.kind.parse_login(after)) {
            None => None,
            Some(Some(key)) => Some(parameter(key)),
            // No user comes after a name that no user can have.
            Some(None) => return Ok(Vec::new()),
        };
        run!(self.database, "list", |client| async {
            let statement = client.prepare_cached(&self.sql.page).await?;
            let rows = client.query(&statement, &[&after, &i64::from(limit)]).await?;
            rows.iter().map(|row| Ok(self.sql.found(row)?.user)).collect()
        })
    }
}
