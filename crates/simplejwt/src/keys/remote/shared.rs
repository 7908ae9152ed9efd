//! `KeySource` for pointers to a source.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{KeySource, Published};

macro_rules! behind {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: KeySource + ?Sized> KeySource for $pointer {
            async fn fetch(&self) -> Result<Published, Box<dyn Error + Send + Sync>> {
                (**self).fetch().await
            }

            fn name(&self) -> String {
                (**self).name()
            }
        }
    )*};
}

behind!(Arc<T>, Box<T>, &'static T);

/// Lets types that hold a source derive `Debug`, even if the source doesn't implement it.
impl fmt::Debug for dyn KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn KeySource")
    }
}
