//! Reads what is beside the configuration: files, keys, the certificate, the database. What can't be
//! read is a finding, not a failure.

use std::path::Path;

use simplejwt::sql::check::Severity as Problems;
use simplejwt::users::password::PasswordSurvey;
use simplejwt::{Clock as _, SystemClock, Timestamp};

use super::certificate::{Validity, validity};
use super::database::DatabaseSeen;
use super::files::FileSeen;
use super::finding::{Finding, Severity};
use super::keys::RingSeen;
use super::mount;
use crate::beside_django;
use crate::config::{Config, DatabaseUrl, KeyStorage, Loaded};
use crate::database::{self, Database};
use crate::failure::{Failure, chain};
use crate::key_ring::{Read, Ring};
use crate::tls::Tls;

const MORE: &str = "`simplejwt config check` says more";

/// What was read.
pub(super) struct Seen {
    pub(super) now: Timestamp,
    pub(super) files: Vec<FileSeen>,
    pub(super) certificate: Option<Validity>,
    pub(super) ring: Option<RingSeen>,
    /// The reason if it couldn't be opened.
    pub(super) database: Result<DatabaseSeen, String>,
    pub(super) survey: Option<PasswordSurvey>,
    /// Findings of the reading itself.
    pub(super) findings: Vec<Finding>,
}

impl Seen {
    /// Reads everything.
    ///
    /// # Errors
    /// The configuration is one that the server refuses: a certificate or an authority's file that
    /// can't be used.
    pub(super) async fn of(file: Option<&Path>, loaded: &Loaded) -> Result<Self, Failure> {
        let config = &loaded.config;
        Tls::new(&config.tls)?;
        let certificate = config.tls.certificate.as_ref();
        let mut seen = Self {
            now: SystemClock.now(),
            files: files(file, loaded),
            certificate: certificate.and_then(|path| validity(&std::fs::read(path).ok()?)),
            ring: None,
            database: Err(String::new()),
            survey: None,
            findings: Vec::new(),
        };
        match Database::open(config).await {
            Ok(database) => seen.look_at(&database, loaded).await?,
            Err(failure @ Failure::Config(_)) => return Err(failure),
            Err(failure) => {
                seen.database = Err(failure.to_string());
                if config.keys.store == KeyStorage::Database {
                    seen.unread("keys_unread", "the signing keys in the database", &failure);
                }
            }
        }
        if config.keys.store == KeyStorage::File {
            seen.ring = seen.ring_of(config, Ring::of(config).await?).await?;
        }
        Ok(seen)
    }

    fn unread(&mut self, code: &'static str, what: &str, failure: &Failure) {
        let found = format!("{what} could not be looked at");
        self.findings.push(Finding::unknown(code, found, failure.to_string()).act(MORE));
    }

    async fn look_at(&mut self, database: &Database, loaded: &Loaded) -> Result<(), Failure> {
        let config = &loaded.config;
        let path = config.database.url.as_ref().and_then(DatabaseUrl::path);
        let file_system = path.and_then(mount::file_system);
        match database.version().await {
            Ok(version) => self.database = Ok(DatabaseSeen { version, file_system }),
            Err(failure) => self.database = Err(failure.to_string()),
        }
        if !self.is_ready(database, config).await {
            return Ok(());
        }
        match beside_django::check(loaded).await {
            Ok(warnings) => {
                let of = |text| Finding::warning("beside_django", text, "");
                self.findings.extend(warnings.into_iter().map(of));
            }
            Err(failure @ Failure::Config(_)) => return Err(failure),
            Err(failure) => self.unread("tokens_unread", "the registered tokens", &failure),
        }
        match survey(config, database).await {
            Ok(survey) => self.survey = Some(survey),
            Err(failure) => self.unread("hashes_unread", "the stored password hashes", &failure),
        }
        if config.keys.store == KeyStorage::Database {
            let ring = Ring::beside(config, database)?;
            self.ring = self.ring_of(config, ring).await?;
        }
        Ok(())
    }

    /// Returns `true` if the tables can be read as the server does.
    async fn is_ready(&mut self, database: &Database, config: &Config) -> bool {
        let problems = match database.check(config).await {
            Ok(problems) => problems,
            Err(failure) => {
                self.unread("database_unread", "the database's tables", &failure);
                return false;
            }
        };
        let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
        let count = of(Problems::Error) + of(Problems::Passing);
        if count == 0 {
            return true;
        }
        let found = format!("the database lacks what requests need ({count} problems)");
        let why =
            "the server doesn't start, or refuses logins: `simplejwt config check` lists them";
        let finding = Finding::new("database_not_ready", Severity::Error, found, why);
        self.findings.push(match database.missing().await {
            Ok(missing) if !missing.is_empty() => finding.run("simplejwt migrate"),
            _ => finding.act(MORE),
        });
        false
    }

    async fn ring_of(
        &mut self,
        config: &Config,
        ring: Option<Ring>,
    ) -> Result<Option<RingSeen>, Failure> {
        let Some(ring) = ring else { return Ok(None) };
        // A file that doesn't exist yet is a ring without keys.
        let file = config.keys.file.as_ref().filter(|_| config.keys.store == KeyStorage::File);
        let read = match file.is_some_and(|file| !file.exists()) {
            true => Ok(Read::default()),
            false => ring.read(self.now).await,
        };
        match read {
            Ok(read) => Ok(Some(RingSeen::of(&read.stored, &read.ring, self.now))),
            Err(failure @ Failure::Config(_)) => Err(failure),
            Err(failure) => {
                self.unread("keys_unread", "the stored signing keys", &failure);
                Ok(None)
            }
        }
    }
}

async fn survey(config: &Config, database: &Database) -> Result<PasswordSurvey, Failure> {
    let users = database.users(config, database::hashing_pool(config)?).await?;
    let survey = users.survey_passwords().await;
    survey.map_err(|error| Failure::Database(chain(&error)))
}

/// Looks at every file that the configuration names.
fn files(file: Option<&Path>, loaded: &Loaded) -> Vec<FileSeen> {
    let config = &loaded.config;
    let mut named: Vec<(&Path, &'static str, bool)> = Vec::new();
    named.extend(file.map(|file| (file, "the configuration", loaded.file_holds_secret())));
    let values = loaded.value_files();
    named.extend(values.iter().map(|(path, is_secret)| {
        let what = if *is_secret { "a secret of the configuration" } else { "a public key" };
        (path.as_path(), what, *is_secret)
    }));
    let key = |path| (path, "the key of the certificate", true);
    named.extend(config.tls.key.as_deref().map(key));
    let certificate = |path| (path, "the certificate", false);
    named.extend(config.tls.certificate.as_deref().map(certificate));
    if config.keys.store == KeyStorage::File {
        named.extend(config.keys.file.as_deref().map(|path| (path, "the signing keys", true)));
    }
    let database = config.database.url.as_ref().and_then(DatabaseUrl::path);
    named.extend(database.map(|path| (path, "the database", true)));
    let mut files: Vec<FileSeen> = Vec::new();
    for (path, what, is_secret) in named {
        let Some(seen) = FileSeen::look(path, what, is_secret) else { continue };
        if !files.iter().any(|other| other.path == seen.path) {
            files.push(seen);
        }
    }
    files
}
