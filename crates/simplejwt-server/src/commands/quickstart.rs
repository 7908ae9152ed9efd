//! `simplejwt quickstart`: sets up a running service from nothing. Each step keeps what exists, so
//! an interrupted run can simply be repeated.

mod walkthrough;

use std::process::ExitCode;

use simplejwt::sql::manage::NewUser;
use simplejwt::users::password::random_password;
use simplejwt::{Algorithm, SigningKey};
use zeroize::Zeroizing;

use walkthrough::{quoted, walkthrough};

use super::{block_on, user};
use crate::cli::Quickstart;
use crate::config::{DatabaseUrl, Environment, Loaded};
use crate::database::Database;
use crate::failure::Failure;
use crate::realms::Realms;
use crate::reload::Reload;
use crate::serve::Signals;
use crate::tls::Tls;
use crate::{files, listening, output, serve, telemetry};

const CONFIG: &str = "simplejwt.toml";
const KEY: &str = "signing.key";
const FIRST_USER: &str = "admin";
/// The length of the first user's password: 119 bits.
const PASSWORD_LENGTH: usize = 20;

/// The initial content of the configuration file.
const CONTENT: &str = r#"# Written by `simplejwt quickstart`. `simplejwt config example` shows every setting.

[server]
# The address to listen on. 127.0.0.1 is for this machine only, 0.0.0.0 for everybody who can reach
# it. Tokens and passwords travel unencrypted: first put a proxy that terminates TLS in front.
bind = "127.0.0.1:8000"
# Serves /api/protected/ and /api/protected-stateless/, for trying out tokens. Turn it off in
# production.
demo = true

[database]
# Relative to this file.
path = "db.sqlite3"

[simple_jwt]
# Programs that check tokens themselves don't learn that a session has ended, so keep this short.
access_token_lifetime = "15m"
# The time that users can stay away without having to log in again.
refresh_token_lifetime = "7d"
# Each refresh issues a new refresh token and blacklists the old one, so a stolen one works at most
# once.
rotate_refresh_tokens = true
blacklist_after_rotation = true
# Tokens are registered in the database and can be blacklisted, which logging out needs.
token_blacklist = true
# Refresh tokens have an audience and a type of their own, so that programs that check either don't
# accept one in place of an access token.
refresh_audience = "simplejwt:refresh"
typ = "by_kind"
# Anybody who has this file can issue tokens for any user.
signing_key_file = "signing.key"
# Tokens name their key, so that others can follow it later.
kid = true

[sessions]
# Tokens carry the id of their session, so ending the session ends all of them.
session_claim = true
# For these seconds, a client whose answer got lost, or tabs that refresh at the same time, get the
# newest tokens again.
rotation_grace = 10
# After this time the user has to log in again, however often the session was refreshed.
lifetime = "90d"
# An access token of an ended session is refused within a second.
revocation = "feed"
# Somebody who reads the database finds no usable token.
token_at_rest = "redacted"

[password]
# A login replaces a stored hash that is weaker than new ones, and never a stronger one.
rehash = "stronger"
"#;

pub(crate) fn run(options: &Quickstart) -> Result<ExitCode, Failure> {
    let dir = &options.dir;
    files::private_directory(dir)?;
    if files::create_private(&dir.join(KEY), key()?.as_bytes())? {
        output::print(&format!("created {}, a random signing key\n", dir.join(KEY).display()))?;
    }
    if files::create_private(&dir.join(CONFIG), CONTENT.as_bytes())? {
        output::print(&format!("created {}\n", dir.join(CONFIG).display()))?;
    }

    let environment = Environment::of_process().serving_only();
    let mut loaded = crate::config::load(Some(&dir.join(CONFIG)), &environment)?;
    if let Some(bind) = &options.bind {
        loaded.config.server.bind = crate::config::bind(&bind.as_str().into())
            .map_err(|problem| Failure::Usage(format!("--bind {problem}")))?;
    }
    telemetry::warn(&loaded.warnings);
    telemetry::start(&loaded.config.log);
    block_on(prepare_and_serve(options, &loaded))?;
    Ok(ExitCode::SUCCESS)
}

fn key() -> Result<Zeroizing<String>, Failure> {
    let mut key = SigningKey::generate(Algorithm::Hs256)
        .map_err(|error| Failure::Failed(error.to_string()))?;
    key.push('\n');
    Ok(key)
}

async fn prepare_and_serve(options: &Quickstart, loaded: &Loaded) -> Result<(), Failure> {
    let (config, dir) = (&loaded.config, &options.dir);
    let path = config.database.url.as_ref().and_then(DatabaseUrl::path);
    let is_new = path.filter(|path| !path.exists());
    let database = Database::create(config).await?;
    let made = database.migrate().await?;
    if let Some(path) = is_new {
        output::print(&format!("created {}, the database\n", path.display()))?;
    } else if !made.is_empty() {
        output::print(&format!("created the tables {}\n", made.join(", ")))?;
    }
    let password = first_user(config, &database).await?;
    if options.no_serve {
        return output::print(&format!(
            "serve with: simplejwt serve --config {}\n",
            quoted(&dir.join(CONFIG)),
        ));
    }
    // With port 0, the port is only known once it is bound.
    let mut signals = Signals::new()?;
    let tls = Tls::new(&config.tls)?;
    let place = listening::take(&config.server).await?;
    let realms = Realms::build(loaded).await?;
    realms.start().await?;
    let listeners = place.listen()?;
    let file = dir.join(CONFIG);
    for listener in &listeners {
        if let Some(address) = listener.address()? {
            let password = password.as_deref().map(String::as_str);
            output::print(&walkthrough(address, config, &file, password))?;
        }
    }
    let environment = Environment::of_process().serving_only();
    let reload = Reload::new(Some(&file), environment, loaded, tls.as_ref(), realms.keys());
    serve::serve(listeners, realms.sites(), tls, config, reload, &mut signals).await
}

/// Adds the first user if there are no users, and returns its password, which is shown only once.
async fn first_user(
    config: &crate::config::Config,
    database: &Database,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let users = user::Users::open(config, database).await?;
    if users.any().await? {
        return Ok(None);
    }
    let password = random_password(PASSWORD_LENGTH);
    let admin = NewUser {
        username: FIRST_USER.into(),
        is_staff: true,
        is_superuser: true,
        ..NewUser::default()
    };
    users.add(admin, password.clone()).await?;
    output::print(&format!(
        "created the user {FIRST_USER} with the password {} (shown only once)\n",
        password.as_str()
    ))?;
    Ok(Some(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_configuration_is_the_recommended_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(CONFIG), CONTENT).unwrap();
        std::fs::write(dir.path().join(KEY), key().unwrap().as_bytes()).unwrap();
        let loaded =
            crate::config::load(Some(&dir.path().join(CONFIG)), &Environment::default()).unwrap();
        let settings = &loaded.config.settings;
        assert_eq!(settings.access_token_lifetime.as_secs(), 15 * 60);
        assert_eq!(settings.refresh_token_lifetime.as_secs(), 7 * 24 * 60 * 60);
        assert!(settings.rotate_refresh_tokens && settings.blacklist_after_rotation);
        assert!(settings.token_blacklist && loaded.config.server.demo);
        assert!(settings.key_set().is_ok());
        let path = dir.path().join("db.sqlite3");
        assert_eq!(loaded.config.database.url, Some(DatabaseUrl::Sqlite(path)));
    }
}
