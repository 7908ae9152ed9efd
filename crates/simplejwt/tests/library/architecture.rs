//! The direction of dependencies inside the library, held against its source.
//!
//! ```text
//!        web/axum   web/layer               the edges: the only ones that know a framework
//!             └──┬──┘
//!               web                       bodies, headers, status codes; no framework
//!                │
//!             service                     the flows: no HTTP, no SQL
//!                │
//!       hooks   revocation   throttle     what a process has heard of revoked tokens; limits
//!                │
//!              token                      pure and synchronous
//!                │
//!              claims      sqlite   postgres   mysql     one folder a database; none names another,
//!                │            └────────┼────────┘        and no flow names one
//!                │                    sql                what the databases share
//!                │                     │
//!              store ──────────────────┘  contract; store/memory and the suites implement and test it
//!                │
//!              event                      what has happened, as values; its lines in the log
//!                │
//!       settings   users                  users: contract; users/{conformance,memory,password}
//!           │        │
//!         keys       │
//!           │        │
//!          jwk       │       suite           what the conformance suites share
//!           │        │
//!          jws   clock   error   logging   panics   random   leaves
//! ```
//!
//! A module names modules of lower lines only. `docs/ARCHITECTURE.md` says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The picture from the bottom. A module's own parts (`keys/pem` of `keys`) share its line.
const LAYERS: &[&[&str]] = &[
    &["clock", "error", "logging", "panics", "random", "jws"],
    &["jwk", "suite"],
    &["keys"],
    &["settings", "users"],
    &["event"],
    &["store"],
    &["sql"],
    &["claims", "mysql", "postgres", "sqlite"],
    &["token"],
    &["hooks", "revocation", "throttle"],
    &["service"],
    &["web"],
    &["web/axum", "web/layer"],
];

/// A folder each. Only the crate's root names them.
const DATABASES: &[&str] = &["mysql", "postgres", "sqlite"];

/// What only a database may name, and what shares a line with it.
const IMPLEMENTATIONS: &[&str] = &[
    "sql",
    "store/conformance",
    "store/memory",
    "users/conformance",
    "users/login",
    "users/memory",
    "users/password",
];

/// What only some files may name, and why.
const RESERVED: &[(&str, &[&str], &str)] = &[
    ("aws_lc_rs", &["jws", "mysql/tls", "sql/tls"], "signatures and TLS alone"),
    ("SystemTime::now", &["clock"], "time comes from a `Clock`"),
    ("getrandom::", &["random"], "randomness has one source"),
    ("rusqlite", &["sqlite"], "only stores know a database"),
    ("tokio_postgres", &["postgres"], "only stores know a database"),
    ("mysql_async", &["mysql"], "only stores know a database"),
    ("http::", &["settings", "web"], "the flows know no HTTP"),
    ("axum::", &["web/axum"], "one adapter knows the framework"),
    (
        "tokio::spawn",
        &[
            "mysql/late",
            "mysql/relay",
            "mysql/rotations",
            "sql/batch",
            "postgres/database",
            "postgres/late",
            "postgres/rotations",
            "postgres/servers",
            "postgres/watch",
        ],
        "a task that ends unseen is one too many: these end with a batch or a connection, and \
         whoever waits for those is told",
    ),
    (
        "thread::Builder",
        &["sqlite/copying", "sqlite/database", "users/password/pool"],
        "threads catch what panics on them",
    ),
    (
        "tower_service::",
        &["web/at_once", "web/axum", "web/cors", "web/layer"],
        "only what wraps a service knows tower",
    ),
];

/// Module path (`keys/pem`) to code without comments and unit tests.
type Sources = BTreeMap<String, String>;

