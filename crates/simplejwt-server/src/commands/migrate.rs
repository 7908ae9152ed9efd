//! `simplejwt migrate [--check]`

use std::process::ExitCode;

use crate::config::Loaded;
use crate::database::Database;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(loaded: &Loaded, check: bool) -> Result<ExitCode, Failure> {
    if check {
        let missing = Database::open(&loaded.config)?.missing()?;
        if missing.is_empty() {
            output::print("nothing to do\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        return Err(Failure::Failed(format!(
            "missing: {}: run `simplejwt migrate`",
            missing.join(", ")
        )));
    }
    let made = Database::create(&loaded.config)?.migrate()?;
    if made.is_empty() {
        output::print("nothing to do\n")?;
    } else {
        output::print(&format!("made {}\n", made.join(", ")))?;
    }
    Ok(ExitCode::SUCCESS)
}
