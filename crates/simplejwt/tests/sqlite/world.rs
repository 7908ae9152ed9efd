//! Two users, a store and a clock, with `Auth` on top.

use std::sync::Arc;
use std::time::Duration;

use simplejwt::event::Cause;
use simplejwt::service::{Refreshed, TokenPair};
use simplejwt::settings::Rows;
use simplejwt::sql::manage::{ManageUsers as _, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::store::FlushExpired;
use simplejwt::store::memory::MemoryStore;
use simplejwt::store::retention::{MARGIN, Retention};
use simplejwt::store::rows::BySession;
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::{Hasher, Hashers, HashingPool, PoolOptions, unusable_password};
use simplejwt::{
    Auth, Credentials, Error, ManualClock, SessionStore, Settings, Timestamp, TokenError, Tokens,
    User, UserId, UserStore as _,
};
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);
pub(crate) const PASSWORD: &str = "wonderland";
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The tokens of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) refresh: String,
    pub(crate) access: String,
}

impl From<TokenPair> for Pair {
    fn from(pair: TokenPair) -> Self {
        Self { refresh: pair.refresh.token, access: pair.access.token }
    }
}

impl From<Refreshed> for Pair {
    fn from(refreshed: Refreshed) -> Self {
        let refresh = refreshed.refresh.expect("rotation is on").token;
        Self { refresh, access: refreshed.access.token }
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) settings: Settings,
    pub(crate) users: MemoryUsers,
    pub(crate) pool: HashingPool,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) auth: Auth,
    directory: Option<TempDir>,
}

/// Threads that hash in a moment: the first kind is the one of new hashes.
pub(crate) fn pool(kinds: &[Hasher]) -> HashingPool {
    let parameters =
        simplejwt::users::password::Parameters { pbkdf2_iterations: 1, ..Default::default() };
    let hashers = Hashers::new(kinds.iter().copied()).unwrap().with_parameters(parameters).unwrap();
    HashingPool::new(hashers, PoolOptions { threads: 1, waiting: 64 }).unwrap()
}

/// With rotation and blacklist, changed as the test wants it: in memory, in SQLite, and there with a
/// row for each session, unless the settings don't allow that.
pub(crate) async fn worlds(change: impl Fn(&mut Settings)) -> Vec<World> {
    let mut worlds = Vec::from(worlds_of_tokens(&change).await);
    worlds.extend(World::by_session(&change).await);
    worlds
}

/// The same with a row for each token, as Django's tables have it.
pub(crate) async fn worlds_of_tokens(change: impl Fn(&mut Settings)) -> [World; 2] {
    [World::in_memory(&change).await, World::in_sqlite(&change).await]
}

async fn sqlite() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(path, SqliteOptions::default()).unwrap();
    let table = UserTable::default();
    migrate::apply(&database, &table, NOW).await.unwrap();
    let options = UserOptions::default();
    let rows = SqliteUsers::open(&database, table.clone(), pool(&[Hasher::Md5]), options).unwrap();
    for (name, id) in [("alice", "1"), ("bob", "2")] {
        let password = unusable_password();
        let new = NewUser { username: name.into(), password, ..NewUser::default() };
        assert_eq!(rows.create_user(new, &Cause::at(NOW)).await.unwrap().outcome.id.as_str(), id);
    }
    (SqliteStore::open(&database, &table).unwrap(), directory)
}

impl World {
    pub(crate) async fn in_memory(change: impl Fn(&mut Settings)) -> Self {
        Self::new(change, Arc::new(MemoryStore::default()), None).await
    }

    pub(crate) async fn in_sqlite(change: impl Fn(&mut Settings)) -> Self {
        let (store, directory) = sqlite().await;
        Self::new(change, Arc::new(store), Some(directory)).await
    }

    /// With the claim `sid`, and a row for each session; `None` if the settings don't allow that.
    pub(crate) async fn by_session(change: impl Fn(&mut Settings)) -> Option<Self> {
        let change = |settings: &mut Settings| {
            change(settings);
            settings.sessions.session_claim = true;
            settings.sessions.rows = Rows::Sessions;
        };
        let mut settings = Self::settings();
        change(&mut settings);
        settings.validate().ok()?;
        let (store, directory) = sqlite().await;
        let store = BySession::new(store, &settings);
        Some(Self::new(change, Arc::new(store), Some(directory)).await)
    }

    fn settings() -> Settings {
        Settings {
            signing_key: Some("a secret that only these tests know, long enough".into()),
            token_blacklist: true,
            rotate_refresh_tokens: true,
            blacklist_after_rotation: true,
            ..Settings::default()
        }
    }

    async fn new(
        change: impl Fn(&mut Settings),
        store: Arc<dyn SessionStore>,
        directory: Option<TempDir>,
    ) -> Self {
        let mut settings = Self::settings();
        change(&mut settings);
        let pool = pool(&[Hasher::Md5]);
        let users = MemoryUsers::new(pool.clone());
        for (id, name) in [("1", "alice"), ("2", "bob")] {
            let mut user = User::new(id, name);
            user.password = pool.encode(PASSWORD.to_owned().into()).await.unwrap();
            users.insert(user);
        }
        let clock = Arc::new(ManualClock::at(NOW));
        let auth = auth(&settings, &clock, &users, &store);
        auth.check().unwrap();
        Self { clock, settings, users, pool, store, auth, directory }
    }

    /// Another process on the same store, with settings of its own.
    pub(crate) fn node(&self, change: impl Fn(&mut Settings)) -> Auth {
        let mut settings = self.settings.clone();
        change(&mut settings);
        auth(&settings, &self.clock, &self.users, &self.store)
    }

