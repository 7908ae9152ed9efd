//! The flows as commands use them: the same as the server's, with an operator as the actor.

use std::sync::Arc;

use simplejwt::event::Actor;
use simplejwt::sql::manage::ManageUsers;
use simplejwt::{Auth, Error, KeySet, SystemClock, Tokens};

use crate::config::Config;
use crate::database::{self, Database};
use crate::failure::{Failure, chain};

/// Returns flows with these users on this database. They need no keys, because these commands use
/// no tokens.
pub(super) async fn without_keys(
    config: &Config,
    database: &Database,
    users: Arc<dyn ManageUsers>,
) -> Result<Auth, Failure> {
    let tokens = Tokens::with(config.settings.clone(), KeySet::none(), Arc::new(SystemClock))
        .map_err(|error| Failure::config(error.to_string()))?;
    let auth = by_operator(tokens).with_shared_users(users);
    Ok(match config.settings.has_sessions() {
        true => auth.with_shared_sessions(database.store().await?),
        false => auth,
    })
}

/// Returns flows with these tokens and the blacklist of this database.
pub(super) async fn with_blacklist(tokens: Tokens, database: &Database) -> Result<Auth, Failure> {
    Ok(by_operator(tokens).with_shared_sessions(database.store().await?))
}

fn by_operator(tokens: Tokens) -> Auth {
    Auth::new(tokens).acting_as(Actor::Operator { account: account() })
}

/// Returns the operating system account from the environment: the one that called sudo, if sudo was
/// used.
fn account() -> Option<String> {
    let named = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME"))
}

/// Turns the error of a flow into the failure of a command.
pub(super) fn failed(error: &Error) -> Failure {
    match error {
        Error::Store(error) => database::failed(error),
        other => Failure::Failed(chain(other)),
    }
}
