//! Builds the running application of a realm from its configuration.

mod forward;
mod jwks;
mod proxy;

use std::sync::{Arc, Mutex, PoisonError};

use simplejwt::settings::RevocationMode;
use simplejwt::sql::manage::ManageUsers;
use simplejwt::store::ThrottleStore;
use simplejwt::users::password::HashingPool;
use simplejwt::web::axum::{PlainPathsLayer, RouterOptions, not_found, router_with};
use simplejwt::web::cors::AllowedOriginsLayer;
use simplejwt::{Auth, Clock as _, KeySet, SessionStore, SystemClock, Tokens};
use tower::Layer as _;

use crate::claims::ConfiguredClaims;
use crate::config::{Config, Realm};
use crate::database::{self, Database, hashing_pool};
use crate::endpoints::Endpoints;
use crate::failure::{Failure, chain};
use crate::front;
use crate::hashes;
use crate::health::{self, Health, Probe, Probed, RealmHealth};
use crate::key_ring::{Base, Following, Ring};
use crate::purge::{Purge, Stop};
use crate::realms::Site;
use crate::supervisor::{self, Need, Supervisor};
use crate::throttle;

/// The application that answers the requests for a realm.
pub(crate) struct App {
    realm: Realm,
    auth: Auth,
    users: Arc<dyn ManageUsers>,
    passwords: HashingPool,
    store: Option<Arc<dyn SessionStore>>,
    /// The counters of failed logins that are shared with other processes.
    counters: Option<Arc<dyn ThrottleStore>>,
    probed: Probed,
    probe: Probe,
    tasks: Supervisor,
    purge: Stop,
    /// The keys that follow each other, until the task has them.
    ring: Mutex<Option<Following>>,
    /// The keys of the settings beside them.
    base: Option<Base>,
    /// Warnings about the database: they keep no request from being answered, or are temporary.
    database_warnings: Vec<String>,
}

/// Builds the application. It finds every error that it can, before anything listens. Its tasks will
/// be added to `tasks`.
///
/// # Errors
/// The errors in configuration, keys or database, each with what to do about it.
pub(crate) async fn build(config: &Config, tasks: &Supervisor) -> Result<App, Failure> {
    let tasks = tasks.for_realm(config.realm.name().cloned());
    let tokens = tokens(config)?;
    let database = Database::open(config).await?;
    let database_warnings = database.refuse_errors(config).await?;
    database.mark(config).await?;
    let passwords = hashing_pool(config)?;
    let users = database.users(config, passwords.clone()).await?;
    let ring = match Ring::beside(config, &database)? {
        Some(ring) => Some(Following::begin(ring, tokens.clone()).await?),
        None => None,
    };
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
    let mut counters = None;
    if let Some(configured) = throttle::configured(config, &database).await {
        auth = auth.with_throttle(configured.throttle);
        counters = configured.counters;
    }
    auth.check().map_err(|error| Failure::config(error.to_string()))?;
    let probed = Probed {
        users: users.clone(),
        writes_last_login: config.settings.update_last_login,
        store: store.clone(),
        with_sessions: config.settings.has_sessions(),
        limit: config.database.operation_timeout,
    };
    let probe = Probe::new(probed.clone());
    let purge = Stop::default();
    let base = ring.as_ref().map(|ring: &Following| ring.base().clone());
    let ring = Mutex::new(ring);
    Ok(App {
        realm: config.realm.clone(),
        auth,
        users,
        passwords,
        store,
        counters,
        probed,
        probe,
        tasks,
        purge,
        ring,
        base,
        database_warnings,
    })
}

impl App {
    /// Returns the name of the realm, if there are several.
    pub(crate) fn realm(&self) -> Option<&Arc<str>> {
        self.realm.name()
    }

    /// Returns what has to work for its requests to be answered.
    pub(crate) fn health(&self) -> RealmHealth {
        let (auth, probe) = (self.auth.clone(), self.probe.clone());
        RealmHealth { realm: self.realm.name().cloned(), auth, probe }
    }

