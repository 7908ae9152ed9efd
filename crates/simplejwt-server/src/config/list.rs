//! The list of all sections, and the whole configuration that they make up.
//!
//! This module knows the sections, and none of them knows it.

use std::fmt;
use std::ops::Deref;

use serde_json::Value;
use simplejwt::Settings;
use simplejwt::web::endpoint::{GatewayOptions, OAuthClients};

use super::claims::{self, Claims};
use super::database::{self, Database};
use super::django::{self, Django};
use super::form::Form;
use super::item::{Section, Shown, Spec};
use super::jwk_url::{self, JwkUrl};
use super::keys::{self, Keys};
use super::log::{self, Log};
use super::password::{self, Password};
use super::realm::Realm;
use super::server::{self, Server};
use super::throttle::{self, Throttle};
use super::tls::{self, Tls};
use super::users::{self, Users};
use super::{cookies, gateway, oauth, sessions, signing, simple_jwt};

/// The whole configuration of `simplejwt`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    /// Which of the process's realms this is.
    pub(crate) realm: Realm,
    pub(crate) server: Server,
    pub(crate) tls: Tls,
    pub(crate) log: Log,
    pub(crate) database: Database,
    pub(crate) users: Users,
    pub(crate) claims: Claims,
    pub(crate) password: Password,
    pub(crate) settings: Settings,
    pub(crate) django: Django,
    /// The keys that sign, if they follow each other.
    pub(crate) keys: Keys,
    pub(crate) jwk_url: JwkUrl,
    /// The options of `authenticate/`.
    pub(crate) gateway: GatewayOptions,
    pub(crate) throttle: Throttle,
    /// The clients that may use `revoke/` and `introspect/`.
    pub(crate) oauth_clients: OAuthClients,
}

macro_rules! place {
    ($section:expr, $($field:ident).+) => {
        &Place { section: &$section, of: |c| &c.$($field).+, of_mut: |c| &mut c.$($field).+ }
    };
}

/// Every section with its place, in the order of the documentation. Sections of one table follow
/// each other.
static PLACES: &[&dyn Part] = &[
    place!(server::SECTION, server),
    place!(cookies::ORIGINS, settings),
    place!(tls::SECTION, tls),
    place!(log::SECTION, log),
    place!(database::SECTION, database),
    place!(simple_jwt::SECTION, settings),
    place!(signing::SECTION, settings),
    place!(jwk_url::KEYS, settings),
    place!(jwk_url::SECTION, jwk_url),
    place!(keys::SECTION, keys),
    place!(sessions::SECTION, settings.sessions),
    place!(cookies::SECTION, settings),
    place!(gateway::SECTION, gateway),
    place!(oauth::SECTION, oauth_clients),
    place!(throttle::SECTION, throttle),
    place!(django::SECTION, django),
    place!(users::SECTION, users),
    place!(claims::ON_REFRESH, claims),
    place!(claims::SECTION, claims),
    place!(password::SECTION, password),
];

/// A section, and the place in the configuration where it is stored.
struct Place<S: 'static> {
    section: &'static Section<S>,
    of: fn(&Config) -> &S,
    of_mut: fn(&mut Config) -> &mut S,
}

/// A section, whatever struct it is stored in.
trait Part: Sync {
    fn table(&self) -> &'static str;
    fn about(&self) -> &'static str;
    fn len(&self) -> usize;
    fn spec(&self, at: usize) -> Option<&'static Spec>;
    fn form(&self, at: usize) -> Form;
    fn words(&self, at: usize) -> Vec<&'static str>;
    fn set(&self, at: usize, config: &mut Config, value: &Value) -> Result<(), String>;
    /// Returns the settings of this section that have no effect, and why.
    fn idle(&self, config: &Config) -> Vec<(&'static str, &'static str)>;
}