    /// Which it is, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match (self.store.rows(), &self.directory) {
            (Rows::Sessions, _) => "SQLite by session",
            (Rows::Tokens, Some(_)) => "SQLite",
            (Rows::Tokens, None) => "memory",
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Logs alice in.
    pub(crate) async fn log_in(&self) -> Pair {
        self.auth.obtain_pair(&credentials("alice")).await.unwrap().into()
    }

    /// The pair that comes after a refresh token.
    pub(crate) async fn next(&self, refresh: &str) -> Pair {
        let refreshed = self.auth.refresh(refresh).await;
        refreshed.unwrap_or_else(|e| panic!("{}: {e}", self.name())).into()
    }

    pub(crate) async fn assert_blacklisted(&self, refresh: &str, why: &str) {
        let refused = self.auth.refresh(refresh).await;
        assert!(
            matches!(refused, Err(Error::Token(TokenError::Blacklisted))),
            "{}: {why}: {refused:?}",
            self.name()
        );
    }

    /// All that is due, as the server's purge deletes it.
    pub(crate) async fn purge(&self) {
        self.purge_as(&self.auth).await;
    }

    /// The same, by the settings of this process.
    pub(crate) async fn purge_as(&self, auth: &Auth) {
        let retention = Retention::of(auth.settings());
        let now = auth.tokens().now();
        let due = retention.sessions_due(now);
        let mut flush = FlushExpired::new(retention, now, 100);
        loop {
            flush.after = self.store.flush_expired(&flush).await.unwrap().next;
            let sessions = self.store.flush_sessions(due, 100).await.unwrap();
            if flush.after.is_none() && sessions == 0 {
                return;
            }
        }
    }

    /// Deletes what is registered with an `exp` up to then, whatever the settings; how many tokens.
    pub(crate) async fn forget_until(&self, exp: Timestamp) -> u64 {
        let retention = Retention::of(&Settings::default());
        let flush = FlushExpired::new(retention, exp + MARGIN, 1000);
        self.store.flush_expired(&flush).await.unwrap().deleted
    }

    /// How many sessions alice has.
    pub(crate) async fn live(&self) -> usize {
        self.auth.sessions_of(&alice()).await.unwrap().len()
    }

    /// What the table says of why the one session that has ended did; `None` without a table.
    pub(crate) fn end_reason(&self) -> Option<String> {
        let path = self.directory.as_ref()?.path().join("db.sqlite3");
        let table = match self.store.rows() {
            Rows::Tokens => "simplejwt_session",
            Rows::Sessions => "simplejwt_refresh_session",
        };
        let sql = format!("SELECT end_reason FROM {table} WHERE ended_at IS NOT NULL");
        rusqlite::Connection::open(path).unwrap().query_one(&sql, [], |row| row.get(0)).unwrap()
    }

    /// The file, for whoever reads and writes it beside the store; `None` without one.
    pub(crate) fn raw(&self) -> Option<rusqlite::Connection> {
        let path = self.directory.as_ref()?.path().join("db.sqlite3");
        Some(rusqlite::Connection::open(path).unwrap())
    }

    /// Django's `flushexpiredtokens`, at this time by its clock and zone.
    pub(crate) fn django_flush(&self, now: Timestamp) {
        let raw = self.raw().unwrap();
        let sql = "strftime('%Y-%m-%d %H:%M:%S', ?1, 'unixepoch')";
        let due =
            format!("SELECT id FROM token_blacklist_outstandingtoken WHERE expires_at <= {sql}");
        for (table, column) in [("blacklistedtoken", "token_id"), ("outstandingtoken", "id")] {
            let delete = format!("DELETE FROM token_blacklist_{table} WHERE {column} IN ({due})");
            raw.execute(&delete, [now.as_secs()]).unwrap();
        }
    }

    /// Changes a user's row, as somebody else does.
    pub(crate) async fn change(&self, name: &str, change: impl FnOnce(&mut User)) {
        let id = if name == "alice" { "1" } else { "2" };
        let mut user = self.users.find(&id.into()).await.unwrap().unwrap();
        change(&mut user);
        self.users.insert(user);
    }

    pub(crate) async fn set_password(&self, name: &str, password: &str) {
        let hash = self.pool.encode(password.to_owned().into()).await.unwrap();
        self.change(name, |user| user.password = hash).await;
    }
}

fn auth(
    settings: &Settings,
    clock: &Arc<ManualClock>,
    users: &MemoryUsers,
    store: &Arc<dyn SessionStore>,
) -> Auth {
    let keys = settings.key_set().unwrap();
    let tokens = Tokens::with(settings.clone(), keys, clock.clone()).unwrap();
    Auth::new(tokens).with_users(users.clone()).with_shared_sessions(Arc::clone(store))
}

pub(crate) fn credentials(name: &str) -> Credentials {
    Credentials::new(name, PASSWORD)
}

pub(crate) fn alice() -> UserId {
    "1".into()
}

/// A token's claims, unverified, as the text that was signed.
pub(crate) fn payload(token: &str) -> String {
    let part = token.split('.').nth(1).unwrap();
    String::from_utf8(base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap()).unwrap()
}

pub(crate) fn claims(token: &str) -> serde_json::Value {
    serde_json::from_str(&payload(token)).unwrap()
}

pub(crate) fn jti(token: &str) -> String {
    claims(token)["jti"].as_str().unwrap().to_owned()
}
