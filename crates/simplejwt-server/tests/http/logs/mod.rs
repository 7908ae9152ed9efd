//! What is logged: docs/logs.md against the source and against a server.

mod calls;
mod requests;
mod secrets;