fn sources() -> Sources {
    sources_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn sources_in(root: &Path) -> Sources {
    let mut found = Sources::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the source is readable") {
            let path = entry.expect("the source is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = path.strip_prefix(root).expect("it is below").with_extension("");
                let module = module.to_str().expect("module names are ASCII").replace('\\', "/");
                let text = fs::read_to_string(&path).expect("the source is UTF-8");
                if !module.split('/').any(|part| part == "tests") {
                    found.insert(module, code(&text));
                }
            }
        }
    }
    found
}

/// The text without comments and without what only tests are compiled with.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let without_comment = |line: &str| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    text.lines().map(|line| without_comment(line) + "\n").collect()
}

/// Whether `module` is `part` or a part of it.
fn within(module: &str, part: &str) -> bool {
    module.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_implementation(module: &str) -> bool {
    DATABASES.iter().chain(IMPLEMENTATIONS).any(|part| within(module, part))
}

/// The line of the picture that a module stands on: the most special name counts.
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().rposition(|names| names.iter().any(|name| within(module, name)))
}

/// The modules that a text names after `crate::`, groups in braces taken apart and the crate's
/// re-exports followed.
fn named(text: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let after = text.get(at + "crate::".len()..).unwrap_or_default();
        match after.strip_prefix('{') {
            Some(group) => names.extend(members(group)),
            None => names.push(path(after)),
        }
    }
    names
        .into_iter()
        .map(|name| exports.get(&name).cloned().unwrap_or(name))
        .filter(|name| !name.is_empty())
        .collect()
}

/// `sqlite::tokens::X` is `sqlite/tokens`: the leading words that are modules.
fn path(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let words: Vec<&str> =
        text.get(..end.unwrap_or(text.len())).unwrap_or_default().split("::").collect();
    match words.as_slice() {
        [first, second, ..] if second.starts_with(|c: char| c.is_lowercase()) => {
            format!("{first}/{second}")
        }
        [first, ..] => (*first).to_owned(),
        [] => String::new(),
    }
}

/// The outermost members of `a::B, c::{D, E}, f}…`, up to the closing brace.
fn members(group: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let mut member = String::new();
    let mut members = Vec::new();
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => members.push(std::mem::take(&mut member)),
            _ => member.push(c),
        }
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    members.push(member);
    members.iter().map(|member| path(member.trim())).collect()
}

/// `pub use token::{Access, Token}` in lib.rs: `Access` and `Token` are `token`.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for line in lib.split(';') {
        let Some((module, names)) =
            line.trim().strip_prefix("pub use ").and_then(|line| line.split_once("::"))
        else {
            continue;
        };
        for name in names.split(|c: char| !c.is_alphanumeric()).filter(|name| !name.is_empty()) {
            exports.insert(name.to_owned(), module.to_owned());
        }
    }
    exports
}

/// Every arrow that points up or sideways, and every name where it may not stand.
fn violations(sources: &Sources) -> Vec<String> {
    let exports = exports(sources.get("lib").map_or("", String::as_str));
    let mut wrong = Vec::new();
    for (module, text) in sources.iter().filter(|(module, _)| *module != "lib") {
        let Some(own) = layer(module) else {
            wrong.push(format!("{module} is not in the picture"));
            continue;
        };
        let implementation = is_implementation(module);
        for used in named(text, &exports) {
            let allowed = match layer(&used) {
                None => {
                    wrong
                        .push(format!("{module} names crate::{used}, which is not in the picture"));
                    continue;
                }
                Some(_) if DATABASES.contains(&top(&used)) => top(module) == top(&used),
                Some(_) if is_implementation(&used) => implementation,
                Some(below) => below < own || top(module) == top(&used) && below == own,
            };
            if !allowed {
                wrong.push(format!("{module} names crate::{used}"));
            }
        }
        for (name, places, why) in RESERVED {
            let here = places.iter().any(|place| within(module, place) || module == place);
            if !here && names_word(text, name) {
                wrong.push(format!("{module} names {name}: {why}"));
            }
        }
    }
    wrong
}

