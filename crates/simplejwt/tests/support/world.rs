//! Users, a store and a clock in memory, with `Auth` on top: what the tests stand on.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use simplejwt::event::{Act, Cause, Recorded};
use simplejwt::store::{Blacklisting, FlushExpired, Flushed, OutstandingToken, Rotation};
use simplejwt::{
    Access, Auth, Claims, Credentials, Error, Hooks, ManualClock, Refresh, Settings, Sliding,
    StoreError, Timestamp, Token, TokenError, TokenStore, TokenType, Tokens, User, UserId,
    UserStore,
};

pub(crate) const SECRET: &str = "a secret that only these tests know, long enough";
pub(crate) const PASSWORD: &str = "test_password";
pub(crate) const NOW: i64 = 1_700_000_000;
pub(crate) const DAY: u64 = 24 * 60 * 60;

/// A mutex whose poison doesn't matter: the test has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct UsersInner {
    rows: Mutex<Vec<User>>,
    last_login: Mutex<BTreeMap<UserId, Timestamp>>,
    allow_inactive: AtomicBool,
}

/// Users whose password is always [`PASSWORD`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Users(Arc<UsersInner>);

impl Users {
    pub(crate) fn add(&self, user: User) {
        lock(&self.0.rows).push(user);
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut User)) {
        if let Some(user) = lock(&self.0.rows).iter_mut().find(|user| user.id.as_str() == id) {
            change(user);
        }
    }

    pub(crate) fn delete(&self, id: &str) {
        lock(&self.0.rows).retain(|user| user.id.as_str() != id);
    }

    /// As Django's `AllowAllUsersModelBackend`.
    pub(crate) fn allow_inactive(&self) {
        self.0.allow_inactive.store(true, Ordering::SeqCst);
    }

    pub(crate) fn last_login(&self, id: &str) -> Option<Timestamp> {
        lock(&self.0.last_login).get(&UserId::from(id)).copied()
    }
}

#[async_trait]
impl UserStore for Users {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        let any = self.0.allow_inactive.load(Ordering::SeqCst);
        let found = lock(&self.0.rows)
            .iter()
            .find(|user| user.username == credentials.username && (any || user.is_active))
            .filter(|_| credentials.password.as_str() == PASSWORD)
            .cloned();
        Ok(found)
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(lock(&self.0.rows).iter().find(|user| user.id == *id).cloned())
    }

    async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        lock(&self.0.last_login).insert(id.clone(), at);
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) outstanding: Vec<OutstandingToken>,
    pub(crate) blacklisted: Vec<String>,
}

impl Rows {
    fn record(&mut self, token: &OutstandingToken) {
        if self.outstanding.iter().all(|row| row.jti != token.jti) {
            self.outstanding.push(token.clone());
        }
    }

    fn blacklist(&mut self, token: &OutstandingToken) -> bool {
        if self.blacklisted.contains(&token.jti) {
            return false;
        }
        self.record(token);
        self.blacklisted.push(token.jti.clone());
        true
    }
}

#[derive(Debug, Default)]
struct StoreInner {
    rows: Mutex<Rows>,
    broken: AtomicBool,
    gate: Mutex<Option<Arc<tokio::sync::Barrier>>>,
}

/// Both tables in memory, and a switch that makes every call fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(Arc<StoreInner>);

impl Store {
    pub(crate) fn rows(&self) -> Rows {
        lock(&self.0.rows).clone()
    }

    pub(crate) fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Ordering::SeqCst);
    }

    /// Answers whether a token is blacklisted once `tasks` have asked: none of them sees what
    /// another does next.
    pub(crate) fn hold_until_asked_by(&self, tasks: usize) {
        *lock(&self.0.gate) = Some(Arc::new(tokio::sync::Barrier::new(tasks)));
    }

    fn open(&self, operation: &'static str) -> Result<MutexGuard<'_, Rows>, StoreError> {
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable(operation, "the cable is out"));
        }
        Ok(lock(&self.0.rows))
    }
}

