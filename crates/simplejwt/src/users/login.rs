//! Logging in as Django's `ModelBackend` does, over rows from any source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::password::{HashingPool, PasswordSurvey, PoolError, Rehash, StoredKind, Verdict};
use super::{Credentials, Source, User};
use crate::clock::{Clock as _, SystemClock};
use crate::error::{StoreError, StoreErrorKind};
use crate::logging::with_causes;

/// The time for which a sample of the table is valid, in seconds; a later login takes a new one.
const SAMPLE_COUNTS_FOR: i64 = 300;

/// A user's row with the key that finds it again.
#[derive(Clone)]
pub(crate) struct Found<K> {
    pub(crate) key: K,
    pub(crate) user: User,
}

/// Some of the stored hashes, from the newest rows to the oldest. Doesn't implement `Debug`.
#[derive(Default)]
pub(crate) struct PasswordSample {
    pub(crate) hashes: Vec<String>,
    /// `true` if the table was made by `migrate` and no Django has used the database.
    pub(crate) made_here: bool,
}

/// Access to the users' rows.
#[async_trait]
pub(crate) trait LoginRows: Send + Sync {
    /// The key that finds a row again.
    type Key: Send + Sync;

    /// Returns the user with exactly this login name.
    async fn by_login(&self, name: &str) -> Result<Option<Found<Self::Key>>, StoreError>;

    /// Replaces the hash `old` with `new`. Returns `true` if `old` was still stored. If sessions
    /// are stored beside the rows, those tied to `old` are tied to `new` in the same transaction.
    async fn replace_hash(&self, found: &Found<Self::Key>, new: &str) -> Result<bool, StoreError>;

    /// Returns at most a few hundred of the stored hashes: those of the newest rows, the oldest,
    /// and some in between.
    async fn password_sample(&self) -> Result<PasswordSample, StoreError>;
}

/// The threads that compare passwords, and the knowledge of the table's hashes. Clones share both.
#[derive(Clone)]
pub(crate) struct Passwords {
    pool: HashingPool,
    table: Arc<Table>,
}

struct Table {
    made_here: AtomicBool,
    /// The time of the last sample, in seconds since 1970.
    sampled_at: AtomicI64,
}

impl Passwords {
    pub(crate) fn new(pool: HashingPool) -> Self {
        let table =
            Table { made_here: AtomicBool::new(false), sampled_at: AtomicI64::new(i64::MIN) };
        Self { pool, table: Arc::new(table) }
    }

    /// Returns the user with these credentials; `None` after equal work for anyone else.
    pub(crate) async fn authenticate<R: LoginRows>(
        &self,
        rows: &R,
        allow_inactive: bool,
        credentials: &Credentials,
    ) -> Result<Option<User>, StoreError> {
        let found = rows.by_login(&credentials.username).await?;
        self.keep_sampled(rows).await;
        let Some(found) = found else {
            let _ = self.verify(credentials, None).await?;
            return Ok(None);
        };
        self.warn_of_unusable_hash(&found.user);
        let is_refused = !found.user.is_active && !allow_inactive;
        let verdict = self.verify(credentials, Some((&found.user.password, is_refused))).await?;
        if !verdict.is_correct() {
            return Ok(None);
        }
        let user = match self.pool.hashers().should_rewrite(&found.user.password, self.rehash()) {
            true => self.rewrite(rows, credentials, found).await?,
            false => Some(found.user),
        };
        Ok(user.filter(|user| user.is_active || allow_inactive))
    }

    /// Surveys the table's hashes by a sample. From then on refusals take as much work as the
    /// costliest kind in it.
    pub(crate) async fn survey<R: LoginRows>(
        &self,
        rows: &R,
    ) -> Result<PasswordSurvey, StoreError> {
        self.table.sampled_at.store(SystemClock.now().as_secs(), Ordering::Relaxed);
        let sample = rows.password_sample().await?;
        let hashers = self.pool.hashers();
        let kinds = sample.hashes.iter().map(|hash| hashers.kind_of(hash));
        let survey = PasswordSurvey::of(kinds, sample.made_here);
        hashers.learn(&survey);
        self.table.made_here.store(survey.made_here, Ordering::Relaxed);
        Ok(survey)
    }

