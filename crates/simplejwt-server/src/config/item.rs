//! The list of settings, but for those of `SIMPLE_JWT` (see `simple_jwt.rs`).

use std::path::PathBuf;

use serde_json::Value;
use simplejwt::sql::table::KeyKind;
use simplejwt::users::password::Rehash;

use super::bind::bind;
use super::database_url::{DatabaseUrl, database_url};
use super::duration;
use super::level::level;
use super::value::{boolean, choice, count, list, optional_text, text};
use super::{
    Authentication, Config, LogFormat, claims, connections, cookies, gateway, hashers, oauth,
    sessions, simple_jwt,
};

/// One setting.
pub(crate) struct Item {
    /// Its table in the file.
    pub(crate) table: &'static str,
    /// Its name in that table.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) env: &'static str,
    /// Its default as TOML, or an example where there is no default.
    pub(crate) shown: Shown,
    pub(crate) doc: &'static str,
    /// Secrets aren't printed, and can be named by file.
    pub(crate) secret: bool,
    /// Whether `<name>_file` and `<ENV>_FILE` can name a file that holds the value.
    pub(crate) from_file: bool,
    /// Whether this is a whole table, whose names are the user's: it has no name of its own.
    pub(crate) whole_table: bool,
    pub(crate) set: fn(&mut Config, &Value) -> Result<(), String>,
}

#[derive(Clone, Copy)]
pub(crate) enum Shown {
    Default(&'static str),
    Example(&'static str),
}

impl Item {
    /// `server.bind`
    pub(crate) fn path(&self) -> String {
        if self.whole_table {
            return self.table.to_owned();
        }
        format!("{}.{}", self.table, self.name)
    }

    /// Whether this says where the database is: one of these is enough.
    pub(crate) fn names_database(&self) -> bool {
        self.table == "database" && matches!(self.name, "url" | "path")
    }

    /// Whether its file holds a key.
    pub(crate) fn is_key(&self) -> bool {
        self.table == "simple_jwt" && matches!(self.name, "signing_key" | "verifying_key")
    }

    /// The name as messages have it: upstream's settings in upstream's spelling.
    pub(crate) fn label(&self) -> String {
        if simple_jwt::is_upstream(self) {
            self.name.to_ascii_uppercase()
        } else if self.whole_table {
            format!("[{}]", self.table)
        } else {
            self.name.to_owned()
        }
    }
}

/// The tables of the file in the order in which they are documented, with what each is about.
pub(crate) const TABLES: &[(&str, &str)] = &[
    ("server", "How requests are answered."),
    ("tls", "The server's own certificate, where no proxy in front has one."),
    ("log", "What goes to standard error."),
    ("database", "Where users and tokens are kept."),
    ("simple_jwt", "Django's SIMPLE_JWT: upstream's names in either case, and two of our own."),
    ("sessions", "Sessions, reuse detection and revocation: all of it needs token_blacklist."),
    ("cookies", "Tokens in cookies, for browsers."),
    ("gateway", "What authenticate/ tells a gateway: nginx, Traefik, Caddy, Envoy."),
    ("oauth", "Who may use revoke/ (RFC 7009) and introspect/ (RFC 7662)."),
    ("django", "What else of Django's settings counts."),
    ("users", "The table of users: Django's auth_user, or one of your own."),
    ("claims", "What goes into tokens beside the user's id; claims_on_refresh is in [users]."),
    ("password", "How passwords are hashed."),
];

/// Every setting.
pub(crate) fn all() -> impl Iterator<Item = &'static Item> + Clone {
    [
        ITEMS,
        connections::ITEMS,
        simple_jwt::ITEMS,
        sessions::ITEMS,
        cookies::ITEMS,
        claims::ITEMS,
        gateway::ITEMS,
        oauth::ITEMS,
    ]
    .into_iter()
    .flatten()
}

/// The settings of one table.
pub(crate) fn of_table(table: &str) -> impl Iterator<Item = &'static Item> + Clone {
    all().filter(move |item| item.table == table)
}