impl<S> Part for Place<S> {
    fn table(&self) -> &'static str {
        self.section.table
    }

    fn about(&self) -> &'static str {
        self.section.about
    }

    fn len(&self) -> usize {
        self.section.items.len()
    }

    fn spec(&self, at: usize) -> Option<&'static Spec> {
        self.section.items.get(at).map(|item| &item.spec)
    }

    fn form(&self, at: usize) -> Form {
        self.section.items.get(at).map_or(Form::Anything, |item| item.form())
    }

    fn words(&self, at: usize) -> Vec<&'static str> {
        self.section.items.get(at).map(|item| item.words()).unwrap_or_default()
    }

    fn set(&self, at: usize, config: &mut Config, value: &Value) -> Result<(), String> {
        match self.section.items.get(at) {
            Some(item) => item.set((self.of_mut)(config), value),
            None => Ok(()),
        }
    }

    fn idle(&self, config: &Config) -> Vec<(&'static str, &'static str)> {
        let section = (self.of)(config);
        let idle = self.section.idle.iter().filter(|idle| (idle.when)(section));
        idle.flat_map(|idle| idle.names.iter().map(|name| (*name, idle.why))).collect()
    }
}

/// A setting on the list.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    part: &'static dyn Part,
    at: usize,
    spec: &'static Spec,
}

impl Deref for Setting {
    type Target = Spec;

    fn deref(&self) -> &Spec {
        self.spec
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl Setting {
    /// Returns its table in the file.
    pub(crate) fn table(self) -> &'static str {
        self.part.table()
    }

    /// Returns its path, such as `server.bind`.
    pub(crate) fn path(self) -> String {
        if self.is_table() {
            return self.table().to_owned();
        }
        format!("{}.{}", self.table(), self.name)
    }

    /// Returns `true` if this is a whole table, whose names are the user's: it has no name of its
    /// own.
    pub(crate) fn is_table(self) -> bool {
        self.lines.is_some()
    }

    /// Returns the name as messages have it: upstream's settings in upstream's spelling.
    pub(crate) fn label(self) -> String {
        if self.upstream {
            self.name.to_ascii_uppercase()
        } else if self.is_table() {
            format!("[{}]", self.table())
        } else {
            self.name.to_owned()
        }
    }

    /// Returns `true` if this names the database. One such setting is enough.
    pub(crate) fn names_database(self) -> bool {
        self.table() == database::TABLE && database::PLACES.contains(&self.name)
    }

    /// Returns the default as TOML, if there is one.
    pub(crate) fn default(self) -> Option<&'static str> {
        match self.shown {
            Shown::Default(text) => Some(text),
            Shown::Example(_) => None,
        }
    }

    /// Returns the form of a value.
    pub(crate) fn form(self) -> Form {
        self.part.form(self.at)
    }

    /// Returns the words that a value may be, if it is one of a few.
    pub(crate) fn words(self) -> Vec<&'static str> {
        self.part.words(self.at)
    }

    /// Puts a value into its place. The error is the end of a sentence.
    pub(crate) fn set(self, config: &mut Config, value: &Value) -> Result<(), String> {
        self.part.set(self.at, config, value)
    }
}

/// Returns every setting.
pub(crate) fn all() -> impl Iterator<Item = Setting> + Clone {
    PLACES.iter().flat_map(|part| {
        let part = *part;
        (0..part.len()).filter_map(move |at| Some(Setting { part, at, spec: part.spec(at)? }))
    })
}

/// Returns the settings of one table.
pub(crate) fn of_table(table: &str) -> impl Iterator<Item = Setting> + Clone {
    all().filter(move |setting| setting.table() == table)
}

/// Returns the setting with this path.
pub(crate) fn by_path(path: &str) -> Option<Setting> {
    all().find(|setting| setting.path() == path)
}

/// Returns the tables of the file, with their descriptions.
pub(crate) fn tables() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    let begun = PLACES.iter().filter(|part| !part.about().is_empty());
    begun.map(|part| (part.table(), part.about()))
}

/// Returns the settings that have no effect beside others of their section, and why.
pub(super) fn idle(config: &Config) -> Vec<(Setting, &'static str)> {
    let of = |part: &&'static dyn Part| {
        let part = *part;
        part.idle(config).into_iter().filter_map(move |(name, why)| {
            let at = (0..part.len()).find(|at| part.spec(*at).is_some_and(|s| s.name == name))?;
            Some((Setting { part, at, spec: part.spec(at)? }, why))
        })
    };
    PLACES.iter().flat_map(of).collect()
}
