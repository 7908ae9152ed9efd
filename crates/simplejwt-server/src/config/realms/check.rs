//! What realms must not have in common, found before any of them is opened.

use std::path::Path;

use simplejwt::web::endpoint::RouterOptions;

use super::super::keys::KeyStorage;
use super::super::realm::{Place, Realm};
use super::super::{Config, Loaded};
use super::{OWN, meeting};

/// Returns what is wrong between the realms, and what each of them lacks.
pub(super) fn problems(top: &Loaded) -> Vec<String> {
    let served: Vec<&Loaded> = top.served().collect();
    let mut problems = Vec::new();
    if !top.has_key() {
        let idle = OWN.iter().filter_map(|path| Some((path, top.given.get(*path)?)));
        problems.extend(idle.map(|(path, given)| {
            format!(
                "{}: {path} is set outside of [realms] without a key, so that there is no realm that \
                 it is for, and no other takes it over: write it in the tables of a realm, or give \
                 the top a key",
                given.origin
            )
        }));
    }
    for loaded in &served {
        problems.extend(lacks(loaded));
    }
    for (at, one) in served.iter().enumerate() {
        for other in served.iter().skip(at + 1) {
            let (one, other) = (&one.config, &other.config);
            problems.extend(same_issuer(one, other));
            problems.extend(places(one, other));
            problems.extend(same_tables(one, other));
            problems.extend(same_key_file(one, other));
            problems.extend(meeting::problem(one, other));
        }
    }
    problems
}

/// Returns warnings about what realms had better not have in common.
pub(super) fn warnings(top: &Loaded) -> Vec<String> {
    let served: Vec<&Config> = top.served().map(|loaded| &loaded.config).collect();
    let mut warnings = Vec::new();
    for (at, one) in served.iter().enumerate() {
        for other in served.iter().skip(at + 1) {
            let key = &one.settings.signing_key;
            if key.is_some() && *key == other.settings.signing_key {
                warnings.push(format!(
                    "{} and {} have the same signing key: whoever has it can issue tokens of both; \
                     only ISSUER keeps their tokens apart",
                    one.realm, other.realm
                ));
            }
        }
    }
    warnings
}

fn lacks(loaded: &Loaded) -> Vec<String> {
    let realm = &loaded.config.realm;
    let mut problems = Vec::new();
    if loaded.config.settings.issuer.as_deref().is_none_or(str::is_empty) {
        problems.push(match realm {
            Realm::Named { .. } => format!(
                "{realm} has no issuer of its own, by which its tokens are known: write issuer in {}",
                realm.table("simple_jwt")
            ),
            _ => "there are [realms] beside the settings at the top, whose tokens have to be known \
                  by their issuer: write issuer in [simple_jwt]"
                .to_owned(),
        });
    }
    if !loaded.has_key() {
        problems.push(format!(
            "{realm} has no key of its own: write signing_key_file in {}, or store in {}",
            realm.table("simple_jwt"),
            realm.table("keys")
        ));
    }
    problems
}

fn same_issuer(one: &Config, other: &Config) -> Option<String> {
    let issuer = one.settings.issuer.as_deref().filter(|issuer| !issuer.is_empty())?;
    (other.settings.issuer.as_deref() == Some(issuer)).then(|| {
        format!(
            "{} and {} have the same issuer, so that a token of one could be taken for one of the \
             other: write another issuer in {}",
            one.realm,
            other.realm,
            other.realm.table("simple_jwt")
        )
    })
}

/// Returns `true` if a path is `prefix` or below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn places(one: &Config, other: &Config) -> Vec<String> {
    let (a, b) = (&one.realm, &other.realm);
    match (place(a), place(b)) {
        (Some(Place::Host(host)), Some(Place::Host(same))) if host == same => {
            vec![format!("{a} and {b} have the same host: write another one for {b}")]
        }
        (Some(Place::Host(_)), _) | (_, Some(Place::Host(_))) => Vec::new(),
        (Some(Place::Prefix(p)), Some(Place::Prefix(q))) if is_below(p, q) || is_below(q, p) => {
            vec![format!(
                "{a} has the prefix {p}, and {b} has {q}: neither may be the other or inside it; \
                 write another one for {b}"
            )]
        }
        _ => paths(one, other).or_else(|| paths(other, one)).into_iter().collect(),
    }
}