pub(super) const fn item(
    table: &'static str,
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    set: fn(&mut Config, &Value) -> Result<(), String>,
) -> Item {
    Item { table, name, env, shown, doc, secret: false, from_file: false, whole_table: false, set }
}

use Shown::{Default as Def, Example};

static ITEMS: &[Item] = &[
    item(
        "server",
        "bind",
        "SIMPLEJWT_BIND",
        Def("\"127.0.0.1:8000\""),
        "Address and port to listen on, or \"unix:/run/simplejwt.sock\" for a Unix socket. Port 0 takes \
         a free one, which the log names. Sockets that systemd passes on count for more.",
        |c, v| {
            c.server.bind = bind(v)?;
            Ok(())
        },
    ),
    item(
        "server",
        "prefix",
        "SIMPLEJWT_PREFIX",
        Def("\"/api/token/\""),
        "The path under which the token endpoints are.",
        |c, v| {
            let given = text(v)?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
            if !given.bytes().all(plain) || given.contains("//") {
                return Err(
                    "is not a path of letters, digits and -._~/: write \"/api/token/\"".into()
                );
            }
            let trimmed = given.trim_matches('/');
            c.server.prefix = if trimmed.is_empty() { "/".into() } else { format!("/{trimmed}/") };
            Ok(())
        },
    ),
    item(
        "server",
        "append_slash",
        "SIMPLEJWT_APPEND_SLASH",
        Def("true"),
        "Django's APPEND_SLASH: a path without its last slash is redirected to the one with it.",
        |c, v| boolean(v).map(|on| c.server.append_slash = on),
    ),
    item(
        "server",
        "demo",
        "SIMPLEJWT_DEMO",
        Def("false"),
        "Whether /api/protected/ and /api/protected-stateless/ are there to try tokens on.",
        |c, v| boolean(v).map(|on| c.server.demo = on),
    ),
    item(
        "server",
        "authentication",
        "SIMPLEJWT_AUTHENTICATION",
        Def("\"user\""),
        "How /api/protected/ finds its user: \"user\" loads the row (JWTAuthentication), \
         \"stateless\" goes by the token alone (JWTStatelessUserAuthentication).",
        |c, v| {
            c.server.authentication = choice(
                v,
                &[("user", Authentication::User), ("stateless", Authentication::Stateless)],
            )?;
            Ok(())
        },
    ),
    item(
        "server",
        "body_limit",
        "SIMPLEJWT_BODY_LIMIT",
        Def("65536"),
        "The largest request body, in bytes, at least 512; a larger one is answered with 413.",
        |c, v| {
            let bytes = count(v)?;
            if bytes < 512 {
                return Err("is less than 512 bytes, which a login may need: write 65536".into());
            }
            c.server.body_limit = bytes;
            Ok(())
        },
    ),
    item(
        "server",
        "header_limit",
        "SIMPLEJWT_HEADER_LIMIT",
        Def("32768"),
        "The largest request head, in bytes, at least 8192; a larger one is answered with 431.",
        |c, v| {
            let bytes = count(v)?;
            if bytes < 8192 {
                return Err("is less than 8192 bytes: write 32768".into());
            }
            c.server.header_limit = bytes;
            Ok(())
        },
    ),
    item(
        "server",
        "header_timeout",
        "SIMPLEJWT_HEADER_TIMEOUT",
        Def("\"30s\""),
        "How long a client may take for a request's head; an idle connection is closed then.",
        |c, v| positive(v).map(|time| c.server.header_timeout = time),
    ),
    item(
        "server",
        "body_timeout",
        "SIMPLEJWT_BODY_TIMEOUT",
        Def("\"30s\""),
        "How long a client may take for a request's body; a slower one is answered with 408.",
        |c, v| positive(v).map(|time| c.server.body_timeout = time),
    ),
    item(
        "server",
        "shutdown_timeout",
        "SIMPLEJWT_SHUTDOWN_TIMEOUT",
        Def("\"30s\""),
        "How long requests in flight may take to finish after SIGTERM or SIGINT and drain_delay.",
        |c, v| duration(v).map(|time| c.server.shutdown_timeout = time),
    ),
    item(
        "server",
        "max_connections",
        "SIMPLEJWT_MAX_CONNECTIONS",
        Def("16384"),
        "Connections open at one time; more of them wait to be accepted.",
        |c, v| {
            let connections = count(v)?;
            if !(1..=1_000_000).contains(&connections) {
                return Err("is out of range: write 1 to 1000000".into());
            }
            c.server.max_connections = connections;
            Ok(())
        },
    ),
    item(
        "server",
        "num_proxies",
        "SIMPLEJWT_NUM_PROXIES",
        Def("0"),
        "Proxies in front of this server that add their client to proxy_header, as Django REST \
         framework's NUM_PROXIES. 0: the address of the connection is the client's.",
        |c, v| count(v).map(|proxies| c.server.num_proxies = proxies),
    ),
    item(
        "log",
        "format",
        "SIMPLEJWT_LOG_FORMAT",
        Def("\"text\""),
        "\"text\", or \"json\" with one object a line.",
        |c, v| {
            c.log.format = choice(v, &[("text", LogFormat::Text), ("json", LogFormat::Json)])?;
            Ok(())
        },
    ),
    item(
        "log",
        "level",
        "SIMPLEJWT_LOG_LEVEL",
        Def("\"info\""),
        "error, warn, info, debug or trace; also by module, as in \"warn,simplejwt=debug\". Python's \
         words are taken: warning is warn, critical is error. off: nothing at all. Libraries \
         say nothing below warn.",
        |c, v| {
            c.log.level = level(&text(v)?)?;
            Ok(())
        },
    ),
    item(
        "log",
        "requests",
        "SIMPLEJWT_LOG_REQUESTS",
        Def("false"),
        "One line for each request: method, path, status, time, bytes and user agent; no query, body or \
         token.",
        |c, v| boolean(v).map(|on| c.log.requests = on),
    ),
    Item {
        from_file: true,
        ..item(
            "database",
            "url",
            "DATABASE_URL",
            Example("\"sqlite:////var/lib/simplejwt/db.sqlite3\""),
            "The database, as Django's URL packages have it: sqlite://// and a path, \
             postgres://user:password@host/database, or mysql://user:password@host/database. \
             Several hosts are separated by commas (with ?target_session_attrs=read-write \
             PostgreSQL's that takes writes is used); ?sslmode=verify-full&sslrootcert=FILE (MySQL: \
             ?ssl-mode=verify_identity&ssl-ca=FILE) demands TLS; ?host=/run/postgresql (MySQL: \
             ?socket=FILE) connects by a socket. A relative FILE is looked for beside this file, of \
             an environment variable in the working directory. docs/database-urls.md has all \
             schemes and parameters.",
            |c, v| {
                c.database.url = Some(database_url(&text(v)?)?);
                Ok(())
            },
        )
    },
    item(
        "database",
        "path",
        "SIMPLEJWT_DATABASE_PATH",
        Example("\"db.sqlite3\""),
        "The SQLite file as a path, relative to this file's directory, in place of `url`.",
        |c, v| {
            c.database.url = Some(DatabaseUrl::Sqlite(PathBuf::from(text(v)?)));
            Ok(())
        },
    ),
    item(
        "database",
        "busy_timeout",
        "SIMPLEJWT_DATABASE_BUSY_TIMEOUT",
        Def("\"5s\""),
        "How long to wait while another program has the SQLite file locked.",
        |c, v| duration(v).map(|time| c.database.busy_timeout = time),
    ),
    item(
        "database",
        "wait",
        "SIMPLEJWT_DATABASE_WAIT",
        Def("\"60s\""),
        "How long `serve` waits at its start for a database that isn't there yet: that is down, \
         starting, full, locked, or whose name isn't known. 0: not at all.",
        |c, v| duration(v).map(|time| c.database.wait = time),
    ),
    item(
        "database",
        "max_connections",
        "SIMPLEJWT_DATABASE_MAX_CONNECTIONS",
        Def("16"),
        "Connections to a PostgreSQL or MySQL server that are open at a time.",
        |c, v| {
            let connections = count(v)?;
            if !(1..=10_000).contains(&connections) {
                return Err("is out of range: write 1 to 10000".into());
            }
            c.database.max_connections = connections;
            Ok(())
        },
    ),
    item(
        "database",
        "connect_timeout",
        "SIMPLEJWT_DATABASE_CONNECT_TIMEOUT",
        Def("\"5s\""),
        "How long to wait for a server to take a connection.",
        |c, v| positive(v).map(|time| c.database.connect_timeout = time),
    ),
    item(
        "database",
        "wait_timeout",
        "SIMPLEJWT_DATABASE_WAIT_TIMEOUT",
        Def("\"5s\""),
        "How long a request waits for a free connection to a server, before it is answered with \
         503.",
        |c, v| positive(v).map(|time| c.database.wait_timeout = time),
    ),
    item(
        "database",
        "operation_timeout",
        "SIMPLEJWT_DATABASE_OPERATION_TIMEOUT",
        Def("\"5s\""),
        "How long a request waits for a server's answer, before it is answered with 503.",
        |c, v| positive(v).map(|time| c.database.operation_timeout = time),
    ),
    item(
        "database",
        "purge_interval",
        "SIMPLEJWT_PURGE_INTERVAL",
        Def("\"1h\""),
        "How often expired tokens and sessions are deleted, by one process of all; \"0\": never, \
         or only by `simplejwt token flush-expired`.",
        |c, v| {
            let time = duration(v)?;
            c.database.purge_interval = (!time.is_zero()).then_some(time);
            Ok(())
        },
    ),
    item(
        "database",
        "purge_batch",
        "SIMPLEJWT_PURGE_BATCH",
        Def("500"),
        "How many rows are deleted by one transaction, with a pause after each.",
        |c, v| {
            let batch = count(v)?;
            if !(1..=100_000).contains(&batch) {
                return Err("is out of range: write 1 to 100000".into());
            }
            c.database.purge_batch = batch;
            Ok(())
        },
    ),
    item(
        "database",
        "purge_cascade",
        "SIMPLEJWT_PURGE_CASCADE",
        Def("false"),
        "Whether rows of other tables that refer to an expired token by a foreign key are deleted \
         with it, as Django's flushexpiredtokens does for on_delete=CASCADE; without it such a \
         token stays. The database doesn't know of on_delete: not for tables whose rows are to \
         outlive the token. Users are never deleted.",
        |c, v| boolean(v).map(|on| c.database.purge_cascade = on),
    ),
    Item {
        secret: true,
        from_file: true,
        ..item(
            "django",
            "secret_key",
            "SECRET_KEY",
            Example("\"…\""),
            "Django's SECRET_KEY: what signs where [simple_jwt] names no signing_key and the \
             algorithm is an HMAC.",
            |c, v| {
                let key = v.as_str().ok_or("is not a text")?;
                c.secret_key = Some(key.into());
                Ok(())
            },
        )
    },
    item(
        "users",
        "table",
        "SIMPLEJWT_USERS_TABLE",
        Def("\"auth_user\""),
        "The table. Another than Django's has to be there already: `migrate` makes only Django's. In \
         PostgreSQL schema.table, too; of a model that inherits from another by tables, either.",
        |c, v| identifier(v).map(|name| c.users.table = name),
    ),
    item(
        "users",
        "primary_key",
        "SIMPLEJWT_USERS_PRIMARY_KEY",
        Def("\"id\""),
        "The column that is the primary key. What goes into tokens is USER_ID_FIELD.",
        |c, v| identifier(v).map(|name| c.users.primary_key = name),
    ),
    item(
        "users",
        "key_type",
        "SIMPLEJWT_USERS_KEY_TYPE",
        Example("\"uuid\""),
        "The primary key's type: \"integer\", \"uuid\" (as Django stores it) or \"text\". It is \
         found out by the column's type; one that isn't the column's is refused.",
        |c, v| {
            let kinds = [KeyKind::Integer, KeyKind::Uuid, KeyKind::Text];
            c.users.key_type = Some(choice(v, &kinds.map(|kind| (kind.as_str(), kind)))?);
            Ok(())
        },
    ),
    item(
        "users",
        "username_field",
        "SIMPLEJWT_USERS_USERNAME_FIELD",
        Def("\"username\""),
        "Django's USERNAME_FIELD: the column to log in with, and the name of the field in the \
         login's body. A text, an integer or a UUID, and unique, as that of USER_ID_FIELD is.",
        |c, v| identifier(v).map(|name| c.users.username_field = name),
    ),
    item(
        "users",
        "password",
        "SIMPLEJWT_USERS_PASSWORD",
        Def("\"password\""),
        "The column with the password's hash.",
        |c, v| identifier(v).map(|name| c.users.password = name),
    ),
    item(
        "users",
        "is_active",
        "SIMPLEJWT_USERS_IS_ACTIVE",
        Def("\"is_active\""),
        "The column that is false for users who may not log in; \"\" if there is none.",
        |c, v| optional_identifier(v).map(|name| c.users.is_active = name),
    ),
    item(
        "users",
        "is_staff",
        "SIMPLEJWT_USERS_IS_STAFF",
        Def("\"is_staff\""),
        "The column for users of Django's admin; \"\" if there is none.",
        |c, v| optional_identifier(v).map(|name| c.users.is_staff = name),
    ),
    item(
        "users",
        "is_superuser",
        "SIMPLEJWT_USERS_IS_SUPERUSER",
        Def("\"is_superuser\""),
        "The column for users with every permission; \"\" if there is none.",
        |c, v| optional_identifier(v).map(|name| c.users.is_superuser = name),
    ),
    item(
        "users",
        "last_login",
        "SIMPLEJWT_USERS_LAST_LOGIN",
        Def("\"last_login\""),
        "The column that UPDATE_LAST_LOGIN writes; \"\" if there is none.",
        |c, v| optional_identifier(v).map(|name| c.users.last_login = name),
    ),
    item(
        "users",
        "allow_inactive_login",
        "SIMPLEJWT_ALLOW_INACTIVE_LOGIN",
        Def("false"),
        "Django's AllowAllUsersModelBackend: inactive users can log in too (if \
         CHECK_USER_IS_ACTIVE is off as well).",
        |c, v| boolean(v).map(|on| c.users.allow_inactive_login = on),
    ),
    item(
        "password",
        "hashers",
        "PASSWORD_HASHERS",
        Def("[\"pbkdf2_sha256\", \"pbkdf2_sha1\", \"argon2\", \"bcrypt_sha256\", \"scrypt\"]"),
        "Django's PASSWORD_HASHERS, as names or class paths: the first makes new hashes, all are \
         accepted. As an environment variable: a JSON list.",
        |c, v| {
            c.password.hashers = hashers::hashers(&list(v)?)?;
            if c.password.hashers.is_empty() {
                return Err("is empty: name at least one hasher".into());
            }
            Ok(())
        },
    ),
    item(
        "password",
        "rehash",
        "SIMPLEJWT_PASSWORD_REHASH",
        Example("\"never\""),
        "Which stored hashes a login makes anew: \"never\"; \"stronger\", those that took less work \
         than new ones; \"always\", as Django does, those of another algorithm or cost, be it more \
         or less. Default: \"always\" where `hashers` or a cost is set here; if neither is, \
         \"stronger\" in a table that nobody but `simplejwt migrate` made, and \"never\" in every \
         other: whoever owns the table decides what a hash costs.",
        |c, v| {
            c.password.rehash = Some(choice(v, &Rehash::NAMES)?);
            Ok(())
        },
    ),
    item(
        "password",
        "max_refusal_work",
        "SIMPLEJWT_PASSWORD_MAX_REFUSAL_WORK",
        Def("\"1s\""),
        "How long a refused login computes at most, as the time of one processor: so that names \
         can't be told from strangers by the time, each refusal takes as much work as the \
         costliest hash in the table. Never less than one new hash. At most 60 seconds.",
        |c, v| {
            let time = duration(v)?;
            if time > std::time::Duration::from_secs(60) {
                return Err("is more than 60 seconds: write \"1s\"".into());
            }
            c.password.max_refusal_work = time;
            Ok(())
        },
    ),
    item(
        "password",
        "pbkdf2_iterations",
        "SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS",
        Def("1000000"),
        "Iterations of new pbkdf2 hashes; Django 5.2 has 1,000,000.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.pbkdf2_iterations = n)),
    ),
    item(
        "password",
        "argon2_time_cost",
        "SIMPLEJWT_PASSWORD_ARGON2_TIME_COST",
        Def("2"),
        "Passes of new argon2 hashes.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.argon2.time_cost = n)),
    ),
    item(
        "password",
        "argon2_memory_cost",
        "SIMPLEJWT_PASSWORD_ARGON2_MEMORY_COST",
        Def("102400"),
        "Memory of new argon2 hashes, in KiB.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.argon2.memory_cost = n)),
    ),
    item(
        "password",
        "argon2_parallelism",
        "SIMPLEJWT_PASSWORD_ARGON2_PARALLELISM",
        Def("8"),
        "Lanes of new argon2 hashes.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.argon2.parallelism = n)),
    ),
    item(
        "password",
        "bcrypt_rounds",
        "SIMPLEJWT_PASSWORD_BCRYPT_ROUNDS",
        Def("12"),
        "Rounds of new bcrypt hashes, as a power of two.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.bcrypt_rounds = n)),
    ),
    item(
        "password",
        "scrypt_work_factor",
        "SIMPLEJWT_PASSWORD_SCRYPT_WORK_FACTOR",
        Def("16384"),
        "The work factor of new scrypt hashes, a power of two.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.scrypt.work_factor = n)),
    ),
    item(
        "password",
        "scrypt_block_size",
        "SIMPLEJWT_PASSWORD_SCRYPT_BLOCK_SIZE",
        Def("8"),
        "The block size of new scrypt hashes.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.scrypt.block_size = n)),
    ),
    item(
        "password",
        "scrypt_parallelism",
        "SIMPLEJWT_PASSWORD_SCRYPT_PARALLELISM",
        Def("5"),
        "The parallelism of new scrypt hashes.",
        |c, v| count(v).and_then(|n| cost(c, |p| p.scrypt.parallelism = n)),
    ),
    item(
        "password",
        "threads",
        "SIMPLEJWT_PASSWORD_THREADS",
        Example("2"),
        "Passwords hashed at the same time. Default: as many as there are processors.",
        |c, v| {
            let threads = count(v)?;
            if !(1..=1024).contains(&threads) {
                return Err("is out of range: write 1 to 1024".into());
            }
            c.password.pool.threads = threads;
            Ok(())
        },
    ),
    item(
        "password",
        "queue",
        "SIMPLEJWT_PASSWORD_QUEUE",
        Def("256"),
        "Logins that may wait for a hashing thread; one more is answered with 503.",
        |c, v| count(v).map(|waiting| c.password.pool.waiting = waiting),
    ),
];

pub(super) fn positive(value: &Value) -> Result<std::time::Duration, String> {
    match duration(value)? {
        std::time::Duration::ZERO => Err("is zero: write a duration such as \"30s\"".into()),
        time => Ok(time),
    }
}

/// The costs are checked once all are known: some limit each other.
fn cost(
    config: &mut Config,
    set: impl FnOnce(&mut simplejwt::users::password::Parameters),
) -> Result<(), String> {
    set(&mut config.password.parameters);
    Ok(())
}

/// The name of a table or column. It is quoted wherever it is used.
fn identifier(value: &Value) -> Result<String, String> {
    let name = text(value)?;
    if name.chars().count() <= 128 && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err("is not the name of a table or column: write it as the database has it".into())
    }
}

fn optional_identifier(value: &Value) -> Result<Option<String>, String> {
    optional_text(value)?.map(|_| identifier(value)).transpose()
}
