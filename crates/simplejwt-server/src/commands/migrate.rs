//! `simplejwt migrate [--check | --for-django]`

use std::process::ExitCode;

use super::block_on;
use crate::config::Loaded;
use crate::database::Database;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(loaded: &Loaded, check: bool, for_django: bool) -> Result<ExitCode, Failure> {
    let (done, told) = block_on(async {
        if !check {
            let database = Database::create(&loaded.config).await?;
            let done = database.migrate().await?;
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
        output::print(&format!("created {}\n", done.join(", ")))?;
    }
    match told {
        Some(told) if told.is_empty() => {
            output::print(
                "Django's tables are already recorded as migrated: `manage.py migrate` does the \
                rest\n",
            )?;
        }
        Some(told) => output::print(&format!(
            "recorded {} as migrated, for Django: run `manage.py migrate`, which does the rest\n",
            told.join(", ")
        ))?,
        None if done.is_empty() => output::print("nothing to do\n")?,
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}
