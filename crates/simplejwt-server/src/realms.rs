//! The realms of this process: built and started together, and found for each request.

mod site;

use std::sync::Arc;

use crate::app::{self, App};
use crate::config::{Config, Loaded};
use crate::failure::Failure;
use crate::health::{Health, Stopping};
use crate::reload::KeysInUse;
use crate::supervisor::Supervisor;
use crate::telemetry::{self, Scope};

pub(crate) use site::{Site, Sites};

/// The applications of all realms that are served, with their configurations.
pub(crate) struct Realms<'a> {
    apps: Vec<(App, &'a Config)>,
    tasks: Supervisor,
}

impl<'a> Realms<'a> {
    /// Builds every realm, and finds every error that it can.
    ///
    /// # Errors
    /// The errors in configurations, keys or databases.
    pub(crate) async fn build(loaded: &'a Loaded) -> Result<Self, Failure> {
        let (mut apps, mut failures) = (Vec::new(), Vec::new());
        let tasks = Supervisor::default();
        for loaded in loaded.served() {
            let config = &loaded.config;
            match app::build(config, &tasks).await {
                Ok(app) => apps.push((app, config)),
                Err(failure) => failures.push(failure.of(&config.realm)),
            }
        }
        Failure::one_or_all(failures).map(|()| Self { apps, tasks })
    }

    /// Starts the tasks of every realm.
    ///
    /// # Errors
    /// A signing key is due, and can't be made.
    pub(crate) async fn start(&self) -> Result<(), Failure> {
        for (app, config) in &self.apps {
            let started = Scope::of_realm(app.realm().cloned()).run(app.start(config)).await;
            started.map_err(|failure| failure.of(&config.realm))?;
            if let Some(realm) = app.realm() {
                telemetry::serving(realm, &config.realm, config.settings.issuer.as_deref());
            }
        }
        Ok(())
    }

    /// Returns what answers the requests.
    pub(crate) fn sites(&self) -> Sites {
        let stopping = Stopping::default();
        let realms = self.apps.iter().map(|(app, _)| app.health()).collect();
        let health = Health::new(realms, self.tasks.clone(), stopping.clone());
        let sites =
            self.apps.iter().map(|(app, config)| (&config.realm, app.site(config, &health)));
        Sites::new(sites, health.clone(), stopping)
    }

    /// Returns the keys in use, with their realms.
    pub(crate) fn keys(&self) -> Vec<(Option<Arc<str>>, KeysInUse)> {
        let of = |(app, _): &(App, _)| (app.realm().cloned(), KeysInUse::of(app));
        self.apps.iter().map(of).collect()
    }

    /// Ends the purges between two transactions.
    pub(crate) async fn end_purges(&self) {
        for (app, _) in &self.apps {
            app.purge().ask().await;
        }
    }
}