fn place(realm: &Realm) -> Option<&Place> {
    match realm {
        Realm::Named { place, .. } => Some(place),
        _ => None,
    }
}

/// Returns the paths of one realm that another's prefix takes away, or that both have.
fn paths(one: &Config, other: &Config) -> Option<String> {
    let (theirs, prefix) = (routes(other), other.realm.root_path());
    let taken = routes(one).into_iter().find_map(|(path, with_subpaths)| {
        let is_taken = !prefix.is_empty()
            && (is_below(&path, prefix)
                || with_subpaths && is_below(prefix, path.trim_end_matches('/')));
        let is_both = theirs.iter().any(|(same, _)| *same == path);
        (is_taken || is_both).then_some(path)
    })?;
    let cure = match taken.starts_with("/.well-known/") {
        true => format!(
            "the metadata of both issuers would be there; write an issuer with another path, or \
             well_known = false in {}",
            other.realm.table("server")
        ),
        false => format!("write another prefix for {}", other.realm),
    };
    Some(format!("{} and {} both have the path {taken}: {cure}", one.realm, other.realm))
}

/// Returns the paths of a realm, with `true` for those that include all below them.
pub(super) fn routes(config: &Config) -> Vec<(String, bool)> {
    let server = &config.server;
    let options = RouterOptions {
        root_path: config.realm.root_path().to_owned(),
        prefix: server.prefix.clone(),
        append_slash: server.append_slash,
        demo: server.demo,
        clients: config.oauth_clients.clone(),
        well_known: server.well_known,
        ..RouterOptions::default()
    };
    let routes = options.routes(&config.settings).into_iter();
    routes.map(|route| (route.path, route.with_subpaths)).collect()
}

/// Returns `true` if a realm has rows of its own in the database: those of tokens, sessions and
/// keys. Users may be shared.
fn has_tables(config: &Config) -> bool {
    config.settings.token_blacklist || config.keys.store == KeyStorage::Database
}

fn same_tables(one: &Config, other: &Config) -> Option<String> {
    let url = one.database.url.as_ref()?;
    let is_same =
        other.database.url.as_ref().is_some_and(|theirs| match (url.path(), theirs.path()) {
            (Some(ours), Some(theirs)) => is_same_file(ours, theirs),
            _ => url == theirs,
        });
    (is_same && has_tables(one) && has_tables(other)).then(|| {
        format!(
            "{} and {} would have their tokens and sessions in the same tables: write in {} \
             a url with another database (for PostgreSQL, another ?schema=NAME is enough), or a path \
             with another file",
            one.realm,
            other.realm,
            other.realm.table("database")
        )
    })
}

fn same_key_file(one: &Config, other: &Config) -> Option<String> {
    let file = |config: &Config| config.keys.file.clone().filter(|_| config.keys.has_ring());
    let (ours, theirs) = (file(one)?, file(other)?);
    is_same_file(&ours, &theirs).then(|| {
        format!(
            "{} and {} have their keys in the same file {}: write another one in {}",
            one.realm,
            other.realm,
            ours.display(),
            other.realm.table("keys")
        )
    })
}

/// Returns `true` if two paths are the same file, as far as they exist.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    one == other || real(one) == real(other) || has_same_inode(one, other)
}

#[cfg(unix)]
fn has_same_inode(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    inode(one).is_some_and(|inode_of_one| inode(other) == Some(inode_of_one))
}

#[cfg(not(unix))]
fn has_same_inode(_: &Path, _: &Path) -> bool {
    false
}