#[async_trait]
impl TokenStore for Store {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        self.open("record")?.record(token);
        Ok(act.recorded(()))
    }

    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        let mut rows = self.open("rotate")?;
        if !rows.blacklist(spent) {
            return Ok(Rotation::Replayed.recorded(spent, cause));
        }
        rows.record(next);
        Ok(Rotation::Rotated.recorded(spent, cause))
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        let outcome = if self.open("blacklist")?.blacklist(token) {
            Blacklisting::Blacklisted
        } else {
            Blacklisting::AlreadyBlacklisted
        };
        Ok(outcome.recorded(act))
    }

    async fn blacklist_all(&self, user_id: &UserId, _at: Timestamp) -> Result<u64, StoreError> {
        let mut rows = self.open("blacklist_all")?;
        let all = rows.outstanding.clone();
        let live = all
            .iter()
            .filter(|row| row.user_id.as_ref() == Some(user_id))
            .filter(|row| rows.blacklist(row))
            .count();
        Ok(live as u64)
    }

    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        let found = self.open("is_blacklisted")?.blacklisted.iter().any(|other| other == jti);
        let gate = lock(&self.0.gate).clone();
        if let Some(gate) = gate {
            gate.wait().await;
        }
        Ok(found)
    }

    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
        let mut rows = self.open("flush_expired")?;
        let due = flush.retention.due(flush.at);
        let gone: Vec<_> = rows
            .outstanding
            .iter()
            .filter(|row| flush.retention.last_exp_of(&row.token, row.expires_at) <= due)
            .take(flush.batch as usize)
            .map(|row| row.jti.clone())
            .collect();
        rows.outstanding.retain(|row| !gone.contains(&row.jti));
        rows.blacklisted.retain(|jti| !gone.contains(jti));
        Ok(Flushed { deleted: gone.len() as u64, ..Flushed::default() })
    }

    async fn newest(&self, _limit: u32) -> Result<Vec<OutstandingToken>, StoreError> {
        Ok(self.open("newest")?.outstanding.clone())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.open("ping").map(drop)
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tokens: Tokens,
    pub(crate) users: Users,
    pub(crate) store: Store,
    pub(crate) auth: Auth,
}

impl World {
    /// One active user, "1", `test_user`, with [`PASSWORD`].
    pub(crate) fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
        let tokens = tokens_at(&clock, change);
        let (users, store) = (Users::default(), Store::default());
        let mut user = User::new("1", "test_user");
        user.password = "md5$salt$first".into();
        users.add(user);
        let auth = Auth::new(tokens.clone()).with_users(users.clone()).with_store(store.clone());
        Self { clock, tokens, users, store, auth }
    }

    /// With upstream's test settings: the blacklist app, and BLACKLIST_AFTER_ROTATION.
    pub(crate) fn upstream() -> Self {
        Self::new(|settings| {
            settings.token_blacklist = true;
            settings.blacklist_after_rotation = true;
        })
    }

    /// With rotation too.
    pub(crate) fn rotating() -> Self {
        Self::new(|settings| {
            settings.token_blacklist = true;
            settings.blacklist_after_rotation = true;
            settings.rotate_refresh_tokens = true;
        })
    }

    pub(crate) fn with_hooks(mut self, hooks: impl Hooks) -> Self {
        self.auth = self.auth.with_hooks(hooks);
        self
    }

    pub(crate) fn made<T: TokenType>(&self, change: impl FnOnce(&mut Claims)) -> String {
        made::<T>(&self.tokens, change)
    }

    pub(crate) fn refresh(&self) -> String {
        self.made::<Refresh>(|_| ())
    }

    pub(crate) fn access(&self) -> String {
        self.made::<Access>(|_| ())
    }

    pub(crate) fn sliding(&self) -> String {
        self.made::<Sliding>(|_| ())
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn tokens_at(clock: &Arc<ManualClock>, change: impl FnOnce(&mut Settings)) -> Tokens {
    let mut settings = Settings { signing_key: Some(SECRET.into()), ..Settings::default() };
    change(&mut settings);
    let keys = settings.key_set().expect("the keys of a test fit");
    Tokens::with(settings, keys, clock.clone()).expect("the settings of a test fit")
}

/// A token of user 1, changed before it is signed.
pub(crate) fn made<T: TokenType>(tokens: &Tokens, change: impl FnOnce(&mut Claims)) -> String {
    tokens.encode(&tokens.issue_with::<T>("1", change)).expect("can be signed")
}

pub(crate) fn int<T>(token: &Token<T>, claim: &str) -> Option<i64> {
    token.claims().get(claim).ok().flatten()
}

pub(crate) fn put(claims: &mut Claims, name: &str, value: impl serde::Serialize) {
    claims.set(name, value).expect("can be written as JSON");
}

pub(crate) fn right() -> Credentials {
    Credentials::new("test_user", PASSWORD)
}

/// Why the flow refused the token.
pub(crate) fn refusal<T>(outcome: Result<T, Error>) -> Option<TokenError> {
    match outcome {
        Err(Error::Token(error)) => Some(error),
        _ => None,
    }
}