    /// Returns the parts that answer requests, and the paths that aren't below the realm's prefix.
    pub(crate) fn site(&self, config: &Config, health: &Health) -> (Site, Vec<String>) {
        let (auth, options) = (&self.auth, options(config));
        let endpoints = Endpoints::new(auth.clone(), options.clone());
        let mut router = router_with(auth.clone(), &options);
        // Health, and the page at the root, aren't a prefix's.
        if self.realm.root_path().is_empty() {
            router = router
                .merge(front::router(health.clone(), config))
                .merge(health::router(health.clone()));
        }
        let router = router.fallback(not_found);
        let has_origins = !config.settings.allowed_origins.is_empty();
        let cors = has_origins.then(|| AllowedOriginsLayer::new(&config.settings));
        let router = match &cors {
            // Health and what no route takes, too.
            Some(cors) => router.layer(cors.clone()),
            None => router,
        };
        let router = axum::Router::new().fallback_service(PlainPathsLayer.layer(router));
        let below = format!("{}/", self.realm.root_path());
        let routes = options.routes(&config.settings).into_iter().map(|route| route.path);
        let outside = routes.filter(|path| !path.starts_with(&below)).collect();
        let realm = self.realm.name().cloned();
        let site = Site { realm, endpoints: Some(endpoints), router, cors };
        (site, outside)
    }

    /// Returns the tokens, which sign and verify.
    pub(crate) fn tokens(&self) -> &Tokens {
        self.auth.tokens()
    }

    /// Returns the keys of the settings, if others follow them.
    pub(crate) fn base_keys(&self) -> Option<Base> {
        self.base.clone()
    }

    /// Returns warnings about the settings and the stored password hashes: things that are allowed
    /// but may surprise.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) async fn warnings(&self, config: &Config) -> Result<Vec<String>, Failure> {
        let mut warnings = config.settings.warnings();
        warnings.extend(self.hash_warnings(config).await?);
        Ok(warnings)
    }

    async fn hash_warnings(&self, config: &Config) -> Result<Vec<String>, Failure> {
        let survey = self.users.survey_passwords().await;
        let survey = survey.map_err(|error| database::failed(&error))?;
        // Without the calibration, durations of common hardware are used.
        if let Err(error) = self.passwords.calibrate(survey.clone()).await {
            let error = chain(&error);
            tracing::warn!(
                event = "hash_cost_unknown",
                error,
                "the cost of a password hash can't be measured"
            );
        }
        Ok(hashes::warnings(&config.password, self.passwords.hashers(), &survey))
    }

    /// Starts the tasks that run beside the requests for as long as the process lives.
    ///
    /// # Errors
    /// A signing key is due, and can't be made.
    pub(crate) async fn start(&self, config: &Config) -> Result<(), Failure> {
        for warning in config.settings.warnings().iter().chain(&self.database_warnings) {
            tracing::warn!(event = "warning", "{warning}");
        }
        self.probe.start(&self.tasks);
        if !config.settings.jwk_url.is_empty() {
            jwks::keep_fresh(&self.auth, &self.tasks).await;
        }
        self.follow_ring().await?;
        // Even the first refused login takes as much work as the costliest hash in the table.
        match self.hash_warnings(config).await {
            Ok(warnings) => {
                for warning in warnings {
                    tracing::warn!(event = "warning", "{warning}");
                }
            }
            Err(error) => {
                tracing::warn!(
                    event = "hash_sample_failed",
                    %error,
                    "the password hashes can't be read yet"
                );
            }
        }
        if config.settings.sessions.revocation == RevocationMode::Feed {
            // A process that has just started knows the revocations before it answers.
            match supervisor::caught(self.auth.poll_revocations()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let error = chain(&error);
                    tracing::warn!(
                        event = "feed_interrupted",
                        error,
                        "the revocations can't be read yet"
                    );
                }
                Err(supervisor::Panicked) => {
                    tracing::error!(event = "feed_interrupted", "reading the revocations panicked");
                }
            }
            let auth = self.auth.clone();
            self.tasks.start("feed", Need::Essential, move || {
                let auth = auth.clone();
                async move {
                    auth.follow_revocations(tokio::time::sleep).await;
                    Err("the feed of revocations ended".into())
                }
            });
        }
        if let (Some(counters), Some(interval)) = (&self.counters, config.database.purge_interval) {
            throttle::start_purge(counters, interval, &self.tasks);
        }
        if let (Some(store), Some(interval)) = (&self.store, config.database.purge_interval) {
            let (store, config, stop) = (Arc::clone(store), config.clone(), self.purge.clone());
            // The holder stays the same after a restart of the task, so the lease is still its own.
            let holder = format!("{}-{}", std::process::id(), SystemClock.now().as_micros());
            self.tasks.start("purge", Need::Helpful, move || {
                let batch = config.database.purge_batch;
                let (store, stop) = (Arc::clone(&store), stop.clone());
                let purge = Purge::new(store, &config, batch, holder.clone(), stop);
                async move { Err(purge.every(interval).await.into()) }
            });
        }
        Ok(())
    }

    async fn follow_ring(&self) -> Result<(), Failure> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut following) = ring else { return Ok(()) };
        following.advance().await?;
        let following = Arc::new(tokio::sync::Mutex::new(following));
        self.tasks.start("key_ring", Need::Essential, move || {
            let following = Arc::clone(&following);
            async move {
                following.lock().await.follow().await;
                Err("the keys are no longer followed".into())
            }
        });
        Ok(())
    }

    /// Returns what ends the purge between two transactions.
    pub(crate) fn purge(&self) -> &Stop {
        &self.purge
    }

    /// Probes the database once, with the reads and writes of a login.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) async fn probe(&self) -> Result<(), Failure> {
        self.probed.once().await.map_err(|error| database::failed(&error))
    }
}