    /// Takes a new sample if the last one is too old. If that fails, the login continues without.
    async fn keep_sampled<R: LoginRows>(&self, rows: &R) {
        let last = self.table.sampled_at.load(Ordering::Relaxed);
        let now = SystemClock.now().as_secs();
        let is_new = (last..last.saturating_add(SAMPLE_COUNTS_FOR)).contains(&now);
        let takes = |last, now| {
            let (order, failed) = (Ordering::Relaxed, Ordering::Relaxed);
            self.table.sampled_at.compare_exchange(last, now, order, failed).is_ok()
        };
        if !is_new
            && takes(last, now)
            && let Err(error) = self.survey(rows).await
        {
            tracing::warn!(
                event = "hash_sample_failed",
                error = with_causes(&error),
                "the stored password hashes can't be sampled"
            );
        }
    }

    fn rehash(&self) -> Rehash {
        self.pool.hashers().rehash().unwrap_or_else(|| {
            match self.table.made_here.load(Ordering::Relaxed) {
                true => Rehash::Stronger,
                false => Rehash::Never,
            }
        })
    }

    /// Warns that a login was refused because of the stored hash, not because of the password.
    fn warn_of_unusable_hash(&self, user: &User) {
        match self.pool.hashers().kind_of(&user.password) {
            StoredKind::Accepted(_) | StoredKind::Unusable => {}
            kind @ StoredKind::NotAccepted(_) => tracing::warn!(
                event = "hash_unusable",
                user_id = user.id.as_str(),
                algorithm = %kind,
                "login refused: the stored password hash uses an algorithm that isn't accepted"
            ),
            kind @ StoredKind::Malformed(_) => tracing::warn!(
                event = "hash_unusable",
                user_id = user.id.as_str(),
                algorithm = %kind,
                "login refused: the stored password hash is malformed, or needs too much work"
            ),
        }
    }

    /// Returns the user with an up-to-date hash, as it is now stored.
    ///
    /// A login doesn't fail because the hash couldn't be rewritten. But if the stored hash has
    /// changed in the meantime, perhaps to that of another password, the password must match the
    /// new one.
    async fn rewrite<R: LoginRows>(
        &self,
        rows: &R,
        credentials: &Credentials,
        found: Found<R::Key>,
    ) -> Result<Option<User>, StoreError> {
        let new = match self.pool.encode(password(credentials)).await {
            Ok(new) => new,
            Err(error) => {
                tracing::warn!(
                    event = "hash_kept",
                    user_id = found.user.id.as_str(),
                    error = with_causes(&error),
                    "outdated password hash was kept"
                );
                return Ok(Some(found.user));
            }
        };
        let replaced = rows.replace_hash(&found, &new).await;
        let mut user = found.user;
        match replaced {
            Ok(true) => {
                user.rehashed_from = Some(std::mem::replace(&mut user.password, new));
                Ok(Some(user))
            }
            Ok(false) => {
                let Some(Found { user, .. }) = rows.by_login(&credentials.username).await? else {
                    return Ok(None);
                };
                let verdict = self.verify(credentials, Some((&user.password, false))).await?;
                Ok(verdict.is_correct().then_some(user))
            }
            Err(error) => {
                tracing::warn!(
                    event = "hash_kept",
                    user_id = user.id.as_str(),
                    error = with_causes(&error),
                    "outdated password hash was kept"
                );
                Ok(Some(user))
            }
        }
    }

    /// `stored` is the hash, and whether the user is refused whatever the password.
    async fn verify(
        &self,
        credentials: &Credentials,
        stored: Option<(&str, bool)>,
    ) -> Result<Verdict, StoreError> {
        let password = password(credentials);
        let pool = self.pool.on_behalf_of(credentials.address().map(Source::from));
        let verdict = match stored {
            Some((stored, true)) => pool.verify_refused(password, stored.to_owned()).await,
            Some((stored, false)) => pool.verify(password, Some(stored.to_owned())).await,
            None => pool.verify(password, None).await,
        };
        verdict.map_err(|error| {
            let kind = match error {
                PoolError::Full => StoreErrorKind::Busy,
                _ => StoreErrorKind::Unavailable,
            };
            StoreError::new("authenticate", kind, error)
        })
    }
}

fn password(credentials: &Credentials) -> Zeroizing<String> {
    credentials.password.clone()
}
