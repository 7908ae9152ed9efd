//! The configuration made into something that answers requests.

mod jwks;

use std::sync::Arc;

use axum::Router;
use simplejwt::settings::Revocation;
use simplejwt::users::manage::ManageUsers;
use simplejwt::users::password::HashingPool;
use simplejwt::web::axum::{RouterOptions, not_found, router_with};
use simplejwt::web::endpoint::Authentication;
use simplejwt::{Auth, Clock as _, KeySet, SessionStore, SystemClock, Tokens};

use crate::claims::ConfiguredClaims;
use crate::config::{self, Config};
use crate::database::{self, Database, hashing_pool};
use crate::failure::Failure;
use crate::hashes;
use crate::health::{self, Health};
use crate::purge::Purge;

/// What is served.
pub(crate) struct App {
    pub(crate) router: Router,
    auth: Auth,
    users: Arc<dyn ManageUsers>,
    passwords: HashingPool,
    store: Option<Arc<dyn SessionStore>>,
}

/// Everything that can be found wrong is found here, before anything listens.
///
/// # Errors
/// What is wrong with configuration, keys or database, and what to do about it.
pub(crate) async fn build(config: &Config) -> Result<App, Failure> {
    let tokens = tokens(config)?;
    let database = Database::open(config).await?;
    let passwords = hashing_pool(config)?;
    let users = database.users(config, passwords.clone()).await?;
    let mut auth = Auth::new(tokens).with_shared_users(users.clone());
    if !config.claims.added.is_empty() {
        auth = auth.with_hooks(ConfiguredClaims::new(&config.claims, users.clone()).await?);
    }
    let mut store = None;
    if config.settings.token_blacklist {
        let tokens = database.store().await?;
        auth = auth.with_shared_sessions(Arc::clone(&tokens));
        store = Some(tokens);
    }
    auth.check().map_err(|error| Failure::config(error.to_string()))?;
    if config.settings.jwk_url.is_some() {
        jwks::keep_fresh(auth.clone()).await;
    }
    let health = Health { auth: auth.clone(), users: users.clone(), store: store.clone() };
    let router = router_with(auth.clone(), &options(config))
        .merge(health::router(health))
        .fallback(not_found);
    Ok(App { router, auth, users, passwords, store })
}

impl App {
    /// What is allowed but may surprise: of the stored password hashes.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn warnings(&self, config: &Config) -> Result<Vec<String>, Failure> {
        let survey = self.users.survey_passwords().await;
        let survey = survey.map_err(|error| database::failed(&error))?;
        // Without it, what computations take on common hardware goes.
        if let Err(error) = self.passwords.calibrate(survey.clone()).await {
            tracing::warn!(%error, "what a password hash takes can't be measured");
        }
        Ok(hashes::warnings(&config.password, self.passwords.hashers(), &survey))
    }

    /// What goes on beside the requests, for as long as the process lives.
    pub(crate) async fn start(&self, config: &Config) {
        // The first refused login, too, takes as much work as the costliest hash in the table.
        match self.warnings(config).await {
            Ok(warnings) => warnings.iter().for_each(|warning| tracing::warn!("{warning}")),
            Err(error) => tracing::warn!(%error, "the password hashes can't be read yet"),
        }
        if config.settings.sessions.revocation == Revocation::Feed {
            // A process that has just started knows what was revoked before it answers.
            if let Err(error) = self.auth.poll_revocations().await {
                tracing::warn!(?error, "the revocations can't be read yet");
            }
            let auth = self.auth.clone();
            tokio::spawn(async move { auth.follow_revocations(tokio::time::sleep).await });
        }
        if let (Some(store), Some(interval)) = (&self.store, config.database.purge_interval) {
            let purge = Purge {
                store: Arc::clone(store),
                batch: config.database.purge_batch,
                with_sessions: config.settings.has_sessions(),
                holder: format!("{}-{}", std::process::id(), SystemClock.now().as_micros()),
            };
            tokio::spawn(purge.every(interval));
        }
    }
}

fn options(config: &Config) -> RouterOptions {
    let server = &config.server;
    RouterOptions {
        prefix: server.prefix.clone(),
        append_slash: server.append_slash,
        demo: server.demo,
        authentication: match server.authentication {
            config::Authentication::User => Authentication::User,
            config::Authentication::Stateless => Authentication::Stateless,
        },
        username_field: config.users.username_field.clone(),
        body_limit: server.body_limit,
        gateway: config.gateway.clone(),
        clients: config.oauth_clients.clone(),
    }
}

/// The tokens, with the configured keys.
pub(crate) fn tokens(config: &Config) -> Result<Tokens, Failure> {
    let keys = key_set(config)?;
    Tokens::with(config.settings.clone(), keys, Arc::new(SystemClock))
        .map_err(|error| Failure::config(error.to_string()))
}

/// The configured keys.
pub(crate) fn key_set(config: &Config) -> Result<KeySet, Failure> {
    let settings = &config.settings;
    let keys = match &settings.jwk_url {
        Some(url) => settings.key_set_from(jwks::JwkUrl::new(url)?),
        None => settings.key_set(),
    };
    keys.map_err(|error| Failure::config(error.to_string()))
}
