//! `simplejwt migrate [--check]`

use std::process::ExitCode;

use super::block_on;
use crate::config::Loaded;
use crate::database::Database;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(loaded: &Loaded, check: bool) -> Result<ExitCode, Failure> {
    let done = block_on(async {
        if !check {
            return Database::create(&loaded.config).await?.migrate().await;
        }
        let missing = Database::open(&loaded.config).await?.missing().await?;
        if missing.is_empty() {
            return Ok(missing);
        }
        Err(Failure::Failed(format!("missing: {}: run `simplejwt migrate`", missing.join(", "))))
    })?;
    if done.is_empty() {
        output::print("nothing to do\n")?;
    } else {
        output::print(&format!("made {}\n", done.join(", ")))?;
    }
    Ok(ExitCode::SUCCESS)
}
