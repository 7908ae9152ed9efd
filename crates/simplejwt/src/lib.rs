#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Tokens as djangorestframework-simplejwt has them.")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod claims;
pub mod clock;
pub mod error;
pub mod hooks;
pub mod jwk;
pub mod jws;
pub mod keys;
pub mod logging;
mod panics;
mod random;
mod revocation;
pub mod service;
pub mod settings;
pub mod store;
pub mod token;
pub mod users;
pub mod web;

pub use claims::Claims;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Error, StoreError, TokenError};
pub use hooks::{DefaultHooks, Hooks};
pub use keys::{Algorithm, KeySet, SigningKey, VerifyingKey};
pub use service::Auth;
pub use settings::Settings;
pub use store::TokenStore;
pub use store::session::SessionStore;
pub use token::{Access, Refresh, Sliding, Token, TokenType, Tokens, Untyped};
pub use users::{Credentials, User, UserId, UserStore};
