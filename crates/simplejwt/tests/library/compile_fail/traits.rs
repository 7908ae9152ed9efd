//! What has not the trait that is asked for is told how to get it.

use std::sync::Arc;

use simplejwt::store::memory::MemoryStore;
use simplejwt::{Auth, Hooks, SessionStore, TokenStore, UserStore};

struct Nothing;

fn users(auth: Auth) {
    auth.with_users(Nothing); //~ E0277 //? `Nothing` is not a user store
}

fn store(auth: Auth) {
    auth.with_store(Nothing); //~ E0277 //? `TokenStore` isn't implemented for `Nothing`
}

fn sessions(auth: Auth) {
    auth.with_sessions(Nothing); //~ E0277 //? to `Auth::with_store`
}

fn hooks(auth: Auth) {
    auth.with_hooks(Nothing); //~ E0277 //? #[simplejwt::async_trait] impl Hooks for
}

fn behind_pointers(auth: Auth, store: Arc<dyn SessionStore>, hooks: Box<dyn Hooks>) -> Auth {
    let shared: Arc<MemoryStore> = Arc::default();
    let auth = auth.with_store(Arc::clone(&shared) as Arc<dyn TokenStore>).with_sessions(shared);
    auth.with_sessions(store).with_hooks(hooks)
}

fn shared(auth: Auth, users: Arc<dyn UserStore>, alone: &'static dyn UserStore) -> Auth {
    auth.with_users(users).with_users(alone)
}
