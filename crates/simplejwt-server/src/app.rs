//! The configuration made into something that answers requests.

mod jwks;

use std::sync::Arc;

use axum::Router;
use simplejwt::settings::Revocation;
use simplejwt::web::axum::{RouterOptions, not_found, router_with};
use simplejwt::web::endpoint::Authentication;
use simplejwt::{Auth, Clock as _, KeySet, SessionStore, SystemClock, Tokens};

use crate::claims::ConfiguredClaims;
use crate::config::{self, Config};
use crate::database::{Database, hashing_pool};
use crate::failure::Failure;
use crate::health::{self, Health};
use crate::purge::Purge;

/// What is served.
pub(crate) struct App {
    pub(crate) router: Router,
    auth: Auth,
    store: Option<Arc<dyn SessionStore>>,
}

/// Everything that can be found wrong is found here, before anything listens.
///
/// # Errors
/// What is wrong with configuration, keys or database, and what to do about it.
pub(crate) async fn build(config: &Config) -> Result<App, Failure> {
    let tokens = tokens(config)?;
    let database = Database::open(config).await?;
    let users = database.users(config, hashing_pool(config)?).await?;
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
    let health = Health { auth: auth.clone(), users, store: store.clone() };
    let router = router_with(auth.clone(), &options(config))
        .merge(health::router(health))
        .fallback(not_found);
    Ok(App { router, auth, store })
}

impl App {
    /// What goes on beside the requests, for as long as the process lives.
    pub(crate) async fn start(&self, config: &Config) {
        if config.settings.sessions.revocation == Revocation::Feed {
            // A process that has just started knows what was revoked before it answers.
            if let Err(error) = self.auth.poll_revocations().await {
                tracing::warn!(?error, "the revocations can't be read yet");
            }
            let auth = self.auth.clone();
            tokio::spawn(async move { auth.follow_revocations(tokio::time::sleep).await });
        }
        if let (Some(store), Some(interval)) = (&self.store, config.database.purge_interval) {
            let holder = format!("{}-{}", std::process::id(), SystemClock.now().as_micros());
            let batch = config.database.purge_batch;
            let purge = Purge::new(Arc::clone(store), config, batch, holder);
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
