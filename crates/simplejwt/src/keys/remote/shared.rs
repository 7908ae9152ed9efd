//! A source behind a pointer is a source.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::KeySource;
use crate::jwk::JwkSet;

macro_rules! behind {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: KeySource + ?Sized> KeySource for $pointer {
            async fn fetch(&self) -> Result<JwkSet, Box<dyn Error + Send + Sync>> {
                (**self).fetch().await
            }
        }
    )*};
}

behind!(Arc<T>, Box<T>, &'static T);

/// What holds a source can derive `Debug`; the source itself needn't have it.
impl fmt::Debug for dyn KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn KeySource")
    }
}
