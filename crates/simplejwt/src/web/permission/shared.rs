//! `Permission` for pointers to a permission.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::Method;

use super::Permission;
use crate::hooks::HookError;
use crate::service::Auth;
use crate::token::{Access, Token};

macro_rules! behind {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Permission + ?Sized> Permission for $pointer {
            async fn has_permission(
                &self,
                auth: &Auth,
                method: &Method,
                token: Option<&Token<Access>>,
            ) -> Result<bool, HookError> {
                (**self).has_permission(auth, method, token).await
            }
        }
    )*};
}

behind!(Arc<T>, Box<T>, &'static T);

/// Lets types that hold a permission derive `Debug`, even if the permission doesn't implement it.
impl fmt::Debug for dyn Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Permission")
    }
}
