//! `simplejwt doctor`: what it says of weak configurations, and that its advice works.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

mod advice;
mod output;
mod site;
