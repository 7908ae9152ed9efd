//! What is logged: docs/logs.md against the source and against a server.

#[path = "logs/calls.rs"]
mod calls;
#[path = "support/databases.rs"]
mod databases;
#[path = "support/process.rs"]
mod process;
#[path = "logs/requests.rs"]
mod requests;
#[path = "logs/secrets.rs"]
mod secrets;
#[path = "support/site.rs"]
mod site;
