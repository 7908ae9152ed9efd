//! `simplejwt migrate [--check | --for-django]`

use std::process::ExitCode;

use super::{Named, block_on};
use crate::config::Loaded;
use crate::database::Database;
use crate::failure::Failure;
use crate::output;

/// Migrates the realm that is named, or all of them.
pub(super) fn run(named: Named<'_>, check: bool, for_django: bool) -> Result<ExitCode, Failure> {
    let mut failures = Vec::new();
    for loaded in named.load_each()? {
        let done = one(&loaded, check, for_django);
        failures.extend(done.err().map(|failure| failure.of(&loaded.config.realm)));
    }
    Failure::one_or_all(failures)?;
    Ok(ExitCode::SUCCESS)
}

fn one(loaded: &Loaded, check: bool, for_django: bool) -> Result<(), Failure> {
    let label = loaded.config.realm.label();
    let (done, told) = block_on(async {
        if !check {
            let database = Database::create(&loaded.config).await?;
            let done = database.migrate().await?;
            database.mark(&loaded.config).await?;
            let told = match for_django {
                true => Some(database.tell_django(&loaded.config).await?),
                false => None,
            };
            return Ok((done, told));
        }
        let missing = Database::open(&loaded.config).await?.missing().await?;
        if missing.is_empty() {
            return Ok((missing, None));
        }
        Err(Failure::Failed(format!("missing: {}: run `simplejwt migrate`", missing.join(", "))))
    })?;
    if !done.is_empty() {
        output::print(&format!("{label}created {}\n", done.join(", ")))?;
    }
    match told {
        Some(told) if told.is_empty() => {
            output::print(&format!(
                "{label}Django's tables are already recorded as migrated: `manage.py migrate` does \
                 the rest\n",
            ))?;
        }
        Some(told) => output::print(&format!(
            "{label}recorded {} as migrated, for Django: run `manage.py migrate`, which does the rest\n",
            told.join(", ")
        ))?,
        None if done.is_empty() => output::print(&format!("{label}nothing to do\n"))?,
        None => {}
    }
    Ok(())
}
