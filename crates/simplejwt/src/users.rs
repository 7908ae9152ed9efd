//! Users: who they are and how their passwords are checked.

#[cfg(feature = "passwords")]
pub mod password;
