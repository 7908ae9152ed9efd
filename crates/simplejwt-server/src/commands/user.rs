//! `simplejwt user add|set-password|enable|disable|list`
