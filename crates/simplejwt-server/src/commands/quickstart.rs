//! `simplejwt quickstart`: from nothing to a running service. Each step leaves alone what is
//! there, so one that was interrupted is taken up where it ended.

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
use crate::reload::Reload;
use crate::serve::Signals;
use crate::tls::Tls;
use crate::{app, files, listening, output, serve, telemetry};

const CONFIG: &str = "simplejwt.toml";
const KEY: &str = "signing.key";
const FIRST_USER: &str = "admin";
/// 119 bits.
const PASSWORD_LENGTH: usize = 20;

/// What the configuration file holds at first.
const CONTENT: &str = r#"# Made by `simplejwt quickstart`. `simplejwt config example` shows everything that can stand here.

[server]
# Where to listen. 127.0.0.1 is this machine only; 0.0.0.0 is everybody who can reach it. Tokens
# and passwords travel in the clear: put a TLS-terminating proxy in front before you open it.
bind = "127.0.0.1:8000"
# /api/protected/ and /api/protected-stateless/, to try tokens on. Switch it off in production.
demo = true

[database]
# Relative to this file.
path = "db.sqlite3"

[simple_jwt]
# A program that checks tokens by itself doesn't hear that a session has ended: minutes.
access_token_lifetime = "15m"
# How long somebody may stay away without having to log in again.
refresh_token_lifetime = "7d"
# Each refresh gives a new refresh token, and ends the old one: a stolen one works once at most.
rotate_refresh_tokens = true
blacklist_after_rotation = true
# Tokens are registered in the database and can be blacklisted: logging out works.
token_blacklist = true
# Whoever has this file can make tokens for anybody.
signing_key_file = "signing.key"

[sessions]
# Tokens say which session they belong to, so that ending it ends them all.
session_claim = true
# An answer that got lost, or twenty tabs that refresh at once, get the newest tokens again.
rotation_grace = 10
# However often it is refreshed, after this somebody has to log in again.
lifetime = "90d"
# An access token of an ended session is refused within a second.
revocation = "feed"
# Whoever reads the database finds no token that works.
token_at_rest = "redacted"

[password]
# A login makes a stored hash anew that took less work than new ones take, and never a stronger one.
rehash = "stronger"
"#;

pub(crate) fn run(options: &Quickstart) -> Result<ExitCode, Failure> {
    let dir = &options.dir;
    files::private_directory(dir)?;
    if files::create_private(&dir.join(KEY), key()?.as_bytes())? {
        output::print(&format!("made {}, a random signing key\n", dir.join(KEY).display()))?;
    }
    if files::create_private(&dir.join(CONFIG), CONTENT.as_bytes())? {
        output::print(&format!("made {}\n", dir.join(CONFIG).display()))?;
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
        output::print(&format!("made {}, the database\n", path.display()))?;
    } else if !made.is_empty() {
        output::print(&format!("made the tables {}\n", made.join(", ")))?;
    }
    let password = first_user(config, &database).await?;
    if options.no_serve {
        return output::print(&format!(
            "serve with: simplejwt serve --config {}\n",
            quoted(&dir.join(CONFIG)),
        ));
    }
    // The port may be known only once it is taken.
    let mut signals = Signals::new()?;
    let tls = Tls::new(&config.tls)?;
    let place = listening::take(&config.server).await?;
    let app = app::build(config).await?;
    app.start(config).await;
    let listeners = place.listen()?;
    let file = dir.join(CONFIG);
    for listener in &listeners {
        if let Some(address) = listener.address()? {
            let password = password.as_deref().map(String::as_str);
            output::print(&walkthrough(address, config, &file, password))?;
        }
    }
    let environment = Environment::of_process().serving_only();
    let tokens = app.tokens().clone();
    let reload = Reload::new(Some(&file), environment, loaded, tls.as_ref(), tokens);
    serve::serve(listeners, app.site, tls, config, reload, &mut signals).await
}

/// Adds the first user if there is none at all, and gives the password that nobody will see
/// again.
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
        "made the user {FIRST_USER} with the password {} (shown this once)\n",
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
