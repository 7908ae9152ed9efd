//! The configuration: defaults, then the file, then the environment.
//!
//! Every setting is one [`Item`](item::Item): its names, its default, its documentation, and the
//! function that reads it. The file, the environment, `config print` and `config example` all go
//! by that list, so a setting that is on it is everywhere.

mod bind;
mod claims;
mod connections;
mod cookies;
mod database_url;
mod env;
pub(crate) mod example;
mod file;
mod foreign;
mod gateway;
mod hashers;
mod item;
mod level;
mod oauth;
mod password;
mod sessions;
mod simple_jwt;
mod suggest;
mod syntax;
mod without_effect;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use simplejwt::Settings;
use simplejwt::settings::Secret;
use simplejwt::settings::value::{self, duration};
use simplejwt::sql::table::KeyKind;
use simplejwt::users::password::{
    DEFAULT_MAX_REFUSAL_WORK, Hasher, Parameters, PoolOptions, Rehash,
};
use simplejwt::web::endpoint::{GatewayOptions, OAuthClients};

pub(crate) use bind::{UNIX, bind};
pub(crate) use claims::{Claims, OnRefresh, Source as ClaimSource};
pub(crate) use database_url::DatabaseUrl;
pub(crate) use env::{CONFIG_FILE, Environment};

/// Everything that `simplejwt` can be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) tls: Tls,
    pub(crate) log: Log,
    pub(crate) database: Database,
    pub(crate) users: Users,
    pub(crate) claims: Claims,
    pub(crate) password: Password,
    pub(crate) settings: Settings,
    /// Django's `SECRET_KEY`: what signs with an HMAC where no signing key is named.
    pub(crate) secret_key: Option<Secret>,
    /// What `authenticate/` looks at, and tells.
    pub(crate) gateway: GatewayOptions,
    /// Who may use `revoke/` and `introspect/`.
    pub(crate) oauth_clients: OAuthClients,
}

/// How requests are answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) bind: String,
    pub(crate) prefix: String,
    pub(crate) append_slash: bool,
    pub(crate) demo: bool,
    pub(crate) authentication: Authentication,
    pub(crate) body_limit: usize,
    pub(crate) header_limit: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) max_connections: usize,
    /// Proxies in front that add to X-Forwarded-For and can be trusted.
    pub(crate) num_proxies: usize,
    pub(crate) proxy_header: ProxyHeader,
    /// Of a Unix socket.
    pub(crate) socket_mode: u32,
    /// How long a client may take nothing.
    pub(crate) write_timeout: Duration,
    /// How long requests are still taken after the signal to stop.
    pub(crate) drain_delay: Duration,
    /// All bodies' together.
    pub(crate) max_body_memory: usize,
}

/// Where proxies write whom they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyHeader {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// The files of the server's own certificate: both, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// How a protected route finds out who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// By the user's row: upstream's `JWTAuthentication`.
    User,
    /// By the token alone: upstream's `JWTStatelessUserAuthentication`.
    Stateless,
}

/// What goes to standard error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
    pub(crate) requests: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Where users and tokens are kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Database {
    /// SessionSelector; the path of a file is absolute, or relative to the working directory.
    pub(crate) url: Option<DatabaseUrl>,
    /// How long to wait for another program's lock on an SQLite file.
    pub(crate) busy_timeout: Duration,
    /// How long to wait for a database that isn't there yet, at the start.
    pub(crate) wait: Duration,
    /// Connections to a server that are open at a time.
    pub(crate) max_connections: usize,
    /// How long to wait for a server to take a connection.
    pub(crate) connect_timeout: Duration,
    /// How long to wait for a connection that is free.
    pub(crate) wait_timeout: Duration,
    /// How long to wait for a server's answer.
    pub(crate) operation_timeout: Duration,
    /// How often expired rows are deleted; none: never.
    pub(crate) purge_interval: Option<Duration>,
    /// How many rows at a time.
    pub(crate) purge_batch: u32,
    /// Whether other tables' rows that refer to them are deleted, too.
    pub(crate) purge_cascade: bool,
}

/// The table of users. Column names; none is a column that the table doesn't have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Users {
    pub(crate) table: String,
    pub(crate) primary_key: String,
    /// As the column has it, unless it is said.
    pub(crate) key_type: Option<KeyKind>,
    pub(crate) username_field: String,
    pub(crate) password: String,
    pub(crate) is_active: Option<String>,
    pub(crate) is_staff: Option<String>,
    pub(crate) is_superuser: Option<String>,
    pub(crate) last_login: Option<String>,
    pub(crate) allow_inactive_login: bool,
}

