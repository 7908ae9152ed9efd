//! The configuration made into something that answers requests.

mod jwks;

use std::sync::Arc;

use axum::Router;
use simplejwt::web::axum::{RouterOptions, not_found, router_with};
use simplejwt::web::endpoint::Authentication;
use simplejwt::{Auth, KeySet, SystemClock, Tokens};

use crate::config::{self, Config};
use crate::database::{Database, hashing_pool};
use crate::failure::Failure;
use crate::health;

/// What is served.
pub(crate) struct App {
    pub(crate) router: Router,
}

/// Everything that can be found wrong is found here, before anything listens.
///
/// # Errors
/// What is wrong with configuration, keys or database, and what to do about it.
pub(crate) async fn build(config: &Config) -> Result<App, Failure> {
    let tokens = tokens(config)?;
    let database = Database::open(config)?;
    let users = database.users(config, hashing_pool(config)?)?;
    let mut auth = Auth::new(tokens).with_users(users.clone());
    let mut ready: Arc<dyn health::Ready> = Arc::new(health::Users(users));
    if config.settings.token_blacklist {
        let store = database.store()?;
        auth = auth.with_store(store.clone());
        ready = Arc::new(health::Tokens(store));
    }
    if config.settings.jwk_url.is_some() {
        jwks::keep_fresh(auth.clone()).await;
    }
    let router =
        router_with(auth, &options(config)).merge(health::router(ready)).fallback(not_found);
    Ok(App { router })
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
