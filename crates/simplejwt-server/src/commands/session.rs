//! `simplejwt session list|end|end-all|move`

pub(crate) mod moving;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use simplejwt::sql::manage::ManageUsers;
use simplejwt::store::session::{EndReason, SessionSelector};
use simplejwt::{Auth, Error, UserId};

use super::{block_on, flows};
use crate::cli;
use crate::config::{Config, Loaded};
use crate::database::{self, Database};
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(loaded: &Loaded, command: cli::Session) -> Result<ExitCode, Failure> {
    block_on(async {
        let config = &loaded.config;
        match command {
            cli::Session::List { name } => Sessions::open(config).await?.list(&name).await,
            cli::Session::End { id } => Sessions::open(config).await?.end(id).await,
            cli::Session::EndAll { name } => Sessions::open(config).await?.end_all(&name).await,
            cli::Session::Move { to, dry_run } => moving::run(config, to, dry_run).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

struct Sessions {
    auth: Auth,
    users: Arc<dyn ManageUsers>,
}

impl Sessions {
    async fn open(config: &Config) -> Result<Self, Failure> {
        if !config.settings.has_sessions() {
            return Err(Failure::config(
                "there are no sessions: set token_blacklist = true in [simple_jwt] (and not \
                 enabled = false in [sessions]), and run `simplejwt migrate`",
            ));
        }
        let database = Database::open(config).await?;
        let users = database.users(config, database::hashing_pool(config)?).await?;
        let auth = flows::without_keys(config, &database, Arc::clone(&users)).await?;
        Ok(Self { auth, users })
    }

    async fn user(&self, name: &str) -> Result<UserId, Failure> {
        let user = self.users.by_username(name).await.map_err(|error| database::failed(&error))?;
        if let Some(user) = user {
            return Ok(user.id);
        }
        // A deleted user has no name any more, but may still have sessions.
        let id = UserId::from(name);
        let sessions = self.auth.sessions_of(&id).await.map_err(|error| flows::failed(&error))?;
        match sessions.is_empty() {
            false => Ok(id),
            true => Err(Failure::Failed(format!(
                "there is no user \"{name}\", and no session of a deleted user with this id"
            ))),
        }
    }

    async fn list(&self, name: &str) -> Result<(), Failure> {
        let user = self.user(name).await?;
        let sessions = self.auth.sessions_of(&user).await.map_err(|error| flows::failed(&error))?;
        let mut text = "id\topened\trefreshed\taddress\tuser agent\n".to_owned();
        for session in sessions {
            let time = |at: simplejwt::Timestamp| {
                jiff::Timestamp::from_second(at.as_secs())
                    .map_or_else(|_| String::new(), |t| t.to_string())
            };
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{}\t{}",
                session.id,
                time(session.created_at),
                time(session.refreshed_at),
                session.client.address.unwrap_or_default(),
                session.client.user_agent.unwrap_or_default(),
            );
        }
        output::print(&text)
    }

    async fn end(&self, id: String) -> Result<(), Failure> {
        let which = SessionSelector::One { id: id.clone(), user_id: None };
        match self.ended(which).await? {
            0 => Err(Failure::Failed(format!("there is no active session \"{id}\""))),
            _ => output::print("ended the session\n"),
        }
    }

    async fn end_all(&self, name: &str) -> Result<(), Failure> {
        let which = SessionSelector::All { user_id: self.user(name).await?, except: None };
        let ended = self.ended(which).await?;
        output::print(&format!("ended {ended} sessions of {name}\n"))
    }

    /// Ends sessions and returns their number.
    async fn ended(&self, which: SessionSelector) -> Result<u64, Failure> {
        match self.auth.end_sessions(which, EndReason::Staff).await {
            Ok(ended) => Ok(ended),
            // They ended after they were looked up.
            Err(Error::NoSuchUser) => Ok(0),
            Err(error) => Err(flows::failed(&error)),
        }
    }
}