fn top(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

/// Whether the text has this name on its own, not as the end of a longer one.
fn names_word(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn arrows_point_down_only() {
    let wrong = violations(&sources());
    assert!(wrong.is_empty(), "against the picture at the top of this file:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_and_every_reserved_name_is_there() {
    let sources = sources();
    for name in LAYERS.iter().copied().flatten().chain(IMPLEMENTATIONS).chain(DATABASES) {
        assert!(sources.contains_key(*name), "{name} is in the picture and not in the source");
    }
    for (name, places, _) in RESERVED {
        let found = sources.iter().any(|(module, text)| {
            places.iter().any(|place| within(module, place)) && names_word(text, name)
        });
        assert!(found, "nothing names {name}: is it still what it is called?");
    }
}

/// The server has one place that starts tasks, and watches them.
#[test]
fn the_server_starts_tasks_where_they_are_watched() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../simplejwt-server/src");
    let starts =
        ["tokio::spawn", "task::spawn(", "spawn_local", "thread::spawn", "thread::Builder"];
    let found: Vec<_> = sources_in(&root)
        .into_iter()
        .filter(|(_, text)| starts.iter().any(|start| text.contains(start)))
        .map(|(module, _)| module)
        .collect();
    assert_eq!(found, ["supervisor"], "start it with supervisor.rs");
}

/// What happens is told as an event, and the log is one of those who are told. The feed has a state, and
/// no events.
#[test]
fn flows_tell_events_and_log_nothing() {
    let sources = sources();
    let logs = |text: &str| names_word(text, "tracing::");
    let found: Vec<_> = sources
        .iter()
        .filter(|(module, text)| within(module, "service") && logs(text))
        .map(|(module, _)| module.as_str())
        .collect();
    assert_eq!(
        found,
        ["service/revocation"],
        "an event for it is in event.rs, its line in event/log.rs"
    );
    assert!(sources.get("event/log").is_some_and(|text| logs(text)));
}

/// What the server and its commands change of tokens and sessions, they change by the flows: those tell.
#[test]
fn the_server_changes_tokens_and_sessions_by_flows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../simplejwt-server/src");
    let verbs = ["EndSessions", "OpenSession", "SessionRefresh", ".blacklist(&", ".rotate(&"];
    let found: Vec<_> = sources_in(&root)
        .into_iter()
        .filter(|(_, text)| verbs.iter().any(|verb| text.contains(verb)))
        .map(|(module, _)| module)
        .collect();
    assert_eq!(found, Vec::<String>::new(), "ask `Auth`, as commands/flows.rs makes it");
}

#[test]
fn wrong_arrows_are_found() {
    let broken = [
        ("claims", "use crate::service::Auth;"),
        ("token", "use crate::{clock::Clock, web::router};"),
        ("service", "use crate::store::memory::MemoryStore;"),
        ("service", "let now = http::StatusCode::OK;"),
        ("users", "use crate::Settings;"),
        ("store", "fn f(token: crate::Token) {}"),
        ("store", "use crate::sqlite::SqliteStore;"),
        ("users", "use crate::sql::table::UserTable;"),
        ("service", "use crate::sql::table::UserTable;"),
        ("event", "use crate::store::session::SessionSelector;"),
        ("users", "use crate::event::Event;"),
        ("sql", "use crate::mysql::MysqlStore;"),
        ("postgres", "use crate::sqlite::SqliteStore;"),
        ("sqlite/users", "use crate::service::Auth;"),
        ("token", "std::time::SystemTime::now()"),
        ("service", "tokio::spawn(async {})"),
        ("store/memory", "thread::Builder::new()"),
        ("unheard_of", ""),
    ];
    for (module, text) in broken {
        let mut sources = sources();
        assert_eq!(violations(&sources), Vec::<String>::new());
        sources.entry(module.into()).or_default().push_str(text);
        assert_eq!(violations(&sources).len(), 1, "{module}: {text}: {:?}", violations(&sources));
    }
}