/// How passwords are hashed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Password {
    pub(crate) hashers: Vec<Hasher>,
    pub(crate) parameters: Parameters,
    /// Which stored hashes a login makes anew; none: that hangs on who made the table.
    pub(crate) rehash: Option<Rehash>,
    /// How long a refused login computes at most.
    pub(crate) max_refusal_work: Duration,
    pub(crate) pool: PoolOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server {
                bind: "127.0.0.1:8000".into(),
                prefix: "/api/token/".into(),
                append_slash: true,
                demo: false,
                authentication: Authentication::User,
                body_limit: 64 * 1024,
                header_limit: 32 * 1024,
                header_timeout: Duration::from_secs(30),
                body_timeout: Duration::from_secs(30),
                shutdown_timeout: Duration::from_secs(30),
                max_connections: 16_384,
                num_proxies: 0,
                proxy_header: ProxyHeader::XForwardedFor,
                socket_mode: 0o660,
                write_timeout: Duration::from_secs(30),
                drain_delay: Duration::from_secs(5),
                max_body_memory: 64 * 1024 * 1024,
            },
            tls: Tls::default(),
            log: Log { format: LogFormat::Text, level: "info".into(), requests: false },
            database: Database {
                url: None,
                busy_timeout: Duration::from_secs(5),
                wait: Duration::from_secs(60),
                max_connections: 16,
                connect_timeout: Duration::from_secs(5),
                wait_timeout: Duration::from_secs(5),
                operation_timeout: Duration::from_secs(5),
                purge_interval: Some(Duration::from_secs(60 * 60)),
                purge_batch: 500,
                purge_cascade: false,
            },
            users: Users {
                table: "auth_user".into(),
                primary_key: "id".into(),
                key_type: None,
                username_field: "username".into(),
                password: "password".into(),
                is_active: Some("is_active".into()),
                is_staff: Some("is_staff".into()),
                is_superuser: Some("is_superuser".into()),
                last_login: Some("last_login".into()),
                allow_inactive_login: false,
            },
            claims: Claims::default(),
            password: Password {
                hashers: Hasher::DJANGO_DEFAULT.to_vec(),
                parameters: Parameters::default(),
                rehash: None,
                max_refusal_work: DEFAULT_MAX_REFUSAL_WORK,
                pool: PoolOptions::default(),
            },
            settings: Settings::default(),
            secret_key: None,
            gateway: GatewayOptions::default(),
            oauth_clients: OAuthClients::default(),
        }
    }
}

/// A configuration with where it came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// What was set, by the item's path (`server.bind`), and where.
    pub(crate) given: BTreeMap<String, Given>,
    /// What is allowed but shouldn't be.
    pub(crate) warnings: Vec<String>,
}

/// A value and its source.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) value: Value,
    pub(crate) origin: String,
}

/// Leaves the value out: it may be a secret.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why a configuration can't be used: one sentence per problem, each with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct ConfigError(pub(crate) Vec<String>);

/// What one source says, by item.
type Layer = Vec<(&'static item::Item, Given)>;

/// What is found while sources are read.
#[derive(Default)]
struct Found {
    warnings: Vec<String>,
    problems: Vec<String>,
    /// Whether a source couldn't be read at all, so that nobody knows what it would have said.
    unread: bool,
}

/// Reads the file, if there is one, and the environment.
///
/// # Errors
/// Every problem of all of them.
pub(crate) fn load(path: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut found = Found::default();
    let mut layers = Vec::new();
    if let Some(path) = path {
        layers.push(file::read(path, &mut found));
    }
    layers.extend(env::read(environment, &mut found));
    assemble(layers, found)
}

fn assemble(layers: Vec<Layer>, found: Found) -> Result<Loaded, ConfigError> {
    let Found { mut warnings, mut problems, unread } = found;
    let mut config = Config::default();
    let mut given = BTreeMap::new();
    let mut wrong = Vec::new();
    for (item, source) in layers.into_iter().flatten() {
        if let Err(problem) = (item.set)(&mut config, &source.value) {
            problems.push(format!("{}: {} {problem}", source.origin, item.label()));
            wrong.push(item.label());
        }
        given.insert(item.path(), source);
    }
    // A URL that a path of another source took the place of says nothing any more.
    let url = given.get("database.url").and_then(|given| given.value.as_str());
    let url = url.filter(|url| {
        config.database.url.is_some() && database_url::database_url(url).ok() == config.database.url
    });
    if !given.contains_key("database.busy_timeout")
        && let Some(time) = url.and_then(database_url::busy_timeout)
    {
        config.database.busy_timeout = time;
    }
    warnings.extend(url.map(database_url::warnings).unwrap_or_default());
    if !given.contains_key("simple_jwt.signing_key") && config.settings.algorithm.is_symmetric() {
        config.settings.signing_key.clone_from(&config.secret_key);
    }
    let mut contradictions = password::settle(&mut config.password, &given);
    if let Err(contradiction) = config.settings.validate() {
        contradictions.extend_from_slice(contradiction.problems());
    }
    contradictions.extend(claims::problems(&config));
    contradictions.extend(connections::problems(&config));
    // A contradiction to what couldn't be read may be none.
    contradictions.retain(|text| !unread && !wrong.iter().any(|label| text.contains(label)));
    problems.extend(contradictions);
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    warnings.extend(weak_key(&config.settings));
    warnings.extend(cookies::warnings(&config));
    warnings.extend(without_effect::warnings(&config, &given));
    Ok(Loaded { config, given, warnings })
}

/// What `allow_weak_key` lets pass.
fn weak_key(settings: &Settings) -> Option<String> {
    if !settings.allow_weak_key {
        return None;
    }
    let strict = Settings { allow_weak_key: false, ..settings.clone() };
    match (settings.key_set(), strict.key_set()) {
        (Ok(_), Err(weakness)) => Some(format!("allow_weak_key is on: {weakness}")),
        _ => None,
    }
}

#[cfg(test)]
mod library;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod url_page;
