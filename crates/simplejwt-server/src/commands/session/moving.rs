//! `simplejwt session move`

use simplejwt::settings::Rows;
use simplejwt::store::rows::{RowSessions, TokenSessions};
use simplejwt::{Clock as _, Settings, SystemClock};

use crate::cli::RowsOf;
use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;
use crate::output;

/// Moves all sessions, or tells how many would be.
pub(super) async fn run(config: &Config, to: RowsOf, dry_run: bool) -> Result<(), Failure> {
    let rows = match to {
        RowsOf::Tokens => Rows::Tokens,
        RowsOf::Sessions => Rows::Sessions,
    };
    check(&config.settings, rows)?;
    let database = Database::open(config).await?;
    let (of_tokens, of_rows) = database.sessions_kept(SystemClock.now()).await?;
    let there = match rows {
        Rows::Sessions => of_tokens.live,
        Rows::Tokens => of_rows.live,
    };
    refuse_several(rows, of_tokens)?;
    if dry_run {
        return output::print(&format!("would move {there} live sessions\n"));
    }
    let moved = database.move_sessions(rows).await?;
    output::print(&format!("moved {moved} sessions\n"))?;
    output::print(&match config.settings.sessions.rows == rows {
        true => String::new(),
        false => {
            format!("now set rows = \"{}\" in [sessions], and start the servers\n", to.word())
        }
    })
}

/// Refuses settings with which the moved sessions couldn't go on.
fn check(settings: &Settings, rows: Rows) -> Result<(), Failure> {
    if !settings.has_sessions() {
        return Err(Failure::config(
            "there are no sessions: set token_blacklist = true in [simple_jwt] (and not enabled = \
             false in [sessions]), and run `simplejwt migrate`",
        ));
    }
    let mut settings = settings.clone();
    settings.sessions.rows = rows;
    settings.validate().map_err(|error| Failure::config(error.to_string()))
}

/// A session that is one row has one valid token: the others would be taken for spent.
fn refuse_several(rows: Rows, of_tokens: TokenSessions) -> Result<(), Failure> {
    match (rows, of_tokens.with_several) {
        (Rows::Tokens, _) | (_, 0) => Ok(()),
        (Rows::Sessions, several) => Err(Failure::Failed(format!(
            "{several} sessions have more than one valid refresh token, from rotations without \
             blacklisting or from Django: all but one would be taken for stolen. Turn on \
             BLACKLIST_AFTER_ROTATION and wait until the others have expired, or end these \
             sessions"
        ))),
    }
}

/// Returns the reason why the sessions of a database can't be used with this setting, if they
/// aren't kept as it says.
pub(crate) fn misplaced(
    rows: Rows,
    of_tokens: TokenSessions,
    of_rows: RowSessions,
) -> Option<String> {
    let (live, what, to) = match rows {
        Rows::Sessions => (of_tokens.live, "each of their tokens has a row", "sessions"),
        Rows::Tokens => (of_rows.live, "each of them is one row", "tokens"),
    };
    (live > 0).then(|| {
        format!(
            "{live} sessions aren't kept as rows = \"{to}\" in [sessions] says ({what}), and would \
             be forgotten: stop all servers and run `simplejwt session move --to {to}`"
        )
    })
}
