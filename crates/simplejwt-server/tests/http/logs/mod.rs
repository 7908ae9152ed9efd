//! The log: docs/logs.md compared with the source and with a server.

mod calls;
mod requests;
mod secrets;
