// With the features of all of its programs.
#![cfg_attr(all(feature = "axum", feature = "postgres"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "axum", feature = "postgres")),
    doc = "Tokens compatible with djangorestframework-simplejwt."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod claims;
pub mod clock;
pub mod error;
pub mod event;
pub mod hooks;
pub mod jwk;
pub mod jws;
pub mod keys;
pub mod logging;
#[cfg(feature = "mysql")]
pub mod mysql;
pub mod panics;
#[cfg(feature = "postgres")]
pub mod postgres;
mod random;
mod revocation;
pub mod service;
pub mod settings;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod store;
#[cfg(any(test, feature = "testing"))]
mod suite;
pub mod throttle;
pub mod token;
pub mod users;
pub mod web;

/// The attribute macro for `impl`s of [`UserStore`], [`TokenStore`], [`SessionStore`], [`Hooks`],
/// [`KeySource`](keys::KeySource) and [`Permission`](web::permission): the
/// [`async_trait`](https://docs.rs/async-trait) crate's, re-exported in the version these traits
/// are built with.
pub use async_trait::async_trait;
pub use claims::Claims;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Error, StoreError, TokenError};
pub use event::{Actor, Event, EventRecord};
pub use hooks::{DefaultHooks, HookError, Hooks};
pub use keys::{Algorithm, KeySet, SigningKey, VerifyingKey};
pub use service::Auth;
pub use settings::Settings;
pub use store::session::SessionStore;
pub use store::{Leases, RevocationFeed, TokenStore};
pub use token::{Access, Refresh, Sliding, Token, TokenType, Tokens, Untyped};
pub use users::{Credentials, User, UserId, UserStore};
