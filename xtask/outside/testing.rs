//! A store of one's own, held to what the others do.

use simplejwt::TokenStore;
use simplejwt::store::conformance::{self, Task};

pub async fn holds<S: TokenStore + Default>(spawn: impl Fn(Task)) {
    conformance::all(async || S::default(), spawn).await;
}
