//! `simplejwt user add|set-password|delete|enable|disable|list`

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use simplejwt::event::Recorded;
use simplejwt::settings::RevocationMode;
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser};
use simplejwt::store::session::{EndReason, SessionSelector};
use simplejwt::{Auth, Error, User, UserId};
use zeroize::Zeroizing;

use super::{block_on, flows, password};
use crate::cli;
use crate::config::{Config, Loaded};
use crate::database::{self, Database};
use crate::failure::{Failure, chain};
use crate::output;

/// The attributes that Django compares passwords with, besides the login name.
const ATTRIBUTES: [&str; 3] = ["first_name", "last_name", "email"];
/// The number of users read at a time.
const PAGE: u32 = 500;

pub(crate) fn run(loaded: &Loaded, command: cli::User) -> Result<ExitCode, Failure> {
    let users = block_on(async {
        Users::open(&loaded.config, &Database::open(&loaded.config).await?).await
    })?;
    let text = match command {
        cli::User::Add { name, email, staff, superuser, password } => {
            let given = password::take(&password)?;
            let known = [("username", name.as_str()), ("email", email.as_str())];
            password::check(&password, &given, &known)?;
            let user = NewUser {
                username: name.clone(),
                email: email.clone(),
                is_staff: staff,
                is_superuser: superuser,
                ..NewUser::default()
            };
            let added = block_on(users.add(user, given.password.clone()))?;
            let as_stored = match added.username == name {
                true => String::new(),
                // The name is compared as it would be at a login, which doesn't normalize.
                false => " (as Django stores that name)".to_owned(),
            };
            given.message(&format!("added {}{as_stored}", added.username))
        }
        cli::User::SetPassword { name, password } => {
            let given = password::take(&password)?;
            let ended = block_on(async {
                let attributes = users.attributes(&name).await?;
                let known: Vec<_> =
                    attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
                password::check(&password, &given, &known)?;
                users.set_password(&name, given.password.clone()).await
            })?;
            given.message(&format!("set the password of {name}{}", sessions_ended(ended)))
        }
        cli::User::Enable { name } => {
            block_on(users.enable(&name))?;
            format!("enabled {name}\n")
        }
        cli::User::Disable { name } => {
            let ended = block_on(users.disable(&name))?;
            let access = match loaded.config.settings.sessions.revocation {
                RevocationMode::Stateless => "access tokens stay valid until they expire",
                RevocationMode::Feed | RevocationMode::Strict => "access tokens are refused",
            };
            format!("disabled {name}: no login, no refresh; {access}{}\n", sessions_ended(ended))
        }
        cli::User::Delete { name, yes } => {
            let asked = format!("Delete the user \"{}\" for good?", printable(&name));
            let ended = block_on(async {
                users.deletable(&name).await?;
                password::confirm(yes, &asked, "--yes")?;
                users.delete(&name).await
            })?;
            format!("deleted {}{}\n", printable(&name), sessions_ended(ended))
        }
        cli::User::List => return block_on(list(&users)),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The users, on whose side of the interface passwords are plain text.
pub(crate) struct Users {
    users: Arc<dyn ManageUsers>,
    pool: simplejwt::users::password::HashingPool,
    /// Ends the user's sessions and reports the event after a change.
    auth: Auth,
}

impl Users {
    pub(crate) async fn open(config: &Config, database: &Database) -> Result<Self, Failure> {
        let pool = database::hashing_pool(config)?;
        let users = database.users_with(config, pool.clone(), &ATTRIBUTES).await?;
        let auth = flows::without_keys(config, database, Arc::clone(&users)).await?;
        Ok(Self { users, pool, auth })
    }

    async fn id(&self, name: &str) -> Result<Option<UserId>, Failure> {
        let user = self.users.by_username(name).await.map_err(|error| database::failed(&error))?;
        Ok(user.map(|user| user.id))
    }

    /// Reports the change of a user, and ends the sessions that must end with it. Returns their
    /// number, or `None` without sessions.
    async fn changed<T>(
        &self,
        change: Result<Recorded<T>, ManageError>,
    ) -> Result<Option<u64>, Failure> {
        let change = change.map_err(|error| manage(&error))?;
        found(self.auth.user_recorded(&change.events).await)
    }

    /// Returns `true` if there is any user.
    pub(crate) async fn any(&self) -> Result<bool, Failure> {
        Ok(!self.page(None, 1).await?.is_empty())
    }

    /// Adds a user with this password, and returns the name as it is stored.
    pub(crate) async fn add(
        &self,
        user: NewUser,
        password: Zeroizing<String>,
    ) -> Result<User, Failure> {
        let user = NewUser { password: self.hash(password).await?, ..user };
        let added = self.users.create_user(user, &self.auth.cause()).await;
        let added = added.map_err(|error| manage(&error))?;
        found(self.auth.user_recorded(&added.events).await)?;
        Ok(added.outcome)
    }

    /// Returns the attributes of the user with this name, which the password must not resemble.
    async fn attributes(&self, name: &str) -> Result<Vec<(&'static str, String)>, Failure> {
        let user = self.users.by_username(name).await.map_err(|error| database::failed(&error))?;
        let Some(user) = user else {
            return Err(manage(&ManageError::NoSuchUser { username: name.to_owned() }));
        };
        let mut known = vec![("username", user.username)];
        for column in ATTRIBUTES {
            if let Some(text) = user.fields.get(column).and_then(|value| value.as_str()) {
                known.push((column, text.to_owned()));
            }
        }
        Ok(known)
    }

    /// Checks that nothing prevents the deletion of the user with this name.
    async fn deletable(&self, name: &str) -> Result<(), Failure> {
        let references = self.users.references(name).await.map_err(|error| manage(&error))?;
        match references.is_empty() {
            true => Ok(()),
            false => Err(manage(&ManageError::Referred { username: name.to_owned(), references })),
        }
    }

    /// Deletes the user with this name, and returns the number of sessions ended. The user can't
    /// log in any more from the moment the sessions are ended.
    async fn delete(&self, name: &str) -> Result<Option<u64>, Failure> {
        let ended = match self.users.set_active(name, false, &self.auth.cause()).await {
            Err(ManageError::NoColumn { .. }) => match self.id(name).await? {
                Some(user_id) => {
                    let which = SessionSelector::All { user_id, except: None };
                    found(self.auth.end_sessions(which, EndReason::User).await.map(Some))?
                }
                None => None,
            },
            disabled => self.changed(disabled).await?,
        };
        self.changed(self.users.delete_user(name, &self.auth.cause()).await).await?;
        Ok(ended)
    }

    /// Stores a new password, and returns the number of sessions ended.
    async fn set_password(
        &self,
        name: &str,
        password: Zeroizing<String>,
    ) -> Result<Option<u64>, Failure> {
        let hash = self.hash(password).await?;
        self.changed(self.users.set_password(name, &hash, &self.auth.cause()).await).await
    }

    async fn enable(&self, name: &str) -> Result<Option<u64>, Failure> {
        self.changed(self.users.set_active(name, true, &self.auth.cause()).await).await
    }

    /// Stops the user with this name from logging in, and returns the number of sessions ended.
    async fn disable(&self, name: &str) -> Result<Option<u64>, Failure> {
        self.changed(self.users.set_active(name, false, &self.auth.cause()).await).await
    }

    async fn page(&self, after: Option<&str>, size: u32) -> Result<Vec<User>, Failure> {
        self.users.list(after, size).await.map_err(|error| database::failed(&error))
    }

    async fn hash(&self, password: Zeroizing<String>) -> Result<String, Failure> {
        self.pool.encode(password).await.map_err(|error| {
            Failure::Failed(format!("the password can't be hashed: {}", chain(&error)))
        })
    }
}

fn sessions_ended(ended: Option<u64>) -> String {
    ended.map(|ended| format!("; ended {ended} sessions")).unwrap_or_default()
}

/// Returns the number of ended sessions. A user who has been deleted in the meantime has none.
fn found(ended: Result<Option<u64>, Error>) -> Result<Option<u64>, Failure> {
    match ended {
        Ok(ended) => Ok(ended),
        Err(Error::NoSuchUser | Error::SessionsDisabled) => Ok(None),
        Err(error) => Err(flows::failed(&error)),
    }
}

fn manage(error: &ManageError) -> Failure {
    match error {
        ManageError::Store(error) => database::failed(error),
        other => Failure::Failed(chain(other)),
    }
}

/// Prints the users page by page, because there may be millions.
async fn list(users: &Users) -> Result<ExitCode, Failure> {
    output::print("id\tname\tstate\n")?;
    let mut after: Option<String> = None;
    loop {
        let page = users.page(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(ExitCode::SUCCESS) };
        output::print(&page.iter().fold(String::new(), |mut text, user| {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{}\t{}\t{}", user.id, printable(&user.username), state(user));
            text
        }))?;
        after = Some(last.username.clone());
    }
}

/// Escapes a name, which may contain control sequences for the terminal.
fn printable(name: &str) -> String {
    name.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

fn state(user: &User) -> String {
    let mut words = vec![if user.is_active { "active" } else { "inactive" }];
    if user.is_staff {
        words.push("staff");
    }
    if user.is_superuser {
        words.push("superuser");
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use simplejwt::event::Actor;

    use super::*;
    use crate::config::DatabaseUrl;

    /// The commands use the flows, which report events.
    #[test]
    fn what_commands_do_is_told_as_the_operators() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.database.url = Some(DatabaseUrl::Sqlite(directory.path().join("db.sqlite3")));
        config.settings.token_blacklist = true;
        let told = Arc::new(Mutex::new(Vec::new()));
        let done = block_on(async {
            let database = Database::create(&config).await?;
            database.migrate().await?;
            let mut users = Users::open(&config, &database).await?;
            let kept = Arc::clone(&told);
            users.auth = users.auth.on_event(move |record| {
                assert!(matches!(record.actor, Actor::Operator { .. }), "{record:?}");
                let event = serde_json::to_value(&record.event).unwrap();
                let detail = event.get("change").or(event.get("reason")).cloned();
                let detail = detail.map(|detail| detail.as_str().unwrap().to_owned());
                kept.lock().unwrap().push((record.event.name(), detail.unwrap_or_default()));
            });
            let alice = NewUser { username: "alice".into(), ..NewUser::default() };
            users.add(alice, "a password".to_owned().into()).await?;
            users.set_password("alice", "another password".to_owned().into()).await?;
            users.disable("alice").await?;
            users.enable("alice").await?;
            users.delete("alice").await
        });
        assert_eq!(done.unwrap_or_default(), Some(0));
        let told = told.lock().unwrap();
        let told: Vec<_> = told.iter().map(|(name, detail)| (*name, detail.as_str())).collect();
        assert_eq!(
            told,
            [
                ("user_changed", "added"),
                ("sessions_ended", "password"),
                ("password_changed", ""),
                ("sessions_ended", "user"),
                ("user_changed", "disabled"),
                ("user_changed", "enabled"),
                ("sessions_ended", "user"),
                ("user_changed", "disabled"),
                ("user_changed", "deleted"),
            ]
        );
    }
}
