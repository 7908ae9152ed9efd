//! Logging in as Django's `ModelBackend` does, over rows from anywhere.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::password::{HashingPool, PoolError, Verdict};
use super::{Credentials, User};
use crate::error::{StoreError, StoreErrorKind};

/// A user's row with the key that finds it again.
pub(crate) struct Found<K> {
    pub(crate) key: K,
    pub(crate) user: User,
}

/// Where the rows are.
#[async_trait]
pub(crate) trait LoginRows: Send + Sync {
    /// What finds a row again.
    type Key: Send + Sync;

    /// The user with exactly this login name.
    async fn by_login(&self, name: &str) -> Result<Option<Found<Self::Key>>, StoreError>;

    /// Puts `new` in the place of `old`; whether `old` was still there. Where sessions are kept
    /// beside the rows, those that are tied to `old` are tied to `new` by the same transaction.
    async fn replace_hash(&self, found: &Found<Self::Key>, new: &str) -> Result<bool, StoreError>;
}

/// The user with these credentials; `None` after equal work for everybody else.
pub(crate) async fn authenticate<R: LoginRows>(
    rows: &R,
    pool: &HashingPool,
    allow_inactive: bool,
    credentials: &Credentials,
) -> Result<Option<User>, StoreError> {
    let found = rows.by_login(&credentials.username).await?;
    let stored = found.as_ref().map(|found| found.user.password.clone());
    let verdict = verify(pool, credentials, stored).await?;
    let (Some(found), Verdict::Correct { must_update }) = (found, verdict) else {
        return Ok(None);
    };
    let user =
        if must_update { rewrite(rows, pool, credentials, found).await? } else { Some(found.user) };
    Ok(user.filter(|user| user.is_active || allow_inactive))
}

/// The user with a hash of today's kind, as it is stored now.
///
/// A login doesn't fail because the hash couldn't be rewritten. But if another hash has come in
/// the meantime, of another password perhaps, this password has to fit that one.
async fn rewrite<R: LoginRows>(
    rows: &R,
    pool: &HashingPool,
    credentials: &Credentials,
    found: Found<R::Key>,
) -> Result<Option<User>, StoreError> {
    let new = match pool.encode(password(credentials)).await {
        Ok(new) => new,
        Err(error) => {
            tracing::warn!(user_id = %found.user.id, %error, "outdated password hash was kept");
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
            let verdict = verify(pool, credentials, Some(user.password.clone())).await?;
            Ok(verdict.is_correct().then_some(user))
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(user_id = %user.id, %error, cause, "outdated password hash was kept");
            Ok(Some(user))
        }
    }
}

async fn verify(
    pool: &HashingPool,
    credentials: &Credentials,
    stored: Option<String>,
) -> Result<Verdict, StoreError> {
    pool.verify(password(credentials), stored).await.map_err(|error| {
        let kind = match error {
            PoolError::Full => StoreErrorKind::Busy,
            _ => StoreErrorKind::Unavailable,
        };
        StoreError::new("authenticate", kind, error)
    })
}

fn password(credentials: &Credentials) -> Zeroizing<String> {
    credentials.password.clone()
}
