//! simplejwt
