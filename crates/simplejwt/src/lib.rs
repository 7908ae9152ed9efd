//! simplejwt
mod random;
pub mod users;
