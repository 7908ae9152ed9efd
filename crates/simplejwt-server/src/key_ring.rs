//! Keys that follow each other: read from where they are kept, made when they are due, and put into
//! use when their time has come.

mod base;
mod file;
mod follow;

use std::sync::Arc;

use simplejwt::keys::ring::{KeyRing, Plan, Schedule, StoredKey};
use simplejwt::keys::seal::KeyEncryptionKey;
use simplejwt::store::KeyStore;
use simplejwt::{Algorithm, KeySet, Timestamp};

use crate::config::{Config, KeyStorage};
use crate::database::{self, Database};
use crate::failure::Failure;

pub(crate) use base::Base;
pub(crate) use file::KeyFile;
pub(crate) use follow::Following;

/// A ring, and the keys of the settings beside it.
#[derive(Clone)]
pub(crate) struct Ring {
    store: Arc<dyn KeyStore>,
    pub(crate) encryption: Option<KeyEncryptionKey>,
    pub(crate) schedule: Schedule,
    /// The algorithm of new keys.
    pub(crate) algorithm: Algorithm,
    /// `true` if headers have the names of RFC 9864.
    fully_specified: bool,
    /// The keys of the settings.
    base: Base,
}

/// What was read of a ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Read {
    pub(crate) stored: Vec<StoredKey>,
    pub(crate) ring: KeyRing,
}

impl Ring {
    /// Returns the ring that the configuration names; `None` if the key is in the settings.
    ///
    /// # Errors
    /// The keys of the settings can't be used, or there is no database.
    pub(crate) async fn of(config: &Config) -> Result<Option<Self>, Failure> {
        match config.keys.store {
            KeyStorage::Settings => Ok(None),
            KeyStorage::File => Self::in_file(config).map(Some),
            KeyStorage::Database => {
                let database = Database::open(config).await?;
                Self::in_database(config, &database).map(Some)
            }
        }
    }

    /// As [`of`](Self::of), with a database that is open.
    pub(crate) fn beside(config: &Config, database: &Database) -> Result<Option<Self>, Failure> {
        match config.keys.store {
            KeyStorage::Settings => Ok(None),
            KeyStorage::File => Self::in_file(config).map(Some),
            KeyStorage::Database => Self::in_database(config, database).map(Some),
        }
    }

    fn in_file(config: &Config) -> Result<Self, Failure> {
        let file = config.keys.file.clone().unwrap_or_default();
        Self::new(config, Arc::new(KeyFile::new(file)))
    }

    fn in_database(config: &Config, database: &Database) -> Result<Self, Failure> {
        Self::new(config, database.keys())
    }

    fn new(config: &Config, store: Arc<dyn KeyStore>) -> Result<Self, Failure> {
        let base = config.settings.key_set_beside_ring();
        Ok(Self {
            store,
            encryption: config.keys.encryption_key.clone(),
            schedule: config.keys.schedule(&config.settings),
            algorithm: config.keys.algorithm.unwrap_or(config.settings.algorithm),
            fully_specified: config.settings.fully_specified_algorithms,
            base: Base::new(base.map_err(|error| Failure::config(error.to_string()))?),
        })
    }

    /// Returns `true` if a key of the settings signs until the first one of the ring does.
    pub(crate) fn has_base(&self) -> bool {
        self.base.keys().signing().is_some()
    }

    /// Returns the keys of the settings.
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// Returns the successor of the newest key, to be made now; `None` if that one doesn't sign yet.
    pub(crate) fn rotation(&self, read: &Read, at_once: bool, now: Timestamp) -> Option<Plan> {
        let plan = self.schedule.rotation(&read.ring, self.has_base(), at_once, now)?;
        Some(beyond(&read.stored, plan))
    }

    /// Reads the stored keys.
    ///
    /// # Errors
    /// They can't be read, or one of them can't be used.
    pub(crate) async fn read(&self, now: Timestamp) -> Result<Read, Failure> {
        let stored = self.store.keys().await.map_err(|error| database::failed(&error))?;
        let ring = KeyRing::open(&stored, self.encryption.as_ref(), now);
        let ring = ring.map_err(|error| Failure::config(format!("[keys]: {error}")))?;
        let ring = if self.fully_specified { ring.fully_specified() } else { ring };
        Ok(Read { stored, ring })
    }

    /// Reads the stored keys, and makes the one that is due, if one is.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if the key can't be stored.
    pub(crate) async fn advance(&self, now: Timestamp) -> Result<Read, Failure> {
        let read = self.read(now).await?;
        let Some(plan) = self.schedule.due(&read.ring, self.has_base(), now) else {
            return Ok(read);
        };
        let plan = beyond(&read.stored, plan);
        let key = plan.generate(self.algorithm, self.encryption.as_ref());
        let key = key.map_err(|error| Failure::Failed(error.to_string()))?;
        if self.add(&key, &plan).await? {
            tracing::info!(
                event = "key_made",
                kid = key.kid,
                algorithm = key.algorithm,
                "a signing key was made, which is published before it signs"
            );
        }
        // If another process was quicker, it is that one's.
        self.read(now).await
    }

    /// Stores a key. Returns `false` if there is one with its number or key id.
    ///
    /// # Errors
    /// It can't be stored.
    pub(crate) async fn add(&self, key: &StoredKey, plan: &Plan) -> Result<bool, Failure> {
        let added = self.store.add_key(key, plan.others_until).await;
        added.map_err(|error| database::failed(&error))
    }

    /// Ends a key. Returns `false` if there is none with this key id.
    ///
    /// # Errors
    /// It can't be stored.
    pub(crate) async fn retire(&self, kid: &str, at: Timestamp) -> Result<bool, Failure> {
        self.store.retire_key(kid, at).await.map_err(|error| database::failed(&error))
    }

    /// Returns the keys in use at `now`.
    ///
    /// # Errors
    /// A key of the settings and one of the ring can't be used together.
    pub(crate) fn key_set(&self, read: &Read, now: Timestamp) -> Result<KeySet, Failure> {
        let keys = read.ring.key_set(&self.base.keys(), now);
        keys.map_err(|error| Failure::config(format!("[keys]: {error}")))
    }
}

/// Returns the plan with a number beyond those of all stored keys, even if they are gone.
fn beyond(stored: &[StoredKey], plan: Plan) -> Plan {
    let newest = stored.iter().map(|key| key.number).max().unwrap_or(0);
    Plan { number: plan.number.max(newest.saturating_add(1)), ..plan }
}
