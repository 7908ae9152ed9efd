//! `Hooks` for pointers to hooks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{HookError, Hooks};
use crate::claims::Claims;
use crate::settings::{Settings, TokenClass};
use crate::users::{Credentials, User};

macro_rules! behind {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Hooks + ?Sized> Hooks for $pointer {
            fn may_authenticate(&self, settings: &Settings, user: &User) -> bool {
                (**self).may_authenticate(settings, user)
            }

            async fn extra_claims(
                &self,
                kind: TokenClass,
                user: &User,
                claims: &mut Claims,
            ) -> Result<(), HookError> {
                (**self).extra_claims(kind, user, claims).await
            }

            async fn refreshed_claims(
                &self,
                kind: TokenClass,
                user: &User,
                claims: &mut Claims,
            ) -> Result<(), HookError> {
                (**self).refreshed_claims(kind, user, claims).await
            }

            async fn on_login_success(&self, user: &User) {
                (**self).on_login_success(user).await;
            }

            async fn on_login_failed(&self, credentials: &Credentials) {
                (**self).on_login_failed(credentials).await;
            }
        }
    )*};
}

behind!(Arc<T>, Box<T>, &'static T);

/// Lets types that hold hooks derive `Debug`, even if the hooks don't implement it.
impl fmt::Debug for dyn Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Hooks")
    }
}
