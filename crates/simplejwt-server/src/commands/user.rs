//! `simplejwt user add|set-password|enable|disable|list`

use std::fmt::Write as _;
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::{block_on, password};
use crate::cli::User;
use crate::config::{Config, Loaded};
use crate::database::Database;
use crate::failure::Failure;
use crate::{app, output};

pub(crate) fn run(loaded: &Loaded, command: User) -> Result<ExitCode, Failure> {
    let config = &loaded.config;
    let database = Database::open_migrated(config)?;
    let users = Users::open(config, &database)?;
    let text = match command {
        User::Add { name, email, staff, superuser, password } => {
            check_name(&name)?;
            let given = password::take(&password)?;
            block_on(users.add(&name, &email, staff, superuser, given.password.clone()))?;
            given.told(&format!("added {name}"))
        }
        User::SetPassword { name, password } => {
            let given = password::take(&password)?;
            block_on(users.set_password(&name, given.password.clone()))?;
            given.told(&format!("set the password of {name}"))
        }
        User::Enable { name } => {
            block_on(users.set_active(&name, true))?;
            format!("{name} can log in\n")
        }
        User::Disable { name } => {
            block_on(users.set_active(&name, false))?;
            format!(
                "{name} can't log in or refresh any more; access tokens that are out are refused \
                 where the user's row is looked up\n"
            )
        }
        User::List => table(&block_on(users.list())?),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