/// Fetches the keys behind `JWK_URL` once and returns a report of them, which is empty without that
/// setting.
///
/// # Errors
/// A source from which there is no key to verify with.
pub(crate) async fn check_keys(tokens: &Tokens) -> Result<String, Failure> {
    match tokens.keys().remote() {
        None => Ok(String::new()),
        Some(remote) => jwks::report(&remote.fetch_each(SystemClock.now()).await),
    }
}

fn options(config: &Config) -> RouterOptions {
    let server = &config.server;
    let defaults = RouterOptions::default();
    let jwks_max_age = match config.keys.has_ring() {
        true => config.keys.schedule(&config.settings).max_age(),
        false => defaults.jwks_max_age,
    };
    RouterOptions {
        root_path: config.realm.root_path().to_owned(),
        prefix: server.prefix.clone(),
        append_slash: server.append_slash,
        demo: server.demo,
        authentication: server.authentication,
        username_field: config.users.username_field.clone(),
        body_limit: server.body_limit,
        gateway: config.gateway.clone(),
        clients: config.oauth_clients.clone(),
        well_known: server.well_known,
        jwks_max_age,
        ..defaults
    }
}

/// Returns the tokens, with the configured keys.
pub(crate) fn tokens(config: &Config) -> Result<Tokens, Failure> {
    let keys = key_set(config)?;
    Tokens::with(config.settings.clone(), keys, Arc::new(SystemClock))
        .map_err(|error| Failure::config(error.to_string()))
}

/// Returns the tokens for a command that inspects one token: keys that are stored elsewhere are
/// read, and those behind `JWK_URL` fetched first, because without them no token can be verified.
pub(crate) async fn tokens_with_keys(config: &Config) -> Result<Tokens, Failure> {
    let tokens = tokens(config)?;
    if let Some(ring) = Ring::of(config).await? {
        let now = SystemClock.now();
        tokens.replace_keys(ring.key_set(&ring.read(now).await?, now)?);
    }
    if let Some(remote) = tokens.keys().remote() {
        remote.fetch(SystemClock.now()).await.map_err(|error| jwks::failed(&error))?;
    }
    Ok(tokens)
}

/// Returns the configured keys, without those that are stored elsewhere.
pub(crate) fn key_set(config: &Config) -> Result<KeySet, Failure> {
    let settings = &config.settings;
    if config.keys.has_ring() {
        let keys = settings.key_set_beside_ring();
        return keys.map_err(|error| Failure::config(error.to_string()));
    }
    let keys = match settings.jwk_url.is_empty() {
        true => settings.key_set(),
        false => settings.key_set_from_all(jwks::sources(config)?),
    };
    keys.map_err(|error| Failure::config(error.to_string()))
}
