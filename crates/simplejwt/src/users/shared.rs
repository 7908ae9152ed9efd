//! `UserStore` for pointers to a store, so that a shared store can be passed as an `Arc`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Credentials, User, UserId, UserStore};
use crate::clock::Timestamp;
use crate::error::StoreError;

macro_rules! behind {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: UserStore + ?Sized> UserStore for $pointer {
            async fn authenticate(&self, sent: &Credentials) -> Result<Option<User>, StoreError> {
                (**self).authenticate(sent).await
            }

            async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
                (**self).find(id).await
            }

            #[cfg(feature = "passwords")]
            async fn survey_passwords(&self) -> Result<super::password::PasswordSurvey, StoreError> {
                (**self).survey_passwords().await
            }

            async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
                (**self).update_last_login(id, at).await
            }

            async fn groups(&self, user: &UserId) -> Result<Vec<String>, StoreError> {
                (**self).groups(user).await
            }

            async fn permissions(&self, user: &UserId) -> Result<BTreeSet<String>, StoreError> {
                (**self).permissions(user).await
            }
        }
    )*};
}

behind!(Arc<T>, Box<T>, &'static T);

/// Lets types that hold a store derive `Debug`, even if the store doesn't implement it.
impl fmt::Debug for dyn UserStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn UserStore")
    }
}
